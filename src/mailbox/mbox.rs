//! An mbox file: mails one behind the other, each begun by a line `From …` after an empty one (RFC 4155). It is never rewritten, so
//! nothing that arrives meanwhile is lost: what was read is known by its bytes.

use super::{Error, Item, LONGEST, Place};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

pub(super) struct Mbox {
    path: PathBuf,
    lines: BufReader<File>,
    number: usize,
    /// The line that begins the next mail was read already.
    begun: bool,
    _dot: Option<DotLock>,
}

/// `FILE.lock`, which is how mail servers on one machine have kept out of each other's way since before there was `flock`.
struct DotLock(PathBuf);

impl DotLock {
    /// The lock, or why there is none. One of ours whose process was killed holds nobody up.
    fn take(name: &Path) -> Result<DotLock, std::io::Error> {
        let take = || OpenOptions::new().write(true).create_new(true).open(name);
        let file = match take() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && is_of_the_dead(name) => {
                std::fs::remove_file(name)?;
                take()
            }
            taken => taken,
        };
        let mut file = file?;
        let lock = DotLock(name.to_owned());
        writeln!(file, "{OURS}{}", std::process::id())?;
        Ok(lock)
    }
}

/// Before the number of the process in a lock.
const OURS: &str = "postrider ";

/// Where the system lists its processes (Linux): whether the one that wrote the lock is none of them.
fn is_of_the_dead(name: &Path) -> bool {
    let written = std::fs::read_to_string(name).unwrap_or_default();
    let process = written.trim().strip_prefix(OURS).and_then(|number| number.parse::<u32>().ok());
    let processes = Path::new("/proc");
    processes.join("self").exists() && process.is_some_and(|number| !processes.join(number.to_string()).exists())
}

impl Drop for DotLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether a file begins as an mbox does.
pub(super) fn looks_like_one(path: &Path) -> Result<bool, Error> {
    let mut file = File::open(path).map_err(|e| Error::file(path, e))?;
    let mut first = [0; 5];
    Ok(file.read_exact(&mut first).is_ok() && &first == b"From ")
}

impl Mbox {
    pub(super) fn open(path: &Path) -> Result<Mbox, Error> {
        let busy =
            || Error::file(path, "another program is at it\n  help: try again; if none is, remove the file's .lock");
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let dot = match DotLock::take(Path::new(&name)) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(busy()),
            // In a folder that is not ours, flock has to do.
            Err(_) => None,
        };
        let file = File::open(path).map_err(|e| Error::file(path, e))?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Err(busy()),
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        Ok(Mbox { path: path.to_owned(), lines: BufReader::new(file), number: 0, begun: false, _dot: dot })
    }

    pub(super) fn next_mail(&mut self) -> Result<Option<Item>, Error> {
        let (mut bytes, mut line) = (Vec::new(), Vec::new());
        let mut after_empty = true;
        loop {
            line.clear();
            let wrong = |e| Error::file(&self.path, e);
            if (&mut self.lines).take(LONGEST).read_until(b'\n', &mut line).map_err(wrong)? == 0 {
                break;
            }
            if after_empty && line.starts_with(b"From ") {
                if self.begun {
                    break;
                }
                self.begun = true;
                continue;
            }
            after_empty = line.iter().all(|b| matches!(b, b'\r' | b'\n'));
            // `>From ` stands for a line that began with `From `.
            let quoted = line.iter().take_while(|b| **b == b'>').count();
            let skip = usize::from(quoted > 0 && line[quoted..].starts_with(b"From "));
            if bytes.len() < LONGEST as usize {
                bytes.extend_from_slice(&line[skip..]);
            }
        }
        let ended = bytes.iter().all(|b| b.is_ascii_whitespace());
        if ended && !self.begun {
            return Ok(None);
        }
        // The line that ended this mail begins the next.
        self.begun = !line.is_empty();
        if ended && !self.begun {
            return Ok(None);
        }
        // The empty line before `From ` is the format's.
        if bytes.ends_with(b"\n\n") {
            bytes.pop();
        }
        self.number += 1;
        Ok(Some(Item { name: format!("{} #{}", self.path.display(), self.number), bytes, place: Place::Nowhere }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_told_apart_and_quoting_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        std::fs::write(&path, "From a Mon\nSubject: 1\n\nx\n>From here\nFrom there\n\nFrom b Tue\nSubject: 2\n\ny\n\n")
            .unwrap();
        assert!(looks_like_one(&path).unwrap());
        let mut mbox = Mbox::open(&path).unwrap();
        assert!(Mbox::open(&path).is_err(), "locked");
        let mut next = || mbox.next_mail().unwrap().map(|item| String::from_utf8(item.bytes).unwrap());
        assert_eq!(next().as_deref(), Some("Subject: 1\n\nx\nFrom here\nFrom there\n"));
        assert_eq!(next().as_deref(), Some("Subject: 2\n\ny\n"));
        assert_eq!(next(), None);
        drop(mbox);
        let lock = folder.path().join("mbox.lock");
        assert!(!lock.exists());
        // No process has that number.
        std::fs::write(&lock, format!("{OURS}4294967295\n")).unwrap();
        drop(Mbox::open(&path).unwrap());
        assert!(!lock.exists());
        std::fs::write(&path, "").unwrap();
        assert!(Mbox::open(&path).unwrap().next_mail().unwrap().is_none());
    }
}
