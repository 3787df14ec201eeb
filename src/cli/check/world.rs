//! What the configuration names outside, held against the world: gathered here, judged by `check::world`.

use super::super::cycle::Cycle;
use super::super::setup::Setup;
use super::mails;
use crate::check::mail::Source;
use crate::check::world::{self, Digest, Rates, Way, World};
use crate::check::{Finding, Severity};
use crate::clock::Clock;
use crate::config::{self, WayOut};
use crate::delivery::route::Route;
use crate::edition::Settings;
use crate::keys;
use crate::message::dkim::Key;
use crate::schedule::Schedule;
use crate::store::Place;
use anyhow::{Result, anyhow};
use chrono::TimeDelta;
use std::env;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use url::Url;

/// Names a DNS server to ask instead of the machine's own.
const DNS: &str = "POSTRIDER_DNS";

/// What was judged.
#[derive(Default)]
pub(super) struct Judged {
    /// Whether anything was asked over the network.
    pub(super) asked: bool,
    /// What is wrong, sorted.
    pub(super) findings: Vec<Finding>,
}

/// Looks at the store; and where mails leave for real, at the DNS, the server, the pages and the rates for these digests. `largest`: the
/// octets of the largest mail to come. The store must not be open: asking takes a while, and would hold up a run.
pub(super) fn judge(setup: &Setup, site: &Url, digests: &[Digest<'_>], largest: usize) -> Result<Judged> {
    let source = mails::config(setup);
    let mut judged = Judged::default();
    if setup.config.digests.is_empty() {
        return Ok(judged);
    }
    // What the environment holds is not at hand everywhere; a run says what it lacks.
    if setup.config.store.remote.is_none()
        && let Ok(url) = config::resolved(&setup.config.store.url, "store.url")
        && let Ok(place) = Place::parse(url, &setup.config.root)
    {
        judged.findings = world::store(&source, &place);
        if setup.config.store.must_exist() {
            judged.findings.extend(world::missing(&source, &place));
        }
    }
    let mail = setup.mail()?;
    let ways = setup.config.ways_out();
    if ways.iter().all(|way| way.transport.trim().starts_with("outbox:")) {
        return Ok(judged);
    }
    let now = Clock::system().now();
    let of_relay = |way: &WayOut<'_>| (way.terms.name.clone().unwrap_or_default(), way.terms.rates_at(now));
    let relays = ways.iter().map(of_relay).collect();
    let rates = Rates { together: setup.config.delivery.rates.clone(), relays };
    judged.findings.extend(world::times(&source, &rates, digests));
    let mut signing: Vec<Key> = Vec::new();
    for table in &mail.dkim {
        match keys::key(table, &setup.config.path_of(Path::new(&table.key))) {
            Ok(key) => signing.push(key),
            Err(error) => {
                judged.findings.push(world::unusable(&source, "", "mail.dkim", Severity::Error, &error.to_string()));
            }
        }
    }
    let mut opened = Vec::new();
    for way in &ways {
        match open(setup, &source, way) {
            Ok(way) => opened.push(way),
            Err(finding) => judged.findings.push(*finding),
        }
    }
    opened.retain(|way| !matches!(way.route, Route::Outbox(_)));
    if !opened.is_empty() {
        judged.asked = true;
        judged.findings.extend(world::findings(&World {
            config: &setup.config,
            source: &source,
            mail,
            ways: &opened,
            keys: &signing,
            dns: dns()?,
            site,
            largest,
            clock: Clock::system(),
        }));
    }
    judged.findings.sort();
    judged.findings.dedup();
    Ok(judged)
}

/// A way out, opened; or why it cannot be.
fn open(setup: &Setup, source: &Source, way: &WayOut<'_>) -> Result<Way, Box<Finding>> {
    let name = way.terms.name.as_deref().unwrap_or_default();
    let secrets = [(Some(way.transport), way.key), (way.password, way.password_key())];
    // What the environment holds is not at hand everywhere; a run says what it lacks.
    for (text, key) in secrets.into_iter().filter_map(|(text, key)| Some((text?, key))) {
        config::resolved(text, key)
            .map_err(|why| Box::new(world::unusable(source, name, key, Severity::Note, &why)))?;
    }
    let opened = setup.mail().and_then(|mail| Ok(mail.check()?));
    let opened = opened.and_then(|()| Ok(Way { key: way.key, route: setup.route(way)?, relay: setup.relay(way)? }));
    opened.map_err(|error| {
        Box::new(world::unusable(source, name, way.key, Severity::Error, &super::say::sentence(&error)))
    })
}

/// The digests with their readers, as far as they are known before a run.
pub(super) fn digests<'c>(cycle: &Cycle<'c>) -> Vec<Digest<'c>> {
    let config = &cycle.setup.config;
    // What is wrong with the file of subscribers a run tells; nothing of it is kept here.
    let _ = cycle.sync();
    let defaults = config.default_digests();
    let of = |digest: &'c Settings| {
        let name = digest.name.as_str();
        let readers = cycle.store.readers_by_choice(name, defaults.contains(&name)).unwrap_or_default();
        let readers = readers.iter().map(|(_, _, count)| count).sum();
        Digest { name, readers, gap: gap(cycle, digest) }
    };
    config.digests.iter().map(of).collect()
}

fn gap(cycle: &Cycle<'_>, digest: &Settings) -> Option<TimeDelta> {
    let Schedule::Crontab(crontab) = &digest.schedule else { return None };
    let zone = digest.zone(cycle.site.timezone);
    let next = crontab.next_after(cycle.now, zone)?;
    Some(crontab.next_after(next, zone)? - next)
}

fn dns() -> Result<Option<SocketAddr>> {
    let Some(said) = env::var(DNS).ok().filter(|said| !said.trim().is_empty()) else { return Ok(None) };
    let said = said.trim();
    let address = said.parse::<IpAddr>().map(|address| SocketAddr::from((address, 53))).or_else(|_| said.parse());
    address.map(Some).map_err(|_| {
        anyhow!("{DNS} is {said:?}, which is not the address of a DNS server\n  help: write it like 9.9.9.9 or 127.0.0.1:5353")
    })
}
