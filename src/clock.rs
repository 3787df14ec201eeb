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
