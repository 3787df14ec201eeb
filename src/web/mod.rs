//! The web face: people subscribe, confirm, choose and leave (`people`, `preferences`); the built files are served (`built`); machines ask how
//! things stand (`metrics`); mail providers tell of bounces ([`webhooks`]). And `preview`.
//!
//! Promises: no GET changes anything (P9); an unsubscribe is one POST (RFC 8058); no cookie, no script, nothing of third parties;
//! nobody learns whether an address is known; whatever is sent, the answer is a page with a sentence.

pub mod preview;
pub mod server;
pub mod webhooks;
mod built;
mod guard;
mod metrics;
mod pages;
mod people;
mod preferences;
mod threads;

use crate::clock::Clock;
use crate::store;
use crate::subscribe::desk::{self, Desk};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use pages::Voice;
use server::Bounds;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use threads::Threads;

/// The largest form.
const LARGEST: usize = 16 * 1024;

/// What the pages need.
pub struct Web {
    /// What people do.
    pub desk: Desk,
    /// The time.
    pub clock: Clock,
    /// What connections may take.
    pub bounds: Bounds,
    /// Mail providers that are heard.
    pub hooks: Option<Arc<webhooks::Hooks>>,
    guard: guard::Guard,
    shelf: built::Shelf,
    counters: metrics::Counters,
    pulse: metrics::Pulse,
    for_store: Threads,
    /// As many owners as requests that need the store, and one.
    line: Arc<()>,
}

type Shared = Arc<Web>;

impl Web {
    /// Pages over this desk.
    pub fn new(desk: Desk, clock: Clock) -> Self {
        Web {
            desk,
            clock,
            bounds: Bounds::default(),
            hooks: None,
            guard: guard::Guard::default(),
            shelf: built::Shelf::default(),
            counters: metrics::Counters::default(),
            pulse: metrics::Pulse::default(),
            for_store: Threads::of(Threads::STORE),
            line: Arc::default(),
        }
    }

    /// Who asks.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // A proxy may write a field of its own behind those that came.
        let fields = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("?"));
        let forwarded: Vec<&str> = fields.collect();
        self.desk.config.web.client(peer, &forwarded.join(","))
    }

    /// Who asks, where they may ask for one more mail.
    fn admits(&self, peer: IpAddr, headers: &HeaderMap, now: DateTime<Utc>) -> Option<IpAddr> {
        let client = self.client(peer, headers);
        self.guard.may_ask(&self.desk.config.web, client, now).then_some(client)
    }
}

/// Binds the address; serving begins with [`serve`].
pub fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers until `stop` is set, then finishes the requests in hand.
pub fn serve(web: Web, listener: TcpListener, stop: &Arc<AtomicBool>) -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(Threads::ALL).enable_all().build()?;
    let (bounds, clock) = (web.bounds, web.clock);
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        server::serve(router(Arc::new(web)), listener, bounds, &clock, stop).await
    })
}

fn router(web: Shared) -> Router {
    let hooks = web.hooks.clone().map(webhooks::router).unwrap_or_default();
    Router::new()
        .route("/", get(people::form))
        .route("/subscribe", get(people::form).post(people::subscribe))
        .route("/snippet", get(people::snippet))
        .route("/confirm/{token}", get(people::confirm_page).post(people::confirm))
        .route("/change/{token}", get(people::change_page).post(people::change))
        .route("/preferences", get(people::links_form).post(people::send_links))
        .route("/preferences/{token}", get(preferences::show).post(preferences::save))
        .route("/unsubscribe/{token}", get(people::leave_page).post(people::leave))
        .route("/unsubscribe/{token}/reason", post(people::reason))
        .route("/healthz", get(metrics::health))
        .route("/metrics", get(metrics::metrics))
        .route("/robots.txt", get(robots))
        .merge(hooks)
        .method_not_allowed_fallback(not_so)
        .fallback(built::serve)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(from_fn_with_state(Arc::clone(&web), in_time))
        .layer(from_fn_with_state(Arc::clone(&web), metrics::counted))
        .with_state(web)
}

/// Nobody waits for ever, and no answer is taken for what it is not.
async fn in_time(State(web): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let answered = tokio::time::timeout(web.bounds.request, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| {
        let voice = Voice::of(&web, &headers, None);
        let mut response = pages::wrong(&web, &voice, StatusCode::REQUEST_TIMEOUT, "busy");
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    });
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Editions and feeds may be found; what people do here is theirs.
async fn robots() -> Response {
    "User-agent: *\nDisallow: /confirm/\nDisallow: /change/\nDisallow: /preferences\nDisallow: /unsubscribe/\nDisallow: /metrics\n"
        .into_response()
}

async fn not_so(State(web): State<Shared>, headers: HeaderMap) -> Response {
    pages::wrong(&web, &Voice::of(&web, &headers, None), StatusCode::METHOD_NOT_ALLOWED, "wrong")
}

/// There is nothing here, or nothing for whoever asks.
fn missing(web: &Shared, headers: &HeaderMap) -> Response {
    pages::wrong(web, &Voice::of(web, headers, None), StatusCode::NOT_FOUND, "missing")
}

/// It is our fault, and it may pass.
fn failed(web: &Shared, headers: &HeaderMap, error: &desk::Error) -> Response {
    tracing::error!(%error, "a request could not be answered");
    pages::wrong(web, &Voice::of(web, headers, None), StatusCode::SERVICE_UNAVAILABLE, "busy")
}

/// What needs the store, which is synchronous, and whose PostgreSQL driver panics inside a runtime. Where too many wait for it, the
/// next one does not.
async fn blocking<T: Send + 'static, E: From<store::Error> + Send + 'static>(
    web: &Shared,
    work: impl FnOnce(&Web) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let away = |why: &str| Err(store::Error::Unavailable(why.to_owned()).into());
    let in_line = Arc::clone(&web.line);
    if Arc::strong_count(&in_line) > web.bounds.for_store + 1 {
        return away("too many requests wait for it");
    }
    let (threads, web) = (web.for_store.clone(), Arc::clone(web));
    let done = threads.run(move || work(&web)).await;
    drop(in_line);
    done.unwrap_or_else(|| away("the request failed"))
}
