//! The command line as scripts know it: exit codes, the JSON documents and what else is on which stream, and that `plan` and a
//! second run change nothing.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, readers};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;
use tempfile::TempDir;

fn site() -> (Site, Sink, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let mut people = readers(3);
    people.push("5.1.1@sink.test".to_owned());
    people.push("450-1@sink.test".to_owned());
    let site = Site::new(Plan::to(&sink), &people);
    site.write("posts/2026-11-21-draft.md", "---\ntitle: Not yet\ndraft: true\n---\nx\n");
    (site, sink, folder)
}

/// The names in a document.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

const RUN: [&str; 3] = ["editions", "feeds", "posts"];
const EDITION_KEYS: [&str; 13] = [
    "accepted",
    "cancelled",
    "deferred",
    "digest",
    "held",
    "id",
    "posts",
    "queued",
    "recipients",
    "refused",
    "state",
    "subject",
    "uncertain",
];

#[test]
fn run_tells_of_posts_feeds_and_editions() {
    let (site, _sink, _folder) = site();
    let run = site.json(NOON, &["run"]);
    assert_eq!(keys(&run), BTreeSet::from(RUN));
    assert_eq!(
        run["posts"],
        json!({"read": 3, "published": 2, "problems": [],
            "hidden": [{"path": "posts/2026-11-21-draft.md", "reason": run["posts"]["hidden"][0]["reason"]}]})
    );
    let feeds: Vec<_> = run["feeds"].as_array().unwrap().iter().map(|feed| feed["path"].as_str().unwrap()).collect();
    assert_eq!(feeds, ["public/rss.xml", "public/atom.xml", "public/feed.json"]);
    assert_eq!(run["feeds"][0], json!({"path": "public/rss.xml", "entries": 2, "changed": true}));
    let edition = &run["editions"][0];
    assert_eq!(keys(edition), BTreeSet::from(EDITION_KEYS));
    assert_eq!(
        *edition,
        json!({"id": EDITION, "digest": "weekly", "state": "open", "subject": "Field Notes: First snow",
            "posts": ["tag:example.org,2026-11-20:note", "tag:example.org,2026-11-16:note"], "recipients": 5,
            "accepted": 3, "deferred": 1, "refused": 1, "uncertain": 0, "held": 0, "queued": 0, "cancelled": 0})
    );
}

#[test]
fn a_second_run_does_nothing_and_touches_nothing() {
    let (site, sink, _folder) = site();
    site.json(NOON, &["run"]);
    // What was deferred goes, and the edition is done.
    site.json("2026-11-23T12:10:00Z", &["run"]);
    let feeds = ["rss.xml", "atom.xml", "feed.json"].map(|name| site.path("public").join(name));
    let changed = |feed: &PathBuf| -> SystemTime { fs::metadata(feed).unwrap().modified().unwrap() };
    let (before, taken) = (feeds.each_ref().map(changed), sink.taken());
    let run = site.json("2026-11-23T12:20:00Z", &["run"]);
    assert_eq!(run["editions"], json!([]));
    assert!(run["feeds"].as_array().unwrap().iter().all(|feed| feed["changed"] == false), "{run}");
    assert_eq!((feeds.each_ref().map(changed), sink.taken()), (before, taken));
    let run = site.at("2026-11-23T12:20:00Z", &["run"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
}

#[test]
fn build_tells_of_posts_and_feeds_alone() {
    let (site, sink, _folder) = site();
    let build = site.json(NOON, &["build"]);
    assert_eq!(keys(&build), BTreeSet::from(["feeds", "posts"]));
    assert_eq!(sink.taken(), 0);
    assert_eq!(site.json(NOON, &["run"])["editions"][0]["accepted"], 3, "the digest is due as before");
}

#[test]
fn plan_tells_what_would_be_and_changes_nothing() {
    let (site, sink, _folder) = site();
    for (state, accepted) in [("before the first run", 0), ("after it", 3)] {
        let before = site.tree();
        let plan = site.json(NOON, &["plan"]);
        let after = site.tree();
        let differs: Vec<_> = after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
        assert!(differs.is_empty() && before.len() == after.len(), "{state}: {:?}", differs.first());
        assert_eq!(keys(&plan), BTreeSet::from(["digests", "editions", "feeds", "posts"]), "{state}");
        assert_eq!(keys(&plan["digests"][0]), BTreeSet::from(["due", "name", "next", "reason", "slot"]), "{state}");
        if accepted == 0 {
            assert_eq!(plan["digests"][0]["due"], true);
            assert_eq!(plan["digests"][0]["slot"], "2026-11-23T09:00:00+00:00");
            assert_eq!(plan["digests"][0]["next"], "2026-11-30T09:00:00+00:00");
            let edition = &plan["editions"][0];
            assert_eq!((&edition["id"], &edition["queued"]), (&EDITION.into(), &5.into()));
            assert_eq!(
                edition["not"],
                json!({"suppressed": 0, "unsubscribed": 0, "pending": 0, "paused": 0, "no posts": 0})
            );
            let feed = &plan["feeds"][0];
            assert_eq!((&feed["changed"], feed["new"].as_array().unwrap().len()), (&true.into(), 2), "{feed}");
            assert_eq!((&feed["updated"], &feed["gone"]), (&json!([]), &json!([])));
            site.json(NOON, &["run"]);
            assert_eq!(sink.taken(), 3);
        } else {
            assert_eq!(plan["digests"][0]["due"], false, "{plan}");
            assert_eq!(plan["feeds"][0]["changed"], false, "{plan}");
        }
    }
}

#[test]
fn status_and_why_tell_what_became_of_it() {
    let (site, _sink, _folder) = site();
    let ran = site.go(&["status"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (Some(1), "error: there is no store yet\n  help: `postrider run` makes one\n")
    );
    site.json(NOON, &["run"]);
    let status = site.json(NOON, &["status"]);
    assert_eq!(keys(&status), BTreeSet::from(["digests", "editions", "held", "letters", "resent", "uncertain"]));
    // Whether it was worked on in the last minute depends on when we look.
    let edition = keys(&status["editions"][0]).into_iter().filter(|key| !matches!(*key, "rate" | "left"));
    assert_eq!(edition.collect::<BTreeSet<_>>(), BTreeSet::from(EDITION_KEYS));
    assert_eq!(keys(&status["digests"][0]), BTreeSet::from(["due", "name", "next", "reason", "slot"]));

    let why = site.json(NOON, &["why", "5.1.1@sink.test"]);
    assert_eq!(keys(&why), BTreeSet::from(["address", "events", "status"]));
    assert_eq!((&why["address"], &why["status"]), (&"5.1.1@sink.test".into(), &"suppressed (bounce)".into()));
    let events = why["events"].as_array().unwrap();
    let refused = events.iter().find(|event| event["kind"] == "refused").unwrap();
    let at = refused["at"].as_str().unwrap();
    assert!(at.starts_with("2026-11-23T12:00:") && at.ends_with('Z'), "{at}");
    assert_eq!(
        *refused,
        json!({"at": at, "kind": "refused", "edition": EDITION, "stage": "rcpt", "code": 550, "enhanced": "5.1.1",
            "text": refused["text"], "duration": refused["duration"]})
    );
    assert!(refused["duration"].as_u64().is_some_and(|millis| millis < 600_000), "{refused}");
    let accepted = site.json(NOON, &["why", "ok-0@sink.test"]);
    let accepted = accepted["events"].as_array().unwrap().iter().find(|event| event["kind"] == "accepted").unwrap();
    let expected = ["at", "code", "duration", "edition", "enhanced", "kind", "stage", "text", "transport"];
    assert_eq!(keys(accepted), BTreeSet::from(expected));
    assert!(accepted["transport"].as_str().unwrap().starts_with("smtp://127.0.0.1:"), "{accepted}");
    assert!(refused["text"].as_str().unwrap().ends_with("as you wish"), "{refused}");
    assert_eq!(site.json(NOON, &["why", "nobody@sink.test"])["status"], "unknown");
}

#[test]
fn problems_are_told_and_with_strict_exit_with_3() {
    let (site, sink, _folder) = site();
    site.write("posts/2026-11-19-broken.md", "---\ntitle: [\n---\nx\n");
    let plan = site.go(&["plan", "--strict"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    let run = site.go(&["run", "--strict", "--json"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let problem = &document["posts"]["problems"][0];
    assert_eq!(keys(problem), BTreeSet::from(["help", "line", "message", "path"]));
    assert_eq!(problem["path"], "posts/2026-11-19-broken.md");
    assert!(run.err.contains("posts/2026-11-19-broken.md"), "{run:?}");
    assert_eq!(sink.taken(), 3, "the others go (P8)");
    assert_eq!(site.go(&["run"]).code, Some(0), "without --strict it is no failure");
}

#[test]
fn a_wrong_command_line_exits_with_2_and_does_nothing() {
    let (site, sink, _folder) = site();
    let before = site.tree();
    for wrong in [&["frobnicate"][..], &[], &["run", "--nonsense"], &["why"], &["run", "--wait", "soon"]] {
        let ran = site.go(wrong);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{wrong:?}: {ran:?}");
        assert!(ran.err.contains("Usage") || ran.err.contains("--help"), "{wrong:?}: {ran:?}");
    }
    assert_eq!(site.at("yesterday", &["run"]).code, Some(2));
    let unknown = site.go(&["run", "--config", "nowhere.toml"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    for fine in ["--help", "--version"] {
        let ran = site.go(&[fine]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    }
    assert_eq!((site.tree() == before, sink.taken()), (true, 0));
}

#[test]
fn a_clock_ahead_of_the_machine_reaches_no_real_reader() {
    let (mut site, _sink, _folder) = site();
    site.plan.transport = "smtp://mail.example.net:587".to_owned();
    site.write_config();
    let ran = site.at("2126-11-25T12:00:00Z", &["run"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            Some(1),
            "error: --now is ahead of this machine's clock, and mail.transport reaches real readers\n  help: rehearse with transport = \"outbox:outbox\", or leave --now out\n"
        )
    );
}
