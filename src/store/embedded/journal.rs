//! Reads the database's journals before the database does, and cuts a write that was never finished off their end.
//!
//! After a power cut the last write of the last journal may be there in part, in any part. The database takes an end that
//! breaks off for unfinished, but refuses to start over one with a hole in it (fjall 3.1.13), though nobody was ever told
//! that it was written. What is no such end is damage: a journal is synced whole before the next one begins, and a write
//! before the next write. So whole writes behind a broken one, and a broken end with another journal behind it, are
//! refused; the database would silently go on without what lies there.
//!
//! ```text
//! <number>.jnl   batch*, then zeros or nothing. Numbers rise; integers are little-endian
//! batch          1, items: u32, number: u64; items times item or clear; 3, XXH3 of these: u64, "FJL", 3
//! item           2, kind: u8, compression: u8, keyspace: u64, key: u16, value: u32, stored value: u32 bytes long; key, stored value
//! clear          4, keyspace: u64
//! ```
//!
//! It does not look into keys and values, and it does not judge whether what is cut off was counted: the witness does.
//! It leaves a database of another version alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

/// The file in the data folder that keeps what was cut off last: a line that says where it stood, and its bytes.
pub(super) const TORN: &str = "parlance.torn";

/// The database's version, which also ends each batch.
const VERSION: [u8; 4] = *b"FJL\x03";
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// A removal that the store does not use is the highest kind that the database reads back.
const KIND_MAX: u8 = 2;
const UNCOMPRESSED: u8 = 0;
const LZ4: u8 = 1;
/// Bytes of the start and of the end of a batch.
const FRAME_BYTES: u64 = 26;
const CHUNK_BYTES: usize = 64 * 1024;
static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];
/// How far behind the last batch's number that of a whole one must be to be its successor, rather than bytes of a
/// message that look like one.
const NEAR: u64 = 4_096;

/// What the journals of a database hold.
#[derive(Debug, Default)]
pub(super) struct Journals {
    /// The number of the last batch, if there is one.
    pub(super) last: Option<u64>,
    /// What is wrong, if anything is.
    pub(super) broken: Option<Broken>,
}

/// The place from which on a journal holds something else than batches.
#[derive(Debug)]
pub(super) struct Broken {
    /// The journal.
    pub(super) journal: PathBuf,
    /// The end of its last good batch.
    pub(super) at: u64,
    /// What follows there, without the zeros at its end.
    pub(super) bytes: Vec<u8>,
    /// What comes behind it, where nothing can come behind an unfinished write.
    pub(super) behind: Option<Behind>,
}

/// What shows that a journal is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// A later journal that something was written to.
    Journal,
    /// Whole batches.
    Batches,
}

/// Reads all journals of a database, up to the first that is broken.
pub(super) fn read(database: &Path) -> io::Result<Journals> {
    let mut journals = Journals::default();
    if fs::read(database.join("version"))? != VERSION {
        return Ok(journals);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(database)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        files.extend(number.map(|number| (number, path)));
    }
    files.sort_unstable();
    let mut files = files.into_iter().map(|(_, path)| path);
    while let Some(journal) = files.next() {
        let mut file = open(&journal)?;
        let at = batches(&mut file, &mut journals.last)?;
        file.seek(SeekFrom::Start(at))?;
        if is_zero(&mut file)? {
            continue;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        let mut behind = holds_successors(&bytes, journals.last)?.then_some(Behind::Batches);
        for later in files.by_ref() {
            // The database may begin a journal after a write has failed; nothing comes into it then.
            if !is_zero(&mut open(&later)?)? {
                behind = Some(Behind::Journal);
            }
        }
        journals.broken = Some(Broken { journal, at, bytes, behind });
    }
    Ok(journals)
}

fn open(journal: &Path) -> io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(CHUNK_BYTES, File::open(journal)?))
}

impl Broken {
    /// Keeps what stands there in a file of the data folder, then cuts it off; both are synced.
    pub(super) fn cut(&self, folder: &Path) -> io::Result<()> {
        let mut kept = File::create(folder.join(TORN))?;
        writeln!(kept, "{} {} {}", self.journal.display(), self.at, self.bytes.len())?;
        kept.write_all(&self.bytes)?;
        kept.sync_all()?;
        File::open(folder)?.sync_all()?;
        let journal = OpenOptions::new().write(true).open(&self.journal)?;
        journal.set_len(self.at)?;
        journal.sync_all()
    }
}

/// Reads batches whose numbers rise, up to the first that is none, and answers where the last good one ends.
fn batches(file: &mut impl BufRead, last: &mut Option<u64>) -> io::Result<u64> {
    let mut at = 0;
    while let Some(batch) = batch(file)?.filter(|batch| Some(batch.number) > *last) {
        *last = Some(batch.number);
        at += batch.bytes;
    }
    Ok(at)
}

/// Whether these bytes begin with a whole batch, or hold one that comes soon after the last.
fn holds_successors(bytes: &[u8], last: Option<u64>) -> io::Result<bool> {
    let is_near = |number: u64| last.is_none_or(|last| number > last && number - last <= NEAR);
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == START) {
        if let Some(batch) = batch(&mut &bytes[at..])?
            && (at == 0 || is_near(batch.number))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_zero(file: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = chunk(file)?;
        let count = chunk.len().min(CHUNK_BYTES);
        if chunk[..count] != ZEROS[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        file.consume(count);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    number: u64,
    bytes: u64,
}

/// The batch that begins here, if a whole one does.
fn batch(source: &mut impl BufRead) -> io::Result<Option<Batch>> {
    match try_batch(source) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        read => read,
    }
}

fn try_batch(source: &mut impl BufRead) -> io::Result<Option<Batch>> {
    if take(source)? != [START] {
        return Ok(None);
    }
    let items = u32::from_le_bytes(take(source)?);
    let number = u64::from_le_bytes(take(source)?);
    let (mut sum, mut bytes) = (Xxh3::new(), FRAME_BYTES);
    for _ in 0..items {
        let Some(more) = item(source, &mut sum)? else { return Ok(None) };
        bytes += more;
    }
    let is_whole = take(source)? == [END] && take(source)? == sum.digest().to_le_bytes() && take(source)? == VERSION;
    Ok((is_whole && items > 0).then_some(Batch { number, bytes }))
}

/// Takes one item into the checksum and answers its bytes; `None` if it is none.
fn item(source: &mut impl BufRead, sum: &mut Xxh3) -> io::Result<Option<u64>> {
    let tag = take(source)?;
    sum.update(&tag);
    match tag {
        [ITEM] => {}
        [CLEAR] => return through(source, 8, sum).map(|()| Some(9)),
        _ => return Ok(None),
    }
    let header: [u8; 20] = take(source)?;
    sum.update(&header);
    let mut rest = &header[..];
    let ([kind, compression], _keyspace) = (take(&mut rest)?, take::<8>(&mut rest)?);
    let key = u16::from_le_bytes(take(&mut rest)?);
    let (value, stored) = (u32::from_le_bytes(take(&mut rest)?), u32::from_le_bytes(take(&mut rest)?));
    if kind > KIND_MAX || compression > LZ4 || (compression == UNCOMPRESSED && value != stored) {
        return Ok(None);
    }
    let bytes = u64::from(key) + u64::from(stored);
    through(source, bytes, sum)?;
    Ok(Some(21 + bytes))
}

fn through(source: &mut impl BufRead, mut bytes: u64, sum: &mut Xxh3) -> io::Result<()> {
    while bytes > 0 {
        let chunk = chunk(source)?;
        let count = usize::try_from(bytes).map_or(chunk.len(), |bytes| bytes.min(chunk.len()));
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        sum.update(&chunk[..count]);
        source.consume(count);
        bytes -= count as u64;
    }
    Ok(())
}

/// What can be had of a source at once; nothing at its end.
fn chunk(source: &mut impl BufRead) -> io::Result<&[u8]> {
    while let Err(error) = source.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    source.fill_buf()
}

fn take<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actors::id::LogId;
    use actors::store::LogStore;
    use actors::testkit::clock::SeededRandom;
    use actors::testkit::contract::samples::{batch, claim, direct, head, message, whole, write};
    use actors::time::Random;
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};
    use tempfile::TempDir;

    use super::super::folder::Folder;
    use super::super::keys::Space;
    use super::super::{EmbeddedStore, OpenError, Options, witness};
    use super::*;

    const SECTOR: usize = 512;

    /// Letters that do not compress.
    fn noise(count: usize) -> String {
        let random = SeededRandom::new(1);
        (0..count).map(|_| char::from(b'A' + u8::try_from(random.draw() % 58).expect("below 58"))).collect()
    }

    /// Where each batch of a journal ends, and its number.
    fn ends(mut journal: &[u8]) -> Vec<(usize, u64)> {
        let (mut at, mut ends) = (0, Vec::new());
        while let Some(batch) = super::batch(&mut journal).expect("memory can be read") {
            at += usize::try_from(batch.bytes).expect("in memory");
            ends.push((at, batch.number));
        }
        ends
    }

    /// The bytes of a batch with one small item.
    fn made(number: u64) -> Vec<u8> {
        let item = [&[ITEM, 0, UNCOMPRESSED][..], &7_u64.to_le_bytes(), &[1, 0, 2, 0, 0, 0, 2, 0, 0, 0], b"kvv"].concat();
        let sum = xxhash_rust::xxh3::xxh3_64(&item).to_le_bytes();
        [&[START, 1, 0, 0, 0][..], &number.to_le_bytes(), &item, &[END], &sum, &VERSION].concat()
    }

    /// Pins the format: fails when the database writes its journal in another way than this file reads it.
    #[test]
    fn every_batch_that_the_database_writes_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::builder(folder.path()).open().expect("made");
        let [one, other] = ["one", "other"].map(|name| database.keyspace(name, KeyspaceCreateOptions::default).expect("made"));
        for n in 0..100_usize {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            batch.insert(&one, n.to_be_bytes(), noise(n * 100));
            batch.insert(&other, vec![3; n + 1], vec![7; n * 100]);
            batch.insert(&other, "key", "");
            batch.remove(&one, (n / 2).to_be_bytes());
            batch.commit().expect("written");
        }
        one.insert("alone", "value").expect("written");
        one.remove("alone").expect("written");
        other.clear().expect("written");
        database.persist(PersistMode::SyncAll).expect("synced");
        let journals = read(folder.path()).expect("readable");
        assert!(journals.broken.is_none(), "{journals:?}");
        let bytes = fs::read(folder.path().join("0.jnl")).expect("readable");
        let ends = ends(&bytes);
        let (end, last) = *ends.last().expect("some batches");
        assert_eq!((ends.len(), journals.last), (103, Some(last)));
        assert_eq!(bytes[end - 4..end], VERSION);
        assert!(bytes[end..].iter().all(|byte| *byte == 0), "what follows is not read");
        assert_eq!(bytes[..end].windows(4).filter(|four| *four == VERSION).count(), 103);
    }

    #[test]
    fn bytes_that_only_look_like_a_successor_are_none() {
        let [near, far, before] = [made(101), made(100 + NEAR + 1), made(100)];
        let holds = |bytes: &[u8]| holds_successors(bytes, Some(100)).expect("memory can be read");
        assert!(holds(&[&b"broken"[..], &near].concat()));
        assert!(!holds(&[&b"broken"[..], &near[..near.len() - 1]].concat()));
        assert!(!holds(&[&b"broken"[..], &far].concat()));
        assert!(!holds(&[&b"broken"[..], &before].concat()));
        assert_eq!(holds_successors(&[&b"broken"[..], &far].concat(), None).ok(), Some(true), "nothing is known of what was before");
        assert!(holds(&before), "it is whole, and its number does not rise");
    }

    fn options(folder: &Path) -> Options {
        Options::new(folder, Box::new(|why| unreachable!("{why}")))
    }

    fn log() -> LogId {
        direct(1, 2).into()
    }

    /// The files of a folder.
    type Files = BTreeMap<PathBuf, Vec<u8>>;

    fn files(folder: &Path, below: &Path, found: &mut Files) {
        for entry in fs::read_dir(folder.join(below)).expect("readable") {
            let name = below.join(entry.expect("readable").file_name());
            if folder.join(&name).is_dir() {
                files(folder, &name, found);
            } else {
                found.insert(name.clone(), fs::read(folder.join(&name)).expect("readable"));
            }
        }
    }

    fn restored(files: &Files) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        folder
    }

    fn journal() -> PathBuf {
        PathBuf::from("store/0.jnl")
    }

    /// A folder in which four entries are acknowledged and counted, and the journal's bytes of a fifth that fills sectors.
    async fn written() -> (Files, Vec<u8>) {
        let folder = tempfile::tempdir().expect("a folder");
        drop(EmbeddedStore::open(options(folder.path())).expect("made"));
        let store = EmbeddedStore::open(options(folder.path())).expect("it opens");
        for id in 1..=4 {
            write(&store, log(), id, 1, Vec::new()).await;
        }
        store.close().await;
        drop(store);
        let mut kept = Files::new();
        files(folder.path(), Path::new(""), &mut kept);
        let store = EmbeddedStore::open(options(folder.path())).expect("it opens");
        let before = fs::read(folder.path().join(journal())).expect("readable");
        let next = batch(head(&store, log()).await, claim(&store, log()).await, 5, vec![message(&noise(4_000)), message(&noise(9_000))]);
        store.append(log(), next.into()).await.expect("written");
        drop(store);
        let after = fs::read(folder.path().join(journal())).expect("readable");
        // The start that wrote it is there as well, counted or not.
        let torn = after[before.len()..].to_vec();
        kept.insert(journal(), before);
        (kept, torn)
    }

    async fn expect_tail(folder: &Path, tail: u64) {
        let store = EmbeddedStore::open(options(folder)).expect("it opens");
        assert_eq!(whole(&store, log()).await.len() as u64, tail);
        write(&store, log(), 99, 1, Vec::new()).await;
        drop(store);
        let store = EmbeddedStore::open(options(folder)).expect("it opens again");
        assert_eq!(whole(&store, log()).await.len() as u64, tail + 1);
    }

    /// Tears of the last batch: each sector lost, each kept alone, broken off after each, and more by chance.
    fn tears(begins: usize, sectors: usize) -> Vec<Vec<bool>> {
        assert!(sectors > 20 && begins > 0);
        let random = SeededRandom::new(2);
        let of = |keeps: &dyn Fn(usize) -> bool| (0..sectors).map(keeps).collect::<Vec<_>>();
        let mut tears = Vec::new();
        for n in 0..sectors {
            tears.extend([of(&|sector| sector != n), of(&|sector| sector == n), of(&|sector| sector < n)]);
            tears.push(of(&|_| random.draw().is_multiple_of(2)));
        }
        tears
    }

    /// The bytes of a batch behind others, as a disk keeps them that lost some of their sectors.
    fn tear(before: &[u8], batch: &[u8], keeps: &[bool]) -> Vec<u8> {
        let first = before.len() / SECTOR;
        let mut journal = [before, batch].concat();
        for (at, byte) in journal.iter_mut().enumerate().skip(before.len()) {
            if !keeps[at / SECTOR - first] {
                *byte = 0;
            }
        }
        journal
    }

    #[tokio::test]
    async fn a_torn_write_at_the_end_is_cut_off_and_kept() {
        let (mut files, batch) = written().await;
        let before = files[&journal()].clone();
        let sectors = (before.len() + batch.len()).div_ceil(SECTOR) - before.len() / SECTOR;
        let (mut refused, mut cut) = (0, 0);
        for keeps in tears(before.len(), sectors) {
            files.insert(journal(), tear(&before, &batch, &keeps));
            let alone = restored(&files);
            let opened = Database::builder(alone.path().join("store")).open();
            refused += usize::from(opened.is_err_and(|error| error.to_string().contains("ChecksumMismatch")));
            let folder = restored(&files);
            expect_tail(folder.path(), 4).await;
            if let Ok(kept) = fs::read(folder.path().join(TORN)) {
                let (line, bytes) = kept.split_at(kept.iter().position(|byte| *byte == b'\n').expect("a line") + 1);
                let line = String::from_utf8(line.to_vec()).expect("text");
                assert!(line.ends_with(&format!("0.jnl {} {}\n", before.len(), bytes.len())), "{line}");
                assert_eq!(bytes, &files[&journal()][before.len()..][..bytes.len()]);
                cut += 1;
            }
        }
        assert!(refused >= sectors - 3, "the database alone refused {refused} of them: is this file still needed?");
        assert!(cut > 3 * sectors, "{cut}");
    }

    /// The last write is torn, or rotten: if the witness has counted it, it was acknowledged.
    #[tokio::test]
    async fn a_torn_write_that_was_counted_is_a_loss() {
        let (mut files, batch) = written().await;
        let before = files[&journal()].len();
        files.insert(journal(), [&files[&journal()][..], &batch].concat());
        let counting = |files: &Files, commits| {
            let folder = restored(files);
            drop(witness::Witness::begin(folder.path(), witness::Sighting { commits, start: 1 }).expect("written"));
            folder
        };
        let refusal = EmbeddedStore::open(options(counting(&files, 100).path())).expect_err("it must not open");
        let OpenError::Lost { held, witnessed: 100, .. } = refusal else { unreachable!("{refusal}") };
        expect_tail(counting(&files, held).path(), 6).await;
        files.get_mut(&journal()).expect("it is there")[before + 2_000] ^= 1;
        expect_tail(counting(&files, held - 1).path(), 4).await;
        let folder = counting(&files, held);
        for _ in 0..2 {
            let refusal = EmbeddedStore::open(options(folder.path())).expect_err("it must not open");
            assert!(matches!(refusal, OpenError::Lost { held: left, witnessed, .. } if (left, witnessed) == (held - 1, held)), "{refusal}");
            assert!(folder.path().join(TORN).exists());
        }
    }

    #[tokio::test]
    async fn whole_writes_behind_a_broken_one_are_not_cut_off() {
        let (mut files, batch) = written().await;
        let bytes = [&files[&journal()][..], &batch].concat();
        // The count stands at the first commit, as it may within the first second.
        let early = tempfile::tempdir().expect("a folder");
        drop(witness::Witness::begin(early.path(), witness::Sighting { commits: 1, start: 1 }).expect("written"));
        files.insert(witness::NAME.into(), fs::read(early.path().join(witness::NAME)).expect("readable"));
        let (random, mut refused) = (SeededRandom::new(3), 0);
        let ends: Vec<_> = ends(&bytes).into_iter().map(|(end, _)| end).collect();
        for inner in ends.windows(2).take(ends.len() - 2).flat_map(|inner| [inner; 12]) {
            let at = inner[0] + usize::try_from(random.draw() % (inner[1] - inner[0]) as u128).expect("in memory");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (random.draw() % 8);
            files.insert(journal(), flipped.clone());
            let folder = restored(&files);
            match EmbeddedStore::open(options(folder.path())) {
                Ok(store) => assert_eq!(whole(&store, log()).await.len(), 6, "byte {at}"),
                Err(refusal) => {
                    assert!(matches!(&refusal, OpenError::Broken { what, .. } if what.contains("whole writes follow")), "{refusal}");
                    assert!(refusal.to_string().contains("delete the file parlance.witness"), "{refusal}");
                    assert_eq!(fs::read(folder.path().join(journal())).expect("readable"), flipped);
                    fs::remove_file(folder.path().join(witness::NAME)).expect("removed");
                    refused += 1;
                    match EmbeddedStore::open(options(folder.path())) {
                        Ok(store) => assert!(whole(&store, log()).await.len() < 5, "the loss is accepted"),
                        Err(refusal) => unreachable!("byte {at}: {refusal}"),
                    }
                    assert!(folder.path().join(TORN).exists());
                }
            }
        }
        assert!(refused > 60, "{refused} of {} batches", ends.len());
    }

    #[tokio::test]
    async fn a_broken_journal_before_another_is_refused_unless_that_is_empty() {
        let (mut files, batch) = written().await;
        let bytes = [&files[&journal()][..], &batch].concat();
        let all = ends(&bytes);
        let (end, _) = all[all.len() - 2];
        let torn = &bytes[..end - 1];
        files.insert(journal(), torn.to_vec());
        files.insert("store/1.jnl".into(), bytes[end..].to_vec());
        let refusal = EmbeddedStore::open(options(restored(&files).path())).expect_err("it must not open");
        assert!(matches!(&refusal, OpenError::Damaged { what, .. } if what.contains("a later journal holds more")), "{refusal}");
        files.insert("store/1.jnl".into(), vec![0; 4_096]);
        expect_tail(restored(&files).path(), 4).await;
        files.insert(journal(), bytes[..end].to_vec());
        files.insert("store/1.jnl".into(), bytes[end..].to_vec());
        expect_tail(restored(&files).path(), 6).await;
    }

    #[tokio::test]
    async fn tables_that_are_ahead_of_the_journals_are_refused() {
        let (mut files, batch) = written().await;
        let counted = files[&PathBuf::from(witness::NAME)].clone();
        let before = files[&journal()].clone();
        files.insert(journal(), [&before[..], &batch].concat());
        let folder = restored(&files);
        let looked = Folder::look(folder.path(), 1 << 20).expect("it opens");
        looked.keyspace(Space::Rows).rotate_memtable_and_wait().expect("written");
        drop(looked);
        let path = folder.path().join(journal());
        let end = fs::metadata(&path).expect("it is there").len() - 5;
        OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(end)).expect("cut");
        fs::write(folder.path().join(witness::NAME), counted).expect("written");
        for _ in 0..2 {
            let refusal = EmbeddedStore::open(options(folder.path())).expect_err("it must not open");
            assert!(matches!(&refusal, OpenError::Broken { what, .. } if what.contains("later write")), "{refusal}");
        }
        fs::remove_file(folder.path().join(witness::NAME)).expect("removed");
        drop(EmbeddedStore::open(options(folder.path())).expect("the loss is accepted"));
        drop(EmbeddedStore::open(options(folder.path())).expect("and stays so"));
    }
}
