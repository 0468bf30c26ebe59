//! Files in messages and as pictures: who may name them, who may read them through the message, and when they are gone.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::rest::{self, Answer};
use crate::server::{Options, Person, Server};
use crate::wire::Encoding;
use crate::within;

fn options() -> Options {
    Options::default().limit("uploads_rate", "1000000").limit("media_sweep", "20ms")
}

/// A red square.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([250, 5, 5])).write_to(&mut bytes, image::ImageFormat::Png).expect("encoded");
    bytes.into_inner()
}

/// A file that was taken in; its name.
async fn upload(server: &Server, person: &Person, query: &str, body: &[u8]) -> String {
    let answer = rest::raw("POST", &format!("/v1/media{query}")).bearer(&person.access).body(body.to_vec()).send(server.clients).await;
    answer.json(201)["id"].as_str().expect("an id").to_owned()
}

async fn get(server: &Server, person: &Person, path: &str) -> Answer {
    rest::get(path).bearer(&person.access).send(server.clients).await
}

fn message(conv: &str, key: &str, files: &[&str]) -> Value {
    json!({"conv": conv, "client_key": key, "attachments": files})
}

fn url(entry: &Value, nth: usize) -> String {
    entry["attachments"][nth]["url"].as_str().unwrap_or_else(|| panic!("no file {nth}: {entry}")).to_owned()
}

async fn gone(server: &Server, person: &Person, file: &str) {
    assert_eq!(get(server, person, &format!("/v1/media/{file}")).await.problem(410)["name"], "file_gone");
}

/// How many files lie on the disk.
fn kept(server: &Server) -> usize {
    fn below(folder: &std::path::Path) -> usize {
        let count = |entry: std::fs::DirEntry| if entry.path().is_dir() { below(&entry.path()) } else { 1 };
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(count).sum()
    }
    below(&server.data().join("media"))
}

async fn kept_are(server: &Server, number: usize) {
    within(&format!("{number} files are left"), async {
        while kept(server) != number {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// M5: over both doors; the other one reads it through the message, in whole, in part and small.
#[tokio::test]
async fn a_file_is_read_through_its_message() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::MessagePack).await;
    let conv = ada.with(&bob);
    let (text, picture) = (upload(&server, &ada, "?name=a.txt", b"hello").await, upload(&server, &ada, "?name=b.png", &png()).await);
    a.ask("msg.send", message(&conv, "both", &[&text, &picture])).await;
    let told = b.entry("message").await;
    assert_eq!((&told["body"], &told["attachments"][1]["type"]), (&json!({}), &json!("image/png")), "{told}");
    assert_eq!((&told["attachments"][0]["id"], &told["attachments"][1]["width"]), (&json!(text), &json!(40)));
    let by_rest = json!({"client_key": "rest", "attachments": [text], "body": {"text": "again"}});
    let sent = rest::post(&format!("/v1/conversations/{conv}/messages"), &by_rest).bearer(&ada.access).send(server.clients).await.json(201);
    let second = b.entry("message").await;
    assert_eq!(second["seq"], sent["seq"]);

    for person in [&ada, &bob] {
        assert_eq!(get(&server, person, &url(&told, 0)).await.text(), "hello");
        assert_eq!(get(&server, person, &url(&second, 0)).await.text(), "hello");
        let whole = get(&server, person, &url(&told, 1)).await;
        assert!(whole.body == png() && whole.header("content-type") == Some("image/png"));
        assert_eq!(get(&server, person, &format!("{}/thumbnail", url(&told, 1))).await.status, 200);
        get(&server, person, &format!("{}/thumbnail", url(&told, 0))).await.problem(404);
    }
    let part = rest::get(&url(&told, 0)).bearer(&bob.access).header("range", "bytes=1-2").send(server.clients).await;
    assert_eq!((part.status, part.text()), (206, "el".to_owned()));
    get(&server, &bob, &format!("/v1/media/{text}")).await.problem(404);
    for absent in ["messages/1/media/2", "messages/1/media/x", "messages/9/media/0", "messages/0/media/0"] {
        get(&server, &bob, &format!("/v1/conversations/{conv}/{absent}")).await.problem(404);
    }
    for path in [url(&told, 0), format!("{}/thumbnail", url(&told, 1)), url(&second, 0)] {
        let refused = get(&server, &eve, &path).await.problem(404);
        assert_eq!(refused["name"], "no_such_conversation", "{refused}");
        rest::get(&path).send(server.clients).await.problem(401);
    }
    // What one has hidden or cleared is not read here either.
    b.ask("conv.set", json!({"conv": conv, "client_key": "hide", "hide": 1})).await;
    get(&server, &bob, &url(&told, 0)).await.problem(404);
    b.ask("conv.set", json!({"conv": conv, "client_key": "clear", "clear": 2})).await;
    get(&server, &bob, &url(&second, 0)).await.problem(404);
    assert_eq!(get(&server, &ada, &url(&told, 0)).await.text(), "hello");
}

/// Z2, X3: what may not be named is refused as if it were not there, and nothing is stored.
#[tokio::test]
async fn only_own_files_that_are_there_are_sent() {
    let server = options().limit("attachments", "3").start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = ada.with(&bob);
    let own = upload(&server, &ada, "", b"own").await;
    let (foreign, picture) = (upload(&server, &bob, "", b"bob's").await, upload(&server, &ada, "?purpose=picture", &png()).await);
    let (erased, expired) = (upload(&server, &ada, "", b"x").await, upload(&server, &ada, "?expires_in=1", b"x").await);
    assert_eq!(rest::raw("DELETE", &format!("/v1/media/{erased}")).bearer(&ada.access).send(server.clients).await.status, 204);
    within("it expires", async { while get(&server, &ada, &format!("/v1/media/{expired}")).await.status == 200 {} }).await;
    let unknown = "0123456789abcdef0123456789abcdef";
    for file in [&foreign, &picture, &erased, &expired, unknown] {
        let refused = a.refused("msg.send", message(&conv, "no", &[&own, file])).await;
        assert_eq!(refused.name, "no_such_file");
        let body = json!({"client_key": "no", "attachments": [file]});
        let answer = rest::post(&format!("/v1/conversations/{conv}/messages"), &body).bearer(&ada.access).send(server.clients).await;
        assert_eq!(answer.problem(404)["name"], "no_such_file");
    }
    let mut files = vec![own];
    for _ in 0..3 {
        files.push(upload(&server, &ada, "", b"another").await);
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(a.refused("msg.send", message(&conv, "no", &files)).await.name, "too_many_items");
    let sent = a.ask("msg.send", message(&conv, "yes", &files[..3])).await;
    assert_eq!(sent["seq"], 1, "nothing was stored before");
    let again = a.ask("msg.send", message(&conv, "yes", &files[..3])).await;
    assert_eq!((&again["seq"], &again["dup"]), (&json!(1), &json!(true)));
    assert_eq!(a.refused("msg.send", message(&conv, "yes", &files[..2])).await.name, "conflict");
    a.ask("msg.send", message(&conv, "two", &files[..2])).await;
}

async fn group(a: &mut Client, b: &mut Client, name: &str) -> String {
    let conv = a.found(name, &[], true).await;
    b.change("group.join", &conv, "join", json!({})).await;
    conv
}

/// Who was removed reads what stood there before, and nothing after.
#[tokio::test]
async fn a_former_member_reads_files_up_to_his_removal() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = group(&mut a, &mut b, "club").await;
    let (before, after) = (upload(&server, &ada, "", b"before").await, upload(&server, &ada, "", b"after").await);
    let first = a.ask("msg.send", message(&conv, "before", &[&before])).await["seq"].clone();
    a.change("group.remove", &conv, "out", json!({"user": bob.id})).await;
    let second = a.ask("msg.send", message(&conv, "after", &[&after])).await["seq"].clone();
    let path = |seq: &Value| format!("/v1/conversations/{conv}/messages/{seq}/media/0");
    assert_eq!(get(&server, &bob, &path(&first)).await.text(), "before");
    get(&server, &bob, &path(&second)).await.problem(404);
    assert_eq!(get(&server, &ada, &path(&second)).await.text(), "after");
}

/// With a message its files go, also where they were forwarded to; with a forwarded one they stay.
#[tokio::test]
async fn a_deleted_messages_files_are_gone() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let eve = server.sign_up("eve").await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let mut e = server.connect(&eve, Encoding::Json).await;
    let (conv, other) = (ada.with(&bob), bob.with(&eve));
    let file = upload(&server, &ada, "", b"secret").await;
    a.ask("msg.send", message(&conv, "k", &[&file])).await;
    let told = b.entry("message").await;
    for key in ["one", "two"] {
        b.ask("msg.forward", json!({"conv": other, "client_key": key, "from": conv, "seq": 1})).await;
    }
    let (one, two) = (e.entry("message").await, e.entry("message").await);
    assert_eq!((&one["forwarded"]["from"], &one["attachments"][0]["id"]), (&json!(ada.id), &json!(file)), "{one}");
    for entry in [&one, &two] {
        assert_eq!(get(&server, &eve, &url(entry, 0)).await.text(), "secret");
        get(&server, &ada, &url(entry, 0)).await.problem(404);
    }
    b.change("msg.delete", &other, "d", json!({"seq": 1})).await;
    get(&server, &eve, &url(&one, 0)).await.problem(404);
    assert_eq!(get(&server, &eve, &url(&two, 0)).await.text(), "secret", "the first message still has it");
    assert_eq!(kept(&server), 1);
    a.change("msg.delete", &conv, "d", json!({"seq": 1})).await;
    get(&server, &bob, &url(&told, 0)).await.problem(404);
    assert_eq!(get(&server, &eve, &url(&two, 0)).await.problem(410)["name"], "file_gone");
    gone(&server, &ada, &file).await;
    kept_are(&server, 0).await;
}

#[tokio::test]
async fn a_file_that_expires_is_gone_from_its_message() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let conv = ada.with(&bob);
    let file = upload(&server, &ada, "?expires_in=2", b"soon gone").await;
    a.ask("msg.send", message(&conv, "k", &[&file])).await;
    let shown = a.shown(&conv, 1).await;
    assert!(shown["attachments"][0]["expires_at"].is_u64(), "{shown}");
    within("it expires", async { while get(&server, &bob, &url(&shown, 0)).await.status == 200 {} }).await;
    assert_eq!(get(&server, &bob, &url(&shown, 0)).await.problem(410)["name"], "file_gone");
    assert_eq!(a.shown(&conv, 1).await["attachments"], shown["attachments"], "the message says that there was one");
}

/// A profile's and a group's: own ones alone; what is replaced or taken away is gone.
#[tokio::test]
async fn a_picture_is_an_own_one_and_goes_when_it_is_replaced() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = group(&mut a, &mut b, "club").await;
    let picture = async |person| upload(&server, person, "?purpose=picture", &png()).await;
    let (foreign, attachment) = (picture(&bob).await, upload(&server, &ada, "", &png()).await);
    for file in [&foreign, &attachment, "0123456789abcdef0123456789abcdef"] {
        assert_eq!(a.refused("account.update", json!({"picture": file})).await.name, "no_such_file");
        assert_eq!(a.refused_change("group.update", &conv, json!({"picture": file})).await.name, "no_such_file");
    }
    let (one, two) = (picture(&ada).await, picture(&ada).await);
    let path = |file: &str| format!("/v1/media/{file}");
    assert_eq!(a.ask("account.update", json!({"picture": one})).await["picture"], path(&one));
    assert_eq!(b.ask("user.get", json!({"user": ada.id})).await["picture"], path(&one));
    assert_eq!(get(&server, &bob, &path(&one)).await.status, 200);
    a.ask("account.update", json!({"name": "Ada"})).await;
    assert_eq!(get(&server, &bob, &path(&one)).await.status, 200);
    assert_eq!(a.ask("account.update", json!({"picture": two})).await["picture"], path(&two));
    gone(&server, &bob, &one).await;
    assert!(a.ask("account.update", json!({"picture": ""})).await.get("picture").is_none());
    gone(&server, &bob, &two).await;

    let (three, four) = (picture(&ada).await, picture(&ada).await);
    assert_eq!(b.refused_change("group.update", &conv, json!({"picture": foreign})).await.name, "role_too_low");
    let set = a.change("group.update", &conv, "p3", json!({"picture": three})).await;
    let again = a.change("group.update", &conv, "p3", json!({"picture": three})).await;
    assert_eq!((&again["seq"], &again["dup"]), (&set["seq"], &json!(true)));
    assert_eq!(b.ask("conv.get", json!({"conv": conv})).await["picture"], path(&three));
    a.change("group.update", &conv, "p4", json!({"picture": four})).await;
    gone(&server, &bob, &three).await;
    assert_eq!(get(&server, &bob, &path(&four)).await.status, 200);
    a.change("group.update", &conv, "p5", json!({"picture": ""})).await;
    gone(&server, &bob, &four).await;
}

/// L4: with an account its files go, and a crash in between changes nothing.
#[tokio::test]
async fn a_deleted_accounts_files_are_gone() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    let mut b = server.connect(&bob, Encoding::Json).await;
    let conv = ada.with(&bob);
    let file = upload(&server, &ada, "", b"hers").await;
    let others = upload(&server, &bob, "", b"his").await;
    upload(&server, &ada, "?purpose=picture", &png()).await;
    a.ask("msg.send", message(&conv, "k", &[&file])).await;
    let told = b.entry("message").await;
    assert_eq!(kept(&server), 4, "a picture has a small one");
    let deleted = rest::post("/v1/account/delete", &json!({"password": ada.password})).bearer(&ada.access).send(server.clients).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    kept_are(&server, 1).await;
    assert_eq!(get(&server, &bob, &url(&told, 0)).await.problem(410)["name"], "file_gone");
    assert_eq!(get(&server, &bob, &format!("/v1/media/{others}")).await.text(), "his");
}

/// `write_stall`: who takes nothing of what was asked for does not hold the connection for ever.
#[tokio::test]
async fn a_download_that_stands_still_ends() {
    let server = options().limit("write_stall", "300ms").start().await;
    let ada = server.sign_up("ada").await;
    let file = upload(&server, &ada, "", &vec![7; 20_000_000]).await;
    within("all others have gone", async { while server.metric("parlance_edge_unauthenticated").await > 0.0 {} }).await;
    let mut stream = TcpStream::connect(server.clients).await.expect("connected");
    let request = format!("GET /v1/media/{file} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", ada.access);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = [0; 12];
    within("it begins", stream.read_exact(&mut head)).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    within("it ends", async { while server.metric("parlance_edge_unauthenticated").await > 0.0 {} }).await;
    let whole = get(&server, &ada, &format!("/v1/media/{file}")).await;
    assert_eq!(whole.body.len(), 20_000_000, "who takes it gets all of it");
}
