//! Each store test on both databases: a SQLite file always, PostgreSQL where it is.
//!
//! `TEST_DATABASE_URL` names a server; else a cluster of our own is started once for the whole binary and ends with it, however
//! it ends. Every test gets a database of its own. With `POSTRIDER_REQUIRE_POSTGRES=1` a missing PostgreSQL is a failure;
//! the file named by `POSTRIDER_POSTGRES_COUNT` says how many test bodies ran on it.

use postrider::store::sql::Connection;
use postrider::store::{Mode, Place, Store};
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A place for a store, empty at first, and a folder of the test's own.
pub(crate) struct Base {
    pub(crate) place: Place,
    pub(crate) folder: tempfile::TempDir,
}

impl Base {
    /// On a SQLite file there.
    pub(crate) fn in_folder(folder: tempfile::TempDir) -> Self {
        Base { place: Place::File(folder.path().join("postrider.db")), folder }
    }

    /// Opens the store; a second time gives a second handle.
    pub(crate) fn open(&self) -> Store {
        Store::open(&self.place, Mode::Create).expect("the store opens")
    }

    /// An older store: of so many migrations, with these rows.
    pub(crate) fn of_version(&self, version: u32, rows: &str) {
        let mut connection = self.connection();
        for number in 1..=version {
            let path = format!("{}/src/store/migrations/{number:04}.sql", env!("CARGO_MANIFEST_DIR"));
            connection.batch(&fs::read_to_string(path).expect("a migration")).expect("it is done");
        }
        connection
            .batch(&format!("INSERT INTO meta (key, value) VALUES ('version', '{version}'); {rows}"))
            .expect(rows);
    }

    /// A connection beside the store's own, to look at what no command shows.
    pub(crate) fn connection(&self) -> Connection {
        match &self.place {
            Place::File(path) => Connection::sqlite(path),
            Place::Server(url) => Connection::postgres(url),
            Place::Memory => unreachable!("no test asks for it"),
        }
        .expect("it connects")
    }

    /// As `[store] url` says it.
    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::File(path) => format!("sqlite:{}", path.display()),
            Place::Server(url) => url.clone(),
            Place::Memory => unreachable!("no test asks for it"),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// One text or number out of the database.
    pub(crate) fn look(&self, sql: &str) -> String {
        let row = self.connection().query_one(sql, &[]).expect(sql).expect("a row");
        row.text(0).or_else(|_| row.int(0).map(|int| int.to_string())).unwrap_or_else(|_| "null".to_owned())
    }

    pub(crate) fn change(&self, sql: &str) {
        self.connection().execute(sql, &[]).expect(sql);
    }
}

/// Runs `body` on a SQLite file, and on PostgreSQL where it is.
pub(crate) fn every_store(body: impl Fn(&Base)) {
    body(&Base::in_folder(tempfile::tempdir().expect("a folder")));
    if let Some(server) = server() {
        let database = Database::create(server);
        let folder = tempfile::tempdir().expect("a folder");
        body(&Base { place: Place::Server(database.url()), folder });
        count();
    }
}

/// Runs `body` on two places, each a SQLite file or PostgreSQL where it is: both ways, and between two of a kind.
pub(crate) fn every_two(body: impl Fn(&Base, &Base)) {
    let file = || Base::in_folder(tempfile::tempdir().expect("a folder"));
    body(&file(), &file());
    if let Some(server) = server() {
        let databases = [Database::create(server), Database::create(server)];
        let [one, other] = databases.each_ref().map(|database| {
            let folder = tempfile::tempdir().expect("a folder");
            Base { place: Place::Server(database.url()), folder }
        });
        body(&file(), &one);
        body(&other, &file());
        for base in [&one, &other] {
            base.connection().batch("DROP SCHEMA public CASCADE; CREATE SCHEMA public").expect("it is empty again");
        }
        body(&one, &other);
        count();
    }
}

struct Database<'a> {
    server: &'a str,
    name: String,
}

impl<'a> Database<'a> {
    fn create(server: &'a str) -> Self {
        static NUMBER: Mutex<u32> = Mutex::new(0);
        let mut number = NUMBER.lock().unwrap_or_else(PoisonError::into_inner);
        *number += 1;
        let name = format!("postrider_test_{}_{number}", std::process::id());
        // One at a time: each copies the template, which PostgreSQL wants for itself.
        Connection::postgres(server).expect("a server").batch(&format!("CREATE DATABASE {name}")).expect("a database");
        Database { server, name }
    }

    fn url(&self) -> String {
        let mut url = url::Url::parse(self.server).expect("a URL");
        url.set_path(&self.name);
        url.to_string()
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // What a failed test leaves open goes too; and where this fails, the cluster goes with the process.
        if let Ok(mut server) = Connection::postgres(self.server) {
            let _ = server.batch(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

fn count() {
    static COUNT: Mutex<u32> = Mutex::new(0);
    let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
    *count += 1;
    if let Ok(path) = env::var("POSTRIDER_POSTGRES_COUNT") {
        fs::write(path, count.to_string()).expect("POSTRIDER_POSTGRES_COUNT names a file");
    }
}

fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<(String, Option<Child>)>> = OnceLock::new();
    let started = SERVER.get_or_init(|| match env::var("TEST_DATABASE_URL") {
        Ok(url) => Some((url, None)),
        Err(_) => match binaries() {
            Some(binaries) => Some(start(&binaries)).map(|(url, guard)| (url, Some(guard))),
            None => {
                let wanted = env::var("POSTRIDER_REQUIRE_POSTGRES").is_ok_and(|v| v == "1");
                assert!(!wanted, "POSTRIDER_REQUIRE_POSTGRES=1, and PostgreSQL is not installed");
                // Past the harness, which shows only what failed tests say.
                let _ = writeln!(io::stderr(), "PostgreSQL is not installed: the store is tested on SQLite alone");
                None
            }
        },
    });
    started.as_ref().map(|(url, _)| url.as_str())
}

/// The folder of the newest PostgreSQL's programs.
pub(crate) fn binaries() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter_map(|path| Some((version(&path)?, path.join("bin"))))
        .collect();
    found.sort();
    let in_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let folders = found.into_iter().rev().map(|(_, folder)| folder).chain(in_path);
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

/// Ignores a Ctrl-C, since it must outlive us: its standard input ends when we do, however that is, and then it clears up.
const GUARD: &str = r#"
trap '' INT TERM HUP
"$1/initdb" -D "$2/data" -A trust -U postgres -E UTF8 --locale=C >"$2/log" 2>&1 &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -w -t 60 \
  -o "-p $3 -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200" start >>"$2/log" 2>&1 &&
echo ready || tail -n 5 "$2/log"
cat >/dev/null
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1
rm -rf "$2"
"#;

fn start(binaries: &Path) -> (String, Child) {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let mut guard = Command::new("sh");
    if fs::metadata(&folder).expect("just made").uid() == 0 {
        // PostgreSQL refuses to run as root.
        let (user, group) = unprivileged();
        chown(&folder, Some(user), Some(group)).expect("root may");
        guard = Command::new("setpriv");
        guard.args([format!("--reuid={user}"), format!("--regid={group}")]).args(["--clear-groups", "sh"]);
    }
    guard.args(["-c", GUARD, "guard"]).arg(binaries).arg(&folder).arg(port.to_string());
    guard.current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut guard = guard.spawn().expect("sh runs");
    let said = BufReader::new(guard.stdout.take().expect("piped")).lines().map_while(Result::ok).next();
    assert_eq!(said.as_deref(), Some("ready"), "PostgreSQL does not start");
    (format!("postgres://postgres@127.0.0.1:{port}/postgres"), guard)
}

/// The user and group of `postgres`, else of `nobody`.
pub(crate) fn unprivileged() -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").expect("a Unix");
    let ids = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
        Some((ids.next()??, ids.next()??))
    };
    ids("postgres").or_else(|| ids("nobody")).expect("a user who is not root")
}

#[test]
fn the_databases_that_are_there_are_used() {
    every_store(|base| {
        base.open();
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), "0");
    });
}
