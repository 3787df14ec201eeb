//! `serve` as the one process of a site: it freezes at the slot, delivers, writes feeds, reads its configuration again, and tells the
//! service manager and the log how it goes. A clock that runs fast stands for hours.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, end, everyone_once, hears, readers, signal, until_taken};
use chrono::{DateTime, Utc};
use postrider::cli::{self, Signals};
use postrider::clock::Clock;
use postrider::store::{Mode, Place, Store};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

fn site(people: &[String]) -> (Site, Sink, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let site = Site::new(Plan::to(&sink), people);
    (site, sink, folder)
}

#[test]
fn alone_it_does_what_run_does_and_goes_on() {
    let people = readers(5);
    let (site, sink, _folder) = site(&people);
    let mut daemon = site.start(NOON, &["serve"]);
    hears(&mut daemon, "frozen edition=\"weekly/2026-11-23\" posts=");
    assert!(until_taken(&sink, 5, &mut daemon), "it ended");
    assert!(site.path("public/rss.xml").exists());
    signal(&daemon, "TERM");
    let ran = end(daemon);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    everyone_once(&sink, &people);
}

#[test]
fn an_edition_is_frozen_at_its_slot_and_not_minutes_after_it() {
    let (site, _sink, _folder) = site(&readers(1));
    site.write(
        "config.toml",
        &fs::read_to_string(site.path("config.toml")).unwrap().replace("late = \"2d\"", "late = \"1h\""),
    );
    let start = "2026-11-23T08:57:30Z".parse().unwrap();
    // Before it, the one of a week ago passes.
    let slot: DateTime<Utc> = "2026-11-23T08:59:00Z".parse().unwrap();
    let step: &'static AtomicI64 = Box::leak(Box::default());
    let signals = Signals::default();
    let place = Place::parse("sqlite:postrider.db", site.path("x").parent().unwrap()).unwrap();
    let frozen = thread::scope(|scope| {
        let serving = scope.spawn(|| cli::serve(&site.path("config.toml"), Clock::fast(start, 30, step), &signals));
        let frozen = loop {
            assert!(!serving.is_finished(), "{:?}", serving.join());
            let store = Store::open(&place, Mode::MustExist).ok();
            let known = store.and_then(|store| store.newest_decision().ok().flatten());
            if let Some(known) = known.filter(|known| *known > slot) {
                break known;
            }
            thread::sleep(Duration::from_millis(5));
        };
        signals.end.store(true, Ordering::SeqCst);
        signals.halt.store(true, Ordering::SeqCst);
        serving.join().unwrap().unwrap();
        frozen
    });
    // A round every five minutes alone would have come at 09:02:30, and this one has five seconds.
    let round: DateTime<Utc> = "2026-11-23T09:02:30Z".parse().unwrap();
    assert!(frozen < round, "{frozen}");
}

/// The next message to the service manager that says so.
fn told(manager: &UnixDatagram, word: &str) -> String {
    let mut message = [0; 4096];
    for _ in 0..1000 {
        let length = manager.recv(&mut message).expect("it tells the service manager");
        let said = String::from_utf8_lossy(&message[..length]).into_owned();
        if said.lines().any(|line| line.starts_with(word)) {
            return said;
        }
    }
    panic!("it never said {word}");
}

#[test]
fn the_service_manager_hears_of_its_life_and_a_configuration_is_read_again_or_left() {
    let (site, sink, _folder) = site(&readers(2));
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let good = fs::read_to_string(site.path("config.toml")).unwrap();
    let mut command = site.command("2026-11-20T12:00:00Z", &["serve"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "300000");
    let mut daemon = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    told(&manager, "READY=1");
    told(&manager, "WATCHDOG=1");

    // One that is wrong changes nothing, and says why.
    site.write("config.toml", &good.replace("[delivery]", "[delviery]"));
    signal(&daemon, "HUP");
    told(&manager, "RELOADING=1");
    told(&manager, "READY=1");
    let heard = hears(&mut daemon, "the old configuration stays in force");
    assert!(heard.contains("`delviery` is not known"), "{heard}");

    // One that is right is taken: its digest has been due since nine.
    site.write("config.toml", &good.replace("schedule = \"0 9 * * MON\"", "schedule = \"0 9 * * FRI\""));
    signal(&daemon, "HUP");
    hears(&mut daemon, "the configuration was read again");
    assert!(until_taken(&sink, 2, &mut daemon), "it ended");
    signal(&daemon, "TERM");
    told(&manager, "STOPPING=1");
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

fn lines(daemon: &mut Child) -> impl Iterator<Item = String> {
    BufReader::new(daemon.stderr.take().unwrap()).lines().map(|line| line.unwrap())
}

#[test]
fn for_machines_each_line_of_the_log_is_an_object_and_names_no_reader() {
    let people = readers(3);
    let (site, sink, _folder) = site(&people);
    let mut daemon = site.start(NOON, &["serve", "--log", "json"]);
    assert!(until_taken(&sink, 3, &mut daemon));
    signal(&daemon, "TERM");
    let mut said = Vec::new();
    for line in lines(&mut daemon) {
        assert!(!people.iter().any(|reader| line.contains(reader.as_str())), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        said.push(line);
    }
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    let frozen = said.iter().find(|line| line["message"] == "frozen").expect("it was frozen");
    assert_eq!(frozen["edition"], EDITION);
}

#[test]
fn a_problem_in_a_post_is_told_once_and_the_others_go() {
    let people = readers(2);
    let (site, sink, _folder) = site(&people);
    site.write("posts/2026-11-22-broken.md", "---\ntitle: [\n---\nNobody reads this.\n");
    let mut daemon = site.start(NOON, &["serve", "--log", "json"]);
    assert!(until_taken(&sink, 2, &mut daemon));
    // Begun again, it makes its first round anew, and tells of it anew.
    signal(&daemon, "TERM");
    let broken = lines(&mut daemon).filter(|line| line.contains("2026-11-22-broken.md")).count();
    assert_eq!((daemon.wait().unwrap().code(), broken), (Some(0), 1));
    everyone_once(&sink, &people);
}

#[test]
fn what_is_away_while_it_reads_its_configuration_again_is_waited_for() {
    let people = readers(2);
    let (site, sink, _folder) = site(&people);
    let mut daemon = site.start("2026-11-20T12:00:00Z", &["serve"]);
    hears(&mut daemon, "listening on");
    fs::rename(site.path("posts"), site.path("elsewhere")).unwrap();
    signal(&daemon, "HUP");
    hears(&mut daemon, "it is tried again");
    fs::rename(site.path("elsewhere"), site.path("posts")).unwrap();
    hears(&mut daemon, "listening on");
    signal(&daemon, "TERM");
    assert_eq!((daemon.wait().unwrap().code(), sink.taken()), (Some(0), 0));
}
