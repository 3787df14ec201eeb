//! A process that is stopped: for longer than the server's patience (SIGSTOP, a suspended laptop), and for good (SIGTERM), in
//! every state in which a run can be.

use crate::support::promise::{finish, judge};
use crate::support::record;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Ran, Site, end, everyone_once, readers, signal, until_taken};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Where a session can be. At `flood` the server reads nothing of a body that is larger than what the kernel keeps for it.
const STAGES: [&str; 8] = ["greeting", "ehlo", "mail", "rcpt", "data", "flood", "body", "dot"];

/// A run whose connections all wait at one stage of the dialogue.
struct Waiting {
    sink: Sink,
    site: Site,
    readers: Vec<String>,
    run: Child,
    _folder: TempDir,
}

fn waiting(stage: &str, idle: u64, uncertain: &'static str) -> Waiting {
    let flood = stage == "flood";
    let hold = if flood { "body" } else { stage };
    let folder = tempfile::tempdir().unwrap();
    let size = 20_000_000;
    let sink = Sink::here(Settings { hold: Some(hold.into()), idle, size, ..Settings::in_folder(folder.path()) });
    // One is being sent, one was offered along with it, and one is left.
    let (readers, connections) = if flood { (readers(3), 1) } else { (readers(12), 4) };
    let site = Site::new(Plan { uncertain, connections, ..Plan::to(&sink) }, &readers);
    if flood {
        // A post would be cut to what mail clients show; a template of the site's own is not.
        let template = "{% include \"default/digest/body.txt.j2\" %}";
        let more = "{% for n in range(99999) %}All that was seen that day, and at great length, as nobody asked for.\n{% endfor %}";
        fs::create_dir_all(site.path("templates/digest")).unwrap();
        site.write("templates/digest/body.txt.j2", &format!("{template}\n{more}"));
    }
    let mut run = site.start(NOON, &["run", "--quiet"]);
    poll(&mut run, stage, || sink.reached(hold) == connections && (!flood || stuck(sink.port())));
    Waiting { sink, site, readers, run, _folder: folder }
}

fn reconfigure(site: &Site, from: &str, to: &str) {
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    assert!(config.contains(from), "{config}");
    site.write("config.toml", &config.replace(from, to));
}

/// Another process's state is all that there is to look at.
fn poll(run: &mut Child, what: &str, mut reached: impl FnMut() -> bool) {
    while !reached() {
        if run.try_wait().expect("a child").is_some() {
            let mut said = String::new();
            let _ = std::io::Read::read_to_string(&mut run.stderr.take().expect("piped"), &mut said);
            panic!("the run ended before {what}: {said}");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The kernel's connections to that port on this machine: state, and octets that wait to be sent.
fn connections(port: u16) -> Vec<(u8, u32)> {
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let to = fields[2].split(':').nth(1).and_then(|port| u16::from_str_radix(port, 16).ok());
        let state = u8::from_str_radix(fields[3], 16).expect("a state");
        let waiting = u32::from_str_radix(fields[4].split(':').next().unwrap_or_default(), 16).expect("a number");
        (to == Some(port)).then_some((state, waiting))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Whether somebody has more to say to that port than anybody takes, and it does not get less.
fn stuck(port: u16) -> bool {
    let unsent = || connections(port).iter().map(|(_, unsent)| *unsent).sum::<u32>();
    let first = unsent();
    first > 0
        && (0..50).all(|_| {
            thread::sleep(Duration::from_millis(1));
            unsent() == first
        })
}

/// Whether the process is stopped, by the kernel's account of it.
fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

#[test]
fn a_process_that_slept_longer_than_the_server_waits_skips_nobody() {
    let (mut slept, mut again, mut held) = (0, 0, 0);
    for (n, stage) in STAGES.into_iter().enumerate() {
        let policies: &[_] = match (record::number("POSTRIDER_STOPS"), n % 2) {
            (None, 0) => &["resend"],
            (None, _) => &["hold"],
            _ => &["resend", "hold"],
        };
        for uncertain in policies {
            let Waiting { sink, site, readers, mut run, _folder } = waiting(stage, 200, uncertain);
            let process = run.id();
            signal(&run, "STOP");
            poll(&mut run, "it stopped", || is_stopped(process));
            sink.go();
            poll(&mut run, "the server lost its patience", || sink.reached("idle") == site.plan.connections);
            signal(&run, "CONT");
            let ran = end(run);
            assert_eq!(ran.code, Some(0), "{stage}, {uncertain}: {ran:?}");
            assert_eq!(site.deliveries("sending"), 0, "{stage}, {uncertain}");
            let judged = finish(&site).and_then(|()| judge(&site, &sink, &readers, 1));
            let judged = judged.unwrap_or_else(|why| panic!("{stage}, {uncertain}: {why}"));
            (slept, again, held) = (slept + 1, again + judged.copies_too_many, held + judged.held);
        }
    }
    record::count("stopped.slept", slept);
    record::count("stopped.slept.copies_too_many", again);
    record::count("stopped.slept.held", held);
}

#[test]
fn a_run_that_is_told_to_stop_stops_in_every_state_of_the_dialogue() {
    for stage in STAGES {
        let Waiting { sink, site, readers, run, _folder } = waiting(stage, 0, "hold");
        signal(&run, "TERM");
        // Before a body nobody is at stake, and it does not wait for the server; a body is finished, and its reply waited for.
        let at_stake = ["flood", "body", "dot"].contains(&stage);
        let ran = if at_stake {
            sink.go();
            end(run)
        } else {
            let ran = end(run);
            sink.go();
            ran
        };
        stopped(stage, &site, &ran, readers.len() - sink.taken());
        finish(&site).unwrap_or_else(|why| panic!("{stage}: {why}"));
        everyone_once(&sink, &readers);
    }
    record::count("stopped.told_to", STAGES.len());
}

/// It said how many are left, and nothing is in doubt.
fn stopped(state: &str, site: &Site, ran: &Ran, left: usize) {
    let deliveries = if left == 1 { "delivery" } else { "deliveries" };
    let said = format!("error: stopped by a signal, {left} {deliveries} left\n  help: run again to go on\n");
    assert_eq!((ran.code, &ran.err), (Some(1), &said), "{state}");
    assert_eq!(
        (site.deliveries("sending"), site.deliveries("uncertain"), site.deliveries("held")),
        (0, 0, 0),
        "{state}"
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for uncertain in ["resend", "hold"] {
        for stage in ["greeting", "flood", "dot"] {
            let Waiting { sink, site, readers, mut run, _folder } = waiting(stage, 0, uncertain);
            while run.try_wait().expect("a child").is_none() {
                signal(&run, "TERM");
                thread::sleep(Duration::from_millis(1));
            }
            let ran = end(run);
            assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{stage}: {ran:?}");
            sink.go();
            let judged = finish(&site).and_then(|()| judge(&site, &sink, &readers, 1));
            judged.unwrap_or_else(|why| panic!("{stage}, {uncertain}: {why}"));
        }
    }
    record::count("stopped.at_once", 6);
}

#[test]
fn a_run_that_waits_for_a_rate_or_a_later_time_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let some = readers(12);
    let site = Site::new(Plan::to(&sink), &some);
    reconfigure(&site, "connections = ", "rates = [\"5/m\"]\nconnections = ");
    let mut run = site.start(NOON, &["run", "--quiet"]);
    assert!(until_taken(&sink, 5, &mut run), "{:?}", end(run));
    signal(&run, "TERM");
    stopped("rate", &site, &end(run), 7);
    reconfigure(&site, "rates = [\"5/m\"]\n", "");
    finish(&site).expect("no rate is in the way");
    everyone_once(&sink, &some);

    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let later = [readers(3), vec!["450-1@sink.test".to_owned()]].concat();
    let site = Site::new(Plan::to(&sink), &later);
    let mut run = site.start(NOON, &["run", "--quiet", "--wait", "1h"]);
    assert!(until_taken(&sink, 3, &mut run), "{:?}", end(run));
    signal(&run, "TERM");
    stopped("wait", &site, &end(run), 1);
    finish(&site).expect("it is due");
    everyone_once(&sink, &later);
    record::count("stopped.waiting", 2);
}

/// With nobody there, it pauses between its tries; where nobody answers at all, the kernel does.
#[test]
fn a_run_that_cannot_connect_stops_when_it_is_told_to() {
    for answers in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings::in_folder(folder.path()));
        let readers = readers(6);
        let mut site = Site::new(Plan { transport: format!("smtp://{address}"), ..Plan::to(&sink) }, &readers);
        let crowd = if answers { Vec::new() } else { crowd(address) };
        let mut run = site.start(NOON, &["run", "--quiet"]);
        match answers {
            true => (0..4).for_each(|_| drop(listener.accept().expect("it connects"))),
            // SYN-SENT
            false => poll(&mut run, "it connects", || connections(address.port()).iter().any(|(state, _)| *state == 2)),
        }
        signal(&run, "TERM");
        // The kernel's next try is refused.
        drop((crowd, listener));
        stopped("connecting", &site, &end(run), 6);
        site.plan.transport = Plan::to(&sink).transport;
        site.write_config();
        finish(&site).expect("the sink is there");
        everyone_once(&sink, &readers);
    }
    record::count("stopped.connecting", 2);
}

/// As many connections as the listener has room for.
fn crowd(address: SocketAddr) -> Vec<TcpStream> {
    std::iter::from_fn(|| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect()
}
