//! Accepts connections, and bounds what they can take: their number, how long a request's header may take, and a request, and a
//! connection. Where all places are taken, one that waits for its client goes: of the network that holds most of them, the one that
//! has waited longest. Who connects and says nothing, or half of something, cannot keep others out.

use crate::clock::{Clock, Stopwatch};
use crate::config::web::Network;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use hyper::body::{Body as Octets, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at a time. Each has one file open, and a thousand are what systems allow.
    pub connections: usize,
    /// Requests at a time that need the store. Fewer than connections: while they wait for it, there are places for others.
    pub for_store: usize,
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
            for_store: 200,
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
#[derive(Debug)]
struct Place {
    network: Network,
    /// Since when it waits for its client, or for the answer to its request, in nanoseconds of the server's watch. Octets that
    /// come one by one change nothing.
    since: AtomicU64,
    /// Whether a whole request is there and is being answered.
    busy: AtomicBool,
    /// It is to make room.
    go: Notify,
}

/// All of them.
#[derive(Clone)]
struct Places {
    taken: Arc<Mutex<Taken>>,
    watch: Stopwatch,
}

#[derive(Default)]
struct Taken {
    count: usize,
    by_network: HashMap<Network, Vec<Arc<Place>>>,
}

impl Taken {
    /// Who makes room: nobody who is being answered while there are others, for that takes milliseconds; else of the network with
    /// most places the one that has waited longest.
    fn first_to_go(&self) -> Option<Arc<Place>> {
        let all = self.by_network.values().flat_map(|places| places.iter().map(|place| (places.len(), place)));
        let rank = |(crowd, place): &(usize, &Arc<Place>)| {
            (place.busy.load(Ordering::Relaxed), Reverse(*crowd), place.since.load(Ordering::Relaxed))
        };
        all.min_by_key(rank).map(|(_, place)| Arc::clone(place))
    }

    fn remove(&mut self, place: &Arc<Place>) {
        let Some(places) = self.by_network.get_mut(&place.network) else { return };
        let Some(at) = places.iter().position(|other| Arc::ptr_eq(other, place)) else { return };
        places.swap_remove(at);
        self.count -= 1;
        if places.is_empty() {
            self.by_network.remove(&place.network);
        }
    }
}

impl Places {
    fn of(clock: &Clock) -> Self {
        Places { taken: Arc::default(), watch: clock.stopwatch() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Taken) -> T) -> T {
        act(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A place for one more; where there are `most`, one makes room.
    fn take(&self, most: usize, client: IpAddr) -> Arc<Place> {
        let network = Network::around(client);
        let (since, busy, go) = (AtomicU64::new(self.now()), AtomicBool::new(false), Notify::new());
        let place = Arc::new(Place { network, since, busy, go });
        self.with(|taken| {
            let leaves = if taken.count >= most { taken.first_to_go() } else { None };
            if let Some(other) = leaves {
                taken.remove(&other);
                other.go.notify_one();
            }
            taken.count += 1;
            taken.by_network.entry(network).or_default().push(Arc::clone(&place));
        });
        place
    }

    fn leave(&self, place: &Arc<Place>) {
        self.with(|taken| taken.remove(place));
    }

    /// Whether a request is now being answered; if not, its client is to say something.
    fn note(&self, place: &Place, busy: bool) {
        place.busy.store(busy, Ordering::Relaxed);
        place.since.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.watch.elapsed().as_nanos() as u64
    }
}

/// A request's body, which notes when all of it is there: until then it is the client that is waited for.
struct Arriving {
    body: Incoming,
    place: Arc<Place>,
    places: Places,
}

impl Octets for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.places.note(&self.place, true);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
    let places = Places::of(clock);
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
        let place = places.take(bounds.connections, stream.1);
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
        if request.body().is_end_stream() {
            places.note(place, true);
        }
        let arriving = |body| Body::new(Arriving { body, place: Arc::clone(place), places: places.clone() });
        let mut request = request.map(arriving);
        request.extensions_mut().insert(Peer(peer));
        let answer = router.call(request);
        async move {
            let answered = answer.await;
            places.note(place, false);
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

    const HERE: &str = "192.0.2.7";
    const THERE: &str = "203.0.113.7";

    fn of(places: &Places, client: &str, most: usize) -> Arc<Place> {
        places.take(most, client.parse().unwrap())
    }

    fn is_there(places: &Places, place: &Arc<Place>) -> bool {
        places.with(|taken| taken.by_network.values().flatten().any(|other| Arc::ptr_eq(other, place)))
    }

    fn set(place: &Place, busy: bool, since: u64) {
        place.busy.store(busy, Ordering::Relaxed);
        place.since.store(since, Ordering::Relaxed);
    }

    #[test]
    fn the_one_that_waited_longest_makes_room_and_who_is_being_answered_last() {
        let places = Places::of(&Clock::system());
        let [first, second] = [of(&places, HERE, 2), of(&places, HERE, 2)];
        set(&first, false, 9);
        set(&second, true, 5);
        let third = of(&places, HERE, 2);
        assert!(!is_there(&places, &first) && is_there(&places, &second));
        set(&third, true, 4);
        let fourth = of(&places, HERE, 2);
        assert!(!is_there(&places, &third) && is_there(&places, &second) && is_there(&places, &fourth));
        // Who made room and ends then takes nobody's place along.
        places.leave(&first);
        assert_eq!(places.with(|taken| taken.count), 2);
        places.leave(&fourth);
        assert_eq!(places.with(|taken| (taken.count, taken.by_network.len())), (1, 1));
    }

    #[test]
    fn a_network_that_holds_most_places_makes_room_for_the_others() {
        let places = Places::of(&Clock::system());
        let lone = of(&places, THERE, 400);
        set(&lone, false, 0);
        let crowd: Vec<_> = (0..1_000).map(|n| of(&places, &format!("192.0.2.{}", n % 250), 400)).collect();
        assert!(is_there(&places, &lone), "it has waited longest, and alone");
        assert_eq!(crowd.iter().filter(|place| is_there(&places, place)).count(), 399);
        // Neither has more than half by force.
        let rivals: Vec<_> = (0..1_000).map(|_| of(&places, THERE, 400)).collect();
        let held = rivals.iter().chain([&lone]).filter(|place| is_there(&places, place)).count();
        assert!((200..=201).contains(&held), "{held}");
        assert_eq!(places.with(|taken| taken.count), 400);
    }
}
