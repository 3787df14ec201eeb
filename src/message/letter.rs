//! Letters: mails to one person that are no edition. Each is the n-th of its kind for that person: `confirm/2`.

use crate::random::base32;
use crate::token::{Keyring, Purpose};
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// How long the link to one's preferences works.
pub const PREFERENCES_LAST: TimeDelta = TimeDelta::days(7);

/// What a letter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Asks whether the person wants to subscribe.
    Confirm,
    /// Greets who has just confirmed.
    Welcome,
    /// Asks, at a new address, whether it is to take the place of the old one.
    Change,
    /// Brings the links to one's subscription.
    Links,
    /// Says to who wrote to us, and is no subscriber, how all this works.
    Help,
    /// Tries an address whose mails come back, before it is left alone.
    Probe,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [Kind::Confirm, Kind::Welcome, Kind::Change, Kind::Links, Kind::Help, Kind::Probe];

    /// As in an occasion, and the folder of its templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Confirm => "confirm",
            Kind::Welcome => "welcome",
            Kind::Change => "change",
            Kind::Links => "links",
            Kind::Help => "help",
            Kind::Probe => "probe",
        }
    }

    /// The occasion of the n-th of this kind.
    pub fn occasion(self, number: i64) -> String {
        format!("{self}/{number}")
    }

    /// The kind and the number of an occasion; none where it is no letter's.
    pub fn of(occasion: &str) -> Option<(Kind, i64)> {
        let (kind, number) = occasion.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind)?;
        Some((kind, number.parse().ok()?))
    }

    /// The letter's delivery: the subscriber's id, a dot, and what no edition's number is. Unique like subscriber and occasion.
    pub fn delivery(self, subscriber: &str, number: i64) -> String {
        let mark = match self {
            Kind::Confirm => 'c',
            Kind::Welcome => 'w',
            Kind::Change => 'a',
            Kind::Links => 'l',
            Kind::Help => 'h',
            Kind::Probe => 'p',
        };
        format!("{subscriber}.{mark}{number}")
    }

    /// Whether it goes to somebody who can leave, and so says how.
    pub fn can_be_left(self) -> bool {
        matches!(self, Kind::Welcome | Kind::Links | Kind::Probe)
    }

    /// Whether it asks at an address that nobody has confirmed yet.
    pub fn asks(self) -> bool {
        matches!(self, Kind::Confirm | Kind::Change)
    }

    /// The token of the letter's own link, empty where that has none. It depends on what the ledger holds alone, so a resend has the same (P2).
    /// `hash` is that of the address to which it goes.
    pub fn token(self, keyring: &Keyring, subscriber: &str, number: i64, hash: &str, date: DateTime<Utc>) -> String {
        match self {
            Kind::Confirm => keyring.sign_bound(Purpose::Confirm, &format!("{subscriber}.{number}"), hash),
            Kind::Change => keyring.sign_bound(Purpose::Change, &format!("{subscriber}.{number}"), hash),
            Kind::Welcome | Kind::Links => preferences(keyring, subscriber, hash, date + PREFERENCES_LAST),
            Kind::Help | Kind::Probe => String::new(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The token for a person's preferences, good until that moment and for as long as they keep this address.
pub fn preferences(keyring: &Keyring, subscriber: &str, hash: &str, until: DateTime<Utc>) -> String {
    keyring.sign_bound(Purpose::Preferences, &format!("{subscriber}.{}", until.timestamp()), hash)
}

/// The name under which what a letter says is stored: equal texts have one.
pub fn name_of(text: &str) -> String {
    base32(&digest(&SHA256, text.as_bytes()).as_ref()[..20])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occasion_names_kind_and_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(&kind.occasion(12)), Some((kind, 12)));
        }
        for edition in ["weekly/2026-11-23", "confirm", "confirm/x", "/1", ""] {
            assert_eq!(Kind::of(edition), None, "{edition}");
        }
        let deliveries: std::collections::BTreeSet<_> = Kind::ALL.map(|kind| kind.delivery("a", 1)).into();
        assert_eq!(deliveries.len(), Kind::ALL.len());
    }
}
