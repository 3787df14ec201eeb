//! What is kept for how long: old deliveries become counts, `status` counts as before, `why` says so, and nobody is mailed again.

use crate::support::database::every_store;
use crate::support::edition::*;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, readers};
use chrono::TimeDelta;
use postrider::store::sql::Connection;
use serde_json::Value;
use std::fs;

const NEXT: &str = "2026-11-30T12:00:00Z";
const MUCH_LATER: &str = "2027-03-01T08:00:00Z";

fn counts(status: &Value, edition: &str) -> Vec<i64> {
    let editions = status["editions"].as_array().unwrap();
    let found = editions.iter().find(|known| known["id"] == edition).unwrap();
    ["recipients", "accepted", "refused", "queued"].iter().map(|count| found[count].as_i64().unwrap()).collect()
}

#[test]
fn old_deliveries_become_counts() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let mut people = readers(3);
    people.push("5.1.1-gone@sink.test".to_owned());
    let site = Site::new(Plan::to(&sink), &people);
    site.json(NOON, &["run"]);
    site.write("posts/2026-11-28-second.md", "---\ntitle: Second snow\ndate: 2026-11-28\n---\nMore of it.\n");
    site.json(NEXT, &["run"]);
    let before = site.json(MUCH_LATER, &["status"]);
    assert_eq!(counts(&before, EDITION), [4, 3, 1, 0]);
    let taken = sink.taken();

    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replace("must_exist = ", "keep = \"90d\"\nmust_exist = "));
    site.json(MUCH_LATER, &["run"]);
    let mut store = Connection::sqlite(&site.path("postrider.db")).unwrap();
    let mut left = |sql: &str| store.query_one(sql, &[]).unwrap().unwrap().int(0).unwrap();
    assert_eq!(left("SELECT COUNT(*) FROM deliveries WHERE edition = 'weekly/2026-11-23'"), 0);
    assert_eq!(left("SELECT COUNT(*) FROM variants WHERE edition = 'weekly/2026-11-23'"), 0);
    assert_eq!(left("SELECT COUNT(*) FROM deliveries WHERE edition = 'weekly/2026-11-30'"), 3, "the newest stays");
    assert_eq!(left("SELECT COUNT(*) FROM suppressions"), 1, "and so does who must not be mailed");
    drop(store);

    let after = site.json(MUCH_LATER, &["status"]);
    assert_eq!(after["editions"], before["editions"]);
    let why = site.at(MUCH_LATER, &["why", &people[0]]);
    assert!(why.out.contains("up to this edition deliveries are kept as counts alone ([store] keep)"), "{why:?}");
    // Nothing of it comes back.
    let retried = site.at(MUCH_LATER, &["retry", EDITION]);
    assert!(retried.code == Some(1) && retried.err.contains("nothing is left but counts"), "{retried:?}");
    site.json(MUCH_LATER, &["run"]);
    assert_eq!(sink.taken(), taken);
}

#[test]
fn both_databases_count_alike_and_leave_what_is_not_at_its_end() {
    every_store(|base| {
        let store = released(base, 5);
        let now = monday() + TimeDelta::days(400);
        assert_eq!(store.compact(TimeDelta::days(365), now).unwrap(), 0, "it is on its way");
        base.change("UPDATE deliveries SET state = 'accepted'");
        base.change("UPDATE editions SET state = 'done'");
        assert_eq!(store.compact(TimeDelta::days(365), now).unwrap(), 0, "it is the newest");
        base.change(
            "INSERT INTO editions (id, number, digest, subject, state, frozen) SELECT 'newer', 99, digest, '', 'waiting', frozen FROM editions",
        );
        assert_eq!(store.compact(TimeDelta::days(500), now).unwrap(), 0, "it is young");
        let before = store.editions(20).unwrap();
        assert_eq!(store.compact(TimeDelta::days(365), now).unwrap(), 1);
        assert_eq!(store.compact(TimeDelta::days(365), now).unwrap(), 0);
        assert_eq!(store.editions(20).unwrap(), before);
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), "0");
    });
}

#[test]
fn a_memory_that_is_too_short_for_bounces_is_refused() {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replace("must_exist = ", "keep = \"30d\"\nmust_exist = "));
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, ran.err.contains("store.keep is shorter than 90 days")), (Some(1), true), "{ran:?}");
}
