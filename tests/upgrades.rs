//! A store of every released version lies in `tests/corpus/stores`, packed: it is brought up to date at the first run, knows all that
//! it knew, and nobody is mailed again. `POSTRIDER_KEEP_STORE=1` adds that of the version as it is, for a release.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, readers};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use postrider::store::sql::Connection;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NEXT: &str = "2026-11-30T12:00:00Z";

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/stores")
}

/// Three readers, one whom the server does not know, and one who has left.
fn site() -> (Site, Sink, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let mut people = readers(4);
    people.push("5.1.1-gone@sink.test".to_owned());
    let plan = Plan { transport: "smtp://127.0.0.1:PORT".replace("PORT", &sink.port().to_string()), ..Plan::to(&sink) };
    (Site::new(plan, &people), sink, folder)
}

/// Makes the store that a release leaves behind.
fn keep(to: &Path) {
    let (site, sink, _folder) = site();
    site.json(NOON, &["run"]);
    assert_eq!(sink.taken(), 4);
    assert_eq!(site.go(&["subscribers", "remove", "ok-3@sink.test"]).code, Some(0));
    assert_eq!(site.go(&["store", "backup", "kept.db"]).code, Some(0));
    Connection::sqlite(&site.path("kept.db")).unwrap().batch("VACUUM").unwrap();
    let mut packed = GzEncoder::new(File::create(to).unwrap(), Compression::best());
    packed.write_all(&fs::read(site.path("kept.db")).unwrap()).unwrap();
    packed.finish().unwrap();
}

#[test]
fn the_store_of_every_release_is_brought_up_to_date_and_nobody_is_mailed_again() {
    if std::env::var_os("POSTRIDER_KEEP_STORE").is_some() {
        fs::create_dir_all(stores()).unwrap();
        keep(&stores().join(concat!(env!("CARGO_PKG_VERSION"), ".db.gz")));
    }
    let mut seen = 0;
    for entry in fs::read_dir(stores()).unwrap() {
        let path = entry.unwrap().path();
        let (site, sink, _folder) = site();
        let mut store = Vec::new();
        GzDecoder::new(File::open(&path).unwrap()).read_to_end(&mut store).unwrap();
        fs::write(site.path("postrider.db"), store).unwrap();
        let named = path.display();

        site.json("2026-11-23T13:00:00Z", &["run"]);
        assert_eq!(sink.taken(), 0, "{named}");
        let status = site.json("2026-11-23T13:00:00Z", &["status"]);
        let edition = &status["editions"][0];
        let numbers = ["recipients", "accepted", "refused"].map(|count| edition[count].as_i64().unwrap());
        assert_eq!((edition["id"].as_str(), numbers), (Some(EDITION), [5, 4, 1]), "{named}");
        for (reader, knows) in [("ok-0", "accepted"), ("ok-3", "unsubscribed"), ("5.1.1-gone", "suppressed (bounce)")] {
            let why = site.go(&["why", &format!("{reader}@sink.test")]);
            assert!(why.out.contains(knows), "{named}: {why:?}");
        }
        // And it goes on: who is still subscribed gets the next edition, once.
        site.write("posts/2026-11-28-second.md", "---\ntitle: Second snow\ndate: 2026-11-28\n---\nMore of it.\n");
        site.json(NEXT, &["run"]);
        let mut got: Vec<String> = sink.accepted().into_iter().map(|mail| mail.rcpt).collect();
        got.sort();
        assert_eq!(got, ["ok-0@sink.test", "ok-1@sink.test", "ok-2@sink.test"], "{named}");
        seen += 1;
    }
    assert!(seen > 0);
}
