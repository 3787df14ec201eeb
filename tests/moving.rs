//! Other programs' lists: what is read of them, and what becomes of people who are known already.

use crate::support::database::every_store;
use crate::support::edition::{address, at, monday, row};
use crate::support::site::{Plan, Site, readers};
use postrider::random::Random;
use postrider::store::subscribers::Added;
use postrider::subscriber::file::Row;
use postrider::subscriber::import::{Entry, Person, ReadError, read};
use postrider::subscriber::{Choices, Status, Suppression};
use std::fmt::Write as _;
use std::path::Path;

/// What is read of an export, for a person to compare.
fn told(path: &Path) -> String {
    let file = std::fs::File::open(path).expect("readable");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let (topics, now) = (Choices::parse("travel; birds, rare"), at("2026-11-23T12:00:00Z"));
    let mut report = String::new();
    let origin = read(std::io::BufReader::new(file), &name, &topics, now, &mut |entry: Entry| {
        match entry.person {
            Ok(Person { row, labels, since, suppression, .. }) => {
                let words = |choices: &Choices| choices.iter().collect::<Vec<_>>().join(";");
                let since = since.map(|since| since.to_rfc3339()).unwrap_or_default();
                let kept = suppression.map(|reason| format!(" suppressed ({})", reason.as_str())).unwrap_or_default();
                let _ = writeln!(
                    report,
                    "{} {}{kept} name={} language={} digests={} tags={} labels={} since={since}",
                    row.address.as_str(),
                    row.status,
                    row.name.unwrap_or_default(),
                    row.language.unwrap_or_default(),
                    words(&row.digests),
                    words(&row.topics),
                    words(&labels),
                );
            }
            Err(problem) => {
                let _ = writeln!(report, "not taken: {problem}");
            }
        }
        Ok::<_, ReadError>(())
    });
    match origin {
        Ok(origin) => format!("an export of {origin}\n{report}"),
        Err(error) => format!("{report}error: {error}\n"),
    }
}

#[test]
fn every_export_is_read_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/import");
    let mut wrong = String::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "expected") {
            continue;
        }
        count += 1;
        let expected = folder.join(format!("{}.expected", path.file_name().expect("a name").to_string_lossy()));
        let report = told(&path);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::write(&expected, &report).expect("writable");
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != report {
            let _ = writeln!(wrong, "{}\n{report}", path.display());
        }
    }
    assert!(count > 10 && wrong.is_empty(), "{wrong}");
}

fn person(email: &str, status: Status, suppression: Option<Suppression>) -> Person {
    let since = Some(at("2020-01-02T00:00:00Z"));
    Person {
        row: postrider::subscriber::file::Row { status, ..row(email) },
        labels: Choices::parse("vip"),
        since,
        paused_until: None,
        suppression,
    }
}

#[test]
fn an_import_brings_nobody_back_and_keeps_who_left_or_bounced() {
    every_store(|base| {
        let (store, random) = (base.open(), Random::seeded(1));
        for email in ["left@example.org", "barred@example.org"] {
            store.add_subscriber(&row(email), "cli", &random, monday()).unwrap();
        }
        let id = store.find_subscriber(&address("left@example.org"), &random).unwrap().unwrap().id;
        store.unsubscribe(&id, "link", &random, monday()).unwrap();
        store.suppress(&address("barred@example.org"), Suppression::Complaint, &random, monday()).unwrap();

        let people = [
            person("left@example.org", Status::Active, None),
            person("barred@example.org", Status::Paused, None),
            person("new@example.org", Status::Active, None),
            person("dead@example.org", Status::Active, Some(Suppression::Bounce)),
            person("gone@example.org", Status::Unsubscribed, None),
        ];
        let take =
            |people: &[Person]| -> Vec<Added> { store.take_over(people, "import x.csv", &random, monday()).unwrap() };
        use Added::{New, Refused, Same, Suppressed};
        assert_eq!(take(&people), [Refused, Suppressed, New, Suppressed, New]);
        let found = |email: &str| store.find_subscriber(&address(email), &random).unwrap().unwrap();
        assert_eq!(found("left@example.org").row.status, Status::Unsubscribed);
        assert_eq!(found("barred@example.org").suppressed.as_deref(), Some("complaint"));
        assert_eq!(found("dead@example.org").suppressed.as_deref(), Some("bounce"));
        assert_eq!(found("gone@example.org").row.status, Status::Unsubscribed);
        let new = found("new@example.org");
        assert_eq!(
            (new.added, new.labels.as_str(), new.source.as_str()),
            (at("2020-01-02T00:00:00Z"), ";vip;", "import x.csv")
        );
        assert_eq!(take(&people[2..3]), [Same]);
        // What a file does not say stays.
        let chosen = Row { topics: Choices::parse("snow"), status: Status::Paused, ..row("rest@example.org") };
        store.add_subscriber(&chosen, "form", &random, monday()).unwrap();
        assert_eq!(take(&[person("rest@example.org", Status::Active, None)]), [Same]);
        assert_eq!(found("rest@example.org").row, chosen);
    });
}

#[test]
fn a_file_that_breaks_off_adds_nobody_and_a_rehearsal_neither() {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    let import = |file: &str, more: &[&str]| site.go(&[&["subscribers", "import", file], more].concat());
    site.write("list.csv", "email,status\nada@example.org,active\nx,active\nbob@example.org,perhaps\n");
    let ran = import("list.csv", &["--dry-run"]);
    assert!(
        ran.out.contains("nothing was changed") && ran.out.contains("1 new") && ran.out.contains("2 not taken"),
        "{ran:?}"
    );
    site.write("broken.json", "[{\"email\": \"ada@example.org\"}, {\"email\":");
    let ran = import("broken.json", &[]);
    assert!(
        ran.code == Some(1) && ran.err.contains("broken.json:1") && ran.err.contains("nothing was taken"),
        "{ran:?}"
    );
    let ran = import("list.csv", &[]);
    assert!(ran.out.contains("1 new") && ran.err.contains("list.csv:3") && ran.err.contains("perhaps"), "{ran:?}");
    let ran = site.go(&["subscribers", "export"]);
    assert!(
        ran.out.contains("email,name,language,digests,tags,status,labels,state,paused_until,since\nada@example.org,,,,,active,,active,,"),
        "{ran:?}"
    );
}

#[test]
fn who_is_forgotten_leaves_a_hash_and_is_not_taken_again() {
    every_store(|base| {
        let (store, random) = (base.open(), Random::seeded(1));
        let ada = address("ada@example.org");
        store.add_subscriber(&row("ada@example.org"), "cli", &random, monday()).unwrap();
        assert!(store.forget(&ada, &random, monday()).unwrap());
        assert_eq!(store.suppression(&ada, &random).unwrap().as_deref(), Some("erased"));
        for table in ["subscribers", "events", "suppressions", "deliveries", "consents"] {
            let columns = if table == "events" { "text" } else { "address" };
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {columns} LIKE '%ada@%'");
            assert_eq!(base.look(&sql), "0", "{table}");
        }
        let again = person("ada@example.org", Status::Active, None);
        let taken = store.take_over(&[again], "import x.csv", &random, monday());
        assert_eq!(taken.unwrap(), [Added::Refused]);
        assert!(!store.forget(&address("nobody@example.org"), &random, monday()).unwrap());
    });
}

#[test]
fn a_person_is_given_all_that_is_stored_until_they_are_forgotten() {
    let site = Site::new(Plan::to_outbox(), &readers(2));
    site.json(crate::support::site::NOON, &["run"]);
    let ran = site.go(&["subscribers", "export", "ok-1@sink.test"]);
    let all: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(all["subscriber"]["address"], "ok-1@sink.test");
    assert!(all["story"]["events"].as_array().is_some_and(|events| events.len() > 2), "{ran:?}");
    let ran = site.go(&["subscribers", "forget", "ok-1@sink.test"]);
    assert!(ran.code == Some(0) && ran.err.contains("subscribers.csv"), "{ran:?}");
    let store = std::fs::read(site.path("postrider.db")).unwrap();
    let holds = |words: &[u8]| store.windows(words.len()).any(|window| window == words);
    assert!(holds(b"ok-0@sink.test") && !holds(b"ok-1@sink.test"), "the file itself has it no more");
    assert_eq!(site.go(&["subscribers", "export", "ok-1@sink.test"]).code, Some(0), "that they were erased is told");
    let listed = site.go(&["subscribers", "list"]);
    assert!(
        listed.out.contains("ok-0@") && !listed.out.contains("ok-1@") && !listed.out.contains("erased@"),
        "{listed:?}"
    );
    // The row is still in the file, and brings nobody back.
    site.json(crate::support::site::NOON, &["run"]);
    assert!(!site.go(&["subscribers", "list"]).out.contains("ok-1@"));
}

#[test]
fn who_left_becomes_no_reader_elsewhere() {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    let list = "email,name,tags,status,language\nada@example.org,\"Lovelace, Ada\",travel,active,en\nleft@example.org,,,unsubscribed,\n\
                dead@example.org,,,bounced,\nrest@example.org,,,paused,\n";
    site.write("list.csv", list);
    site.go(&["subscribers", "import", "list.csv"]);
    let export = |form: &str| site.go(&["subscribers", "export", "--as", form]);
    insta::assert_snapshot!("export-csv", export("csv").out);
    insta::assert_snapshot!("export-listmonk", export("listmonk").out);
    insta::assert_snapshot!("export-buttondown", export("buttondown").out);
    assert!(export("listmonk").err.contains("3 who left"), "{:?}", export("listmonk"));
}

#[test]
fn what_goes_out_comes_in_as_it_was() {
    let list = "email,name,language,digests,tags,status,labels,state,paused_until,since\n\
        =1+2@example.org,\"=HYPERLINK(\"\"x\"\")\",de,weekly,\"birds, rare;snow\",active,\"a, b;vip\",active,,2020-01-02T03:04:05Z\n\
        bounced@example.org,,,,,unsubscribed,,bounced,,2020-01-02T00:00:00Z\n\
        complained@example.org,,,,,unsubscribed,,complained,,2020-01-02T00:00:00Z\n\
        left@example.org,\"Lovelace, \"\"Ada\"\"\",en-GB,,,unsubscribed,,unsubscribed,,2021-01-02T00:00:00Z\n\
        never@example.org,,,,,unsubscribed,,blocked,,2020-01-02T00:00:00Z\n\
        pause@example.org,,,,,paused,,paused,2030-01-02T00:00:00Z,2020-01-02T00:00:00Z\n\
        rest@example.org,,,,,paused,,paused,,2020-01-02T00:00:00Z\n";
    let site = Site::new(Plan::to_outbox(), &readers(1));
    site.write("list.csv", list);
    let ran = site.go(&["subscribers", "import", "list.csv"]);
    assert!(ran.code == Some(0) && ran.out.contains("7 rows of Postrider: 4 new"), "{ran:?}");
    assert_eq!(site.go(&["subscribers", "export"]).out, list);
    // Somebody who was never confirmed is told, and not taken.
    site.write("asked.csv", "email,digests,tags,status,state\nasked@example.org,,,unsubscribed,pending\n");
    assert!(site.go(&["subscribers", "import", "asked.csv"]).out.contains("1 not taken"));
}

#[test]
fn others_write_while_a_list_is_taken_over_and_a_broken_end_takes_nobody() {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    let rows = |count: usize| (0..count).fold("email\n".to_owned(), |list, n| list + &format!("r{n}@example.org\n"));
    let people: String = (0..20_001).map(|n| format!("{{\"email\": \"r{n}@example.org\"}},")).collect();
    site.write("broken.json", &format!("[{people}{{\"email\": "));
    let ran = site.go(&["subscribers", "import", "broken.json"]);
    assert!(ran.code == Some(1) && ran.err.contains("nothing was taken from it"), "{:?}", ran.code);
    assert!(!site.go(&["subscribers", "list"]).out.contains("r0@"));

    // The first piece is there for others before the second is written.
    site.write("list.csv", &rows(100_000));
    let mut importing = site.start(crate::support::site::NOON, &["subscribers", "import", "list.csv"]);
    let added = site.go(&["subscribers", "add", "between@example.org"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let listed = || site.go(&["subscribers", "list"]).out;
    let meanwhile = listed();
    assert!(meanwhile.contains("between@example.org") && !meanwhile.contains("r99999@"));
    assert!(importing.wait().unwrap().success());
    assert!(listed().contains("r99999@"));
}
