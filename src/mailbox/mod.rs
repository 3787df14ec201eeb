//! Mailboxes that are read: a Maildir, an mbox file, a folder of mails, one mail, or IMAP. Mails come one by one; whoever reads them
//! says of each what becomes of it, once its effect is on the disk. So reading can end at any moment and begin again.
//!
//! What was not understood is kept: it goes to the folder `Postrider.Unread`.
//!
//! * `maildir`, `mbox`, `loose` are files. `imap` is a server, over a small runtime of its own.

mod imap;
mod loose;
mod maildir;
mod mbox;
mod source;

pub use source::{Server, Source, SourceError};

use crate::bounce::Handled;
use std::path::{Path, PathBuf};

/// The folder of mails that were understood.
pub const DONE: &str = "Postrider.Done";
/// The folder of those that were not.
pub const UNREAD: &str = "Postrider.Unread";

/// A mail that was read, and where it lies.
#[derive(Debug)]
pub struct Item {
    /// For people: the file, or the number.
    pub name: String,
    /// As it came; of a very long one the beginning.
    pub bytes: Vec<u8>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// RFC 9051 section 2.3.1.1.
    Uid(u32),
    /// Nothing is to be moved.
    Nowhere,
}

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It was understood.
    Done,
    /// It was not.
    Unread,
}

/// Why a mailbox cannot be read: what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// The IMAP server.
    #[error("{server}: {why}")]
    Server {
        /// Which.
        server: String,
        /// What it said, or what broke, and the remedy.
        why: String,
    },
}

impl Error {
    fn file(path: &Path, why: impl std::fmt::Display) -> Error {
        Error::File { path: path.display().to_string(), why: why.to_string() }
    }
}

/// A mail is read up to this length: bounces carry what they return, and what they say stands first.
const LONGEST: u64 = 1024 * 1024;

/// A mailbox, open.
pub struct Mailbox(Form);

enum Form {
    Files(maildir::Maildir),
    Loose(loose::Loose),
    Lines(mbox::Mbox),
    Server(Box<imap::Imap>),
}

impl Mailbox {
    /// Opens it. Relative files are below `root`; `password` is for a server.
    pub fn open(source: &Source, root: &Path, password: Option<&str>) -> Result<Mailbox, Error> {
        Ok(Mailbox(match source {
            Source::Maildir(folder) => Form::Files(maildir::Maildir::open(&root.join(folder))?),
            Source::Mbox(file) => Form::Lines(mbox::Mbox::open(&root.join(file))?),
            Source::Path(path) => Mailbox::of_path(&root.join(path))?,
            Source::Standard => Form::Loose(loose::Loose::standard()?),
            Source::Imap(server) => Form::Server(Box::new(imap::Imap::open(server, root, password)?)),
        }))
    }

    /// A path tells by itself what it is: a Maildir has `cur` and `new`, an mbox begins with `From `.
    fn of_path(path: &Path) -> Result<Form, Error> {
        if path.is_dir() {
            return Ok(match path.join("cur").is_dir() && path.join("new").is_dir() {
                true => Form::Files(maildir::Maildir::open(path)?),
                false => Form::Loose(loose::Loose::folder(path)?),
            });
        }
        Ok(match mbox::looks_like_one(path)? {
            true => Form::Lines(mbox::Mbox::open(path)?),
            false => Form::Loose(loose::Loose::file(path)?),
        })
    }

    /// The next mail; none where all were read.
    pub fn next_mail(&mut self) -> Result<Option<Item>, Error> {
        match &mut self.0 {
            Form::Files(maildir) => maildir.next_mail(),
            Form::Loose(loose) => loose.next_mail(),
            Form::Lines(mbox) => mbox.next_mail(),
            Form::Server(imap) => imap.next_mail(),
        }
    }

    /// Moves a mail away, once its effect is recorded. A mailbox of lines, and loose files, stay as they are: what was read is known by
    /// its bytes.
    pub fn dispose(&mut self, item: &Item, disposal: Disposal, handled: Handled) -> Result<(), Error> {
        let keep = match (disposal, handled) {
            (Disposal::Done, Handled::Delete) => None,
            (Disposal::Done, Handled::Move) => Some(DONE),
            (Disposal::Unread, _) => Some(UNREAD),
        };
        match (&mut self.0, &item.place) {
            (Form::Files(maildir), Place::File(path)) => maildir.dispose(path, keep),
            (Form::Server(imap), Place::Uid(uid)) => imap.dispose(*uid, keep),
            _ => Ok(()),
        }
    }

    /// Ends it: a server is told goodbye.
    pub fn close(self) {
        if let Form::Server(imap) = self.0 {
            imap.close();
        }
    }
}

/// The beginning of a file.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|e| Error::file(path, e))?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|e| Error::file(path, e))?;
    Ok(bytes)
}
