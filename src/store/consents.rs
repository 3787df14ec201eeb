//! Consent: who asked for what, when and from where, and when they confirmed it. Each request and each confirmation is one
//! transaction, with the letter that belongs to it.

use super::answers::send_links;
use super::letters::{self, EXPIRES, To};
use super::sql::{Connection, Write};
use super::subscribers::{event, hash_of};
use super::{Error, Store, WITHDRAW, set_meta, time};
use crate::address::EmailAddress;
use crate::message::letter::Kind;
use crate::random::Random;
use crate::subscriber::{Choices, Status};
use crate::token::{Keyring, Purpose, numbered};
use chrono::{DateTime, TimeDelta, Utc};

/// An address is asked no more often.
pub(super) const AGAIN: TimeDelta = TimeDelta::days(1);
/// One that bounced or complained is asked no more often.
const AGAIN_SUPPRESSED: TimeDelta = TimeDelta::days(30);

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where the letters are to go.
    pub address: EmailAddress,
    /// The digests chosen.
    pub digests: Choices,
    /// The topics chosen.
    pub topics: Choices,
    /// BCP 47, where it is known.
    pub language: Option<String>,
    /// Where it was asked: `form`, `mail`.
    pub source: String,
    /// A hash of the words that the person saw.
    pub wording: String,
    /// From which network, where that is kept.
    pub network: Option<String>,
}

/// What came of a request. Nobody who asks is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// A letter was queued.
    Wrote(Kind),
    /// The address has had its letter for now.
    TooSoon,
    /// The address must not be written to.
    Never,
}

/// What came of a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It was confirmed now.
    Now,
    /// It was confirmed before; nothing has changed.
    Before,
    /// It is too late, or nobody asked.
    Expired,
}

/// What a person wants from now on.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The digests chosen; empty: the default ones.
    pub digests: Choices,
    /// The topics chosen; empty: all.
    pub topics: Choices,
    /// BCP 47; none: as the digest speaks.
    pub language: Option<String>,
    /// No mail until then.
    pub paused_until: Option<DateTime<Utc>>,
}

/// What the letter asks, as the link to it says.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The address that is to be confirmed.
    pub address: EmailAddress,
    /// Its hash.
    pub hash: String,
    /// When it was asked.
    pub asked: DateTime<Utc>,
    /// When it was confirmed.
    pub confirmed: Option<DateTime<Utc>>,
}

impl Store {
    /// Somebody asks to subscribe: an unknown address, or one that left, gets a letter that asks; one that is subscribed gets the
    /// link to its preferences. `confirm` and `links` are what these letters say. Whatever comes of it, something is written.
    pub fn request(
        &self,
        request: &Request,
        (confirm, links): (&str, &str),
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Reaction, Error> {
        self.connection().transaction(Write::Alone, |c| {
            // As long a commit for a known address as for an unknown one.
            set_meta(c, "asked", &now.timestamp_millis().to_string())?;
            take_request(c, request, (confirm, links), random, now)
        })
    }

    /// Somebody asks for the link to their preferences. Who is not subscribed gets none.
    pub fn request_links(
        &self,
        address: &EmailAddress,
        links: &str,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Reaction, Error> {
        self.connection().transaction(Write::Alone, |c| {
            set_meta(c, "asked", &now.timestamp_millis().to_string())?;
            let hash = hash_of(c, address, random)?;
            let sql = "SELECT id FROM subscribers s WHERE s.hash = $1 AND s.status IN ('active', 'paused') \
                 AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash)";
            match c.query_one(sql, &[hash.as_str().into()])? {
                None => Ok(Reaction::Never),
                Some(row) => send_links(c, &row.text(0)?, address, &hash, links, now),
            }
        })
    }

    /// What a letter that asks is about.
    pub fn consent(&self, subscriber: &str, kind: Kind, number: i64) -> Result<Option<Consent>, Error> {
        consent(&mut self.connection(), subscriber, kind, number)
    }

    /// The request to which the token of a letter that asks belongs: whose it is, its number, and what was asked.
    pub fn consent_of(
        &self,
        keyring: &Keyring,
        kind: Kind,
        token: &str,
    ) -> Result<Option<(String, i64, Consent)>, Error> {
        let purpose = if kind == Kind::Change { Purpose::Change } else { Purpose::Confirm };
        let mut found = None;
        let signed = keyring.verify_bound(purpose, token, |subject| {
            let Some((id, number)) = numbered(subject) else { return Ok(None) };
            let consent = self.consent(id, kind, number)?;
            let hash = consent.as_ref().map(|consent| consent.hash.clone());
            found = consent.map(|consent| (id.to_owned(), number, consent));
            Ok::<_, Error>(hash)
        })?;
        Ok(signed.and(found))
    }

    /// Whether what was asked can still be confirmed.
    pub fn is_open(consent: &Consent, now: DateTime<Utc>) -> bool {
        consent.confirmed.is_none() && (now - consent.asked).num_milliseconds() < EXPIRES
    }

    /// A person confirms their request: they are subscribed from now on, and no bounce or complaint of before counts. `welcome`
    /// is what a letter to them says. A second time nothing changes, whatever they did in between.
    pub fn confirm(
        &self,
        subscriber: &str,
        number: i64,
        welcome: Option<&str>,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Confirmed, Error> {
        self.connection().transaction(Write::Alone, |c| confirm(c, subscriber, number, welcome, random, now))
    }

    /// What a subscriber wants from now on; false where they are none. Who pauses gets nothing of what is queued.
    pub fn set_wishes(
        &self,
        subscriber: &str,
        wishes: &Wishes,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<bool, Error> {
        self.connection().transaction(Write::Shared, |c| {
            let paused = wishes.paused_until.filter(|until| *until > now);
            let status = if paused.is_some() { Status::Paused } else { Status::Active };
            let sql = "UPDATE subscribers SET digests = $2, topics = $3, language = $4, status = $5, paused_until = $6, changed = $7, \
                 decided = 'person' WHERE id = $1 AND status IN ('active', 'paused')";
            let values = [
                subscriber.into(),
                wishes.digests.as_str().into(),
                wishes.topics.as_str().into(),
                wishes.language.as_ref().into(),
                status.as_str().into(),
                paused.into(),
                now.into(),
            ];
            if c.execute(sql, &values)? == 0 {
                return Ok(false);
            }
            if paused.is_some() {
                let sql = format!(
                    "UPDATE deliveries SET {WITHDRAW} WHERE subscriber = $1 AND edition IS NOT NULL AND state IN ('queued', 'uncertain')"
                );
                c.execute(&sql, &[subscriber.into()])?;
            }
            event(c, subscriber, "preferences", status.as_str(), random, now)?;
            Ok(true)
        })
    }

    /// Why somebody left, in one word of ours.
    pub fn note_reason(
        &self,
        subscriber: &str,
        reason: &str,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.connection().transaction(Write::Shared, |c| {
            let sql = "SELECT 1 FROM subscribers WHERE id = $1 AND status = 'unsubscribed' \
                 AND NOT EXISTS (SELECT 1 FROM events e WHERE e.subscriber = $1 AND e.kind = 'reason' AND e.text = $2)";
            match c.query_one(sql, &[subscriber.into(), reason.into()])? {
                Some(_) => event(c, subscriber, "reason", reason, random, now),
                None => Ok(()),
            }
        })
    }

    /// The hash of a subscriber's address.
    pub fn hash_of_subscriber(&self, id: &str) -> Result<Option<String>, Error> {
        let row = self.connection().query_one("SELECT hash FROM subscribers WHERE id = $1", &[id.into()])?;
        row.map(|row| row.text(0)).transpose()
    }

    /// Until when a person is paused.
    pub fn paused_until(&self, id: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let row = self.connection().query_one("SELECT paused_until FROM subscribers WHERE id = $1", &[id.into()])?;
        row.map(|row| row.maybe_int(0)).transpose()?.flatten().map(time).transpose()
    }

    /// Ends pauses whose time has come, and forgets whoever asked and never confirmed; how many those are. An address that must not
    /// be asked again too soon is remembered for as long.
    pub fn tidy_requests(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let sql = "UPDATE subscribers SET status = 'active', paused_until = NULL, changed = $1 WHERE status = 'paused' AND paused_until <= $1";
            c.execute(sql, &[now.into()])?;
            let sql = "SELECT s.id FROM subscribers s WHERE s.status = 'pending' AND EXISTS (SELECT 1 FROM consents q WHERE q.subscriber = s.id) \
                 AND NOT EXISTS (SELECT 1 FROM consents q WHERE q.subscriber = s.id AND (q.confirmed IS NOT NULL OR q.asked > $1)) \
                 AND NOT EXISTS (SELECT 1 FROM consents q JOIN suppressions p ON p.hash = q.hash WHERE q.subscriber = s.id AND q.asked > $2)";
            let expired = now - TimeDelta::milliseconds(EXPIRES);
            let mut asked = c.query(sql, &[expired.into(), (now - AGAIN_SUPPRESSED).into()])?;
            // Who was only told how all this works.
            let sql = "SELECT s.id FROM subscribers s WHERE s.status = 'pending' AND s.source = 'mail' AND s.added <= $1 \
                 AND NOT EXISTS (SELECT 1 FROM consents q WHERE q.subscriber = s.id)";
            asked.extend(c.query(sql, &[(now - AGAIN).into()])?);
            let mut forgotten = 0;
            for row in asked {
                forgotten += u64::from(forget(c, &row.text(0)?)?);
            }
            Ok(forgotten)
        })
    }
}

/// [`Store::request`], within a transaction.
pub(super) fn take_request(
    c: &mut Connection,
    request: &Request,
    (confirm, links): (&str, &str),
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Reaction, Error> {
    let hash = hash_of(c, &request.address, random)?;
    let suppressed = match may_ask(c, &hash, now)? {
        Asking::May { suppressed } => suppressed,
        Asking::Not(reaction) => return Ok(reaction),
    };
    let known = c.query_one("SELECT id, status FROM subscribers WHERE hash = $1", &[hash.as_str().into()])?;
    let id = match known {
        None => add(c, request, &hash, random, now)?,
        Some(row) => {
            let id = row.text(0)?;
            if matches!(row.text(1)?.as_str(), "active" | "paused") && !suppressed {
                return send_links(c, &id, &request.address, &hash, links, now);
            }
            id
        }
    };
    let to = To { subscriber: &id, address: &request.address, hash: &hash };
    ask(c, to, Kind::Confirm, request, confirm, random, now)?;
    Ok(Reaction::Wrote(Kind::Confirm))
}

/// [`Store::confirm`], within a transaction.
pub(super) fn confirm(
    c: &mut Connection,
    subscriber: &str,
    number: i64,
    welcome: Option<&str>,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Confirmed, Error> {
    let consent = match close(c, subscriber, Kind::Confirm, number, now)? {
        Ok(consent) => consent,
        Err(not) => return Ok(not),
    };
    // What was chosen with the request; who chose nothing keeps what they had.
    let sql = "UPDATE subscribers SET status = 'active', decided = 'person', changed = $3, paused_until = NULL, address = q.address, \
         digests = CASE WHEN q.digests = '' THEN subscribers.digests ELSE q.digests END, \
         topics = CASE WHEN q.topics = '' THEN subscribers.topics ELSE q.topics END, \
         language = COALESCE(q.language, subscribers.language), source = q.source \
         FROM consents q WHERE q.subscriber = subscribers.id AND q.kind = 'confirm' AND q.number = $2 AND subscribers.id = $1";
    c.execute(sql, &[subscriber.into(), number.into(), now.into()])?;
    lift(c, &consent.hash)?;
    letters::withdraw(c, subscriber, Kind::Confirm)?;
    event(c, subscriber, "confirmed", &Kind::Confirm.occasion(number), random, now)?;
    if let Some(welcome) = welcome {
        let to = To { subscriber, address: &consent.address, hash: &consent.hash };
        let number = letters::next_number(c, subscriber, Kind::Welcome)?;
        letters::queue(c, to, (Kind::Welcome, number), welcome, now)?;
    }
    Ok(Confirmed::Now)
}

pub(super) enum Asking {
    May { suppressed: bool },
    Not(Reaction),
}

/// Whether an address may get a letter that asks.
pub(super) fn may_ask(c: &mut Connection, hash: &str, now: DateTime<Utc>) -> Result<Asking, Error> {
    let reason = c.query_one("SELECT reason FROM suppressions WHERE hash = $1", &[hash.into()])?;
    let pause = match reason.map(|row| row.text(0)).transpose()?.as_deref() {
        None => AGAIN,
        Some("bounce" | "complaint") => AGAIN_SUPPRESSED,
        Some(_) => return Ok(Asking::Not(Reaction::Never)),
    };
    let sql = "SELECT 1 FROM consents WHERE hash = $1 AND asked > $2 AND confirmed IS NULL LIMIT 1";
    Ok(match c.query_one(sql, &[hash.into(), (now - pause).into()])? {
        Some(_) => Asking::Not(Reaction::TooSoon),
        None => Asking::May { suppressed: pause == AGAIN_SUPPRESSED },
    })
}

fn add(
    c: &mut Connection,
    request: &Request,
    hash: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<String, Error> {
    let id = random.id();
    let sql = "INSERT INTO subscribers (id, address, hash, language, digests, topics, status, source, added, changed, decided, synced) \
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $8, 'person', 0)";
    let values = [
        id.as_str().into(),
        request.address.as_str().into(),
        hash.into(),
        request.language.as_ref().into(),
        request.digests.as_str().into(),
        request.topics.as_str().into(),
        request.source.as_str().into(),
        now.into(),
    ];
    c.execute(sql, &values)?;
    Ok(id)
}

/// Writes a request down, and queues the letter that asks. One that still waits is withdrawn: its request goes on.
pub(super) fn ask(
    c: &mut Connection,
    to: To<'_>,
    kind: Kind,
    request: &Request,
    text: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "SELECT COALESCE(MAX(number), 0) + 1 FROM consents WHERE subscriber = $1 AND kind = $2";
    let number = c.query_one(sql, &[to.subscriber.into(), kind.as_str().into()])?.map_or(Ok(1), |row| row.int(0))?;
    let sql = "INSERT INTO consents (subscriber, kind, number, address, hash, digests, topics, language, source, wording, network, asked) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = [
        to.subscriber.into(),
        kind.as_str().into(),
        number.into(),
        to.address.as_str().into(),
        to.hash.into(),
        request.digests.as_str().into(),
        request.topics.as_str().into(),
        request.language.as_ref().into(),
        request.source.as_str().into(),
        request.wording.as_str().into(),
        request.network.as_ref().into(),
        now.into(),
    ];
    c.execute(sql, &values)?;
    // What the author can show who asks how an address came here.
    let from = request.network.as_ref().map_or(String::new(), |network| format!(", from {network}"));
    let how = format!("{}: by {}{from}, words {}", kind.occasion(number), request.source, request.wording);
    event(c, to.subscriber, "asked", &how, random, now)?;
    letters::withdraw(c, to.subscriber, kind)?;
    letters::queue(c, to, (kind, number), text, now)
}

pub(super) fn consent(c: &mut Connection, subscriber: &str, kind: Kind, number: i64) -> Result<Option<Consent>, Error> {
    let sql =
        "SELECT address, hash, asked, confirmed FROM consents WHERE subscriber = $1 AND kind = $2 AND number = $3";
    let row = c.query_one(sql, &[subscriber.into(), kind.as_str().into(), number.into()])?;
    row.map(|row| {
        Ok(Consent {
            address: EmailAddress::parse(&row.text(0)?)
                .map_err(|_| Error::Corrupt("an address that was to be confirmed cannot be read".to_owned()))?,
            hash: row.text(1)?,
            asked: time(row.int(2)?)?,
            confirmed: row.maybe_int(3)?.map(time).transpose()?,
        })
    })
    .transpose()
}

/// Marks a request as confirmed, where it can be.
pub(super) fn close(
    c: &mut Connection,
    subscriber: &str,
    kind: Kind,
    number: i64,
    now: DateTime<Utc>,
) -> Result<Result<Consent, Confirmed>, Error> {
    let Some(consent) = consent(c, subscriber, kind, number)? else { return Ok(Err(Confirmed::Expired)) };
    if consent.confirmed.is_some() {
        return Ok(Err(Confirmed::Before));
    }
    let sql = "SELECT 1 FROM suppressions WHERE hash = $1 AND reason NOT IN ('bounce', 'complaint')";
    if !Store::is_open(&consent, now) || c.query_one(sql, &[consent.hash.as_str().into()])?.is_some() {
        return Ok(Err(Confirmed::Expired));
    }
    let sql = "UPDATE consents SET confirmed = $4 WHERE subscriber = $1 AND kind = $2 AND number = $3";
    c.execute(sql, &[subscriber.into(), kind.as_str().into(), number.into(), now.into()])?;
    Ok(Ok(consent))
}

/// A person who confirms reads what comes: no bounce and no complaint of before counts.
pub(super) fn lift(c: &mut Connection, hash: &str) -> Result<(), Error> {
    let sql = "DELETE FROM suppressions WHERE hash = $1 AND reason IN ('bounce', 'complaint')";
    c.execute(sql, &[hash.into()]).map(drop)
}

/// Takes somebody who never confirmed out of the store. False: a letter to them is under way, and what comes of it must be
/// written down first.
pub(super) fn forget(c: &mut Connection, id: &str) -> Result<bool, Error> {
    for kind in [Kind::Confirm, Kind::Change, Kind::Help] {
        letters::withdraw(c, id, kind)?;
    }
    let sql = "SELECT 1 FROM deliveries WHERE subscriber = $1 AND (edition IS NOT NULL OR state IN ('sending', 'uncertain')) LIMIT 1";
    if c.query_one(sql, &[id.into()])?.is_some() {
        return Ok(false);
    }
    for table in ["bounces", "attempts"] {
        let sql =
            format!("DELETE FROM {table} WHERE delivery IN (SELECT d.id FROM deliveries d WHERE d.subscriber = $1)");
        c.execute(&sql, &[id.into()])?;
    }
    for table in ["deliveries", "consents", "events", "other_addresses"] {
        c.execute(&format!("DELETE FROM {table} WHERE subscriber = $1"), &[id.into()])?;
    }
    c.execute("DELETE FROM subscribers WHERE id = $1", &[id.into()])?;
    Ok(true)
}
