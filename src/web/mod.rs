//! The web face: the unsubscribe link (a page with a button, and RFC 8058's one POST) and a sign of health; [`webhooks`]; and [`preview`].

pub mod preview;
pub mod webhooks;

use crate::clock::Clock;
use crate::edition::compose;
use crate::post::Site;
use crate::random::Random;
use crate::store::{self, Store};
use crate::subscribe::{self, Leaving};
use crate::template::Templates;
use crate::template::context::{DonePage, ErrorPage, UnsubscribePage};
use crate::token::Keyring;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the pages need.
pub struct Web {
    /// Where people are.
    pub store: Store,
    /// Verifies links.
    pub keyring: Keyring,
    /// Of the pages.
    pub templates: Templates,
    /// Named on the pages.
    pub site: Site,
    /// The time.
    pub clock: Clock,
    /// For ids.
    pub random: Random,
    /// Mail providers that are heard.
    pub hooks: Option<Arc<webhooks::Hooks>>,
}

/// Binds the address; serving begins with [`serve`].
pub fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers until `stop` is set, then finishes the requests in hand.
pub fn serve(web: Web, listener: TcpListener, stop: &Arc<AtomicBool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = Arc::clone(stop);
    runtime.block_on(async move {
        let stopped = async move {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let hooks = web.hooks.clone().map(webhooks::router).unwrap_or_default();
        axum::serve(listener, router(Arc::new(web)).merge(hooks)).with_graceful_shutdown(stopped).await
    })
}

fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/unsubscribe/{token}", get(ask).post(leave))
        .route("/healthz", get(health))
        .fallback(not_here)
        // RFC 8058 posts one line.
        .layer(DefaultBodyLimit::max(16 * 1024))
        .with_state(web)
}

/// The page with the button. A scanner that follows links changes nothing (P9).
async fn ask(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Response {
    // Relative: a proxy may serve us below a path.
    let action = token.clone();
    let found = blocking(&web, move |web| subscribe::who_leaves(&web.store, &web.keyring, &token)).await;
    match found {
        Ok(Leaving::Person { masked, .. }) => {
            let site = compose::site(&web.site);
            page(&web, StatusCode::OK, "web/unsubscribe.html.j2", &UnsubscribePage { site, address: masked, action })
        }
        Ok(Leaving::NotOurs) => wrong(&web),
        Err(error) => failed(&error),
    }
}

/// The button, and a mail program's one click (RFC 8058 section 3.2): no cookie, no redirect, any body.
async fn leave(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Response {
    let left = blocking(&web, move |web| {
        subscribe::leave(&web.store, &web.keyring, &token, "link", &web.random, web.clock.now())
    })
    .await;
    match left {
        Ok(Leaving::Person { .. }) => {
            let message =
                "You will get no further mail from us. If this was a mistake, write to us or subscribe again."
                    .to_owned();
            page(
                &web,
                StatusCode::OK,
                "web/done.html.j2",
                &DonePage { site: compose::site(&web.site), title: "You are unsubscribed".to_owned(), message },
            )
        }
        Ok(Leaving::NotOurs) => wrong(&web),
        Err(error) => failed(&error),
    }
}

async fn health(State(web): State<Arc<Web>>) -> Response {
    match blocking(&web, |web| web.store.waiting()).await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

async fn not_here(State(web): State<Arc<Web>>) -> Response {
    wrong(&web)
}

fn wrong(web: &Web) -> Response {
    let message =
        "There is nothing at this address. If you followed a link from a mail, copy the whole of it.".to_owned();
    page(
        web,
        StatusCode::NOT_FOUND,
        "web/error.html.j2",
        &ErrorPage { site: compose::site(&web.site), title: "Not found".to_owned(), message },
    )
}

/// The store is synchronous, and its PostgreSQL driver panics inside a runtime.
async fn blocking<T: Send + 'static>(
    web: &Arc<Web>,
    work: impl FnOnce(&Web) -> Result<T, store::Error> + Send + 'static,
) -> Result<T, store::Error> {
    let web = Arc::clone(web);
    let done = tokio::task::spawn_blocking(move || work(&web)).await;
    done.unwrap_or_else(|_| Err(store::Error::Unavailable("the request failed".to_owned())))
}

fn page(web: &Web, status: StatusCode, template: &str, context: &impl serde::Serialize) -> Response {
    let Ok(html) = web.templates.render(template, context) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the page's template is broken; `postrider check` says where\n")
            .into_response();
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

fn failed(error: &store::Error) -> Response {
    tracing::error!(%error, "a request could not be answered");
    (StatusCode::SERVICE_UNAVAILABLE, "not now; please try again in a minute\n").into_response()
}
