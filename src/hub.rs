//! What is asked of the world about a feed over HTTP: whether it is live, and that a hub take note of it. Promises: no call takes
//! longer than [`PATIENCE`], no answer is read that is longer than the feed, and every failure is a sentence.

use crate::http;
use std::time::Duration;
use ureq::{Agent, Error};
use url::Url;

/// For all of one call.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the calls; clones share their connections.
#[derive(Clone)]
pub struct Client {
    /// Follows where it is sent.
    looking: Agent,
    /// Goes nowhere else: of a POST, most of what is followed would become a GET that tells nobody anything.
    telling: Agent,
}

impl Default for Client {
    fn default() -> Self {
        let agent =
            |redirects| http::agent(PATIENCE, redirects).max_redirects_will_error(false).http_status_as_error(false);
        Client { looking: agent(3).build().into(), telling: agent(0).build().into() }
    }
}

impl Client {
    /// Whether `url` answers with exactly these bytes; a sentence where it does not.
    pub fn is_live(&self, url: &Url, bytes: &[u8]) -> Result<(), String> {
        let request = self.looking.get(url.as_str()).header("Cache-Control", "no-cache");
        let mut response = request.call().map_err(|error| sentence(&error))?;
        if response.status() != 200 {
            return Err(format!("the server answers {}", response.status().as_u16()));
        }
        // One byte more tells that it is longer.
        let found = response.body_mut().with_config().limit(bytes.len() as u64 + 1).read_to_vec();
        match found {
            Ok(found) if found == bytes => Ok(()),
            Ok(_) | Err(Error::BodyExceedsLimit(_)) => Err("the server still has another version".to_owned()),
            Err(error) => Err(sentence(&error)),
        }
    }

    /// Tells the hub that the feed at `url` has changed, as hubs have agreed on (WebSub leaves it open, section 6).
    pub fn ping(&self, hub: &Url, url: &Url) -> Result<(), String> {
        let form = [("hub.mode", "publish"), ("hub.url", url.as_str())];
        let response = self.telling.post(hub.as_str()).send_form(form).map_err(|error| sentence(&error))?;
        let moved = response.headers().get("location").and_then(|place| place.to_str().ok());
        match (response.status().as_u16(), moved) {
            (200..300, _) => Ok(()),
            (300..400, Some(place)) => Err(format!("the hub has moved to {place}: name that as feeds.hub")),
            (status, _) => Err(format!("the hub answers {status}")),
        }
    }
}

fn sentence(error: &Error) -> String {
    http::in_words(error, PATIENCE)
}
