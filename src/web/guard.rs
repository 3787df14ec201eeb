//! What stands before a request for a mail: how often anybody may ask, and what tells a person from a program. Promises: what is
//! refused says nothing of any address, and a program gets the answer that a person gets.

use crate::config::web::{Network, Web as Settings};
use crate::delivery::Rate;
use crate::token::{Keyring, Purpose};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Nobody types an address faster.
const FASTEST: TimeDelta = TimeDelta::seconds(2);
/// A page that was left open for longer is shown anew.
const OLDEST: TimeDelta = TimeDelta::days(1);

/// Networks that asked long ago are forgotten so often, in milliseconds: not at each request, of which there may be thousands a second.
const SWEEP: i64 = 1_000;

/// Counts who asked lately.
#[derive(Debug, Default)]
pub(super) struct Guard(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    all: VecDeque<i64>,
    by_network: HashMap<Network, VecDeque<i64>>,
    /// When those networks were last gone through.
    swept: i64,
}

impl Guard {
    /// Whether one more mail may be asked for from there; then it counts.
    pub(super) fn may_ask(&self, settings: &Settings, client: IpAddr, now: DateTime<Utc>) -> bool {
        let now = now.timestamp_millis();
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !has_room(&mut asked.all, settings.requests, now) {
            return false;
        }
        // No more networks than requests in a window, and in a second: it does not grow.
        let rate = settings.requests_per_network;
        if now - asked.swept >= SWEEP {
            asked.by_network.retain(|_, times| times.back().is_some_and(|last| *last > now - rate.window));
            asked.swept = now;
        }
        let network = asked.by_network.entry(Network::around(client)).or_default();
        if !has_room(network, rate, now) {
            return false;
        }
        network.push_back(now);
        asked.all.push_back(now);
        true
    }
}

fn has_room(times: &mut VecDeque<i64>, rate: Rate, now: i64) -> bool {
    while times.front().is_some_and(|first| *first <= now - rate.window) {
        times.pop_front();
    }
    (times.len() as i64) < rate.messages
}

/// What a form's stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// A person can have filled the form in meanwhile.
    Good,
    /// It lay too long, or there is none: to be shown (again).
    Stale,
    /// We did not sign it, or it was sent faster than anybody types.
    Machine,
}

/// The stamp of a form that is shown now.
pub(super) fn stamp(keyring: &Keyring, now: DateTime<Utc>) -> String {
    keyring.sign(Purpose::Form, &now.timestamp().to_string())
}

pub(super) fn judge(keyring: &Keyring, stamp: &str, now: DateTime<Utc>) -> Stamp {
    if stamp.is_empty() {
        return Stamp::Stale;
    }
    let shown = keyring.verify(Purpose::Form, stamp).and_then(|second| second.parse().ok());
    match shown.and_then(|second| DateTime::from_timestamp(second, 0)).map(|shown| now - shown) {
        Some(since) if since > OLDEST => Stamp::Stale,
        Some(since) if since >= FASTEST => Stamp::Good,
        _ => Stamp::Machine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_and_all_together_have_their_limits_and_they_pass() {
        let rate = |text: &str| text.parse().unwrap();
        let settings = Settings { requests_per_network: rate("2/h"), requests: rate("3/h"), ..Settings::default() };
        let guard = Guard::default();
        let ask = |client: &str, minute: i64| {
            guard.may_ask(&settings, client.parse().unwrap(), DateTime::UNIX_EPOCH + TimeDelta::minutes(minute))
        };
        assert!(ask("203.0.113.1", 0) && ask("203.0.113.2", 1));
        assert!(!ask("203.0.113.3", 2), "one network");
        assert!(ask("198.51.100.1", 3));
        assert!(!ask("192.0.2.1", 4), "all");
        assert!(!ask("192.0.2.1", 59) && ask("192.0.2.1", 60), "what was refused does not count");
        assert!(ask("203.0.113.3", 61) && !ask("203.0.113.3", 62));
        // Who asked long ago is forgotten.
        assert!(ask("198.51.100.9", 200));
        assert_eq!(guard.0.lock().unwrap().by_network.len(), 1);
    }

    #[test]
    fn a_stamp_tells_a_person_from_a_program() {
        let keys = Keyring::new(&["secret"]);
        let at = |seconds: i64| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let stamp = stamp(&keys, at(100));
        let judged = [100, 101, 102, 86_500, 86_501].map(|second| judge(&keys, &stamp, at(second)));
        assert_eq!(judged, [Stamp::Machine, Stamp::Machine, Stamp::Good, Stamp::Good, Stamp::Stale]);
        assert_eq!(judge(&keys, "", at(9)), Stamp::Stale);
        for forged in ["x", "100aaaaaaaaaaaaaaaa", &Keyring::new(&["other"]).sign(Purpose::Form, "100")] {
            assert_eq!(judge(&keys, forged, at(110)), Stamp::Machine);
        }
    }
}
