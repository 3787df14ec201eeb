//! The only caller of `now()`. Everything else takes the time as a parameter, so tests set it and `--now` moves it.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Tells the time: the machine's, or the machine's moved by a fixed step (`--now`), which then goes on from there; or one that
/// runs fast, for rehearsals of years.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Machine { shift: TimeDelta },
    Fast { start: DateTime<Utc>, since: Instant, speed: u32, step: &'static AtomicI64 },
}

/// No nap is longer, so that a stop is soon heard.
const NAP: Duration = Duration::from_millis(100);

impl Clock {
    /// The machine's own time.
    pub fn system() -> Self {
        Clock(Kind::Machine { shift: TimeDelta::zero() })
    }

    /// A clock that says `start` now and goes on from there.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Clock(Kind::Machine { shift: start - machine() })
    }

    /// A clock that says `start` now and then runs `speed` times as fast as the machine's. `step` is added to what it says, in
    /// milliseconds: who changes it sets the clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn fast(start: DateTime<Utc>, speed: u32, step: &'static AtomicI64) -> Self {
        Clock(Kind::Fast { start, since: Instant::now(), speed, step })
    }

    /// The present moment, in whole milliseconds: the resolution of the ledger.
    pub fn now(&self) -> DateTime<Utc> {
        let now = match self.0 {
            Kind::Machine { shift } => machine() + shift,
            Kind::Fast { start, since, speed, step } => {
                let passed = TimeDelta::from_std(since.elapsed() * speed).unwrap_or_default();
                start + passed + TimeDelta::milliseconds(step.load(Ordering::Relaxed))
            }
        };
        DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
    }

    /// How far this clock runs ahead of the machine's (negative: behind).
    pub fn ahead(&self) -> TimeDelta {
        match self.0 {
            Kind::Machine { shift } => shift,
            Kind::Fast { .. } => self.now() - machine(),
        }
    }

    /// A stopwatch that no step of the wall clock touches.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch { since: Instant::now(), speed: self.speed() }
    }

    /// Sleeps for a moment: `most` of this clock's time, or less, so that who sleeps longer looks up in between.
    pub fn nap(&self, most: Duration) {
        std::thread::sleep((most / self.speed()).min(NAP));
    }

    fn speed(&self) -> u32 {
        match self.0 {
            Kind::Machine { .. } => 1,
            Kind::Fast { speed, .. } => speed,
        }
    }
}

/// Time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    since: Instant,
    speed: u32,
}

impl Stopwatch {
    /// The time since [`Clock::stopwatch`].
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed() * self.speed
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn machine() -> DateTime<Utc> {
    DateTime::<Utc>::from(SystemTime::now())
}

/// A length of time as people write it: `90s`, `15m`, `24h`, `3d`, `2w`, `2y` (of 365 days).
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
        let wrong =
            || format!("{text:?} is not a length of time; write a number and its unit: 90s, 15m, 24h, 3d or 2y");
        let unit = text.trim().chars().last().ok_or_else(wrong)?;
        let number: i64 = text.trim().trim_end_matches(unit).trim().parse().map_err(|_| wrong())?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            'y' => 31_536_000,
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
