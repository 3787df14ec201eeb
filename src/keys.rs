//! The key files of `[[mail.dkim]]`: read once, and refused with a sentence where a mail would go out badly signed or the key lie
//! open. No sentence holds anything of a file's content.

use crate::message::Signer;
use crate::message::dkim::{Key, KeyError};
use crate::message::settings::Dkim;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
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
        "does not exist\n  help: the path starts from the configuration's folder; docs/dkim.md says how to make a key"
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
    /// The content.
    #[error(transparent)]
    Content(#[from] KeyError),
}

/// Reads the key of each table; paths start from `root`.
pub fn signer(tables: &[Dkim], root: &Path) -> Result<Signer, Error> {
    let keys = tables.iter().map(|table| {
        let path = root.join(&table.key);
        let key = read(&path).and_then(|pem| Ok(Key::parse(table, &pem)?));
        key.map_err(|problem| Error { path, problem })
    });
    Ok(Signer::new(keys.collect::<Result<_, _>>()?))
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
    file.by_ref().take(LARGEST).read_to_end(&mut pem).map_err(refused)?;
    Ok(pem)
}
