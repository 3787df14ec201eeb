//! Mails as files of their own, and one on standard input: they are read and left where they are.

use super::{Error, Item, LONGEST, Place};
use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

pub(super) struct Loose {
    waiting: VecDeque<(String, PathBuf)>,
    given: Option<Vec<u8>>,
}

impl Loose {
    pub(super) fn file(path: &Path) -> Result<Loose, Error> {
        fs::metadata(path).map_err(|e| Error::file(path, e))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Loose { waiting: [(name, path.to_owned())].into(), given: None })
    }

    /// Its files, by name, without those of its folders.
    pub(super) fn folder(path: &Path) -> Result<Loose, Error> {
        let mut waiting = Vec::new();
        for entry in fs::read_dir(path).map_err(|e| Error::file(path, e))? {
            let entry = entry.map_err(|e| Error::file(path, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let mail = [".eml", ".msg", ".txt", ".mail"].iter().any(|ending| name.to_lowercase().ends_with(ending))
                || !name.contains('.');
            if mail && entry.path().is_file() {
                waiting.push((name, entry.path()));
            }
        }
        waiting.sort();
        Ok(Loose { waiting: waiting.into(), given: None })
    }

    pub(super) fn standard() -> Result<Loose, Error> {
        let mut bytes = Vec::new();
        let mut input = std::io::stdin().lock();
        let read = input.by_ref().take(LONGEST).read_to_end(&mut bytes);
        // A server that pipes a mail in wants to be read to the end.
        let read = read.and_then(|_| std::io::copy(&mut input, &mut std::io::sink()));
        read.map_err(|e| Error::file(Path::new("-"), e))?;
        Ok(Loose { waiting: VecDeque::new(), given: Some(bytes) })
    }

    pub(super) fn next_mail(&mut self) -> Result<Option<Item>, Error> {
        if let Some(bytes) = self.given.take() {
            return Ok(Some(Item { name: "-".to_owned(), bytes, place: Place::Nowhere }));
        }
        let Some((name, path)) = self.waiting.pop_front() else { return Ok(None) };
        Ok(Some(Item { name, bytes: super::read(&path)?, place: Place::Nowhere }))
    }
}
