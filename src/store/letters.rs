//! Letters in the ledger: mails to one person that are no edition. What they say is stored once for all who get the same.

use super::sql::Connection;
use super::{Error, Store, WITHDRAW};
use crate::address::EmailAddress;
use crate::message::letter::{Kind, name_of};
use chrono::{DateTime, Utc};

/// How long what was asked for can be confirmed, in milliseconds: 72 hours.
pub const EXPIRES: i64 = 72 * 3_600_000;

/// Whether a letter may still go, at the moment `$3`, of a row of `deliveries`. One that asks goes as long as its request is open, also
/// to an address that bounced or complained: who types it in a form may have mended it or changed their mind. Who wrote to us gets an
/// answer. All others go to subscribers who may be mailed.
pub(super) const LETTER_MAY_GO: &str = "CASE WHEN occasion LIKE 'confirm/%' OR occasion LIKE 'change/%' THEN \
       EXISTS (SELECT 1 FROM consents q WHERE q.subscriber = deliveries.subscriber AND q.kind || '/' || CAST(q.number AS TEXT) = occasion \
         AND q.confirmed IS NULL AND q.asked > CAST($3 AS BIGINT) - 259200000) \
       AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = deliveries.hash AND p.reason NOT IN ('bounce', 'complaint')) \
     ELSE (occasion LIKE 'help/%' \
         OR EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status IN ('active', 'paused'))) \
       AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = deliveries.hash) END";

/// Who gets a letter.
#[derive(Clone, Copy, Debug)]
pub struct To<'a> {
    /// Their id.
    pub subscriber: &'a str,
    /// Where it goes: not always the subscriber's present address.
    pub address: &'a EmailAddress,
    /// The hash of that address.
    pub hash: &'a str,
}

impl Store {
    /// What a letter says, with its holes.
    pub fn letter(&self, id: &str) -> Result<String, Error> {
        let row = self.connection().query_one("SELECT message FROM letters WHERE id = $1", &[id.into()])?;
        row.ok_or_else(|| Error::Corrupt(format!("the letter {id} has gone")))?.text(0)
    }

    /// How many letters wait for their turn.
    pub fn letters_waiting(&self) -> Result<i64, Error> {
        letters_waiting(&mut self.connection())
    }
}

pub(super) fn letters_waiting(c: &mut Connection) -> Result<i64, Error> {
    let sql =
        "SELECT COUNT(*) FROM deliveries d WHERE d.edition IS NULL AND d.state IN ('queued', 'uncertain', 'sending')";
    c.query_one(sql, &[])?.map_or(Ok(0), |row| row.int(0))
}

/// The number of the next letter of a kind to a person, for those kinds that nobody else counts.
pub(super) fn next_number(c: &mut Connection, subscriber: &str, kind: Kind) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM deliveries WHERE subscriber = $1 AND occasion LIKE $2";
    let row = c.query_one(sql, &[subscriber.into(), format!("{kind}/%").into()])?;
    row.map_or(Ok(1), |row| Ok(row.int(0)? + 1))
}

/// Whether a letter of that kind was queued for a person, at the address with that hash, after that moment.
pub(super) fn was_queued_after(
    c: &mut Connection,
    (subscriber, hash): (&str, &str),
    kind: Kind,
    moment: DateTime<Utc>,
) -> Result<bool, Error> {
    let sql =
        "SELECT 1 FROM deliveries WHERE subscriber = $1 AND occasion LIKE $2 AND queued > $3 AND hash = $4 LIMIT 1";
    let values = [subscriber.into(), format!("{kind}/%").into(), moment.into(), hash.into()];
    Ok(c.query_one(sql, &values)?.is_some())
}

/// Queues a letter, due at once. One with this number that is there already stays as it is (P1).
pub(super) fn queue(
    c: &mut Connection,
    to: To<'_>,
    (kind, number): (Kind, i64),
    text: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let name = name_of(text);
    let sql = "INSERT INTO letters (id, message) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    c.execute(sql, &[name.as_str().into(), text.into()])?;
    let sql = "INSERT INTO deliveries (id, subscriber, occasion, letter, address, hash, state, due, attempts, resends, queued) \
         VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, 0, 0, $7) ON CONFLICT DO NOTHING";
    let values = [
        kind.delivery(to.subscriber, number).into(),
        to.subscriber.into(),
        kind.occasion(number).into(),
        name.into(),
        to.address.as_str().into(),
        to.hash.into(),
        now.into(),
    ];
    c.execute(sql, &values)?;
    let sql = "INSERT INTO other_addresses (hash, subscriber) SELECT CAST($2 AS TEXT), s.id FROM subscribers s WHERE s.id = $1 AND s.hash <> $2 \
         ON CONFLICT DO NOTHING";
    c.execute(sql, &[to.subscriber.into(), to.hash.into()]).map(drop)
}

/// Queues the letter that tries an address once more, where none is under way; its occasion.
pub(super) fn try_address(
    c: &mut Connection,
    to: To<'_>,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Option<String>, Error> {
    let sql = "SELECT 1 FROM deliveries WHERE subscriber = $1 AND occasion LIKE 'probe/%' AND state IN ('queued', 'sending', 'uncertain') LIMIT 1";
    if c.query_one(sql, &[to.subscriber.into()])?.is_some() {
        return Ok(None);
    }
    let number = next_number(c, to.subscriber, Kind::Probe)?;
    queue(c, to, (Kind::Probe, number), text, now)?;
    Ok(Some(Kind::Probe.occasion(number)))
}

/// Withdraws the letters of a kind that wait for their turn: a newer one takes their place, or nobody needs them any more.
pub(super) fn withdraw(c: &mut Connection, subscriber: &str, kind: Kind) -> Result<(), Error> {
    let sql = format!(
        "UPDATE deliveries SET {WITHDRAW} WHERE subscriber = $1 AND occasion LIKE $2 AND edition IS NULL AND state IN ('queued', 'uncertain')"
    );
    c.execute(&sql, &[subscriber.into(), format!("{kind}/%").into()]).map(drop)
}
