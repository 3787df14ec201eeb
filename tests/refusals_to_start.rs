//! What a run must not begin with: it says so in one sentence, exits with 1, mails nobody, and when the cause is mended the
//! next run delivers to everyone once.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, copies, end, everyone_once, readers, until_taken};
use postrider::store::sql::Connection;
use std::fs;
use std::net::TcpListener;
use std::process::Command;

/// Before the digest is due: the list and the secret are known, and nothing is mailed.
const FRIDAY: &str = "2026-11-20T12:00:00Z";

/// Breaks a site, hears the whole of what a run says, mends it.
struct Refusal {
    what: &'static str,
    break_it: fn(&mut Site),
    says: &'static str,
    mend: fn(&mut Site),
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        what: "a store that is something else",
        break_it: |site| {
            put_aside(site);
            site.write("postrider.db", &"what a backup program left of it\n".repeat(100));
        },
        says: "the store ./postrider.db: the file is not a SQLite database\n  help: restore the store from a backup; do not delete it, or nobody knows who got what",
        mend: bring_back,
    },
    Refusal {
        what: "a damaged store",
        break_it: |site| {
            put_aside(site);
            let mut bytes = fs::read(site.path("aside.db")).unwrap();
            bytes[4096..].fill(0xA5);
            fs::write(site.path("postrider.db"), bytes).unwrap();
        },
        says: "the store ./postrider.db: database disk image is malformed\n  help: restore the store from a backup; do not delete it, or nobody knows who got what",
        mend: bring_back,
    },
    Refusal {
        what: "another program's database",
        break_it: |site| {
            put_aside(site);
            store(site).batch("CREATE TABLE bookmarks (id INTEGER)").unwrap();
        },
        says: "the store ./postrider.db: it holds tables of another program\n  help: restore the store from a backup; do not delete it, or nobody knows who got what",
        mend: bring_back,
    },
    Refusal {
        what: "a folder in the store's place",
        break_it: |site| {
            put_aside(site);
            fs::create_dir(site.path("postrider.db")).unwrap();
        },
        says: "the store ./postrider.db cannot be used: it cannot be opened\n  help: its folder must be there, nothing else may stand in its place, and this user must be allowed to write to both",
        mend: |site| {
            fs::remove_dir(site.path("postrider.db")).unwrap();
            bring_back(site);
        },
    },
    Refusal {
        what: "a missing store",
        break_it: |site| {
            put_aside(site);
            site.plan.must_exist = true;
        },
        says: "there is no store at ./postrider.db, and store.must_exist is true: nothing was done, since without it nobody knows who got what\n  help: bring the store back; only for a first run set must_exist = false",
        mend: bring_back,
    },
    Refusal {
        what: "a newer store",
        break_it: |site| store(site).batch("UPDATE meta SET value = '99' WHERE key = 'version'").unwrap(),
        says: "the store is of version 99, this program knows versions up to 16\n  help: use the newer Postrider that wrote it",
        mend: |site| store(site).batch("UPDATE meta SET value = '16' WHERE key = 'version'").unwrap(),
    },
    Refusal {
        what: "a file where the feeds belong",
        break_it: |site| {
            fs::rename(site.path("public"), site.path("elsewhere")).unwrap();
            site.write("public", "");
        },
        says: "./public/rss.xml cannot be written: Not a directory (os error 20); a file stands where its folder belongs: move it away or choose another path",
        mend: |site| fs::remove_file(site.path("public")).unwrap(),
    },
    Refusal {
        what: "a server that is not there",
        break_it: |site| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            site.write("aside", &site.plan.transport);
            site.plan.transport = format!("smtp://127.0.0.1:{port}");
        },
        says: "smtp://127.0.0.1:PORT cannot be reached: Connection refused (os error 111)\n  help: nothing is lost: the rest is queued; look at the server, then run again",
        mend: |site| site.plan.transport = fs::read_to_string(site.path("aside")).unwrap(),
    },
    Refusal {
        what: "an emptied list",
        break_it: |site| site.write("subscribers.csv", "email\n"),
        says: "subscribers.csv: there is no subscriber in it: nothing was changed\n  help: bring the list back, or run once with --accept-removals if everybody in it is to go",
        mend: |site| site.write_readers(&readers(15)),
    },
    Refusal {
        what: "a list of no octets",
        break_it: |site| site.write("subscribers.csv", ""),
        says: "subscribers.csv: the file is empty\n  help: bring the list back, or run once with --accept-removals if everybody in it is to go",
        mend: |site| site.write_readers(&readers(15)),
    },
    Refusal {
        what: "a list that lost most of its rows",
        break_it: |site| site.write_readers(&readers(3)),
        says: "subscribers.csv: it would take away 12 of 15 subscribers: nothing was changed\n  help: if that is what you want, run once with --accept-removals",
        mend: |site| site.write_readers(&readers(15)),
    },
    Refusal {
        what: "a missing list",
        break_it: |site| fs::remove_file(site.path("subscribers.csv")).unwrap(),
        says: "subscribers.csv: the file is not there\n  help: bring the list back, or run once with --accept-removals if everybody in it is to go",
        mend: |site| site.write_readers(&readers(15)),
    },
    Refusal {
        what: "another secret",
        break_it: |site| site.plan.secret = "a secret that nobody knows yet".to_owned(),
        says: "subscribers.secret is not the one that signed the links in earlier mails\n  help: put the new secret first and the earlier one second: secret = [\"new\", \"old\"]",
        mend: |site| site.plan.secret = crate::support::site::SECRET.to_owned(),
    },
    Refusal {
        what: "missing posts",
        break_it: |site| fs::rename(site.path("posts"), site.path("aside")).unwrap(),
        says: "the posts' folder ./posts does not exist; set `dir` in [posts] to the folder that holds them",
        mend: |site| fs::rename(site.path("aside"), site.path("posts")).unwrap(),
    },
];

fn put_aside(site: &mut Site) {
    fs::rename(site.path("postrider.db"), site.path("aside.db")).unwrap();
}

fn bring_back(site: &mut Site) {
    for leftover in ["postrider.db-wal", "postrider.db-shm"] {
        let _ = fs::remove_file(site.path(leftover));
    }
    fs::rename(site.path("aside.db"), site.path("postrider.db")).unwrap();
}

fn store(site: &Site) -> Connection {
    Connection::sqlite(&site.path("postrider.db")).unwrap()
}

/// What it said, without the port.
fn plain(site: &Site, said: &str) -> String {
    let port = site.plan.transport.rsplit(':').next().unwrap();
    said.replace(&format!(":{port}"), ":PORT")
}

#[test]
fn a_run_that_cannot_begin_says_why_and_loses_nothing() {
    let readers = readers(15);
    let mut wrong = String::new();
    for Refusal { what, break_it, says, mend } in REFUSALS {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings::in_folder(folder.path()));
        let mut site = Site::new(Plan::to(&sink), &readers);
        site.json(FRIDAY, &["run"]);
        break_it(&mut site);
        site.write_config();
        let ran = site.go(&["run", "--json"]);
        let said = plain(&site, &ran.err);
        if ran.code != Some(1) || said != format!("error: {says}\n") {
            wrong += &format!("{what}: exit {:?}, and it says {said:?}\n", ran.code);
        }
        assert_eq!(sink.taken(), 0, "{what}");
        mend(&mut site);
        site.write_config();
        site.json(NOON, &["run"]);
        everyone_once(&sink, &readers);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_wrong_password_stops_the_run_and_burns_nobody() {
    let readers = readers(15);
    let folder = tempfile::tempdir().unwrap();
    let login = Some(("ada@example.org".to_owned(), "right".to_owned(), "PLAIN".to_owned()));
    let sink = Sink::here(Settings { login, ..Settings::in_folder(folder.path()) });
    let transport = format!("smtp://ada@example.org@127.0.0.1:{}", sink.port());
    let mut site = Site::new(Plan { transport, password: Some("wrong".to_owned()), ..Plan::to(&sink) }, &readers);
    let ran = site.go(&["run", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("error: ") && ran.err.contains("535 5.7.8 bad credentials"), "{ran:?}");
    assert!(!ran.err.contains("wrong"), "the password is nobody's business: {ran:?}");
    let edition = &site.json(NOON, &["status"])["editions"][0];
    assert_eq!((&edition["id"], &edition["queued"]), (&EDITION.into(), &15.into()), "{edition}");
    site.plan.password = Some("right".to_owned());
    site.write_config();
    site.json(NOON, &["run"]);
    everyone_once(&sink, &readers);
}

/// A file system of a few megabytes; gone with its owner.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(at: std::path::PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&at).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Disk(at))
    }

    fn fill(&self) {
        let filler = fs::write(self.0.join("filler"), vec![0; 16 << 20]);
        assert!(filler.is_err(), "it holds less than that");
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_run_and_nobody_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings { latency: 1, ..Settings::in_folder(folder.path()) });
    let readers = readers(1500);
    let site = Site::new(Plan { store: "sqlite:disk/postrider.db".to_owned(), ..Plan::to(&sink) }, &readers);
    let Some(disk) = Disk::mount(site.path("disk")) else {
        eprintln!("SKIPPED: a disk that is full: this user cannot mount a tmpfs");
        return;
    };
    disk.fill();
    let ran = site.go(&["run"]);
    assert_eq!((ran.code, sink.taken()), (Some(1), 0), "{ran:?}");
    assert!(ran.err.contains("disk"), "{ran:?}");
    disk.make_room();
    // And in mid-run: of what was under way the outcome cannot be recorded.
    let mut run = site.start(NOON, &["run", "--quiet"]);
    assert!(until_taken(&sink, 30, &mut run), "{:?}", end(run));
    disk.fill();
    let ran = end(run);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("the disk is full"), "{ran:?}");
    assert!(sink.taken() < readers.len());
    disk.make_room();
    site.json(NOON, &["run"]);
    let copies = copies(&sink.accepted());
    assert_eq!(copies.len(), readers.len());
    let more: usize = copies.values().map(|copies| copies - 1).sum();
    assert!(more <= site.plan.connections, "{more} copies too many");
}
