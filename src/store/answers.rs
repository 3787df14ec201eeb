//! Letters that answer who asks about their subscription.

use super::Error;
use super::consents::{AGAIN, Reaction};
use super::letters::{self, To};
use super::sql::Connection;
use super::subscribers::hash_of;
use crate::address::EmailAddress;
use crate::message::letter::Kind;
use crate::random::Random;
use chrono::{DateTime, Utc};

/// What the letters say that answer mails. They are the same for all: whoever writes by mail has chosen no language.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The letter that asks.
    pub confirm: String,
    /// A hash of its words, kept with the consent.
    pub wording: String,
    /// The letter to a subscriber.
    pub links: String,
    /// The letter to anybody else.
    pub help: String,
    /// The letter that greets who has confirmed, where that is wanted.
    pub welcome: Option<String>,
    /// Our own addresses: nobody answers themselves.
    pub own: Vec<EmailAddress>,
}

/// Somebody asks how to leave, or how all this works: a subscriber gets the links of their subscription, anybody else is told. For the
/// ledger they are somebody who has asked for nothing yet, and is forgotten in a day.
pub(super) fn explain(
    c: &mut Connection,
    address: &EmailAddress,
    (links, help): (&str, &str),
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Reaction, Error> {
    let hash = hash_of(c, address, random)?;
    if c.query_one("SELECT 1 FROM suppressions WHERE hash = $1", &[hash.as_str().into()])?.is_some() {
        return Ok(Reaction::Never);
    }
    let known = c.query_one("SELECT id, status FROM subscribers WHERE hash = $1", &[hash.as_str().into()])?;
    let id = match known {
        None => {
            let id = random.id();
            let sql = "INSERT INTO subscribers (id, address, hash, digests, topics, status, source, added, changed, decided, synced) \
                 VALUES ($1, $2, $3, '', '', 'pending', 'mail', $4, $4, 'person', 0)";
            c.execute(sql, &[id.as_str().into(), address.as_str().into(), hash.as_str().into(), now.into()])?;
            id
        }
        Some(row) => {
            let (id, status) = (row.text(0)?, row.text(1)?);
            if matches!(status.as_str(), "active" | "paused") {
                return send_links(c, &id, address, &hash, links, now);
            }
            id
        }
    };
    if letters::was_queued_after(c, (&id, &hash), Kind::Help, now - AGAIN)? {
        return Ok(Reaction::TooSoon);
    }
    let number = letters::next_number(c, &id, Kind::Help)?;
    letters::queue(c, To { subscriber: &id, address, hash: &hash }, (Kind::Help, number), help, now)?;
    Ok(Reaction::Wrote(Kind::Help))
}

/// Brings the links of a subscription to its reader.
pub(super) fn send_links(
    c: &mut Connection,
    subscriber: &str,
    address: &EmailAddress,
    hash: &str,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reaction, Error> {
    if letters::was_queued_after(c, (subscriber, hash), Kind::Links, now - AGAIN)? {
        return Ok(Reaction::TooSoon);
    }
    let number = letters::next_number(c, subscriber, Kind::Links)?;
    letters::queue(c, To { subscriber, address, hash }, (Kind::Links, number), text, now)?;
    Ok(Reaction::Wrote(Kind::Links))
}
