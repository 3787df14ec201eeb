//! The preview in the browser. Promises: only reads, answers nobody who comes by another name than this machine's, and lets nothing
//! of a post or a template run or ask for anything but pictures.

use crate::preview::Preview;
use crate::preview::pages::{self, May, Page};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How often a request that waits looks whether the program is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How long a request waits for a change: shorter than what proxies and browsers put up with.
const PATIENCE: u32 = 250;

/// What is to be seen now.
#[derive(Clone, Default)]
pub struct Shown {
    /// Another one, and there is something else to see.
    pub version: String,
    /// The last that could be made.
    pub preview: Option<Arc<Preview>>,
    /// Why it is not what the files say now.
    pub trouble: Option<String>,
}

/// The one place where what is to be seen lies: put there by who watches the files, taken by who asks.
#[derive(Clone)]
pub struct Showcase {
    shown: watch::Sender<Shown>,
    stop: Arc<AtomicBool>,
}

impl Showcase {
    /// With this in it, until `stop` is set.
    pub fn new(shown: Shown, stop: &Arc<AtomicBool>) -> Self {
        Showcase { shown: watch::Sender::new(shown), stop: Arc::clone(stop) }
    }

    /// What lies in it.
    pub fn now(&self) -> Shown {
        self.shown.borrow().clone()
    }

    /// Puts something else into it; who waits for that is told.
    pub fn put(&self, shown: Shown) {
        self.shown.send_replace(shown);
    }
}

/// Answers until the showcase's `stop` is set, then finishes the requests in hand.
pub fn serve(showcase: &Showcase, listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let stop = Arc::clone(&showcase.stop);
        let stopped = async move {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let router = Router::new().fallback(answer).with_state(showcase.clone());
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    })
}

async fn answer(State(showcase): State<Showcase>, request: Request) -> Response {
    if !is_this_machine(request.headers()) {
        // A name that somebody else's DNS leads here: the page behind it may be anybody's.
        let why =
            "This preview answers to localhost and to IP addresses only: open it by the address that it printed.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let Ok(path) = percent_decode_str(request.uri().path().trim_start_matches('/')).decode_utf8() else {
        return not_here();
    };
    if path == "changes" {
        let known = request.uri().query().and_then(|query| query.strip_prefix("after=")).unwrap_or_default();
        return changed(&showcase, known).await;
    }
    let path = path.into_owned();
    // Pictures are read from the disk.
    let page = tokio::task::spawn_blocking(move || page(&showcase.now(), &path)).await;
    match page {
        Ok(Some(page)) => response(page),
        Ok(None) => not_here(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made\n").into_response(),
    }
}

/// `{"version": …}` as soon as it is another one than what the page has, or after a while.
async fn changed(showcase: &Showcase, known: &str) -> Response {
    let mut shown = showcase.shown.subscribe();
    for _ in 0..PATIENCE {
        if shown.borrow_and_update().version != known || showcase.stop.load(Ordering::Relaxed) {
            break;
        }
        // It is as well if nothing comes.
        let _ = tokio::time::timeout(LOOK, shown.changed()).await;
    }
    let version = shown.borrow().version.clone();
    let page = Page {
        media_type: "application/json",
        may: May::Show,
        bytes: serde_json::json!({ "version": version }).to_string().into_bytes(),
    };
    response(page)
}

fn page(shown: &Shown, path: &str) -> Option<Page> {
    match (&shown.preview, path) {
        (Some(preview), "" | "index.html") => preview.index(Some(&shown.version), shown.trouble.as_deref()).ok(),
        (None, "" | "index.html") => pages::trouble(shown.trouble.as_deref().unwrap_or_default(), &shown.version).ok(),
        (Some(preview), path) => preview.page(path),
        (None, path) => pages::own(path),
    }
}

fn not_here() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing at this address.\n").into_response()
}

/// Whether a request was sent to this machine by its address, and not by a name that a stranger's DNS has for it.
fn is_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn response(page: Page) -> Response {
    const SHOW: &str = "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
    let policy = match page.may {
        May::Act => "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".to_owned(),
        May::Show => SHOW.to_owned(),
        May::Fit => format!(
            "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src 'self' https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            pages::fitting()
        ),
    };
    let mut response = page.bytes.into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.media_type));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // No page of another origin may show or read what is not published yet.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_dns_could_lead_here_are_refused() {
        let asked = |host: &str| is_this_machine(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]));
        for good in
            ["localhost", "LocalHost:8026", "127.0.0.1", "127.0.0.1:8026", "[::1]:8026", "[::1]", "192.168.1.7:80"]
        {
            assert!(asked(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:8026",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[evil]:1",
            "a@127.0.0.1",
        ] {
            assert!(!asked(bad), "{bad}");
        }
        assert!(!is_this_machine(&HeaderMap::new()));
    }
}
