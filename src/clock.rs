//! The only caller of `now()`. Everything else takes the time as a parameter, so tests set it and `--now` moves it.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::{Duration, Instant, SystemTime};

/// Tells the time: the machine's, or the machine's moved by a fixed step (`--now`), which then goes on from there.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    shift: TimeDelta,
}

impl Clock {
    /// The machine's own time.
    pub fn system() -> Self {
        Clock { shift: TimeDelta::zero() }
    }

    /// A clock that says `start` now and goes on from there.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Clock { shift: start - machine() }
    }

    /// The present moment, in whole milliseconds: the resolution of the ledger.
    pub fn now(&self) -> DateTime<Utc> {
        let now = machine() + self.shift;
        DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
    }

    /// How far this clock runs ahead of the machine's (negative: behind).
    pub fn ahead(&self) -> TimeDelta {
        self.shift
    }

    /// A stopwatch that no step of the wall clock touches.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }
}

/// Time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// The time since [`Clock::stopwatch`].
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn machine() -> DateTime<Utc> {
    DateTime::<Utc>::from(SystemTime::now())
}

/// A length of time as people write it: `90s`, `15m`, `24h`, `3d`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub TimeDelta);

impl Span {
    /// That many hours.
    pub const fn hours(hours: i64) -> Self {
        Span(TimeDelta::hours(hours))
    }

    /// In milliseconds.
    pub fn millis(self) -> i64 {
        self.0.num_milliseconds()
    }
}

impl std::str::FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a length of time; write a number and its unit: 90s, 15m, 24h or 3d");
        let unit = text.trim().chars().last().ok_or_else(wrong)?;
        let number: i64 = text.trim().trim_end_matches(unit).trim().parse().map_err(|_| wrong())?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        // Ten years: beyond it somebody mistyped, and below it no sum of dates can overflow.
        number
            .checked_mul(seconds)
            .filter(|s| (0..=315_360_000).contains(s))
            .map(|s| Span(TimeDelta::seconds(s)))
            .ok_or_else(wrong)
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
