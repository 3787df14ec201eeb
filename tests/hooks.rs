//! `[hooks]`: a program of the author's is told what happens, once for each event where it listens, and again where it does not;
//! nothing of it keeps a mail back.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, everyone_once, readers};
use aws_lc_rs::hmac;
use data_encoding::BASE64;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What was told.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    kind: String,
    body: Value,
}

/// The author's program: what it was told, and what it answers next.
struct Program {
    url: String,
    told: Arc<Mutex<Vec<Told>>>,
    answer: Arc<Mutex<u16>>,
}

impl Program {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let (told, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(204)));
        let (hears, says) = (Arc::clone(&told), Arc::clone(&answer));
        // It ends with the process; each connection is one event.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let status = *says.lock().unwrap();
                hears.lock().unwrap().push(hear(&stream));
                write!(&stream, "HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            }
        });
        Program { url, told, answer }
    }

    fn says(&self, status: u16) {
        *self.answer.lock().unwrap() = status;
    }

    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn kinds(&self) -> Vec<String> {
        self.told().into_iter().map(|told| told.kind).collect()
    }
}

/// Reads one event, and holds its signature to be ours.
fn hear(stream: &TcpStream) -> Told {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let field = |name: &str| {
        let of_that_name = |line: &String| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        head.iter().find_map(of_that_name).unwrap_or_default()
    };
    let mut body = vec![0; field("content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let key = BASE64.decode(SECRET.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
    let signed = format!("{}.{}.{body}", field("webhook-id"), field("webhook-timestamp"));
    let tag = BASE64.decode(field("webhook-signature").strip_prefix("v1,").unwrap().as_bytes()).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes(), &tag).expect("our signature");
    assert_eq!(field("content-type"), "application/json");
    let body: Value = serde_json::from_str(&body).unwrap();
    Told { id: field("webhook-id"), kind: body["type"].as_str().unwrap().to_owned(), body }
}

fn site(program: &Program, events: &str) -> (Site, Sink, Vec<String>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let people = readers(3);
    let site = Site::new(Plan::to(&sink), &people);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write(
        "config.toml",
        &format!("{config}\n[hooks]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n{events}", program.url),
    );
    (site, sink, people, folder)
}

#[test]
fn what_happens_is_told_once_and_names_no_reader() {
    let program = Program::start();
    let (site, sink, people, _folder) = site(&program, "");
    site.json(NOON, &["run"]);
    let told = program.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let (kind, data) = (&told[0].kind, &told[0].body["data"]);
    assert_eq!((kind.as_str(), data["edition"].as_str()), ("edition.done", Some(EDITION)));
    assert_eq!((&data["recipients"], &data["accepted"]), (&3.into(), &3.into()));
    assert_eq!(site.go(&["subscribers", "remove", &people[0]]).code, Some(0));
    site.json("2026-11-23T13:00:00Z", &["run"]);
    let told = program.told();
    assert_eq!((told.len(), told[0].kind.as_str()), (1, "subscriber.unsubscribed"), "{told:?}");
    assert!(!told[0].body.to_string().contains(&people[0]), "{told:?}");
    site.json("2026-11-23T14:00:00Z", &["run"]);
    assert!(program.told().is_empty());
    everyone_once(&sink, &people);
}

#[test]
fn who_does_not_listen_is_told_again_by_the_same_id_and_keeps_no_mail_back() {
    let program = Program::start();
    let (site, sink, people, _folder) = site(&program, "");
    program.says(503);
    let ran = site.go(&["run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("hooks: edition.done was not heard: the server answers 503"), "{ran:?}");
    everyone_once(&sink, &people);
    let first = program.told();
    site.json("2026-11-23T12:00:30Z", &["run"]);
    assert!(program.told().is_empty(), "no sooner than after a minute");
    program.says(200);
    site.json("2026-11-23T12:02:00Z", &["run"]);
    let again = program.told();
    assert_eq!((again.len(), &again[0].id, &again[0].body), (1, &first[0].id, &first[0].body));
    site.json("2026-11-23T12:03:00Z", &["run"]);
    assert!(program.told().is_empty());
}

#[test]
fn what_nobody_hears_for_three_days_is_given_up() {
    let program = Program::start();
    let (site, _sink, _people, _folder) = site(&program, "");
    program.says(500);
    site.go(&["run"]);
    let ran = site.at("2026-11-27T12:00:00Z", &["run"]);
    assert!(ran.err.contains("1 events were not heard for three days and are given up"), "{ran:?}");
    program.says(200);
    program.told();
    site.json("2026-11-27T13:00:00Z", &["run"]);
    assert!(program.told().is_empty());
}

#[test]
fn only_what_is_asked_for_is_told_and_nothing_from_before() {
    let program = Program::start();
    let (site, _sink, people, _folder) = site(&program, "events = [\"subscriber.unsubscribed\"]\n");
    let with = fs::read_to_string(site.path("config.toml")).unwrap();
    let without = with.split("\n[hooks]").next().unwrap();
    site.write("config.toml", without);
    site.json(NOON, &["run"]);
    assert_eq!(site.go(&["subscribers", "remove", &people[0]]).code, Some(0));
    site.write("config.toml", &with);
    site.json("2026-11-23T13:00:00Z", &["run"]);
    assert_eq!(site.go(&["subscribers", "remove", &people[1]]).code, Some(0));
    site.json("2026-11-23T14:00:00Z", &["run"]);
    assert_eq!(program.kinds(), ["subscriber.unsubscribed"]);
}

#[test]
fn a_table_that_cannot_work_is_told() {
    let program = Program::start();
    let (site, _sink, _people, _folder) = site(&program, "events = [\"edition.don\"]\n");
    let ran = site.go(&["run"]);
    assert!(
        ran.code == Some(1) && ran.err.contains("there is no event \"edition.don\"; there are edition.waiting"),
        "{ran:?}"
    );
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    for (from, to, words) in [
        (SECRET, "short", "hooks.secret is shorter than 16 characters"),
        (SECRET, "${NO_SUCH_SECRET}", "the environment has no NO_SUCH_SECRET"),
        (program.url.as_str(), "example.org", "hooks.url is no address"),
    ] {
        site.write("config.toml", &config.replace("edition.don\"", "edition.done\"").replace(from, to));
        let ran = site.go(&["run"]);
        assert!(ran.code == Some(1) && ran.err.contains(words), "{words}: {ran:?}");
    }
}
