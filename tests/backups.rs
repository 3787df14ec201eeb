//! Backups of the store and going on with one: what may have been sent since waits for a person, who left stays gone (P1, P6).

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, end, everyone_once, hears, readers, signal, until_taken};
use postrider::store::sql::Connection;
use std::fs;
use tempfile::TempDir;

const NEXT: &str = "2026-11-30T12:00:00Z";
const LATER: &str = "2026-11-30T13:00:00Z";

fn site(people: &[String], hold: Option<&str>) -> (Site, Sink, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings { hold: hold.map(str::to_owned), ..Settings::in_folder(folder.path()) });
    (Site::new(Plan { connections: 1, ..Plan::to(&sink) }, people), sink, folder)
}

fn new_post(site: &Site) {
    site.write("posts/2026-11-28-second.md", "---\ntitle: Second snow\ndate: 2026-11-28\n---\nMore of it.\n");
}

fn state(site: &Site, edition: &str) -> String {
    let status = site.json(LATER, &["status"]);
    let editions = status["editions"].as_array().unwrap();
    let found = editions.iter().find(|known| known["id"] == edition);
    found.map_or_else(String::new, |found| found["state"].as_str().unwrap().to_owned())
}

/// A first edition that everybody has, a backup, a second edition that everybody has.
fn two_editions(people: &[String]) -> (Site, Sink, TempDir) {
    let (site, sink, folder) = site(people, None);
    site.json(NOON, &["run"]);
    let said = site.json(NOON, &["store", "backup", "kept.db"]);
    assert_eq!(said["path"], "kept.db");
    new_post(&site);
    site.json(NEXT, &["run"]);
    assert_eq!(sink.taken(), 2 * people.len());
    (site, sink, folder)
}

#[test]
fn what_was_sent_since_the_backup_is_not_sent_again_unless_somebody_says_so() {
    let people = readers(4);
    let (site, sink, _folder) = two_editions(&people);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(site.path(&format!("postrider.db{suffix}")));
    }
    let ran = site.at(LATER, &["store", "restore", "kept.db"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("The store is as it was at 2026-11-23 12:00 UTC.\n"), "{ran:?}");
    assert!(ran.out.contains("Who left since then is not known to it"), "{ran:?}");
    let run = site.json(LATER, &["run"]);
    assert_eq!(
        (&run["editions"][0]["id"], &run["editions"][0]["state"]),
        (&"weekly/2026-11-30".into(), &"waiting".into())
    );
    assert_eq!(sink.taken(), 8, "nobody was mailed twice");
    // What comes later goes by itself, and what a person approves goes, too.
    site.write("posts/2026-12-05-third.md", "---\ntitle: Third\ndate: 2026-12-05\n---\nStill more.\n");
    let run = site.json("2026-12-07T12:00:00Z", &["run"]);
    let of = |id: &str| run["editions"].as_array().unwrap().iter().find(|e| e["id"] == id).unwrap()["state"].clone();
    assert_eq!((of("weekly/2026-12-07"), of("weekly/2026-11-30")), ("done".into(), "waiting".into()));
    assert_eq!(sink.taken(), 12);
    assert_eq!(site.at("2026-12-07T13:00:00Z", &["cancel", "weekly/2026-11-30"]).code, Some(0));
}

#[test]
fn a_post_that_may_have_been_mailed_is_not_mailed_with_a_later_edition_unasked() {
    let people = readers(2);
    let (site, sink, _folder) = two_editions(&people);
    assert_eq!(site.at(LATER, &["store", "restore", "kept.db"]).code, Some(0));
    // The next run comes only after one more slot: its edition would hold the post of the lost one.
    let run = site.json("2026-12-07T12:00:00Z", &["run"]);
    assert_eq!(
        (&run["editions"][0]["id"], &run["editions"][0]["state"]),
        (&"weekly/2026-12-07".into(), &"waiting".into())
    );
    assert_eq!(sink.taken(), 4);
}

#[test]
fn who_left_since_the_backup_stays_gone_where_the_store_can_still_be_read() {
    let people = readers(4);
    let (site, sink, _folder) = two_editions(&people);
    assert_eq!(site.at(NEXT, &["subscribers", "remove", &people[0], "--suppress"]).code, Some(0));
    let restored = site.json(LATER, &["store", "restore", "kept.db"]);
    assert_eq!((&restored["carried_over"], &restored["held"]), (&2.into(), &serde_json::json!([])));
    let aside = restored["aside"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(aside, "postrider.db.before-20261130T130000Z");
    let mut old = Connection::sqlite(&site.path(&aside)).unwrap();
    let editions = old.query_one("SELECT COUNT(*) FROM editions", &[]).unwrap().unwrap().int(0).unwrap();
    assert_eq!(editions, 2, "what was there is kept");
    site.json(LATER, &["run"]);
    assert_eq!(site.at(LATER, &["approve", "weekly/2026-11-30"]).code, Some(0));
    site.json(LATER, &["run"]);
    assert_eq!(sink.taken(), 8 + 3, "not to whom left");
    assert!(site.at(LATER, &["why", &people[0]]).out.contains("suppressed"));
}

#[test]
fn an_edition_that_was_on_its_way_is_held() {
    let people = readers(3);
    let (site, sink, _folder) = site(&people, Some("dot"));
    let run = site.start(NOON, &["run"]);
    while sink.reached("dot") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // While it is being sent, and nobody waits for the backup.
    assert_eq!(site.go(&["store", "backup", "kept.db"]).code, Some(0));
    let refused = site.go(&["store", "restore", "kept.db"]);
    assert_eq!((refused.code, refused.err.contains("stop run, work and serve first")), (Some(1), true), "{refused:?}");
    sink.go();
    assert_eq!(end(run).code, Some(0));
    everyone_once(&sink, &people);
    let restored = site.json(LATER, &["store", "restore", "kept.db"]);
    assert_eq!(restored["held"], serde_json::json!([EDITION]));
    site.json(LATER, &["run"]);
    everyone_once(&sink, &people);
    assert_eq!(state(&site, EDITION), "held");
}

#[test]
fn what_is_no_whole_backup_changes_nothing() {
    let (site, _sink, _folder) = site(&readers(2), None);
    site.json(NOON, &["run"]);
    assert_eq!(site.go(&["store", "backup", "kept.db"]).code, Some(0));
    let whole = fs::read(site.path("kept.db")).unwrap();
    let mut newer = Connection::sqlite(&site.path("newer.db")).unwrap();
    newer.copy_all_of(&Connection::sqlite(&site.path("kept.db")).unwrap()).unwrap();
    newer.batch("UPDATE meta SET value = '999' WHERE key = 'version'").unwrap();
    drop(newer);
    fs::write(site.path("cut.db"), &whole[..whole.len() / 2]).unwrap();
    fs::write(site.path("none.db"), "Dear diary").unwrap();
    fs::write(site.path("empty.db"), "").unwrap();
    let before = site.tree();
    for (file, words) in [
        ("cut.db", "cut.db"),
        ("none.db", "not a SQLite database"),
        ("empty.db", "is no backup of a store"),
        ("newer.db", "is of version 999"),
        ("missing.db", "there is no backup at missing.db"),
    ] {
        let ran = site.go(&["store", "restore", file]);
        assert_eq!((ran.code, ran.err.contains(words)), (Some(1), true), "{file}: {ran:?}");
        assert!(site.tree() == before, "{file}: something was changed");
    }
    let ran = site.go(&["store", "backup", "nowhere/kept.db"]);
    assert_eq!((ran.code, ran.err.contains("nowhere/kept.db")), (Some(1), true), "{ran:?}");
}

#[test]
fn a_store_that_is_damaged_beyond_reading_is_kept_and_replaced() {
    let people = readers(2);
    let (site, sink, _folder) = two_editions(&people);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(site.path(&format!("postrider.db{suffix}")));
    }
    fs::write(site.path("postrider.db"), "lightning").unwrap();
    let restored = site.json(LATER, &["store", "restore", "kept.db"]);
    let aside = restored["aside"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(fs::read(site.path(&aside)).unwrap(), b"lightning");
    site.json(LATER, &["run"]);
    assert_eq!((sink.taken(), state(&site, "weekly/2026-11-30").as_str()), (4, "waiting"));
}

#[test]
fn serve_goes_on_with_what_was_restored() {
    let people = readers(2);
    let (site, sink, _folder) = two_editions(&people);
    let mut daemon = site.start(LATER, &["serve"]);
    hears(&mut daemon, "listening on");
    assert_eq!(site.at(LATER, &["store", "restore", "kept.db"]).code, Some(0));
    site.json(LATER, &["run"]);
    assert_eq!((sink.taken(), state(&site, "weekly/2026-11-30").as_str()), (4, "waiting"));
    assert_eq!(site.at(LATER, &["approve", "weekly/2026-11-30"]).code, Some(0));
    assert!(until_taken(&sink, 6, &mut daemon));
    signal(&daemon, "TERM");
    assert_eq!(end(daemon).code, Some(0));
    assert_eq!(sink.taken(), 6);
}
