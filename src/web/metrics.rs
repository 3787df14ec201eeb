//! How things stand, for machines. `/healthz` says whether the store answers. `/metrics`, in the text form that Prometheus reads, says
//! what waits, who subscribes, what was asked and how it was answered. No address is in it.

use super::server::Peer;
use super::threads::Threads;
use super::{Shared, Web, blocking, failed, missing};
use crate::store::figures::Figures;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// A store that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the store answered when it was last asked. It is asked by one at a time, and nobody waits for it longer than
/// [`PATIENCE`].
pub(super) struct Pulse {
    threads: Threads,
    well: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse { threads: Threads::of(Threads::HEALTH), well: AtomicBool::new(true) }
    }
}

/// `GET /healthz`
pub(super) async fn health(State(web): State<Shared>) -> Response {
    // Where somebody asks already, what is known will do.
    if web.pulse.threads.is_free() {
        let asking = Arc::clone(&web);
        let asked = web.pulse.threads.run(move || asking.desk.store.next_due().is_ok());
        let well = timeout(PATIENCE, asked).await.ok().flatten();
        web.pulse.well.store(well.unwrap_or(false), Ordering::Relaxed);
    }
    match web.pulse.well.load(Ordering::Relaxed) {
        true => (StatusCode::OK, "ok\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

/// Requests so far, by route and code.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<BTreeMap<(String, u16), u64>>);

impl Counters {
    pub(super) fn count(&self, route: &str, code: u16) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((route.to_owned(), code)).or_default() += 1;
    }
}

/// Counts each answer under its route: there are few of them, whatever is asked.
pub(super) async fn counted(State(web): State<Shared>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    web.counters.count(&route, response.status().as_u16());
    response
}

/// `GET /metrics`, for those that the configuration names.
pub(super) async fn metrics(
    State(web): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let settings = &web.desk.config.web;
    let client = web.client(peer, &headers);
    // Behind a proxy that is not trusted every client looks like the proxy.
    let is_veiled = headers.contains_key("x-forwarded-for") && settings.trusted_proxies.is_empty();
    if is_veiled || !settings.metrics_from.iter().any(|network| network.contains(client)) {
        return missing(&web, &headers);
    }
    match blocking(&web, |web| web.desk.store.figures()).await {
        Ok(figures) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], written(&web, &figures))
            .into_response(),
        Err(error) => failed(&web, &headers, &error.into()),
    }
}

fn written(web: &Web, figures: &Figures) -> String {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, rows: &[(String, i64)]| {
        let _ = writeln!(out, "# HELP postrider_{name} {help}\n# TYPE postrider_{name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(out, "postrider_{name}{labels} {value}");
        }
    };
    let by = |label: &str, rows: &[(String, i64)]| -> Vec<(String, i64)> {
        rows.iter().map(|(name, count)| (format!("{{{label}=\"{name}\"}}"), *count)).collect()
    };
    family(
        "deliveries_waiting",
        "gauge",
        "Deliveries that wait or are under way, by state.",
        &by("state", &figures.waiting),
    );
    family("letters_waiting", "gauge", "Of these, letters to single people.", &[(String::new(), figures.letters)]);
    family("editions", "gauge", "Editions by state.", &by("state", &figures.editions));
    family("subscribers", "gauge", "Subscribers by status.", &by("status", &figures.subscribers));
    let last = figures.last_decision.map(|at| (String::new(), at.timestamp()));
    family(
        "last_decision_timestamp_seconds",
        "gauge",
        "When a run last decided about a digest.",
        &last.into_iter().collect::<Vec<_>>(),
    );
    let requests = web.counters.0.lock().unwrap_or_else(PoisonError::into_inner);
    let requests: Vec<(String, i64)> = requests
        .iter()
        .map(|((route, code), count)| (format!("{{route=\"{route}\",code=\"{code}\"}}"), *count as i64))
        .collect();
    family("http_requests_total", "counter", "Requests by route and code.", &requests);
    out
}
