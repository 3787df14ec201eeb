//! Bounces and complaints that a mail provider tells by HTTP: `POST /hooks/ses`, `/hooks/mailgun`, `/hooks/postmark`. Only providers that are
//! configured (`[web.hooks]`) are heard, and only with their proof; a notice that comes twice has one effect.

mod mailgun;
mod postmark;
mod sns;

use super::threads::Threads;
use crate::bounce::{self, notice};
use crate::clock::Clock;
use crate::config;
use crate::random::Random;
use crate::receive::Receiver;
use crate::store::bounces::Patience;
use crate::store::{self, Store};
use crate::token::Keyring;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use std::sync::Arc;

/// What hearing a provider needs.
pub struct Hooks {
    /// Where it is recorded.
    pub store: Store,
    /// Verifies the tags of deliveries.
    pub keyring: Keyring,
    /// The providers' keys.
    pub settings: config::Hooks,
    /// How many soft bounces an address may have.
    pub bounces: bounce::Settings,
    /// What the letter says that tries an address once more.
    pub probe: Option<String>,
    /// The time.
    pub clock: Clock,
    /// For ids.
    pub random: Random,
    /// Fetches Amazon's certificates, and what confirms a subscription.
    pub fetch: Fetch,
}

/// Fetches a document of Amazon's.
pub type Fetch = Box<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// SNS sends up to 256 KiB.
const LARGEST: usize = 512 * 1024;

/// Why a provider is not heard.
enum Refused {
    /// It is not configured.
    NotHere,
    /// It is not who it says, or its word is too old.
    NotProven(&'static str),
    /// It says nothing that can be read.
    Unreadable,
    /// Something of ours, or of Amazon's, does not answer: it shall come again.
    Later(String),
}

/// What a provider says.
enum Heard {
    /// Of mails, and by which id it is known.
    Notice(notice::Notice, String),
    /// Nothing of mails.
    Nothing,
}

/// What answers need.
#[derive(Clone)]
struct Ear {
    hooks: Arc<Hooks>,
    threads: Threads,
}

/// The paths, to be merged with those of the pages.
pub fn router<S: Clone + Send + Sync + 'static>(hooks: Arc<Hooks>) -> Router<S> {
    Router::new()
        .route("/hooks/ses", post(ses))
        .route("/hooks/mailgun", post(by_mailgun))
        .route("/hooks/postmark", post(by_postmark))
        .route("/hooks/postmark/{secret}", post(by_postmark_path))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Ear { hooks, threads: Threads::of(Threads::HOOKS) })
}

async fn ses(State(ear): State<Ear>, body: Bytes) -> Response {
    answer(ear, move |hooks| sns::hear(&hooks.settings.ses_topics, &json(&body)?, &hooks.fetch)).await
}

async fn by_mailgun(State(ear): State<Ear>, body: Bytes) -> Response {
    answer(ear, move |hooks| {
        mailgun::hear(hooks.settings.mailgun_signing_key.as_deref(), &json(&body)?, hooks.clock.now())
    })
    .await
}

async fn by_postmark(State(ear): State<Ear>, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(postmark::password);
    answer(ear, move |hooks| {
        postmark::hear(hooks.settings.postmark_password.as_deref(), given.as_deref().unwrap_or_default(), &json(&body)?)
    })
    .await
}

async fn by_postmark_path(State(ear): State<Ear>, Path(secret): Path<String>, body: Bytes) -> Response {
    answer(ear, move |hooks| postmark::hear(hooks.settings.postmark_password.as_deref(), &secret, &json(&body)?)).await
}

fn json(body: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused::Unreadable)
}

/// The store is synchronous, and fetching is, too.
async fn answer(ear: Ear, hear: impl FnOnce(&Hooks) -> Result<Heard, Refused> + Send + 'static) -> Response {
    let Ear { hooks, threads } = ear;
    let done = threads.run(move || match hear(&hooks)? {
        Heard::Notice(notice, id) => hooks.record(&notice, &id).map_err(|e| Refused::Later(e.to_string())),
        Heard::Nothing => Ok(()),
    });
    match done.await.unwrap_or_else(|| Err(Refused::Later("the request failed".to_owned()))) {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(Refused::NotHere) => {
            (StatusCode::NOT_FOUND, "this provider is not configured in [web.hooks]\n").into_response()
        }
        Err(Refused::NotProven(why)) => {
            tracing::warn!(why, "a webhook was refused");
            (StatusCode::FORBIDDEN, "this is not proven\n").into_response()
        }
        Err(Refused::Unreadable) => (StatusCode::BAD_REQUEST, "this cannot be read\n").into_response(),
        Err(Refused::Later(why)) => {
            tracing::error!(why, "a webhook could not be answered");
            (StatusCode::SERVICE_UNAVAILABLE, "not now; please try again\n").into_response()
        }
    }
}

impl Hooks {
    fn record(&self, notice: &notice::Notice, id: &str) -> Result<(), store::Error> {
        let receiver = Receiver {
            store: &self.store,
            remote: None,
            keyring: &self.keyring,
            patience: Patience { settings: &self.bounces, probe: self.probe.as_deref() },
            answers: None,
            random: &self.random,
            now: self.clock.now(),
        };
        for row in receiver.notice(notice, id)? {
            tracing::info!(kind = row.kind, verdict = row.verdict, action = row.action, "a provider's notice");
        }
        Ok(())
    }
}

fn text<'a>(json: &'a Value, key: &str) -> Option<&'a str> {
    json.get(key)?.as_str()
}
