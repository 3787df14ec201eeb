//! The key files of `[[mail.dkim]]`: read once, and refused with a sentence where a mail would go out badly signed or the key lie
//! open. No sentence holds anything of a file's content.

use crate::message::Signer;
use crate::message::dkim::{self, Algorithm, Key, KeyError};
use crate::message::settings::Dkim;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An RSA key of 4096 bits has 3.3 KB; a file beyond this is something else.
const LARGEST: u64 = 64 << 10;

/// A key file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mail.dkim: the key {} {problem}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub problem: Problem,
}

/// What can be wrong with a key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing there.
    #[error(
        "does not exist\n  help: the path starts from the configuration's folder; `postrider keys` makes the keys that are missing"
    )]
    Missing,
    /// A folder, a pipe, a device.
    #[error("is not a file\n  help: name the file itself in `key`")]
    NotAFile,
    /// Far too large.
    #[error("is larger than 64 KiB\n  help: name a file that holds one private key and nothing else")]
    TooLarge,
    /// Others on the machine could sign in our name.
    #[error("can be read by others (mode {mode:03o})\n  help: chmod 600 it")]
    Open {
        /// The permission bits.
        mode: u32,
    },
    /// The system refused.
    #[error("cannot be read: {why}\n  help: it must belong to the user that runs Postrider")]
    Unreadable {
        /// The system's words.
        why: String,
    },
    /// A new one.
    #[error("cannot be made: {why}\n  help: choose a folder in which this user may write")]
    NotMade {
        /// The system's words.
        why: String,
    },
    /// The content.
    #[error(transparent)]
    Content(#[from] KeyError),
}

/// Reads the key of each table; paths start from `root`.
pub fn signer(tables: &[Dkim], root: &Path) -> Result<Signer, Error> {
    let keys = tables.iter().map(|table| key(table, &root.join(&table.key)));
    Ok(Signer::new(keys.collect::<Result<_, _>>()?))
}

/// Reads the key of a table from its file.
pub fn key(table: &Dkim, path: &Path) -> Result<Key, Error> {
    let key = read(path).and_then(|pem| Ok(Key::parse(table, &pem)?));
    key.map_err(|problem| Error { path: path.to_owned(), problem })
}

/// Makes a key file that nobody else can read, and its folder likewise. False where there is a file already: it stays as it is.
pub fn make(path: &Path, algorithm: Algorithm) -> Result<bool, Error> {
    let failed = |why: String| Error { path: path.to_owned(), problem: Problem::NotMade { why } };
    if path.exists() {
        return Ok(false);
    }
    let pem = dkim::make(algorithm).map_err(|_| failed("the library makes none".to_owned()))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| failed(e.to_string()))?;
    }
    // Whole or not at all: half a key would be taken for a damaged one.
    let unfinished = path.with_extension("unfinished");
    let _ = fs::remove_file(&unfinished);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).and_then(|mut file| {
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, it takes no other's place.
        fs::hard_link(&unfinished, path)
    });
    let _ = fs::remove_file(&unfinished);
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let refused = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Problem::Missing,
        _ => Problem::Unreadable { why: e.to_string() },
    };
    // Before it is opened: opening a pipe would wait for its writer.
    let seen = fs::metadata(path).map_err(refused)?;
    if !seen.is_file() {
        return Err(Problem::NotAFile);
    }
    let mut file = File::open(path).map_err(refused)?;
    let opened = file.metadata().map_err(refused)?;
    if opened.mode() & 0o077 != 0 {
        return Err(Problem::Open { mode: opened.mode() & 0o777 });
    }
    if opened.len() > LARGEST {
        return Err(Problem::TooLarge);
    }
    let mut pem = Vec::with_capacity(opened.len() as usize);
    Read::by_ref(&mut file).take(LARGEST).read_to_end(&mut pem).map_err(refused)?;
    Ok(pem)
}
