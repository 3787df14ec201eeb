//! Delivery that goes on until it is told to stop, alone (`work`) or beside the web (`serve`).
//!
//! It sleeps while nothing is due, and looks every few seconds: at what has become due, at what another process released, and
//! at what a dead one left. Whatever fails is told and tried again, later each time: a daemon outlives its server's bad nights.

use crate::clock::Clock;
use crate::delivery;
use crate::dispatch::{Dispatch, Dispatched, End, Progress};
use crate::message::{self, Signer};
use crate::random::Random;
use crate::store::bounces::Patience;
use crate::store::{self, Mode, Place, Store};
use crate::token::Keyring;
use crate::transport::Transport;
use crate::web::{self, Web};
use chrono::TimeDelta;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often to look for work.
const LOOK: TimeDelta = TimeDelta::seconds(5);
/// A round is made after this even where no work is seen: editions come to their end, or have rested too long.
const ROUTINE: TimeDelta = TimeDelta::minutes(5);
/// The pause after a first failure; it doubles with each further one.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The longest pause after failures.
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// Sleeps are cut into slices of this length, so that a stop is soon heard.
const SLICE: Duration = Duration::from_millis(100);

/// What delivery needs for as long as it goes on.
pub struct Delivery<'a> {
    /// Where the store is: a connection that broke is made anew.
    pub place: Place,
    /// The way out.
    pub transport: &'a Transport,
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
    pub told: &'a (dyn Fn(Option<&str>) + Sync),
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
        let mut failures = 0;
        loop {
            let round = self.round(&mut store);
            let failed = failures > 0;
            let (failure, next) = judge(&round, &mut failures);
            // Who was always well has no news: it would end the trouble of another machine that is not.
            if next != Next::Leave && (failed || failure.is_some()) {
                (self.told)(failure.as_deref());
            }
            let goes_on = match next {
                Next::Leave => false,
                Next::Rest(pause) => self.sleep(pause),
                Next::Look => self.wait_for_work(&mut store),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn round(&self, store: &mut Option<Store>) -> Result<Dispatched, store::Error> {
        let open = match store.take() {
            Some(open) => open,
            None => Store::open(&self.place, Mode::MustExist)?,
        };
        let progress = Progress::default();
        let dispatch = Dispatch {
            store: &open,
            transport: self.transport,
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
            if !self.sleep(LOOK) {
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

    /// False where somebody said stop. Against the wall clock, which goes on while a laptop sleeps, and against one that no step
    /// of the wall clock touches: whichever comes first.
    fn sleep(&self, length: TimeDelta) -> bool {
        let (until, watch) = (self.clock.now() + length, self.clock.stopwatch());
        let length = length.to_std().unwrap_or_default();
        while self.clock.now() < until && watch.elapsed() < length && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(SLICE);
        }
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Why a round failed, if it did, and what comes next.
fn judge(round: &Result<Dispatched, store::Error>, failures: &mut u32) -> (Option<String>, Next) {
    let failure = match round {
        Ok(Dispatched { end: End::Stopped, .. }) => return (None, Next::Leave),
        Ok(Dispatched { end: End::Drained, .. }) => None,
        Ok(Dispatched { end: End::RateLimited(millis), .. }) => {
            *failures = 0;
            return (None, Next::Rest(TimeDelta::milliseconds(*millis)));
        }
        Ok(Dispatched { end: End::Halted(why), .. }) => Some(why.clone()),
        Err(error) => Some(error.to_string()),
    };
    match failure {
        None => {
            *failures = 0;
            (None, Next::Look)
        }
        Some(failure) => {
            let pause = PAUSE * 2_i32.pow((*failures).min(10));
            *failures += 1;
            (Some(failure), Next::Rest(pause.min(LONGEST)))
        }
    }
}

/// Sets the flag when it goes, however that comes about.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The web, and delivery beside it, under one flag: where one ends, so does the other.
///
/// # Errors
/// What the web ended with. A delivery thread that panicked is one, too.
pub fn serve(
    web: Web,
    listener: TcpListener,
    delivery: Option<&Delivery<'_>>,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    std::thread::scope(|scope| {
        let delivering = delivery.map(|delivery| {
            scope.spawn(move || {
                let _ends = Ends(delivery.stop);
                delivery.run();
            })
        });
        let served = {
            let _ends = Ends(stop);
            web::serve(web, listener, stop)
        };
        match delivering.map(|thread| thread.join()) {
            Some(Err(_)) => Err(io::Error::other("the delivery thread panicked; please report this")),
            _ => served,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::Recovered;

    fn ended(end: End) -> Result<Dispatched, store::Error> {
        Ok(Dispatched { recovered: Recovered::default(), held_editions: Vec::new(), end })
    }

    #[test]
    fn failures_are_told_and_rested_from_longer_each_time_until_one_round_goes_well() {
        let broken = || ended(End::Halted("no server".to_owned()));
        let mut failures = 0;
        let rests: Vec<i64> = (0..9)
            .map(|_| match judge(&broken(), &mut failures) {
                (Some(why), Next::Rest(pause)) if why == "no server" => pause.num_minutes(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(judge(&ended(End::Drained), &mut failures), (None, Next::Look));
        let lost = Err(store::Error::Unavailable("no store".to_owned()));
        assert_eq!(judge(&lost, &mut failures), (Some("no store".to_owned()), Next::Rest(PAUSE)));
        assert_eq!(judge(&ended(End::RateLimited(90_000)), &mut failures), (None, Next::Rest(TimeDelta::seconds(90))));
        assert_eq!(judge(&ended(End::Stopped), &mut failures), (None, Next::Leave));
    }
}
