//! A hub is told of feeds that changed, when they are live, once, and whatever it and the site answer.

use crate::support::database::every_store;
use chrono::{DateTime, TimeDelta, Utc};
use postrider::clock::Clock;
use postrider::config::Config;
use postrider::feed::Listed;
use postrider::post::Site;
use postrider::store::Store;
use postrider::websub::Websub;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// What a server answers on a path, and what it was asked.
#[derive(Default)]
struct Script {
    /// By path; what is not here is cut off without an answer.
    answers: BTreeMap<String, (u16, Vec<u8>)>,
    /// Forms that were posted.
    posted: Vec<String>,
    /// Pages that were asked for.
    asked: usize,
}

/// A site and a hub in one, on loopback.
struct Server {
    script: Arc<Mutex<Script>>,
    address: String,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        // It ends with the process; each connection is one question.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared);
            }
        });
        Server { script, address }
    }

    fn set(&self, path: &str, status: u16, body: &[u8]) {
        self.script.lock().expect("no panic").answers.insert(path.to_owned(), (status, body.to_vec()));
    }

    fn posted(&self) -> Vec<String> {
        let mut posted = std::mem::take(&mut self.script.lock().expect("no panic").posted);
        posted.sort();
        posted
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut self.script.lock().expect("no panic").asked)
    }
}

fn answer(stream: TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(&stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let Some(first) = head.first() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    let mut script = script.lock().expect("no panic");
    match first.starts_with("POST") {
        true => script.posted.push(String::from_utf8_lossy(&body).into_owned()),
        false => script.asked += 1,
    }
    let Some((status, body)) = script.answers.get(&path) else { return };
    let place = if (300..400).contains(status) { "Location: /moved\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status} X\r\n{place}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = (&stream).write_all(&[head.as_bytes(), body].concat());
}

struct World {
    folder: TempDir,
    server: Server,
    config: Config,
    feeds: Vec<Listed>,
}

impl World {
    fn new() -> Self {
        let server = Server::start();
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("[feeds]\nformats = ['rss', 'atom']\nhub = '{}hub'", server.address);
        let config = Config::parse(&text, &folder.path().join("config.toml"), |_| None).expect("a configuration");
        let site = Site {
            title: "T".to_owned(),
            url: server.address.parse().expect("a URL"),
            description: None,
            language: "en".to_owned(),
            timezone: chrono_tz::Tz::UTC,
            author: None,
        };
        let feeds = vec![Listed::of_site(&site, &config.feeds)];
        fs::create_dir(folder.path().join("public")).expect("a folder");
        let world = World { folder, server, config, feeds };
        world.write("rss.xml", "one");
        world.write("atom.xml", "uno");
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(Path::new(self.folder.path()).join("public").join(name), text).expect("a folder to write to");
    }

    fn publish(&self) {
        for name in ["rss.xml", "atom.xml"] {
            let bytes = fs::read(self.folder.path().join("public").join(name)).expect("a feed");
            self.server.set(&format!("/{name}"), 200, &bytes);
        }
    }

    /// A run, so many minutes after the first.
    fn run(&self, store: &Store, minutes: i64) -> Vec<String> {
        let start: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().expect("a time");
        let clock = Clock::starting_at(start + TimeDelta::minutes(minutes));
        let hub = self.config.feeds.hub.as_ref().expect("a hub");
        let told = Websub { hub, config: &self.config, store, clock: &clock }.tell(&self.feeds).expect("a store");
        told.into_iter().map(|remark| remark.replace(&self.server.address, "http://a/")).collect()
    }

    fn form(&self, name: &str) -> String {
        let address = self.server.address.replace(':', "%3A").replace('/', "%2F");
        format!("hub.mode=publish&hub.url={address}{name}")
    }
}

#[test]
fn a_hub_is_told_once_of_each_change_when_it_is_live() {
    every_store(|base| {
        let (world, store) = (World::new(), base.open());
        world.server.set("/hub", 204, b"");
        world.server.set("/rss.xml", 404, b"");
        world.server.set("/atom.xml", 200, b"old");
        let remarks = world.run(&store, 0);
        assert_eq!(
            remarks,
            [
                "http://a/rss.xml is not live yet (the server answers 404); the first run after it is tells the hub",
                "http://a/atom.xml is not live yet (the server still has another version); the first run after it is tells the hub",
            ]
        );
        assert_eq!(world.server.posted(), [""; 0]);
        world.publish();
        assert_eq!(world.run(&store, 0), [""; 0]);
        assert_eq!(world.server.posted(), [world.form("atom.xml"), world.form("rss.xml")]);
        world.server.asked();
        assert_eq!(world.run(&store, 1), [""; 0]);
        assert_eq!(
            (world.server.posted().len(), world.server.asked()),
            (0, 0),
            "nobody is asked where nothing changed"
        );

        world.write("rss.xml", "two");
        world.publish();
        assert_eq!(world.run(&base.open(), 2), [""; 0]);
        assert_eq!(world.server.posted(), [world.form("rss.xml")], "one ping for the feed that changed");

        // Changed and changed back before anybody looked.
        world.server.set("/rss.xml", 200, b"two");
        world.write("rss.xml", "three");
        assert_eq!(world.run(&store, 3).len(), 1);
        world.write("rss.xml", "two");
        assert_eq!(world.run(&store, 4), [""; 0]);
        assert_eq!(world.server.posted(), [""; 0]);
    });
}

#[test]
fn a_hub_that_does_not_listen_is_told_again_later_and_not_for_ever() {
    every_store(|base| {
        let (world, store) = (World::new(), base.open());
        world.publish();
        world.write("atom.xml", "");
        world.server.set("/atom.xml", 200, b"");
        world.server.set("/hub", 503, b"busy");
        let remarks = world.run(&store, 0);
        assert_eq!(
            remarks,
            [
                "the hub http://a/hub could not be told of the feeds that changed: the hub answers 503; a later run tries again"
            ]
        );
        world.server.posted();
        // Not before its time; a feed that was not tried is still due.
        world.server.set("/hub", 202, b"");
        world.run(&store, 0);
        let at_once = world.server.posted().len();
        assert!(at_once < 2, "the one that was refused waits a minute");
        world.run(&store, 2);
        assert_eq!(at_once + world.server.posted().len(), 2);
        assert_eq!(world.run(&store, 60), [""; 0]);
        world.server.posted();
        assert_eq!(world.run(&store, 120), [""; 0]);
        assert_eq!(world.server.posted().len(), 0, "all is told");

        // Cut off without an answer, for ever.
        world.server.script.lock().expect("no panic").answers.remove("/hub");
        world.write("rss.xml", "two");
        world.publish();
        let mut tries = 0;
        let mut last = Vec::new();
        for day in 1..30 {
            last = world.run(&store, day * 24 * 60);
            tries += world.server.posted().len();
            if last.iter().any(|remark| remark.contains("in vain")) {
                break;
            }
        }
        assert_eq!(tries, 8, "{last:?}");
        world.run(&store, 90 * 24 * 60);
        assert_eq!(world.server.posted().len(), 0);
    });
}

#[test]
fn a_hub_that_has_moved_is_not_told() {
    every_store(|base| {
        let (world, store) = (World::new(), base.open());
        world.publish();
        world.server.set("/moved", 200, b"a page");
        for status in [301, 302, 303, 307, 308] {
            world.server.set("/hub", status, b"");
            world.write("rss.xml", &status.to_string());
            world.publish();
            let remarks = world.run(&store, i64::from(status) * 24 * 60);
            assert!(remarks[0].contains("the hub has moved to /moved: name that as feeds.hub"), "{remarks:?}");
        }
    });
}

#[test]
fn a_site_that_never_serves_the_feed_is_given_up_with_a_word() {
    every_store(|base| {
        let (world, store) = (World::new(), base.open());
        world.server.set("/hub", 204, b"");
        world.publish();
        world.server.set("/rss.xml", 200, b"one, minified on the way");
        assert_eq!(world.run(&store, 0).len(), 1);
        assert_eq!(world.run(&store, 3 * 24 * 60 - 1).len(), 1);
        let remarks = world.run(&store, 3 * 24 * 60 + 1);
        assert!(remarks[0].contains("has not been what was written for three days"), "{remarks:?}");
        assert_eq!(world.run(&store, 4 * 24 * 60), [""; 0]);
        assert_eq!(world.server.posted(), [world.form("atom.xml")]);
    });
}

#[test]
fn build_tells_the_hub_and_plan_tells_nobody() {
    let server = Server::start();
    server.set("/hub", 204, b"");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("posts")).expect("a folder");
    fs::write(path("posts/2026-11-16-note.md"), "---\ntitle: T\n---\nWords\n").expect("writable");
    let address = &server.address;
    let config =
        format!("[site]\ntitle = 'T'\nurl = '{address}'\n[posts]\ndir = 'posts'\n[feeds]\nhub = '{address}hub'\n");
    fs::write(path("config.toml"), config).expect("writable");
    let run = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_postrider"));
        let ran = program.current_dir(folder.path()).args([command, "--now", "2026-11-23T12:00:00Z"]).output();
        let ran = ran.expect("the program starts");
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8_lossy(&ran.stderr).into_owned()
    };
    // Nothing answers: the run is as good as any.
    assert!(run("build").contains("are not live yet"));
    for name in ["rss.xml", "atom.xml", "feed.json"] {
        server.set(&format!("/{name}"), 200, &fs::read(path("public").join(name)).expect("a feed"));
    }
    server.asked();
    run("plan");
    assert_eq!((server.posted().len(), server.asked()), (0, 0));
    assert_eq!(run("build"), "");
    assert_eq!(server.posted().len(), 3);
    run("build");
    assert_eq!((server.posted().len(), server.asked()), (0, 3));
}
