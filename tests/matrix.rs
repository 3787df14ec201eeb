//! Whatever a server does wrong, at whatever stage, with and without PIPELINING and TLS: what the whole engine makes of it. The
//! ledger's rows, the copies that the server holds, and P1: nobody skipped, nobody mailed twice but where the reply never came.

use crate::support::database::Base;
use crate::support::edition::{self, edition, freeze, monday, people};
use crate::support::faulty::{Act, Fault, STAGES, Server, is_of_connection};
use crate::support::sink::{self, Farewell, Security, Sink};
use crate::support::{pipe, record};
use chrono::{DateTime, TimeDelta, Utc};
use postrider::address::EmailAddress;
use postrider::clock::Clock;
use postrider::delivery::{self, route::Route};
use postrider::dispatch::{Dispatch, End, Progress, Relays};
use postrider::message;
use postrider::random::Random;
use postrider::store::Store;
use postrider::store::editions::{Decided, Frozen, Variant};
use postrider::store::sql::Connection;
use postrider::transport::{Options, Password, Timeouts, Transport};
use rcgen::IsCa;
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const READERS: usize = 3;
/// Rounds until all must be settled.
const ROUNDS: usize = 4;
/// Cases that run at once. Most of their time is waiting.
const AT_ONCE: usize = 32;
/// How a message that meets no fault fares.
const WELL: &str = "dot 250 2.0.0 accepted";
/// Beyond what the sockets of both sides hold.
const LARGE: usize = 1_500_000;

/// What can be wrong; a case names one.
const FAULTS: &[&str] = &[
    "hang up",
    "reset",
    "silence",
    "421",
    "greylisted",
    "throttled",
    "deferred",
    "hard",
    "policy",
    "sender",
    "content",
    "mailbox",
    "plain refusal",
    "bad sequence",
    "garbage",
    "half a reply",
    "split reply",
    "two replies",
    "early reply",
    "wrong class",
    "unfinished reply",
    "line without end",
    "octets",
    "unasked",
];

/// One way to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mode {
    tls: Security,
    pipelining: bool,
}

impl Mode {
    fn all() -> impl Iterator<Item = Mode> {
        let both = |tls| [false, true].map(|pipelining| Mode { tls, pipelining });
        [Security::Clear, Security::StartTls, Security::Implicit].into_iter().flat_map(both)
    }

    fn words(self) -> [&'static str; 2] {
        let tls = match self.tls {
            Security::Clear => "clear",
            Security::StartTls => "starttls",
            Security::Implicit => "smtps",
        };
        [tls, if self.pipelining { "pipelined" } else { "stepwise" }]
    }
}

/// A file of `tests/corpus/faults`, in three parts with `---` between them.
///
/// First comments, and settings: `fault:` one of [`FAULTS`]; `modes:` words of which a mode has as many as it can (`clear`,
/// `starttls`, `smtps`; `pipelined`, `stepwise`), all modes where it is missing; `login:` the mechanism of AUTH; `large:` a
/// message that no socket holds whole; `address:` the second reader's.
///
/// Then the server, which behaves well but for this: `at STAGE`, `at STAGE of N`, `at STAGE of N, always`, N being the reader
/// (the second if it is not said), or for the stages of a connection the connection (the first); below it what is done there
/// instead: `say TEXT`, `send TEXT` without a line's end, `split TEXT` octet by octet, `keep` the message, `close`, `reset`,
/// `hang`. `\xHH` is an octet, `(long)` 20,000.
///
/// Last what is expected. `N: STATE, ATTEMPT; ATTEMPT` is a reader's row after the first round, accepted at once where it is
/// missing; an attempt is `STAGE CODE STATUS OUTCOME`. `end N:` is the row when all is settled: where it is missing, accepted by
/// one more attempt, unless it was settled before. `copies of N:` one if accepted and none if refused; `connections:` of the
/// first round, one; `run:` `drained`, or `halted` and words of the reason. `KEY in WORD:` holds in the modes that have the word.
struct Case {
    name: String,
    settings: Vec<(String, String)>,
    faults: Vec<Fault>,
    expected: Vec<(String, String)>,
}

impl Case {
    fn read(path: &Path) -> Case {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(path).expect("a case");
        let parts: Vec<Vec<&str>> = text
            .split("---\n")
            .map(|part| part.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect())
            .collect();
        let [settings, script, expected] = &parts[..] else { panic!("{name}: not three parts") };
        let pairs = |lines: &[&str]| -> Vec<(String, String)> {
            let pair = |line: &&str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
            lines.iter().map(|line| pair(line).unwrap_or_else(|| panic!("{name}: {line}"))).collect()
        };
        let case = Case { settings: pairs(settings), faults: faults(&name, script), expected: pairs(expected), name };
        case.check();
        case
    }

    /// What is misspelt would never be looked at.
    fn check(&self) {
        let Case { name, .. } = self;
        assert!(FAULTS.contains(&self.setting("fault").unwrap_or_default()), "{name}: no such fault");
        for (key, _) in &self.settings {
            assert!(
                ["fault", "modes", "login", "large", "address"].contains(&key.as_str()),
                "{name}: no setting {key}"
            );
        }
        let words: BTreeSet<&str> = Mode::all().flat_map(Mode::words).collect();
        for (key, _) in &self.expected {
            let (key, word) = key.split_once(" in ").unwrap_or((key, "clear"));
            assert!(words.contains(word), "{name}: no mode {word}");
            let reader = key.trim_start_matches("end ").trim_start_matches("copies of ");
            let known = ["connections", "run"].contains(&key) || ["1", "2", "3"].contains(&reader);
            assert!(known, "{name}: nothing is called {key}");
        }
        assert!(self.setting("modes").is_none_or(|modes| modes.split(' ').all(|word| words.contains(word))), "{name}");
        let differs = !self.faults.is_empty() || self.setting("address").is_some();
        assert!(self.modes().next().is_some() && differs, "{name}: runs nowhere");
    }

    fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn modes(&self) -> impl Iterator<Item = Mode> {
        let listed: Vec<&str> = self.setting("modes").into_iter().flat_map(|modes| modes.split(' ')).collect();
        let has = move |words: &[&str], word: &str| listed.contains(&word) || !words.iter().any(|w| listed.contains(w));
        Mode::all().filter(move |mode| {
            let [tls, way] = mode.words();
            has(&["clear", "starttls", "smtps"], tls) && has(&["pipelined", "stepwise"], way)
        })
    }

    /// What is written of it, first of all for this mode.
    fn expected(&self, key: &str, mode: Mode) -> Option<&str> {
        let find = |key: &str| self.expected.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        mode.words().iter().find_map(|word| find(&format!("{key} in {word}"))).or_else(|| find(key))
    }

    fn row(&self, reader: usize, mode: Mode) -> String {
        self.expected(&reader.to_string(), mode).map_or_else(|| format!("accepted, {WELL}"), str::to_owned)
    }

    fn row_at_end(&self, reader: usize, mode: Mode) -> String {
        if let Some(row) = self.expected(&format!("end {reader}"), mode) {
            return row.to_owned();
        }
        let row = self.row(reader, mode);
        match row.split_once(", ") {
            None if row == "queued" => format!("accepted, {WELL}"),
            Some(("queued" | "uncertain", attempts)) => format!("accepted, {attempts}; {WELL}"),
            _ => row,
        }
    }

    fn copies(&self, reader: usize, mode: Mode) -> usize {
        match self.expected(&format!("copies of {reader}"), mode) {
            Some(number) => number.parse().expect("a number"),
            None => usize::from(self.row_at_end(reader, mode).starts_with("accepted")),
        }
    }
}

fn faults(name: &str, script: &[&str]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for line in script {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        if verb == "at" {
            let (rest, always) = rest.strip_suffix(", always").map_or((rest, false), |rest| (rest, true));
            let (stage, of) = rest.split_once(" of ").unwrap_or((rest, ""));
            assert!(STAGES.contains(&stage), "{name}: no stage {stage}");
            let of = of.parse().unwrap_or(if is_of_connection(stage) { 1 } else { 2 });
            faults.push(Fault { stage: stage.to_owned(), of, always, does: Vec::new() });
            continue;
        }
        let act = match verb {
            "say" => Act::Say([unescaped(rest), b"\r\n".to_vec()].concat()),
            "send" => Act::Say(unescaped(rest)),
            "split" => Act::Split([unescaped(rest), b"\r\n".to_vec()].concat()),
            "keep" => Act::Keep,
            "close" => Act::Close,
            "reset" => Act::Reset,
            "hang" => Act::Hang,
            _ => panic!("{name}: {line}"),
        };
        faults.last_mut().unwrap_or_else(|| panic!("{name}: at which stage?")).does.push(act);
    }
    faults
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let long = |text: &str| text.replace("(long)", &"x".repeat(20_000));
    let mut out = long(parts.next().unwrap_or_default()).into_bytes();
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        out.extend_from_slice(long(&part[2..]).as_bytes());
    }
    out
}

// ---- the stores

/// A store with three readers and an edition that is due; each case works on a copy.
struct Pattern {
    folder: tempfile::TempDir,
}

impl Pattern {
    fn new(octets: usize) -> Self {
        let base = Base::in_folder(tempfile::tempdir().expect("a folder"));
        let store = base.open();
        people(&store, READERS, &Random::seeded(1));
        assert_eq!(freeze(&store, &due(octets)), Decided::Now(READERS as u64));
        drop(store);
        // They are claimed in this order, and MAIL FROM shows the number.
        base.change(
            "UPDATE deliveries SET id = 'd' || (SELECT COUNT(*) FROM deliveries d WHERE d.rowid <= deliveries.rowid)",
        );
        Pattern { folder: base.folder }
    }

    fn copy(&self) -> Base {
        let folder = memory();
        assert!(!self.folder.path().join("postrider.db-wal").exists(), "nobody has it open");
        fs::copy(self.folder.path().join("postrider.db"), folder.path().join("postrider.db")).expect("a copy");
        Base::in_folder(folder)
    }
}

/// In memory where that can be had: nothing here is about the disk, and it is the disk that takes the time.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

pub(crate) fn due(octets: usize) -> Frozen {
    let head = "From: News <news@example.org>\r\n\u{3}Subject: News\r\nDate: \u{4}\r\nMessage-ID: <\u{5}@example.org>\r\n\
         List-Unsubscribe: <https://example.org/unsubscribe/\u{1}>\r\n\r\n";
    let body = "What was seen that day.\r\n.and a dot\r\n".to_owned() + &"0123456\r\n".repeat(octets / 9) + "\u{2}\r\n";
    let frozen = edition("weekly/1", monday());
    let variant = Variant { message: head.to_owned() + &body, ..frozen.variants[0].clone() };
    Frozen { variants: vec![variant], ..frozen }
}

pub(crate) fn mail() -> message::Settings {
    message::Settings {
        from: "News <news@example.org>".parse().expect("a mailbox"),
        reply_to: None,
        postal_address: None,
        transport: "outbox:outbox".to_owned(),
        password: None,
        report_to: None,
        bounces: Some(EmailAddress::parse("bounces@example.org").expect("an address")),
        dkim: Vec::new(),
    }
}

fn dispatch(
    store: &Store,
    transport: &Transport,
    settings: &delivery::Settings,
    now: DateTime<Utc>,
) -> (End, [i64; 4]) {
    let random = Random::seeded(4);
    let progress = Progress::default();
    let dispatched = Dispatch {
        store,
        relays: &Relays::sole(transport.clone(), settings.connections),
        remote: None,
        settings,
        mail: &mail(),
        keyring: &store.keyring(&[], &random).expect("a secret"),
        signer: &message::Signer::none(),
        clock: Clock::starting_at(now),
        random: &random,
        stop: &AtomicBool::new(false),
        progress: &progress,
        wait: TimeDelta::zero(),
    }
    .run()
    .expect("the store works");
    let Progress { accepted, deferred, refused, unknown } = progress;
    (dispatched.end, [accepted, deferred, refused, unknown].map(|count| count.into_inner()))
}

/// The rows of the ledger, as the cases write them.
fn rows(base: &Base) -> Vec<String> {
    let mut connection = base.connection();
    (1..=READERS).map(|reader| row(&mut connection, &format!("d{reader}"))).collect()
}

fn row(connection: &mut Connection, id: &str) -> String {
    let sql = "SELECT state, CASE WHEN EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = d.hash) THEN ' suppressed' ELSE '' END \
         FROM deliveries d WHERE id = $1";
    let row = connection.query_one(sql, &[id.into()]).expect("a query").expect("a row");
    let state = row.text(0).expect("a state") + &row.text(1).expect("a word");
    let sql = "SELECT COALESCE(stage, '?'), COALESCE(code, 0), COALESCE(' ' || status, ''), COALESCE(outcome, '?') \
         FROM attempts WHERE delivery = $1 ORDER BY number";
    let attempts = connection.query(sql, &[id.into()]).expect("a query");
    let attempt = |row: &postrider::store::sql::Row| {
        let text = |column| row.text(column).expect("a text");
        let code = row.int(1).expect("a number");
        let code = if code == 0 { "silence".to_owned() } else { code.to_string() };
        format!("{} {code}{} {}", text(0), text(2), text(3))
    };
    let attempts: Vec<String> = attempts.iter().map(attempt).collect();
    if attempts.is_empty() { state } else { format!("{state}, {}", attempts.join("; ")) }
}

// ---- one case

struct Stage<'a> {
    folder: &'a Path,
    config: &'a Arc<ServerConfig>,
    small: &'a Pattern,
    large: &'a Pattern,
}

/// Runs a case in one mode; what went otherwise than written.
fn play(case: &Case, mode: Mode, stage: &Stage<'_>) -> Vec<String> {
    let base = if case.setting("large").is_some() { stage.large } else { stage.small }.copy();
    if let Some(address) = case.setting("address") {
        base.change(&format!("UPDATE deliveries SET address = '{address}' WHERE id = 'd2'"));
    }
    let store = base.open();
    let login = case.setting("login");
    let server = Server::new(&case.faults, mode.tls, stage.config, mode.pipelining, login);
    let mut wrong = Vec::new();
    let mut compare = |what: &str, wanted: String, got: String| {
        if wanted != got {
            wrong.push(format!("{} {:?}: {what}\n  wanted {wanted}\n  got    {got}", case.name, mode.words()));
        }
    };
    let settings = delivery::Settings { connections: 1, ..delivery::Settings::default() };
    let mut now = monday();
    for round in 1..=ROUNDS {
        let end = {
            let house = House::new(if round == 1 { &case.faults } else { &[] });
            let silent = case.faults.iter().filter(|fault| round == 1 || fault.always).find(|fault| fault.is_silent());
            let transport =
                open(mode, login, house.port, stage.folder, timeouts(silent, case.setting("large").is_some()));
            thread::scope(|scope| {
                if let Door::Open(listener) = &house.door {
                    scope.spawn(|| server.serve(listener));
                }
                let (end, _) = dispatch(&store, &transport, &settings, now);
                if let Door::Open(_) = &house.door {
                    server.end(house.port);
                }
                end
            })
        };
        if round == 1 {
            let wanted = case.expected("run", mode).unwrap_or("drained");
            let got = match (&end, wanted.strip_prefix("halted ")) {
                (End::Halted(why), Some(words)) if why.contains(words) => wanted.to_owned(),
                (End::Halted(why), _) => format!("halted {why}"),
                (end, _) => format!("{end:?}").to_lowercase(),
            };
            compare("the first run", wanted.to_owned(), got);
            let connections = case.expected("connections", mode).unwrap_or("1").to_owned();
            compare("connections", connections, server.connections().to_string());
            for (reader, row) in rows(&base).into_iter().enumerate() {
                compare(&format!("reader {}", reader + 1), case.row(reader + 1, mode), row);
            }
        }
        now += TimeDelta::hours(1);
        if !rows(&base).iter().any(|row| ["queued", "uncertain", "sending"].iter().any(|state| row.starts_with(state)))
        {
            break;
        }
    }
    compare("the script", "played".to_owned(), if server.has_struck() { "played" } else { "not played" }.to_owned());
    let taken = server.copies();
    for (reader, row) in rows(&base).into_iter().enumerate() {
        let reader = reader + 1;
        let address = base.look(&format!("SELECT address FROM deliveries WHERE id = 'd{reader}'"));
        let copies: Vec<&Vec<u8>> = taken.iter().filter(|(to, _)| *to == address).map(|(_, bytes)| bytes).collect();
        compare(&format!("copies of {reader}"), case.copies(reader, mode).to_string(), copies.len().to_string());
        // P1, whatever the case says.
        let doubts = row.matches("unknown").count();
        let least = usize::from(row.starts_with("accepted"));
        let fits = (least..=least + doubts).contains(&copies.len()) && !row.starts_with("sending");
        compare(
            &format!("P1 for {reader}: {row}, {} copies", copies.len()),
            "kept".into(),
            if fits { "kept" } else { "broken" }.into(),
        );
        // P2: the same bytes, so the same Message-ID.
        let alike = copies.iter().all(|copy| *copy == copies[0] && holds(copy, &format!("Message-ID: <d{reader}@")));
        compare(&format!("bytes for {reader}"), "the same".into(), if alike { "the same" } else { "differ" }.into());
        compare(&format!("reader {reader} at the end"), case.row_at_end(reader, mode), row);
    }
    wrong
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Where the server is to be found in one round.
struct House {
    port: u16,
    door: Door,
}

enum Door {
    Open(TcpListener),
    /// Bound, so that nobody else moves in, and not listening.
    Closed(#[expect(dead_code, reason = "held for its port")] Socket),
    /// Listening, with a queue that is full and that nobody takes in.
    Full(
        #[expect(dead_code, reason = "held for its port")] TcpListener,
        #[expect(dead_code, reason = "the queue")] Vec<TcpStream>,
    ),
}

impl House {
    fn new(faults: &[Fault]) -> House {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // Small, so that what a large message overflows is the same on every machine.
        socket.set_recv_buffer_size(64 * 1024).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("bound").as_socket().expect("an address");
        let door = match faults.iter().find(|fault| fault.stage == "connect").map(|fault| &fault.does[..]) {
            Some([Act::Close]) => Door::Closed(socket),
            Some([Act::Hang]) => {
                socket.listen(0).expect("a port of our own");
                let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
                Door::Full(socket.into(), std::iter::from_fn(knock).collect())
            }
            Some(other) => panic!("{other:?} is nothing that a server can do before it is connected"),
            None => {
                socket.listen(128).expect("a port of our own");
                Door::Open(socket.into())
            }
        };
        House { port: address.port(), door }
    }
}

/// Long, but for the step in which the server is silent: a slow machine shall make no faults of its own.
fn timeouts(silent: Option<&Fault>, large: bool) -> Timeouts {
    let (long, short) = (Duration::from_secs(20), Duration::from_secs(1));
    let mut timeouts =
        Timeouts { connect: long, greeting: long, command: long, data: long, body: long, dot: long, quit: long };
    let step = match silent.map(|fault| fault.stage.as_str()) {
        None => return timeouts,
        Some("connect" | "handshake") => &mut timeouts.connect,
        Some("greeting" | "ehlo") => {
            // One step for us.
            timeouts.command = short / 2;
            timeouts.greeting = short / 2;
            return timeouts;
        }
        Some("data") => &mut timeouts.data,
        Some("body" | "middle") if large => &mut timeouts.body,
        Some("body" | "middle" | "end" | "dot") => &mut timeouts.dot,
        Some("quit") => &mut timeouts.quit,
        Some(_) => &mut timeouts.command,
    };
    *step = if large { short * 3 } else { short };
    timeouts
}

fn open(mode: Mode, login: Option<&str>, port: u16, folder: &Path, timeouts: Timeouts) -> Transport {
    let user = if login.is_some() { "ada@" } else { "" };
    let route = match mode.tls {
        Security::Clear => format!("smtp://{user}127.0.0.1:{port}?tls=none"),
        Security::StartTls => format!("smtp://{user}127.0.0.1:{port}?tls=required&ca=cert.pem"),
        Security::Implicit => format!("smtps://{user}127.0.0.1:{port}?ca=cert.pem"),
    };
    let route: Route = route.parse().expect("a route");
    let password = login.map(|_| Password::new("secret"));
    Transport::open(&route, Options { root: folder, password, helo: Some("me.example".into()), timeouts })
        .expect("it opens")
}

/// What runs: every case of the corpus in each of its modes.
fn cases() -> Vec<Case> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/faults");
    let mut files: Vec<PathBuf> = fs::read_dir(corpus).expect("it").map(|entry| entry.expect("it").path()).collect();
    files.sort();
    let only = env::var("POSTRIDER_CASE").unwrap_or_default();
    files.iter().map(|file| Case::read(file)).filter(|case| case.name.contains(&only)).collect()
}

#[test]
fn every_fault_at_every_stage_is_accounted_for() {
    let cases = cases();
    let folder = tempfile::tempdir().unwrap();
    pipe::write_certificate(folder.path(), &["localhost", "127.0.0.1"], IsCa::NoCa);
    let (small, large) = (Pattern::new(900), Pattern::new(LARGE));
    let stage =
        Stage { folder: folder.path(), config: &pipe::server_config(folder.path()), small: &small, large: &large };
    // Half of its modes, so that each case and each mode has its turn; all of them in the long tests.
    let whole = ["POSTRIDER_MATRIX", "POSTRIDER_CASE"].iter().any(|variable| env::var_os(variable).is_some());
    let runs = cases.iter().enumerate().flat_map(|(number, case)| {
        let modes: Vec<Mode> = case.modes().collect();
        let whole = whole || modes.len() == 1;
        let due = modes.into_iter().enumerate().filter(move |(nth, _)| whole || (number + nth + nth / 2) % 2 == 0);
        due.map(move |(_, mode)| (case, mode))
    });
    let runs: Vec<(&Case, Mode)> = runs.collect();
    let (next, ran, wrong) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((case, mode)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = play(case, *mode, &stage);
                    wrong.lock().unwrap().extend(found);
                    let at = case.faults.last().map_or("mail", |fault| fault.stage.as_str());
                    ran.lock().unwrap().insert((at, case.setting("fault"), *mode));
                }
            });
        }
    });
    let wrong: Vec<String> = wrong.into_inner().unwrap().into_iter().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let ran = ran.into_inner().unwrap();
    record::count("matrix.cases", runs.len());
    record::count("matrix.combinations", ran.len());
    let few = env::var_os("POSTRIDER_CASE").is_some();
    assert!(few || ran.len() >= 200, "only {} combinations of stage, fault, PIPELINING and TLS", ran.len());
}

// ---- many messages

/// An edition for these, and the way to a sink.
fn many(readers: &[String], sink: &Sink) -> (Store, Base, Transport) {
    let base = Base::in_folder(memory());
    let store = base.open();
    let rows: Vec<_> = readers.iter().map(|reader| edition::row(reader)).collect();
    store.import(&rows, "import", &Random::seeded(1), monday() - TimeDelta::days(1)).unwrap();
    assert_eq!(freeze(&store, &due(900)), Decided::Now(readers.len() as u64));
    let mode = Mode { tls: Security::Clear, pipelining: true };
    let transport = open(mode, None, sink.port(), base.folder.path(), timeouts(None, false));
    (store, base, transport)
}

/// One in a hundred does not exist. `POSTRIDER_REFUSALS` says of how many; in a row they would stop the run.
#[test]
fn refusals_cost_no_connection() {
    let count = record::number("POSTRIDER_REFUSALS").unwrap_or(1_100) as usize;
    for pipelining in [true, false] {
        let connections = [None, Some("5.1.1"), Some("550")].map(|refused| {
            let folder = tempfile::tempdir().unwrap();
            let sink = Sink::here(sink::Settings { pipelining, ..sink::Settings::in_folder(folder.path()) });
            let local = |n: usize| refused.filter(|_| n % 100 == 50).unwrap_or("ok");
            let readers: Vec<String> = (0..count).map(|n| format!("{}+{n}@sink.test", local(n))).collect();
            let (store, _base, transport) = many(&readers, &sink);
            let settings = delivery::Settings { connections: 1, ..delivery::Settings::default() };
            let (end, [accepted, deferred, gone, unknown]) = dispatch(&store, &transport, &settings, monday());
            let wanted = if refused.is_some() { readers.iter().filter(|r| !r.starts_with("ok")).count() } else { 0 };
            assert_eq!((end, gone as usize), (End::Drained, wanted));
            assert_eq!((accepted as usize, deferred, unknown, sink.taken()), (count - wanted, 0, 0, count - wanted));
            sink.connections()
        });
        assert_eq!(connections, [connections[0]; 3], "pipelining: {pipelining}");
        assert_eq!(connections[0] as usize, count.div_ceil(1_000), "pipelining: {pipelining}");
    }
    record::count("matrix.refusals", count / 100);
}

/// Servers count the messages of a connection, and end it at the next.
#[test]
fn a_server_that_ends_each_connection_after_a_few_messages_costs_nobody_a_try() {
    const PEOPLE: usize = 210;
    let ways = [Farewell::Says421, Farewell::HangsUp].map(|farewell| [(farewell, true), (farewell, false)]);
    for (farewell, pipelining) in ways.into_iter().flatten() {
        for most in [1, 7] {
            let folder = tempfile::tempdir().unwrap();
            let farewell = Some((most, farewell));
            let sink = Sink::here(sink::Settings { pipelining, farewell, ..sink::Settings::in_folder(folder.path()) });
            let readers: Vec<String> = (0..PEOPLE).map(|n| format!("ok+{n}@sink.test")).collect();
            let (store, base, transport) = many(&readers, &sink);
            let ended = dispatch(&store, &transport, &delivery::Settings::default(), monday());
            assert_eq!(ended, (End::Drained, [PEOPLE as i64, 0, 0, 0]), "{farewell:?}, pipelining: {pipelining}");
            assert_eq!(base.look("SELECT COUNT(*) FROM attempts"), PEOPLE.to_string());
            assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state <> 'accepted' OR attempts <> 1"), "0");
            assert_eq!(sink.taken(), PEOPLE);
            assert!(sink.connections() as usize >= PEOPLE / most, "{farewell:?}");
        }
    }
}
