//! When a deferred delivery is tried again, and when no more.

use crate::clock::Span;
use chrono::{DateTime, TimeDelta, Utc};

/// RFC 5321 section 4.5.4.1 asks for at least 30 minutes after a few tries; greylisting wants the first retry after one to
/// fifteen minutes and no sooner than one.
const FIRST: i64 = 60;
const FACTOR: i64 = 3;
const LONGEST: i64 = 4 * 3600;

/// When the next try is due after the `attempts`th ended at `now`: 1, 3, 9, 27, 81 minutes and then 4 hours, each up to half as
/// long again by `jitter` (0 to 1), so that what was deferred together does not come back together.
pub fn after(attempts: i64, now: DateTime<Utc>, jitter: f64) -> DateTime<Utc> {
    let steps = attempts.clamp(1, 8) as u32 - 1;
    let seconds = (FIRST * FACTOR.pow(steps)).min(LONGEST);
    let spread = (seconds as f64 * 500.0 * jitter.clamp(0.0, 1.0)) as i64;
    now + TimeDelta::milliseconds(seconds * 1000 + spread)
}

/// Whether a delivery that was deferred again is given up: after `give_up_after`, and three attempts at least, so that a
/// machine that slept for a week gives nobody up at its first try.
pub fn expired(attempts: i64, first_at: DateTime<Utc>, now: DateTime<Utc>, give_up_after: Span) -> bool {
    attempts >= 3 && now - first_at > give_up_after.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_comes_no_sooner_than_a_minute_and_the_steps_grow_to_four_hours() {
        let now = DateTime::UNIX_EPOCH;
        let minutes = |attempts, jitter| (after(attempts, now, jitter) - now).num_minutes();
        assert_eq!([1, 2, 3, 4, 5, 6, 99].map(|n| minutes(n, 0.0)), [1, 3, 9, 27, 81, 240, 240]);
        assert_eq!(minutes(2, 1.0), 4);
    }
}
