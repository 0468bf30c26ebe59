//! Files: taken in raw and as a form, given back whole, in part and small; theirs alone; nothing left of what was refused.

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rest::{self, Answer};
use crate::server::{Options, Person, Server};
use crate::within;

fn options() -> Options {
    Options::default().limit("uploads_rate", "1000000")
}

async fn send(server: &Server, person: &Person, query: &str, body: &[u8]) -> Answer {
    rest::raw("POST", &format!("/v1/media{query}")).bearer(&person.access).body(body.to_vec()).send(server.clients).await
}

async fn taken(server: &Server, person: &Person, query: &str, body: &[u8]) -> Value {
    send(server, person, query, body).await.json(201)
}

fn path(file: &Value) -> String {
    format!("/v1/media/{}", file["id"].as_str().expect("an id"))
}

async fn get(server: &Server, person: &Person, path: &str) -> Answer {
    rest::get(path).bearer(&person.access).send(server.clients).await
}

/// Every byte escaped.
fn escaped(text: &str) -> String {
    text.bytes().flat_map(|byte| ["%".to_owned(), format!("{byte:02x}")]).collect()
}

/// Every file below the server's folder of files.
fn kept(server: &Server) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                below(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below(&server.data().join("media"), &mut found);
    found
}

/// Waits until nothing is kept.
async fn nothing_is_left(server: &Server, what: &str) {
    within(&format!("nothing is left: {what}"), async {
        while !kept(server).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// The left half red, the right half blue.
fn two_halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| image::Rgb(if x < width / 2 { [250, 5, 5] } else { [5, 5, 250] }))
}

fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(two_halves(width, height), ImageFormat::Png)
}

/// A part of a form: its headers and its bytes.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, bytes) in parts {
        body.extend([b"--XyZ\r\n", head.as_bytes(), b"\r\n\r\n", bytes, b"\r\n"].concat());
    }
    [&body, &b"--XyZ--\r\n"[..]].concat()
}

async fn send_form(server: &Server, person: &Person, query: &str, body: Vec<u8>) -> Answer {
    rest::raw("POST", &format!("/v1/media{query}"))
        .bearer(&person.access)
        .header("content-type", "multipart/form-data; boundary=XyZ")
        .body(body)
        .send(server.clients)
        .await
}

const FILE: &str = "content-disposition: form-data; name=\"file\"; filename=\"notes.txt\"\r\ncontent-type: image/png";

/// M1, M2: what was sent comes back byte for byte, as what it is and not as what it is called.
#[tokio::test]
async fn a_file_comes_back_as_it_was_sent() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let file = taken(&server, &ada, "?name=holiday%20%F0%9F%8F%96.png&purpose=attachment", &bytes).await;
    assert_eq!(file["id"].as_str().map(str::len), Some(32));
    assert_eq!(
        (&file["name"], &file["type"], &file["bytes"]),
        (&"holiday 🏖.png".into(), &"application/octet-stream".into(), &1_000_000.into())
    );
    assert!(file["at"].is_u64() && file.get("width").is_none() && file.get("expires_at").is_none(), "{file}");
    let answer = get(&server, &ada, &path(&file)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == bytes, "{} bytes", answer.body.len());
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", "1000000"),
        ("accept-ranges", "bytes"),
        ("content-disposition", "attachment; filename=\"holiday _.png\"; filename*=UTF-8''holiday%20%F0%9F%8F%96.png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "private, no-cache"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let empty = taken(&server, &ada, "", b"").await;
    assert_eq!((&empty["bytes"], &empty["name"]), (&0.into(), &"file".into()));
    assert_eq!(get(&server, &ada, &path(&empty)).await.body, b"");
    assert!(server.metric("parlance_media_stored_total").await >= 2.0);
    assert!(server.metric("parlance_media_received_bytes_total").await >= 1e6);
}

#[tokio::test]
async fn a_form_carries_a_file_and_what_is_wished_of_it() {
    let server = options().limit("media_bytes", "4KiB").start().await;
    let ada = server.sign_up("ada").await;
    let field = |name: &str| format!("content-disposition: form-data; name=\"{name}\"");
    let named =
        send_form(&server, &ada, "", form(&[(&field("expires_in"), b"3600"), (FILE, b"hello\n--XyZ is not the end\n")])).await.json(201);
    assert_eq!((&named["name"], &named["type"], &named["bytes"]), (&"notes.txt".into(), &"text/plain".into(), &27.into()));
    assert!(named["expires_at"].as_u64() > named["at"].as_u64());
    assert_eq!(get(&server, &ada, &path(&named)).await.text(), "hello\n--XyZ is not the end\n");
    let other = send_form(&server, &ada, "?name=other.txt", form(&[(FILE, b"x")])).await.json(201);
    assert_eq!(other["name"], "other.txt");

    let before = kept(&server).len();
    let many: Vec<_> = std::iter::repeat_n((field("name"), &b""[..]), 21).collect();
    let many: Vec<_> = many.iter().map(|(head, bytes)| (head.as_str(), *bytes)).collect();
    let long_head = format!("{FILE}\r\nx-long: {}", "y".repeat(8_200));
    let endless_head = format!("{FILE}\r\nx-long: {}", "y".repeat(200_000));
    let twenty: Vec<_> = (0..20).map(|n| (field(&format!("f{n}")), &b""[..])).collect();
    let twenty: Vec<_> = twenty.iter().map(|(head, bytes)| (head.as_str(), *bytes)).collect();
    for (body, status, what) in [
        (form(&[(&field("name"), b"x")]), 400, "no file"),
        (form(&[(FILE, b"x"), (FILE, b"y")]), 400, "two files"),
        (form(&[(FILE, b"x"), (&field("purpose"), b"picture")]), 400, "a field behind the file"),
        (form(&[(&field("owner"), b"7"), (FILE, b"x")]), 400, "an unknown field"),
        (form(&[(&field("purpose"), b"theft"), (FILE, b"x")]), 400, "a purpose that there is not"),
        (form(&many), 400, "one name after the other"),
        (form(&twenty), 400, "an unknown field among many"),
        (form(&[(&long_head, b"x")]), 413, "a long head"),
        (form(&[(&endless_head, b"x")]), 413, "an endless head"),
        (form(&[(&field("name"), &[b'x'; 2_000]), (FILE, b"x")]), 413, "a long field"),
        (form(&[(FILE, &[b'x'; 4_097])]), 413, "a byte too many"),
        (b"--XyZ\r\n".to_vec(), 400, "no end"),
        (form(&[(FILE, b"x")])[..100].to_vec(), 400, "cut off"),
        (b"hello".to_vec(), 400, "no form at all"),
    ] {
        let answer = send_form(&server, &ada, "", body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        answer.problem(status);
    }
    within("nothing is left of them", async {
        while kept(&server).len() != before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    send_form(&server, &ada, "", form(&[(FILE, &[b'x'; 4_096])])).await.json(201);
}

/// `media_parts`.
#[tokio::test]
async fn a_form_has_few_parts() {
    let server = options().limit("media_parts", "2").start().await;
    let ada = server.sign_up("ada").await;
    let (name, purpose) = ("content-disposition: form-data; name=\"name\"", "content-disposition: form-data; name=\"purpose\"");
    send_form(&server, &ada, "", form(&[(name, b"x"), (FILE, b"x")])).await.json(201);
    let refused = send_form(&server, &ada, "", form(&[(name, b"x"), (purpose, b"attachment"), (FILE, b"x")])).await;
    assert_eq!(refused.problem(refused.status)["name"], "too_many_items");
    assert!(server.metric("parlance_command_errors_total").await > 0.0);
}

#[tokio::test]
async fn a_part_of_a_file_can_be_asked_for() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let file = taken(&server, &ada, "", &bytes).await;
    let tag = get(&server, &ada, &path(&file)).await.header("etag").expect("a tag").to_owned();
    let ask = async |headers: &[(&str, &str)], method: &'static str| {
        let request =
            headers.iter().fold(rest::raw(method, &path(&file)).bearer(&ada.access), |request, (name, value)| request.header(name, value));
        request.send(server.clients).await
    };
    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=300000-", 300_000, 400_000), ("bytes=-7", 399_993, 400_000), ("bytes=8191-262145", 8_191, 262_146)]
    {
        let answer = ask(&[("range", range)], "GET").await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header("content-range"), Some(format!("bytes {from}-{}/400000", to - 1).as_str()));
        assert!(answer.body == bytes[from..to], "{range}");
    }
    let whole = ask(&[("range", "bytes=0-1,5-6")], "GET").await;
    assert_eq!((whole.status, whole.body.len()), (200, 400_000), "several ranges are answered whole");
    let beyond = ask(&[("range", "bytes=400000-")], "GET").await;
    assert_eq!(beyond.problem(416)["name"], "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), Some("bytes */400000"));
    assert_eq!(ask(&[("range", "bytes=0-4"), ("if-range", &tag)], "GET").await.status, 206);
    assert_eq!(ask(&[("range", "bytes=0-4"), ("if-range", "\"other\"")], "GET").await.status, 200);
    let unchanged = ask(&[("if-none-match", &tag)], "GET").await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let head = ask(&[], "HEAD").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("400000")));
    let head = ask(&[("range", "bytes=5-9")], "HEAD").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (206, 0, Some("5")));
}

/// M5, Z2: another's file answers like one that is not there; a picture is for everybody who has logged in.
#[tokio::test]
async fn a_file_is_its_owners_alone() {
    let server = options().start().await;
    let (ada, bob) = server.two().await;
    let file = taken(&server, &ada, "?name=secret.png", &png(50, 50)).await;
    let absent = "/v1/media/00000000000000000000000000000000";
    let like_absent = async |method: &'static str, path: &str| {
        let there = rest::raw(method, path).bearer(&bob.access).send(server.clients).await.problem(404);
        let absent = rest::raw(method, absent).bearer(&bob.access).send(server.clients).await.problem(404);
        assert_eq!((&there["name"], &there["detail"]), (&absent["name"], &absent["detail"]));
    };
    like_absent("GET", &path(&file)).await;
    like_absent("DELETE", &path(&file)).await;
    like_absent("GET", &format!("{}/thumbnail", path(&file))).await;
    for odd in ["/v1/media/..", "/v1/media/%2e%2e%2fsecrets", "/v1/media/1", "/v1/media/x/thumbnail"] {
        get(&server, &ada, odd).await.problem(404);
    }
    rest::get(&path(&file)).send(server.clients).await.problem(401);
    rest::get(&path(&file)).bearer("x").send(server.clients).await.problem(401);
    rest::raw("POST", "/v1/media").body(b"x".to_vec()).send(server.clients).await.problem(401);
    assert_eq!(get(&server, &ada, &path(&file)).await.status, 200);

    let picture = taken(&server, &ada, "?purpose=picture", &png(50, 50)).await;
    assert_eq!(get(&server, &bob, &path(&picture)).await.status, 200);
    assert_eq!(get(&server, &bob, &format!("{}/thumbnail", path(&picture))).await.status, 200);
    like_absent("DELETE", &path(&picture)).await;

    for file in [&file, &picture] {
        for _ in 0..2 {
            assert_eq!(rest::raw("DELETE", &path(file)).bearer(&ada.access).send(server.clients).await.status, 204);
        }
        assert_eq!(get(&server, &ada, &path(file)).await.problem(410)["name"], "file_gone");
        get(&server, &ada, &format!("{}/thumbnail", path(file))).await.problem(410);
    }
    get(&server, &bob, &path(&file)).await.problem(404);
    assert_eq!(kept(&server), Vec::<PathBuf>::new(), "its bytes are gone");
}

/// A JPEG that is to be turned by a quarter, as its EXIF says.
fn turned_jpeg() -> Vec<u8> {
    let plain = encoded(two_halves(400, 200), ImageFormat::Jpeg);
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let body = [&b"Exif\0\0"[..], tiff, b"secret place: 52.5, 13.4"].concat();
    let length = u16::try_from(body.len() + 2).expect("short").to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, &body, &plain[2..]].concat()
}

/// M4: a picture is coded anew and says nothing but what it shows; an attachment stays as it was.
#[tokio::test]
async fn an_image_has_a_small_one_and_a_picture_is_coded_anew() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let large = png(3_000, 1_000);
    let file = taken(&server, &ada, "?name=a.png", &large).await;
    assert_eq!((&file["type"], &file["width"], &file["height"]), (&"image/png".into(), &3_000.into(), &1_000.into()));
    let answer = get(&server, &ada, &path(&file)).await;
    assert!(answer.body == large && answer.header("content-disposition").is_some_and(|text| text.starts_with("inline;")));
    let small = get(&server, &ada, &format!("{}/thumbnail", path(&file))).await;
    assert_eq!((small.status, small.header("content-type")), (200, Some("image/jpeg")));
    let small = image::load_from_memory(&small.body).expect("an image");
    assert_eq!((small.width(), small.height()), (320, 107));
    assert!(small.to_rgb8().get_pixel(10, 50)[0] > 200 && small.to_rgb8().get_pixel(310, 50)[2] > 200);

    let turned = turned_jpeg();
    let picture = taken(&server, &ada, "?purpose=picture&name=me.jpg", &turned).await;
    assert_eq!((&picture["width"], &picture["height"]), (&200.into(), &400.into()), "it stands upright");
    let answer = get(&server, &ada, &path(&picture)).await;
    assert_eq!(answer.header("cache-control"), Some("private, max-age=86400, immutable"));
    let holds = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|some| some == word);
    assert!(holds(&turned, b"secret place") && !holds(&answer.body, b"secret") && !holds(&answer.body, b"Exif"));
    let upright = image::load_from_memory(&answer.body).expect("an image").to_rgb8();
    assert!(upright.get_pixel(100, 10)[0] > 200 && upright.get_pixel(100, 390)[2] > 200, "what was left is above");
    let attached = taken(&server, &ada, "", &turned).await;
    assert!(get(&server, &ada, &path(&attached)).await.body == turned);

    for (bytes, kind, form) in [
        (encoded(RgbaImage::from_pixel(2_000, 2_000, image::Rgba([1, 2, 3, 4])), ImageFormat::Png), "image/png", (1_024, 1_024)),
        (encoded(two_halves(64, 64), ImageFormat::WebP), "image/jpeg", (64, 64)),
        (encoded(RgbaImage::from_pixel(40, 20, image::Rgba([1, 2, 3, 255])), ImageFormat::Gif), "image/png", (40, 20)),
    ] {
        let picture = taken(&server, &ada, "?purpose=picture", &bytes).await;
        assert_eq!((&picture["type"], &picture["width"], &picture["height"]), (&kind.into(), &form.0.into(), &form.1.into()));
        let answer = get(&server, &ada, &path(&picture)).await;
        assert_eq!(answer.body.len().to_string(), picture["bytes"].to_string());
        let made = image::load_from_memory(&answer.body).expect("an image");
        assert_eq!((made.width(), made.height()), form);
    }
    assert!(server.metric("parlance_media_images_total").await >= 6.0);
}

/// What expires is given out no more from that moment on, and soon its bytes are gone.
#[tokio::test]
async fn a_file_that_expires_is_gone() {
    let server = options().limit("media_sweep", "20ms").start().await;
    let ada = server.sign_up("ada").await;
    let file = taken(&server, &ada, "?expires_in=1", &png(30, 30)).await;
    assert_eq!(file["expires_at"].as_u64(), file["at"].as_u64().map(|at| at + 1_000));
    let stays = taken(&server, &ada, "?expires_in=3600", b"stays").await;
    within("it expires", async {
        while get(&server, &ada, &path(&file)).await.status == 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(get(&server, &ada, &path(&file)).await.problem(410)["name"], "file_gone");
    within("its bytes are erased", async {
        while kept(&server).len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    get(&server, &ada, &format!("{}/thumbnail", path(&file))).await.problem(410);
    assert_eq!(get(&server, &ada, &path(&stays)).await.text(), "stays");
    within("it is counted", async { while server.metric("parlance_media_erased_total").await < 1.0 {} }).await;
    let mut server = server;
    assert!(server.terminate().await.success());
    let server = server.restart().await;
    get(&server, &ada, &path(&file)).await.problem(410);
    assert_eq!(get(&server, &ada, &path(&stays)).await.text(), "stays");
}

/// `media_quota`: all files of a user together.
#[tokio::test]
async fn the_files_of_a_user_have_a_quota() {
    let server = options().limit("media_quota", "10KiB").limit("media_bytes", "8KiB").start().await;
    let (ada, bob) = server.two().await;
    let first = taken(&server, &ada, "", &[1; 6_000]).await;
    for length in [None, Some(4_241)] {
        let refused = match length {
            Some(length) => send(&server, &ada, "", &vec![1; length]).await,
            None => chunked(&server, &ada, &vec![1; 4_241]).await,
        };
        assert_eq!(refused.problem(409)["name"], "quota_exceeded");
    }
    taken(&server, &ada, "", &[1; 4_240]).await;
    taken(&server, &bob, "", &[1; 8_000]).await;
    send(&server, &ada, "", b"x").await.problem(409);
    assert_eq!(rest::raw("DELETE", &path(&first)).bearer(&ada.access).send(server.clients).await.status, 204);
    taken(&server, &ada, "", &[1; 6_000]).await;
    assert!(server.metric("parlance_media_refused_total").await >= 3.0);
    assert_eq!(kept(&server).len(), 3);
}

/// The same bytes without a length.
async fn chunked(server: &Server, person: &Person, body: &[u8]) -> Answer {
    let mut bytes = begin(person, "transfer-encoding: chunked");
    for some in body.chunks(1_000) {
        bytes.extend(format!("{:x}\r\n", some.len()).into_bytes());
        bytes.extend([some, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    let answer = within("it is answered", rest::exchange(server.clients, &bytes)).await;
    rest::parse(&answer).expect("an answer")
}

fn begin(person: &Person, header: &str) -> Vec<u8> {
    format!("POST /v1/media HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n{header}\r\n\r\n", person.access)
        .into_bytes()
}

/// M3, X3: one byte less, as many, and one more.
#[tokio::test]
async fn a_file_has_at_most_as_many_bytes_as_it_may() {
    let server = options().limit("media_bytes", "300000").start().await;
    let ada = server.sign_up("ada").await;
    for length in [299_999, 300_000] {
        assert_eq!(taken(&server, &ada, "", &vec![7; length]).await["bytes"], length);
        assert_eq!(chunked(&server, &ada, &vec![7; length]).await.json(201)["bytes"], length);
    }
    assert_eq!(kept(&server).len(), 4);
    for answer in [send(&server, &ada, "", &vec![7; 300_001]).await, chunked(&server, &ada, &vec![7; 300_001]).await] {
        assert_eq!(answer.problem(413)["name"], "file_too_large");
    }
    // Announced and never sent: it is refused before anything comes.
    let mut stream = TcpStream::connect(server.clients).await.expect("connected");
    stream.write_all(&begin(&ada, "content-length: 99999999999\r\nexpect: 100-continue")).await.expect("sent");
    let mut answer = [0; 12];
    within("it is refused", stream.read_exact(&mut answer)).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    within("nothing is left of them", async {
        while kept(&server).len() != 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn broken_off(to: SocketAddr, head: &[u8], body: &[u8]) {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    stream.write_all(head).await.expect("sent");
    stream.write_all(body).await.expect("sent");
    stream.flush().await.expect("sent");
}

/// M3: whoever goes at whatever moment leaves nothing.
#[tokio::test]
async fn nothing_is_left_of_a_file_that_breaks_off() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let body = vec![9; 700_000];
    let accepted = server.metric("parlance_edge_accepted_total").await;
    for sent in [0, 1, 1_000, 300_000, 699_999] {
        broken_off(server.clients, &begin(&ada, "content-length: 700000"), &body[..sent]).await;
        broken_off(server.clients, &begin(&ada, "transfer-encoding: chunked"), &[b"aae60\r\n", &body[..sent]].concat()).await;
        let whole = form(&[(FILE, &body)]);
        let head = format!("content-type: multipart/form-data; boundary=XyZ\r\ncontent-length: {}", whole.len());
        broken_off(server.clients, &begin(&ada, &head), &whole[..sent]).await;
    }
    within("each has come and gone", async {
        while server.metric("parlance_edge_accepted_total").await < accepted + 15.0
            || server.metric("parlance_edge_unauthenticated").await > 0.0
            || server.metric("parlance_media_incoming").await > 0.0
        {}
    })
    .await;
    assert!(server.metric("parlance_media_refused_total").await >= 3.0);
    nothing_is_left(&server, "of files that broke off").await;
    // All places have come back.
    for _ in 0..5 {
        taken(&server, &ada, "", b"x").await;
    }
    // More than was announced is the next request's, and no part of the file.
    let mut stream = TcpStream::connect(server.clients).await.expect("connected");
    let keep = String::from_utf8(begin(&ada, "content-length: 3")).expect("text").replace("connection: close\r\n", "");
    stream.write_all(format!("{keep}abcdef\r\n\r\n").as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    within("it is answered", stream.read_to_end(&mut answer)).await.expect("read");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 201") && text.contains("\"bytes\":3") && text.contains("HTTP/1.1 400"), "{text}");
}

/// M3: a crash in the middle leaves nothing beyond the next start.
#[tokio::test]
async fn nothing_is_left_of_a_file_that_a_crash_cut_off() {
    let mut server = options().start().await;
    let ada = server.sign_up("ada").await;
    let whole = taken(&server, &ada, "", &png(20, 20)).await;
    let mut stream = TcpStream::connect(server.clients).await.expect("connected");
    stream.write_all(&begin(&ada, "content-length: 900000")).await.expect("sent");
    stream.write_all(&vec![5; 600_000]).await.expect("sent");
    within("a part of it is on the disk", async {
        while kept(&server).len() < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.kill().await;
    assert!(kept(&server).len() >= 4);
    let server = server.restart().await;
    assert_eq!(kept(&server).len(), 2, "{:?}", kept(&server));
    assert_eq!(get(&server, &ada, &path(&whole)).await.status, 200);
    assert!(server.metric("parlance_media_leftovers_total").await >= 1.0);
}

/// `body_deadline`, `upload_deadline`.
#[tokio::test]
async fn a_file_that_comes_too_slowly_is_left() {
    for (limits, what) in [
        (options().limit("body_deadline", "200ms"), "a body that stands still"),
        (options().limit("upload_deadline", "200ms"), "a body that takes too long"),
    ] {
        let server = limits.start().await;
        let ada = server.sign_up("ada").await;
        for head in ["content-length: 1000", "content-length: 1000\r\ncontent-type: multipart/form-data; boundary=XyZ"] {
            let mut stream = TcpStream::connect(server.clients).await.expect("connected");
            stream.write_all(&begin(&ada, head)).await.expect("sent");
            stream.write_all(&form(&[(FILE, b"the beginning")])[..100]).await.expect("sent");
            let mut answer = [0; 12];
            within(what, stream.read_exact(&mut answer)).await.expect("an answer");
            assert_eq!(&answer, b"HTTP/1.1 408", "{what}");
        }
        nothing_is_left(&server, what).await;
        assert!(server.metric("parlance_media_refused_total").await >= 1.0);
    }
}

/// `uploads_user`, `uploads_node`, `uploads_rate`.
#[tokio::test]
async fn files_come_a_few_at_once_and_at_a_pace() {
    let server = options().limit("uploads_user", "1").limit("uploads_node", "2").start().await;
    let (ada, bob) = server.two().await;
    let cid = server.sign_up("cid").await;
    let hold = async |person: &Person, files: usize| {
        let mut stream = TcpStream::connect(server.clients).await.expect("connected");
        stream.write_all(&begin(person, "content-length: 10")).await.expect("sent");
        stream.write_all(b"12345").await.expect("sent");
        within("it has begun", async {
            while kept(&server).len() < files {
                tokio::task::yield_now().await;
            }
        })
        .await;
        stream
    };
    let held = hold(&ada, 1).await;
    let refused = send(&server, &ada, "", b"x").await;
    assert_eq!((refused.problem(429)["name"].as_str(), refused.header("retry-after")), (Some("rate_limited"), Some("1")));
    let other = hold(&bob, 2).await;
    assert_eq!(send(&server, &cid, "", b"x").await.problem(503)["name"], "busy");
    drop((held, other));
    nothing_is_left(&server, "of those that were held").await;
    within("there is room again", async { while send(&server, &ada, "", b"x").await.status != 201 {} }).await;

    let server = options().limit("uploads_rate", "3").start().await;
    let ada = server.sign_up("ada").await;
    for _ in 0..3 {
        taken(&server, &ada, "", b"x").await;
    }
    assert_eq!(send(&server, &ada, "", b"x").await.problem(429)["name"], "rate_limited");
    assert!(server.metric("parlance_limit_rate_limited_total").await >= 1.0);
}

/// M2: whatever a file is called, its name is data.
#[tokio::test]
async fn a_hostile_name_is_only_a_name() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let traversals = ["../", "..\\", "..%2f", "..%252f", "%2e%2e/", "....//", "/", "C:\\", "\\\\host\\share\\", "file:///", "~/", "./././"];
    let ends = ["etc/passwd", "boot.ini", "a\u{0}.png", "x.png\r\nset-cookie: a=b", "\u{202e}gpj.exe", "é\u{301}.txt", "con", "aux.txt"];
    let mut names: Vec<String> = traversals.iter().flat_map(|start| ends.iter().map(move |end| format!("{start}{end}"))).collect();
    let odd = [
        "\"",
        "'",
        ";",
        "a\"; filename=\"b.exe",
        "*",
        "%",
        "%00",
        "%zz",
        "+",
        "&",
        "=",
        "?",
        "#",
        "|",
        "`id`",
        "$(id)",
        "${x}",
        "<script>",
        "--",
        "-rf",
    ];
    names.extend(odd.iter().flat_map(|odd| [(*odd).to_owned(), format!("{odd}.png"), format!("a{odd}b"), odd.repeat(100)]));
    names.extend([
        "🙂".repeat(300),
        "x".repeat(300),
        "y".repeat(256),
        ".".into(),
        "..".into(),
        "...".into(),
        " ".into(),
        "\u{feff}".into(),
    ]);
    names.extend((0..32_u8).map(|code| format!("a{}b", char::from(code))));
    assert!(names.len() >= 200, "{}", names.len());
    let before = kept(&server).len();
    for name in &names {
        let escaped = escaped(name);
        let file = taken(&server, &ada, &format!("?name={escaped}"), b"hello").await;
        let given = file["name"].as_str().expect("a name");
        assert!(!given.is_empty() && given.len() <= 255 && !given.contains(['/', '\\']), "{name:?} became {given:?}");
        assert!(!given.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{name:?} became {given:?}");
        let answer = get(&server, &ada, &path(&file)).await;
        assert_eq!((answer.status, answer.header("set-cookie"), &*answer.text()), (200, None, "hello"), "{name:?}");
        let disposition = answer.header("content-disposition").expect("it is there");
        let (plain, coded) = disposition.split_once("; filename*=UTF-8''").expect("both forms");
        let plain = plain.strip_prefix("inline; filename=\"").and_then(|rest| rest.strip_suffix('"')).expect("quoted");
        assert!(plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte)), "{disposition}");
        assert!(coded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%!#$&+-.^_`|~".contains(&byte)), "{disposition}");
    }
    let folder = server.data().join("media");
    for file in kept(&server) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(file.starts_with(&folder) && name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{file:?}");
    }
    assert_eq!(kept(&server).len(), before + names.len());
}

/// What each of these is taken for, and whether it may be shown in place.
fn mismatches() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let png = png(8, 8);
    let gif = encoded(RgbaImage::from_pixel(4, 4, image::Rgba([1, 2, 3, 255])), ImageFormat::Gif);
    let jpeg = encoded(two_halves(8, 8), ImageFormat::Jpeg);
    let webp = encoded(two_halves(8, 8), ImageFormat::WebP);
    let html = &b"<html><script>alert(1)</script></html>"[..];
    let with = |first: &[u8], second: &[u8]| [first, second].concat();
    let other = "application/octet-stream";
    vec![
        ("a.png", png.clone(), "image/png"),
        ("a.jpg", jpeg.clone(), "image/jpeg"),
        ("a.gif", gif.clone(), "image/gif"),
        ("a.webp", webp.clone(), "image/webp"),
        ("a.html", png.clone(), "image/png"),
        ("a.svg", jpeg.clone(), "image/jpeg"),
        ("png, then a page", with(&png, html), "image/png"),
        ("gif, then a page", with(&gif, html), "image/gif"),
        ("jpeg, then an archive", with(&jpeg, b"PK\x03\x04"), "image/jpeg"),
        ("a.png", html.to_vec(), other),
        ("a.jpg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec(), other),
        ("a.svg", b"<?xml version='1.0'?><svg/>".to_vec(), other),
        ("a.xml", b"<?xml version='1.0'?><a/>".to_vec(), other),
        ("a.html", b"<!doctype html><p>hi".to_vec(), other),
        ("blanks, then a page", with(b"   \n\t", html), other),
        ("text, then a page", with(b"hello ", html), other),
        ("a mark, then a page", with(b"\xef\xbb\xbf", html), other),
        ("UTF-16", html.iter().flat_map(|byte| [*byte, 0]).collect(), other),
        ("UTF-16, marked", with(b"\xff\xfe", &html.iter().flat_map(|byte| [*byte, 0]).collect::<Vec<_>>()), other),
        ("UTF-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-".to_vec(), "text/plain"),
        ("a.txt", b"hello".to_vec(), "text/plain"),
        ("a.js", b"alert(1)".to_vec(), "text/plain"),
        ("a.css", b"body { color: red }".to_vec(), "text/plain"),
        ("a.json", b"{\"a\": 1}".to_vec(), "text/plain"),
        ("a comment of markup", b"<!-- x -->".to_vec(), other),
        ("an end of markup", b"x</script".to_vec(), other),
        ("GIF89a, then a script", with(b"GIF89a", b"=1;alert(1)"), other),
        ("the signature of PNG, then a page", with(b"\x89PNG\r\n\x1a\n", html), other),
        ("the head of PNG, then a page", with(&png[..33], html), other),
        ("the signature of JPEG, then a page", with(b"\xff\xd8\xff\xe0", html), other),
        ("RIFF, then a page", with(b"RIFF\x10\0\0\0WEBPVP8 ", html), other),
        ("a.pdf", b"%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>".to_vec(), "application/pdf"),
        ("PDF behind a line", b"\n%PDF-1.7\n<</JS>>".to_vec(), other),
        ("PDF with bytes behind a line", b"\n%PDF-1.7\n\xe2\xe3".to_vec(), other),
        ("a.zip", b"PK\x03\x04\x14\0\0\0".to_vec(), other),
        ("a.exe", b"MZ\x90\0\x03\0\0\0".to_vec(), other),
        ("a.elf", b"\x7fELF\x02\x01\x01\0".to_vec(), other),
        ("a.class", b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec(), other),
        ("a.swf", b"CWS\x0a\0\0\0\0".to_vec(), other),
        ("a.ico", b"\0\0\x01\0\x01\0".to_vec(), other),
        ("a.bmp", b"BM\x36\0\0\0\0\0".to_vec(), other),
        ("a.tiff", b"II\x2a\0\x08\0\0\0".to_vec(), other),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), other),
        ("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1".to_vec(), other),
        ("a.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec(), "video/mp4"),
        ("a.mp3", b"ID3\x03\0\0\0\0\0\x0a".to_vec(), "audio/mpeg"),
        ("a.ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0".to_vec(), "audio/ogg"),
        ("a.wav", b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), "audio/wav"),
        ("a.webm", b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm\x42\x87\x81\x02".to_vec(), "video/webm"),
        ("a.mkv", b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska".to_vec(), other),
        ("a.html", b"\0<html>".to_vec(), other),
        ("a.eml", b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<b>x</b>".to_vec(), other),
        ("a.txt", b"\x1b]0;title\x07".to_vec(), other),
    ]
}

/// M1: the content alone says what a file is; what could act is given as an attachment, and nothing is sniffed.
#[tokio::test]
async fn a_file_is_what_it_holds_and_not_what_it_is_called() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let table = mismatches();
    assert!(table.len() >= 40);
    for (name, bytes, kind) in table {
        let escaped = escaped(name);
        let file = taken(&server, &ada, &format!("?name={escaped}"), &bytes).await;
        assert_eq!(file["type"], kind, "{name}: {}", bytes.escape_ascii());
        let answer = get(&server, &ada, &path(&file)).await;
        assert!(answer.body == bytes, "{name} comes back as it was sent");
        let inline = answer.header("content-disposition").is_some_and(|text| text.starts_with("inline;"));
        assert_eq!(inline, !["application/octet-stream", "application/pdf"].contains(&kind), "{name}");
        let shown = if kind == "text/plain" { "text/plain; charset=utf-8" } else { kind };
        assert_eq!(answer.header("content-type"), Some(shown), "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    }
}

/// A PNG that declares this size and holds little.
fn flood(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(8, 8);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = u32::MAX;
    for byte in &bytes[12..29] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

/// M4: an image that would be too much, or is not whole, is kept as it is and shown to nobody; it makes no picture.
#[tokio::test]
async fn an_image_that_cannot_be_borne_makes_no_thumbnail_and_no_picture() {
    let server = options().start().await;
    let ada = server.sign_up("ada").await;
    let (whole, jpeg) = (png(300, 300), encoded(two_halves(300, 300), ImageFormat::Jpeg));
    let gif = encoded(RgbaImage::from_pixel(40, 40, image::Rgba([1, 2, 3, 255])), ImageFormat::Gif);
    let mut bomb = gif.clone();
    bomb[6..10].copy_from_slice(&[0xff; 4]);
    let mut cases = vec![
        (flood(50_000, 50_000), "too_many_pixels"),
        (flood(40_000_001, 1), "too_many_pixels"),
        (flood(u32::MAX, u32::MAX), "not_a_picture"),
        (flood(6_000, 6_000), "not_a_picture"),
        (bomb, "too_many_pixels"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "not_a_picture"),
    ];
    cases.extend([20, 40, whole.len() / 2].map(|end| (whole[..end].to_vec(), "not_a_picture")));
    cases.extend([4, 20, 200].map(|end| (jpeg[..end].to_vec(), "not_a_picture")));
    cases.extend([6, 10, 20].map(|end| (gif[..end].to_vec(), "not_a_picture")));
    for (bytes, name) in cases {
        let file = taken(&server, &ada, "", &bytes).await;
        assert_eq!(
            (&file["type"], file.get("width")),
            (&"application/octet-stream".into(), None),
            "{}",
            bytes[..20.min(bytes.len())].escape_ascii()
        );
        assert!(get(&server, &ada, &path(&file)).await.body == bytes);
        get(&server, &ada, &format!("{}/thumbnail", path(&file))).await.problem(404);
        let refused = send(&server, &ada, "?purpose=picture", &bytes).await;
        assert_eq!(refused.problem(422)["name"], name, "{}", bytes[..20.min(bytes.len())].escape_ascii());
    }
    for no_image in [&b"hello"[..], b"%PDF-1.7", b"", b"<svg/>"] {
        assert_eq!(send(&server, &ada, "?purpose=picture", no_image).await.problem(422)["name"], "not_a_picture");
    }
    assert_eq!(server.ops("/readyz").await.status, 200);
    assert!(kept(&server).iter().all(|path| path.extension().is_none()), "no thumbnail of any");
}

/// `image_pixels`, `image_memory`, `image_deadline`.
#[tokio::test]
async fn an_image_is_decoded_within_its_limits() {
    for (limits, name) in [
        (options().limit("image_pixels", "9999"), "too_many_pixels"),
        (options().limit("image_memory", "20KiB"), "not_a_picture"),
        (options().limit("image_deadline", "1ms"), "not_a_picture"),
    ] {
        let server = limits.start().await;
        let ada = server.sign_up("ada").await;
        let bytes = if name == "too_many_pixels" { png(100, 100) } else { png(3_000, 3_000) };
        assert_eq!(send(&server, &ada, "?purpose=picture", &bytes).await.problem(422)["name"], name);
        assert_eq!(taken(&server, &ada, "", &bytes).await["type"], "application/octet-stream");
        assert!(server.metric("parlance_media_images_total").await >= 2.0);
    }
    let server = options().limit("image_pixels", "10000").start().await;
    let ada = server.sign_up("ada").await;
    assert_eq!(taken(&server, &ada, "", &png(100, 100)).await["width"], 100);
}

/// M3: where there is no room it says so, nothing is left, and it goes on when there is room.
#[tokio::test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
async fn a_full_disk_is_said_and_leaves_nothing() {
    let mut server = options().start().await;
    let ada = server.sign_up("ada").await;
    assert!(server.terminate().await.success());
    let shim = tempfile::tempdir().expect("a folder");
    let full = crate::full_disk::failing_writes(&server.data().join("media"), shim.path(), "write:2:28:on");
    let mut server = server.restart_with(full).await;
    let refused = send(&server, &ada, "", &vec![3; 900_000]).await;
    assert_eq!((refused.problem(507)["name"].as_str(), refused.header("retry-after")), (Some("storage_full"), Some("60")));
    assert_eq!(send(&server, &ada, "", b"x").await.status, 507);
    nothing_is_left(&server, "where there was no room").await;
    assert!(server.terminate().await.success());
    let server = server.restart_with(options()).await;
    taken(&server, &ada, "", &vec![3; 900_000]).await;
}
