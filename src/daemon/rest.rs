//! How a daemon rests: against the wall clock, in slices, and longer after each failure.

use super::pulse::Pulse;
use crate::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::atomic::{AtomicBool, Ordering};

/// The pause after a first failure; it doubles with each further one.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The longest pause after failures.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// Sleeps.
pub(super) struct Rest<'a> {
    pub(super) clock: Clock,
    pub(super) stop: &'a AtomicBool,
    pub(super) pulse: &'a Pulse,
}

impl Rest<'_> {
    /// False where somebody said stop.
    pub(super) fn sleep(&self, length: TimeDelta) -> bool {
        self.sleep_until(self.clock.now() + length)
    }

    /// Until a moment; false where somebody said stop. The moment is one of the wall clock, which goes on while
    /// a laptop sleeps. A second clock, which nobody can set, ends it too: where the first is set back, nobody oversleeps.
    pub(super) fn sleep_until(&self, moment: DateTime<Utc>) -> bool {
        let watch = self.clock.stopwatch();
        let length = (moment - self.clock.now()).to_std().unwrap_or_default();
        while !self.stop.load(Ordering::Relaxed) {
            let left = length.saturating_sub(watch.elapsed());
            if left.is_zero() || self.clock.now() >= moment {
                return true;
            }
            self.pulse.beat();
            self.clock.nap(left);
        }
        false
    }
}

/// How often in a row something has failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    pub(super) fn has_failed(self) -> bool {
        self.failures > 0
    }

    pub(super) fn well(&mut self) {
        self.failures = 0;
    }

    /// One more failure: how long to rest.
    pub(super) fn failed(&mut self) -> TimeDelta {
        let pause = PAUSE * 2_i32.pow(self.failures.min(10));
        self.failures += 1;
        pause.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;

    fn rested(act: impl Fn(&Rest<'_>, &'static AtomicI64) -> bool) -> (TimeDelta, bool) {
        let step: &'static AtomicI64 = Box::leak(Box::default());
        let start = DateTime::from_timestamp(1_795_446_000, 0).unwrap();
        let clock = Clock::fast(start, 100_000, step);
        let (stop, pulse) = (AtomicBool::new(false), Pulse::new(clock));
        let watch = clock.stopwatch();
        let went_on = act(&Rest { clock, stop: &stop, pulse: &pulse }, step);
        (TimeDelta::from_std(watch.elapsed()).unwrap(), went_on)
    }

    #[test]
    fn a_clock_that_is_set_forwards_ends_a_rest_and_one_that_is_set_back_does_not_prolong_it() {
        let day = TimeDelta::days(1);
        let (length, _) = rested(|rest, _| rest.sleep(day));
        assert!(length >= day, "{length}");
        let (length, _) = rested(|rest, step| {
            let moment = rest.clock.now() + day * 1000;
            step.store((day * 1000).num_milliseconds(), Ordering::Relaxed);
            rest.sleep_until(moment)
        });
        assert!(length < day * 500, "{length}");
        let (length, went_on) = rested(|rest, step| {
            let moment = rest.clock.now() + day;
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // It sleeps by now, and for a while yet.
                    rest.clock.nap(std::time::Duration::from_secs(21_600));
                    step.store((-day * 1000).num_milliseconds(), Ordering::Relaxed);
                });
                rest.sleep_until(moment)
            })
        });
        assert!(went_on && length >= day && length < day * 500, "{length}");
    }

    #[test]
    fn who_is_stopped_does_not_go_on() {
        let stopped = rested(|rest, _| {
            rest.stop.store(true, Ordering::Relaxed);
            rest.sleep(TimeDelta::days(100_000))
        });
        assert!(!stopped.1);
    }
}
