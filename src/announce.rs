//! Tells a program of the author's what happened (`[hooks]`), by the conventions of Standard Webhooks: an id that stays the same, the
//! time of the try, and a signature of both with the body. What is not heard is told again, later each time, for three days.

use crate::clock::Clock;
use crate::config::hooks::Hooks;
use crate::http;
use crate::random::Random;
use crate::store::announcements::Announcement;
use crate::store::{self, Store};
use aws_lc_rs::hmac;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use data_encoding::BASE64;
use serde_json::json;

/// So many at a time.
const MOST: usize = 100;
/// After a first failure; it doubles with each further one.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The longest pause.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// Why nobody could be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// What there is to tell cannot be read or noted.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The table.
    #[error("{0}")]
    Hooks(String),
}

/// Tells.
pub struct Announcer<'a> {
    /// `[hooks]`, if there is one.
    pub hooks: Option<&'a Hooks>,
    /// Knows what is to be told.
    pub store: &'a Store,
    /// For ids.
    pub random: &'a Random,
    /// The time.
    pub clock: Clock,
    /// When the run began that has what there is to tell: it is news from then on.
    pub began: DateTime<Utc>,
}

impl Announcer<'_> {
    /// Lets the store write down what happens from now on, or no more. A table that cannot work is an error before anything is done.
    pub fn listen(&self) -> Result<(), Error> {
        if let Some(hooks) = self.hooks {
            hooks.resolved().map_err(Error::Hooks)?;
        }
        Ok(self.store.announce(self.hooks.is_some(), self.began)?)
    }

    /// Tells all that is to be told; remarks on what went wrong with it, which keeps nothing else back.
    pub fn tell(&self) -> Result<Vec<String>, Error> {
        let Some(hooks) = self.hooks else { return Ok(Vec::new()) };
        let (url, secret) = hooks.resolved().map_err(Error::Hooks)?;
        self.store.announce_editions(self.random, self.clock.now())?;
        let mut remarks = Vec::new();
        loop {
            let (due, given_up) = self.store.announcements_due(MOST, self.clock.now())?;
            if given_up > 0 {
                remarks.push(format!("hooks: {given_up} events were not heard for three days and are given up"));
            }
            for announcement in &due {
                let now = self.clock.now();
                let heard = match hooks.wants(&announcement.kind) {
                    true => post(url.as_str(), secret, announcement, now),
                    false => Ok(()),
                };
                match heard {
                    Ok(()) => self.store.heard_of(&announcement.id)?,
                    Err(why) => {
                        let pause = PAUSE * 2_i32.pow(announcement.tries.min(10));
                        self.store.unheard(&announcement.id, now + pause.min(LONGEST))?;
                        remarks.push(format!("hooks: {} was not heard: {why}", announcement.kind));
                        // Where one is not heard, the next is not either.
                        return Ok(remarks);
                    }
                }
            }
            if due.len() < MOST {
                return Ok(remarks);
            }
        }
    }
}

fn post(url: &str, secret: Option<&str>, announcement: &Announcement, now: DateTime<Utc>) -> Result<(), String> {
    let Announcement { id, at, kind, data, .. } = announcement;
    let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = json!({ "type": kind, "timestamp": at, "data": data }).to_string();
    let sent = now.timestamp().to_string();
    let mut fields = vec![("webhook-id", id.clone()), ("webhook-timestamp", sent.clone())];
    if let Some(secret) = secret {
        fields.push(("webhook-signature", signature(secret, id, &sent, &body)));
    }
    http::post(url, &fields, &body)
}

/// `v1,` and the HMAC-SHA256 of id, time and body in base64. A secret that begins with `whsec_` is base64 behind it.
fn signature(secret: &str, id: &str, sent: &str, body: &str) -> String {
    let decoded = secret.strip_prefix("whsec_").and_then(|coded| BASE64.decode(coded.as_bytes()).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret.as_bytes()));
    let tag = hmac::sign(&key, format!("{id}.{sent}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification's own libraries.
        let body = r#"{"test": 2432232314}"#;
        let signed =
            signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
