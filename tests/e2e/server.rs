//! The server as a process: started on free ports over a folder of its own, ended by signals, started again on the same
//! folder. Dropping it kills it, whatever the test's outcome.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::client::Client;
use crate::rest::{self, Answer};
use crate::wire::Encoding;
use crate::within;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_parlance");

/// What a server is started with. Limits that depend on the address or on the speed of a person are lifted, because all
/// clients of a test share one address and are faster than people; a test that is about a limit sets it again.
#[derive(Debug, Clone)]
pub struct Options {
    environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        let plenty = "1000000";
        Self { environment: Vec::new() }
            .limit("connections_address", plenty)
            .limit("unauthenticated_address", plenty)
            .limit("logins_account", plenty)
            .limit("logins_address", plenty)
            .limit("frames_rate", plenty)
            .limit("frames_burst", plenty)
            .limit("inbound_bytes_rate", "1000000000")
            .limit("posts_rate_user", plenty)
            .limit("posts_burst_user", plenty)
            .limit("posts_rate_conversation", plenty)
            .limit("posts_burst_conversation", plenty)
            .limit("groups_per_hour", plenty)
    }
}

impl Options {
    /// Sets a limit by its name in the table of limits.
    pub fn limit(self, name: &str, value: &str) -> Self {
        self.set(&format!("PARLANCE_LIMITS__{}", name.to_uppercase()), value)
    }
    /// Sets an environment variable.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
    /// Starts a server with these options on a fresh folder.
    pub async fn start(self) -> Server {
        let folder = Arc::new(TempDir::new().expect("a temporary folder can be made"));
        Server::spawn(self, folder).await
    }
}

/// Everything that the process has printed so far, on both streams, and whether there will be more.
#[derive(Debug, Clone)]
struct Output {
    text: Arc<Mutex<String>>,
    changed: watch::Receiver<u64>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where clients connect.
    pub clients: SocketAddr,
    /// Where operators look.
    pub ops: SocketAddr,
    child: Child,
    folder: Arc<TempDir>,
    options: Options,
    output: Output,
}

/// A user with a login.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: u64,
    pub username: String,
    pub email: String,
    pub password: String,
    pub access: String,
    pub refresh: String,
}

impl Server {
    /// A server with the tests' usual options.
    pub async fn start() -> Self {
        Options::default().start().await
    }

    async fn spawn(options: Options, folder: Arc<TempDir>) -> Self {
        let mut child = command(&folder.path().join("data"), &options.environment).spawn().expect("the binary can be run");
        let output = capture(&mut child);
        let clients = output.address("clients").await;
        let ops = output.address("operations").await;
        let server = Self { clients, ops, child, folder, options, output };
        within("the server is ready", async {
            // The listener is open before the lines are printed; ready comes when the store is.
            while server.ops("/readyz").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        server
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        self.output.text.lock().expect("no reader panics").clone()
    }

    /// Asks it to end, and gives its exit status.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("the server runs");
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().expect("sh can be run");
        assert!(sent.success(), "the signal was sent");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = within("the server ends", self.child.wait()).await.expect("the child can be waited for");
        self.output.end().await;
        status
    }

    /// Kills it at once (SIGKILL).
    pub async fn kill(&mut self) {
        self.child.start_kill().expect("the server runs");
        let status = within("the server dies", self.child.wait()).await.expect("the child can be waited for");
        assert!(!status.success());
    }

    /// Starts the server again on the same folder, after its end.
    pub async fn restart(self) -> Self {
        let options = self.options.clone();
        self.restart_with(options).await
    }

    /// The same with other options.
    pub async fn restart_with(mut self, options: Options) -> Self {
        let status = self.child.try_wait().expect("the child can be asked");
        assert!(status.is_some(), "the server ended before it is started again");
        Self::spawn(options, Arc::clone(&self.folder)).await
    }

    /// A page of the ops listener.
    pub async fn ops(&self, path: &str) -> Answer {
        rest::get(path).send(self.ops).await
    }

    /// The value of one series on the metrics page, summed over its labels; 0 when it is not there yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let page = self.ops("/metrics").await.text();
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        page.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Posts JSON to the clients' listener.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        rest::post(path, body).send(self.clients).await
    }

    /// A new account with this username.
    pub async fn sign_up(&self, username: &str) -> Person {
        let (email, password) = (format!("{username}@example.org"), format!("the password of {username}"));
        let body = json!({"username": username, "email": email, "password": password, "name": username.to_uppercase()});
        let tokens = self.post("/v1/accounts", &body).await.json(201);
        Person::new(&tokens, &email, &password)
    }

    /// Two new accounts, the first with the smaller number.
    pub async fn two(&self) -> (Person, Person) {
        (self.sign_up("ada").await, self.sign_up("bob").await)
    }

    /// A new connection of a person, authenticated.
    pub async fn connect(&self, person: &Person, encoding: Encoding) -> Client {
        let mut client = Client::open(self.clients, encoding).await;
        client.authenticate(person).await;
        client
    }
}

impl Person {
    /// What the tokens say.
    pub fn new(tokens: &Value, email: &str, password: &str) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("tokens are complete: {tokens}")).to_owned();
        Self {
            id: tokens["user"]["id"].as_u64().unwrap_or_else(|| panic!("a user has a number: {tokens}")),
            username: text(&tokens["user"]["username"]),
            email: email.to_owned(),
            password: password.to_owned(),
            access: text(&tokens["access_token"]),
            refresh: text(&tokens["refresh_token"]),
        }
    }

    /// The direct conversation with another.
    pub fn with(&self, other: &Person) -> String {
        format!("d{}-{}", self.id.min(other.id), self.id.max(other.id))
    }
}

/// The server's command line over a data folder; nothing of the surrounding environment but what is named.
pub fn command(data: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--data").arg(data).args(["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
    let foreign = |name: &OsString| !name.as_encoded_bytes().starts_with(b"PARLANCE_");
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| foreign(name)));
    command.envs(environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs the server's command until it ends by itself: its exit status and what it said on standard error.
pub async fn refuses_to_start(data: &Path) -> (ExitStatus, String) {
    let child = command(data, &[]).spawn().expect("the binary can be run");
    let output = within("a server that cannot start ends", child.wait_with_output()).await.expect("the child can be waited for");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn capture(child: &mut Child) -> Output {
    let text = Arc::new(Mutex::new(String::new()));
    let (sender, changed) = watch::channel(0);
    let sender = Arc::new(sender);
    let streams: [Box<dyn AsyncRead + Send + Unpin>; 2] =
        [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
    for stream in streams {
        let (text, sender) = (Arc::clone(&text), Arc::clone(&sender));
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = text.lock().expect("no reader panics");
                text.push_str(&line);
                text.push('\n');
                drop(text);
                sender.send_modify(|count| *count += 1);
            }
        });
    }
    Output { text, changed }
}

impl Output {
    /// The address that stands on the line that begins with this word.
    async fn address(&self, word: &str) -> SocketAddr {
        let mut changed = self.changed.clone();
        let find = |line: &str| {
            let (_, rest) = line.trim_start().strip_prefix(word)?.split_once("http://")?;
            Some(rest.split(|c: char| c == '/' || c.is_whitespace()).next()?.to_owned())
        };
        let found = within(&format!("the server prints its {word}"), async {
            loop {
                let found = self.text.lock().expect("no reader panics").lines().find_map(find);
                if found.is_some() || changed.changed().await.is_err() {
                    return found;
                }
            }
        })
        .await;
        let found = found.unwrap_or_else(|| panic!("the server ended before it printed its {word}:\n{}", self.text.lock().unwrap()));
        found.parse().unwrap_or_else(|error| panic!("{error}: {found:?}"))
    }

    /// Waits until both streams have ended.
    async fn end(&self) {
        let mut changed = self.changed.clone();
        within("the output ends", async { while changed.changed().await.is_ok() {} }).await;
    }
}
