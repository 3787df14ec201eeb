//! A store moves between SQLite and PostgreSQL: all of it or nothing, and the one that was left mails nobody from then on (P1).

use crate::support::database::{Base, every_store, every_two};
use crate::support::edition::monday;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Site, copies, everyone_once, readers};
use postrider::store::copying::{Compared, Failed, copy};
use postrider::store::{Mode, Place, Store};
use std::os::unix::process::ExitStatusExt;

const LATER: &str = "2026-11-23T13:00:00Z";

/// A row at least for each table: with what is NULL where it may be, empty, large, or of more than one octet.
const ROWS: &str = "
INSERT INTO meta VALUES ('salt', 'pepper');
INSERT INTO posts VALUES ('tag:a', 'posts/a.md', NULL, '/a/', 'a', '2026-11-16', 'Herons \u{1FABF} & <b>\"snow\"</b>', 'en', 'h', '', 9223372036854775807,
  'f', -9223372036854775807, 1, 2, 3, 0, NULL, 'facts');
INSERT INTO posts VALUES ('tag:B', '', '', '', '', '', '', '', '', '', 0, '', 0, 0, 0, 0, 1, 'stamp', '');
INSERT INTO digests VALUES ('weekly', 1, 2, 3);
INSERT INTO slots VALUES ('weekly', 1, 2, 'nothing new'), ('weekly', -1, 2, ''), ('weekly', 11, 2, '\u{E9} e\u{301}');
INSERT INTO editions VALUES ('weekly/2026-11-23', 1, 'weekly', 1, NULL, 'One', 'done', 1, NULL, NULL, NULL, NULL, NULL),
  ('weekly/2026-11-30', 2, 'weekly', NULL, 'tag:a', 'Two\tand\\N', 'open', 1, 2, 3, 4, 5, 6);
INSERT INTO digest_posts VALUES ('weekly', 'tag:a', 'weekly/2026-11-23', 1), ('weekly', 'tag:B', NULL, 2);
INSERT INTO variants VALUES ('v', 'weekly/2026-11-23', '[]', 's', '<p>\r\n</p>', 't\n\n', 'm');
INSERT INTO audiences VALUES ('weekly/2026-11-23', '', '', NULL), ('weekly/2026-11-23', 'a', 'de', 'v');
INSERT INTO pages VALUES ('weekly/2026-11-23', 'e', 'd', 'en', '', 0, '', '');
INSERT INTO awaited VALUES ('weekly/2026-11-23', 0, 'https://example.org/', NULL), ('weekly/2026-11-23', 1, 'https://example.org/a', '');
INSERT INTO subscribers VALUES ('s', 'ada@example.net', 'h1', 'Ada \u{1F469}\u{200D}\u{1F4BB}', NULL, '', '', 'active', 'file', 1, 2, 'file', 3, NULL, ''),
  ('S', 'ben@example.net', 'h2', '', 'de', '*', 'a;b', 'paused', 'form', 1, 2, 'person', 3, 4, 'friend');
INSERT INTO suppressions VALUES ('h3', NULL, 'erased', NULL, 1), ('h4', 'x@example.net', 'bounce', 'd1', 1);
INSERT INTO events VALUES ('e1', 's', 1, 'subscribed', ''), ('E1', 'gone', 1, 'left', ' ');
INSERT INTO letters VALUES ('l', 'Hello');
INSERT INTO deliveries VALUES ('d1', 's', 'weekly/2026-11-23', 'weekly/2026-11-23', 'v', NULL, 'ada@example.net', 'h1', NULL, 'sending', 1, 1, 0, 1, 1, 'w1',
  NULL, 'smtp', NULL, 1, '', 'first'), ('D1', 'S', 'confirm/1', NULL, NULL, 'l', 'ben@example.net', 'h2', '', 'queued', 1, 0, 0, NULL, NULL, NULL, 5, NULL, 'd1', 1, 'lane', NULL);
INSERT INTO attempts VALUES ('d1', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('D1', 10, 1, 2, 'rcpt', 450, '4.2.1', 'later', 'deferred', 'lane', 'first');
INSERT INTO feeds VALUES ('', 'f', 'd', '');
INSERT INTO archived VALUES ('f', 'tag:a', 0);
INSERT INTO pings VALUES ('f', '', 'w', 1, 2, 3);
INSERT INTO consents VALUES ('s', 'confirm', 1, 'a', 'h', '', '', NULL, 'form', 'w', NULL, 1, NULL), ('s', 'confirm', 10, 'a', 'h', '', '', 'en', 'form', 'w', '192.0.2.0/24', 1, 2);
INSERT INTO inbox VALUES ('m', 1, 'bounce');
INSERT INTO bounces VALUES ('d1', '', 'h1', 1, 'bounce', 'soft', NULL, '', 0);
INSERT INTO past VALUES ('weekly/2026-11-23', 'accepted', 998);
INSERT INTO announcements VALUES ('a', 1, 'edition.done', '{}', 0, 1);
INSERT INTO announced VALUES ('weekly/2026-11-23', 'done');
INSERT INTO other_addresses VALUES ('h9', 's');
";

/// In a file of its own.
fn file() -> Base {
    Base::in_folder(tempfile::tempdir().expect("a folder"))
}

/// A store with something in each table, which nobody has open.
fn filled(base: &Base) {
    drop(base.open());
    base.connection().batch(ROWS).expect("rows of this schema");
}

fn moved(from: &Base, to: &Base) -> Result<Vec<Compared>, Failed> {
    copy(&from.place, &to.place, &|_, _| {})
}

fn said(result: Result<Vec<Compared>, Failed>) -> String {
    result.expect_err("it is refused").to_string()
}

fn list(base: &Base, sql: &str) -> Vec<String> {
    let rows = base.connection().query(sql, &[]).expect(sql);
    let mut list: Vec<String> = rows.iter().map(|row| row.text(0).expect("a text")).collect();
    list.sort();
    list
}

fn tables(base: &Base) -> Vec<String> {
    list(
        base,
        match base.is_sqlite() {
            true => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            false => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()",
        },
    )
}

/// Every row of every table but the note of where a store went, as no code of the copy reads them.
fn rows(base: &Base) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables(base) {
        let but = if table == "meta" { "WHERE key <> 'moved'" } else { "" };
        let rows = base.connection().query(&format!("SELECT * FROM {table} {but}"), &[]).expect("a table");
        assert!(!rows.is_empty(), "give {table} a row in ROWS: nothing shows that it is copied");
        all.extend(rows.iter().map(|row| format!("{table} {row:?}")));
    }
    all.sort();
    all
}

/// Its tables, columns, indexes and constraints.
fn schema(base: &Base) -> Vec<String> {
    list(
        base,
        match base.is_sqlite() {
            true => "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master",
            false => {
                "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() \
                 UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
                   WHERE connamespace::regnamespace::text = current_schema() \
                 UNION ALL SELECT table_name || '.' || column_name || ' ' || data_type || is_nullable || COALESCE(column_default, '') \
                   FROM information_schema.columns WHERE table_schema = current_schema()"
            }
        },
    )
}

fn is_moved(base: &Base) -> bool {
    base.look("SELECT COUNT(*) FROM meta WHERE key = 'moved'") == "1"
}

/// Nothing of a copy that failed is left: the new one is as empty as before, and the other one goes on.
fn nothing_happened(from: &Base, to: &Base) {
    assert!(!is_moved(from));
    drop(Store::open(&from.place, Mode::MustExist).expect("it goes on"));
    for table in tables(to).iter().filter(|table| *table != "meta") {
        assert_eq!(to.look(&format!("SELECT COUNT(*) FROM {table}")), "0", "{table}");
    }
}

#[test]
fn every_row_of_every_table_arrives() {
    every_two(|from, to| {
        filled(from);
        let before = rows(from);
        let compared = moved(from, to).unwrap();
        assert!(compared.iter().all(|table| table.equal && table.rows > 0), "{compared:?}");
        let names: Vec<_> = compared.into_iter().map(|table| table.table).collect();
        assert_eq!((&names, &names), (&tables(from), &tables(to)), "a table was forgotten");
        assert_eq!(rows(to), before);
        assert_eq!(rows(from), before, "and what it came from is as it was");
        // There again, in a file: what a third has is what the first had.
        let third = file();
        moved(to, &third).unwrap();
        assert_eq!(rows(&third), before);
    });
}

#[test]
fn the_schema_is_that_of_any_other_store() {
    every_two(|one, other| {
        if one.is_sqlite() == other.is_sqlite() {
            let from = file();
            filled(&from);
            moved(&from, one).unwrap();
            drop(other.open());
            assert_eq!(schema(one), schema(other));
        }
    });
}

/// A copy reads which tables there are from a SQLite store.
#[test]
fn both_databases_have_the_same_tables_and_columns() {
    let columns = |base: &Base| {
        drop(base.open());
        list(
            base,
            match base.is_sqlite() {
                true => {
                    "SELECT t.name || '.' || c.name || ' ' || LOWER(c.type) FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
                }
                false => {
                    "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = current_schema()"
                }
            },
        )
    };
    every_two(|one, other| assert_eq!(columns(one), columns(other)));
}

#[test]
fn who_has_something_already_is_not_written_to() {
    every_store(|to| {
        let from = file();
        filled(&from);
        to.connection().batch("CREATE TABLE somebodys (id TEXT)").unwrap();
        assert!(said(moved(&from, to)).contains(" already, and nothing was copied\n  help: name a new file"));
        assert_eq!(tables(to), ["somebodys"]);
        to.connection().batch("DROP TABLE somebodys").unwrap();
        if let Place::File(path) = &to.place {
            // One that is there and empty is nobody's first store.
            std::fs::remove_file(path).unwrap();
        }

        filled(to);
        let before = rows(to);
        assert!(said(moved(&from, to)).contains(" already, and nothing was copied\n  help: name a new file"));
        assert!(said(moved(to, to)).starts_with("both are the same store, "));
        assert_eq!(rows(to), before);
        assert!(!is_moved(&from));
    });
}

#[test]
fn a_store_that_was_only_opened_is_new() {
    every_store(|to| {
        let from = file();
        filled(&from);
        drop(to.open());
        moved(&from, to).unwrap();
        assert_eq!(rows(to), rows(&from));
    });
}

#[test]
fn copying_brings_nothing_up_to_date() {
    every_store(|from| {
        let to = file();
        let nothing_there = || assert_eq!(std::fs::read_dir(to.folder.path()).unwrap().count(), 0);
        assert!(said(moved(&to, from)).starts_with("there is no store at "));
        assert!(said(moved(from, &to)).starts_with("there is no store at "));
        nothing_there();
        from.of_version(14, "");
        let before = schema(from);
        assert!(said(moved(from, &to)).contains(" is of version 14, and this program's are of version "));
        nothing_there();
        assert_eq!(schema(from), before);
        drop(from.open());
        moved(from, &to).unwrap();
    });
}

#[test]
fn nobody_else_has_it_open() {
    every_store(|from| {
        let to = &file();
        filled(from);
        let other = from.open();
        let refused = said(moved(from, to));
        assert!(refused.ends_with("another Postrider process has it open\n  help: stop serve, work and run first"));
        assert_eq!(std::fs::read_dir(to.folder.path()).unwrap().count(), 0, "and nothing was made");
        drop(other);
        nothing_happened(from, to);
        moved(from, to).unwrap();
    });
}

/// Who was at work as the copy began, and left in time: nothing of it is lost. In SQLite nobody else can have the file open at all.
#[test]
fn what_was_being_written_as_it_began_is_copied_too() {
    every_store(|from| {
        if from.is_sqlite() {
            return;
        }
        let to = file();
        filled(from);
        let mut other = from.connection();
        other.batch("BEGIN; UPDATE posts SET title = 'the last word' WHERE id = 'tag:a'").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let sql = "SELECT COUNT(*) FROM pg_locks WHERE relation = 'meta'::regclass AND mode = 'AccessExclusiveLock' AND granted";
                for _ in 0..10_000 {
                    if other.query_one(sql, &[]).unwrap().unwrap().int(0).unwrap() == 1 {
                        other.batch("COMMIT").unwrap();
                        return;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            });
            moved(from, &to).unwrap();
        });
        assert_eq!(to.look("SELECT title FROM posts WHERE id = 'tag:a'"), "the last word");
    });
}

#[test]
fn what_does_not_come_back_as_it_was_written_is_no_copy() {
    every_store(|to| {
        let from = &file();
        filled(from);
        drop(to.open());
        let mut look = to.connection();
        let changes = match to.is_sqlite() {
            true => {
                "CREATE TRIGGER changes AFTER INSERT ON posts BEGIN UPDATE posts SET title = 'x' WHERE id = NEW.id; END"
            }
            false => {
                "CREATE FUNCTION changes() RETURNS trigger AS $$ BEGIN NEW.title = 'x'; RETURN NEW; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER changes BEFORE INSERT ON posts FOR EACH ROW EXECUTE FUNCTION changes()"
            }
        };
        look.batch(changes).unwrap();
        drop(look);
        let Err(Failed::Differs(compared)) = moved(from, to) else { panic!("it is told") };
        let different: Vec<_> = compared.iter().filter(|table| !table.equal).map(|table| &table.table).collect();
        assert_eq!(different, ["posts"]);
        nothing_happened(from, to);
    });
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    every_two(|from, to| {
        filled(from);
        // Such a row comes from outside: neither database takes it of its own.
        from.connection()
            .batch(match from.is_sqlite() {
                true => "PRAGMA ignore_check_constraints = ON; UPDATE subscribers SET status = 'unheard of'",
                false => "ALTER TABLE subscribers DROP CONSTRAINT subscribers_status_check; UPDATE subscribers SET status = 'unheard of'",
            })
            .unwrap();
        assert!(said(moved(from, to)).to_lowercase().contains("constraint"));
        if to.is_sqlite() {
            let left = std::fs::metadata(to.folder.path().join("postrider.db")).unwrap().len();
            assert_eq!((left, std::fs::read_dir(to.folder.path()).unwrap().count()), (0, 1), "but a name");
        }
        nothing_happened(from, to);
    });
    every_store(|to| {
        let from = file();
        filled(&from);
        from.change("UPDATE posts SET title = 'a' || CHAR(0) || 'b' WHERE id = 'tag:a'");
        if to.is_sqlite() {
            moved(&from, to).unwrap();
        } else {
            let refused = said(moved(&from, to));
            assert!(refused.contains("title of id \"tag:a\" in posts holds a NUL character"), "{refused}");
            nothing_happened(&from, to);
        }
    });
}

#[test]
fn what_could_not_arrive_as_it_is_is_refused() {
    for what in ["X'FF'", "CAST(X'FF41' AS TEXT)", "1.5"] {
        let (from, to) = (file(), file());
        filled(&from);
        let column = if what == "1.5" { "updated" } else { "title" };
        from.change(&format!("UPDATE posts SET {column} = {what} WHERE id = 'tag:a'"));
        let refused = said(moved(&from, &to));
        assert!(refused.contains(&format!("{column} in posts holds what no Postrider has written")), "{refused}");
        nothing_happened(&from, &to);
    }
}

/// Interrupted between the two commits, one alone is in service, and the same again finishes it.
#[test]
fn where_the_store_that_is_left_cannot_be_closed_the_new_one_is_not_in_service() {
    every_store(|to| {
        let from = file();
        filled(&from);
        from.connection()
            .batch("CREATE TRIGGER refuses BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'not today'); END")
            .unwrap();
        let refused = said(moved(&from, to));
        assert!(refused.contains(" could not be closed (") && refused.contains("not today"), "{refused}");
        assert!(refused.ends_with(", and goes on\n  help: say the same again to finish it"), "{refused}");
        let unfinished = Store::open(&to.place, Mode::MustExist).map(|_| ()).unwrap_err().to_string();
        assert!(unfinished.contains(" that was not finished: nothing was done, "), "{unfinished}");
        // Not for another store either.
        let other = file();
        filled(&other);
        assert!(said(moved(&other, to)).contains("there is something in "));
        from.connection().batch("DROP TRIGGER refuses").unwrap();
        drop(Store::open(&from.place, Mode::MustExist).expect("it goes on"));
        from.connection().batch("DELETE FROM attempts WHERE delivery = 'd1'").unwrap();
        moved(&from, to).unwrap();
        assert!(is_moved(&from));
        assert_eq!(rows(to), rows(&from));
        drop(Store::open(&to.place, Mode::MustExist).expect("it is in service"));
    });
}

/// And after the second of them.
#[test]
fn where_the_new_one_was_not_put_into_service_the_same_again_does_it() {
    every_two(|from, to| {
        filled(from);
        let place = Store::open(&from.place, Mode::MustExist).unwrap().place().shown();
        moved(from, to).unwrap();
        let unfinished = |base: &Base| {
            base.change(&format!("INSERT INTO meta (key, value) VALUES ('arriving', '{place}')"));
            Store::open(&base.place, Mode::MustExist).map(|_| ()).unwrap_err().to_string()
        };
        assert!(unfinished(to).contains(&format!("is a copy of {place} that was not finished")));
        moved(from, to).unwrap();
        assert_eq!(rows(to), rows(from));
        // Where the other one is gone, somebody says so.
        unfinished(to);
        drop(Store::open(&to.place, Mode::Reclaim).unwrap().hold_since_backup(monday()).unwrap());
        drop(Store::open(&to.place, Mode::MustExist).expect("it is in service"));
    });
}

/// What a killed process leaves is empty, and what it read from is free.
#[test]
fn killed_in_the_middle_it_has_done_nothing() {
    every_two(|from, to| {
        filled(from);
        let many = match from.is_sqlite() {
            true => "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30000)",
            false => "WITH n (n) AS (SELECT generate_series(1, 30000))",
        };
        from.connection()
            .batch(&format!("INSERT INTO events (id, subscriber, at, kind, text) {many} SELECT 'e' || n || 'x', 's', n, 'k', 'text' FROM n"))
            .unwrap();
        let site = Site::new(Plan::to_outbox(), &[]);
        let mut child = site.start(NOON, &["store", "copy", &from.url(), &to.url()]);
        let mut look = (!to.is_sqlite()).then(|| to.connection());
        let under_way = |look: &mut Option<postrider::store::sql::Connection>| match look {
            None => to.folder.path().join("postrider.db-journal").exists(),
            Some(look) => {
                let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY events%'";
                look.query_one(sql, &[]).unwrap().unwrap().int(0).unwrap() > 0
            }
        };
        while !under_way(&mut look) {
            assert_eq!(child.try_wait().unwrap(), None, "it was to be killed");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it was to be killed");
        drop(look);
        nothing_happened(from, to);
        let compared = moved(from, to).unwrap();
        assert_eq!(compared.iter().find(|table| table.table == "events").unwrap().rows, 30_002);
    });
}

/// A run that was killed while a mail was on its way, and then the move of its store.
fn killed_and_moved(uncertain: &'static str, check: impl Fn(&Site, &Sink, &[String])) {
    every_store(|to| {
        let people = readers(3);
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { hold: Some("dot".to_owned()), ..Settings::in_folder(folder.path()) });
        let mut site = Site::new(Plan { connections: 1, uncertain, ..Plan::to(&sink) }, &people);
        let mut run = site.start(NOON, &["run"]);
        while sink.reached("dot") == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let refused = site.at(LATER, &["store", "copy", "sqlite:postrider.db", &to.url()]);
        assert_eq!((refused.code, refused.err.contains("help: stop serve, work and run first")), (Some(1), true));
        run.kill().unwrap();
        run.wait().unwrap();
        sink.go();
        let copied = site.json(LATER, &["store", "copy", "sqlite:postrider.db", &to.url()]);
        assert_eq!(copied["equal"], true);
        assert_eq!(to.look("SELECT COUNT(*) FROM deliveries WHERE state = 'sending'"), "1", "as it was");
        site.plan.store = to.url();
        site.write_config();
        site.json(LATER, &["run"]);
        check(&site, &sink, &people);
    });
}

#[test]
fn what_a_dead_process_was_sending_is_in_doubt_there_too() {
    killed_and_moved("hold", |site, sink, people| {
        everyone_once(sink, people);
        assert_eq!(site.listed("held").len(), 1);
    });
    killed_and_moved("resend", |site, sink, people| {
        let copies = copies(&sink.accepted());
        assert!(people.iter().all(|person| copies.contains_key(person)), "{copies:?}");
        assert_eq!((sink.taken(), site.listed("resent").len()), (4, 1));
    });
}

#[test]
fn the_store_that_was_left_mails_nobody_until_somebody_says_so() {
    let people = readers(2);
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let mut site = Site::new(Plan::to(&sink), &people);
    site.json(NOON, &["run"]);
    assert_eq!(site.go(&["store", "backup", "kept.db"]).code, Some(0));
    let copied = site.go(&["store", "copy", "sqlite:postrider.db", "sqlite:new.db"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert!(copied.out.ends_with(
        " tables: the same in postrider.db and new.db.\nSet store.url to the new one: postrider.db is closed from now on.\n"
    ));
    site.write("posts/2026-11-28-second.md", "---\ntitle: Second snow\ndate: 2026-11-28\n---\nMore of it.\n");
    let next = "2026-11-30T12:00:00Z";
    for command in [["run"], ["plan"], ["status"]] {
        let refused = site.at(next, &command);
        assert_eq!(refused.code, Some(1), "{command:?}");
        let sentence = format!(
            "error: the store ./postrider.db was moved to {}: nothing was done, or people would be mailed from both\n  help: set store.url to that one; if this one is to go on after all, say `postrider store restore`, which holds what the other may have sent\n",
            site.path("new.db").canonicalize().unwrap().display()
        );
        assert_eq!(refused.err, sentence);
    }
    let again = site.go(&["store", "copy", "sqlite:postrider.db", "sqlite:other.db"]);
    assert!(again.code == Some(1) && again.err.contains(" was moved to "), "{again:?}");
    assert!(!site.path("other.db").exists());
    site.plan.store = "sqlite:new.db".to_owned();
    site.write_config();
    site.json(next, &["run"]);
    assert_eq!(sink.taken(), 4, "the new one goes on where it was left, with the same readers");
    site.plan.store = "sqlite:postrider.db".to_owned();
    site.write_config();
    assert_eq!(site.at(next, &["store", "restore"]).code, Some(0));
    let run = site.json(next, &["run"]);
    assert_eq!((&run["editions"][0]["state"], sink.taken()), (&"waiting".into(), 4), "and nobody is mailed twice");
    // A backup comes into the place of one that is closed, too.
    assert_eq!(site.at(next, &["store", "copy", "sqlite:postrider.db", "sqlite:third.db"]).code, Some(0));
    assert_eq!(site.at(next, &["status"]).code, Some(1));
    let restored = site.at(next, &["store", "restore", "kept.db"]);
    assert_eq!((restored.code, site.at(next, &["status"]).code), (Some(0), Some(0)), "{restored:?}");
}

#[test]
fn a_password_is_looked_up_and_never_shown() {
    let site = Site::new(Plan::to_outbox(), &[]);
    site.json(NOON, &["build"]);
    let base = file();
    filled(&base);
    for arguments in [["-v", "-v"], ["--json", "-v"]] {
        let mut command =
            site.command(NOON, &["store", "copy", &base.url(), "postgres://ada:${HIDDEN}@127.0.0.1:1/news"]);
        let output = command.args(arguments).env("HIDDEN", "open-sesame").output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("postgres://127.0.0.1/news") && !said.contains("sesame"), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
    let refused = site.go(&["store", "copy", &base.url(), "postgres://ada:${NOT_THERE}@127.0.0.1:1/news"]);
    assert_eq!(refused.err, "error: TO holds ${NOT_THERE}, and the environment has no NOT_THERE\n");
    let refused = site.go(&["store", "copy", "postrider.db", "sqlite:new.db"]);
    assert_eq!(
        refused.err,
        "error: FROM is neither sqlite:FILE nor postgres://…\n  help: write it as in [store] url, such as sqlite:postrider.db\n"
    );
}
