//! Several at once: two runs on one store, a signal in the middle, `serve` beside `run`, a reader who leaves in mid-run.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{
    EDITION, NOON, Plan, SECRET, Site, end, everyone_once, hears, readers, signal, until_taken,
};
use postrider::random::Random;
use postrider::store::{Mode, Place, Store};
use postrider::token::{Keyring, Purpose};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Takes a message in ten milliseconds or so, which leaves time for the others.
fn unhurried() -> (Sink, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Sink::here(Settings { latency: 2, ..Settings::in_folder(folder.path()) }), folder)
}

#[test]
fn two_runs_at_once_share_the_work_and_mail_nobody_twice() {
    let (sink, _folder) = unhurried();
    let readers = readers(400);
    let site = Site::new(Plan::to(&sink), &readers);
    let runs = [site.start(NOON, &["run", "--json"]), site.start(NOON, &["run", "--json"])].map(end);
    for ran in &runs {
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    }
    everyone_once(&sink, &readers);
    let edition = &site.json(NOON, &["run"])["editions"];
    assert_eq!(edition.as_array().unwrap().len(), 0, "nothing is left: {edition}");
    let edition = &site.json(NOON, &["status"])["editions"][0];
    assert_eq!((&edition["state"], &edition["accepted"]), (&"done".into(), &400.into()), "{edition}");
}

#[test]
fn a_run_that_joins_another_one_takes_its_share() {
    let (sink, _folder) = unhurried();
    let readers = readers(600);
    let site = Site::new(Plan::to(&sink), &readers);
    let mut first = site.start(NOON, &["run", "--quiet"]);
    assert!(until_taken(&sink, 20, &mut first));
    let second = site.start(NOON, &["run", "--quiet"]);
    for ran in [end(first), end(second)] {
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    }
    everyone_once(&sink, &readers);
    // The first one opened four connections and lost none: more of them are the other one's.
    let sessions = sink.accepted().iter().map(|line| line.session).max();
    assert!(sessions > Some(4), "{sessions:?}");
}

#[test]
fn a_run_that_is_told_to_stop_says_how_many_are_left_and_the_next_finishes() {
    for name in ["TERM", "INT"] {
        let (sink, _folder) = unhurried();
        let readers = readers(300);
        let site = Site::new(Plan::to(&sink), &readers);
        let mut run = site.start(NOON, &["run", "--json"]);
        assert!(until_taken(&sink, 30, &mut run));
        signal(&run, name);
        let ran = end(run);
        let left = readers.len() - sink.taken();
        assert!((1..=270).contains(&left), "{left}");
        let said = format!("error: stopped by a signal, {left} deliveries left\n  help: run again to go on\n");
        assert_eq!((ran.code, ran.err), (Some(1), said));
        // Nothing is in doubt: what was in hand was finished and recorded.
        let status = site.json(NOON, &["status"]);
        let edition = &status["editions"][0];
        assert_eq!((&edition["accepted"], &edition["queued"]), (&(300 - left).into(), &left.into()), "{edition}");
        assert_eq!((&status["uncertain"], &status["held"]), (&serde_json::json!([]), &serde_json::json!([])));
        site.json(NOON, &["run"]);
        everyone_once(&sink, &readers);
    }
}

#[test]
fn a_run_that_is_told_to_stop_when_nothing_is_left_is_done() {
    let (sink, _folder) = unhurried();
    let readers = vec!["slowdata-1000@sink.test".to_owned()];
    let site = Site::new(Plan::to(&sink), &readers);
    let mut run = site.start(NOON, &["run", "--quiet"]);
    assert!(until_taken(&sink, 1, &mut run), "{:?}", end(run));
    signal(&run, "TERM");
    let ran = end(run);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    everyone_once(&sink, &readers);
}

#[test]
fn who_leaves_in_mid_run_gets_nothing_that_was_not_under_way() {
    let (sink, _folder) = unhurried();
    let readers = readers(300);
    let site = Site::new(Plan { connections: 1, ..Plan::to(&sink) }, &readers);
    // Where no digest is configured it delivers nothing: all goes over the run's one connection.
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let (before, digest) = config.split_once("[[digest]]").unwrap();
    site.write("web.toml", &format!("{before}{}", &digest[digest.find("[subscribers]").unwrap()..]));
    let mut serve = site.start(NOON, &["serve", "--config", "web.toml"]);
    let heard = hears(&mut serve, "listening on");
    let address = heard.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let mut run = site.start(NOON, &["run", "--quiet"]);
    assert!(until_taken(&sink, 10, &mut run));

    let place = Place::parse("sqlite:postrider.db", site.path("x").parent().unwrap()).unwrap();
    let store = Store::open(&place, Mode::MustExist).unwrap();
    let (keyring, random) = (Keyring::new(&[SECRET.to_owned()]), Random::system());
    let mut left = Vec::new();
    for reader in readers.iter().step_by(20) {
        let taken = sink.accepted();
        if taken.iter().any(|line| line.rcpt == *reader) {
            continue;
        }
        let subscriber = store.find_subscriber(&reader.parse().unwrap(), &random).unwrap().expect("a subscriber");
        let path = format!("/unsubscribe/{}", keyring.sign(Purpose::Unsubscribe, &subscriber.id));
        // Looking changes nothing; a click does.
        assert_eq!(ask(address, &format!("GET {path}"), ""), 200);
        assert_eq!(store.subscriber(&subscriber.id).unwrap().expect("still there").row.status.to_string(), "active");
        assert_eq!(ask(address, &format!("POST {path}"), "List-Unsubscribe=One-Click"), 200);
        left.push((reader, sink.taken()));
    }
    assert_eq!(ask(address, "GET /healthz", ""), 200);
    let ran = end(run);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    let taken = sink.accepted();
    let mut cancelled = 0;
    for (reader, before) in &left {
        // At most the one message that was under way over the one connection.
        let at = taken.iter().position(|line| line.rcpt == **reader);
        assert!(at.is_none_or(|at| at <= *before), "{reader} left when {before} were taken, and was the {at:?}th");
        cancelled += usize::from(at.is_none());
    }
    assert!(cancelled >= 3, "{cancelled} of {left:?}");
    let edition = &site.json(NOON, &["status"])["editions"][0];
    assert_eq!((&edition["id"], &edition["cancelled"]), (&EDITION.into(), &cancelled.into()), "{edition}");
    assert_eq!(edition["accepted"], 300 - cancelled, "{edition}");
    signal(&serve, "TERM");
    assert_eq!(end(serve).code, Some(0));
}

/// One request; the status of its answer.
fn ask(address: &str, what: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}
