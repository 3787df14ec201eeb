//! Signs of life: each thread of a daemon shows that it goes on, and the service manager hears of it.

use crate::clock::{Clock, Stopwatch};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A thread that has not been heard of for so long hangs: every wait for the network, the database and a server has a time-out
/// that is far shorter.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// When a thread was last heard of.
#[derive(Debug)]
pub struct Pulse {
    watch: Stopwatch,
    last: AtomicU64,
}

impl Pulse {
    /// It was heard of now.
    pub fn new(clock: Clock) -> Self {
        Pulse { watch: clock.stopwatch(), last: AtomicU64::new(0) }
    }

    /// It goes on.
    pub fn beat(&self) {
        self.last.store(self.watch.elapsed().as_secs(), Ordering::Relaxed);
    }

    /// Whether it was heard of not too long ago.
    pub fn is_felt(&self) -> bool {
        let silent = self.watch.elapsed().as_secs().saturating_sub(self.last.load(Ordering::Relaxed));
        silent < LONGEST.as_secs()
    }
}
