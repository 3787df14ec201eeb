//! Delivery that goes on until it is told to stop, alone (`work`) or in `serve`.
//!
//! It sleeps while nothing is due, and looks every few seconds: at what has become due, at what another process released, and
//! at what a dead one left. Whatever fails is told and tried again, later each time: a daemon outlives its server's bad nights.

use super::pulse::Pulse;
use super::rest::{Patience as Backoff, Rest};

use crate::clock::Clock;
use crate::delivery;
use crate::dispatch::{Dispatch, Dispatched, End, Progress, Relays};
use crate::message::{self, Signer};
use crate::notify::News;
use crate::random::Random;
use crate::store::bounces::Patience;
use crate::store::{self, Mode, Place, Store};
use crate::token::Keyring;
use chrono::TimeDelta;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often to look for work.
const LOOK: TimeDelta = TimeDelta::seconds(5);
/// A round is made after this even where no work is seen: editions come to their end, or have rested too long.
const ROUTINE: TimeDelta = TimeDelta::minutes(5);
/// What delivery needs for as long as it goes on.
pub struct Delivery<'a> {
    /// Where the store is: a connection that broke is made anew.
    pub place: Place,
    /// The ways out.
    pub relays: &'a Relays,
    /// Connections, rates, patience.
    pub settings: &'a delivery::Settings,
    /// With addresses that refuse.
    pub patience: Patience<'a>,
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
    /// Set by a signal.
    pub stop: &'a AtomicBool,
    /// Hears why a round failed; and after failures that one did not.
    pub told: &'a (dyn Fn(News<'_>) + Sync),
    /// Shows that it goes on.
    pub pulse: &'a Pulse,
}

/// What comes after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Wait until there is work.
    Look,
    /// Wait so long, whatever there is.
    Rest(TimeDelta),
    /// Go home.
    Leave,
}

impl Delivery<'_> {
    /// Delivers what is due, again and again, until `stop` is set.
    pub fn run(&self) {
        let mut store = None;
        let mut backoff = Backoff::default();
        loop {
            self.pulse.beat();
            let round = self.round(&mut store);
            let failed = backoff.has_failed();
            let (failure, next) = judge(&round, &mut backoff);
            let out = match &round {
                // What stopped it names them.
                Ok(dispatched) if failure.is_none() => dispatched.out(),
                _ => Vec::new(),
            };
            // Who was always well has no news: it would end the trouble of another machine that is not.
            if next != Next::Leave && (failed || failure.is_some() || !out.is_empty()) {
                (self.told)(News { failure: failure.as_deref(), out: &out });
            }
            let goes_on = match next {
                Next::Leave => false,
                Next::Rest(pause) => self.rest().sleep(pause),
                Next::Look => self.wait_for_work(&mut store),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn rest(&self) -> Rest<'_> {
        Rest { clock: self.clock, stop: self.stop, pulse: self.pulse }
    }

    fn round(&self, store: &mut Option<Store>) -> Result<Dispatched, store::Error> {
        let open = match store.take() {
            Some(open) => open,
            None => Store::open(&self.place, Mode::MustExist)?,
        };
        let progress = Progress::default();
        let dispatch = Dispatch {
            store: &open,
            relays: self.relays,
            remote: None,
            settings: self.settings,
            mail: self.mail,
            keyring: self.keyring,
            signer: self.signer,
            clock: self.clock,
            random: self.random,
            stop: self.stop,
            progress: &progress,
            wait: TimeDelta::zero(),
        };
        let dispatched = dispatch.run()?;
        for address in open.judge_refusals(self.patience, self.random, self.clock.now())? {
            tracing::info!(address = address.masked(), "refused too many mails in a row and is suppressed");
        }
        let read = |counter: &std::sync::atomic::AtomicI64| counter.load(Ordering::Relaxed);
        let (accepted, deferred, refused) =
            (read(&progress.accepted), read(&progress.deferred), read(&progress.refused));
        if accepted + deferred + refused > 0 {
            tracing::info!(accepted, deferred, refused, "delivered what was due");
        }
        // One that failed is not kept: the database may have closed it.
        *store = Some(open);
        Ok(dispatched)
    }

    /// False where somebody said stop.
    fn wait_for_work(&self, store: &mut Option<Store>) -> bool {
        let until = self.clock.now() + ROUTINE;
        while self.clock.now() < until {
            if !self.rest().sleep(LOOK) {
                return false;
            }
            match store.as_ref().map(|store| store.has_work(self.clock.now())) {
                Some(Ok(false)) => {}
                Some(Ok(true)) => break,
                Some(Err(_)) | None => {
                    *store = None;
                    break;
                }
            }
        }
        true
    }
}

/// Why a round failed, if it did, and what comes next.
fn judge(round: &Result<Dispatched, store::Error>, backoff: &mut Backoff) -> (Option<String>, Next) {
    let failure = match round {
        Ok(Dispatched { end: End::Stopped, .. }) => return (None, Next::Leave),
        Ok(Dispatched { end: End::Drained, .. }) => None,
        Ok(Dispatched { end: End::RateLimited(millis), .. }) => {
            backoff.well();
            return (None, Next::Rest(TimeDelta::milliseconds(*millis)));
        }
        Ok(Dispatched { end: End::Halted(why), .. }) => Some(why.clone()),
        Err(error) => Some(error.to_string()),
    };
    match failure {
        None => {
            backoff.well();
            (None, Next::Look)
        }
        Some(failure) => (Some(failure), Next::Rest(backoff.failed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::Recovered;

    fn ended(end: End) -> Result<Dispatched, store::Error> {
        Ok(Dispatched { recovered: Recovered::default(), held_editions: Vec::new(), relays: Vec::new(), end })
    }

    #[test]
    fn failures_are_told_and_rested_from_longer_each_time_until_one_round_goes_well() {
        let broken = || ended(End::Halted("no server".to_owned()));
        let mut backoff = Backoff::default();
        let rests: Vec<i64> = (0..12)
            .map(|_| match judge(&broken(), &mut backoff) {
                (Some(why), Next::Rest(pause)) if why == "no server" => pause.num_seconds(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(rests, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(judge(&ended(End::Drained), &mut backoff), (None, Next::Look));
        let lost = Err(store::Error::Unavailable("no store".to_owned()));
        assert_eq!(judge(&lost, &mut backoff), (Some("no store".to_owned()), Next::Rest(TimeDelta::seconds(5))));
        assert_eq!(judge(&ended(End::RateLimited(90_000)), &mut backoff), (None, Next::Rest(TimeDelta::seconds(90))));
        assert_eq!(judge(&ended(End::Stopped), &mut backoff), (None, Next::Leave));
    }
}
