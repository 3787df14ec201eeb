//! Promise P2 as the kernel saw it: before the first octet of a body leaves on a socket, the write that made its delivery Sending
//! has been synced. strace writes down the calls; nothing of ours is asked.

use crate::support::record;
use crate::support::shim;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Site, everyone_once, readers};
use postrider::store::sql::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// More than any one write of a run.
const LONGEST: &str = "200000";

/// One call, as far as it matters here.
#[derive(Debug)]
enum Call {
    /// Into a file or a socket, which is named. Counted from its beginning.
    Wrote(String, Vec<u8>),
    /// A sync of a file has begun, or has returned. With its thread.
    Syncs(String, u64),
    Synced(u64),
}

/// Reads what strace wrote down with `-f -yy -xx`.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    // Threads whose sync has not returned.
    let mut syncing = BTreeSet::new();
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').expect("a thread's id comes first");
        let (thread, rest) = (thread.parse().unwrap_or(0), rest.trim_start());
        if rest.starts_with("<...") {
            // A failed sync ends with an error's name behind -1.
            if syncing.remove(&thread) && rest.contains("resumed") && rest.trim_end().ends_with("= 0") {
                calls.push(Call::Synced(thread));
            }
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        match name {
            "fsync" | "fdatasync" => {
                calls.push(Call::Syncs(target(arguments), thread));
                match rest.contains("<unfinished") {
                    true => _ = syncing.insert(thread),
                    false if rest.trim_end().ends_with("= 0") => calls.push(Call::Synced(thread)),
                    false => {}
                }
            }
            "write" | "pwrite64" | "writev" | "pwritev" | "sendto" | "sendmsg" | "sendmmsg" => {
                calls.push(Call::Wrote(target(arguments), octets(arguments)));
            }
            _ => {}
        }
    }
    calls
}

/// The name in angle brackets behind the first argument; of a socket, as far as its own address and port.
fn target(arguments: &str) -> String {
    let name = arguments.split_once('<').map_or("", |(_, name)| name.split('>').next().unwrap_or_default());
    // With -xx names are in hexadecimal, too.
    String::from_utf8_lossy(&unescaped(name)).into_owned()
}

/// All strings of the arguments, one behind the other.
fn octets(arguments: &str) -> Vec<u8> {
    assert!(!arguments.contains("\"..."), "strace cut a write short");
    arguments.split('"').skip(1).step_by(2).flat_map(unescaped).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("hexadecimal");
                octets.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
                after
            }
            _ => {
                octets.push(*first);
                after
            }
        };
    }
    octets
}

/// When each delivery's intent was on the disk; when the first octet of each body left. Both as places in `calls`.
struct Seen {
    durable: BTreeMap<String, usize>,
    bodies: BTreeMap<String, usize>,
}

/// What a client said on one connection, and where in it which write begins.
type Said = (Vec<u8>, Vec<(usize, usize)>);

/// `intents`: by address, the octets that a row holds once it is Sending.
fn seen(calls: &[Call], intents: &BTreeMap<String, Vec<u8>>) -> Seen {
    let mut written: BTreeMap<&String, usize> = BTreeMap::new();
    let mut durable = BTreeMap::new();
    // From where on a running sync keeps what was written before.
    let mut syncing: HashMap<u64, usize> = HashMap::new();
    let mut sockets: BTreeMap<&String, Said> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        match call {
            Call::Wrote(to, octets) if to.ends_with("-wal") => {
                for address in held(octets, intents) {
                    written.entry(address).or_insert(at);
                }
            }
            Call::Wrote(to, octets) if to.contains("TCP") => {
                let (stream, writes) = sockets.entry(to).or_default();
                writes.push((stream.len(), at));
                stream.extend_from_slice(octets);
            }
            Call::Syncs(of, thread) if of.ends_with("-wal") => _ = syncing.insert(*thread, at),
            Call::Synced(thread) => {
                if let Some(from) = syncing.remove(thread) {
                    for (address, _) in written.iter().filter(|(_, write)| **write < from) {
                        durable.entry((*address).clone()).or_insert(at);
                    }
                }
            }
            Call::Wrote(..) | Call::Syncs(..) => {}
        }
    }
    let mut bodies = BTreeMap::new();
    for (stream, writes) in sockets.values() {
        for (start, body) in bodies_of(stream) {
            let to = body.lines().find_map(|line| line.strip_prefix("To: ")).expect("each mail says whom it is to");
            let (_, at) = writes.iter().rev().find(|(from, _)| *from <= start).expect("it was written");
            bodies.insert(to.trim().trim_matches(['<', '>']).to_owned(), *at);
        }
    }
    Seen { durable, bodies }
}

/// Those whose row is in these octets. The last word of a row that is Sending is looked for first: it is rare.
fn held<'a>(octets: &[u8], intents: &'a BTreeMap<String, Vec<u8>>) -> BTreeSet<&'a String> {
    let last = b"sending";
    let ends = (last.len()..=octets.len()).filter(|end| octets[..*end].ends_with(last));
    let rows = ends.flat_map(|end| intents.iter().filter(move |(_, row)| octets[..end].ends_with(row)));
    rows.map(|(address, _)| address).collect()
}

/// The bodies in what a client said, each with where it begins.
fn bodies_of(stream: &[u8]) -> Vec<(usize, String)> {
    let find = |from: usize, sought: &[u8]| {
        let found = stream[from..].windows(sought.len()).position(|some| some == sought);
        found.map(|at| from + at + sought.len())
    };
    let (mut bodies, mut from) = (Vec::new(), 0);
    while let Some(start) = find(from, b"DATA\r\n") {
        let Some(end) = find(start, b"\r\n.\r\n") else { break };
        bodies.push((start, String::from_utf8_lossy(&stream[start..end]).into_owned()));
        from = end;
    }
    bodies
}

/// The row of a delivery in the state sending, as SQLite writes it: one column behind the other.
fn intents(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut connection = Connection::sqlite(store).expect("a store");
    let rows = connection.query("SELECT address, hash, COALESCE(name, '') FROM deliveries", &[]).expect("deliveries");
    let intent = |row: &postrider::store::sql::Row| {
        let column = |at| row.text(at).expect("a text");
        (column(0), format!("{}{}{}sending", column(0), column(1), column(2)).into_bytes())
    };
    rows.iter().map(intent).collect()
}

#[test]
fn no_body_leaves_before_its_intent_is_on_the_disk() {
    if !shim::is_there("strace") {
        return shim::missing("order", "strace");
    }
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let readers = readers(100);
    let site = Site::new(Plan::to(&sink), &readers);
    let trace = folder.path().join("trace");
    let run = site.command(NOON, &["run", "--quiet"]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-yy", "-xx", "-s", LONGEST, "-e", "signal=none", "-e"]);
    strace.arg("trace=fsync,fdatasync,write,pwrite64,writev,pwritev,sendto,sendmsg,sendmmsg,sendfile,io_uring_enter");
    strace.arg("-o").arg(&trace).arg(run.get_program()).args(run.get_args());
    let ran =
        strace.current_dir(run.get_current_dir().expect("the site")).stdin(Stdio::null()).output().expect("strace");
    assert!(ran.status.success(), "{ran:?}");
    everyone_once(&sink, &readers);

    let trace = fs::read_to_string(&trace).expect("a trace");
    assert!(
        !trace.contains("sendfile(") && !trace.contains("io_uring_enter("),
        "there is a way out that is not watched"
    );
    let calls = calls(&trace);
    let intents = intents(&site.path("postrider.db"));
    let Seen { durable, bodies } = seen(&calls, &intents);
    assert_eq!((bodies.len(), durable.len()), (readers.len(), readers.len()));
    let early: Vec<_> = bodies.iter().filter(|(to, left)| durable[*to] > **left).collect();
    assert!(early.is_empty(), "{} bodies left before their intent was durable: {early:?}", early.len());
    record::count("order.bodies", bodies.len());
    // What was read so must be able to fail.
    let mut late = calls;
    late.retain(|call| !matches!(call, Call::Synced(_)));
    assert_eq!(seen(&late, &intents).durable.len(), 0);
}

#[test]
fn a_body_that_runs_ahead_is_seen() {
    let intents = BTreeMap::from([("a@b.test".to_owned(), b"a@b.testHASHsending".to_vec())]);
    let row = "\\x61@b.testHASHsending";
    let body = "DATA\\x0d\\x0aTo: a@b.test\\x0d\\x0a\\x0d\\x0aText\\x0d\\x0a.\\x0d\\x0a";
    let wal = "1 pwrite64(5</s/p.db-wal>, \"ROW\", 9, 0) = 9\n".replace("ROW", row);
    let send = "2 sendto(7<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"BODY\", 9, 0, NULL, 0) = 9\n".replace("BODY", body);
    let (begins, ends) = ("1 fdatasync(5</s/p.db-wal> <unfinished ...>\n", "1 <... fdatasync resumed>) = 0\n");
    let whole = "1 fdatasync(5</s/p.db-wal>) = 0\n";
    for (trace, early) in [
        ([wal.as_str(), whole, &send, ""], false),
        ([&wal, begins, ends, &send], false),
        ([&wal, begins, &send, ends], true),
        ([begins, &wal, ends, &send], true),
        ([&wal, &send, whole, ""], true),
        ([&wal, "1 fdatasync(5</s/p.db-wal>) = -1 EIO (error)\n", &send, ""], true),
        ([&wal, "1 fdatasync(6</s/p.db>) = 0\n", &send, ""], true),
    ] {
        let Seen { durable, bodies } = seen(&calls(&trace.concat()), &intents);
        let seen = durable.get("a@b.test").is_none_or(|durable| *durable > bodies["a@b.test"]);
        assert_eq!(seen, early, "{trace:?}");
    }
}
