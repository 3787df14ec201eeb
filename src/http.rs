//! Fetches a document over HTTP, as a feed reader would, and asks whether a page is there. Promises: a bound on its size, on redirects and on time; nothing
//! is sent but the request; every failure is a sentence.

use chrono::{DateTime, Utc};
use rustls::crypto::aws_lc_rs;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Error as Failure, ResponseExt};

/// No feed is that large; who serves more means no good.
const LARGEST: u64 = 32 * 1024 * 1024;
/// RFC 9110 section 15.4 leaves the bound to the client.
const REDIRECTS: u32 = 10;
/// For the name, the connection and TLS.
const CONNECT: Duration = Duration::from_secs(15);
/// For whether a page is there.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer that is only looked at, as much is read.
const SHORT: u64 = 1024;
/// For all of one document.
const WHOLE: Duration = Duration::from_secs(120);
/// What feed readers say they take.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
     application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1";

/// What came back.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it was found in the end, after redirects.
    pub url: String,
    /// Its bytes, unpacked.
    pub bytes: Vec<u8>,
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url} was not fetched: {why}\n  help: {help}")]
pub struct Error {
    /// Which.
    url: String,
    /// What happened.
    why: String,
    /// What to do.
    help: &'static str,
}

/// Whether this is an address to fetch from, and no file.
pub fn is_address(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

/// What makes calls, each of which takes no longer than `whole`.
pub(crate) fn agent(whole: Duration, redirects: u32) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::WebPki)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(whole))
        .max_redirects(redirects)
        .user_agent(concat!("Postrider/", env!("CARGO_PKG_VERSION")))
}

/// The document at `url`, `http:` or `https:`.
pub fn get(url: &str) -> Result<Document, Error> {
    let agent: Agent = agent(WHOLE, REDIRECTS).timeout_connect(Some(CONNECT)).accept(ACCEPT).build().into();
    let failed = |failure: Failure| {
        let (why, help) = sentence(&failure);
        Error { url: url.to_owned(), why, help }
    };
    let mut response = agent.get(url).call().map_err(failed)?;
    let url = response.get_uri().to_string();
    let bytes = response.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(failed)?;
    Ok(Document { url, bytes })
}

/// Asks whether pages are there; clones share their connections.
#[derive(Clone)]
pub struct Probe(Agent);

impl Default for Probe {
    fn default() -> Self {
        Probe(agent(PATIENCE, REDIRECTS).http_status_as_error(false).build().into())
    }
}

impl Probe {
    /// Whether there is a page at `url`: it answers 2xx, after redirects. A sentence where it does not. By GET, since some servers
    /// know no HEAD; the page itself is not read.
    pub fn is_there(&self, url: &str) -> Result<(), String> {
        // What was not there a minute ago some caches still say is not.
        let request = self.0.get(url).header("Cache-Control", "no-cache");
        let status = request.call().map_err(|failure| in_words(&failure, PATIENCE))?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("the server answers {}", status.as_u16())),
        }
    }
}

/// How a page is asked by who wants no more than its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// GET.
    Page,
    /// The POST of a mail program whose reader unsubscribes (RFC 8058 section 3.2).
    OneClick,
}

/// An answer, as it came: a redirect is one, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The code.
    pub status: u16,
    /// Where it sends us.
    pub moved: Option<String>,
    /// The server's time, to the second.
    pub date: Option<DateTime<Utc>>,
    /// The beginning of what it holds, where that is short.
    pub text: String,
}

/// What takes each answer as it comes, a redirect and an error too.
fn as_it_comes() -> Agent {
    agent(PATIENCE, 0).max_redirects_will_error(false).http_status_as_error(false).build().into()
}

/// The answer at `url`; a sentence where there is none.
pub fn look(url: &str, ask: Ask) -> Result<Seen, String> {
    let answer = match ask {
        Ask::Page => as_it_comes().get(url).header("Cache-Control", "no-cache").call(),
        Ask::OneClick => as_it_comes().post(url).send_form([("List-Unsubscribe", "One-Click")]),
    };
    let mut response = answer.map_err(|failure| in_words(&failure, PATIENCE))?;
    let field = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let date = field("date").and_then(|date| DateTime::parse_from_rfc2822(&date).ok()).map(|date| date.to_utc());
    let (status, moved) = (response.status(), field("location").filter(|_| response.status().is_redirection()));
    // Whatever is longer is none of ours.
    let text = response.body_mut().with_config().limit(SHORT).read_to_string().unwrap_or_default();
    Ok(Seen { status: status.as_u16(), moved, date, text })
}

/// Sends a JSON document, with fields of its own; a sentence where nobody takes it.
pub fn post(url: &str, fields: &[(&str, String)], json: &str) -> Result<(), String> {
    let mut request = as_it_comes().post(url).content_type("application/json");
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    let status = request.send(json).map_err(|failure| in_words(&failure, PATIENCE))?.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("the server answers {}", status.as_u16())),
    }
}

/// Why a call came to nothing, in words for the author of a site.
pub(crate) fn in_words(failure: &Failure, patience: Duration) -> String {
    match failure {
        Failure::HostNotFound => "there is no such host".to_owned(),
        Failure::Timeout(_) => format!("no answer within {} seconds", patience.as_secs()),
        Failure::TooManyRedirects | Failure::RedirectFailed => "it is redirected too often".to_owned(),
        Failure::Io(why) => why.to_string(),
        other => other.to_string(),
    }
}

fn sentence(failure: &Failure) -> (String, &'static str) {
    let again = "look at the address in a browser, or save the feed and name the file";
    match failure {
        Failure::StatusCode(404 | 410) => ("there is nothing at this address".to_owned(), again),
        Failure::StatusCode(401 | 403) => {
            ("the server lets nobody in without a password".to_owned(), "save the feed and name the file")
        }
        Failure::StatusCode(code @ 500..) => (format!("the server failed with {code}"), "try again later"),
        Failure::StatusCode(code) => (format!("the server answered {code}"), again),
        Failure::HostNotFound => ("there is no such host".to_owned(), "check the spelling of the address"),
        Failure::Timeout(_) => {
            ("the server took too long".to_owned(), "try again later, or save the feed and name the file")
        }
        Failure::TooManyRedirects | Failure::RedirectFailed => (
            format!("it is redirected more than {REDIRECTS} times, or to nowhere"),
            "name the address where it really lies",
        ),
        Failure::BodyExceedsLimit(_) => {
            (format!("it is larger than {} MB", LARGEST >> 20), "cut out the part that matters, and name the file")
        }
        Failure::BadUri(why) => (format!("this is no address: {why}"), "write it like https://example.org/feed.xml"),
        Failure::Decompress(..) => ("what came cannot be unpacked".to_owned(), again),
        other => (other.to_string(), again),
    }
}
