//! The store: what Postrider remembers. One SQL text for a SQLite file and for PostgreSQL.
//!
//! * [`sql`] alone knows the drivers and what differs between them.
//! * [`posts`], [`feeds`], [`pings`], [`subscribers`], [`editions`], [`pages`], [`awaited`], [`letters`], [`consents`], [`moves`], [`bounces`], [`erasure`], [`backup`], [`copying`], [`retention`], [`announcements`] are the tables by subject; [`numbers`], [`figures`] and [`story`] read
//!   them for people.
//! * [`ledger`] is what delivery works on: claim, begin, settle, recover.
//! * [`lock`] tells who is alive; [`checkpoint`] what a store holds that is carried from machine to machine.
//!
//! The database decides races: by constraints, guarded updates and the number of rows that they changed. Time comes in as a
//! parameter. An unreadable store is an error, never a first run (P6).

pub mod announcements;
pub mod answers;
pub mod awaited;
pub mod backup;
pub mod bounces;
pub mod checkpoint;
pub mod consents;
pub mod copying;
pub mod editions;
pub mod erasure;
pub mod feeds;
pub mod figures;
pub mod ledger;
pub mod letters;
pub mod lock;
pub mod moves;
pub mod numbers;
pub mod pages;
pub mod pings;
pub mod posts;
pub mod retention;
mod rows;
pub mod sql;
pub mod story;
pub mod subscribers;
mod takeover;

use crate::random::Random;
use crate::token::Keyring;
use chrono::{DateTime, Utc};
use sql::{Connection, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// The migrations, in order. Never changed once released; a new one is a new file.
const MIGRATIONS: [&str; 16] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
    include_str!("migrations/0008.sql"),
    include_str!("migrations/0009.sql"),
    include_str!("migrations/0010.sql"),
    include_str!("migrations/0011.sql"),
    include_str!("migrations/0012.sql"),
    include_str!("migrations/0013.sql"),
    include_str!("migrations/0014.sql"),
    include_str!("migrations/0015.sql"),
    include_str!("migrations/0016.sql"),
];

/// What becomes of a delivery that waits when it is withdrawn. One that may have been taken already is not called cancelled.
const WITHDRAW: &str = "state = CASE WHEN state = 'uncertain' OR resends > 0 THEN 'held' ELSE 'cancelled' END, worker = NULL, lease = NULL";
/// Puts a delivery that was at its end back into the queue: in doubt only where its last try is.
const ONCE_MORE: &str = "state = CASE WHEN (SELECT a.outcome FROM attempts a WHERE a.delivery = deliveries.id \
     AND a.number = deliveries.attempts) = 'unknown' THEN 'uncertain' ELSE 'queued' END";

/// What is wrong with a file that holds nothing.
const EMPTY: &str = "it is there and empty, as a full disk or a copy cut short leaves it";

/// The note of a store that was copied to another database: which one.
const MOVED: &str = "moved";
/// The note of a store that such a copy is about to become: of which one. It goes once that one is closed.
const ARRIVING: &str = "arriving";

/// Why the store cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, opened or written.
    #[error("{0}")]
    Unavailable(String),
    /// There is none, and the configuration says that there must be.
    #[error(
        "there is no store at {0}, and store.must_exist is true: nothing was done, since without it nobody knows who got what\n  help: bring the store back; only for a first run set must_exist = false"
    )]
    Missing(String),
    /// It was written by a later version.
    #[error(
        "the store is of version {found}, this program knows versions up to {known}\n  help: use the newer Postrider that wrote it"
    )]
    NewerSchema {
        /// The store's.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It was copied to another database, which is the one to use.
    #[error(
        "the store {from} was moved to {to}: nothing was done, or people would be mailed from both\n  help: set store.url to that one; if this one is to go on after all, say `postrider store restore`, which holds what the other may have sent"
    )]
    Moved {
        /// The one that was left.
        from: String,
        /// The one that knows what happened since.
        to: String,
    },
    /// It is a copy of another, which may still be in use.
    #[error(
        "the store {to} is a copy of {from} that was not finished: nothing was done, or people would be mailed from both\n  help: say `postrider store copy` again, from there to here; if there is nothing there any more, `postrider store restore` goes on with this one, and holds what the other may have sent"
    )]
    Arriving {
        /// The one that it is a copy of.
        from: String,
        /// This one.
        to: String,
    },
    /// It is not a store, or is damaged.
    #[error("{0}\n  help: restore the store from a backup; do not delete it, or nobody knows who got what")]
    Corrupt(String),
    /// The database refused: somebody else was first.
    #[error("{0}")]
    Conflict(String),
    /// A row that was ours is somebody else's now.
    #[error("{0}")]
    Lost(String),
    /// The configuration's secret is not the one that signed the links of earlier mails.
    #[error("{0}")]
    Secret(String),
}

/// Where the store is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL server's URL.
    Server(String),
    /// In memory: for `plan` where there is no store yet, and for tests.
    Memory,
}

/// An open store.
pub struct Store {
    place: Place,
    connection: Mutex<Connection>,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A missing store is made.
    Create,
    /// A missing store is an error.
    MustExist,
    /// Nothing that is written is kept, and a missing store is not made: for `plan`.
    Rehearse,
    /// A missing store is an error; one that was moved away is opened all the same: to go on with it.
    Reclaim,
}

impl Place {
    /// Reads `store.url`; files are relative to `root`.
    pub fn parse(url: &str, root: &Path) -> Result<Place, Error> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Place::File(root.join(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Place::Server(url.to_owned())),
            _ => Err(Error::Unavailable(
                "store.url is neither sqlite:FILE nor postgres://…\n  help: write url = \"sqlite:postrider.db\""
                    .to_owned(),
            )),
        }
    }

    /// For messages: without a password.
    pub fn shown(&self) -> String {
        match self {
            Place::File(path) => path.display().to_string(),
            Place::Server(url) => match url::Url::parse(url) {
                Ok(url) => format!("postgres://{}{}", url.host_str().unwrap_or_default(), url.path()),
                Err(_) => "postgres".to_owned(),
            },
            Place::Memory => "memory".to_owned(),
        }
    }

    /// An error where the file is not there; a server says so when it is asked.
    pub fn must_exist(&self) -> Result<(), Error> {
        match self.file().is_some_and(|path| !path.exists()) {
            true => Err(Error::Missing(self.shown())),
            false => Ok(()),
        }
    }

    fn file(&self) -> Option<&Path> {
        match self {
            Place::File(path) => Some(path),
            _ => None,
        }
    }

    /// The file without links on the way: the locks beside it must be the same for all who open it.
    fn canonical(self) -> Place {
        match self {
            Place::File(path) => Place::File(path.canonicalize().unwrap_or(path)),
            other => other,
        }
    }

    fn connect(&self) -> Result<Connection, Error> {
        let connection = match self {
            Place::File(path) => Connection::sqlite(path),
            Place::Server(url) => Connection::postgres(url),
            Place::Memory => Connection::memory(),
        };
        connection.map(|c| c.known_as(self.shown())).map_err(|e| self.named(e))
    }

    /// Says which store it is that cannot be used.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Unavailable(why) => Error::Unavailable(format!("the store {} cannot be used: {why}", self.shown())),
            Error::Corrupt(why) => Error::Corrupt(format!("the store {}: {why}", self.shown())),
            other => other,
        }
    }
}

impl Store {
    /// Opens the store, and brings its schema up to date.
    pub fn open(place: &Place, mode: Mode) -> Result<Store, Error> {
        let place = match (mode, place.must_exist()) {
            (Mode::MustExist | Mode::Reclaim, Err(missing)) => return Err(missing),
            (Mode::Rehearse, Err(_)) => Place::Memory,
            _ => place.clone(),
        };
        if let (Mode::Create, Some(path)) = (mode, place.file()) {
            begin(path).map_err(|e| place.named(e))?;
        }
        let was_there = place.file().is_some_and(Path::exists);
        let mut connection = place.connect()?;
        if mode == Mode::Rehearse {
            connection.rehearse()?;
        }
        let known = MIGRATIONS.len() as i64;
        match version(&mut connection).map_err(|e| place.named(e))? {
            Some(found) if found > known => return Err(Error::NewerSchema { found, known }),
            Some(found) if found == known => {}
            // Nobody's first store: that gets its name when it is whole.
            None if was_there => return Err(place.named(Error::Corrupt(EMPTY.to_owned()))),
            None if matches!(mode, Mode::MustExist | Mode::Reclaim) => return Err(Error::Missing(place.shown())),
            _ => migrate(&mut connection).map_err(|e| place.named(e))?,
        }
        if mode != Mode::Rehearse {
            connection.settle_in()?;
        }
        // Last: a copy sees from then on that somebody is here, and before that has ended.
        if mode != Mode::Reclaim {
            in_service(&mut connection, &place)?;
        }
        Ok(Store { place: place.canonical(), connection: Mutex::new(connection) })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A poisoned lock is taken over: whatever panicked was rolled back by the database.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The connection, with room for a transaction that writes a row for each reader.
    fn for_many(&self) -> Result<MutexGuard<'_, Connection>, Error> {
        let mut connection = self.connection();
        // SQLite sorts the readers in as much again.
        connection.make_room(20)?;
        Ok(connection)
    }

    /// The keys for links: the configuration's secrets, else the one that the store minted. Refuses a first secret that is
    /// not the one the store knows, since every link in every mail already sent would break.
    pub fn keyring(&self, secrets: &[String], random: &Random) -> Result<Keyring, Error> {
        let mut connection = self.connection();
        connection.transaction(Write::Alone, |c| {
            if secrets.is_empty() {
                if meta(c, "secret_fingerprint")?.is_some() {
                    return Err(Error::Secret("subscribers.secret is missing, and the store knows links that were signed with it\n  help: set subscribers.secret to the value it had".to_owned()));
                }
                return Ok(Keyring::new(&[mint(c, "secret", random)?]));
            }
            let keyring = Keyring::new(secrets);
            let first = keyring.fingerprints().next().unwrap_or_default().to_owned();
            let minted = meta(c, "secret")?.map(|secret| Keyring::new(&[secret]));
            let minted = minted.as_ref().and_then(|k| k.fingerprints().next()).map(str::to_owned);
            match meta(c, "secret_fingerprint")?.or(minted) {
                Some(known) if known == first => {}
                Some(known) if !keyring.fingerprints().any(|f| f == known) => {
                    return Err(Error::Secret("subscribers.secret is not the one that signed the links in earlier mails\n  help: put the new secret first and the earlier one second: secret = [\"new\", \"old\"]".to_owned()));
                }
                Some(_) if in_flight(c)? => {
                    return Err(Error::Secret("subscribers.secret begins with a new secret while deliveries are under way, whose bytes would change\n  help: let them finish with the earlier secret first, or cancel their edition".to_owned()));
                }
                _ => set_meta(c, "secret_fingerprint", &first)?,
            }
            Ok(keyring)
        })
    }

    /// A value of the store's own notes.
    pub fn note(&self, key: &str) -> Result<Option<String>, Error> {
        meta(&mut self.connection(), key)
    }

    /// Replaces a value of the store's own notes.
    pub fn set_note(&self, key: &str, value: &str) -> Result<(), Error> {
        set_meta(&mut self.connection(), key, value)
    }
}

fn meta(c: &mut Connection, key: &str) -> Result<Option<String>, Error> {
    c.query_one("SELECT value FROM meta WHERE key = $1", &[key.into()])?.map(|row| row.text(0)).transpose()
}

fn set_meta(c: &mut Connection, key: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    c.execute(sql, &[key.into(), value.into()]).map(drop)
}

/// The store's own secret of that name, made at its first use.
fn mint(c: &mut Connection, key: &str, random: &Random) -> Result<String, Error> {
    // Mostly it is there: who only reads waits for no writer, nor for the generator to be seeded.
    if let Some(value) = meta(c, key)? {
        return Ok(value);
    }
    let fresh = crate::random::base32(&random.bytes::<32>());
    c.execute(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
        &[key.into(), fresh.as_str().into()],
    )?;
    meta(c, key)?.ok_or_else(|| Error::Corrupt(format!("the store lost its {key}")))
}

fn in_flight(c: &mut Connection) -> Result<bool, Error> {
    Ok(c.query_one("SELECT id FROM deliveries WHERE state IN ('queued', 'uncertain', 'sending') LIMIT 1", &[])?
        .is_some())
}

/// The schema's version; None for an empty database. A database of somebody else's is refused.
fn version(c: &mut Connection) -> Result<Option<i64>, Error> {
    let tables = match c.is_sqlite() {
        true => "SELECT name FROM sqlite_master WHERE type = 'table'",
        false => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()",
    };
    let tables: Vec<String> = c.query(tables, &[])?.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    if !tables.iter().any(|t| t == "meta") {
        return match tables.is_empty() {
            true => Ok(None),
            false => Err(Error::Corrupt("it holds tables of another program".to_owned())),
        };
    }
    let version = meta(c, "version")?.and_then(|v| v.parse().ok());
    version.map(Some).ok_or_else(|| Error::Corrupt("it does not say its version".to_owned()))
}

/// Makes the first store of a file that is not there. It gets its name when it is whole, so that one without a word in it was cut
/// short by somebody else, and is no first run (P6).
fn begin(path: &Path) -> Result<(), Error> {
    let is_new = matches!(std::fs::symlink_metadata(path), Err(e) if e.kind() == std::io::ErrorKind::NotFound);
    let lock = backup::beside(path, ".begin");
    if !is_new {
        return Ok(());
    }
    // Where that cannot be written, nor can the store, and who opens it says why.
    let Ok(turn) = std::fs::File::create(&lock) else { return Ok(()) };
    let _ = turn.lock();
    let draft = backup::beside(path, ".new");
    let made = || -> Result<(), Error> {
        backup::remove(&draft);
        migrate(&mut Connection::sqlite(&draft)?)?;
        backup::replace(&draft, path).map(drop)
    };
    // Another process may have been faster.
    let done = if path.exists() { Ok(()) } else { made() };
    if done.is_err() {
        backup::remove(&draft);
    }
    let _ = std::fs::remove_file(&lock);
    done
}

fn migrate(c: &mut Connection) -> Result<(), Error> {
    c.transaction(Write::Alone, bring_up)
}

/// The migrations that a store has not seen, in a transaction of somebody's.
fn bring_up(c: &mut Connection) -> Result<(), Error> {
    // Asked again inside: another process may have migrated in the meantime.
    let done = version(c)?.unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done as usize) {
        c.batch(migration)?;
    }
    set_meta(c, "version", &MIGRATIONS.len().to_string())
}

/// An error where the store was copied to another database, or is itself a copy that was not finished.
fn in_service(c: &mut Connection, place: &Place) -> Result<(), Error> {
    if let Some(to) = meta(c, MOVED)? {
        return Err(Error::Moved { from: place.shown(), to });
    }
    match meta(c, ARRIVING)? {
        Some(from) => Err(Error::Arriving { from, to: place.shown() }),
        None => Ok(()),
    }
}

fn time(millis: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| Error::Corrupt(format!("{millis} is not a time")))
}
