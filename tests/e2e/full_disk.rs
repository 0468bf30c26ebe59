//! A full disk under the real server: it stops acknowledging, says why, ends with its own status, has lost nothing, and
//! goes on when there is room again.

use std::path::{Path, PathBuf};
use std::process::Command;

use actors::testkit::clock::SeededRandom;
use actors::time::Random;
use serde_json::json;

use crate::ledger::{Ledger, whole_log};
use crate::server::{Options, Server};
use crate::wire::Encoding;
use crate::within;

/// What the process ends with when its store cannot go on.
const STORE_STOPPED: i32 = 70;

/// A small file system of its own for a folder, with what lay in it; it is taken away when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(at: &Path) -> Option<Self> {
        let before = at.with_extension("before");
        std::fs::rename(at, &before).expect("renamed");
        std::fs::create_dir(at).expect("made");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "none"]).arg(at).output();
        let disk = mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()));
        let copied = Command::new("cp").args(["-a", "--sparse=always"]).arg(before.join(".")).arg(at).status();
        assert!(copied.expect("cp can be run").success(), "what lay there fits");
        disk
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=256m"]).arg(&self.0).status();
        assert!(grown.expect("mount can be run").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "the small disk is taken away");
    }
}

/// The layer under the process that can make its writes fail.
pub fn failing_writes(of: &Path, folder: &Path, plan: &str) -> Options {
    let library = folder.join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/shim.c");
    let compiled = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    assert!(compiled.expect("a C compiler named cc").success());
    let data = of.canonicalize().expect("it is there");
    Options::default()
        .set("LD_PRELOAD", library.to_str().expect("UTF-8"))
        .set("POWER_FOLDER", data.to_str().expect("UTF-8"))
        .set("POWER_TRACE", folder.join("trace").to_str().expect("UTF-8"))
        .set("POWER_FAIL", plan)
}

async fn fill_up(mut server: Server, options: Options, grow: impl FnOnce()) {
    let (ada, bob) = server.two().await;
    let conv = ada.with(&bob);
    assert!(server.terminate().await.success());
    server = server.restart_with(options).await;
    let mut client = server.connect(&ada, Encoding::Json).await;
    let (mut ledger, random) = (Ledger::default(), SeededRandom::new(1));
    for n in 0_u32.. {
        assert!(n < 2_000, "the disk is never full");
        let text: Vec<String> = (0..900).map(|_| format!("{:032x}", random.draw())).collect();
        let text = text.concat();
        let key = format!("k{n}");
        ledger.sent(&conv, &key, &text);
        let id = client.send("msg.send", json!({"conv": conv, "client_key": key, "body": {"text": text}})).await;
        match client.reply_or_end(id).await {
            Some(Ok(ok)) => ledger.acked(&conv, &key, &ok),
            Some(Err(refusal)) => assert!(matches!(refusal.range(), 6 | 7), "{refusal:?}"),
            None => break,
        }
    }
    let status = server.ended().await;
    assert_eq!(status.code(), Some(STORE_STOPPED), "{}", server.printed());
    assert!(server.printed().contains("No space left on device"), "it says why: {}", server.printed());
    assert!(ledger.count() > 20, "{} were acknowledged before", ledger.count());
    grow();
    let server = within("the server starts again", server.restart_with(Options::default())).await;
    let mut client = server.connect(&ada, Encoding::Json).await;
    ledger.judge(&conv, &whole_log(&mut client, &conv).await);
    ledger.settle(&mut client, "k").await;
    ledger.judge(&conv, &whole_log(&mut client, &conv).await);
}

/// KF7. Where this process may mount, on a file system that is really full.
#[tokio::test]
async fn a_full_disk_ends_the_server_and_loses_nothing() {
    let mut server = Server::start().await;
    assert!(server.terminate().await.success());
    let Some(disk) = SmallDisk::mount(&server.data()) else { return };
    let server = server.restart().await;
    fill_up(server, Options::default(), || disk.grow()).await;
}

/// The same without a right to mount: the writes themselves are made to fail.
#[tokio::test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
async fn writes_that_find_no_room_end_the_server_and_lose_nothing() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let options = failing_writes(&server.data(), folder.path(), "write:200:28:on");
    fill_up(server, options, || {}).await;
}
