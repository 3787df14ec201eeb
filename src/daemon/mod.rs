//! `serve`: the web, the rounds and delivery in one process, under one flag: where one ends, so do the others.

pub mod delivery;
pub mod manager;
pub mod pulse;
pub mod rounds;
mod rest;

use crate::clock::Clock;
use crate::web::{self, Web};
use delivery::Delivery;
use manager::Watchdog;
use rounds::Rounds;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Sets the flag when it goes, however that comes about.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long to wait for what is away.
const AWAY: Duration = Duration::from_secs(10);

/// Waits a moment; false where `stop` is set.
pub fn pause(clock: Clock, stop: &AtomicBool) -> bool {
    let watch = clock.stopwatch();
    while watch.elapsed() < AWAY && !stop.load(Ordering::Relaxed) {
        clock.nap(AWAY);
    }
    !stop.load(Ordering::Relaxed)
}

/// All of it, until `stop` is set; without a sender there is nothing to deliver.
///
/// # Errors
/// What the web ended with. A thread that panicked is one, too.
pub fn serve(
    web: Web,
    listener: TcpListener,
    rounds: &Rounds<'_>,
    delivery: Option<&Delivery<'_>>,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    let mut pulses = vec![rounds.pulse];
    pulses.extend(delivery.map(|delivery| delivery.pulse));
    let watchdog = Watchdog::asked_for(listener.local_addr()?, &pulses, rounds.clock);
    let run_rounds = || rounds.run();
    let run_delivery = || delivery.into_iter().for_each(Delivery::run);
    let run_watchdog = || watchdog.iter().for_each(|watchdog| watchdog.run(stop));
    let mut parts: Vec<&(dyn Fn() + Sync)> = vec![&run_rounds];
    if delivery.is_some() {
        parts.push(&run_delivery);
    }
    if watchdog.is_some() {
        parts.push(&run_watchdog);
    }
    std::thread::scope(|scope| {
        let begin = |part| {
            scope.spawn(move || {
                let _ends = Ends(stop);
                let run: &(dyn Fn() + Sync) = part;
                run();
            })
        };
        let threads: Vec<_> = parts.into_iter().map(begin).collect();
        let served = {
            let _ends = Ends(stop);
            web::serve(web, listener, stop)
        };
        let panicked = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err).count();
        match panicked {
            0 => served,
            _ => Err(io::Error::other("a thread of the daemon panicked; please report this")),
        }
    })
}
