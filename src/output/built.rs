//! A file that was built, to be served: found below its folder and nowhere else.

use chrono::{DateTime, TimeDelta, Utc};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Larger files are served by whoever serves the site: each client that reads slowly holds one in memory.
const LARGEST: u64 = 16 * 1024 * 1024;

/// File systems tell no two moments apart that are less than this apart.
const TICK: TimeDelta = TimeDelta::seconds(2);

/// What is known of a file before it is read. A file that was replaced or written to has another, unless both happened within the file
/// system's tick (see [`Stamp::is_settled`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was last written, in whole seconds.
    pub modified: DateTime<Utc>,
    /// In octets.
    pub length: u64,
    device: u64,
    inode: u64,
    /// Nanoseconds of the epoch.
    written: i128,
    /// Nanoseconds of the epoch: also where its times were set back, as copying does.
    changed: i128,
}

impl Stamp {
    fn of(known: &Metadata) -> Option<Self> {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Some(Stamp {
            modified: DateTime::from_timestamp(known.mtime(), 0)?,
            length: known.len(),
            device: known.dev(),
            inode: known.ino(),
            written: nanoseconds(known.mtime(), known.mtime_nsec()),
            changed: nanoseconds(known.ctime(), known.ctime_nsec()),
        })
    }

    /// Whether a later change is sure to show in the stamp; only then does the stamp say that the file is as it was.
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        let known = now - TICK;
        let known = i128::from(known.timestamp()) * 1_000_000_000 + i128::from(known.timestamp_subsec_nanos());
        self.written.max(self.changed) < known
    }

    /// Whether no later change can bear the same [`Stamp::modified`].
    pub fn is_dated(&self, now: DateTime<Utc>) -> bool {
        self.modified < now - TICK
    }
}

/// The stamp of the file at `path` (with `/` between its parts) below `root`; none where there is no such file, or where it lies
/// elsewhere by a symbolic link.
pub fn stamp(root: &Path, path: &str) -> Option<Stamp> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']);
    if !path.split('/').all(plain) {
        return None;
    }
    let file = root.join(path).canonicalize().ok()?;
    let there = file.starts_with(root.canonicalize().ok()?);
    let known = fs::metadata(&file).ok().filter(|known| there && known.is_file() && known.len() <= LARGEST)?;
    Stamp::of(&known)
}

/// Whether the file that is now found at a path that had this stamp is the same one, untouched.
pub fn still_has(root: &Path, path: &str, stamp: &Stamp) -> bool {
    fs::metadata(root.join(path)).ok().and_then(|known| Stamp::of(&known)).as_ref() == Some(stamp)
}

/// The file's octets, once it has a stamp.
pub fn bytes(root: &Path, path: &str) -> Option<Vec<u8>> {
    stamp(root, path).and_then(|_| fs::read(root.join(path)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("public");
        fs::create_dir_all(root.join("tag/a")).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        for name in ["rss.xml", "tag/a/rss.xml", ".hidden"] {
            fs::write(root.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
        assert_eq!(bytes(&root, "tag/a/rss.xml").as_deref(), Some(&b"tag/a/rss.xml"[..]));
        assert_eq!(stamp(&root, "rss.xml").unwrap().length, 7);
        for bad in [
            "",
            "/",
            "tag",
            "tag/../rss.xml",
            "../secret",
            "link",
            ".hidden",
            "tag//a/rss.xml",
            "/etc/passwd",
            "rss.xml\0",
            "..\\secret",
        ] {
            assert_eq!(stamp(&root, bad), None, "{bad}");
        }
    }

    #[test]
    fn every_change_shows_in_a_stamp_that_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let file = root.join("rss.xml");
        fs::write(&file, "one").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let date = || fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        date();
        let one = stamp(root, "rss.xml").unwrap();
        assert!(still_has(root, "rss.xml", &one) && one.modified.timestamp() == 1_000_000_000);
        // Replaced by one of the same length and date, as copying tools do.
        fs::write(root.join("other"), "two").unwrap();
        fs::rename(root.join("other"), &file).unwrap();
        date();
        let two = stamp(root, "rss.xml").unwrap();
        assert_eq!((one.modified, one.length), (two.modified, two.length));
        assert!(one != two && !still_has(root, "rss.xml", &one));
        // What was touched a moment ago may be touched again within the same tick.
        let changed = DateTime::from_timestamp_nanos(i64::try_from(two.changed).unwrap());
        assert!(!two.is_settled(changed + TICK) && two.is_settled(changed + TICK + TimeDelta::nanoseconds(1)));
        assert!(two.is_dated(changed) && !two.is_dated(two.modified + TICK));
    }
}
