//! A disk that knows what was synced: it plays a trace, and builds the folder as a power cut would leave it.
//!
//! The rules are harsher than those of ext4, XFS or btrfs. A file's bytes and length are certain once that file was
//! synced, a name once its own folder was synced. What was not synced may be there or not: writes are lost, kept or
//! torn at sectors of 512 bytes, each for itself and in any combination; names of one folder are lost from the end.
//! (Real file systems also keep a new file's name when the file is synced; nothing here relies on it.)

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, create_dir_all};
use std::os::unix::fs::FileExt;
use std::path::Path;

use actors::testkit::clock::SeededRandom;
use actors::time::Random;

use crate::trace::Event;

const SECTOR: usize = 512;

/// What becomes of that which was not synced.
pub(crate) enum Unsynced<'a> {
    /// All of it is gone.
    Lost,
    /// Whatever chance keeps.
    Chance(&'a SeededRandom),
}

impl Unsynced<'_> {
    /// A number below `bound`; 0 if everything is lost.
    fn pick(&self, bound: u64) -> u64 {
        match self {
            Self::Lost => 0,
            Self::Chance(random) => u64::try_from(random.draw() % u128::from(bound)).expect("it is below the bound"),
        }
    }
}

/// Bytes of a file; what lies between them and its length is zero.
#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    length: u64,
}

enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
}

enum Naming {
    Link(String, usize),
    Rename(String, String),
    Unlink(String),
}

#[derive(Default)]
struct Node {
    is_folder: bool,
    synced: Content,
    changes: Vec<Change>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    namings: Vec<Naming>,
}

/// The disk.
pub(crate) struct Disk {
    root: String,
    nodes: Vec<Node>,
    by_inode: HashMap<u64, usize>,
}

impl Disk {
    /// A disk on which nothing but the root folder is.
    pub(crate) fn new(root: &Path, inode: u64) -> Self {
        let root = root.to_str().expect("a path in UTF-8").to_owned();
        Self { root, nodes: vec![Node { is_folder: true, ..Node::default() }], by_inode: HashMap::from([(inode, 0)]) }
    }

    /// Takes in what happened.
    pub(crate) fn play(&mut self, event: &Event) {
        match event {
            Event::Create { path, inode } => self.link(path, *inode, false),
            Event::Folder { path, inode } => self.link(path, *inode, true),
            Event::Write { inode, at, bytes } => {
                self.node(*inode).changes.push(Change::Write { at: *at, bytes: bytes.clone() });
            }
            Event::Truncate { inode, length } => self.node(*inode).changes.push(Change::Length(*length)),
            Event::Sync { inode } => self.node(*inode).sync(),
            Event::Rename { from, to } => {
                let ((folder, from), (other, to)) = (self.find(from), self.find(to));
                assert_eq!(folder, other, "the store renames within a folder only");
                self.name(folder, Naming::Rename(from, to));
            }
            Event::Unlink { path } => {
                let (folder, name) = self.find(path);
                self.name(folder, Naming::Unlink(name));
            }
            Event::Mark(_) => {}
        }
    }

    /// Writes the root folder as it would be found after a power cut now.
    pub(crate) fn build(&self, into: &Path, unsynced: &Unsynced<'_>) {
        self.build_folder(0, into, unsynced);
    }

    fn build_folder(&self, folder: usize, into: &Path, unsynced: &Unsynced<'_>) {
        create_dir_all(into).expect("a scratch folder");
        let node = &self.nodes[folder];
        let mut names = node.synced_names.clone();
        let kept = unsynced.pick(node.namings.len() as u64 + 1);
        for naming in node.namings.iter().take(usize::try_from(kept).expect("small")) {
            naming.apply(&mut names);
        }
        for (name, child) in names {
            if self.nodes[child].is_folder {
                self.build_folder(child, &into.join(name), unsynced);
                continue;
            }
            let content = self.nodes[child].content(unsynced);
            let file = File::create(into.join(name)).expect("a scratch file");
            file.write_all_at(&content.bytes, 0).expect("there is room");
            file.set_len(content.length).expect("there is room");
        }
    }

    fn node(&mut self, inode: u64) -> &mut Node {
        let node = self.by_inode[&inode];
        &mut self.nodes[node]
    }

    fn link(&mut self, path: &str, inode: u64, is_folder: bool) {
        let (folder, name) = self.find(path);
        self.nodes.push(Node { is_folder, ..Node::default() });
        let node = self.nodes.len() - 1;
        self.by_inode.insert(inode, node);
        self.name(folder, Naming::Link(name, node));
    }

    fn name(&mut self, folder: usize, naming: Naming) {
        naming.apply(&mut self.nodes[folder].names);
        self.nodes[folder].namings.push(naming);
    }

    /// The folder that a path's last part lies in, and that part.
    fn find(&self, path: &str) -> (usize, String) {
        let below = path.strip_prefix(&self.root).expect("below the root").trim_start_matches('/');
        let mut parts: Vec<_> = below.split('/').collect();
        let name = parts.pop().expect("a path has a last part");
        let folder = parts.into_iter().fold(0, |at, part| self.nodes[at].names[part]);
        (folder, name.to_owned())
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Rename(from, to) => {
                let node = names.remove(from).expect("it has this name");
                names.insert(to.clone(), node);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

impl Node {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            self.synced.apply(&change, |_| true);
        }
        self.namings.clear();
        self.synced_names = self.names.clone();
    }

    fn content(&self, unsynced: &Unsynced<'_>) -> Content {
        let mut content = self.synced.clone();
        for change in &self.changes {
            match unsynced.pick(4) {
                0 => {}
                1 => content.apply(change, |_| unsynced.pick(2) == 1),
                _ => content.apply(change, |_| true),
            }
        }
        content
    }
}

impl Content {
    /// Applies a change; of a write only the sectors that are kept.
    fn apply(&mut self, change: &Change, mut keeps: impl FnMut(u64) -> bool) {
        match change {
            Change::Length(length) => {
                self.length = *length;
                self.bytes.truncate(usize::try_from(*length).expect("small files"));
            }
            Change::Write { at, bytes } => {
                let mut at = usize::try_from(*at).expect("small files");
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (sector, left) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                    if keeps(at as u64) {
                        self.put(at, sector);
                    }
                    (at, rest) = (at + sector.len(), left);
                }
            }
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at..end].copy_from_slice(bytes);
        self.length = self.length.max(end as u64);
    }
}
