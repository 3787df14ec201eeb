//! The web face on loopback over a store of its own, asked over real connections; and the mails that come of it.

use super::edition::{address, at};
use chrono::{DateTime, TimeDelta, Utc};
use postrider::clock::Clock;
use postrider::config::Config;
use postrider::delivery;
use postrider::dispatch::{Dispatch, End, Progress, Relays};
use postrider::message::{Signer, quoted};
use postrider::random::Random;
use postrider::store::sql::Connection;
use postrider::store::subscribers::Subscriber;
use postrider::store::{Mode, Place, Store};
use postrider::subscribe::desk::Desk;
use postrider::template::Templates;
use postrider::token::{Keyring, Purpose};
use postrider::transport::Transport;
use postrider::web::server::Bounds;
use postrider::web::{self, Web};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// What most tests are configured with.
pub(crate) const CONFIG: &str = r#"
[site]
title = "Field <Notes>"
url = "https://example.org/"
[feeds]
dir = "public"
[mail]
from = "Field Notes <news@example.org>"
postal_address = "1 Sample Street, Chicago IL"
[[digest]]
name = "weekly"
schedule = "0 9 * * MON"
[[digest]]
name = "each"
schedule = "each"
[subscribe]
topics = ["Birds", "Weather"]
[web]
public_url = "https://news.example.org"
"#;

/// A server, for as long as it lives.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) keyring: Keyring,
    config: String,
    now: DateTime<Utc>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    folder: Arc<TempDir>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the fields, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

impl Served {
    /// On that Monday at noon.
    pub(crate) fn new() -> Self {
        Served::with(CONFIG)
    }

    pub(crate) fn with(config: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        Served::start(folder, config.to_owned(), at("2026-11-23T12:00:00Z"), Bounds::default())
    }

    pub(crate) fn bounded(bounds: Bounds) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        Served::start(folder, CONFIG.to_owned(), at("2026-11-23T12:00:00Z"), bounds)
    }

    /// Another over the same store, so much later.
    pub(crate) fn later(&self, step: TimeDelta) -> Self {
        Served::start(Arc::clone(&self.folder), self.config.clone(), self.now + step, Bounds::default())
    }

    fn start(folder: Arc<TempDir>, config: String, now: DateTime<Utc>, bounds: Bounds) -> Self {
        let parsed = Config::parse(&config, &folder.path().join("config.toml"), |_| None).expect("a configuration");
        let store = open(folder.path());
        let random = Random::seeded(now.timestamp() as u64);
        let keyring = store.keyring(&[], &random).expect("a secret");
        let site = parsed.site(parsed.site.clone()).expect("a site");
        let desk = Desk::new(parsed, site, store, keyring.clone(), Templates::embedded(), random);
        let mut web = Web::new(desk, Clock::starting_at(now));
        web.bounds = bounds;
        let listener = web::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = listener.local_addr().expect("bound");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Some(std::thread::spawn(move || web::serve(web, listener, &stopped).expect("it serves")));
        Served { address, keyring, config, now, stop, thread, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store(&self) -> Store {
        open(self.folder.path())
    }

    /// Sends these octets, and reads to the end.
    pub(crate) fn raw(&self, octets: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        // It may answer and hang up before all was said.
        let _ = stream.write_all(octets);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: news\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        let answer = self.raw(request.as_bytes());
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer") + 4;
        let head = String::from_utf8_lossy(&answer[..split]).to_lowercase().replace("\r\n", "\n");
        // Templates escape slashes, which is right and hard to read.
        let body = String::from_utf8_lossy(&answer[split..]).replace("&#x2f;", "/");
        Answer { status: head[9..12].parse().expect("a status"), head, body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    /// As a browser sends a form.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, "", fields)
    }

    pub(crate) fn post_with(&self, path: &str, headers: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(fields).finish();
        self.ask("POST", path, &format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}"), &body)
    }

    /// The stamp of a form that was shown a minute ago.
    pub(crate) fn stamp(&self) -> String {
        self.stamp_of(TimeDelta::minutes(1))
    }

    pub(crate) fn stamp_of(&self, ago: TimeDelta) -> String {
        self.keyring.sign(Purpose::Form, &(self.now - ago).timestamp().to_string())
    }

    /// Somebody asks on our own form.
    pub(crate) fn subscribe(&self, email: &str) -> Answer {
        self.post("/subscribe", &[("email", email), ("digest", "weekly"), ("stamp", &self.stamp())])
    }

    /// The mails that are due: to whom, on which occasion, and all of their text, decoded.
    pub(crate) fn mails(&self) -> Vec<(String, String, String)> {
        let parsed = Config::parse(&self.config, &self.path("config.toml"), |_| None).expect("a configuration");
        let (transport, memory) = Transport::memory();
        let random = Random::seeded(9);
        let dispatch = Dispatch {
            store: &self.store(),
            relays: &Relays::sole(transport.clone(), 4),
            remote: None,
            settings: &delivery::Settings::default(),
            mail: parsed.mail.as_ref().expect("a sender"),
            keyring: &self.keyring,
            signer: &Signer::none(),
            clock: Clock::starting_at(self.now + TimeDelta::minutes(1)),
            random: &random,
            stop: &AtomicBool::new(false),
            progress: &Progress::default(),
            wait: TimeDelta::zero(),
        };
        assert_eq!(dispatch.run().expect("it runs").end, End::Drained);
        let read = |taken: postrider::transport::memory::Taken| {
            let whole = String::from_utf8(taken.message.bytes).expect("text");
            let (head, body) = whole.split_once("\r\n\r\n").expect("a message");
            // Both parts and what is between them: none of it is broken by being decoded at once.
            let body = quoted::decode(&body.replace("=_", "_").replace("charset=utf-8", "charset: utf-8"))
                .unwrap_or_else(|| body.to_owned());
            let text = format!("{head}\r\n\r\n{body}").replace("\r\n", "\n").replace("&#x2f;", "/");
            (taken.message.envelope.to.as_str().to_owned(), taken.edition, text)
        };
        memory.taken().into_iter().map(read).collect()
    }

    /// The one mail that is due: the path of its link below the public address.
    pub(crate) fn link(&self, kind: &str) -> String {
        let mails = self.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        link_in(&mails[0].2, kind)
    }

    pub(crate) fn find(&self, email: &str) -> Option<Subscriber> {
        self.store().find_subscriber(&address(email), &Random::seeded(1)).expect("it is read")
    }

    pub(crate) fn status(&self, email: &str) -> String {
        self.find(email).map_or("nobody".to_owned(), |found| found.row.status.to_string())
    }

    /// All that the store holds, but for the moment of the last request.
    pub(crate) fn dump(&self) -> String {
        let mut connection = Connection::sqlite(&self.path("store.db")).expect("a store");
        let mut dump = String::new();
        let tables =
            connection.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", &[]).unwrap();
        for table in tables {
            let table = table.text(0).unwrap();
            for row in connection.query(&format!("SELECT * FROM {table} ORDER BY 1, 2"), &[]).unwrap() {
                let _ = writeln!(dump, "{table} {row:?}");
            }
        }
        dump
    }
}

/// The path of the first link of that kind in a mail.
pub(crate) fn link_in(mail: &str, kind: &str) -> String {
    let path = format!("https://news.example.org/{kind}/");
    let rest = &mail[mail.find(&path).unwrap_or_else(|| panic!("no {kind} in {mail}")) + path.len()..];
    let token: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    format!("/{kind}/{token}")
}

fn open(folder: &Path) -> Store {
    Store::open(&Place::File(folder.join("store.db")), Mode::Create).expect("a store")
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
