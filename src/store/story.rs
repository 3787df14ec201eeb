//! The whole story of one address, for `why`.

use super::retention::compacted_since;
use super::subscribers::{Subscriber, TO_HASH, hash_of};
use super::{Error, Store, time};
use crate::address::EmailAddress;
use crate::random::Random;
use crate::subscriber::{Choices, Status};
use chrono::{DateTime, Utc};

/// Something that happened to a person or a delivery of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// subscribed, asked, confirmed, unsubscribed, paused, suppressed, queued, or an attempt's outcome: sending, accepted, deferred, refused, expired, unknown;
    /// held and cancelled where a delivery stands so; bounce and complaint for what came back; compacted where older deliveries are counts.
    pub kind: String,
    /// Which edition, or which letter (`confirm/2`).
    pub edition: Option<String>,
    /// Where in the dialogue.
    pub stage: Option<String>,
    /// The server's code.
    pub code: Option<i64>,
    /// The enhanced status.
    pub enhanced: Option<String>,
    /// The server's words, or ours.
    pub text: String,
    /// How long an attempt took, in milliseconds. None where nobody saw it end.
    pub duration: Option<i64>,
    /// Which transport took it, where one did.
    pub transport: Option<String>,
    /// Over which of several relays a try went.
    pub relay: Option<String>,
}

/// What somebody wants who is subscribed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Empty: the default ones.
    pub digests: Choices,
    /// Empty: all.
    pub topics: Choices,
    /// BCP 47, where they chose one.
    pub language: Option<String>,
    /// No mail until then.
    pub paused_until: Option<DateTime<Utc>>,
}

/// Where an address stands and how it came there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// active, …, `suppressed (bounce)`, `changed to ada@example.org` where the person has another address since, unknown.
    pub status: String,
    /// What a subscriber chose.
    pub chosen: Option<Chosen>,
    /// Oldest first.
    pub events: Vec<Event>,
}

impl Store {
    /// The story of an address.
    pub fn story(&self, address: &EmailAddress, random: &Random) -> Result<Story, Error> {
        let subscriber = self.find_subscriber(address, random)?;
        let mut c = self.connection();
        let hash = hash_of(&mut c, address, random)?;
        let mut events = Vec::new();
        let sql = "SELECT s.address FROM other_addresses o JOIN subscribers s ON s.id = o.subscriber WHERE o.hash = $1 AND s.hash <> $1 \
             AND EXISTS (SELECT 1 FROM deliveries d WHERE d.subscriber = s.id AND d.hash = $1) LIMIT 1";
        let became = c.query_one(sql, &[hash.as_str().into()])?.map(|row| row.text(0)).transpose()?;
        let suppressed = c.query_one("SELECT at, reason FROM suppressions WHERE hash = $1", &[hash.as_str().into()])?;
        let suppressed = suppressed.map(|row| Ok::<_, Error>((time(row.int(0)?)?, row.text(1)?))).transpose()?;
        if let Some((at, reason)) = &suppressed {
            events.push(Event { at: *at, kind: "suppressed".to_owned(), text: reason.clone(), ..Event::default() });
        }
        if let Some(subscriber) = &subscriber {
            let sql = "SELECT at, kind, text FROM events WHERE subscriber = $1";
            c.each(sql, &[subscriber.id.as_str().into()], |row| {
                events.push(Event {
                    at: time(row.int(0)?)?,
                    kind: row.text(1)?,
                    text: row.text(2)?,
                    ..Event::default()
                });
                Ok(())
            })?;
        }
        let sql = format!("SELECT queued, occasion, state, last_at FROM deliveries WHERE {TO_HASH}");
        c.each(&sql, &[hash.as_str().into()], |row| {
            let edition = Some(row.text(1)?);
            let queued = time(row.int(0)?)?;
            events.push(Event { at: queued, kind: "queued".to_owned(), edition: edition.clone(), ..Event::default() });
            let state = row.text(2)?;
            if matches!(state.as_str(), "held" | "cancelled") {
                let at = row.maybe_int(3)?.map_or(Ok(queued), time)?;
                events.push(Event { at, kind: state, edition, ..Event::default() });
            }
            Ok(())
        })?;
        // A delivery knows the transport of its last try alone.
        let sql = format!(
            "SELECT a.began, a.ended, deliveries.occasion, a.stage, a.code, a.status, a.text, a.outcome, \
               CASE WHEN a.outcome = 'accepted' AND a.number = deliveries.attempts THEN deliveries.transport END, a.relay \
             FROM deliveries JOIN attempts a ON a.delivery = deliveries.id WHERE {TO_HASH} ORDER BY a.began, a.delivery, a.number"
        );
        c.each(&sql, &[hash.as_str().into()], |row| {
            let (began, ended) = (row.int(0)?, row.maybe_int(1)?);
            let stage = row.maybe_text(3)?;
            events.push(Event {
                at: time(ended.unwrap_or(began))?,
                // Without a stage it is a later process that recorded the end.
                duration: ended.filter(|_| stage.is_some()).map(|ended| (ended - began).max(0)),
                transport: row.maybe_text(8)?,
                relay: row.maybe_text(9)?,
                kind: row.maybe_text(7)?.unwrap_or_else(|| "sending".to_owned()),
                edition: Some(row.text(2)?),
                stage,
                code: row.maybe_int(4)?.filter(|code| *code != 0),
                enhanced: row.maybe_text(5)?,
                text: row.maybe_text(6)?.unwrap_or_default(),
            });
            Ok(())
        })?;
        let sql = "SELECT b.at, b.kind, d.occasion, b.verdict, b.status, b.text FROM bounces b JOIN deliveries d ON d.id = b.delivery \
             WHERE b.hash = $1 AND b.mail <> ''";
        c.each(sql, &[hash.as_str().into()], |row| {
            let (kind, verdict, text) = (row.text(1)?, row.text(3)?, row.text(5)?);
            let text = if kind == "bounce" { format!("{verdict}: {text}") } else { text };
            events.push(Event {
                at: time(row.int(0)?)?,
                kind,
                edition: Some(row.text(2)?),
                enhanced: row.maybe_text(4)?,
                text,
                ..Event::default()
            });
            Ok(())
        })?;
        let first = events.iter().map(|event| event.at).min();
        if let Some((edition, at)) = first.map(|first| compacted_since(&mut c, first)).transpose()?.flatten() {
            let text = "up to this edition deliveries are kept as counts alone ([store] keep)".to_owned();
            events.push(Event { at, kind: "compacted".to_owned(), edition: Some(edition), text, ..Event::default() });
        }
        // Within one millisecond: first they subscribe, then they are mailed, then that has its consequences.
        let rank = |kind: &str| match kind {
            "subscribed" | "asked" => 0,
            "queued" => 1,
            "suppressed" | "held" | "cancelled" => 3,
            _ => 2,
        };
        events.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| rank(&a.kind).cmp(&rank(&b.kind))));
        let status = match (&suppressed, &subscriber, became) {
            (Some((_, reason)), ..) => format!("suppressed ({reason})"),
            (None, Some(subscriber), _) => subscriber.row.status.to_string(),
            (None, None, Some(new)) => format!("changed to {new}"),
            (None, None, None) => "unknown".to_owned(),
        };
        drop(c);
        let chosen = match subscriber.filter(|s| matches!(s.row.status, Status::Active | Status::Paused)) {
            Some(Subscriber { id, row, .. }) => Some(Chosen {
                digests: row.digests,
                topics: row.topics,
                language: row.language,
                paused_until: self.paused_until(&id)?,
            }),
            None => None,
        };
        Ok(Story { status, chosen, events })
    }
}
