//! What the sessions share: the tray, the pace, the breaker, and the word to come home.

use super::session::Skeletons;
use super::tray::{Next, Tray};
use super::{Dispatch, End, PATIENCE, SLICE};
use crate::delivery::breaker::{Breaker, Tripped};
use crate::delivery::{Limits, Rate, Throttle};
use crate::message::letter::Kind;
use crate::remote::{CHECKPOINT, Remote};
use crate::reply::{Fault, Outcome, Refusal};
use crate::store;
use crate::store::ledger::{Claim, Claimed, Ledger, Text};
use crate::transport::NotReady;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(super) struct Floor<'a> {
    pub(super) dispatch: &'a Dispatch<'a>,
    pub(super) ledger: &'a Ledger,
    pub(super) skeletons: Mutex<Skeletons>,
    limits: Arc<Limits>,
    tray: Tray,
    /// Why no more is claimed.
    end: Mutex<Option<End>>,
    halt: Mutex<Option<Halt>>,
    breaker: Mutex<Breaker>,
    throttle: Mutex<Throttle>,
    /// Why a session has no connection.
    unreachable: Mutex<Option<NotReady>>,
}

/// Why all sessions come home.
pub(super) enum Halt {
    Store(store::Error),
    Broken(String),
    Tripped(Tripped),
}

/// What is left when all are home.
pub(super) struct Left {
    pub(super) rows: VecDeque<Claimed>,
    pub(super) end: Option<End>,
    pub(super) halt: Option<Halt>,
    pub(super) breaker: Breaker,
}

impl<'a> Floor<'a> {
    pub(super) fn new(dispatch: &'a Dispatch<'a>, ledger: &'a Ledger) -> Self {
        let connections = dispatch.settings.connections;
        Floor {
            dispatch,
            ledger,
            skeletons: Mutex::default(),
            limits: Arc::new(dispatch.settings.limits()),
            // Each push is one of a whole checkpoint, so as much as may be waits for it.
            tray: Tray::new(connections, if dispatch.remote.is_some() { 0 } else { connections * 4 }),
            end: Mutex::default(),
            halt: Mutex::default(),
            breaker: Mutex::default(),
            throttle: Mutex::default(),
            unreachable: Mutex::default(),
        }
    }

    /// Claims rows for the sessions as long as there are any to be sent and anybody to send them.
    pub(super) fn supply(&self) {
        if let Err(error) = self.claims() {
            self.halt(Halt::Store(error));
        }
        self.tray.close();
    }

    fn claims(&self) -> Result<(), store::Error> {
        let remote = self.dispatch.remote;
        self.ledger.clear_lanes(&self.limits)?;
        while !self.is_over() {
            remote.map_or(Ok(()), Remote::renew)?;
            match self.tray.wants(SLICE) {
                None => break,
                Some(false) => continue,
                Some(true) => {}
            }
            let batch = self.batch()?;
            if batch < 1 {
                // All that may be in doubt is in hand.
                std::thread::sleep(SLICE);
                continue;
            }
            let end = match self.ledger.claim(batch, &self.limits, self.dispatch.clock.now())? {
                Claim::Rows(rows) => {
                    // The intent is where others see it before any of it is begun (P2).
                    remote.map_or(Ok(()), Remote::push_checkpoint)?;
                    self.tray.lay(rows);
                    continue;
                }
                Claim::Wait(millis) if millis <= PATIENCE => {
                    std::thread::sleep(SLICE.min(Duration::from_millis(millis.unsigned_abs())));
                    continue;
                }
                Claim::Wait(millis) => End::RateLimited(millis),
                Claim::Nothing(_) => End::Drained,
            };
            lock(&self.end).get_or_insert(end);
            break;
        }
        Ok(())
    }

    /// How many rows are claimed at once.
    fn batch(&self) -> Result<i64, store::Error> {
        Ok(match self.dispatch.remote {
            Some(_) => CHECKPOINT - self.dispatch.store.claimed()?,
            None => (self.dispatch.settings.connections as i64 * 8).clamp(16, 512),
        })
    }

    /// The first reason is the one that is told.
    pub(super) fn halt(&self, why: Halt) {
        lock(&self.halt).get_or_insert(why);
    }

    pub(super) fn is_over(&self) -> bool {
        self.dispatch.stop.load(Ordering::Relaxed) || lock(&self.halt).is_some()
    }

    /// Waits so long, or until it is over.
    pub(super) fn rest(&self, mut left: Duration) {
        while !left.is_zero() && !self.is_over() {
            let slice = left.min(SLICE);
            std::thread::sleep(slice);
            left -= slice;
        }
    }

    /// Whether one more message may begin now; then it counts as begun.
    pub(super) fn may_go(&self) -> bool {
        let now = self.dispatch.clock.now();
        let mut throttle = lock(&self.throttle);
        let may = throttle.wait(now).is_zero();
        if may {
            throttle.taken(now);
        }
        may
    }

    /// Waits until one more message may begin. False: it is over.
    pub(super) fn wait_to_go(&self) -> bool {
        while !self.is_over() {
            if self.may_go() {
                return true;
            }
            let wait = lock(&self.throttle).wait(self.dispatch.clock.now());
            if wait.num_milliseconds() > PATIENCE {
                // As where a window of the settings is full: the next run goes on.
                lock(&self.end).get_or_insert(End::RateLimited(wait.num_milliseconds()));
                self.tray.close();
                return false;
            }
            self.rest(SLICE.min(wait.to_std().unwrap_or_default()));
        }
        false
    }

    /// The server asks for a slower pace.
    pub(super) fn rebuked(&self) {
        let mut throttle = lock(&self.throttle);
        if throttle.rebuked(self.dispatch.clock.now())
            && let Some(limit) = throttle.limit()
        {
            let Rate { messages, window } = limit;
            tracing::warn!("the server asks for a slower pace: {messages} messages in {} s from now on", window / 1000);
        }
    }

    /// A row that is at hand, without waiting for anything.
    pub(super) fn at_hand(&self) -> Option<Claimed> {
        if self.is_over() { None } else { self.tray.at_hand() }
    }

    /// Waits for the next row. None: it is over.
    pub(super) fn next(&self) -> Option<Claimed> {
        while !self.is_over() {
            match self.tray.next(SLICE) {
                Next::Row(row) => return Some(*row),
                Next::Nothing => {}
                Next::Closed => break,
            }
        }
        None
    }

    /// A row that this session will not send.
    pub(super) fn give_back(&self, row: Claimed) {
        self.tray.lay_back(row);
    }

    /// A session has no connection and gives its row back. The others may have one, and the server no room for one more: only
    /// where nobody takes the row is that the end.
    pub(super) fn give_up(&self, row: Claimed, why: Option<NotReady>) {
        if let Some(why) = why {
            lock(&self.unreachable).get_or_insert(why);
        }
        self.give_back(row);
    }

    /// A session comes home.
    pub(super) fn leave(&self) {
        self.tray.leave();
    }

    /// Counts what came of a try, and stops all where it trips the breaker.
    pub(super) fn watch(&self, row: &Claimed, outcome: Outcome) {
        let progress = self.dispatch.progress;
        let count = match outcome {
            Outcome::Accepted => &progress.accepted,
            Outcome::Deferred(_) => &progress.deferred,
            Outcome::Refused(_) => &progress.refused,
            Outcome::Unknown => &progress.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if outcome == Outcome::Deferred(Fault::Throttled) {
            self.rebuked();
        }
        // That a stranger typed an address which does not exist says nothing of the list, nor of the server.
        let is_typed =
            matches!(row.text, Text::Letter(_)) && Kind::of(&row.occasion).is_some_and(|(kind, _)| kind.asks());
        if is_typed && matches!(outcome, Outcome::Refused(Refusal::Hard | Refusal::Mailbox)) {
            return;
        }
        if let Some(tripped) = lock(&self.breaker).watch(&row.id, outcome) {
            self.halt(Halt::Tripped(tripped));
        }
    }

    /// All are home.
    pub(super) fn clear(self) -> Left {
        let rows = self.tray.clear();
        let nobody = into(self.unreachable).filter(|_| !rows.is_empty()).map(|why| {
            Halt::Broken(format!(
                "{why}\n  help: nothing is lost: the rest is queued; look at the server, then run again"
            ))
        });
        Left { rows, end: into(self.end), halt: into(self.halt).or(nobody), breaker: into(self.breaker) }
    }
}

/// What panicked elsewhere left no half-changed value behind any of these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn into<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::tests::with_dispatch;
    use chrono::TimeDelta;

    fn on_a_floor(stopped: bool, look: impl FnOnce(&Floor<'_>)) {
        with_dispatch(stopped, |dispatch| {
            let ledger = Ledger::start(dispatch.store, "one".to_owned(), "memory".to_owned()).unwrap();
            look(&Floor::new(dispatch, &ledger));
        });
    }

    /// Rebukes that seem to come from the future count as of now, so that it does not matter how slow the machine is.
    fn rebuked(floor: &Floor<'_>, times: i32) {
        let later = floor.dispatch.clock.now() + TimeDelta::hours(1);
        let mut throttle = lock(&floor.throttle);
        (0..times).for_each(|n| assert!(throttle.rebuked(later + TimeDelta::seconds(2) * n)));
    }

    #[test]
    fn after_a_rebuke_nothing_may_go_at_once() {
        on_a_floor(false, |floor| {
            assert!(floor.may_go());
            rebuked(floor, 1);
            assert!(!floor.may_go());
        });
    }

    #[test]
    fn a_pace_that_asks_for_more_than_a_minute_ends_the_run() {
        on_a_floor(false, |floor| {
            rebuked(floor, 9);
            let later = floor.dispatch.clock.now() + TimeDelta::hours(2);
            lock(&floor.throttle).taken(later);
            assert!(!floor.wait_to_go());
            assert!(matches!(*lock(&floor.end), Some(End::RateLimited(60_001..=64_000))));
            assert!(floor.next().is_none() && !floor.is_over());
        });
    }

    #[test]
    fn a_rest_is_as_long_as_it_should_be_unless_it_is_over() {
        on_a_floor(false, |floor| {
            let watch = floor.dispatch.clock.stopwatch();
            floor.rest(SLICE * 2);
            assert!(watch.elapsed() >= SLICE * 2);
        });
        on_a_floor(true, |floor| floor.rest(Duration::from_secs(86_400)));
    }
}
