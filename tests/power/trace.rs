//! What the shim recorded, read back: one event per record, in the order in which things happened.

use std::path::Path;

/// One thing that happened to the files below the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A file came to be.
    Create { path: String, inode: u64 },
    /// Bytes were written.
    Write { inode: u64, at: u64, bytes: Vec<u8> },
    /// A file was cut or lengthened.
    Truncate { inode: u64, length: u64 },
    /// A file or folder was synced.
    Sync { inode: u64 },
    /// A folder came to be.
    Folder { path: String, inode: u64 },
    /// Something got another name.
    Rename { from: String, to: String },
    /// A file or an empty folder lost its name.
    Unlink { path: String },
    /// The workload says something.
    Mark(String),
}

/// All events of a trace file.
pub(crate) fn read(file: &Path) -> Vec<Event> {
    let bytes = std::fs::read(file).expect("the shim wrote a trace");
    let mut rest = &bytes[..];
    let mut events = Vec::new();
    while !rest.is_empty() {
        events.push(event(&mut rest));
    }
    events
}

const MAGIC: u32 = 0x5057_4352;

fn event(rest: &mut &[u8]) -> Event {
    assert_eq!(u32_of(rest), MAGIC, "a torn trace");
    let (op, inode, place) = (u32_of(rest), u64_of(rest), u64_of(rest));
    let sizes = [u32_of(rest), u32_of(rest), u32_of(rest)];
    let [path, second, data] = sizes.map(|size| take(rest, size as usize));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("our paths and marks are UTF-8");
    match op {
        1 => Event::Create { path: text(path), inode },
        2 => Event::Write { inode, at: place, bytes: data.to_vec() },
        3 => Event::Truncate { inode, length: place },
        4 | 5 => Event::Sync { inode },
        6 => Event::Folder { path: text(path), inode },
        7 => Event::Rename { from: text(path), to: text(second) },
        8 | 9 => Event::Unlink { path: text(path) },
        10 => Event::Mark(text(data)),
        _ => unreachable!("the shim writes no such record: {op}"),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn u32_of(rest: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(rest, 4).try_into().expect("four bytes"))
}

fn u64_of(rest: &mut &[u8]) -> u64 {
    u64::from_le_bytes(take(rest, 8).try_into().expect("eight bytes"))
}
