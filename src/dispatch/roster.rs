//! The relays and how they stand: who is to work, who rests after a failure, who may take no more for now.

use super::End;
use super::floor::lock;
use crate::clock::{Clock, Stopwatch};
use crate::transport::{Relay, Transport};
use chrono::TimeDelta;
use std::sync::Mutex;

/// The rest after a first failure; it doubles with each further one.
const REST: TimeDelta = TimeDelta::minutes(1);
/// The longest rest after failures.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// The ways out, the first ones first, and how they stand. It outlives a run, so that a daemon does not try what is broken each time
/// that something is due.
#[derive(Debug)]
pub struct Relays {
    all: Vec<Relay>,
    states: Mutex<Vec<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    standing: Standing,
    /// Failures in a row.
    failures: u32,
    used: Used,
}

#[derive(Clone, Debug, Default)]
enum Standing {
    #[default]
    Able,
    /// It may take no more for so long.
    Full(Pause),
    /// It has failed.
    Out(Pause),
}

/// A length of time by a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
struct Pause {
    watch: Stopwatch,
    length: TimeDelta,
}

/// What became of a relay in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// What it is called, where there are several.
    pub name: Option<String>,
    /// How many messages it took.
    pub accepted: u64,
    /// Why it went out of service, where it did: what happened, and what to do.
    pub failed: Option<String>,
}

impl Pause {
    /// None: it is over.
    fn left(&self) -> Option<TimeDelta> {
        let left = self.length - TimeDelta::from_std(self.watch.elapsed()).unwrap_or(TimeDelta::MAX);
        Some(left).filter(|left| *left > TimeDelta::zero())
    }
}

impl Standing {
    fn pause(&self) -> Option<&Pause> {
        match self {
            Standing::Able => None,
            Standing::Full(pause) | Standing::Out(pause) => Some(pause),
        }
    }
}

impl Relays {
    /// These, in the order of their priorities.
    pub fn new(mut all: Vec<Relay>) -> Self {
        all.sort_by_key(|relay| relay.terms.priority);
        let states = Mutex::new(vec![State::default(); all.len()]);
        Relays { all, states }
    }

    /// One way out alone, with so many connections.
    pub fn sole(transport: Transport, connections: usize) -> Self {
        Relays::new(vec![Relay::sole(transport, connections)])
    }

    /// All of them, the first ones first.
    pub fn all(&self) -> &[Relay] {
        &self.all
    }

    /// A run begins: what was full may have room, which the ledger knows. Where all are out of service each is tried again.
    pub(super) fn begin(&self) {
        let mut states = lock(&self.states);
        for (state, relay) in states.iter_mut().zip(&self.all) {
            state.used = Used { name: relay.terms.name.clone(), ..Used::default() };
            if matches!(state.standing, Standing::Full(_)) {
                state.standing = Standing::Able;
            }
        }
        if !states.iter().any(|state| matches!(state.standing, Standing::Able)) {
            states.iter_mut().for_each(|state| state.standing = Standing::Able);
        }
    }

    /// Who works next: of those who can, all of the first priority.
    pub(super) fn on_duty(&self) -> Vec<usize> {
        let mut states = lock(&self.states);
        for state in states.iter_mut() {
            if state.standing.pause().is_some_and(|pause| pause.left().is_none()) {
                state.standing = Standing::Able;
            }
        }
        let priority = |at: &usize| self.all[*at].terms.priority;
        let able: Vec<usize> = (0..states.len()).filter(|at| matches!(states[*at].standing, Standing::Able)).collect();
        let first = able.first().map(priority);
        able.into_iter().filter(|at| Some(priority(at)) == first).collect()
    }

    /// Whether one that goes before a relay, or beside it, has rested long enough: then it is tried.
    pub(super) fn is_to_yield(&self, at: usize) -> bool {
        let own = self.all[at].terms.priority;
        let states = lock(&self.states);
        let rested = |state: &State| state.standing.pause().is_some_and(|pause| pause.left().is_none());
        states.iter().zip(&self.all).any(|(state, relay)| relay.terms.priority <= own && rested(state))
    }

    /// It took a message.
    pub(super) fn accepted(&self, at: usize) {
        lock(&self.states)[at].used.accepted += 1;
    }

    /// It ended its work well.
    pub(super) fn well(&self, at: usize) {
        lock(&self.states)[at].failures = 0;
    }

    /// It may take no more for so many milliseconds.
    pub(super) fn full(&self, at: usize, millis: i64, clock: Clock) {
        let pause = Pause { watch: clock.stopwatch(), length: TimeDelta::milliseconds(millis) };
        let mut states = lock(&self.states);
        (states[at].standing, states[at].failures) = (Standing::Full(pause), 0);
    }

    /// It failed, and rests: longer each time.
    pub(super) fn failed(&self, at: usize, why: &str, clock: Clock) {
        let mut states = lock(&self.states);
        let state = &mut states[at];
        let length = (REST * 2_i32.pow(state.failures.min(10))).min(LONGEST);
        state.failures += 1;
        state.standing = Standing::Out(Pause { watch: clock.stopwatch(), length });
        state.used.failed = Some(why.to_owned());
        if self.all.len() > 1 {
            tracing::warn!("{why}\n  it is tried again in {} min; the other relays go on", length.num_minutes());
        }
    }

    /// How a run ends when nobody is left to work.
    pub(super) fn end(&self) -> End {
        let states = lock(&self.states);
        let is_full = states.iter().any(|state| matches!(state.standing, Standing::Full(_)));
        if is_full {
            let left = states.iter().filter_map(|state| state.standing.pause()?.left());
            return End::RateLimited(left.min().map_or(1, |left| left.num_milliseconds().max(1)));
        }
        let whys: Vec<&str> = states.iter().filter_map(|state| state.used.failed.as_deref()).collect();
        End::Halted(match whys.as_slice() {
            [why] => (*why).to_owned(),
            whys => format!("no relay takes mail now\n{}", whys.join("\n")),
        })
    }

    /// What became of each in this run.
    pub(super) fn used(&self) -> Vec<Used> {
        lock(&self.states).iter().map(|state| state.used.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::relay::Terms;
    use std::sync::atomic::AtomicI64;

    /// With these priorities, on a clock that runs a hundred thousand times as fast.
    fn relays(priorities: &[u16]) -> (Relays, Clock) {
        let relay = |(n, priority): (usize, &u16)| Relay {
            terms: Terms { name: Some(format!("r{n}")), priority: *priority, ..Terms::sole(1) },
            transport: Transport::memory().0,
        };
        let relays = Relays::new(priorities.iter().enumerate().map(relay).collect());
        relays.begin();
        let step: &'static AtomicI64 = Box::leak(Box::default());
        (relays, Clock::fast(chrono::DateTime::from_timestamp(1_795_446_000, 0).unwrap(), 100_000, step))
    }

    #[test]
    fn those_of_the_first_priority_that_can_are_on_duty() {
        let (relays, _) = relays(&[20, 10, 10, 30]);
        let clock = Clock::system();
        let names: Vec<_> = relays.all().iter().map(|relay| relay.terms.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["r1", "r2", "r0", "r3"]);
        assert_eq!(relays.on_duty(), [0, 1]);
        relays.failed(0, "it is down", clock);
        assert_eq!(relays.on_duty(), [1]);
        relays.full(1, 90_000, clock);
        assert_eq!(relays.on_duty(), [2]);
        relays.failed(2, "it is down, too", clock);
        relays.failed(3, "and it", clock);
        assert!(relays.on_duty().is_empty());
        // One has room before another is tried again.
        assert!(matches!(relays.end(), End::RateLimited(1..=60_000)), "{:?}", relays.end());
        let failed: Vec<_> = relays.used().into_iter().map(|used| used.failed).collect();
        assert_eq!(
            failed,
            [Some("it is down"), None, Some("it is down, too"), Some("and it")].map(|why| why.map(str::to_owned))
        );
    }

    #[test]
    fn where_all_have_failed_a_run_says_why_and_the_next_tries_again() {
        let (relays, _) = relays(&[0, 10]);
        relays.failed(0, "a is down", Clock::system());
        relays.failed(1, "b is down", Clock::system());
        assert_eq!(relays.end(), End::Halted("no relay takes mail now\na is down\nb is down".to_owned()));
        relays.begin();
        assert_eq!((relays.on_duty(), relays.used()[0].failed.clone()), (vec![0], None));
        // Where one goes on, nobody hurries.
        relays.failed(0, "a is down", Clock::system());
        relays.begin();
        assert_eq!(relays.on_duty(), [1]);
    }

    #[test]
    fn who_has_rested_is_tried_again_and_rests_longer_then() {
        let (relays, clock) = relays(&[0, 10]);
        for minutes in [1, 2, 4] {
            relays.failed(0, "it is down", clock);
            let watch = clock.stopwatch();
            while !relays.is_to_yield(1) {
                std::thread::yield_now();
            }
            assert!(
                TimeDelta::from_std(watch.elapsed()).unwrap() >= TimeDelta::minutes(minutes) - TimeDelta::seconds(20)
            );
            assert_eq!(relays.on_duty(), [0]);
            assert!(!relays.is_to_yield(1));
        }
        relays.well(0);
        relays.failed(0, "it is down", clock);
        let watch = clock.stopwatch();
        while relays.on_duty() != [0] {
            std::thread::yield_now();
        }
        assert!(watch.elapsed() >= std::time::Duration::from_secs(40));
    }
}
