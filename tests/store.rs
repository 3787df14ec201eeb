//! What the store remembers of people, posts and itself, on both databases.

use crate::support::database::{Base, every_store};
use crate::support::edition::*;
use chrono::TimeDelta;
use postrider::config::Config;
use postrider::post::PostId;
use postrider::random::Random;
use postrider::store::feeds::Written;
use postrider::store::subscribers::{Added, SyncError, Synced};
use postrider::store::{Error, Mode, Place, Store};
use postrider::subscribe;
use postrider::subscriber::file::{FileError, Row};
use postrider::subscriber::{Choices, Status, Suppression};
use postrider::token::Purpose;
use std::fs;
use std::path::Path;

fn random() -> Random {
    Random::seeded(3)
}

fn add(store: &Store, row: &Row, source: &str) -> Added {
    store.add_subscriber(row, source, &Random::system(), monday()).expect("it is written")
}

fn sync(store: &Store, rows: &[Row], accept_removals: bool) -> Result<Synced, SyncError> {
    store.sync_subscribers(rows.iter().cloned().map(Ok), accept_removals, &Random::system(), monday())
}

fn status(store: &Store, email: &str) -> Option<Status> {
    store.find_subscriber(&address(email), &random()).expect("it is read").map(|found| found.row.status)
}

fn leave(store: &Store, email: &str) -> bool {
    let person = store.find_subscriber(&address(email), &random()).unwrap().expect("they are there");
    store.unsubscribe(&person.id, "link", &Random::system(), monday()).expect("it is written")
}

fn with_status(email: &str, status: Status) -> Row {
    Row { status, ..row(email) }
}

fn numbered(range: std::ops::Range<usize>) -> Vec<Row> {
    range.map(|n| row(&format!("r{n}@example.org"))).collect()
}

// ---- feeds

/// Posts that were first seen at those times; only what archives ask for.
fn seen(base: &Base, posts: &[(&str, i64)]) {
    for (id, first_seen) in posts {
        base.change(&format!(
            "INSERT INTO posts (id, path, permalink, slug, day, title, language, body_hash, sketch, body_length, fingerprint, updated, \
             atom_updated, published, first_seen, gone) VALUES ('{id}', '{id}', '', '', '2026-11-23', '', '', '', '', 0, '', 0, 0, 0, {first_seen}, 0)"
        ));
    }
}

#[test]
fn a_post_gets_its_place_in_an_archive_once() {
    every_store(|base| {
        let store = base.open();
        seen(base, &[("a", 1), ("b", 1), ("c", 2), ("d", 0), ("e", 9)]);
        let ids = ["a", "b", "c", "d", "e"].map(|id| PostId(id.to_owned()));
        let [a, b, c, d, e] = &ids;
        let hour = |hours| monday() + TimeDelta::hours(hours);
        let archive = |feed: &str, members: &[(&PostId, _)]| -> String {
            let places = store.archive_posts(feed, members).unwrap();
            places.iter().map(|at| at.map_or("-", |at| members[at].0.0.as_str())).collect()
        };
        assert_eq!(store.archived("").unwrap(), 0);
        // By when they were first seen, then by date, then by id, in whatever order they come.
        assert_eq!(archive("", &[(c, hour(0)), (b, hour(1)), (a, hour(2))]), "bac");
        // Later ones come behind, also those that were seen long ago; who is withdrawn keeps the place.
        assert_eq!(archive("", &[(e, hour(9)), (d, hour(-9)), (a, hour(2))]), "-a-de");
        assert_eq!(archive("", &[(b, hour(1))]), "b----");
        assert_eq!(archive("birds", &[(e, hour(0))]), "e", "each feed has its own");
        assert_eq!((store.archived("").unwrap(), store.archived("birds").unwrap()), (5, 1));
    });
}

#[test]
fn what_a_feed_was_written_from_is_remembered_under_its_first_name() {
    every_store(|base| {
        let store = base.open();
        let row = |name: &str, digest: &str| Written {
            name: name.to_owned(),
            digest: digest.to_owned(),
            files: format!("mark of {digest}"),
        };
        store.remember_feeds(&[("tag/日本", row("日本", "1")), ("tag/c", row("C", "1"))]).unwrap();
        store.remember_feeds(&[("tag/c", row("c", "2"))]).unwrap();
        store.remember_feeds(&[]).unwrap();
        let written: Vec<_> = store.written_feeds().unwrap().into_iter().collect();
        assert_eq!(written, [("tag/c".to_owned(), row("C", "2")), ("tag/日本".to_owned(), row("日本", "1"))]);
    });
}

// ---- people

#[test]
fn a_person_is_added_changed_and_leaves_once() {
    every_store(|base| {
        let store = base.open();
        assert_eq!(add(&store, &row("ada@example.org"), "cli"), Added::New);
        assert_eq!(add(&store, &row("ada@example.org"), "cli"), Added::Same);
        let changed = Row { digests: Choices::parse("weekly"), name: Some("Ada".into()), ..row("ada@example.org") };
        assert_eq!(add(&store, &changed, "cli"), Added::Changed);
        let found = store.find_subscriber(&address("ada@example.org"), &random()).unwrap().unwrap();
        assert_eq!((found.row, found.source.as_str()), (changed, "cli"));
        assert!(leave(&store, "ada@example.org"));
        assert!(!leave(&store, "ada@example.org"));
        assert_eq!(store.subscriber(&found.id).unwrap().unwrap().row.status, Status::Unsubscribed);
        assert!(!store.unsubscribe("nobody", "link", &random(), monday()).unwrap());
    });
}

#[test]
fn one_person_is_one_row_whatever_the_case_and_the_script_of_the_domain() {
    every_store(|base| {
        let store = base.open();
        assert_eq!(add(&store, &row("Ada@Bücher.example"), "cli"), Added::New);
        assert_eq!(add(&store, &row("ADA@XN--BCHER-KVA.example"), "cli"), Added::Changed);
        assert_eq!(base.look("SELECT COUNT(*) FROM subscribers"), "1");
        // Mail goes out as written last.
        assert_eq!(base.look("SELECT address FROM subscribers"), "ADA@xn--bcher-kva.example");
        store.suppress(&address("aDa@bücher.EXAMPLE"), Suppression::Manual, &random(), monday()).unwrap();
        assert_eq!(store.suppression(&address("ada@bücher.example"), &random()).unwrap().as_deref(), Some("manual"));
        assert_eq!(store.suppression(&address("ada@example.org"), &random()).unwrap(), None);
    });
}

#[test]
fn no_import_and_no_row_brings_back_who_left() {
    every_store(|base| {
        let store = base.open();
        sync(&store, &[row("ada@example.org"), row("bob@example.org")], false).unwrap();
        leave(&store, "ada@example.org");
        let all = [row("ADA@example.org"), row("bob@example.org")];
        assert_eq!(store.import(&all, "import", &random(), monday()).unwrap(), [Added::Refused, Added::Same]);
        let synced = sync(&store, &all, false).unwrap();
        assert_eq!((synced.rows, synced.new, synced.changed, synced.removed), (2, 0, 0, 0));
        assert_eq!(add(&store, &row("ada@example.org"), "cli"), Added::Refused);
        assert_eq!(status(&store, "ada@example.org"), Some(Status::Unsubscribed));
    });
}

#[test]
fn an_import_is_all_or_nothing() {
    every_store(|base| {
        let store = base.open();
        let bad = Row { name: Some("nul\0".into()), ..row("bob@example.org") };
        // SQLite takes a NUL where PostgreSQL does not: only there can a row fail that has been parsed.
        let imported = store.import(&[row("ada@example.org"), bad], "import", &random(), monday());
        let expected = if imported.is_ok() { "2" } else { "0" };
        assert_eq!(base.look("SELECT COUNT(*) FROM subscribers"), expected);
    });
}

// ---- the list as a file

#[test]
fn a_row_that_disappears_makes_absent_and_its_return_active() {
    every_store(|base| {
        let store = base.open();
        let synced = sync(&store, &numbered(0..3), false).unwrap();
        assert_eq!(synced, Synced { rows: 3, new: 3, changed: 0, removed: 0 });
        assert_eq!(sync(&store, &numbered(1..3), false).unwrap().removed, 1);
        assert_eq!(status(&store, "r0@example.org"), Some(Status::Absent));
        let again = sync(&store, &numbered(1..3), false).unwrap();
        assert_eq!(again, Synced { rows: 2, ..Synced::default() });
        assert_eq!(sync(&store, &numbered(0..3), false).unwrap().changed, 1);
        assert_eq!(status(&store, "r0@example.org"), Some(Status::Active));
    });
}

#[test]
fn the_file_governs_only_rows_that_came_from_it() {
    every_store(|base| {
        let store = base.open();
        add(&store, &row("cli@example.org"), "cli");
        sync(&store, &[row("file@example.org"), with_status("cli@example.org", Status::Paused)], false).unwrap();
        assert_eq!(status(&store, "cli@example.org"), Some(Status::Active));
        assert_eq!(sync(&store, &[row("file@example.org")], false).unwrap().removed, 0);
        assert_eq!(status(&store, "cli@example.org"), Some(Status::Active));
        // Who brings an absent person back answers for them.
        sync(&store, &[row("other@example.org")], false).unwrap();
        assert_eq!(add(&store, &row("file@example.org"), "cli"), Added::Changed);
        sync(&store, &[row("other@example.org")], false).unwrap();
        assert_eq!(status(&store, "file@example.org"), Some(Status::Active));
    });
}

#[test]
fn a_list_that_takes_away_more_than_ten_and_a_tenth_changes_nothing() {
    every_store(|base| {
        let store = base.open();
        sync(&store, &numbered(0..105), false).unwrap();
        // Ten are few, and eleven of 105 are more than a tenth.
        assert_eq!(sync(&store, &numbered(10..105), false).unwrap().removed, 10);
        let mut shorter = numbered(21..105);
        shorter.push(row("new@example.org"));
        let refused = sync(&store, &shorter, false).unwrap_err();
        assert!(matches!(refused, SyncError::TooMany { removed: 11, before: 95 }), "{refused}");
        assert_eq!(
            (status(&store, "new@example.org"), status(&store, "r10@example.org")),
            (None, Some(Status::Active))
        );
        assert_eq!(sync(&store, &shorter, true).unwrap().removed, 11);
    });
}

#[test]
fn eleven_of_many_are_less_than_a_tenth() {
    every_store(|base| {
        let store = base.open();
        sync(&store, &numbered(0..111), false).unwrap();
        assert_eq!(sync(&store, &numbered(11..111), false).unwrap().removed, 11);
    });
}

#[test]
fn rows_of_those_who_left_may_go_without_a_word() {
    every_store(|base| {
        let store = base.open();
        sync(&store, &numbered(0..30), false).unwrap();
        (0..12).for_each(|n| assert!(leave(&store, &format!("r{n}@example.org"))));
        for _ in 0..2 {
            let synced = sync(&store, &numbered(12..30), false).unwrap();
            assert_eq!(synced, Synced { rows: 18, ..Synced::default() });
        }
    });
}

#[test]
fn a_file_that_breaks_in_the_middle_changes_nothing() {
    every_store(|base| {
        let store = base.open();
        sync(&store, &[row("ada@example.org")], false).unwrap();
        let broken = FileError::Csv { path: "list.csv".into(), line: 3, message: "broken".into() };
        let rows = [Ok(row("new@example.org")), Err(broken)];
        assert!(matches!(
            store.sync_subscribers(rows.into_iter(), false, &random(), monday()),
            Err(SyncError::File(_))
        ));
        assert_eq!(status(&store, "new@example.org"), None);
    });
}

#[test]
fn a_second_row_of_a_person_changes_nothing_unless_it_says_that_they_left() {
    every_store(|base| {
        let store = base.open();
        let twice = [with_status("ada@example.org", Status::Paused), row("ADA@example.org")];
        assert_eq!(sync(&store, &twice, false).unwrap().new, 1);
        assert_eq!(sync(&store, &twice, false).unwrap().changed, 0);
        assert_eq!(status(&store, "ada@example.org"), Some(Status::Paused));
        let left = [row("ada@example.org"), with_status("ada@example.org", Status::Unsubscribed)];
        sync(&store, &left, false).unwrap();
        assert_eq!(status(&store, "ada@example.org"), Some(Status::Unsubscribed));
    });
}

#[test]
fn a_missing_or_emptied_list_stops_the_run() {
    every_store(|base| {
        let store = base.open();
        let root = base.folder.path();
        let text = "[posts]\n[subscribers]\nfile = \"list.csv\"\n";
        let config = Config::parse(text, &root.join("postrider.toml"), |_| None).unwrap();
        let list = root.join("list.csv");
        let sync = |accept| subscribe::sync_file(&config, &store, accept, &random(), monday());
        assert!(matches!(sync(false), Err(subscribe::Error::Unreadable { .. })));
        fs::write(&list, "email\n").unwrap();
        assert!(matches!(sync(false), Err(subscribe::Error::Unreadable { .. })), "a store that knows nobody yet, too");
        fs::write(&list, "email,status\nada@example.org,\nbob@example.org,paused\nnobody,\n").unwrap();
        let (synced, problems) = sync(false).unwrap().unwrap();
        assert_eq!((synced.new, problems.len(), problems[0].line), (2, 1, Some(4)));
        for emptied in ["", "email\n", "email\nnobody\n"] {
            fs::write(&list, emptied).unwrap();
            assert!(sync(false).is_err(), "{emptied:?}");
            assert_eq!(status(&store, "ada@example.org"), Some(Status::Active));
        }
        fs::write(&list, "email\n").unwrap();
        assert_eq!(sync(true).unwrap().unwrap().0.removed, 2);
        // Nobody is left whom an empty list could take away.
        assert_eq!(sync(false).unwrap().unwrap().0.removed, 0);
    });
}

// ---- leaving takes effect at once

#[test]
fn leaving_cancels_what_is_queued_and_holds_what_is_in_doubt() {
    type Leave = fn(&Store);
    let ways: [Leave; 4] = [
        |store| assert!(leave(store, "r0@example.org")),
        |store| store.suppress(&address("R0@example.org"), Suppression::Complaint, &random(), monday()).unwrap(),
        |store| assert_eq!(add(store, &with_status("r0@example.org", Status::Paused), "cli"), Added::Changed),
        |store| assert_eq!(add(store, &with_status("r0@example.org", Status::Unsubscribed), "cli"), Added::Changed),
    ];
    for way in ways {
        for (before, resends, after) in
            [("queued", 0, "cancelled"), ("uncertain", 0, "held"), ("queued", 1, "held"), ("accepted", 0, "accepted")]
        {
            every_store(|base| {
                let store = released(base, 2);
                base.change(&format!(
                    "UPDATE deliveries SET state = '{before}', resends = {resends} WHERE address = 'r0@example.org'"
                ));
                way(&store);
                assert_eq!(state(base, "r0@example.org"), after);
                assert_eq!(state(base, "r1@example.org"), "queued");
            });
        }
    }
}

#[test]
fn subscribing_again_revives_nothing() {
    every_store(|base| {
        let store = released(base, 1);
        add(&store, &with_status("r0@example.org", Status::Paused), "cli");
        add(&store, &row("r0@example.org"), "cli");
        assert_eq!(state(base, "r0@example.org"), "cancelled");
    });
}

#[test]
fn a_vanished_row_cancels_too() {
    every_store(|base| {
        let store = base.open();
        sync(&store, &numbered(0..2), false).unwrap();
        freeze(&store, &edition("weekly/1", monday()));
        sync(&store, &numbered(1..2), false).unwrap();
        assert_eq!((state(base, "r0@example.org"), counts(&store).cancelled), ("cancelled".into(), 1));
    });
}

#[test]
fn an_unsubscribe_link_works_in_any_case_and_for_ever() {
    every_store(|base| {
        let store = released(base, 1);
        let old = store.keyring(&["an old secret".into()], &random()).unwrap();
        let id = base.look("SELECT id FROM subscribers");
        let token = old.sign(Purpose::Unsubscribe, &id).to_uppercase();
        assert_eq!(subscribe::who_leaves(&store, &old, "forged").unwrap(), subscribe::Leaving::NotOurs);
        subscribe::who_leaves(&store, &old, &token).unwrap();
        assert_eq!(status(&store, "r0@example.org"), Some(Status::Active));
        for _ in 0..2 {
            subscribe::leave(&store, &old, &token, "link", &random(), monday()).unwrap();
            assert_eq!(status(&store, "r0@example.org"), Some(Status::Unsubscribed));
        }
        assert_eq!(base.look("SELECT COUNT(*) FROM events WHERE kind = 'unsubscribed'"), "1");
    });
}

// ---- opening

#[test]
fn a_store_that_must_exist_and_does_not_is_an_error_and_is_not_made() {
    every_store(|base| {
        let missing = refusal(base, Mode::MustExist);
        assert!(matches!(missing, Error::Missing(_)), "{missing}");
        if let Place::File(path) = &base.place {
            assert!(!path.exists());
        }
        base.open();
        Store::open(&base.place, Mode::MustExist).expect("now it is there");
    });
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    every_store(|base| {
        base.open().set_note("version", "99").unwrap();
        for mode in [Mode::Create, Mode::MustExist, Mode::Rehearse] {
            let newer = refusal(base, mode);
            assert!(matches!(newer, Error::NewerSchema { found: 99, .. }), "{newer}");
        }
        base.change("UPDATE meta SET value = 'soon' WHERE key = 'version'");
        assert!(matches!(Store::open(&base.place, Mode::Create).err(), Some(Error::Corrupt(_))));
    });
}

#[test]
fn somebody_elses_database_is_refused_and_not_touched() {
    every_store(|base| {
        base.connection().batch("CREATE TABLE songs (title TEXT)").unwrap();
        let before = bytes(base);
        for mode in [Mode::Create, Mode::MustExist, Mode::Rehearse] {
            let refused = refusal(base, mode).to_string();
            assert!(refused.contains("tables of another program"), "{refused}");
        }
        assert_eq!(bytes(base), before);
    });
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postrider.db");
    fs::write(&path, "These are not the tables you are looking for.\n".repeat(40)).unwrap();
    let before = fs::read(&path).unwrap();
    for mode in [Mode::Create, Mode::MustExist, Mode::Rehearse] {
        assert!(matches!(Store::open(&Place::File(path.clone()), mode).err(), Some(Error::Corrupt(_))), "{mode:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Else everybody would be mailed again (P6). A first store gets its name when it is whole, so that no crash of ours leaves such a file.
#[test]
fn a_file_that_was_cut_to_nothing_is_no_first_run() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("postrider.db"));
    let path = folder.path().join("postrider.db");
    drop(Store::open(&place, Mode::Create).unwrap());
    let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(), ["postrider.db"], "nothing is left of the making");
    fs::remove_file(&path).unwrap();
    // What a process left that died while it made the first one.
    fs::write(folder.path().join("postrider.db.new"), "SQLite format 3\0 and no more").unwrap();
    drop(Store::open(&place, Mode::Create).unwrap());
    assert_eq!(names(), ["postrider.db"]);
    fs::write(&path, "").unwrap();
    for mode in [Mode::Create, Mode::MustExist, Mode::Rehearse, Mode::Reclaim] {
        let refused = Store::open(&place, mode).err().expect("it holds nothing").to_string();
        assert!(
            refused.contains("postrider.db: it is there and empty") && refused.contains("from a backup"),
            "{refused}"
        );
    }
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_rehearsal_writes_nothing() {
    every_store(|base| {
        let store = released(base, 2);
        store.keyring(&[], &random()).unwrap();
        drop(store);
        let (before, rows) = (bytes(base), dump(base));
        let store = Store::open(&base.place, Mode::Rehearse).unwrap();
        add(&store, &row("new@example.org"), "cli");
        assert!(leave(&store, "r0@example.org"));
        sync(&store, &numbered(100..120), false).unwrap();
        assert!(matches!(sync(&store, &numbered(100..101), false), Err(SyncError::TooMany { .. })));
        store.pass("weekly", monday() + TimeDelta::days(7), "nothing new", monday()).unwrap();
        // It sees what it wrote itself, and not what it refused.
        assert_eq!(status(&store, "r119@example.org"), Some(Status::Active));
        assert_eq!(status(&store, "new@example.org"), Some(Status::Active));
        assert_eq!(counts(&store).cancelled, 1);
        drop(store);
        assert_eq!((bytes(base), dump(base)), (before, rows));
    });
}

#[test]
fn a_rehearsal_makes_no_store() {
    every_store(|base| {
        let store = Store::open(&base.place, Mode::Rehearse).unwrap();
        people(&store, 3, &random());
        assert!(status(&store, "r0@example.org").is_some());
        drop(store);
        match &base.place {
            Place::File(path) => assert!(!path.exists()),
            _ => assert!(
                base.connection().query_one("SELECT 1 FROM pg_tables WHERE tablename = 'meta'", &[]).unwrap().is_none()
            ),
        }
    });
}

#[test]
fn many_processes_may_make_the_store_at_once() {
    every_store(|base| {
        std::thread::scope(|scope| {
            let openings: Vec<_> = (0..8).map(|_| scope.spawn(|| base.open())).collect();
            openings.into_iter().for_each(|opening| drop(opening.join().expect("it opens")));
        });
        assert_eq!(base.look("SELECT COUNT(*) FROM meta WHERE key = 'version'"), "1");
    });
}

fn bytes(base: &Base) -> Option<Vec<u8>> {
    match &base.place {
        Place::File(path) => Some(fs::read(path).unwrap()),
        _ => None,
    }
}

fn dump(base: &Base) -> Vec<String> {
    let tables =
        ["meta", "posts", "digests", "slots", "editions", "subscribers", "suppressions", "events", "deliveries"];
    let mut connection = base.connection();
    let read = |table| format!("{:?}", connection.query(&format!("SELECT * FROM {table} ORDER BY 1"), &[]).unwrap());
    tables.into_iter().map(read).collect()
}

#[test]
fn a_url_says_where_the_store_is_and_never_shows_a_password() {
    let root = Path::new("/blog");
    let parse = |url: &str| Place::parse(url, root).map(|place| place.shown());
    assert_eq!(parse("sqlite:postrider.db").unwrap(), "/blog/postrider.db");
    assert_eq!(parse("sqlite:///var/lib/postrider.db").unwrap(), "/var/lib/postrider.db");
    assert_eq!(parse("postgres://ada:secret@db.example/news").unwrap(), "postgres://db.example/news");
    assert!(parse("mysql://x").is_err() && parse("sqlite:").is_err() && parse("postrider.db").is_err());
}

// ---- the secret

#[test]
fn a_secret_is_minted_once() {
    every_store(|base| {
        let token =
            |store: &Store, seed| store.keyring(&[], &Random::seeded(seed)).unwrap().sign(Purpose::Unsubscribe, "ada");
        assert_eq!(token(&base.open(), 1), token(&base.open(), 2));
    });
}

#[test]
fn another_first_secret_stops_the_run_unless_the_earlier_stands_second() {
    every_store(|base| {
        let store = base.open();
        let keyring =
            |secrets: &[&str]| store.keyring(&secrets.iter().map(|s| s.to_string()).collect::<Vec<_>>(), &random());
        let token = keyring(&["first"]).unwrap().sign(Purpose::Unsubscribe, "ada");
        for refused in [&["other"][..], &[], &["other", "another"]] {
            let error = keyring(refused).expect_err("refused");
            assert!(matches!(error, Error::Secret(_)), "{error}");
        }
        assert!(keyring(&["first", "other"]).is_ok());
        let rotated = keyring(&["second", "first"]).unwrap();
        assert_eq!(rotated.verify(Purpose::Unsubscribe, &token).as_deref(), Some("ada"));
        assert_ne!(rotated.sign(Purpose::Unsubscribe, "ada"), token);
        assert!(keyring(&["first"]).is_err());
        assert!(keyring(&["second"]).is_ok());
    });
}

#[test]
fn a_secret_is_not_changed_under_deliveries_whose_bytes_hang_on_it() {
    every_store(|base| {
        let store = released(base, 1);
        let keyring =
            |secrets: &[&str]| store.keyring(&secrets.iter().map(|s| s.to_string()).collect::<Vec<_>>(), &random());
        keyring(&["first"]).unwrap();
        assert!(matches!(keyring(&["second", "first"]).err(), Some(Error::Secret(_))));
        store.cancel("weekly/1").unwrap();
        assert!(keyring(&["second", "first"]).is_ok());
    });
}

/// Why the store does not open.
fn refusal(base: &Base, mode: Mode) -> postrider::store::Error {
    match Store::open(&base.place, mode) {
        Ok(_) => panic!("the store opens"),
        Err(error) => error,
    }
}
