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
    use proptest::prelude::*;

    fn seconds(attempts: i64, jitter: f64) -> f64 {
        let now = DateTime::UNIX_EPOCH;
        (after(attempts, now, jitter) - now).num_milliseconds() as f64 / 1000.0
    }

    #[test]
    fn the_first_retry_comes_no_sooner_than_a_minute_and_the_steps_grow_to_four_hours() {
        let steps = [60.0, 180.0, 540.0, 1620.0, 4860.0, 14_400.0, 14_400.0, 14_400.0];
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 99].map(|n| seconds(n, 0.0)), steps);
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 99].map(|n| seconds(n, 1.0)), steps.map(|step| step * 1.5));
        assert_eq!([0.5, -3.0, 7.0].map(|jitter| seconds(1, jitter)), [75.0, 60.0, 90.0]);
        assert_eq!([0, -1, i64::MIN, i64::MAX].map(|n| seconds(n, 0.0)), [60.0, 60.0, 60.0, 14_400.0]);
    }

    /// Five minutes is what postgrey and its like wait for, an hour what the strict ones do; few wait longer (RFC 6647 section 4.4
    /// asks for an end to it).
    #[test]
    fn greylisting_is_over_after_a_few_tries() {
        for jitter in [0.0, 1.0] {
            let since_first = |tries| (1..=tries).map(|n| seconds(n, jitter)).sum::<f64>() / 60.0;
            assert!((1.0..=5.0).contains(&since_first(1)));
            assert!((4.0..=6.0).contains(&since_first(2)));
            assert!((5.0..=30.0).contains(&since_first(3)));
            assert!((40.0..=60.0).contains(&since_first(4)));
        }
    }

    #[test]
    fn given_up_is_after_the_time_and_the_third_attempt() {
        let first_at = DateTime::UNIX_EPOCH;
        let at = |attempts, millis| {
            expired(
                attempts,
                first_at,
                first_at + TimeDelta::hours(72) + TimeDelta::milliseconds(millis),
                Span::hours(72),
            )
        };
        assert!(at(3, 1) && at(9, 1));
        assert!(!at(2, 1) && !at(3, 0) && !at(9, -1));
    }

    proptest! {
        #[test]
        fn a_retry_is_a_minute_to_six_hours_away_and_never_sooner_than_the_one_before(
            attempts in any::<i64>(), few in 0_i64..12, jitter in -1.0..2.0_f64,
        ) {
            for attempts in [attempts, few] {
                let (this, next) = (seconds(attempts, jitter), seconds(attempts.saturating_add(1), jitter));
                prop_assert!((60.0..=4.0 * 3600.0 * 1.5).contains(&this), "{this}");
                prop_assert!(this <= next, "{this} {next}");
            }
        }
    }
}
