//! The server from outside: the real binary, real sockets, real signals. Nothing here knows the server's code.
//!
//! Written against `docs/protocol.md`; each test is named as a sentence and cites what it proves. The first modules are
//! the harness (a process, a client, a small HTTP client, an own MessagePack codec), the others are the scenarios. No
//! test waits for a time to pass: each awaits an event, with [`PATIENCE`] as its deadline.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test ends by panicking; helpers stand outside #[test] functions")]
#![expect(unreachable_pub, reason = "a test target exports nothing; pub says what a module offers to its siblings")]

mod server;
mod client;
mod acts;
mod wire;
mod rest;
mod events;
mod ledger;
mod dice;

mod accounts;
mod opening;
mod chat;
mod history;
mod marks;
mod presence;
mod groups;
mod resume;
mod heartbeat;
mod bad_input;
mod limits;
mod ops;
mod drain;
mod crash;
mod full_disk;
mod retry_storm;
mod actors_die;
mod folder;
mod archive;
mod media;
mod attachments;
mod secrets;
mod people;
mod relations;
mod membership;
mod messages;
mod notices;
mod privacy;
mod rest_twin;
mod rest_strict;
mod rest_changes;
mod operators;
mod long_poll;
mod event_stream;
mod origins;
mod proxies;
mod schemathesis;

/// How long a condition may take to come true; far beyond what a healthy server needs, even on a loaded machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Waits for a future to end; `what` is what did not happen when it does not.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("within {PATIENCE:?}: {what}"))
}
