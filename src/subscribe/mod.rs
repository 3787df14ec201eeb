//! People come and go: the list as a file, the unsubscribe link, what they do on the web ([`desk`]) and ask by mail ([`by_mail`]), with
//! the letters that belong to it ([`letter`]).

pub mod by_mail;
pub mod desk;
pub mod letter;

use crate::config::Config;
use crate::post::Problem;
use crate::random::Random;
use crate::site;
use crate::store::subscribers::{SyncError, Synced};
use crate::store::{self, Store};
use crate::subscriber::file::{FileError, Rows};
use crate::token::{Keyring, Purpose};
use chrono::{DateTime, Utc};

/// Why the list could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there, empty, or cannot be read.
    #[error(
        "{path}: {why}\n  help: bring the list back, or run once with --accept-removals if everybody in it is to go"
    )]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
    /// The file's form.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file takes away too many.
    #[error("{path}: {why}")]
    Guard {
        /// Which file.
        path: String,
        /// Why.
        why: SyncError,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Syncs the list that is kept as a file. Rows that cannot be understood come back as Problems: whom they mean nobody knows, so
/// their people are absent until the row is mended, and the guard counts them.
pub fn sync_file(
    config: &Config,
    store: &Store,
    accept_removals: bool,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Option<(Synced, Vec<Problem>)>, Error> {
    let Some(file) = &config.subscribers.file else { return Ok(None) };
    let shown = file.display().to_string();
    let unreadable = |why: String| Error::Unreadable { path: shown.clone(), why };
    let source = match site::open_list(&config.path_of(file)) {
        Ok(source) => source,
        Err(why) => return Err(unreadable(why)),
    };
    let mut problems = Vec::new();
    let mut rows = Rows::open(source, &shown)?;
    let good = std::iter::from_fn(|| {
        loop {
            match rows.next()? {
                Ok(Ok(row)) => return Some(Ok(row)),
                Ok(Err(problem)) => problems.push(problem),
                Err(error) => return Some(Err(error)),
            }
        }
    });
    // An emptied file is a mistake, however short the list was, and also where the store that knew it is gone.
    let mut good = good.peekable();
    if good.peek().is_none() && !accept_removals && !store.list_was_emptied()? {
        return Err(unreadable("there is no subscriber in it: nothing was changed".to_owned()));
    }
    let synced = store.sync_subscribers(good, accept_removals, random, now);
    match synced {
        Ok(synced) => Ok(Some((synced, problems))),
        Err(SyncError::File(error)) => Err(error.into()),
        Err(SyncError::Store(error)) => Err(error.into()),
        Err(why @ SyncError::TooMany { .. }) => Err(Error::Guard { path: shown, why }),
    }
}

/// What an unsubscribe link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It is not one of ours.
    NotOurs,
    /// It belongs to this person's subscription, masked for the page.
    Person {
        /// Their id.
        id: String,
        /// Their address, masked.
        masked: String,
        /// BCP 47: the language that they chose.
        language: Option<String>,
    },
}

/// Whom a link belongs to. Changes nothing (P9).
pub fn who_leaves(store: &Store, keyring: &Keyring, token: &str) -> Result<Leaving, store::Error> {
    let Some(id) = keyring.verify(Purpose::Unsubscribe, token) else { return Ok(Leaving::NotOurs) };
    Ok(match store.subscriber(&id)? {
        // Signed by us, but nobody is left of that id: they are not subscribed, which is what they want.
        None => Leaving::Person { id, masked: String::new(), language: None },
        Some(subscriber) => {
            Leaving::Person { id, masked: subscriber.row.address.masked(), language: subscriber.row.language }
        }
    })
}

/// One person leaves; doing it again changes nothing.
pub fn leave(
    store: &Store,
    keyring: &Keyring,
    token: &str,
    how: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Leaving, store::Error> {
    let leaving = who_leaves(store, keyring, token)?;
    if let Leaving::Person { id, .. } = &leaving {
        store.unsubscribe(id, how, random, now)?;
    }
    Ok(leaving)
}
