//! A Maildir: one file a mail, moved by renaming. Its folders are those of Maildir++: `.Postrider.Done` beside `cur`.

use super::{Error, Item, Place};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) struct Maildir {
    folder: PathBuf,
    waiting: VecDeque<PathBuf>,
}

impl Maildir {
    pub(super) fn open(folder: &Path) -> Result<Maildir, Error> {
        let mut waiting = Vec::new();
        for part in ["new", "cur"] {
            let path = folder.join(part);
            let entries = fs::read_dir(&path)
                .map_err(|e| Error::file(&path, format!("{e}\n  help: a Maildir has the folders cur, new and tmp")))?;
            for entry in entries {
                let entry = entry.map_err(|e| Error::file(&path, e))?;
                if !entry.file_name().to_string_lossy().starts_with('.') && entry.path().is_file() {
                    waiting.push(entry.path());
                }
            }
        }
        // By name, which begins with the time of delivery.
        waiting.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
        Ok(Maildir { folder: folder.to_owned(), waiting: waiting.into() })
    }

    pub(super) fn next_mail(&mut self) -> Result<Option<Item>, Error> {
        while let Some(path) = self.waiting.pop_front() {
            match super::read(&path) {
                Ok(bytes) => {
                    let name = path.strip_prefix(&self.folder).unwrap_or(&path).display().to_string();
                    return Ok(Some(Item { name, bytes, place: Place::File(path) }));
                }
                // Another program moved it in the meantime.
                Err(_) if !path.exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    pub(super) fn dispose(&self, path: &Path, keep: Option<&str>) -> Result<(), Error> {
        let Some(folder) = keep else {
            return fs::remove_file(path).or_else(gone).map_err(|e| Error::file(path, e));
        };
        let folder = self.folder.join(format!(".{folder}"));
        for part in ["tmp", "new", "cur"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).map_err(|e| Error::file(&part, e))?;
        }
        // What makes a folder one, in Maildir++.
        let marker = folder.join("maildirfolder");
        if !marker.exists() {
            fs::write(&marker, "").map_err(|e| Error::file(&marker, e))?;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (unique, flags) = name.split_once(":2,").unwrap_or((&name, ""));
        let seen = if flags.contains('S') { flags.to_owned() } else { sorted(flags) };
        // Names are unique in one folder, not between `new`, `cur` and another: none may take another's place.
        let names = std::iter::once(unique.to_owned()).chain((2..).map(|n: u32| format!("{unique}-{n}")));
        for name in names {
            let to = folder.join("cur").join(format!("{name}:2,{seen}"));
            match moved(path, &to) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => {
                    let told = |e| Error::file(path, format!("cannot be moved to {}: {e}", to.display()));
                    return other.or_else(gone).map_err(told);
                }
            }
        }
        Ok(())
    }
}

/// Unlike a rename, it takes nothing's place; who is killed between the two steps leaves one mail under two names.
fn moved(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let number = |path: &Path| fs::metadata(path).map(|facts| (facts.dev(), facts.ino()));
            if number(from)? == number(to)? { fs::remove_file(from) } else { Err(error) }
        }
        // Not every disk can.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound || to.exists() => Err(error),
        Err(_) => fs::rename(from, to),
        Ok(()) => fs::remove_file(from),
    }
}

/// The flags with S (seen), in the order that the format wants.
fn sorted(flags: &str) -> String {
    let mut flags: Vec<char> = flags.chars().chain(['S']).collect();
    flags.sort_unstable();
    flags.into_iter().collect()
}

/// Somebody else has moved it.
fn gone(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
