//! People and an edition for them, made by the store's own commands, for tests of what stands behind freezing.

use super::database::Base;
use chrono::{DateTime, TimeDelta, Utc};
use postrider::address::EmailAddress;
use postrider::delivery::{self, Limits, Tried, Uncertain, Verdict};
use postrider::edition::compose::{Composition, UNSUBSCRIBE_LINK};
use postrider::edition::slot::Memory;
use postrider::message::skeleton::ActionLink;
use postrider::message::{self, letter::Kind};
use postrider::random::Random;
use postrider::reply::{Outcome, Reply, Sent, Stage};
use postrider::report::Counts;
use postrider::store::Store;
use postrider::store::editions::{Decided, Frozen, Variant};
use postrider::store::ledger::{Begun, Claim, Claimed, Ledger, Settled};
use postrider::subscriber::file::Row;
use postrider::subscriber::{Choices, Status};
use std::sync::Arc;

/// Monday, 23 November 2026, nine o'clock in UTC.
pub(crate) fn monday() -> DateTime<Utc> {
    at("2026-11-23T09:00:00Z")
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

pub(crate) fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

/// An active reader of the default digests.
pub(crate) fn row(email: &str) -> Row {
    Row {
        address: address(email),
        name: None,
        language: None,
        digests: Choices::default(),
        topics: Choices::default(),
        status: Status::Active,
    }
}

/// `r0@example.org` and so on, of the default digests.
pub(crate) fn people(store: &Store, count: usize, random: &Random) {
    let rows: Vec<Row> = (0..count).map(|n| row(&format!("r{n}@example.org"))).collect();
    store.import(&rows, "import", random, monday() - TimeDelta::days(1)).expect("they are added");
}

/// An edition without posts: what is in it does not matter behind freezing.
pub(crate) fn edition(id: &str, slot: DateTime<Utc>) -> Frozen {
    let variant = Variant {
        posts: String::new(),
        subject: "News".to_owned(),
        html: String::new(),
        text: String::new(),
        message: "not read here".to_owned(),
    };
    Frozen {
        id: id.to_owned(),
        digest: "weekly".to_owned(),
        slot: Some(slot),
        after: None,
        subject: "News".to_owned(),
        posts: Vec::new(),
        variants: vec![variant],
        page: None,
        audiences: Vec::new(),
        default: true,
        approve: false,
        awaits: Vec::new(),
    }
}

/// The digest `weekly` with this edition, released on that Monday.
pub(crate) fn freeze(store: &Store, edition: &Frozen) -> Decided {
    let before = monday() - TimeDelta::days(7);
    store.introduce(&edition.digest, Memory { newest: before, first: monday() }, &[], before).expect("introduced");
    store.freeze(edition, monday()).expect("frozen")
}

/// A store with so many readers and an edition for them.
pub(crate) fn released(base: &Base, readers: usize) -> Store {
    let store = base.open();
    people(&store, readers, &Random::seeded(1));
    assert_eq!(freeze(&store, &edition("weekly/1", monday())), Decided::Now(readers as u64));
    store
}

pub(crate) fn ledger(store: &Store, worker: &str) -> Ledger {
    Ledger::start(store, worker.to_owned(), "smtp://relay.test:25".to_owned()).expect("it starts")
}

/// For everything that leaves.
pub(crate) fn limits(rates: &[&str]) -> Arc<Limits> {
    let rates = rates.iter().map(|rate| rate.parse().expect("a rate")).collect();
    Arc::new(Limits { rates, ..Limits::default() })
}

/// What a claim gets, sorted by address.
pub(crate) fn claim(ledger: &Ledger, limit: i64, now: DateTime<Utc>) -> Vec<Claimed> {
    match ledger.claim(limit, &limits(&[]), now).expect("it answers") {
        Claim::Rows(mut rows) => {
            rows.sort_by(|a, b| a.address.cmp(&b.address));
            rows
        }
        Claim::Nothing(_) => Vec::new(),
        Claim::Wait(millis) => panic!("no rate, and yet {millis} to wait"),
    }
}

pub(crate) fn sent(outcome: Outcome) -> Sent {
    Sent { stage: Stage::Dot, reply: Reply::new(250, ["2.0.0 said"]), outcome }
}

/// The end of a try, judged as delivery judges it.
pub(crate) fn ended(row: &Claimed, begun: Begun, outcome: Outcome, now: DateTime<Utc>) -> Settled {
    ended_under(Uncertain::Resend, row, begun, outcome, now)
}

pub(crate) fn ended_under(
    uncertain: Uncertain,
    row: &Claimed,
    begun: Begun,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Settled {
    let settings = delivery::Settings { uncertain, ..delivery::Settings::default() };
    let tried = Tried { attempts: begun.attempt, first_at: begun.first_at, resends: begun.resends };
    let verdict: Verdict = delivery::judge(outcome, tried, &settings, now, 0.5);
    Settled { delivery: row.id.clone(), attempt: begun.attempt, at: now, sent: sent(outcome), verdict }
}

/// The counts of the store's only edition.
pub(crate) fn counts(store: &Store) -> Counts {
    store.editions(20).expect("listed")[0].counts
}

/// Where the delivery to an address stands.
pub(crate) fn state(base: &Base, email: &str) -> String {
    base.look(&format!("SELECT state FROM deliveries WHERE address = '{email}'"))
}

/// What a letter says, with holes for its recipient.
pub(crate) fn letter(kind: Kind) -> String {
    let settings: message::Settings = toml::from_str("from = 'Field Notes <news@example.org>'").expect("sound");
    let public = "https://news.example.org".parse().expect("sound");
    let list = message::List::new("Field Notes", "weekly", &settings, None, Some(&public));
    let leave = if kind.can_be_left() { UNSUBSCRIBE_LINK } else { "" };
    let link = message::skeleton::ACTION_LINK;
    let composition = Composition {
        subject: format!("A {kind}"),
        preheader: String::new(),
        html: format!("<p><a href=\"{link}\">{link}</a> <a href=\"{leave}\">leave</a></p>"),
        text: format!("{link}\n{leave}\n"),
    };
    let link = ActionLink::Signed(format!("https://news.example.org/{kind}/"), String::new());
    message::skeleton::letter(&settings, &list, &composition, kind, &link).expect("sound").to_stored().to_owned()
}
