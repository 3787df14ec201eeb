//! The rounds of `serve`: what `run` does before it sends, at each slot of a schedule and every few minutes between.

use super::pulse::Pulse;
use super::rest::{Patience, Rest};
use crate::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::atomic::AtomicBool;

/// Posts and the mailbox are looked at this often.
const EVERY: TimeDelta = TimeDelta::minutes(5);

/// What makes rounds.
pub struct Rounds<'a> {
    /// One round: when the next slot of a schedule comes, or why it failed.
    pub round: &'a (dyn Fn() -> Result<Option<DateTime<Utc>>, String> + Sync),
    /// Hears how each round ended.
    pub told: &'a (dyn Fn(Option<&str>) + Sync),
    /// The time.
    pub clock: Clock,
    /// Set by a signal.
    pub stop: &'a AtomicBool,
    /// Shows that it goes on.
    pub pulse: &'a Pulse,
}

impl Rounds<'_> {
    /// Makes rounds until `stop` is set.
    pub fn run(&self) {
        let rest = Rest { clock: self.clock, stop: self.stop, pulse: self.pulse };
        let mut patience = Patience::default();
        loop {
            self.pulse.beat();
            let began = self.clock.now();
            let done = (self.round)();
            (self.told)(done.as_ref().err().map(String::as_str));
            let next = match done {
                Ok(slot) => {
                    patience.well();
                    // At the slot itself, not minutes after it. One that came while the round was made is decided by the next.
                    slot.map_or(began + EVERY, |slot| slot.min(began + EVERY))
                }
                Err(_) => self.clock.now() + patience.failed(),
            };
            if !rest.sleep_until(next) {
                return;
            }
        }
    }
}
