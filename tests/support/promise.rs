//! Promise P1, held against the ledger of a sink after a run was broken off.

use super::sink::Sink;
use super::site::{NOON, Site};
use std::collections::{BTreeMap, BTreeSet};

/// What P1 allows, and how much of it there was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub(crate) copies_too_many: usize,
    pub(crate) held: usize,
}

/// Runs again until the edition is done. What lies in doubt is due at once, what a broken connection deferred a little later.
pub(crate) fn finish(site: &Site) -> Result<(), String> {
    for minute in [10, 20, 30] {
        let ran = site.at(&format!("2026-11-23T12:{minute}:00Z"), &["run", "--quiet"]);
        if ran.code != Some(0) {
            return Err(format!("it does not run again: {ran:?}"));
        }
        if site.json(NOON, &["status"])["editions"][0]["state"] == "done" {
            return Ok(());
        }
    }
    Err(format!("not done: {}", site.json(NOON, &["status"])))
}

/// Nobody is skipped. With `resend` there is at most one copy too many for each connection and crash, of the same bytes, and
/// `status` lists to whom; with `hold` nobody has two, and `status` lists who may have none.
pub(crate) fn judge(site: &Site, sink: &Sink, readers: &[String], crashes: usize) -> Result<Judged, String> {
    let mut copies: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in sink.accepted() {
        copies.entry(line.rcpt).or_default().push((line.message_id, line.sha256));
    }
    for (to, copies) in &copies {
        if copies.iter().any(|copy| *copy != copies[0]) {
            return Err(format!("{to} got copies that differ: {copies:?}"));
        }
    }
    let none: BTreeSet<_> = readers.iter().filter(|to| !copies.contains_key(*to)).cloned().collect();
    let twice: BTreeSet<_> = copies.iter().filter(|(_, copies)| copies.len() > 1).map(|(to, _)| to.clone()).collect();
    let copies_too_many = copies.values().map(|copies| copies.len() - 1).sum();
    let (held, doubtful) = (site.listed("held"), crashes * site.plan.connections);
    if site.plan.uncertain == "resend" {
        let resent = site.listed("resent");
        if !none.is_empty() {
            return Err(format!("{} got nothing: {none:?}", none.len()));
        }
        if copies_too_many > doubtful {
            return Err(format!("{copies_too_many} copies too many"));
        }
        if !twice.is_subset(&resent) {
            return Err(format!("status lists {resent:?}, and twice it went to {twice:?}"));
        }
    } else {
        if !twice.is_empty() {
            return Err(format!("{} got two: {twice:?}", twice.len()));
        }
        if held.len() > doubtful {
            return Err(format!("{} are held", held.len()));
        }
        if !none.is_subset(&held) {
            return Err(format!("{none:?} got nothing, and status lists {held:?}"));
        }
    }
    let accepted = site.json(NOON, &["status"])["editions"][0]["accepted"].as_u64().unwrap_or(0) as usize;
    match accepted + held.len() == readers.len() {
        true => Ok(Judged { copies_too_many, held: held.len() }),
        false => Err(format!("{accepted} accepted and {} held of {}", held.len(), readers.len())),
    }
}
