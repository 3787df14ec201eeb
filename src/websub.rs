//! Tells a WebSub hub of feeds that changed (<https://www.w3.org/TR/websub/>), so that readers have a new post within seconds.
//! Promises: a hub is told of a feed only when the site serves the new one, for hubs fetch it at once; once for each change; and
//! whatever fails is tried again in a later run, never stops this one.

use crate::clock::Clock;
use crate::config::Config;
use crate::feed::Listed;
use crate::hub::Client;
use crate::output;
use crate::store::pings::Ping;
use crate::store::{self, Store};
use aws_lc_rs::digest;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::{Host, Url};

/// As many feeds are looked at together.
const AT_ONCE: usize = 4;
/// After this no further feed is begun with in one run.
const BUDGET: Duration = Duration::from_secs(30);
/// A site that has not got its new feed by then will not get it, or changes it on the way.
const NEVER: TimeDelta = TimeDelta::days(3);
/// A hub that did not listen so often is not told again until the feed changes.
const TRIES: i64 = 8;

/// What telling a hub needs.
pub struct Websub<'a> {
    /// The hub.
    pub hub: &'a Url,
    /// Where feeds lie.
    pub config: &'a Config,
    /// What the hub was told before.
    pub store: &'a Store,
    /// Now, and for how long.
    pub clock: &'a Clock,
}

/// What became of one feed.
enum Told {
    Yes,
    NotLive(String),
    NotHeard(String),
    /// Left for a later run.
    Later,
}

struct Due {
    url: Url,
    bytes: Vec<u8>,
    ping: Ping,
}

impl Websub<'_> {
    /// Tells the hub of those of the feeds that it does not know as they are now. What is worth a word to the author comes back.
    pub fn tell(&self, feeds: &[Listed]) -> Result<Vec<String>, store::Error> {
        // A rehearsal of another day reaches nobody.
        if self.clock.ahead() > TimeDelta::minutes(1) && !is_loopback(self.hub) {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let mut changed = Vec::new();
        let due = self.due(feeds, now, &mut changed)?;
        let outcomes = self.try_all(&due);
        let mut remarks = Remarks::default();
        for (due, told) in due.into_iter().zip(outcomes) {
            let url = due.url.to_string();
            changed.push((url.clone(), settle(due.ping, told, now, &url, &mut remarks)));
        }
        self.store.remember_pings(&changed)?;
        Ok(remarks.sentences(self.hub))
    }

    /// Feeds that can be told of now. Rows that are to be remembered without it go to `changed`.
    fn due(
        &self,
        feeds: &[Listed],
        now: DateTime<Utc>,
        changed: &mut Vec<(String, Ping)>,
    ) -> Result<Vec<Due>, store::Error> {
        let mut known = self.store.pings()?;
        let mut due = Vec::new();
        for file in feeds.iter().flat_map(|feed| &feed.files) {
            let Ok(url) = Url::parse(&file.address()) else { continue };
            // What cannot be read was not written by this run either, which has told that already.
            let Ok(Some(bytes)) = output::read(&self.config.path_of(&file.path)) else { continue };
            let hash = hash(&bytes);
            let row = known.remove(url.as_str());
            let none = Ping { told: String::new(), waiting: String::new(), since: now, tries: 0, next: now };
            let before = row.clone().unwrap_or(none.clone());
            let ping = if before.told == hash {
                Ping { told: hash, ..none }
            } else if before.waiting == hash {
                before
            } else {
                Ping { told: before.told, waiting: hash, ..none }
            };
            if ping.waiting.is_empty() {
                // It is again what the hub knows.
                if row.is_some_and(|row| !row.waiting.is_empty()) {
                    changed.push((url.into(), ping));
                }
            } else if ping.tries == 0 || ping.next <= now {
                due.push(Due { url, bytes, ping });
            }
        }
        Ok(due)
    }

    /// What became of each, in their order.
    fn try_all(&self, due: &[Due]) -> Vec<Told> {
        let client = Client::default();
        let (taken, is_deaf) = (AtomicUsize::new(0), AtomicBool::new(false));
        let outcomes: Vec<Mutex<Told>> = due.iter().map(|_| Mutex::new(Told::Later)).collect();
        let watch = self.clock.stopwatch();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(due.len()) {
                scope.spawn(|| {
                    while watch.elapsed() < BUDGET {
                        let place = taken.fetch_add(1, Ordering::Relaxed);
                        let (Some(due), Some(outcome)) = (due.get(place), outcomes.get(place)) else { break };
                        *outcome.lock().unwrap_or_else(PoisonError::into_inner) = self.try_one(&client, due, &is_deaf);
                    }
                });
            }
        });
        outcomes.into_iter().map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    fn try_one(&self, client: &Client, due: &Due, is_deaf: &AtomicBool) -> Told {
        if let Err(why) = client.is_live(&due.url, &due.bytes) {
            return Told::NotLive(why);
        }
        // A hub that does not answer would be waited for once for every feed.
        if is_deaf.load(Ordering::Relaxed) {
            return Told::Later;
        }
        match client.ping(self.hub, &due.url) {
            Ok(()) => Told::Yes,
            Err(why) => {
                is_deaf.store(true, Ordering::Relaxed);
                Told::NotHeard(why)
            }
        }
    }
}

/// What is remembered of a feed after it was tried.
fn settle(ping: Ping, told: Told, now: DateTime<Utc>, url: &str, remarks: &mut Remarks) -> Ping {
    let settled = |ping: Ping| Ping { told: ping.waiting, waiting: String::new(), tries: 0, next: now, ..ping };
    match told {
        Told::Yes => settled(ping),
        Told::NotLive(why) if now - ping.since > NEVER => {
            remarks.never.push((url.to_owned(), why));
            settled(ping)
        }
        Told::NotLive(why) => {
            remarks.add_waiting(url, why);
            ping
        }
        Told::NotHeard(why) if ping.tries + 1 >= TRIES => {
            remarks.deaf.push((url.to_owned(), why));
            settled(ping)
        }
        Told::NotHeard(why) => {
            remarks.not_heard.get_or_insert(why);
            let minutes = 4_i64.pow(u32::try_from(ping.tries).unwrap_or(0).min(5)).min(24 * 60);
            Ping { tries: ping.tries + 1, next: now + TimeDelta::minutes(minutes), ..ping }
        }
        Told::Later => ping,
    }
}

/// What the author is told, one line for all feeds of a kind.
#[derive(Default)]
struct Remarks {
    /// By reason: an example, and how many.
    waiting: BTreeMap<String, (String, usize)>,
    never: Vec<(String, String)>,
    deaf: Vec<(String, String)>,
    not_heard: Option<String>,
}

impl Remarks {
    fn add_waiting(&mut self, url: &str, why: String) {
        let (_, count) = self.waiting.entry(why).or_insert_with(|| (url.to_owned(), 0));
        *count += 1;
    }

    fn sentences(self, hub: &Url) -> Vec<String> {
        let more = |count: usize| if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        let waiting = self.waiting.into_iter().map(|(why, (url, count))| {
            let (is, it) = if count > 1 { ("are", "they are") } else { ("is", "it is") };
            format!("{url}{} {is} not live yet ({why}); the first run after {it} tells the hub", more(count))
        });
        let never = self.never.into_iter().map(|(url, why)| {
            format!("{url} has not been what was written for three days ({why}); the hub is not told of it\n  help: publish the folder of feeds.dir at site.url as it is, or leave feeds.hub out")
        });
        let not_heard = self.not_heard.map(|why| {
            format!("the hub {hub} could not be told of the feeds that changed: {why}; a later run tries again")
        });
        let deaf = self.deaf.into_iter().map(|(url, why)| {
            format!("the hub {hub} was told of {url} {TRIES} times in vain ({why})\n  help: check feeds.hub, or leave it out")
        });
        waiting.chain(never).chain(not_heard).chain(deaf).collect()
    }
}

fn hash(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
