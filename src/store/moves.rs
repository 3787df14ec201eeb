//! A subscriber's new address: asked for on the web, confirmed by who reads its mail. Promises: their id stays, nobody takes an
//! address from another who has it, and no list that is a file brings the old one back.

use super::consents::{Asking, Confirmed, Reaction, Request, ask, close, consent, forget, lift, may_ask};
use super::letters::{self, To};
use super::sql::{Connection, Write};
use super::subscribers::{event, hash_of};
use super::{Error, Store};
use crate::message::letter::Kind;
use crate::random::Random;
use chrono::{DateTime, Utc};

impl Store {
    /// A subscriber asks for another address: a letter asks there. Nothing is written to an address that another has.
    pub fn request_change(
        &self,
        subscriber: &str,
        request: &Request,
        change: &str,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Reaction, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let hash = hash_of(c, &request.address, random)?;
            if let Asking::Not(reaction) = may_ask(c, &hash, now)? {
                return Ok(reaction);
            }
            if other_with(c, &hash, subscriber)?.is_some_and(|other| !other.makes_room) {
                return Ok(Reaction::Never);
            }
            let to = To { subscriber, address: &request.address, hash: &hash };
            ask(c, to, Kind::Change, request, change, random, now)?;
            Ok(Reaction::Wrote(Kind::Change))
        })
    }

    /// A person confirms a new address. Their id stays; what is queued already goes to the old one.
    pub fn confirm_change(
        &self,
        subscriber: &str,
        number: i64,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Confirmed, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let sql = "SELECT 1 FROM subscribers WHERE id = $1 AND status IN ('active', 'paused')";
            if c.query_one(sql, &[subscriber.into()])?.is_none() {
                return Ok(Confirmed::Expired);
            }
            let Some(asked) = consent(c, subscriber, Kind::Change, number)? else { return Ok(Confirmed::Expired) };
            // Somebody else may have it by now.
            let other = other_with(c, &asked.hash, subscriber)?.filter(|_| Store::is_open(&asked, now));
            if let Some(other) = other
                && !(other.makes_room && forget(c, &other.id)?)
            {
                return Ok(Confirmed::Expired);
            }
            let consent = match close(c, subscriber, Kind::Change, number, now)? {
                Ok(consent) => consent,
                Err(not) => return Ok(not),
            };
            let left_behind = of_file(c, subscriber)?;
            // What went to the address that they leave is still theirs, and is found by it.
            let sql = "INSERT INTO other_addresses (hash, subscriber) SELECT s.hash, s.id FROM subscribers s WHERE s.id = $1 ON CONFLICT DO NOTHING";
            c.execute(sql, &[subscriber.into()])?;
            let sql = "UPDATE subscribers SET address = $2, hash = $3, changed = $4, decided = 'person' WHERE id = $1";
            let values = [subscriber.into(), consent.address.as_str().into(), consent.hash.as_str().into(), now.into()];
            c.execute(sql, &values)?;
            // Who only writes it another way has left nothing.
            if let Some((address, hash)) = left_behind.filter(|(_, hash)| *hash != consent.hash) {
                stay_away(c, subscriber, &address, &hash, random, now)?;
            }
            lift(c, &consent.hash)?;
            letters::withdraw(c, subscriber, Kind::Change)?;
            event(c, subscriber, "address changed", &Kind::Change.occasion(number), random, now)?;
            Ok(Confirmed::Now)
        })
    }
}

/// Somebody else who has an address.
struct Other {
    id: String,
    /// Never confirmed it, or has left and never got anything: no claim to it against who reads its mail now.
    makes_room: bool,
}

fn other_with(c: &mut Connection, hash: &str, subscriber: &str) -> Result<Option<Other>, Error> {
    let sql = "SELECT id, CASE WHEN status IN ('pending', 'unsubscribed') \
           AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.subscriber = subscribers.id AND d.edition IS NOT NULL) THEN 1 ELSE 0 END \
         FROM subscribers WHERE hash = $1 AND id <> $2";
    let row = c.query_one(sql, &[hash.into(), subscriber.into()])?;
    row.map(|row| Ok(Other { id: row.text(0)?, makes_room: row.int(1)? != 0 })).transpose()
}

/// The address of a person whose row is in the list that is kept as a file, and its hash.
fn of_file(c: &mut Connection, subscriber: &str) -> Result<Option<(String, String)>, Error> {
    let sql = "SELECT address, hash FROM subscribers WHERE id = $1 AND source = 'file'";
    let row = c.query_one(sql, &[subscriber.into()])?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}

/// The file still has the old address, and would bring it back as a new person: somebody who has left stands in its way. The person
/// themselves is no longer the file's.
fn stay_away(
    c: &mut Connection,
    subscriber: &str,
    address: &str,
    hash: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    c.execute("UPDATE subscribers SET source = 'form' WHERE id = $1", &[subscriber.into()])?;
    let id = random.id();
    let sql = "INSERT INTO subscribers (id, address, hash, digests, topics, status, source, added, changed, decided, synced) \
         VALUES ($1, $2, $3, '', '', 'unsubscribed', 'file', $4, $4, 'person', 0)";
    c.execute(sql, &[id.as_str().into(), address.into(), hash.into(), now.into()])?;
    event(c, &id, "unsubscribed", "the address was changed for another", random, now)
}
