//! Slots: the moments at which a digest's schedule fires. Each is decided once.

use super::Settings;
use crate::clock::Span;
use crate::schedule::Crontab;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

/// From when on posts are new to a digest that the store does not know: a day in the digest's zone, or a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From its first minute.
    Day(NaiveDate),
    /// From then.
    Moment(DateTime<Utc>),
}

impl Since {
    /// The moment, in a zone.
    pub fn moment(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Since::Moment(moment) => moment,
            // A midnight that a zone skips is the first minute after it.
            Since::Day(day) => (0..24 * 60)
                .find_map(|minute| {
                    let time = NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0)?;
                    zone.from_local_datetime(&day.and_time(time)).earliest()
                })
                .map_or_else(|| day.and_time(NaiveTime::MIN).and_utc(), |local| local.to_utc()),
        }
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let day = text.parse().map(Since::Day).ok();
        let moment = || DateTime::parse_from_rfc3339(&text).map(|m| Since::Moment(m.to_utc())).ok();
        day.or_else(moment).ok_or_else(|| {
            serde::de::Error::custom(format!("{text:?} is not a date; write 2026-11-01 or 2026-11-01T09:00:00Z"))
        })
    }
}

/// What the ledger remembers of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The newest slot that was decided; nothing up to it is ever due again.
    pub newest: DateTime<Utc>,
    /// The first slot that could take a post: the one after the introduction, or with `since` the latest at it.
    pub first: DateTime<Utc>,
}

/// Where a digest stands with its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The latest slot was decided before.
    Decided,
    /// This slot is to be decided, and not too late.
    Due(DateTime<Utc>),
    /// This slot is to be decided: it passed longer ago than `late`.
    TooLate(DateTime<Utc>),
}

/// What a digest that the store does not know begins with: all up to its latest slot is behind it, or with `since` the
/// latest slot is still to be decided (P6).
pub fn introduce(crontab: &Crontab, settings: &Settings, zone: Tz, now: DateTime<Utc>) -> Memory {
    let latest = crontab.latest_at_or_before(now, zone);
    match (settings.since, latest) {
        (Some(_), Some(latest)) => {
            Memory { newest: crontab.latest_at_or_before(latest - MOMENT, zone).unwrap_or(EVER), first: latest }
        }
        (_, latest) => {
            let newest = latest.unwrap_or(EVER);
            Memory { newest, first: crontab.next_after(newest, zone).unwrap_or(newest) }
        }
    }
}

/// Whether a slot is to be decided now. Only the latest: those missed before it never come back.
pub fn standing(crontab: &Crontab, memory: Memory, late: Span, zone: Tz, now: DateTime<Utc>) -> Standing {
    match crontab.latest_at_or_before(now, zone) {
        Some(slot) if slot > memory.newest && now - slot <= late.0 => Standing::Due(slot),
        Some(slot) if slot > memory.newest => Standing::TooLate(slot),
        _ => Standing::Decided,
    }
}

/// The first slot that could have taken a post: not before it was dated, seen, or the digest was there.
pub fn first_for(
    crontab: &Crontab,
    memory: Memory,
    published: DateTime<Utc>,
    seen: DateTime<Utc>,
    zone: Tz,
) -> DateTime<Utc> {
    let ready = published.max(seen);
    match ready <= memory.first {
        true => memory.first,
        false => crontab.next_after(ready - MOMENT, zone).unwrap_or(ready),
    }
}

const MOMENT: chrono::TimeDelta = chrono::TimeDelta::milliseconds(1);
const EVER: DateTime<Utc> = DateTime::UNIX_EPOCH;
