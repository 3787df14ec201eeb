//! Feeds and mails onto the disk: a file is replaced whole or not at all, and what has not changed is not touched (P5).

pub mod built;
mod folder;
mod mark;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use folder::replace_folder;
pub use mark::{are_marked, mark};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It held these bytes already, and keeps its time of change.
    Unchanged,
    /// It is new, or holds new bytes.
    Written,
}

/// Why a file could not be read or replaced. It is never in part: it holds what it held, or all of the new.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is there but cannot be read.
    #[error("{} cannot be read: {source}; {}", path.display(), remedy(source, "read it"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {source}; {}", path.display(), remedy(source, "write to its folder"))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder that was to be made anew holds what we did not make.
    #[error("{} holds files that were not made by Postrider: nothing was written; name a folder that is new or empty", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
}

fn remedy(error: &io::Error, act: &str) -> String {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => return format!("let this user {act}"),
        ErrorKind::ReadOnlyFilesystem => "its disk is mounted for reading only: choose another folder",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on its disk and run again",
        ErrorKind::IsADirectory => "a folder stands where this file belongs: move it away or choose another path",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands where its folder belongs: move it away or choose another path"
        }
        _ => "check the path and its disk, and run again",
    };
    remedy.to_owned()
}

/// The bytes of the file at `path`; None where there is no file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Unreadable { path: path.to_owned(), source }),
    }
}

/// Makes the file at `path` hold `bytes`, durably; its folders are made where they are missing. At no moment is there
/// a part of it, and other processes may replace it at the same time: one of them is the last.
///
/// It keeps the mode it has; a new one gets 0644, less the umask.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<Change, Error> {
    let unwritable = |source| Error::Unwritable { path: path.to_owned(), source };
    let old = match fs::metadata(path) {
        Ok(old) if old.is_dir() => return Err(unwritable(ErrorKind::IsADirectory.into())),
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(error)),
    };
    // The length first: a file of another length need not be read.
    if old.as_ref().is_some_and(|old| old.len() == bytes.len() as u64) && read(path)?.as_deref() == Some(bytes) {
        return Ok(Change::Unchanged);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = draft_of(path, folder).map_err(unwritable)?;
    let mut file = open_alone(&draft, folder).map_err(unwritable)?;
    let written = (|| {
        file.write_all(bytes)?;
        // A leftover may have been longer.
        file.set_len(bytes.len() as u64)?;
        if let Some(old) = old {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    if let Err(error) = written {
        // Best effort: the failure to report is the first one, and the next run overwrites what stays.
        let _ = fs::remove_file(&draft);
        return Err(unwritable(error));
    }
    // The new name is durable only with its folder.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    Ok(Change::Written)
}

/// Takes the file at `path` away, if there is one.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(Error::Unwritable { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Where the bytes are put together: in the same folder, since a rename must not cross disks, and always under the same
/// name, so that what a crash left there is overwritten by the next run instead of staying for ever.
fn draft_of(path: &Path, folder: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(".postrider-tmp");
    Ok(folder.join(draft))
}

/// Opens the draft, for one writer at a time. A lock on the file rather than a process id in its name: ids are the
/// same in two containers that share a folder, and nobody knows whether that of a leftover is still alive.
fn open_alone(draft: &Path, folder: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(draft);
    loop {
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                open()?
            }
            opened => opened?,
        };
        match file.lock() {
            // Some network disks have no locks; there the last writer wins, as with any other program.
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        // While we waited, the one before may have renamed this very file into its place.
        let ours = file.metadata()?;
        if fs::metadata(draft).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_with_its_folders_and_replaced_only_where_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tag/日本/rss.xml");
        assert_eq!(read(&path).unwrap(), None);
        assert_eq!(replace(&path, b"one").unwrap(), Change::Written);
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_eq!(replace(&path, b"one").unwrap(), Change::Unchanged);
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.modified().unwrap(), after.ino()), (long_ago, before.ino()));
        assert_eq!(replace(&path, b"two").unwrap(), Change::Written);
        assert_eq!(replace(&path, b"").unwrap(), Change::Written);
        assert_eq!(replace(&path, b"").unwrap(), Change::Unchanged);
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(names(path.parent().unwrap()), ["rss.xml"]);
        for _ in 0..2 {
            remove(&path).unwrap();
            assert_eq!(read(&path).unwrap(), None);
        }
        let error = remove(dir.path()).unwrap_err().to_string();
        assert!(error.contains("cannot be written: "), "{error}");
    }

    #[test]
    fn the_mode_of_a_file_is_kept_and_a_new_one_can_be_served() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.json");
        replace(&path, b"1").unwrap();
        let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(mode() & 0o600, 0o600);
        assert_eq!(mode() & 0o133, 0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!(mode(), 0o664);
    }

    #[test]
    fn what_a_crash_left_is_overwritten_whole() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".rss.xml.postrider-tmp"), "half of something much longer").unwrap();
        replace(&dir.path().join("rss.xml"), b"new").unwrap();
        assert_eq!(read(&dir.path().join("rss.xml")).unwrap().unwrap(), b"new");
        assert_eq!(names(dir.path()), ["rss.xml"]);
    }

    #[test]
    fn errors_name_the_path_and_the_remedy_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("rss.xml")).unwrap();
        fs::write(at("file"), "").unwrap();
        for (path, expected) in [
            (
                "rss.xml",
                "cannot be written: is a directory; a folder stands where this file belongs: move it away or choose another path",
            ),
            (
                "file/rss.xml",
                "cannot be written: Not a directory (os error 20); a file stands where its folder belongs: move it away or choose another path",
            ),
        ] {
            let error = replace(&at(path), b"x").unwrap_err().to_string();
            assert_eq!(error, format!("{} {expected}", at(path).display()));
        }
        assert!(read(&at("rss.xml")).unwrap_err().to_string().contains("cannot be read"));
        assert!(replace(Path::new("/"), b"x").is_err());
        assert!(replace(Path::new(""), b"x").is_err());
        assert_eq!(names(dir.path()), ["file", "rss.xml"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_no_draft() {
        // Full for root as well.
        let full = Path::new("/dev/full");
        if full.exists() {
            let dir = tempfile::tempdir().unwrap();
            std::os::unix::fs::symlink(full, dir.path().join(".rss.xml.postrider-tmp")).unwrap();
            fs::write(dir.path().join("rss.xml"), "old").unwrap();
            let error = replace(&dir.path().join("rss.xml"), b"new one").unwrap_err();
            assert!(error.to_string().ends_with("; make room on its disk and run again"), "{error}");
            assert_eq!(read(&dir.path().join("rss.xml")).unwrap().unwrap(), b"old");
            assert_eq!(names(dir.path()), ["rss.xml"]);
        }
    }

    #[test]
    fn writers_at_the_same_time_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rss.xml");
        std::thread::scope(|scope| {
            for letter in b'a'..=b'd' {
                let path = &path;
                scope.spawn(move || {
                    for length in 1..40 {
                        replace(path, &vec![letter; length * 997]).unwrap();
                        let seen = read(path).unwrap().unwrap();
                        assert!(seen.iter().all(|byte| *byte == seen[0]) && seen.len().is_multiple_of(997));
                    }
                });
            }
        });
        assert_eq!(names(dir.path()), ["rss.xml"]);
    }
}
