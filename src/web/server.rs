//! Accepts connections, and bounds what they can take: their number, how long a request's header may take, and a request, and a
//! connection. Where all places are taken, the one that has waited longest goes, first of those that wait for their client: who
//! connects and says nothing, or half of something, cannot keep others out.

use crate::clock::{Clock, Stopwatch};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at a time. Each has one file open, and a thousand are what systems allow.
    pub connections: usize,
    /// Until a request's header is there.
    pub header: Duration,
    /// Until a request is answered.
    pub request: Duration,
    /// From a connection's first octet to its last.
    pub life: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            connections: 400,
            header: Duration::from_secs(10),
            request: Duration::from_secs(20),
            life: Duration::from_secs(300),
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Requests in hand have so long when somebody says stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often that is asked.
const LOOK: Duration = Duration::from_millis(100);

/// One connection.
#[derive(Debug, Default)]
struct Place {
    /// Since when it waits for its client, or for what its request comes to, in milliseconds of the server's watch.
    since: AtomicU64,
    /// Whether a request is in hand.
    busy: AtomicBool,
    /// It is to make room.
    go: Notify,
}

/// All of them.
#[derive(Clone)]
struct Places {
    taken: Arc<Mutex<Vec<Arc<Place>>>>,
    watch: Stopwatch,
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.watch.elapsed().as_millis() as u64
    }

    /// A place for one more; where there are `most`, one makes room: of those without a request in hand, else of all, the one that
    /// has waited longest. A request takes milliseconds unless its body does not come.
    fn take(&self, most: usize) -> Arc<Place> {
        let mut taken = self.taken();
        if taken.len() >= most {
            let rank = |place: &Place| (place.busy.load(Ordering::Relaxed), place.since.load(Ordering::Relaxed));
            if let Some((at, _)) = taken.iter().enumerate().min_by_key(|(_, place)| rank(place)) {
                taken.swap_remove(at).go.notify_one();
            }
        }
        let place = Arc::new(Place { since: AtomicU64::new(self.now()), ..Place::default() });
        taken.push(Arc::clone(&place));
        place
    }

    fn leave(&self, place: &Arc<Place>) {
        self.taken().retain(|other| !Arc::ptr_eq(other, place));
    }
}

/// Answers until `stop` is set, then finishes the requests in hand.
pub(super) async fn serve(
    router: Router,
    listener: TcpListener,
    bounds: Bounds,
    clock: &Clock,
    stop: &AtomicBool,
) -> io::Result<()> {
    let places = Places { taken: Arc::default(), watch: clock.stopwatch() };
    let (farewell, told) = watch::channel(false);
    while !stop.load(Ordering::Relaxed) {
        let stream = match timeout(LOOK, listener.accept()).await {
            Err(_) => continue,
            Ok(Ok((stream, peer))) => (stream, peer.ip()),
            // No files left, or a client that went before we came: neither is the end.
            Ok(Err(error)) => {
                tracing::debug!(%error, "a connection could not be accepted");
                sleep(LOOK).await;
                continue;
            }
        };
        let place = places.take(bounds.connections);
        let (places, router, told) = (places.clone(), router.clone(), told.clone());
        tokio::spawn(async move {
            attend(stream, router, &place, &places, bounds, told).await;
            places.leave(&place);
        });
    }
    let _ = farewell.send(true);
    drop(told);
    let _ = timeout(FAREWELL, farewell.closed()).await;
    Ok(())
}

async fn attend(
    (stream, peer): (TcpStream, IpAddr),
    router: Router,
    place: &Arc<Place>,
    places: &Places,
    bounds: Bounds,
    mut told: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        place.since.store(places.now(), Ordering::Relaxed);
        place.busy.store(true, Ordering::Relaxed);
        let answer = router.call(request);
        async move {
            let answered = answer.await;
            place.busy.store(false, Ordering::Relaxed);
            place.since.store(places.now(), Ordering::Relaxed);
            answered
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = place.go.notified() => return,
        () = sleep(bounds.life) => return,
        _ = told.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(FAREWELL, connection).await;
            return;
        }
    };
    if let Err(error) = ended {
        // Nothing of what the client sent is in it.
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_waited_longest_makes_room_and_who_is_at_work_last() {
        let places = Places { taken: Arc::default(), watch: Clock::system().stopwatch() };
        let is_there = |place: &Arc<Place>| places.taken().iter().any(|other| Arc::ptr_eq(other, place));
        let [first, second] = [places.take(2), places.take(2)];
        let at_work = |place: &Place, since| {
            place.since.store(since, Ordering::Relaxed);
            place.busy.store(true, Ordering::Relaxed);
        };
        first.since.store(9, Ordering::Relaxed);
        at_work(&second, 5);
        let third = places.take(2);
        assert!(!is_there(&first) && is_there(&second));
        at_work(&third, 4);
        let fourth = places.take(2);
        assert!(!is_there(&third) && is_there(&second) && is_there(&fourth));
        // Who made room and ends then takes nobody's place along.
        places.leave(&first);
        assert_eq!(places.taken().len(), 2);
        places.leave(&fourth);
        assert_eq!(places.taken().len(), 1);
    }
}
