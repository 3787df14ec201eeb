//! Delivery: claim → splice → send → settle, until nothing is due or somebody says stop.
//!
//! Each relay has a thread that claims rows, a few at a time, so that only a handful is ever in memory, and lays them on a tray. Each
//! session is a thread with one connection to the server, and takes from it. They meet in the ledger, which commits at once what all of
//! them wait for. What a reply means, when to try again, how fast and when to stop is asked of [`crate::delivery`]; nothing is decided
//! here.
//!
//! The relays on duty are those of the first priority that can work. When they are done, have failed or are full, or another's time
//! has come, they come home, and who is on duty is asked again. What a relay has not begun is handed back, for whoever comes next.

mod floor;
mod roster;
mod session;
mod shares;
mod tray;

use crate::clock::Clock;
use crate::delivery::breaker::{Breaker, Tripped};
use crate::delivery::relay::Terms;
use crate::delivery::{self, Uncertain};
use crate::message::{self, Signer};
use crate::random::Random;
use crate::remote::{RENEWAL, Remote};
use crate::store::ledger::{Ledger, Recovered};
use crate::store::{self, Store};
use crate::token::Keyring;
use chrono::{DateTime, TimeDelta, Utc};
use floor::{Floor, Halt, House, Left, Out, Place, Went};
pub use roster::{Relays, Used};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// What delivery needs.
pub struct Dispatch<'a> {
    /// The ledger's store.
    pub store: &'a Store,
    /// What keeps that, if this machine does not: then what is claimed is pushed before it is begun.
    pub remote: Option<&'a Remote>,
    /// The ways out.
    pub relays: &'a Relays,
    /// Connections, rates, patience.
    pub settings: &'a delivery::Settings,
    /// For the envelope.
    pub mail: &'a message::Settings,
    /// Signs the links and the bounce addresses.
    pub keyring: &'a Keyring,
    /// Signs the messages.
    pub signer: &'a Signer,
    /// The time.
    pub clock: Clock,
    /// For jitter.
    pub random: &'a Random,
    /// Set by a signal: finish the message in hand and come home.
    pub stop: &'a AtomicBool,
    /// Counts for whoever watches.
    pub progress: &'a Progress,
    /// How long to stay for what becomes due.
    pub wait: TimeDelta,
}

/// What happened so far in this process.
#[derive(Debug, Default)]
pub struct Progress {
    /// Taken by the server.
    pub accepted: AtomicI64,
    /// To be tried again.
    pub deferred: AtomicI64,
    /// Refused for good.
    pub refused: AtomicI64,
    /// Left in doubt.
    pub unknown: AtomicI64,
}

/// How a dispatch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing more is due now.
    Drained,
    /// The rates allow no more for so many milliseconds.
    RateLimited(i64),
    /// Somebody said stop.
    Stopped,
    /// It could not go on: what happened and what to do.
    Halted(String),
}

/// The result of a dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// What was found of dead processes.
    pub recovered: Recovered,
    /// Editions that had rested too long and are held now.
    pub held_editions: Vec<String>,
    /// What became of each relay.
    pub relays: Vec<Used>,
    /// How it ended.
    pub end: End,
}

impl Dispatched {
    /// Why each of the relays went out of service that did.
    pub fn out(&self) -> Vec<String> {
        self.relays.iter().filter_map(|relay| relay.failed.clone()).collect()
    }
}

/// `run` waits for a rate's window up to this long.
const PATIENCE: i64 = 60_000;
/// Sleeps are cut into slices of this length, so that a stop is soon heard.
const SLICE: Duration = Duration::from_millis(100);

impl Dispatch<'_> {
    /// Delivers all that is due, and within `wait` what becomes due.
    pub fn run(&self) -> Result<Dispatched, store::Error> {
        let first = self.relays.all().first().map_or("", |relay| relay.transport.name());
        let ledger = Ledger::start(self.store, self.random.id(), first.to_owned())?;
        self.relays.begin();
        let watch = self.clock.stopwatch();
        let mut recovered = self.recover(&ledger)?;
        let held_editions = ledger.hold_rested(self.clock.now() - self.settings.give_up_after.0)?;
        ledger.mend_due(self.clock.now())?;
        let end = loop {
            let (end, next) = self.drain(&ledger)?;
            if end != End::Drained {
                break end;
            }
            // The wall clock may have been set meanwhile; how long we stay is measured by one that nobody sets.
            let now = self.clock.now();
            let stays = self.wait - TimeDelta::from_std(watch.elapsed()).unwrap_or(TimeDelta::MAX);
            match next {
                _ if ledger.mend_due(now)? > 0 => {}
                Some(next) if next - now <= stays || next <= now => {
                    // What is due and yet not to be had is another's for a moment.
                    let mut until = next.max(now + TimeDelta::milliseconds(SLICE.as_millis() as i64));
                    if self.remote.is_some() {
                        // Whoever sleeps longer than it says is taken for dead.
                        until = until.min(now + RENEWAL);
                    }
                    if !self.sleep_until(until) {
                        break End::Stopped;
                    }
                }
                _ => break end,
            }
            let more = self.recover(&ledger)?;
            recovered = Recovered { uncertain: recovered.uncertain + more.uncertain, held: recovered.held + more.held };
        };
        ledger.finish_editions()?;
        Ok(Dispatched { recovered, held_editions, relays: self.relays.used(), end })
    }

    fn recover(&self, ledger: &Ledger) -> Result<Recovered, store::Error> {
        let recovered = ledger.recover(self.settings.uncertain, self.clock.now())?;
        if recovered.uncertain + recovered.held > 0 {
            let then = if self.settings.uncertain == Uncertain::Resend { "resent" } else { "held" };
            tracing::warn!(
                uncertain = recovered.uncertain,
                held = recovered.held,
                "a process ended in mid-delivery; what is in doubt is {then}, see `status`"
            );
        }
        Ok(recovered)
    }

    /// Works until nothing is due or nobody can go on. With when the next delivery is due.
    fn drain(&self, ledger: &Ledger) -> Result<(End, Option<DateTime<Utc>>), store::Error> {
        loop {
            let on_duty = self.relays.on_duty();
            if on_duty.is_empty() {
                return Ok((self.relays.end(), None));
            }
            let house = House::new(self, &on_duty);
            let went = self.work_all(&house, ledger, &on_duty);
            match house.close() {
                Some(Halt::Store(error)) => return Err(error),
                Some(Halt::Broken(why)) => return Ok((End::Halted(why), None)),
                None => {}
            }
            // Asked now that all are home: what one session deferred was not there when another found nothing due.
            if went.iter().all(|went| *went == Some(Went::Drained)) {
                return Ok((End::Drained, ledger.next_due(self.clock.now())?));
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok((End::Stopped, None));
            }
        }
    }

    /// Those on duty work side by side, the first of them on this thread.
    fn work_all(&self, house: &House<'_>, ledger: &Ledger, on_duty: &[usize]) -> Vec<Option<Went>> {
        let mut places = on_duty.iter().enumerate().map(|(on_duty, of_all)| Place { on_duty, of_all: *of_all });
        let first = places.next();
        std::thread::scope(|scope| {
            let start = |place| {
                std::thread::Builder::new().spawn_scoped(scope, move || self.work(house, ledger, place)).map_err(
                    |why| {
                        house.halt(Halt::Broken(format!("no thread for a relay: {why}\n  help: use fewer relays")));
                    },
                )
            };
            let others: Vec<_> = places.map(start).collect();
            let mut went: Vec<Option<Went>> = first.map(|place| self.work(house, ledger, place)).into_iter().collect();
            // One that panics is told of by the others' scope: a session's panic does not come here.
            went.extend(others.into_iter().map(|other| other.ok().and_then(|thread| thread.join().ok()).flatten()));
            went
        })
    }

    /// A relay's sessions are started, work until nothing is due for it, and come home. None: it failed, or the run is over.
    fn work(&self, house: &House<'_>, ledger: &Ledger, place: Place) -> Option<Went> {
        let floor = Floor::new(house, ledger, place);
        let terms = &floor.relay.terms;
        std::thread::scope(|scope| {
            let start = |n: usize| {
                let name = match &terms.name {
                    None => format!("session {n}"),
                    Some(relay) => format!("{relay} {n}"),
                };
                let started = std::thread::Builder::new().name(name).spawn_scoped(scope, || session::serve(&floor));
                if let Err(why) = &started {
                    floor.leave();
                    house.halt(Halt::Broken(format!(
                        "no thread for connection {n}: {why}\n  help: set delivery.connections to fewer than {n}"
                    )));
                }
                started.ok()
            };
            let sessions: Vec<_> = (1..=terms.connections).filter_map(start).collect();
            floor.supply();
            for session in sessions {
                // A session that panicked has left its row Sending: recovery judges it.
                if session.join().is_err() {
                    house.halt(Halt::Broken("a delivery thread panicked; please report this".to_owned()));
                }
            }
        });
        let left = floor.clear();
        self.clear_up(house, ledger, terms, place, left).unwrap_or_else(|error| {
            house.halt(Halt::Store(error));
            None
        })
    }

    /// Hands back what a relay has not begun, and notes how it stands.
    fn clear_up(
        &self,
        house: &House<'_>,
        ledger: &Ledger,
        terms: &Terms,
        place: Place,
        left: Left,
    ) -> Result<Option<Went>, store::Error> {
        let Left { rows, went, out, breaker } = left;
        ledger.release(rows.into_iter().map(|row| row.id).collect())?;
        let out = match (out, breaker.at_the_end()) {
            (None, Some(tripped)) if self.store.none_was_taken(&breaker.hit(tripped))? => Some(Out::Tripped(tripped)),
            (out, _) => out,
        };
        let relays = self.relays;
        match (out, went) {
            (Some(Out::Broken(why)), _) => relays.failed(place.of_all, &why, self.clock),
            (Some(Out::Tripped(tripped)), _) => {
                let why = self.undo(ledger, terms, &breaker, tripped)?;
                match tripped.is_of_the_relay() {
                    true => relays.failed(place.of_all, &why, self.clock),
                    false => house.halt(Halt::Broken(why)),
                }
            }
            (None, Some(Went::Full(millis))) => relays.full(place.of_all, millis, self.clock),
            (None, Some(went)) => {
                relays.well(place.of_all);
                return Ok(Some(went));
            }
            (None, None) => {}
        }
        Ok(None)
    }

    /// True unless somebody said stop. It ends when the clock says so, or when as much time has passed: whichever comes first.
    fn sleep_until(&self, moment: DateTime<Utc>) -> bool {
        let (watch, length) = (self.clock.stopwatch(), (moment - self.clock.now()).to_std().unwrap_or_default());
        while self.clock.now() < moment && watch.elapsed() < length && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(SLICE);
        }
        !self.stop.load(Ordering::Relaxed)
    }

    fn undo(
        &self,
        ledger: &Ledger,
        terms: &Terms,
        breaker: &Breaker,
        tripped: Tripped,
    ) -> Result<String, store::Error> {
        let (who, what) = (terms.title(), terms.keyed(tripped.what_to_do()));
        let deliveries = breaker.hit(tripped);
        let Tripped::Refusals(_) = tripped else {
            // Nothing was refused. But another relay need not wait until this one might be asked again.
            if self.relays.all().len() > 1 {
                ledger.undo(deliveries, self.clock.now())?;
            }
            return Ok(format!("{who} {what}"));
        };
        let count = deliveries.len();
        ledger.undo(deliveries, self.clock.now())?;
        Ok(format!(
            "{who} {what}\n  {count} refused deliveries are queued again, and no address is suppressed for them"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Mode, Place};
    use crate::transport::Transport;

    /// One over an empty store, told to stop or not.
    pub(super) fn with_dispatch(stopped: bool, look: impl FnOnce(&Dispatch<'_>)) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Place::File(folder.path().join("postrider.db")), Mode::Create).unwrap();
        let mail: message::Settings =
            toml::from_str("from = \"news@example.org\"\ntransport = \"outbox:outbox\"").unwrap();
        look(&Dispatch {
            store: &store,
            remote: None,
            relays: &Relays::sole(Transport::memory().0, 4),
            settings: &delivery::Settings::default(),
            mail: &mail,
            keyring: &Keyring::new(&["secret"]),
            signer: &Signer::none(),
            clock: Clock::system(),
            random: &Random::seeded(1),
            stop: &AtomicBool::new(stopped),
            progress: &Progress::default(),
            wait: TimeDelta::zero(),
        });
    }

    #[test]
    fn it_sleeps_until_the_moment_has_come() {
        with_dispatch(false, |dispatch| {
            let (watch, length) = (dispatch.clock.stopwatch(), TimeDelta::milliseconds(150));
            let moment = dispatch.clock.now() + length;
            assert!(dispatch.sleep_until(moment));
            // Its own watch began a little later. And somebody may set the clock meanwhile.
            assert!(dispatch.clock.now() >= moment || watch.elapsed() * 2 >= length.to_std().unwrap());
            assert!(dispatch.sleep_until(moment - TimeDelta::days(1)));
        });
    }

    #[test]
    fn who_is_told_to_stop_sleeps_no_more() {
        with_dispatch(true, |dispatch| assert!(!dispatch.sleep_until(dispatch.clock.now() + TimeDelta::days(1))));
    }
}
