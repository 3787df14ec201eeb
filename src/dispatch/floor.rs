//! What the sessions of a relay share: the tray, the pace, the breaker, and the word to come home. And what all sessions share.

use super::session::Skeletons;
use super::shares::Shares;
use super::tray::{Next, Tray};
use super::{Dispatch, PATIENCE, SLICE};
use crate::delivery::breaker::{Breaker, Tripped};
use crate::delivery::{Limits, Rate, Throttle};
use crate::message::letter::Kind;
use crate::remote::{CHECKPOINT, Remote};
use crate::reply::{Fault, Outcome, Refusal};
use crate::store;
use crate::store::ledger::{Claim, Claimed, Ledger, Text, Way};
use crate::transport::{NotReady, Relay};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A pace of one message in so many milliseconds is of no use where another relay may take them.
const TOO_SLOW: i64 = 8_000;

/// What all relays that work at the same time share.
pub(super) struct House<'a> {
    pub(super) dispatch: &'a Dispatch<'a>,
    pub(super) skeletons: Mutex<Skeletons>,
    limits: Arc<Limits>,
    /// Of those on duty, in their order: how many rows one claims at once.
    batches: Vec<i64>,
    /// Between them.
    shares: Shares,
    /// Held by who claims for a store that is kept elsewhere.
    checkpoint: Mutex<()>,
    halt: Mutex<Option<Halt>>,
    /// Whether a relay has found what ends the run, and is about to say what.
    is_over: AtomicBool,
}

pub(super) struct Floor<'a> {
    pub(super) dispatch: &'a Dispatch<'a>,
    pub(super) house: &'a House<'a>,
    pub(super) ledger: Ledger,
    /// The relay, and its place among those on duty and among all.
    pub(super) relay: &'a Relay,
    place: Place,
    tray: Tray,
    /// Why no more is claimed.
    end: Mutex<Option<Went>>,
    out: Mutex<Option<Out>>,
    breaker: Mutex<Breaker>,
    throttle: Mutex<Throttle>,
    /// Why a session has no connection.
    unreachable: Mutex<Option<NotReady>>,
    /// Whether a connection is being sought in vain.
    is_lost: AtomicBool,
}

/// Where a relay stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) on_duty: usize,
    pub(super) of_all: usize,
}

/// Why all sessions of all relays come home.
pub(super) enum Halt {
    Store(store::Error),
    Broken(String),
}

/// Why a relay is out of service.
pub(super) enum Out {
    Broken(String),
    Tripped(Tripped),
}

/// How a relay's work went that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// Nothing more is due now.
    Drained,
    /// It may take no more for so many milliseconds.
    Full(i64),
    /// Another's turn has come.
    Yielded,
}

/// What is left when all sessions of a relay are home.
pub(super) struct Left {
    pub(super) rows: VecDeque<Claimed>,
    pub(super) went: Option<Went>,
    pub(super) out: Option<Out>,
    pub(super) breaker: Breaker,
}

impl<'a> House<'a> {
    /// For these of the relays.
    pub(super) fn new(dispatch: &'a Dispatch<'a>, on_duty: &[usize]) -> Self {
        let all = dispatch.relays.all();
        let batch = |relay: &Relay| match dispatch.remote {
            // They divide a checkpoint, so that each push is of many.
            Some(_) => (CHECKPOINT / on_duty.len() as i64).max(1),
            None => (relay.terms.connections as i64 * 8).clamp(16, 512),
        };
        let shares: Vec<_> = on_duty.iter().map(|at| (all[*at].terms.weight.get(), batch(&all[*at]))).collect();
        House {
            dispatch,
            skeletons: Mutex::default(),
            checkpoint: Mutex::default(),
            limits: Arc::new(dispatch.settings.limits(all.iter().map(|relay| relay.terms.clone()).collect())),
            batches: shares.iter().map(|(_, batch)| *batch).collect(),
            shares: Shares::new(&shares),
            halt: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// The first reason is the one that is told.
    pub(super) fn halt(&self, why: Halt) {
        lock(&self.halt).get_or_insert(why);
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn close(self) -> Option<Halt> {
        into(self.halt)
    }
}

impl<'a> Floor<'a> {
    pub(super) fn new(house: &'a House<'a>, ledger: &Ledger, place: Place) -> Self {
        let relay = &house.dispatch.relays.all()[place.of_all];
        let connections = relay.terms.connections;
        let way = Way { relay: relay.terms.name.clone(), transport: relay.transport.name().to_owned() };
        Floor {
            dispatch: house.dispatch,
            house,
            ledger: ledger.by(way),
            relay,
            place,
            // Each push is one of a whole checkpoint, so as much as may be waits for it.
            tray: Tray::new(connections, if house.dispatch.remote.is_some() { 0 } else { connections * 4 }),
            end: Mutex::default(),
            out: Mutex::default(),
            breaker: Mutex::new(Breaker::for_one_of(house.dispatch.relays.all().len())),
            throttle: Mutex::default(),
            unreachable: Mutex::default(),
            is_lost: AtomicBool::new(false),
        }
    }

    /// Claims rows for the sessions as long as there are any to be sent and anybody to send them.
    pub(super) fn supply(&self) {
        if let Err(error) = self.claims() {
            self.halt(Halt::Store(error));
        }
        self.tray.close();
        self.house.shares.stand_by(self.place.on_duty);
    }

    fn claims(&self) -> Result<(), store::Error> {
        let House { shares, limits, .. } = self.house;
        let own = self.place.on_duty;
        self.ledger.clear_lanes(limits)?;
        while !self.is_over() {
            self.dispatch.remote.map_or(Ok(()), Remote::renew)?;
            if self.dispatch.relays.is_to_yield(self.place.of_all) {
                lock(&self.end).get_or_insert(Went::Yielded);
                break;
            }
            let is_held_up = self.is_held_up();
            if is_held_up {
                shares.stand_by(own);
            }
            match self.tray.wants(SLICE) {
                None => break,
                Some(false) => continue,
                Some(true) => {}
            }
            let turn = if is_held_up { i64::MAX } else { shares.turn(own, SLICE) };
            if turn < 1 {
                continue;
            }
            let Some(claim) = self.claim(turn.min(self.house.batches[own]))? else {
                // All that may be in doubt is in hand.
                std::thread::sleep(SLICE);
                continue;
            };
            let end = match claim {
                Claim::Rows(rows) => {
                    shares.took(own, rows.len());
                    self.tray.lay(rows);
                    continue;
                }
                Claim::Wait(millis) if millis <= PATIENCE => {
                    shares.stand_by(own);
                    std::thread::sleep(SLICE.min(Duration::from_millis(millis.unsigned_abs())));
                    continue;
                }
                Claim::Wait(millis) => Went::Full(millis),
                Claim::Nothing(_) => Went::Drained,
            };
            lock(&self.end).get_or_insert(end);
            break;
        }
        Ok(())
    }

    /// So many at most. Where the store is kept elsewhere, they are seen there before any of them is begun (P2), and no more are claimed
    /// than may be in doubt; None: as many are in hand.
    fn claim(&self, most: i64) -> Result<Option<Claim>, store::Error> {
        let claim = |most| self.ledger.claim(most, &self.house.limits, self.dispatch.clock.now());
        let Some(remote) = self.dispatch.remote else { return claim(most).map(Some) };
        // What all relays have in hand together is what may be in doubt.
        let _alone = lock(&self.house.checkpoint);
        let room = CHECKPOINT - self.dispatch.store.claimed()?;
        if room < 1 {
            return Ok(None);
        }
        let claim = claim(most.min(room))?;
        if let Claim::Rows(_) = &claim {
            remote.push_checkpoint()?;
        }
        Ok(Some(claim))
    }

    /// Whether the server takes less than it might be given: nobody waits for it.
    fn is_held_up(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed) || lock(&self.throttle).limit().is_some()
    }

    /// Everybody comes home.
    pub(super) fn halt(&self, why: Halt) {
        self.house.halt(why);
    }

    /// This relay's sessions come home. The first reason is the one that is told.
    pub(super) fn fail(&self, why: Out) {
        if let Out::Tripped(tripped) = &why
            && !tripped.is_of_the_relay()
        {
            self.house.is_over.store(true, Ordering::Relaxed);
        }
        lock(&self.out).get_or_insert(why);
    }

    pub(super) fn is_over(&self) -> bool {
        self.dispatch.stop.load(Ordering::Relaxed)
            || self.house.is_over.load(Ordering::Relaxed)
            || lock(&self.out).is_some()
    }

    /// Whether there are other relays, on duty or not.
    pub(super) fn is_one_of_several(&self) -> bool {
        self.dispatch.relays.all().len() > 1
    }

    /// Whether the last try to reach the server failed.
    pub(super) fn reached(&self, reached: bool) {
        self.is_lost.store(!reached, Ordering::Relaxed);
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
                lock(&self.end).get_or_insert(Went::Full(wait.num_milliseconds()));
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
            if self.is_one_of_several() && window >= TOO_SLOW * messages {
                self.fail(Out::Tripped(Tripped::Throttled));
            }
            let who = self.relay.terms.title();
            tracing::warn!("{who} asks for a slower pace: {messages} messages in {} s from now on", window / 1000);
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

    /// Counts what came of a try, and stops the relay, or all, where it trips the breaker.
    pub(super) fn watch(&self, row: &Claimed, outcome: Outcome) {
        let progress = self.dispatch.progress;
        let count = match outcome {
            Outcome::Accepted => &progress.accepted,
            Outcome::Deferred(_) => &progress.deferred,
            Outcome::Refused(_) => &progress.refused,
            Outcome::Unknown => &progress.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if outcome == Outcome::Accepted {
            self.dispatch.relays.accepted(self.place.of_all);
        }
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
            self.fail(Out::Tripped(tripped));
        }
    }

    /// All of them are home.
    pub(super) fn clear(self) -> Left {
        let is_one_of_several = self.is_one_of_several();
        let rows = self.tray.clear();
        let nobody = into(self.unreachable).filter(|_| !rows.is_empty()).map(|why| {
            let help = match is_one_of_several {
                true => "nothing is lost: what it did not take goes by another, or is queued; look at the server",
                false => "nothing is lost: the rest is queued; look at the server, then run again",
            };
            Out::Broken(format!("{}\n  help: {help}", self.relay.terms.said(&why.to_string())))
        });
        Left { rows, went: into(self.end), out: into(self.out).or(nobody), breaker: into(self.breaker) }
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
            look(&Floor::new(&House::new(dispatch, &[0]), &ledger, Place { on_duty: 0, of_all: 0 }));
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
            assert!(matches!(*lock(&floor.end), Some(Went::Full(60_001..=64_000))));
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
