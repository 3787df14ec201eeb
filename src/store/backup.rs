//! Backups of a SQLite store, taken while it is in use, and what it takes to go on with one: nobody knows what happened between it
//! and now, so whatever may have been sent in that time waits for a person (P1).

use super::sql::{Connection, Write};
use super::{ARRIVING, Error, MOVED, Mode, Place, Store, WITHDRAW, meta, set_meta, time};
use crate::post::PostId;
use chrono::{DateTime, Utc};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The note of a backup: when it was taken.
const TAKEN: &str = "backup";
/// The note of a store that was brought back: editions whose time had come by then are not sent unasked.
const RESTORED: &str = "restored";

/// A store that was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was taken; None for one of another making.
    pub taken: Option<DateTime<Utc>>,
    /// Editions that were on their way then, and are held now.
    pub held: Vec<String>,
    /// Letters that waited then, and were withdrawn: they may have been sent.
    pub withdrawn: u64,
    /// People of whom the store that was replaced knew that they left or must not be mailed.
    pub carried_over: u64,
    /// Where that store is kept.
    pub aside: Option<PathBuf>,
    /// Whether it could not be read, so that nobody knows who left since the backup.
    pub unreadable: bool,
}

impl Store {
    /// Writes all of the store into a file of its own, whole or not at all, while others go on working with it. Its size in octets.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for PostgreSQL, which has `pg_dump`.
    pub fn backup(&self, to: &Path, now: DateTime<Utc>) -> Result<u64, Error> {
        let Some(own) = self.place().file() else {
            return Err(Error::Unavailable(
                "a PostgreSQL store is backed up by `pg_dump`; once it is back, `postrider store restore` without a file holds what may have been sent since"
                    .to_owned(),
            ));
        };
        // Behind a link is what is meant.
        let to = to.canonicalize().unwrap_or_else(|_| to.to_owned());
        may_be_replaced(own, &to)?;
        let unfinished = beside(&to, ".unfinished");
        let written = self.copy_to(&unfinished, now).and_then(|()| replace(&unfinished, &to));
        if written.is_err() {
            remove(&unfinished);
        }
        written
    }

    fn copy_to(&self, path: &Path, now: DateTime<Utc>) -> Result<(), Error> {
        remove(path);
        let opened = Connection::sqlite(path);
        let opened =
            opened.map_err(|error| Error::Unavailable(format!("{} cannot be written: {error}", path.display())))?;
        let mut copy = opened.known_as(path.display().to_string());
        copy.copy_all_of(&self.connection())?;
        set_meta(&mut copy, TAKEN, &now.timestamp_millis().to_string())?;
        whole(&mut copy)
    }

    /// Holds whatever may have been sent since this state was that of the store, and lets editions whose time has come by `now` wait
    /// for `approve`.
    pub fn hold_since_backup(&self, now: DateTime<Utc>) -> Result<Restored, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let taken = meta(c, TAKEN)?.and_then(|taken| taken.parse().ok()).map(time).transpose()?;
            let on_their_way = c.query("SELECT id FROM editions WHERE state = 'open' ORDER BY number", &[])?;
            let held = on_their_way.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
            c.execute("UPDATE editions SET state = 'held' WHERE state = 'open'", &[])?;
            // What waits for its posts alone would go by itself.
            c.execute("UPDATE editions SET approved = NULL WHERE state = 'waiting'", &[])?;
            let letters = format!(
                "UPDATE deliveries SET {WITHDRAW} WHERE edition IS NULL AND state IN ('queued', 'uncertain', 'sending')"
            );
            let withdrawn = c.execute(&letters, &[])?;
            c.execute("DELETE FROM meta WHERE key IN ($1, $2)", &[MOVED.into(), ARRIVING.into()])?;
            set_meta(c, RESTORED, &now.timestamp_millis().to_string())?;
            Ok(Restored { taken, held, withdrawn, ..Restored::default() })
        })
    }

    /// Takes over from another state of the same store who left, and who must not be mailed; how many are news here.
    fn carry_over(&self, other: &Store) -> Result<u64, Error> {
        let mut c = other.connection();
        if meta(&mut c, "salt")? != meta(&mut self.connection(), "salt")? {
            // Another store's hashes name nobody here.
            return Ok(0);
        }
        let left =
            c.query("SELECT hash, changed FROM subscribers WHERE status = 'unsubscribed' AND decided = 'person'", &[])?;
        let barred = c.query("SELECT hash, address, reason, at FROM suppressions", &[])?;
        drop(c);
        self.connection().transaction(Write::Alone, |c| {
            let mut news = HashSet::new();
            for row in left {
                let hash = row.text(0)?;
                let sql = "UPDATE subscribers SET status = 'unsubscribed', decided = 'person', paused_until = NULL, changed = $2 \
                     WHERE hash = $1 AND status <> 'unsubscribed'";
                if c.execute(sql, &[hash.as_str().into(), row.int(1)?.into()])? > 0 {
                    news.insert(hash);
                }
            }
            for row in barred {
                let hash = row.text(0)?;
                let sql = "INSERT INTO suppressions (hash, address, reason, delivery, at) VALUES ($1, $2, $3, NULL, $4) ON CONFLICT DO NOTHING";
                let values =
                    [hash.as_str().into(), row.maybe_text(1)?.into(), row.text(2)?.into(), row.int(3)?.into()];
                if c.execute(sql, &values)? > 0 {
                    news.insert(hash);
                }
            }
            Ok(news.len() as u64)
        })
    }
}

/// Whether an edition of that slot, or one of its posts, may have been sent by the store that a backup replaced.
pub(super) fn may_be_sent_already(
    c: &mut Connection,
    slot: Option<DateTime<Utc>>,
    posts: &[PostId],
) -> Result<bool, Error> {
    let Some(restored) = meta(c, RESTORED)?.and_then(|restored| restored.parse::<i64>().ok()) else { return Ok(false) };
    if slot.is_some_and(|slot| slot.timestamp_millis() <= restored) {
        return Ok(true);
    }
    for post in posts {
        let sql = "SELECT 1 FROM posts WHERE id = $1 AND published <= $2";
        if c.query_one(sql, &[post.0.as_str().into(), restored.into()])?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts a backup into the place of a store. The one that is there, however damaged, is kept beside it; who left it stays gone.
///
/// # Errors
/// Nothing is changed where the backup cannot be read, is of a newer version, or somebody is delivering.
pub fn restore(place: &Place, from: &Path, now: DateTime<Utc>) -> Result<Restored, Error> {
    let Some(path) = place.file() else {
        return Err(Error::Unavailable(
            "a backup's file is brought back to a SQLite store alone\n  help: bring PostgreSQL back by `pg_restore`, then say `postrider store restore` without a file".to_owned(),
        ));
    };
    let there = Place::File(from.to_owned());
    there.must_exist().map_err(|_| Error::Unavailable(format!("there is no backup at {}", from.display())))?;
    let coming = beside(path, ".restoring");
    let done = bring_back(place, path, &there, &coming, now);
    remove(&coming);
    done
}

fn bring_back(place: &Place, path: &Path, there: &Place, coming: &Path, now: DateTime<Utc>) -> Result<Restored, Error> {
    remove(coming);
    {
        let source = there.connect()?;
        let mut copy = Connection::sqlite(coming)?.known_as(coming.display().to_string());
        copy.copy_all_of(&source)?;
        whole(&mut copy.known_as(there.shown()))?;
    }
    let new = Store::open(&Place::File(coming.to_owned()), Mode::Reclaim).map_err(|error| match error {
        Error::Missing(_) | Error::Corrupt(_) => Error::Corrupt(format!("{} is no backup of a store", there.shown())),
        other => other,
    })?;
    let mut restored = new.hold_since_backup(now)?;
    if path.exists() {
        let aside = free_name(&beside(path, &format!(".before-{}", now.format("%Y%m%dT%H%M%SZ"))));
        match rescue(place, &new, &aside, now) {
            Ok(carried_over) => restored.carried_over = carried_over,
            // Not all of it can be read: it goes as it is.
            Err(Error::Corrupt(_)) => {
                restored.unreadable = true;
                for suffix in ["", "-wal", "-shm"] {
                    let (from, to) = (beside(path, suffix), beside(&aside, suffix));
                    match fs::rename(&from, to) {
                        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(refused(&from, &e)),
                        _ => {}
                    }
                }
            }
            Err(other) => return Err(other),
        }
        restored.aside = Some(aside);
    }
    // SQLite replaces what is there in one transaction: whoever has it open sees the one or the other.
    let mut store = place.connect()?;
    store.copy_all_of(&new.connection())?;
    store.settle_in()?;
    Ok(restored)
}

/// Keeps the store that is to be replaced, and takes over from it who left; how many.
fn rescue(place: &Place, new: &Store, aside: &Path, now: DateTime<Utc>) -> Result<u64, Error> {
    let old = Store::open(place, Mode::Reclaim)?;
    if old.under_way()? {
        return Err(Error::Unavailable(
            "somebody is delivering from the store that is there\n  help: stop run, work and serve first".to_owned(),
        ));
    }
    let carried_over = new.carry_over(&old)?;
    old.backup(aside, now)?;
    Ok(carried_over)
}

/// An error where something is there that is no backup: the store itself, a file of somebody's, a device.
fn may_be_replaced(own: &Path, to: &Path) -> Result<(), Error> {
    let no = |what: &str| Err(Error::Unavailable(format!("{} {what}\n  help: name another file", to.display())));
    if ["", "-wal", "-shm", "-journal"].iter().any(|suffix| beside(own, suffix) == to) {
        return no("is the store itself");
    }
    let Ok(there) = fs::metadata(to) else { return Ok(()) };
    let mut head = [0; 16];
    let read = there.is_file() && File::open(to).and_then(|mut file| file.read_exact(&mut head)).is_ok();
    match read && &head == b"SQLite format 3\0" {
        true => Ok(()),
        false => no("is there already, and is no backup"),
    }
}

/// That name, or with a number where it is taken.
fn free_name(path: &Path) -> PathBuf {
    let names = (2..).map(|number| beside(path, &format!("-{number}")));
    let mut names = std::iter::once(path.to_owned()).chain(names);
    names.find(|name| !name.exists()).unwrap_or_else(|| path.to_owned())
}

/// Whether all of it can be read.
fn whole(c: &mut Connection) -> Result<(), Error> {
    match c.query_one("PRAGMA quick_check(1)", &[])?.map(|row| row.text(0)).transpose()?.as_deref() {
        Some("ok") => Ok(()),
        said => Err(Error::Corrupt(said.unwrap_or("it cannot be checked").to_owned())),
    }
}

/// Gives a finished file its name, durably.
pub(super) fn replace(unfinished: &Path, to: &Path) -> Result<u64, Error> {
    let named = || -> std::io::Result<u64> {
        let file = File::open(unfinished)?;
        file.sync_all()?;
        fs::rename(unfinished, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(file.metadata()?.len())
    };
    named().map_err(|e| refused(to, &e))
}

fn refused(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{} cannot be written: {error}", path.display()))
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What an earlier attempt may have left.
pub(super) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(beside(path, suffix));
    }
}
