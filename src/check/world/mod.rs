//! What a mail meets outside: the DNS records that vouch for it, the server that takes it, the pages that it links to, the machine.
//! Promises: only looks, so that nothing is mailed and nothing changes; what cannot be asked is said once; what is asked
//! ends within half a minute or so.

mod dkim;
mod dmarc;
mod mx;
mod names;
mod ptr;
mod relay;
mod smtp;
mod spf;
mod store;
mod tags;
mod time;
mod web;

use super::mail::{Source, place};
use super::{Finding, Severity};
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::route::Route;
use crate::message::Settings;
use crate::message::dkim::Key;
use crate::transport::Relay;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

pub use store::{missing, store};
pub use time::{Digest, Rates, times};

/// Nothing new is begun after this.
const LONGEST: Duration = Duration::from_secs(20);

/// What is to be held against the world.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The configuration, understood.
    pub config: &'a Config,
    /// And as it was written, relative to its own folder.
    pub source: &'a Source,
    /// Its `[mail]` table.
    pub mail: &'a Settings,
    /// Where mails leave.
    pub ways: &'a [Way],
    /// The keys that sign.
    pub keys: &'a [Key],
    /// The DNS server to ask, if not the machine's own.
    pub dns: Option<SocketAddr>,
    /// The site, to ask for the time where no page of ours is there.
    pub site: &'a url::Url,
    /// The octets of the largest mail to come.
    pub largest: usize,
    /// The machine's own.
    pub clock: Clock,
}

/// One of the ways by which mails leave.
#[derive(Clone, Debug)]
pub struct Way {
    /// The key of the configuration under which it stands.
    pub key: &'static str,
    /// Where it leads.
    pub route: Route,
    /// Opened.
    pub relay: Relay,
}

/// What is wrong out there, sorted. Mails that are left in a folder meet no world.
pub fn findings(world: &World<'_>) -> Vec<Finding> {
    let asking: [fn(&World<'_>) -> Vec<Finding>; 3] = [names::judge, smtp::judge, web::judge];
    let mut found: Vec<Finding> = thread::scope(|scope| {
        let started: Vec<_> = asking.into_iter().map(|judge| scope.spawn(move || judge(world))).collect();
        started.into_iter().flat_map(|judge| judge.join().unwrap_or_default()).collect()
    });
    found.sort();
    found.dedup();
    found
}

/// That something of the configuration keeps mails from leaving, as an error says it. `relay`: the name of the `[[relay]]`, where the
/// key is in one.
pub fn unusable(source: &Source, relay: &str, key: &str, severity: Severity, why: &str) -> Finding {
    let (what, help) = why.split_once("\n  help: ").unwrap_or((why, "correct it; a run would stop there"));
    let anchor = if key == "mail.dkim" { "dkim" } else { "the-server" };
    in_table(source, relay, key, severity, what.to_owned(), help, anchor)
}

/// About a record in the DNS; its name is the place.
fn at_name(name: &str, severity: Severity, message: String, help: &str, anchor: &str) -> Finding {
    Finding { url: Some(explained(anchor)), ..Finding::new(name, None, severity, message, help) }
}

/// About a key of the configuration, such as `mail.from`.
fn at_key(source: &Source, key: &str, severity: Severity, message: String, help: &str, anchor: &str) -> Finding {
    in_table(source, "", key, severity, message, help, anchor)
}

/// The same, about a key of the one of several tables that has this name.
fn in_table(
    source: &Source,
    name: &str,
    key: &str,
    severity: Severity,
    message: String,
    help: &str,
    anchor: &str,
) -> Finding {
    let place = place::in_config(source, name, key);
    Finding { url: Some(explained(anchor)), ..super::mail::finding(place, severity, message, help) }
}

fn explained(anchor: &str) -> String {
    format!("docs/checking.md#{anchor}")
}
