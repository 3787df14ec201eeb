//! The disk at a power loss, made from the journal that `tests/shim/forget.c` keeps.
//!
//! The rules are those of a journalling file system, at their strictest. What was written to a file is kept when a sync of that
//! file that began afterwards has returned; before, each block of 512 octets may or may not be there. Names come and go in
//! order, and any sync keeps all that were changed before it; of the later ones, some first part may be there.

use super::record;
use postrider::random::Random;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The smallest unit that a disk writes whole.
const BLOCK: usize = 512;

/// What becomes of writes that no sync has kept.
#[derive(Clone, Copy)]
pub(crate) enum Unsynced<'a> {
    /// All are lost.
    Lost,
    /// Chance decides for each block.
    Torn(&'a Random),
}

/// The files below a folder, as the disk has them and as the program sees them.
pub(crate) struct Disk {
    folder: PathBuf,
    /// Which file an inode is now.
    inodes: HashMap<u64, usize>,
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    renames: Pending<Name>,
    syncs: HashMap<u64, (Option<usize>, u64, u64)>,
}

/// What happened in the journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Everything that was done to a file or a name; a sync counts twice.
    pub(crate) calls: usize,
    /// Which of them wrote to a file whose name ends in `.db`: a page of a checkpoint, or of a transaction before there is a WAL.
    pub(crate) pages: Vec<usize>,
}

#[derive(Default)]
struct File {
    kept: Vec<u8>,
    writes: Pending<Write>,
}

#[derive(Clone)]
enum Write {
    Octets(usize, Vec<u8>),
    Size(usize),
}

#[derive(Clone)]
enum Name {
    Made(PathBuf, usize),
    Moved(PathBuf, PathBuf),
    Gone(PathBuf),
}

/// Changes in order, of which the first so many are on the disk.
struct Pending<T> {
    waiting: VecDeque<T>,
    kept: u64,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Pending { waiting: VecDeque::new(), kept: 0 }
    }
}

impl<T> Pending<T> {
    /// How many there were so far.
    fn count(&self) -> u64 {
        self.kept + self.waiting.len() as u64
    }

    /// Those up to the `count`th that are not on the disk yet, which they are now.
    fn keep(&mut self, count: u64) -> Vec<T> {
        let new = (count.saturating_sub(self.kept) as usize).min(self.waiting.len());
        self.kept += new as u64;
        self.waiting.drain(..new).collect()
    }
}

impl File {
    fn apply(&mut self, write: Write) {
        match write {
            Write::Size(size) => self.kept.resize(size, 0),
            Write::Octets(at, octets) => {
                self.kept.resize(self.kept.len().max(at + octets.len()), 0);
                self.kept[at..at + octets.len()].copy_from_slice(&octets);
            }
        }
    }

    /// Those blocks of a write that chance lets through.
    fn tear(&mut self, write: Write, random: &Random) {
        match write {
            Write::Size(_) if random.fraction() < 0.5 => {}
            Write::Size(size) => self.apply(Write::Size(size)),
            Write::Octets(at, octets) => {
                let mut done = 0;
                while done < octets.len() {
                    // Blocks are those of the disk, not of the write.
                    let end = (done + BLOCK - (at + done) % BLOCK).min(octets.len());
                    if random.fraction() < 0.5 {
                        self.apply(Write::Octets(at + done, octets[done..end].to_vec()));
                    }
                    done = end;
                }
            }
        }
    }
}

impl Disk {
    /// A folder whose files are all on the disk.
    pub(crate) fn of(folder: &Path) -> Self {
        let folder = folder.canonicalize().expect("a folder");
        let mut disk = Disk {
            folder: folder.clone(),
            inodes: HashMap::new(),
            files: Vec::new(),
            names: BTreeMap::new(),
            renames: Pending::default(),
            syncs: HashMap::new(),
        };
        disk.gather(&folder);
        disk
    }

    fn gather(&mut self, folder: &Path) {
        for path in files_below(folder) {
            let inode = fs::metadata(&path).expect("a file").ino();
            let id = self.new_file(inode);
            self.files[id].kept = fs::read(&path).expect("a file");
            self.names.insert(path, id);
        }
    }

    fn new_file(&mut self, inode: u64) -> usize {
        self.files.push(File::default());
        self.inodes.insert(inode, self.files.len() - 1);
        self.files.len() - 1
    }

    /// Follows a journal from its beginning.
    pub(crate) fn follow(&mut self, journal: &[u8]) -> Told {
        let mut told = Told::default();
        let mut rest = journal;
        // The last record may be cut off: whoever wrote it was killed, and the call was not made.
        while let Some((head, after)) = rest.split_first_chunk::<24>() {
            let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four octets"));
            let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight octets"));
            let (kind, length, file, at) = (word(0) as u8, word(4) as usize, long(8), long(16));
            let Some((data, after)) = after.split_at_checked(length) else { break };
            rest = after;
            told.calls += 1;
            self.happened(kind, file, at, data, &mut told);
        }
        told
    }

    fn happened(&mut self, kind: u8, inode: u64, at: u64, data: &[u8], told: &mut Told) {
        let path = |octets: &[u8]| PathBuf::from(std::str::from_utf8(octets).expect("our own names are UTF-8"));
        match kind {
            b'C' => {
                let id = self.new_file(inode);
                self.renames.waiting.push_back(Name::Made(path(data), id));
            }
            b'W' => {
                let id = self.inodes[&inode];
                let named_db = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "db");
                if self.names.iter().any(|(path, of)| *of == id && named_db(path)) {
                    told.pages.push(told.calls);
                }
                self.files[id].writes.waiting.push_back(Write::Octets(at as usize, data.to_vec()));
            }
            b'T' => self.files[self.inodes[&inode]].writes.waiting.push_back(Write::Size(at as usize)),
            b'R' => {
                let mut both = data.split(|octet| *octet == 0);
                let (from, to) = (both.next().expect("a name"), both.next().expect("another one"));
                self.renames.waiting.push_back(Name::Moved(path(from), path(to)));
            }
            b'U' => self.renames.waiting.push_back(Name::Gone(path(data))),
            b'B' => {
                // A folder has nothing but names.
                let id = self.inodes.get(&inode).copied();
                let writes = id.map_or(0, |id| self.files[id].writes.count());
                self.syncs.insert(at, (id, writes, self.renames.count()));
            }
            b'E' => {
                let (id, writes, names) = self.syncs[&at];
                for name in self.renames.keep(names) {
                    self.rename(name);
                }
                if let Some(file) = id.map(|id| &mut self.files[id]) {
                    for write in file.writes.keep(writes) {
                        file.apply(write);
                    }
                }
            }
            other => panic!("the journal holds {other}"),
        }
    }

    fn rename(&mut self, name: Name) {
        match name {
            Name::Made(path, id) => {
                self.names.insert(path, id);
            }
            Name::Moved(from, to) => {
                let id = self.names.remove(&from).expect("names change in order");
                self.names.insert(to, id);
            }
            Name::Gone(path) => {
                self.names.remove(&path);
            }
        }
    }

    /// Turns the power off: the folder holds what is on the disk, and nothing else.
    pub(crate) fn lose_power(mut self, unsynced: Unsynced<'_>) {
        if let Unsynced::Torn(random) = unsynced {
            let some = self.renames.kept + record::below(random, self.renames.waiting.len() + 1) as u64;
            for name in self.renames.keep(some) {
                self.rename(name);
            }
            for file in &mut self.files {
                for write in file.writes.keep(u64::MAX) {
                    file.tear(write, random);
                }
            }
        }
        for path in files_below(&self.folder) {
            fs::remove_file(path).expect("our own file");
        }
        for (path, id) in &self.names {
            fs::create_dir_all(path.parent().expect("below the folder")).expect("our own folder");
            fs::write(path, &self.files[*id].kept).expect("our own folder");
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
