//! Threads for what is synchronous, so many for each kind of work: where the store is locked and all that it has are waiting, files
//! are still read, and health is still told.

use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// One kind of work, and how much of it is done at a time.
#[derive(Clone)]
pub(super) struct Threads(Arc<Semaphore>);

impl Threads {
    /// For the store, which one at a time can use: the others wait at its door.
    pub(super) const STORE: usize = 8;
    /// For built files.
    pub(super) const FILES: usize = 4;
    /// For notices of mail providers, some of which are proven by a certificate that is fetched.
    pub(super) const HOOKS: usize = 4;
    /// For the question whether the store answers.
    pub(super) const HEALTH: usize = 1;
    /// All of these.
    pub(super) const ALL: usize = Threads::STORE + Threads::FILES + Threads::HOOKS + Threads::HEALTH;

    pub(super) fn of(count: usize) -> Self {
        Threads(Arc::new(Semaphore::new(count)))
    }

    /// Waits for one, then for the work; none where it panicked. Work that has begun is finished, also where nobody waits any more.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
        spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .ok()
    }

    /// Whether one is free at this moment.
    pub(super) fn is_free(&self) -> bool {
        self.0.available_permits() > 0
    }
}
