//! A small site in a folder of its own, whose one edition is due, and the program run on it as its users run it.

use super::sink::{Accepted, Sink};
use postrider::store::sql::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A Monday noon at which the digest of nine o'clock is due.
pub(crate) const NOON: &str = "2026-11-23T12:00:00Z";
/// The edition that is due then.
pub(crate) const EDITION: &str = "weekly/2026-11-23";
/// Signs its links.
pub(crate) const SECRET: &str = "a secret that only tests know";

const CONFIG: &str = r#"
[site]
title = "Field Notes"
url = "https://example.org/"

[posts]
dir = "posts"

[feeds]
dir = "public"

[mail]
from = "Field Notes <news@example.org>"
transport = "TRANSPORT"
PASSWORD

[delivery]
connections = CONNECTIONS
uncertain = "UNCERTAIN"
give_up_after = "2h"

[[digest]]
name = "weekly"
schedule = "0 9 * * MON"
subject = "{{ site.title }}: {{ posts[0].title }}"
late = "2d"
since = "2026-11-01"

[subscribers]
file = "subscribers.csv"
secret = "SECRET"

[web]
listen = "127.0.0.1:0"

[store]
url = "STORE"
must_exist = MUST_EXIST
"#;

/// What differs from site to site.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) transport: String,
    pub(crate) password: Option<String>,
    pub(crate) connections: usize,
    pub(crate) uncertain: &'static str,
    pub(crate) secret: String,
    pub(crate) store: String,
    pub(crate) must_exist: bool,
}

impl Plan {
    /// Everything goes to this sink, over four connections.
    pub(crate) fn to(sink: &Sink) -> Self {
        Plan {
            transport: format!("smtp://127.0.0.1:{}", sink.port()),
            connections: 4,
            uncertain: "resend",
            ..Plan::to_outbox()
        }
    }

    /// Everything is left in the site's folder.
    pub(crate) fn to_outbox() -> Self {
        Plan {
            transport: "outbox:outbox".to_owned(),
            password: None,
            connections: 1,
            uncertain: "hold",
            secret: SECRET.to_owned(),
            store: "sqlite:postrider.db".to_owned(),
            must_exist: false,
        }
    }
}

/// The site, gone with its owner.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) plan: Plan,
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `ok-N@sink.test`
pub(crate) fn readers(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("ok-{n}@sink.test")).collect()
}

impl Site {
    /// Two posts, these readers, nothing run yet.
    pub(crate) fn new(plan: Plan, readers: &[String]) -> Self {
        let site = Site { folder: tempfile::tempdir().expect("a folder to write to"), plan };
        fs::create_dir(site.path("posts")).expect("a folder to write to");
        for (day, title) in [("16", "Herons on the river"), ("20", "First snow")] {
            let post = format!("---\ntitle: {title}\n---\nWhat was *seen* that day, and [where](/map/).\n");
            site.write(&format!("posts/2026-11-{day}-note.md"), &post);
        }
        site.write_readers(readers);
        site.write_config();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a folder to write to");
    }

    pub(crate) fn write_readers(&self, readers: &[String]) {
        self.write("subscribers.csv", &format!("email\n{}\n", readers.join("\n")));
    }

    /// Writes the plan down, again after a change of it.
    pub(crate) fn write_config(&self) {
        let Plan { transport, password, connections, uncertain, secret, store, must_exist } = &self.plan;
        let password = password.as_ref().map_or(String::new(), |password| format!("password = \"{password}\""));
        let config = CONFIG
            .replace("TRANSPORT", transport)
            .replace("PASSWORD", &password)
            .replace("CONNECTIONS", &connections.to_string())
            .replace("UNCERTAIN", uncertain)
            .replace("SECRET", secret)
            .replace("STORE", store)
            .replace("MUST_EXIST", &must_exist.to_string());
        self.write("config.toml", &config);
    }

    /// The program in this folder, as if it were `now`.
    pub(crate) fn command(&self, now: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command.current_dir(self.folder.path()).args(arguments).args(["--now", now]).stdin(Stdio::null());
        command
    }

    pub(crate) fn start(&self, now: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(now, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    pub(crate) fn at(&self, now: &str, arguments: &[&str]) -> Ran {
        Ran::from(self.command(now, arguments).output().expect("the program starts"))
    }

    /// Runs it at noon.
    pub(crate) fn go(&self, arguments: &[&str]) -> Ran {
        self.at(NOON, arguments)
    }

    /// Runs it with `--json`; anything but exit 0 is a failure.
    pub(crate) fn json(&self, now: &str, arguments: &[&str]) -> Value {
        let ran = self.at(now, &[arguments, &["--json"]].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", ran.out))
    }

    /// The addresses in one of the lists of `status --json`.
    pub(crate) fn listed(&self, list: &str) -> BTreeSet<String> {
        let status = self.json(NOON, &["status"]);
        let rows = status[list].as_array().expect(list).iter();
        rows.map(|row| row["address"].as_str().expect("an address").to_owned()).collect()
    }

    /// How many deliveries are in `state`. A SQLite store is copied first, as the dead left it: opening it would change it.
    pub(crate) fn deliveries(&self, state: &str) -> i64 {
        let copy = self.path("copy");
        let mut connection = match self.plan.store.strip_prefix("sqlite:") {
            Some(file) => {
                fs::create_dir_all(&copy).expect("a folder to write to");
                for suffix in ["", "-wal"] {
                    let from = self.path(&format!("{file}{suffix}"));
                    if from.exists() {
                        fs::copy(from, copy.join(format!("{file}{suffix}"))).expect("a store to copy");
                    }
                }
                Connection::sqlite(&copy.join(file)).expect("a store")
            }
            None => Connection::postgres(&self.plan.store).expect("a store"),
        };
        let row = connection.query_one("SELECT COUNT(*) FROM deliveries WHERE state = $1", &[state.into()]);
        let count = row.expect("a table of deliveries").expect("a row").int(0).expect("a number");
        drop(connection);
        if copy.exists() {
            fs::remove_dir_all(copy).expect("our own folder");
        }
        count
    }

    /// Every file with its bytes, every folder.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut tree = BTreeMap::new();
        gather(self.folder.path(), &mut tree);
        tree
    }
}

fn gather(folder: &Path, tree: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            gather(&path, tree);
            tree.insert(path, None);
        } else {
            let bytes = fs::read(&path).expect("a file");
            tree.insert(path, Some(bytes));
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Waits for its end.
pub(crate) fn end(child: Child) -> Ran {
    Ran::from(child.wait_with_output().expect("the program ends"))
}

/// Sends a signal, such as `TERM`.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.expect("kill(1)").success(), "the process {} has ended before", child.id());
}

/// Waits until the sink took `count` messages, or the child ended: then `false`. The sink's file is all that there is to look at.
pub(crate) fn until_taken(sink: &Sink, count: usize, child: &mut Child) -> bool {
    loop {
        if sink.taken() >= count {
            return true;
        }
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The first line on standard error that holds `words`, without waiting for the end.
pub(crate) fn hears(child: &mut Child, words: &str) -> String {
    let mut err = child.stderr.take().expect("piped");
    let (mut heard, mut octet) = (Vec::new(), [0]);
    while err.read(&mut octet).expect("a pipe") > 0 {
        heard.push(octet[0]);
        let text = String::from_utf8_lossy(&heard);
        if octet[0] == b'\n'
            && let Some(line) = text.lines().find(|line| line.contains(words))
        {
            let line = line.to_owned();
            // What it says later has a place to go.
            child.stderr = Some(err);
            return line;
        }
    }
    panic!("it never said {words:?}: {}", String::from_utf8_lossy(&heard));
}

/// How many copies each recipient got. Panics where two copies of one mail differ.
pub(crate) fn copies(taken: &[Accepted]) -> BTreeMap<String, usize> {
    let mut first: BTreeMap<&str, &Accepted> = BTreeMap::new();
    let mut copies = BTreeMap::new();
    for line in taken {
        let known = first.entry(&line.rcpt).or_insert(line);
        assert_eq!(
            (&known.message_id, &known.sha256),
            (&line.message_id, &line.sha256),
            "{}: copies differ",
            line.rcpt
        );
        *copies.entry(line.rcpt.clone()).or_insert(0) += 1;
    }
    copies
}

/// Holds that each of `readers` got one copy, and nobody else anything.
#[track_caller]
pub(crate) fn everyone_once(sink: &Sink, readers: &[String]) {
    let copies = copies(&sink.accepted());
    let wrong: Vec<_> = readers.iter().filter(|reader| copies.get(*reader) != Some(&1)).collect();
    assert!(wrong.is_empty() && copies.len() == readers.len(), "not once: {wrong:?} of {copies:?}");
}
