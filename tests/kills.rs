//! Promise P1 against `kill -9` at any moment. The judge is the file of a server that runs as another process.
//!
//! Under `resend` nobody is skipped, and no more copies are made than connections were open at the kills, all of them the same
//! bytes. Under `hold` nobody gets two, and whoever may have got none is listed by address.

use crate::support::record;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{Plan, Site, copies, end, readers, until_taken};
use chrono::{DateTime, SecondsFormat, TimeDelta};
use postrider::store::sql::Connection;
use std::collections::BTreeSet;
use std::env;
use std::os::unix::process::ExitStatusExt;
use tempfile::TempDir;

#[test]
fn resent_after_kills_nobody_is_skipped() {
    for store in stores() {
        resend(&store);
    }
}

#[test]
fn held_after_kills_nobody_is_mailed_twice() {
    for store in stores() {
        hold(&store);
    }
}

/// SQLite, and a new schema of the PostgreSQL database that `TEST_DATABASE_URL` names.
fn stores() -> Vec<(&'static str, String)> {
    let mut stores = vec![("sqlite", "sqlite:postrider.db".to_owned())];
    if let Ok(url) = env::var("TEST_DATABASE_URL") {
        let schema = format!("kills_{}", postrider::random::Random::system().id());
        Connection::postgres(&url).expect("TEST_DATABASE_URL").batch(&format!("CREATE SCHEMA {schema}")).expect(&url);
        let joint = if url.contains('?') { '&' } else { '?' };
        stores.push(("postgres", format!("{url}{joint}options=-csearch_path%3D{schema}")));
    }
    stores
}

fn resend((name, url): &(&str, String)) {
    let killed = killed("resend", name, url);
    let copies = copies(&killed.sink.accepted());
    let none: Vec<_> = killed.readers.iter().filter(|reader| !copies.contains_key(*reader)).collect();
    assert!(none.is_empty(), "{name}: {} got nothing: {none:?}", none.len());
    let more = copies.values().map(|copies| copies - 1).sum::<usize>();
    let doubtful = killed.kills * killed.site.plan.connections;
    assert!(more <= doubtful, "{name}: {more} copies too many after {} kills; {doubtful} were in doubt", killed.kills);
    let twice: BTreeSet<_> = copies.iter().filter(|(_, copies)| **copies > 1).map(|(to, _)| to.clone()).collect();
    let (resent, held) = (killed.site.listed("resent"), killed.site.listed("held"));
    assert!(twice.is_subset(&resent), "{name}: got it twice, and status does not say so: {twice:?}, {resent:?}");
    record::count(&format!("kills.resend.{name}.copies_too_many"), more);
    assert_eq!(killed.accepted + held.len(), killed.readers.len(), "{name}");
    killed.struck_in_mid_delivery();
}

fn hold((name, url): &(&str, String)) {
    let killed = killed("hold", name, url);
    let copies = copies(&killed.sink.accepted());
    let twice: Vec<_> = copies.iter().filter(|(_, copies)| **copies > 1).collect();
    assert!(twice.is_empty(), "{name}: {} got it twice: {twice:?}", twice.len());
    let held = killed.site.listed("held");
    let doubtful = killed.kills * killed.site.plan.connections;
    assert!(held.len() <= doubtful, "{name}: {} held after {} kills", held.len(), killed.kills);
    let none: BTreeSet<_> = killed.readers.iter().filter(|to| !copies.contains_key(*to)).cloned().collect();
    assert!(none.is_subset(&held), "{name}: got nothing, and status does not list them: {none:?}, {held:?}");
    record::count(&format!("kills.hold.{name}.held"), held.len());
    record::count(&format!("kills.hold.{name}.held_of_whom_got_nothing"), none.len());
    assert_eq!(killed.accepted + held.len(), killed.readers.len(), "{name}");
    killed.struck_in_mid_delivery();
}

struct Killed {
    site: Site,
    sink: Sink,
    /// Where the sink's file is.
    _folder: TempDir,
    readers: Vec<String>,
    kills: usize,
    /// After how many of them the store held a delivery in the state sending.
    with_sending: usize,
    /// As the last run counts them.
    accepted: usize,
}

impl Killed {
    /// Else the kills prove nothing, or the intent is not durable before the act.
    fn struck_in_mid_delivery(&self) {
        let Killed { kills, with_sending, .. } = self;
        assert!(
            2 * with_sending >= *kills,
            "only {with_sending} of {kills} kills left a delivery in the state sending"
        );
    }
}

/// Kills one run after another, until enough were killed, and lets the last one finish.
fn killed(uncertain: &'static str, store: &str, url: &str) -> Killed {
    let random = record::seed("kills");
    let asked = record::number("POSTRIDER_KILLS").map(|kills| kills as usize);
    let (kills, readers) = (asked.unwrap_or(5), readers(if asked.is_some() { 5000 } else { 1000 }));
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::elsewhere(&Settings { latency: 2, ..Settings::in_folder(folder.path()) });
    let site = Site::new(Plan { uncertain, store: url.to_owned(), ..Plan::to(&sink) }, &readers);
    let mut now = DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z").unwrap();
    let mut next = || {
        now += TimeDelta::seconds(60);
        now.to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    let mut with_sending = 0;
    let mut struck = kills;
    for kill in 0..kills {
        let mut run = site.start(&next(), &["run", "--quiet"]);
        // Anywhere in what is left, such that as much is likely to be left for the kills to come.
        let taken = sink.taken();
        let share = 2 * readers.len().saturating_sub(taken) / (kills - kill + 1);
        let moment = taken + 1 + record::below(&random, share.saturating_sub(40).max(1));
        if !until_taken(&sink, moment, &mut run) {
            // So many kills leave little for the last of them.
            assert!(10 * kill >= 9 * kills, "the run ended before kill {kill}: {:?}", end(run));
            struck = kill;
            break;
        }
        run.kill().expect("it lives");
        let killed = run.wait_with_output().expect("it ends");
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        with_sending += usize::from(site.deliveries("sending") > 0);
    }
    let kills = struck;
    record::count(&format!("kills.{uncertain}.{store}"), kills);
    record::count(&format!("kills.{uncertain}.{store}.with_sending"), with_sending);
    // What lies in doubt is due at once; PostgreSQL may take a moment to see that the dead are dead.
    let mut ran = site.json(&next(), &["run"]);
    for _ in 0..5 {
        if ran["editions"][0]["state"] == "done" {
            break;
        }
        ran = site.json(&next(), &["run"]);
    }
    let edition = &site.json(&next(), &["status"])["editions"][0];
    assert_eq!(edition["state"], "done", "{edition}");
    let accepted = edition["accepted"].as_u64().unwrap() as usize;
    Killed { site, sink, _folder: folder, readers, kills, with_sending, accepted }
}
