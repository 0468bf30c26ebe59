//! The data folder: in use, of a newer format, damaged, or not a folder at all. The process ends and says what to do.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::server::{Options, Server, refuses_to_start};
use crate::wire::Encoding;

/// The sentence on standard error: it names the folder and is not a stack of debug output.
fn is_a_sentence(said: &str, folder: &Path, words: &[&str]) {
    assert!(said.contains(&folder.display().to_string()), "the folder is named: {said}");
    assert!(words.iter().any(|word| said.contains(word)), "it says one of {words:?}: {said}");
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
}

/// KF10: one process per folder.
#[tokio::test]
async fn a_folder_in_use_is_refused_with_a_sentence() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (status, said) = refuses_to_start(&server.data()).await;
    assert!(!status.success());
    is_a_sentence(&said, &server.data(), &["in use", "another process", "already"]);
    server.connect(&ada, Encoding::Json).await.ask("hb", json!({})).await;
}

/// A folder whose files are of no version that this program knows is left alone.
#[tokio::test]
async fn a_folder_of_an_unknown_format_is_refused_with_a_sentence() {
    let mut server = Server::start().await;
    assert!(server.terminate().await.success());
    let marker = files(&server.data()).into_iter().find(|path| path.ends_with("store/version")).expect("the database says its version");
    let before = std::fs::read(&marker).expect("the folder can be read");
    let mut later = before.clone();
    *later.last_mut().expect("a version is written there") = 99;
    std::fs::write(&marker, later).expect("the folder can be written");
    let (status, said) = refuses_to_start(&server.data()).await;
    assert!(!status.success());
    is_a_sentence(&said, &server.data(), &["version", "format", "damaged"]);
    std::fs::write(&marker, before).expect("the folder can be written");
    let server = server.restart().await;
    assert_eq!(server.ops("/readyz").await.status, 200, "nothing was changed by the refusal");
}

/// KF8, F13: what was cut out of the midst of the store is noticed, never served as if it were all.
#[tokio::test]
async fn a_damaged_folder_is_refused_with_a_sentence() {
    let mut server = Server::start().await;
    let (ada, bob) = server.two().await;
    let mut a = server.connect(&ada, Encoding::Json).await;
    for n in 0..50 {
        a.ask("msg.send", json!({"conv": ada.with(&bob), "client_key": format!("k{n}"), "body": {"text": "x".repeat(1_000)}})).await;
    }
    assert!(server.terminate().await.success());
    // Every file of some size is overwritten in its middle, so that whichever holds the messages is hit.
    let mut hit = 0;
    for file in files(&server.data()) {
        let mut content = std::fs::read(&file).expect("a file of the folder can be read");
        if content.len() < 4_096 {
            continue;
        }
        let middle = content.len() / 4;
        for byte in &mut content[middle..middle + 512] {
            *byte ^= 0x5a;
        }
        std::fs::write(&file, content).expect("a file of the folder can be written");
        hit += 1;
    }
    assert!(hit > 0, "the messages stand in some file");
    let (status, said) = refuses_to_start(&server.data()).await;
    assert!(!status.success());
    is_a_sentence(&said, &server.data(), &["damaged", "corrupt", "restore", "backup"]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A path that cannot be a folder, or a setting that does not exist, is said so as well.
#[tokio::test]
async fn a_start_that_cannot_succeed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let (status, said) = refuses_to_start(&file).await;
    assert!(!status.success());
    is_a_sentence(&said, &file, &["folder", "directory"]);

    let data = folder.path().join("data");
    for (name, value, word) in [
        ("PARLANCE_LIMITS__NO_SUCH_LIMIT", "1", "no_such_limit"),
        ("PARLANCE_LIMITS__PAGE", "many", "page"),
        ("PARLANCE_LIMITS__HEARTBEAT", "12 parsecs", "heartbeat"),
    ] {
        let environment = [(name.to_owned(), value.to_owned())];
        let child = crate::server::command(&data, &environment).spawn().expect("the binary can be run");
        let output = crate::within("a server that cannot start ends", child.wait_with_output()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.to_lowercase().contains(word), "{name}: {said}");
    }
}

/// The folder belongs to its owner alone: it holds the keys that tokens are signed with.
#[tokio::test]
async fn the_folder_is_not_readable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let server = Options::default().start().await;
    server.sign_up("ada").await;
    let mode = std::fs::metadata(server.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
