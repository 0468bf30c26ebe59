//! `parlance export`: everything stored into one file, from a data folder or from a running node.
//!
//! The file appears under its name only when it is whole; it can be read by its owner alone, because it holds password
//! hashes. What a node sends is checked on its way, as an import would.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use actors::time::Clock;
use anyhow::{Context, bail};
use clap::Args;
use http::{Request, Uri};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use tokio::runtime::Runtime;

use super::node;
use super::progress::Progress;
use crate::app::{STORE_FOLDER, SystemClock, cannot_open};
use crate::archive::reader::Reader;
use crate::archive::wire::Origin;
use crate::archive::writer::Writer;
use crate::store::embedded::Offline;

/// Records of one read.
const PAGE: usize = 1_024;

/// `parlance export`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The data folder of a node that does not run.
    #[arg(long, value_name = "DIR", required_unless_present = "from", conflicts_with = "from")]
    data: Option<PathBuf>,
    /// The operators' address of a node that runs on this machine, such as `http://127.0.0.1:8081`.
    #[arg(long, value_name = "URL")]
    from: Option<Uri>,
    /// The file to write, which must not exist; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Say nothing.
    #[arg(long)]
    quiet: bool,
}

/// Writes it.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = Out::open(&arguments.out)?;
    let mut progress = Progress::new("exported", None, arguments.quiet);
    let runtime = Runtime::new()?;
    let exported = match (&arguments.data, &arguments.from) {
        (Some(data), _) => runtime.block_on(from_folder(data, &mut out, &mut progress)),
        (None, Some(from)) => runtime.block_on(from_node(from, &mut out, &mut progress)),
        (None, None) => bail!("name --data or --from"),
    };
    match exported.and_then(|records| Ok((records, out.finish()?))) {
        Ok((records, bytes)) => {
            progress.done(records, bytes);
            Ok(())
        }
        Err(error) => {
            out.discard();
            Err(error)
        }
    }
}

async fn from_folder(data: &Path, out: &mut Out, progress: &mut Progress) -> anyhow::Result<u64> {
    let offline = Offline::open(&data.join(STORE_FOLDER)).with_context(|| cannot_open(data))?;
    let mut snapshot = offline.snapshot();
    let mut writer = Writer::begin(env!("CARGO_PKG_VERSION"), SystemClock.now(), Origin::Folder);
    loop {
        let records = snapshot.next(PAGE).await.context("the export cannot be finished: run `parlance check` on the data folder")?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            writer.record(record);
        }
        out.write(&writer.take())?;
        progress.at(writer.records(), out.bytes);
    }
    writer.finish();
    out.write(&writer.take())?;
    Ok(writer.records())
}

async fn from_node(from: &Uri, out: &mut Out, progress: &mut Progress) -> anyhow::Result<u64> {
    let mut body = node::ask(from, "gives no export", Request::get("/export"), Bytes::new()).await?;
    let mut reader = Reader::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the node broke off in the middle: see its log")?;
        if let Some(bytes) = frame.data_ref() {
            drop(reader.read(bytes)?);
            out.write(bytes)?;
            progress.at(reader.records(), out.bytes);
        }
    }
    reader.finish()?;
    Ok(reader.records())
}

/// Where the bytes go.
struct Out {
    to: To,
    bytes: u64,
}

enum To {
    Standard,
    File { file: File, partial: PathBuf, path: PathBuf },
}

impl Out {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self { to: To::Standard, bytes: 0 });
        }
        if path.try_exists()? {
            bail!("{} exists already: choose another name with --out", path.display());
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial);
        let file = file.with_context(|| format!("{} cannot be written", partial.display()))?;
        Ok(Self { to: To::File { file, partial, path: path.to_owned() }, bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.bytes += bytes.len() as u64;
        match &mut self.to {
            To::Standard => io::stdout().write_all(bytes).context("standard output cannot be written"),
            To::File { file, partial, .. } => file.write_all(bytes).with_context(|| format!("{} cannot be written", partial.display())),
        }
    }

    /// Makes the file durable and gives it its name; answers its size.
    fn finish(&mut self) -> anyhow::Result<u64> {
        match &self.to {
            To::Standard => io::stdout().flush()?,
            To::File { file, partial, path } => {
                file.sync_all().with_context(|| format!("{} cannot be written", partial.display()))?;
                std::fs::rename(partial, path).with_context(|| format!("{} cannot be written", path.display()))?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                File::open(folder)?.sync_all()?;
            }
        }
        Ok(self.bytes)
    }

    /// Leaves nothing half-written behind.
    fn discard(&self) {
        if let To::File { partial, .. } = &self.to {
            drop(std::fs::remove_file(partial)); // it may have its name already, or the disk is gone: the error is told
        }
    }
}
