//! The `[hooks]` table: a program of the author's that is told what happens.

use super::resolved;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;
use url::Url;

/// What can be told.
pub const EVENTS: [&str; 8] = [
    "edition.waiting",
    "edition.open",
    "edition.held",
    "edition.done",
    "edition.cancelled",
    "subscriber.confirmed",
    "subscriber.unsubscribed",
    "subscriber.bouncing",
];

/// `[hooks]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    /// Where each event is sent by POST.
    pub url: String,
    /// Signs what is sent (Standard Webhooks); without it nobody can tell that it is ours.
    #[serde(default)]
    pub secret: Option<String>,
    /// Which events; empty: all.
    #[serde(default, deserialize_with = "known")]
    pub events: Vec<String>,
}

impl Hooks {
    /// The address and the secret where they are used: an error that names what is missing or wrong.
    pub fn resolved(&self) -> Result<(Url, Option<&str>), String> {
        let text = resolved(&self.url, "hooks.url")?;
        let url = text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or("hooks.url is no address; write it with https://")?;
        let secret = self.secret.as_deref().map(|secret| resolved(secret, "hooks.secret")).transpose()?;
        match secret {
            Some(secret) if secret.len() < 16 => Err(
                "hooks.secret is shorter than 16 characters and can be guessed; make one with `openssl rand -hex 32`"
                    .to_owned(),
            ),
            secret => Ok((url, secret)),
        }
    }

    /// Whether an event of this kind is to be told.
    pub fn wants(&self, kind: &str) -> bool {
        EVENTS.contains(&kind) && (self.events.is_empty() || self.events.iter().any(|wanted| wanted == kind))
    }
}

fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let events = Vec::<String>::deserialize(from)?;
    match events.iter().find(|event| !EVENTS.contains(&event.as_str())) {
        None => Ok(events),
        Some(event) => Err(D::Error::custom(format!("there is no event {event:?}; there are {}", EVENTS.join(", ")))),
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("events", &self.events).finish_non_exhaustive()
    }
}
