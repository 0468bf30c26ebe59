//! `parlance serve`: runs a node until it is told to stop, then drains it.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::config::{Config, Flags, LogConfig, LogFormat, Start, environment};

/// `parlance serve`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The data folder; made if it is not there.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address that clients connect to.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The address of health checks and metrics.
    #[arg(long, value_name = "ADDR")]
    ops: Option<SocketAddr>,
    /// The settings' file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Serves as told.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let flags = Flags { data: arguments.data.clone(), listen: arguments.listen, ops: arguments.ops };
    serve(&Config::load(Start::Told, arguments.config.as_deref(), environment(), &flags)?)
}

/// Serves on this machine alone.
pub fn run_bare() -> anyhow::Result<()> {
    serve(&Config::load(Start::Bare, None, environment(), &Flags::default())?)
}

fn serve(config: &Config) -> anyhow::Result<()> {
    log(&config.log)?;
    let runtime = Runtime::new().context("no threads to run on")?;
    runtime.block_on(async {
        // Before anything can be asked to stop: a signal that comes while the node starts is not lost.
        let mut stop = StopSignals::listen()?;
        let app = App::start(config).await?;
        greet(config, &app)?;
        stop.received().await;
        app.stop().await;
        Ok(())
    })
}

/// SIGTERM and SIGINT, caught from the moment this is made.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).with_context(|| format!("log.filter: `{}` is no filter", config.filter))?;
    // Whatever else is asked for: these two would print whole frames, and with them tokens and texts.
    let silenced = ["tungstenite=warn", "tokio_tungstenite=warn"];
    let filter = silenced.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let installed = match config.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("the log cannot be set up: {error}"))
}

/// Says where the node is and how to talk to it.
fn greet(config: &Config, app: &App) -> io::Result<()> {
    let (clients, operators) = (app.clients(), app.operators());
    let data = config.node.data.display();
    let text = format!(
        r#"parlance {version} is ready
  clients     http://{clients}   (WebSocket at ws://{clients}/v1/ws)
  operations  http://{operators}/healthz   /readyz   /metrics
  data        {data}

Sign up; the answer has the access token:
  curl -s http://{clients}/v1/accounts -H 'content-type: application/json' -d '{{"username":"ann","email":"ann@example.org","password":"correct horse"}}'
  curl -s http://{clients}/v1/login -H 'content-type: application/json' -d '{{"username":"ann","password":"correct horse"}}'
  curl -s http://{clients}/v1/me -H "Authorization: Bearer $TOKEN"
Open a socket with any WebSocket client, such as websocat:
  websocat --protocol parlance.v1+json ws://{clients}/v1/ws
and send, one at a time (user 2 being another account):
  {{"id":1,"op":"auth","d":{{"token":"$TOKEN"}}}}
  {{"id":2,"op":"conv.get","d":{{"user":2}}}}
  {{"id":3,"op":"msg.send","d":{{"conv":"d1-2","client_key":"first","body":{{"text":"hello"}}}}}}
Stop with Ctrl-C.
"#,
        version = env!("CARGO_PKG_VERSION"),
    );
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
