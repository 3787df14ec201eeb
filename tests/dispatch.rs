//! What a run makes of its limits, of a server that asks for a slower pace, and of a way out that is barred.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{Plan, Site, everyone_once, readers};
use std::fs;

/// A site with so many readers, and these lines in its configuration before the digest.
fn site(people: &[String], lines: &str) -> (Site, Sink, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let site = Site::new(Plan { connections: 2, ..Plan::to(&sink) }, people);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replacen("[[digest]]", &format!("{lines}\n\n[[digest]]"), 1));
    (site, sink, folder)
}

#[test]
fn a_limit_that_was_taken_out_of_the_configuration_holds_nobody_up() {
    let people = readers(3);
    let (site, sink, _folder) = site(&people, "[delivery.domains]\n\"sink.test\" = \"1/d\"");
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(0), 1), "{ran:?}");
    assert!(ran.err.contains("no more may go for 1440 minutes"), "{ran:?}");
    // The rest waits in a lane of its own.
    assert_eq!(site.json("2026-11-23T12:01:00Z", &["status"])["editions"][0]["queued"], 2);
    site.json("2026-11-23T12:01:00Z", &["run"]);
    assert_eq!(sink.taken(), 1);
    site.write_config();
    site.json("2026-11-23T12:02:00Z", &["run"]);
    everyone_once(&sink, &people);
}

#[test]
fn a_short_window_is_waited_for() {
    let people = readers(3);
    let (site, sink, _folder) = site(&people, "rates = [\"2/s\"]");
    let ran = site.go(&["run", "--quiet"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    everyone_once(&sink, &people);
}

#[test]
fn a_server_that_asks_for_a_slower_pace_is_heard() {
    let people = [readers(2), vec!["4.7.0@sink.test".to_owned()]].concat();
    let (site, sink, _folder) = site(&people, "");
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(0), 2), "{ran:?}");
    assert!(ran.err.contains("the server asks for a slower pace"), "{ran:?}");
}

#[test]
fn a_try_that_our_own_side_cannot_make_counts_against_nobody() {
    let people = readers(2);
    let (mut site, _sink, _folder) = site(&people, "");
    site.plan.transport = "outbox:outbox".to_owned();
    site.write_config();
    // A file where the edition's folder is to be.
    fs::create_dir(site.path("outbox")).unwrap();
    site.write("outbox/weekly", "");
    let ran = site.go(&["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let status = site.json("2026-11-23T12:01:00Z", &["status"]);
    let edition = &status["editions"][0];
    assert_eq!((&edition["queued"], &edition["deferred"], &edition["uncertain"]), (&2.into(), &0.into(), &0.into()));
    fs::remove_file(site.path("outbox/weekly")).unwrap();
    let edition = &site.json("2026-11-23T12:02:00Z", &["run"])["editions"][0];
    assert_eq!((&edition["state"], &edition["accepted"]), (&"done".into(), &2.into()), "{edition}");
}

#[test]
fn what_is_said_after_the_body_counts_for_the_breaker() {
    let people: Vec<String> = (0..30).map(|n| format!("421data+{n}@sink.test")).collect();
    let (site, sink, _folder) = site(&people, "");
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(1), 0), "{ran:?}");
    assert!(ran.err.contains("error: the server takes nothing: it drops one connection after another"), "{ran:?}");
    // What the other connection had under way, too.
    let edition = &site.json("2026-11-23T12:00:30Z", &["status"])["editions"][0];
    assert!((20..=22).contains(&edition["deferred"].as_i64().unwrap()), "{edition}");
}
