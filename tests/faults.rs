//! Everything that a server can do to a delivery, run after run until all is settled: who was accepted was taken once, and for
//! everybody else there is an account in the server's own words.

use crate::support::record;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, copies, readers};
use chrono::{DateTime, SecondsFormat, TimeDelta};
use postrider::random::Random;
use serde_json::Value;
use std::collections::BTreeMap;

/// How a fault ends, whatever came before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Taken once.
    Accepted,
    /// Refused for good; the flag says whether the address is suppressed for it.
    Refused { suppressed: bool },
    /// Tried until `give_up_after`.
    Expired,
    /// In doubt; taken at every try.
    HeldTaken,
    /// In doubt; never taken. A body that breaks off early enough is no doubt.
    HeldOrExpired,
}

/// What the breaker counts together. Fewer of one kind than trip it are in one list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Hard,
    Policy,
    Connection,
}

/// The local part, how it ends, and the words, the code and the enhanced status that `why` must know of it.
struct Fault {
    local: &'static str,
    end: End,
    kind: Kind,
    words: (&'static str, Option<i64>, Option<&'static str>),
}

const fn fault(
    local: &'static str,
    end: End,
    kind: Kind,
    text: &'static str,
    code: Option<i64>,
    enhanced: Option<&'static str>,
) -> Fault {
    Fault { local, end, kind, words: (text, code, enhanced) }
}

const REFUSED: End = End::Refused { suppressed: false };
const SUPPRESSED: End = End::Refused { suppressed: true };

const FAULTS: &[Fault] = &[
    fault("ok", End::Accepted, Kind::Plain, "taken", Some(250), Some("2.0.0")),
    fault("450-1", End::Accepted, Kind::Plain, "try later", Some(450), Some("4.2.0")),
    fault("450-2", End::Accepted, Kind::Plain, "try later", Some(450), Some("4.2.0")),
    fault("grey", End::Accepted, Kind::Plain, "greylisted, come back later", Some(451), Some("4.7.1")),
    fault("451data", End::Expired, Kind::Plain, "local error", Some(451), Some("4.3.0")),
    fault("4.2.2", End::Expired, Kind::Plain, "as you wish", Some(450), Some("4.2.2")),
    fault("421rcpt", End::Expired, Kind::Connection, "shutting down", Some(421), Some("4.3.2")),
    fault("421data", End::Expired, Kind::Connection, "closing", Some(421), Some("4.3.0")),
    fault("garbage", End::Expired, Kind::Connection, "not an SMTP reply", None, None),
    fault("550", REFUSED, Kind::Plain, "no", Some(550), None),
    fault("5.1.1", SUPPRESSED, Kind::Hard, "as you wish", Some(550), Some("5.1.1")),
    fault("multiline", SUPPRESSED, Kind::Hard, "does not exist", Some(550), Some("5.1.1")),
    fault("5.2.2", REFUSED, Kind::Plain, "as you wish", Some(550), Some("5.2.2")),
    fault("552size", REFUSED, Kind::Plain, "too big", Some(552), Some("5.3.4")),
    fault("5.7.1", REFUSED, Kind::Policy, "as you wish", Some(550), Some("5.7.1")),
    fault("dropdata", End::HeldOrExpired, Kind::Connection, "", None, None),
    fault("dropafter", End::HeldTaken, Kind::Connection, "", None, None),
];

/// How many of one kind a list may hold: fewer than make the run stop.
fn most(kind: Kind) -> usize {
    match kind {
        Kind::Plain => usize::MAX,
        Kind::Hard | Kind::Policy => 9,
        Kind::Connection => 19,
    }
}

#[test]
fn every_fault_is_accounted_for_when_in_doubt_is_resent() {
    settles(three_of_each(), "resend");
}

#[test]
fn every_fault_is_accounted_for_when_in_doubt_is_held() {
    settles(three_of_each(), "hold");
}

#[test]
fn faults_in_any_mix_are_accounted_for() {
    let random = record::seed("faults");
    let cases = record::number("POSTRIDER_FAULTS").unwrap_or(4);
    for _ in 0..cases {
        let uncertain = if random.fraction() < 0.5 { "resend" } else { "hold" };
        settles(mixed(&random), uncertain);
    }
    record::count("faults", cases as usize);
}

fn three_of_each() -> Vec<(&'static Fault, String)> {
    let mut count: BTreeMap<u8, usize> = BTreeMap::new();
    let all = FAULTS.iter().flat_map(|fault| (0..3).map(move |n| (fault, format!("{}+{n}@sink.test", fault.local))));
    all.filter(|(fault, _)| allowed(&mut count, fault.kind)).collect()
}

fn mixed(random: &Random) -> Vec<(&'static Fault, String)> {
    let mut count = BTreeMap::new();
    let any = (0..5 + record::below(random, 40)).map(|n| {
        let fault = &FAULTS[record::below(random, FAULTS.len())];
        (fault, format!("{}+{n}@sink{}.test", fault.local, record::below(random, 3)))
    });
    any.filter(|(fault, _)| allowed(&mut count, fault.kind)).collect()
}

fn allowed(count: &mut BTreeMap<u8, usize>, kind: Kind) -> bool {
    let count = count.entry(kind as u8).or_insert(0);
    *count += 1;
    *count <= most(kind)
}

fn settles(people: Vec<(&'static Fault, String)>, uncertain: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let readers: Vec<String> = people.iter().map(|(_, address)| address.clone()).collect();
    let site = Site::new(Plan { uncertain, ..Plan::to(&sink) }, &readers);
    let mut now = DateTime::parse_from_rfc3339(NOON).unwrap();
    let mut edition = Value::Null;
    for round in 0..8 {
        edition = site.json(&now.to_rfc3339_opts(SecondsFormat::Secs, true), &["run"])["editions"][0].clone();
        let counts = ["accepted", "deferred", "refused", "uncertain", "held", "queued", "cancelled"];
        let sum: u64 = counts.iter().map(|name| edition[name].as_u64().unwrap()).sum();
        assert_eq!(edition["recipients"].as_u64(), Some(sum), "round {round}: {edition}");
        assert_eq!(sum, readers.len() as u64, "round {round}: {edition}");
        if edition["state"] == "done" {
            break;
        }
        assert_eq!(edition["queued"], 0, "all were tried in round {round}: {edition}");
        now += TimeDelta::minutes(65);
    }
    assert_eq!((&edition["id"], &edition["state"]), (&EDITION.into(), &"done".into()), "{edition}");

    let copies = copies(&sink.accepted());
    let mut seen = BTreeMap::from([("accepted", 0), ("refused", 0), ("held", 0)]);
    let held = site.listed("held");
    for (fault, address) in &people {
        let why = site.json(NOON, &["why", address]);
        let events = why["events"].as_array().unwrap();
        let kind = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
        let got = copies.get(address).copied().unwrap_or(0);
        let tries = if uncertain == "resend" { 2 } else { 1 };
        let told = match fault.end {
            End::Accepted => ("accepted", got == 1 && kind("accepted") == 1 && why["status"] == "active"),
            End::Refused { suppressed } => {
                let status = if suppressed { "suppressed (bounce)" } else { "active" };
                ("refused", got == 0 && kind("refused") == 1 && why["status"] == status)
            }
            End::Expired => ("refused", got == 0 && kind("expired") == 1 && why["status"] == "active"),
            End::HeldOrExpired if kind("expired") == 1 => ("refused", got == 0),
            End::HeldOrExpired => ("held", got == 0 && kind("held") == 1 && held.contains(address)),
            End::HeldTaken => {
                ("held", got == tries && kind("unknown") == tries && kind("held") == 1 && held.contains(address))
            }
        };
        let (state, right) = told;
        assert!(right, "{uncertain}: {address} got {got}: {why:#}");
        *seen.get_mut(state).unwrap() += 1;
        let (text, code, enhanced) = fault.words;
        let words = events.iter().any(|event| {
            event["code"].as_i64() == code
                && event["enhanced"].as_str() == enhanced
                && event["text"].as_str().unwrap().contains(text)
                && event["stage"].is_string()
        });
        assert!(words, "{address}: not the server's words: {why:#}");
    }
    for (state, count) in seen {
        assert_eq!(edition[state], count, "{state}: {edition}");
    }
    assert_eq!(copies.keys().filter(|to| !readers.contains(to)).count(), 0);
}

#[test]
fn ten_hard_refusals_in_a_row_stop_the_run_and_are_undone() {
    for (local, what) in [
        (
            "5.1.1",
            "says of one address after another that it does not exist\n  help: if the server is right, the list is old: remove those addresses (`why ADDRESS` shows its words); if not, it is the wrong server",
        ),
        (
            "5.7.1",
            "refuses one message after another by its policy\n  help: `why ADDRESS` shows its words; look at SPF, DKIM, DMARC and the sending address, then run again",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings::in_folder(folder.path()));
        let bad: Vec<String> = (0..40).map(|n| format!("{local}+{n}@sink.test")).collect();
        let site = Site::new(Plan::to(&sink), &bad);
        let ran = site.go(&["run", "--json"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        // Those, too, that the other three connections had under way.
        let said = |count| {
            format!(
                "error: the server {what}\n  {count} refused deliveries are queued again, and no address is suppressed for them\n"
            )
        };
        assert!((10..=13).any(|count| ran.err == said(count)), "{ran:?}");
        let edition = &site.json(NOON, &["status"])["editions"][0];
        let waiting = edition["queued"].as_u64().unwrap() + edition["deferred"].as_u64().unwrap();
        assert_eq!((waiting, &edition["refused"]), (40, &0.into()), "{edition}");
        let list = site.json(NOON, &["subscribers", "list"]);
        let suppressed = list["subscribers"].as_array().unwrap().iter().filter(|row| !row["suppressed"].is_null());
        assert_eq!(suppressed.count(), 0, "{list}");
        assert_eq!(sink.taken(), 0);
    }
}

#[test]
fn nobody_pays_for_a_server_that_drops_one_connection_after_another() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings { drop: 1.0, ..Settings::in_folder(folder.path()) });
    let readers = readers(30);
    let mut site = Site::new(Plan::to(&sink), &readers);
    let ran = site.go(&["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("nothing is lost: the rest is queued; look at the server, then run again"), "{ran:?}");
    let better = tempfile::tempdir().unwrap();
    let better = (Sink::here(Settings::in_folder(better.path())), better);
    site.plan.transport = Plan::to(&better.0).transport;
    site.write_config();
    // What the breaking connections were begun for is deferred for a while.
    site.json("2026-11-23T12:10:00Z", &["run"]);
    crate::support::site::everyone_once(&better.0, &readers);
}
