//! `serve` for weeks, by a clock that runs fast, as a process of its own: posts come, the clock is set and the machine sleeps, the mail
//! server is away for two days, the disk is full and empties again. Nobody is skipped, nobody is mailed twice, and nothing grows that
//! is not kept. `POSTRIDER_DAYS` says how many days it goes on.

use crate::support::record::{count, number};
use crate::support::shim;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{Plan, Site, readers};
use chrono::{DateTime, Utc};
use postrider::cli::{self, Signals};
use postrider::clock::Clock;
use postrider::store::sql::Connection;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use std::{env, fs, process, thread};

const VARIABLE: &str = "POSTRIDER_TEST_MONTH";
const OWN_DISK: &str = "POSTRIDER_TEST_OWN_DISK";
/// A day takes two seconds.
const SPEED: u32 = 43_200;
const START: &str = "2026-11-01T06:00:00Z";
const READERS: usize = 20;

/// What happens at the beginning of a day, other than a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The clock is set, by so many hours; or the machine slept so long, which is the same to us.
    Set(i64),
    /// Nobody listens where the mail server was, for two days.
    Away,
    Back,
    /// No octet more fits on the store's disk, for a day.
    Full,
    Room,
}

/// The plan of a month: all of it within the first nine days, and again in each ten that follow.
fn event(day: u64) -> Option<Event> {
    match day % 10 {
        1 => Some(Event::Set(-1)),
        2 => Some(Event::Set(3)),
        3 => Some(Event::Set(10)),
        4 => Some(Event::Away),
        6 => Some(Event::Back),
        7 => Some(Event::Full),
        8 => Some(Event::Room),
        9 => Some(Event::Set(-12)),
        _ => None,
    }
}

/// What the process has of the machine at the end of a day.
#[derive(Clone, Copy, Debug)]
struct Measured {
    memory: u64,
    files: u64,
    store: u64,
}

impl Measured {
    fn now(folder: &Path) -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let memory = memory.trim().trim_end_matches(" kB").parse().expect("kilobytes");
        let files = fs::read_dir("/proc/self/fd").expect("Linux").count() as u64;
        Measured { memory, files, store: fs::metadata(folder.join("small/postrider.db")).map_or(0, |file| file.len()) }
    }
}

fn post(folder: &Path, number: u64, at: DateTime<Utc>) {
    let text = format!("---\ntitle: Day {number}\ndate: {}\n---\nWhat was seen on day {number}.\n", at.to_rfc3339());
    fs::write(folder.join(format!("posts/day-{number}.md")), text).expect("a folder to write to");
}

/// Fills the disk of the store to the last octet, if it has one of its own.
fn fill(folder: &Path) {
    if env::var_os(OWN_DISK).is_some() {
        let mut filler = File::create(folder.join("small/filler")).expect("a file");
        for piece in [1 << 20, 4096, 1] {
            let piece = vec![0; piece];
            while filler.write_all(&piece).is_ok() {}
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("a pipe");
}

/// Not a test of anything: the process that serves. Each day it says what it has of the machine.
#[test]
fn as_a_process() {
    let Ok(said) = env::var(VARIABLE) else { return };
    let (days, folder) = said.split_once(' ').expect("days and a folder");
    let (days, folder): (u64, &Path) = (days.parse().expect("a number"), Path::new(folder));
    let step: &'static AtomicI64 = Box::leak(Box::default());
    let clock = Clock::fast(START.parse().expect("a moment"), SPEED, step);
    let signals = Signals::default();
    let config = folder.join("config.toml");
    let at_home = fs::read_to_string(&config).expect("it is there");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let server = at_home.lines().find_map(|line| line.strip_prefix("transport = \"")).expect("a transport");
    let away = at_home.replace(server, &format!("smtp://127.0.0.1:{nobody}\""));
    let reload = |text: &str| {
        fs::write(&config, text).expect("writable");
        signals.halt.store(true, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        let serving = scope.spawn(|| cli::serve(&config, clock, &signals));
        let mut number = 0;
        for day in 0..days {
            match event(day) {
                Some(Event::Set(hours)) => drop(step.fetch_add(hours * 3_600_000, Ordering::Relaxed)),
                Some(Event::Away) => reload(&away),
                Some(Event::Back) => reload(&at_home),
                Some(Event::Full) => fill(folder),
                Some(Event::Room) => drop(fs::remove_file(folder.join("small/filler"))),
                None => {}
            }
            number += 1;
            post(folder, number, clock.now());
            let watch = clock.stopwatch();
            while watch.elapsed() < Duration::from_secs(86_400) {
                assert!(!serving.is_finished(), "{:?}", serving.join());
                clock.nap(Duration::from_secs(3600));
            }
            let Measured { memory, files, store } = Measured::now(folder);
            say(&format!("day {day} {memory} {files} {store}"));
        }
        signals.end.store(true, Ordering::SeqCst);
        signals.halt.store(true, Ordering::SeqCst);
        serving.join().expect("it does not panic").expect("it ends well");
    });
    // Its disk goes with it.
    for name in ["postrider.db", "postrider.db-wal"] {
        let _ = fs::copy(folder.join("small").join(name), folder.join("kept").join(name));
    }
    say(&format!("until {}", clock.now().to_rfc3339()));
    process::exit(0);
}

/// Whether this user may mount a disk.
fn may_mount(at: &Path) -> bool {
    let mount = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "postrider-test"]).arg(at).output();
    mount.is_ok_and(|ran| ran.status.success())
}

fn start(folder: &Path, days: u64) -> Child {
    let small = folder.join("small");
    for name in ["small", "kept"] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    let own = may_mount(&small);
    let mut command = match own {
        true => {
            let mut command = Command::new("unshare");
            let script = "mount -t tmpfs -o size=24m postrider-test \"$1\" && shift && exec \"$@\"";
            command.args(["-m", "sh", "-c", script, "sh"]).arg(small).env(OWN_DISK, "yes");
            command.arg(env::current_exe().expect("a test binary"));
            command
        }
        false => {
            shim::missing("month.full", "root, to mount a disk of its own");
            Command::new(env::current_exe().expect("a test binary"))
        }
    };
    command
        .args(["--exact", "month::as_a_process", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, format!("{days} {}", folder.display()))
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test binary runs")
}

#[test]
fn weeks_of_serving_skip_nobody_and_nothing_grows_that_is_not_kept() {
    let days = number("POSTRIDER_DAYS").unwrap_or(11);
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let people = readers(READERS);
    let site = Site::new(Plan { store: "sqlite:small/postrider.db".to_owned(), ..Plan::to(&sink) }, &people);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let config = config.replace("0 9 * * MON", "0 9 * * *").replace("give_up_after = \"2h\"", "give_up_after = \"4d\"");
    site.write("config.toml", &config);
    let root = site.path("config.toml").parent().unwrap().to_path_buf();
    let mut child = start(&root, days);
    let (mut measured, mut until) = (Vec::new(), String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        // What the test binary says of itself may stand before it.
        if let Some((_, said)) = line.split_once("day ") {
            let numbers: Vec<u64> = said.split(' ').filter_map(|number| number.parse().ok()).collect();
            measured.push(Measured { memory: numbers[1], files: numbers[2], store: numbers[3] });
        } else if let Some((_, said)) = line.split_once("until ") {
            until = said.to_owned();
        }
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(measured.len() as u64, days);

    // What is still on its way goes out with a run.
    for name in ["postrider.db", "postrider.db-wal"] {
        let kept = site.path("kept").join(name);
        if kept.exists() {
            fs::copy(kept, site.path("small").join(name)).unwrap();
        }
    }
    site.json(&until, &["run"]);
    let status = site.json(&until, &["status"]);
    assert_eq!((&status["uncertain"], &status["held"]), (&Value::from([0; 0]), &Value::from([0; 0])));
    let mut store = Connection::sqlite(&site.path("small/postrider.db")).unwrap();
    let mut number_of = |sql: &str| store.query_one(sql, &[]).unwrap().unwrap().int(0).unwrap() as usize;
    let due = "FROM posts p WHERE p.published <= (SELECT newest FROM digests)";
    let missed = format!("SELECT COUNT(*) {due} AND NOT EXISTS (SELECT 1 FROM digest_posts d WHERE d.post = p.id)");
    assert_eq!(number_of(&missed), 0, "a post was in no edition");
    assert!(number_of(&format!("SELECT COUNT(*) {due}")) + 2 >= days as usize, "slots were missed");
    let editions = number_of("SELECT COUNT(*) FROM editions");
    assert_eq!(number_of("SELECT COUNT(*) FROM editions WHERE state = 'done'"), editions);
    assert_eq!(number_of("SELECT COUNT(*) FROM deliveries WHERE state = 'accepted'"), editions * READERS);
    let taken = sink.accepted();
    let mails: BTreeSet<&str> = taken.iter().map(|line| line.message_id.as_str()).collect();
    assert_eq!((taken.len(), mails.len()), (editions * READERS, editions * READERS), "each once");

    let (early, late) = (measured[1], measured[measured.len() - 1]);
    eprintln!("{measured:?}");
    // In the middle of a round more are open for a moment.
    let files = measured.iter().rev().take(3).map(|day| day.files).min().unwrap_or_default();
    assert!(files <= early.files + 4, "{measured:?}");
    assert!(late.memory <= early.memory + 30_000, "{measured:?}");
    let a_day = (late.store - early.store) / (days - 2).max(1);
    assert!(a_day < 250_000, "{a_day} octets a day: {measured:?}");
    count("days-of-serve", days as usize);
}
