//! What systemd is told, where it started us (sd_notify(3)): that we are ready, reload, end, and, for its watchdog, that we live.

use super::pulse::Pulse;
use crate::clock::Clock;
use sd_notify::NotifyState;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The web has so long to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// We serve.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// We read our configuration again.
pub fn reloading() {
    let since = NotifyState::monotonic_usec_now().ok();
    tell(&[NotifyState::Reloading].into_iter().chain(since).collect::<Vec<_>>());
}

/// We end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// Tells the service manager that we live, as long as we do: each thread was heard of, and the web answers.
pub struct Watchdog<'a> {
    every: Duration,
    web: SocketAddr,
    pulses: &'a [&'a Pulse],
    clock: Clock,
}

impl<'a> Watchdog<'a> {
    /// None where the service manager does not ask for it.
    pub(super) fn asked_for(web: SocketAddr, pulses: &'a [&'a Pulse], clock: Clock) -> Option<Self> {
        let limit = sd_notify::watchdog_enabled()?;
        Some(Watchdog { every: limit / 3, web, pulses, clock })
    }

    pub(super) fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let watch = self.clock.stopwatch();
            match self.lives() {
                Ok(()) => tell(&[NotifyState::Watchdog]),
                Err(why) => tracing::error!("{why}; the service manager is not told that we live"),
            }
            while watch.elapsed() < self.every && !stop.load(Ordering::Relaxed) {
                self.clock.nap(self.every.saturating_sub(watch.elapsed()));
            }
        }
    }

    fn lives(&self) -> Result<(), String> {
        if !self.pulses.iter().all(|pulse| pulse.is_felt()) {
            return Err("a thread hangs".to_owned());
        }
        answers(self.web).map_err(|error| format!("the web does not answer ({error})"))
    }
}

/// Whether an HTTP server answers, whatever.
fn answers(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    stream.read_exact(&mut [0; 5])
}
