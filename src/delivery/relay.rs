//! Several ways out: in which order they are tried, what share each has, how much each may take, and how a new one is begun with.

use super::pace::DAY;
use super::{Domains, Rate};
use crate::clock::Span;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;
use std::fmt;
use std::num::NonZeroU16;

/// `[[relay]]`: one of several ways out, in place of `mail.transport`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What `why` and warnings call it. The ledger counts by it: a relay that gets another name is a new one.
    pub name: String,
    /// As `mail.transport`.
    pub transport: String,
    /// For the transport; may be `${NAME}`.
    #[serde(default)]
    pub password: Option<String>,
    /// The lowest number goes first, the others while none of that number can (as in RFC 5321 section 5.1 and RFC 2782).
    #[serde(default)]
    pub priority: u16,
    /// The share among relays of the same priority.
    #[serde(default = "one")]
    pub weight: NonZeroU16,
    /// How many connections to it are open at once; without it, as many as `delivery.connections`.
    #[serde(default)]
    pub connections: Option<usize>,
    /// Its own limits, all of which hold, beside those of `[delivery]`.
    #[serde(default)]
    pub rates: Vec<Rate>,
    /// Further limits for what goes by it to single domains.
    #[serde(default)]
    pub domains: Domains,
    /// For a relay, or an IP address of it, that receivers do not know yet.
    #[serde(default)]
    pub warm_up: Option<WarmUp>,
}

/// `[relay.warm_up]`: few messages a day at first, and more from step to step, until its `rates` are what holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// The first day, in UTC.
    pub since: NaiveDate,
    /// How many messages may go in any 24 hours at first.
    pub first_day: i64,
    /// After how many days it is twice as many, and so on.
    #[serde(default = "two_days")]
    pub doubles_every: Span,
}

/// What holds for a relay, its transport aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What it is called. None: it is the only one, and what it may take is in `[delivery]`.
    pub name: Option<String>,
    /// The lowest number goes first.
    pub priority: u16,
    /// The share among relays of the same priority.
    pub weight: NonZeroU16,
    /// Connections that are open at once.
    pub connections: usize,
    /// Its own limits.
    pub rates: Vec<Rate>,
    /// For single domains.
    pub domains: Domains,
    /// How it is begun with.
    pub warm_up: Option<WarmUp>,
}

fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}

fn two_days() -> Span {
    Span::hours(48)
}

impl Settings {
    /// What holds for it, beside so many connections where it does not say.
    pub fn terms(&self, connections: usize) -> Terms {
        Terms {
            name: Some(self.name.clone()),
            priority: self.priority,
            weight: self.weight,
            connections: self.connections.unwrap_or(connections),
            rates: self.rates.clone(),
            domains: self.domains.clone(),
            warm_up: self.warm_up,
        }
    }

    /// What no type can hold; a sentence that begins with the key.
    pub fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(format!("relay.name is {name:?}; use 1 to 64 letters, digits, dots, hyphens and underscores"));
        }
        if let Some(connections) = self.connections.filter(|n| !(1..=200).contains(n)) {
            return Err(format!("relay {name:?}: connections is {connections}; use 1 to 200"));
        }
        if let Some(warm_up) = self.warm_up {
            if warm_up.first_day < 1 {
                return Err(format!("relay {name:?}: warm_up.first_day is {}; use 1 or more", warm_up.first_day));
            }
            if warm_up.doubles_every < Span::hours(24) {
                return Err(format!("relay {name:?}: warm_up.doubles_every is shorter than a day; use 1d or more"));
            }
        }
        Ok(())
    }
}

/// Without the password, and without what may stand in the URL.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Terms {
    /// Those of the only way out.
    pub fn sole(connections: usize) -> Self {
        let (priority, weight) = (0, one());
        Terms {
            name: None,
            priority,
            weight,
            connections,
            rates: Vec::new(),
            domains: Domains::default(),
            warm_up: None,
        }
    }

    /// What it is called in a sentence.
    pub fn title(&self) -> String {
        self.name.as_ref().map_or("the server".to_owned(), |name| format!("the relay {name}"))
    }

    /// A sentence about its settings, which speaks of `mail.transport` or `delivery.rates`, with whose they are.
    pub fn said(&self, sentence: &str) -> String {
        match &self.name {
            None => sentence.to_owned(),
            Some(name) => format!("the relay {name}: {}", self.keyed(sentence)),
        }
    }

    /// The same without whose they are.
    pub fn keyed(&self, sentence: &str) -> String {
        match self.name {
            None => sentence.to_owned(),
            Some(_) => {
                let said = sentence.replace("mail.transport", "relay.transport");
                said.replace("mail.password", "relay.password").replace("delivery.rates", "relay.rates")
            }
        }
    }

    /// All that holds for it now, the warm-up included.
    pub fn rates_at(&self, now: DateTime<Utc>) -> Vec<Rate> {
        self.rates.iter().copied().chain(self.warm_up.and_then(|warm_up| warm_up.rate(now))).collect()
    }
}

impl WarmUp {
    /// How much may go in a day by now. Before the first day as much as on it. None: any number, it has long grown beyond all.
    pub fn rate(&self, now: DateTime<Utc>) -> Option<Rate> {
        let doubled = self.step(now).try_into().ok().and_then(|step| 1_i64.checked_shl(step)).filter(|n| *n > 0);
        doubled.and_then(|n| self.first_day.checked_mul(n)).map(|messages| Rate { messages, window: DAY })
    }

    /// When it is more.
    pub fn next_step(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let next = self.doubles_every.millis().saturating_mul(self.step(now) + 1);
        TimeDelta::try_milliseconds(next)
            .and_then(|after| self.begin().checked_add_signed(after))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// How often it has doubled.
    fn step(&self, now: DateTime<Utc>) -> i64 {
        (now - self.begin()).num_milliseconds().max(0) / self.doubles_every.millis().max(1)
    }

    fn begin(&self) -> DateTime<Utc> {
        self.since.and_time(NaiveTime::MIN).and_utc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn settings(lines: &str) -> Settings {
        toml::from_str(&format!("name = \"ses\"\ntransport = \"smtp://localhost\"\n{lines}")).unwrap()
    }

    fn warm_up(lines: &str) -> WarmUp {
        settings(&format!("[warm_up]\nsince = \"2026-11-23\"\n{lines}")).warm_up.unwrap()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let least = settings("");
        assert_eq!(least.terms(4), Terms { name: Some("ses".to_owned()), ..Terms::sole(4) });
        let all = settings(
            "password = \"secret\"\npriority = 10\nweight = 3\nconnections = 2\nrates = [\"9/month\"]\n[domains]\n\"a.example\" = \"1/s\"",
        );
        let terms = all.terms(4);
        assert_eq!((terms.priority, terms.weight.get(), terms.connections), (10, 3, 2));
        assert_eq!((terms.rates.len(), terms.domains.rates("a.example").len()), (1, 1));
        assert!(!format!("{all:?}").contains("secret"));
        assert_eq!([terms.title(), Terms::sole(1).title()], ["the relay ses", "the server"]);
    }

    #[test]
    fn what_is_said_of_a_relay_names_its_own_keys() {
        let said = "check mail.transport, mail.password and delivery.rates";
        let of_relay = "the relay ses: check relay.transport, relay.password and relay.rates";
        assert_eq!([settings("").terms(1).said(said), Terms::sole(1).said(said)], [of_relay, said]);
    }

    #[test]
    fn a_new_relay_gets_twice_as_many_from_step_to_step() {
        let warm_up = warm_up("first_day = 50\ndoubles_every = \"2d\"");
        let allowed = |text| warm_up.rate(at(text)).map(|rate| rate.messages);
        for (moment, messages) in [
            ("2026-11-01T00:00:00Z", 50),
            ("2026-11-23T00:00:00Z", 50),
            ("2026-11-24T23:59:59Z", 50),
            ("2026-11-25T00:00:00Z", 100),
            ("2026-11-27T00:00:00Z", 200),
            ("2026-12-23T12:00:00Z", 50 << 15),
        ] {
            assert_eq!(allowed(moment), Some(messages), "{moment}");
        }
        assert_eq!(allowed("2027-11-23T00:00:00Z"), None);
        assert_eq!(warm_up.rate(at("2026-11-23T00:00:00Z")), Some("50/d".parse().unwrap()));
    }

    #[test]
    fn the_next_step_is_known() {
        let warm_up = warm_up("first_day = 50");
        for (now, next) in [
            ("2026-11-23T00:00:00Z", "2026-11-25T00:00:00Z"),
            ("2026-11-24T23:59:59Z", "2026-11-25T00:00:00Z"),
            ("2026-11-25T00:00:00Z", "2026-11-27T00:00:00Z"),
            // Its first step is not from before its first day.
            ("2026-11-20T12:00:00Z", "2026-11-25T00:00:00Z"),
        ] {
            assert_eq!(warm_up.next_step(at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn the_warm_up_holds_beside_the_rates() {
        let terms = settings("rates = [\"14/s\"]\nwarm_up = { since = \"2026-11-23\", first_day = 7 }").terms(1);
        assert_eq!(terms.rates_at(at("2026-11-23T09:00:00Z")), ["14/s", "7/d"].map(|rate| rate.parse().unwrap()));
        assert_eq!(terms.rates_at(at("2036-11-23T09:00:00Z")), ["14/s"].map(|rate| rate.parse().unwrap()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (lines, sentence) in [
            ("connections = 0", "relay \"ses\": connections is 0; use 1 to 200"),
            ("connections = 201", "relay \"ses\": connections is 201; use 1 to 200"),
            (
                "warm_up = { since = \"2026-11-23\", first_day = 0 }",
                "relay \"ses\": warm_up.first_day is 0; use 1 or more",
            ),
            (
                "warm_up = { since = \"2026-11-23\", first_day = 1, doubles_every = \"23h\" }",
                "relay \"ses\": warm_up.doubles_every is shorter than a day; use 1d or more",
            ),
        ] {
            assert_eq!(settings(lines).check().unwrap_err(), sentence);
        }
        assert_eq!(settings("connections = 200").check(), Ok(()));
        for name in ["", "a b", "ü", &"x".repeat(65)] {
            let settings = Settings { name: name.to_owned(), ..settings("") };
            assert!(settings.check().unwrap_err().starts_with("relay.name is "), "{name}");
        }
    }
}
