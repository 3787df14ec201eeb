//! Subscribers and suppressions: who may be mailed.

use super::announcements::announce_person;
use super::rows::{Origin, put};
use super::sql::{Connection, Row, Write};
use super::{Error, Store, WITHDRAW, mint, time};
use crate::address::EmailAddress;
use crate::random::Random;
use crate::subscriber::{Choices, Suppression, file};
use crate::token::address_hash;
use chrono::{DateTime, Utc};

/// A subscriber as the store keeps them.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Random, never used again.
    pub id: String,
    /// What the file's columns say.
    pub row: file::Row,
    /// Where they came from: `file`, `cli`, `import`.
    pub source: String,
    /// When.
    pub added: DateTime<Utc>,
    /// Why they must not be mailed, where that is so.
    pub suppressed: Option<String>,
    /// Words of the list's owner about them.
    pub labels: Choices,
    /// Until when they are paused; none: until they say so.
    pub paused_until: Option<DateTime<Utc>>,
}

/// What one row of a list did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// A new person.
    New,
    /// Name, choices or state changed.
    Changed,
    /// All as it was.
    Same,
    /// The person left, or was erased: no row undoes that.
    Refused,
    /// Taken, but the address must not be mailed, and no row undoes that.
    Suppressed,
}

/// What a sync of the whole file did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Rows read.
    pub rows: u64,
    /// New people.
    pub new: u64,
    /// People whose row changed.
    pub changed: u64,
    /// People whose row has disappeared.
    pub removed: u64,
}

/// Why a sync was not done.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The file takes away too many.
    #[error(
        "it would take away {removed} of {before} subscribers: nothing was changed\n  help: if that is what you want, run once with --accept-removals"
    )]
    TooMany {
        /// How many rows disappeared.
        removed: u64,
        /// How many there were.
        before: u64,
    },
    /// The file ended in the middle.
    #[error(transparent)]
    File(#[from] file::FileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
}

const COLUMNS: &str = "s.id, s.address, s.name, s.language, s.digests, s.topics, s.status, s.source, s.added, \
     (SELECT p.reason FROM suppressions p WHERE p.hash = s.hash), s.labels, s.paused_until";

/// Whom the file's rows can take away. Not who left: their rows may go without a word, today and at every later sync.
const GOVERNED: &str = "FROM subscribers WHERE source = 'file' AND status IN ('active', 'paused', 'pending')";

impl Store {
    /// Adds or changes one person. `synced` marks the sync of a file; `decided` says who decided their state.
    pub fn add_subscriber(
        &self,
        row: &file::Row,
        source: &str,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Added, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let salt = mint(c, "salt", random)?;
            put(c, &salt, row, Origin::of(source, now), random, now)
        })
    }

    /// Adds or changes the people of a list, all or none.
    pub fn import(
        &self,
        rows: &[file::Row],
        source: &str,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Vec<Added>, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let salt = mint(c, "salt", random)?;
            rows.iter().map(|row| put(c, &salt, row, Origin::of(source, now), random, now)).collect()
        })
    }

    /// Makes the file's people what the file says, in one transaction; see DESIGN's guards: a file that takes away more than
    /// ten and more than a tenth changes nothing unless `accept_removals`. Hands out the new people's masked addresses.
    pub fn sync_subscribers(
        &self,
        rows: impl Iterator<Item = Result<file::Row, file::FileError>>,
        accept_removals: bool,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Synced, SyncError> {
        self.connection().transaction(Write::Alone, |c| {
            let salt = mint(c, "salt", random)?;
            let count = |c: &mut Connection, sql: &str, params: &[super::sql::Value]| -> Result<i64, Error> {
                c.query_one(sql, params)?.map_or(Ok(0), |row| row.int(0))
            };
            let before = count(c, &format!("SELECT COUNT(*) {GOVERNED}"), &[])?;
            let mark = count(c, "SELECT COALESCE(MAX(synced), 0) FROM subscribers", &[])? + 1;
            let mut synced = Synced::default();
            for row in rows {
                synced.rows += 1;
                match put(c, &salt, &row?, Origin { mark, ..Origin::of("file", now) }, random, now)? {
                    Added::New => synced.new += 1,
                    Added::Changed => synced.changed += 1,
                    Added::Same | Added::Refused | Added::Suppressed => {}
                }
            }
            synced.removed = count(c, &format!("SELECT COUNT(*) {GOVERNED} AND synced <> $1"), &[mark.into()])? as u64;
            let before = before as u64;
            if synced.removed > 10 && synced.removed * 10 > before && !accept_removals {
                return Err(SyncError::TooMany { removed: synced.removed, before });
            }
            let sql = format!(
                "UPDATE deliveries SET {WITHDRAW} WHERE state IN ('queued', 'uncertain') \
                 AND subscriber IN (SELECT id {GOVERNED} AND synced <> $1)"
            );
            c.execute(&sql, &[mark.into()])?;
            let sql = "UPDATE subscribers SET status = 'absent', changed = $2 \
                 WHERE source = 'file' AND status IN ('active', 'paused', 'pending') AND synced <> $1";
            c.execute(sql, &[mark.into(), now.into()])?;
            Ok(synced)
        })
    }

    /// Whether the file has brought people and all of them have gone: an empty file is what was accepted before.
    pub fn list_was_emptied(&self) -> Result<bool, Error> {
        let mut c = self.connection();
        let ever = c.query_one("SELECT id FROM subscribers WHERE source = 'file' LIMIT 1", &[])?.is_some();
        Ok(ever && c.query_one(&format!("SELECT id {GOVERNED} LIMIT 1"), &[])?.is_none())
    }

    /// One person by address, whatever its case.
    pub fn find_subscriber(&self, address: &EmailAddress, random: &Random) -> Result<Option<Subscriber>, Error> {
        let mut c = self.connection();
        let hash = hash_of(&mut c, address, random)?;
        let sql = format!("SELECT {COLUMNS} FROM subscribers s WHERE s.hash = $1");
        c.query_one(&sql, &[hash.into()])?.map(|row| read(&row)).transpose()
    }

    /// One person by id.
    pub fn subscriber(&self, id: &str) -> Result<Option<Subscriber>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM subscribers s WHERE s.id = $1");
        self.connection().query_one(&sql, &[id.into()])?.map(|row| read(&row)).transpose()
    }

    /// Hands over everybody, by address.
    pub fn each_subscriber(&self, mut take: impl FnMut(Subscriber) -> Result<(), Error>) -> Result<(), Error> {
        let sql = format!("SELECT {COLUMNS} FROM subscribers s ORDER BY s.address, s.id");
        self.connection().each(&sql, &[], |row| take(read(&row)?))
    }

    /// A person leaves: their state changes and what is queued for them is cancelled, in one transaction. False where they had
    /// left before. Doing it again changes nothing.
    pub fn unsubscribe(&self, id: &str, how: &str, random: &Random, now: DateTime<Utc>) -> Result<bool, Error> {
        self.connection().transaction(Write::Shared, |c| leave(c, id, how, random, now))
    }

    /// An address is never mailed again. What is queued for it is cancelled in the same transaction.
    pub fn suppress(
        &self,
        address: &EmailAddress,
        reason: Suppression,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.connection().transaction(Write::Shared, |c| {
            let hash = hash_of(c, address, random)?;
            suppress(c, &hash, address.as_str(), reason, None, now)?;
            cancel_queued(c, TO_HASH, &hash)
        })
    }

    /// Takes back that an address must not be mailed, where mails to it came back or the author said so: it may have been the server's
    /// fault, or a slip. What its owner said stays.
    pub fn allow_again(&self, address: &EmailAddress, random: &Random, now: DateTime<Utc>) -> Result<(), Error> {
        self.connection().transaction(Write::Shared, |c| {
            let hash = hash_of(c, address, random)?;
            let sql = "DELETE FROM suppressions WHERE hash = $1 AND reason IN ('bounce', 'manual') RETURNING reason";
            let Some(row) = c.query_one(sql, &[hash.as_str().into()])? else { return Ok(()) };
            let sql = "SELECT id FROM subscribers WHERE hash = $1";
            let Some(person) = c.query_one(sql, &[hash.into()])? else { return Ok(()) };
            event(c, &person.text(0)?, "allowed", &format!("suppressed ({}) no more", row.text(0)?), random, now)
        })
    }

    /// Why an address must not be mailed, where that is so.
    pub fn suppression(&self, address: &EmailAddress, random: &Random) -> Result<Option<String>, Error> {
        let mut c = self.connection();
        let hash = hash_of(&mut c, address, random)?;
        c.query_one("SELECT reason FROM suppressions WHERE hash = $1", &[hash.into()])?
            .map(|row| row.text(0))
            .transpose()
    }
}

/// A server said that the address does not exist. What else is queued for it is withdrawn only when its turn comes: the
/// breaker may yet undo this.
pub(super) fn suppress_bounced(
    c: &mut Connection,
    hash: &str,
    address: &str,
    delivery: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    suppress(c, hash, address, Suppression::Bounce, Some(delivery), now)
}

/// A person leaves.
pub(super) fn leave(
    c: &mut Connection,
    id: &str,
    how: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let sql = "UPDATE subscribers SET status = 'unsubscribed', decided = 'person', changed = $2 WHERE id = $1 AND status <> 'unsubscribed'";
    let left = c.execute(sql, &[id.into(), now.into()])? > 0;
    cancel_queued(c, TO_PERSON, id)?;
    if left {
        event(c, id, "unsubscribed", how, random, now)?;
    }
    Ok(left)
}

pub(super) fn suppress(
    c: &mut Connection,
    hash: &str,
    address: &str,
    reason: Suppression,
    delivery: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    // A bounce may be undone by the breaker; a person's wish that comes after it must not be lost with it.
    let sql = "INSERT INTO suppressions (hash, address, reason, delivery, at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (hash) DO UPDATE SET reason = excluded.reason, delivery = NULL, at = excluded.at \
         WHERE suppressions.reason = 'bounce' AND excluded.reason <> 'bounce'";
    c.execute(sql, &[hash.into(), address.into(), reason.as_str().into(), delivery.into(), now.into()]).map(drop)
}

/// Which rows of `deliveries` go, or went, to the address with the hash `$1`: found through the people whose it is or was.
pub(super) const TO_HASH: &str = "deliveries.hash = $1 AND deliveries.subscriber IN (SELECT s.id FROM subscribers s WHERE s.hash = $1 \
     UNION ALL SELECT o.subscriber FROM other_addresses o WHERE o.hash = $1)";
/// Those of the person with the id `$1`.
pub(super) const TO_PERSON: &str = "deliveries.subscriber = $1";

/// Withdraws what waits: `whose` is [`TO_HASH`] or [`TO_PERSON`].
pub(super) fn cancel_queued(c: &mut Connection, whose: &str, value: &str) -> Result<(), Error> {
    let sql = format!("UPDATE deliveries SET {WITHDRAW} WHERE {whose} AND state IN ('queued', 'uncertain')");
    c.execute(&sql, &[value.into()]).map(drop)
}

pub(super) fn event(
    c: &mut Connection,
    subscriber: &str,
    kind: &str,
    text: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "INSERT INTO events (id, subscriber, at, kind, text) VALUES ($1, $2, $3, $4, $5)";
    c.execute(sql, &[random.id().into(), subscriber.into(), now.into(), kind.into(), text.into()])?;
    match kind {
        "confirmed" | "unsubscribed" | "bouncing" => announce_person(c, kind, subscriber, random, now),
        _ => Ok(()),
    }
}

pub(super) fn hash_of(c: &mut Connection, address: &EmailAddress, random: &Random) -> Result<String, Error> {
    Ok(address_hash(&mint(c, "salt", random)?, &address.identity()))
}

fn read(row: &Row) -> Result<Subscriber, Error> {
    let damaged = |what: &str| Error::Corrupt(format!("a subscriber's {what} in the store cannot be read"));
    Ok(Subscriber {
        id: row.text(0)?,
        row: file::Row {
            address: EmailAddress::parse(&row.text(1)?).map_err(|_| damaged("address"))?,
            name: row.maybe_text(2)?,
            language: row.maybe_text(3)?,
            digests: Choices::from_stored(row.text(4)?),
            topics: Choices::from_stored(row.text(5)?),
            status: row.text(6)?.parse().map_err(|_| damaged("status"))?,
        },
        source: row.text(7)?,
        added: time(row.int(8)?)?,
        suppressed: row.maybe_text(9)?,
        labels: Choices::from_stored(row.text(10)?),
        paused_until: row.maybe_int(11)?.map(time).transpose()?,
    })
}
