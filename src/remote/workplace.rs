//! The folder of this machine in which a run has the store, readable, for as long as it lives: nobody else's, and gone with it. What a
//! run left there that was killed is cleared away by the next one here.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const PREFIX: &str = "postrider-";
/// Locked for as long as its run lives.
const LOCK: &str = "lock";

/// A run's own folder.
pub(super) struct Workplace {
    folder: PathBuf,
    _lock: File,
}

impl Workplace {
    /// Makes that of `run` in the folder for temporary files, and clears away those of runs that are gone.
    pub(super) fn make(run: &str) -> Result<Workplace, String> {
        let around = std::env::temp_dir();
        // `git` is called in other folders than this one.
        let around = std::path::absolute(&around).unwrap_or(around);
        let folder = around.join(format!("{PREFIX}{run}"));
        let made = make(&folder).map_err(|e| {
            format!(
                "{} cannot be made: {e}\n  help: set TMPDIR to a folder where this user may write",
                folder.display()
            )
        })?;
        // Another one's may be in use, or not ours to look into; it is in nobody's way.
        let _ = clear_up(&around, &made.folder);
        Ok(made)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// It gets its name when it is locked: whatever has such a name and is not locked was left behind.
fn make(folder: &Path) -> io::Result<Workplace> {
    let unnamed = folder.with_extension("new");
    DirBuilder::new().mode(0o700).create(&unnamed)?;
    let named = File::create_new(unnamed.join(LOCK)).and_then(|lock| {
        lock.lock()?;
        fs::rename(&unnamed, folder)?;
        Ok(Workplace { folder: folder.to_owned(), _lock: lock })
    });
    if named.is_err() {
        let _ = fs::remove_dir_all(&unnamed);
    }
    named
}

fn clear_up(around: &Path, own: &Path) -> io::Result<()> {
    let us = fs::symlink_metadata(own)?.uid();
    for entry in fs::read_dir(around)?.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let is_one = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(is_run);
        // Where all may write, somebody else may have put something of that name.
        let is_ours = || entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == us);
        if is_one && path != own && is_ours() && is_left(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

/// As [`crate::random::Random::id`] makes them.
fn is_run(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

/// Whether a run left it behind: all in it is of ours, and nobody has the lock.
fn is_left(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let is_ours =
        |name: &str| name == LOCK || name == "git" || name.starts_with("store.db") || name.starts_with("packed.db");
    let lock = folder.join(LOCK);
    entries.flatten().all(|entry| entry.file_name().to_str().is_some_and(is_ours))
        && fs::symlink_metadata(&lock).is_ok_and(|found| found.is_file())
        && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_left_behind_goes_and_nothing_else() {
        let around = tempfile::tempdir().unwrap();
        let at = |name: &str| around.path().join(name);
        let own = make(&at("postrider-aaaaaaaaaaaaaaaa")).unwrap();
        let living = make(&at("postrider-bbbbbbbbbbbbbbbb")).unwrap();
        let left = |name: &str| {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join(LOCK), "").unwrap();
            fs::write(at(name).join("store.db"), "people").unwrap();
        };
        for name in [
            "postrider-cccccccccccccccc",
            "postrider-notes",
            "elsewhere-cccccccccccccccc",
            "postrider-CCCCCCCCCCCCCCCC",
        ] {
            left(name);
        }
        fs::create_dir(at("postrider-dddddddddddddddd")).unwrap();
        left("postrider-ffffffffffffffff");
        fs::write(at("postrider-ffffffffffffffff").join("diary.txt"), "mine").unwrap();
        symlink(at("postrider-notes"), at("postrider-eeeeeeeeeeeeeeee")).unwrap();
        clear_up(around.path(), own.path()).unwrap();
        let there = || -> BTreeSet<String> {
            let entries = fs::read_dir(around.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let all = [
            "elsewhere-cccccccccccccccc",
            "postrider-CCCCCCCCCCCCCCCC",
            "postrider-aaaaaaaaaaaaaaaa",
            "postrider-bbbbbbbbbbbbbbbb",
            "postrider-dddddddddddddddd",
            "postrider-eeeeeeeeeeeeeeee",
            "postrider-ffffffffffffffff",
            "postrider-notes",
        ];
        assert_eq!(there(), all.map(str::to_owned).into());
        assert!(at("postrider-notes").join("store.db").exists());
        drop(living);
        assert!(!there().contains("postrider-bbbbbbbbbbbbbbbb"));
    }
}
