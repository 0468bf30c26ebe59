//! `parlance import`: an export into a data folder.
//!
//! The records go into a store of their own beside the folder's, which takes its place only when the export was read
//! to its end and proven whole. So an import has happened or has not, and what was there before is there until then.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use actors::archive::{Archive, Record};
use actors::restoration::{Life, Restoration};
use actors::time::{Clock, Random};
use anyhow::{Context, bail};
use clap::Args;
use tokio::runtime::Runtime;

use super::progress::Progress;
use crate::app::{STORE_FOLDER, SystemClock, SystemRandom, cannot_open};
use crate::archive::reader::Reader;
use crate::archive::wire::Origin;
use crate::store::embedded::{EmbeddedStore, Offline, Options, discard};

/// Where an import gathers until it is whole.
const STAGING: &str = "store.importing";
/// Bytes of one read.
const READ_BYTES: usize = 256 * 1024;
/// Records and bytes of one commit.
const BATCH_RECORDS: usize = 8_192;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// `parlance import`
#[derive(Debug, Args)]
pub struct Arguments {
    /// The export; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data folder, of a node that does not run; made if it is not there.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Put the import in the place of what the data folder holds. That is not merged; it is kept beside as
    /// `store.before-…`, which is yours to delete.
    #[arg(long)]
    force: bool,
    /// Go on with the logs' own life: clients keep what they have cached. Only for a move: the export is of a folder
    /// whose node was stopped, and that folder serves nobody any more.
    #[arg(long)]
    same_life: bool,
    /// Say nothing.
    #[arg(long)]
    quiet: bool,
}

/// Takes it in.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let data = &arguments.data;
    let (source, size) = source(&arguments.file)?;
    DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(|| cannot_open(data))?;
    let runtime = Runtime::new()?;
    let before = runtime.block_on(before(data, arguments.force))?;
    let staging = data.join(STAGING);
    discard(&staging).context("another import into this data folder is at work, or left something that cannot be removed")?;
    let mut progress = Progress::new("imported", size, arguments.quiet);
    let life = if arguments.same_life { Life::Same } else { Life::New };
    let taken = runtime.block_on(take(source, &staging, life, &mut progress));
    let (records, bytes) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            if let Err(left) = discard(&staging) {
                writeln!(io::stderr(), "parlance: {left}")?;
            }
            return Err(error);
        }
    };
    let kept = swap(data, before)?;
    progress.done(records, bytes);
    if let Some(kept) = kept.filter(|_| !arguments.quiet) {
        writeln!(io::stderr(), "what was there before is in {}", kept.display())?;
    }
    Ok(())
}

fn source(file: &Path) -> anyhow::Result<(Box<dyn Read>, Option<u64>)> {
    if file.as_os_str() == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let size = opened.metadata()?.len();
    Ok((Box::new(opened), Some(size)))
}

/// What the data folder holds already: kept open, and locked, so that no node begins to use it meanwhile.
enum Before {
    Nothing,
    Blank(Offline),
    Something(Offline),
}

async fn before(data: &Path, force: bool) -> anyhow::Result<Before> {
    let store = data.join(STORE_FOLDER);
    if !store.try_exists()? {
        return Ok(Before::Nothing);
    }
    let offline = Offline::open(&store).with_context(|| cannot_open(data))?;
    if offline.snapshot().next(1).await.map_or(true, |some| !some.is_empty()) {
        if !force {
            bail!(
                "the data folder {} holds data already: import into another one with --data, or put the import in its place \
                 with --force, which keeps what is there beside it",
                data.display()
            );
        }
        return Ok(Before::Something(offline));
    }
    Ok(Before::Blank(offline))
}

/// Reads the export to its end into a new store; how many records and bytes it had.
async fn take(mut source: Box<dyn Read>, staging: &Path, life: Life, progress: &mut Progress) -> anyhow::Result<(u64, u64)> {
    let options = Options::new(staging, Box::new(|why| tracing::error!(why, "the store cannot go on")));
    let store = EmbeddedStore::open(options).context("the import cannot be written")?;
    let (mut reader, mut restoration, mut batch) = (Reader::new(), Restoration::new(life), Batch::default());
    let (mut buffer, mut bytes) = (vec![0; READ_BYTES], 0);
    loop {
        let count = source.read(&mut buffer).context("the export cannot be read")?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        for record in reader.read(&buffer[..count])? {
            batch.push(restoration.take(record, || SystemRandom.draw()));
            if batch.is_full() {
                store.admit(batch.take()).await?;
            }
        }
        if life == Life::Same && reader.header().is_some_and(|header| header.origin == Origin::Node) {
            bail!(
                "this export is of a node that went on meanwhile, so its logs cannot go on with their life: leave --same-life out, \
                 or stop the node and export its folder with --data"
            );
        }
        progress.at(reader.records(), bytes);
    }
    reader.finish()?;
    store.admit(batch.take()).await?;
    store.admit(restoration.sequences()).await?;
    store.close().await;
    Ok((reader.records(), bytes))
}

/// Records that are written together.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, record: Record) {
        self.bytes += record.bytes();
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<Record> {
        self.bytes = 0;
        std::mem::take(&mut self.records)
    }
}

/// Puts the import in its place; where that which was there before is kept.
fn swap(data: &Path, before: Before) -> anyhow::Result<Option<PathBuf>> {
    let store = data.join(STORE_FOLDER);
    let kept = match before {
        Before::Nothing => None,
        Before::Blank(offline) => {
            drop(offline);
            discard(&store)?;
            None
        }
        Before::Something(offline) => {
            let kept = data.join(format!("{STORE_FOLDER}.before-{}", SystemClock.now().millis()));
            std::fs::rename(&store, &kept)?;
            drop(offline);
            Some(kept)
        }
    };
    std::fs::rename(data.join(STAGING), &store)?;
    File::open(data)?.sync_all()?;
    Ok(kept)
}
