//! Limits for all and for single domains, as the ledger keeps them; tries that end before the body; and what one worker must leave
//! alone of what another, a reader or the author did meanwhile. On both databases.

use crate::support::database::{Base, every_store};
use crate::support::edition::*;
use chrono::{DateTime, TimeDelta, Utc};
use postrider::delivery::{self, Limits, State, Uncertain, Verdict};
use postrider::random::Random;
use postrider::reply::{Fault, Outcome, Refusal};
use postrider::store::editions::{Changed, Decided};
use postrider::store::ledger::{Begun, Claim, Claimed, Ledger, Pending, Recovered, Settled};
use postrider::store::sql::Connection;
use postrider::store::{Error, Place, Store};
use postrider::subscriber::file::Row;
use std::sync::Arc;

fn seconds(seconds: i64) -> DateTime<Utc> {
    monday() + TimeDelta::seconds(seconds)
}

/// Limits as the configuration has them.
fn table(table: &str) -> Arc<Limits> {
    Arc::new(toml::from_str::<delivery::Settings>(table).expect("a table").limits(Vec::new()))
}

/// A store with these readers and an edition for them, released on that Monday.
fn released_to(base: &Base, readers: &[&str]) -> Store {
    let store = base.open();
    let rows: Vec<Row> = readers.iter().map(|reader| row(reader)).collect();
    store.import(&rows, "import", &Random::seeded(1), monday()).unwrap();
    assert_eq!(freeze(&store, &edition("weekly/1", monday())), Decided::Now(readers.len() as u64));
    store
}

/// Claims until there is no more to be had; the rows, by address, and the last answer.
fn claim_all(ledger: &Ledger, limits: &Arc<Limits>, now: DateTime<Utc>) -> (Vec<Claimed>, Claim) {
    let mut claimed = Vec::new();
    loop {
        match ledger.claim(100, limits, now).unwrap() {
            Claim::Rows(mut rows) => claimed.append(&mut rows),
            other => {
                claimed.sort_by(|a: &Claimed, b: &Claimed| a.address.cmp(&b.address));
                return (claimed, other);
            }
        }
    }
}

fn addresses(rows: &[Claimed]) -> Vec<&str> {
    rows.iter().map(|row| row.address.as_str()).collect()
}

fn begin(ledger: &Ledger, row: &Claimed, now: DateTime<Utc>) -> Option<Begun> {
    ledger.begin(None, &row.id, now).and_then(Pending::wait).unwrap()
}

fn try_once(ledger: &Ledger, row: &Claimed, outcome: Outcome, now: DateTime<Utc>) {
    let begun = begin(ledger, row, now).expect("it may be sent");
    ledger.settle(ended(row, begun, outcome, now)).unwrap();
}

#[track_caller]
fn waits(claim: Claim) -> i64 {
    match claim {
        Claim::Wait(millis) => millis,
        other => panic!("{other:?} where a wait was due"),
    }
}

#[track_caller]
fn nothing_until(claim: Claim) -> Option<DateTime<Utc>> {
    match claim {
        Claim::Nothing(next) => next,
        other => panic!("{other:?} where nothing was due"),
    }
}

// ---- lanes

#[test]
fn a_domains_limit_binds_all_workers_counts_what_is_promised_and_survives_them() {
    every_store(|base| {
        let readers = ["a@slow.test", "b@slow.test", "c@slow.test", "d@slow.test", "e@slow.test"];
        let store = released_to(base, &readers);
        let limits = table("[domains]\n\"slow.test\" = \"2/m\"");
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let (first, then) = claim_all(&one, &limits, monday());
        // Two are promised and none begun: nobody knows when one may go.
        assert_eq!((first.len(), waits(then)), (2, 100));
        assert_eq!(waits(two.claim(9, &limits, monday()).unwrap()), 100);
        try_once(&one, &first[0], Outcome::Accepted, seconds(10));
        assert_eq!(waits(two.claim(9, &limits, seconds(10)).unwrap()), 60_000);
        // Handed back, it is promised to nobody.
        one.release(vec![first[1].id.clone()]).unwrap();
        drop(one);
        let (second, then) = claim_all(&two, &limits, seconds(20));
        assert_eq!((second.len(), waits(then)), (1, 50_000));
        try_once(&two, &second[0], Outcome::Accepted, seconds(30));
        drop(two);
        let three = ledger(&store, "three");
        assert_eq!(waits(three.claim(9, &limits, seconds(69)).unwrap()), 1_000);
        let (third, then) = claim_all(&three, &limits, seconds(70));
        assert_eq!((third.len(), waits(then)), (1, 20_000));
    });
}

#[test]
fn what_is_promised_to_one_whose_lease_has_ended_is_promised_no_more() {
    for (limits, count) in [("rates = [\"2/h\"]", 2), ("[domains]\n\"slow.test\" = \"1/h\"", 3)] {
        every_store(|base| {
            let store = released_to(base, &["a@slow.test", "b@slow.test", "c@fast.test", "d@fast.test"]);
            let limits = table(limits);
            let (slow, quick) = (ledger(&store, "slow"), ledger(&store, "quick"));
            assert_eq!(claim_all(&slow, &limits, monday()).0.len(), count);
            assert!(claim_all(&quick, &limits, seconds(120)).0.is_empty());
            assert_eq!(claim_all(&quick, &limits, seconds(120) + TimeDelta::milliseconds(1)).0.len(), count);
        });
    }
}

#[test]
fn a_full_lane_holds_up_nobody_else() {
    every_store(|base| {
        let store = released_to(
            base,
            &["a@slow.test", "b@slow.test", "c@slow.test", "d@sub.slow.test", "e@x.test", "f@y.test"],
        );
        // Those with limits come first, and would fill a claim.
        base.change("UPDATE deliveries SET due = due - 1000 WHERE address LIKE '%@slow.test'");
        let limits = table("[domains]\n\"slow.test\" = \"1/m\"\n\"y.test\" = \"5/m\"");
        let one = ledger(&store, "one");
        let (rows, then) = claim_all(&one, &limits, monday());
        assert_eq!(rows.len(), 4);
        assert_eq!(addresses(&rows)[1..], ["d@sub.slow.test", "e@x.test", "f@y.test"]);
        assert_eq!(waits(then), 100);
        rows.iter().for_each(|row| try_once(&one, row, Outcome::Accepted, seconds(1)));
        assert_eq!(waits(one.claim(9, &limits, seconds(31)).unwrap()), 30_000);
        assert_eq!(claim_all(&one, &limits, seconds(61)).0.len(), 1);
    });
}

#[test]
fn what_goes_to_others_does_not_count_against_a_domain() {
    every_store(|base| {
        let store = released_to(base, &["a@slow.test", "b@x.test", "c@y.test", "d@y.test"]);
        let limits = table("[domains]\n\"slow.test\" = \"1/m\"\n\"y.test\" = \"2/m\"");
        let one = ledger(&store, "one");
        let rows = claim_all(&one, &limits, monday()).0;
        rows[1..].iter().for_each(|row| try_once(&one, row, Outcome::Accepted, monday()));
        one.release(vec![rows[0].id.clone()]).unwrap();
        assert_eq!(addresses(&claim_all(&one, &limits, monday()).0), ["a@slow.test"]);
    });
}

#[test]
fn a_claim_is_shared_by_the_lanes_and_by_the_limit_for_all() {
    every_store(|base| {
        let store = released_to(base, &["a@p.test", "b@p.test", "c@q.test", "d@q.test", "e@x.test", "f@x.test"]);
        let limits = table("rates = [\"4/m\"]\n[domains]\n\"p.test\" = \"1/m\"\n\"q.test\" = \"9/m\"");
        let one = ledger(&store, "one");
        // All are in the common lane at first, and moved.
        assert!(matches!(one.claim(100, &limits, monday()).unwrap(), Claim::Rows(rows) if rows.len() <= 4));
        let (_, then) = claim_all(&one, &limits, monday());
        assert_eq!(waits(then), 100);
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE worker IS NOT NULL"), "4");
        assert!(
            base.look("SELECT COUNT(*) FROM deliveries WHERE worker IS NOT NULL AND lane = 'p.test'").as_str() <= "1"
        );
        drop(one);
        let two = ledger(&store, "two");
        let Claim::Rows(rows) = two.claim(2, &limits, monday()).unwrap() else { panic!("two may go") };
        assert_eq!(rows.len(), 2);
    });
}

#[test]
fn a_lane_whose_limit_was_taken_out_is_cleared_and_no_other() {
    every_store(|base| {
        let store = released_to(base, &["a@p.test", "b@p.test", "c@p.test", "d@q.test", "e@q.test"]);
        let one = ledger(&store, "one");
        let both = table("[domains]\n\"p.test\" = \"1/m\"\n\"q.test\" = \"1/m\"");
        for row in claim_all(&one, &both, monday()).0 {
            try_once(&one, &row, Outcome::Accepted, monday());
        }
        let only_q = table("[domains]\n\"q.test\" = \"1/m\"");
        one.clear_lanes(&only_q).unwrap();
        let lanes = "SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND lane = ";
        assert_eq!(
            (base.look(&format!("{lanes}''")), base.look(&format!("{lanes}'q.test'"))),
            ("2".into(), "1".into())
        );
        let (rows, then) = claim_all(&one, &only_q, seconds(10));
        assert_eq!((addresses(&rows).iter().filter(|a| a.ends_with("p.test")).count(), rows.len()), (2, 2));
        assert_eq!(waits(then), 50_000);
        one.clear_lanes(&limits(&[])).unwrap();
        assert_eq!(claim_all(&one, &limits(&[]), seconds(10)).0.len(), 1);
    });
}

#[test]
fn a_later_edition_waits_in_the_lanes_of_the_one_before() {
    every_store(|base| {
        let store = released_to(base, &["a@slow.test", "b@x.test"]);
        let limits = table("[domains]\n\"slow.test\" = \"1/m\"");
        let one = ledger(&store, "one");
        for row in claim_all(&one, &limits, monday()).0 {
            try_once(&one, &row, Outcome::Accepted, monday());
        }
        assert_eq!(store.freeze(&edition("weekly/2", seconds(5)), seconds(5)).unwrap(), Decided::Now(2));
        let (rows, then) = claim_all(&one, &limits, seconds(10));
        assert_eq!((addresses(&rows), waits(then)), (vec!["b@x.test"], 50_000));
        let moved = "SELECT lane FROM deliveries WHERE edition = 'weekly/2' AND address = 'a@slow.test'";
        assert_eq!(base.look(moved), "slow.test");
        // Moving it is no claim of it.
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE worker IS NOT NULL"), "1");
        assert_eq!(addresses(&claim_all(&one, &limits, seconds(60)).0), ["a@slow.test"]);
    });
}

// ---- clocks

#[test]
fn a_clock_that_went_back_bars_the_way_for_twice_the_window_at_most() {
    for back in [3_600, 86_400] {
        for rates in ["rates = [\"2/m\"]", "[domains]\n\"slow.test\" = \"2/m\""] {
            every_store(|base| {
                let store = released_to(base, &["a@slow.test", "b@slow.test", "c@slow.test", "d@slow.test"]);
                let limits = table(rates);
                let one = ledger(&store, "one");
                let rows = claim_all(&one, &limits, monday()).0;
                rows.iter().for_each(|row| try_once(&one, row, Outcome::Accepted, monday()));
                base.change("UPDATE deliveries SET due = 0");
                // Just after the step nothing near is in the window, so two may go.
                let rows = claim_all(&one, &limits, seconds(-back)).0;
                assert_eq!(rows.len(), 2);
                one.release(rows.iter().map(|row| row.id.clone()).collect()).unwrap();
                // A small step: tries in the future count, since they may be the last moment's; and leave in time.
                let millis = waits(one.claim(9, &limits, seconds(-59)).unwrap());
                assert_eq!(millis, 119_000);
                assert_eq!(claim_all(&one, &limits, seconds(-59) + TimeDelta::milliseconds(millis)).0.len(), 2);
            });
        }
    }
}

#[test]
fn a_window_ends_where_it_says() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test"]);
        let limits = table("rates = [\"1/m\"]");
        let one = ledger(&store, "one");
        let row = claim_all(&one, &limits, monday()).0.remove(0);
        try_once(&one, &row, Outcome::Accepted, monday());
        for (later, millis) in [(0, 60_000), (59_999, 1)] {
            let now = monday() + TimeDelta::milliseconds(later);
            assert_eq!(waits(one.claim(9, &limits, now).unwrap()), millis);
        }
        // A step back of the whole window, and of a little more.
        base.change("UPDATE deliveries SET due = 0");
        assert_eq!(waits(one.claim(9, &limits, seconds(-60)).unwrap()), 120_000);
        assert_eq!(claim_all(&one, &limits, seconds(-60) - TimeDelta::milliseconds(1)).0.len(), 1);
    });
}

// ---- what a claim says where there is nothing

#[test]
fn a_claim_without_rows_says_when_there_will_be_some() {
    every_store(|base| {
        let store = released_to(base, &["a@p.test", "b@p.test", "c@q.test", "d@x.test", "e@x.test"]);
        let limits = table("[domains]\n\"p.test\" = \"1/m\"\n\"q.test\" = \"1/h\"");
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        assert_eq!(nothing_until(one.claim(9, &limits, seconds(-30)).unwrap()), Some(monday()));
        assert_eq!(one.next_due(seconds(-30)).unwrap(), Some(monday()));
        let (rows, _) = claim_all(&one, &limits, monday());
        assert_eq!(rows.len(), 4);
        // One is left, and its lane is full; the rest is another's until its lease ends.
        assert_eq!(waits(two.claim(9, &limits, monday()).unwrap()), 100);
        let x: Vec<&Claimed> = rows.iter().filter(|row| row.address.domain() == "x.test").collect();
        for row in rows.iter().filter(|row| row.address.domain() != "x.test") {
            try_once(&one, row, Outcome::Accepted, monday());
        }
        assert_eq!(waits(two.claim(9, &limits, seconds(1)).unwrap()), 59_000);
        // The row in the full lane is due, whatever the limits.
        assert_eq!(two.next_due(seconds(1)).unwrap(), Some(monday()));
        // Another's lease ends before the lane has room again.
        let hour = table("[domains]\n\"p.test\" = \"1/h\"\n\"q.test\" = \"1/h\"");
        let lease = seconds(120) + TimeDelta::milliseconds(1);
        assert_eq!(nothing_until(two.claim(9, &hour, seconds(1)).unwrap()), Some(lease));
        // A row that is due before the lane has room, and one that is due after it.
        let (begun, later) = (begin(&one, x[0], seconds(1)).unwrap(), Outcome::Deferred(Fault::Recipient));
        let mut settled = ended(x[0], begun, later, seconds(1));
        settled.verdict.due = Some(seconds(30));
        one.settle(settled).unwrap();
        assert_eq!(nothing_until(two.claim(9, &limits, seconds(1)).unwrap()), Some(seconds(30)));
        base.change(&format!(
            "UPDATE deliveries SET due = {} WHERE id = '{}'",
            seconds(61).timestamp_millis(),
            x[0].id
        ));
        assert_eq!(waits(two.claim(9, &limits, seconds(1)).unwrap()), 59_000);
        // Without the one whose lane is full.
        base.change("UPDATE deliveries SET state = 'accepted' WHERE state = 'queued' AND lane = 'p.test'");
        assert_eq!(nothing_until(two.claim(9, &limits, seconds(1)).unwrap()), Some(seconds(61)));
        assert_eq!(two.next_due(seconds(1)).unwrap(), Some(seconds(61)));
        base.change("UPDATE deliveries SET state = 'accepted', worker = NULL");
        assert_eq!(nothing_until(two.claim(9, &limits, seconds(1)).unwrap()), None);
        assert_eq!(two.next_due(seconds(1)).unwrap(), None);
    });
}

#[test]
fn a_claim_of_what_another_holds_and_is_due_later_waits_for_the_later() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test"]);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        assert_eq!(claim(&one, 9, monday()).len(), 1);
        // A clock that went back has left it due after its lease.
        base.change(&format!("UPDATE deliveries SET due = {}", seconds(500).timestamp_millis()));
        assert_eq!(nothing_until(two.claim(9, &limits(&[]), seconds(1)).unwrap()), Some(seconds(500)));
        assert_eq!(one.next_due(seconds(1)).unwrap(), Some(seconds(500)));
        // Nothing is due in an edition that is held.
        assert_eq!(one.hold_rested(seconds(1)).unwrap(), ["weekly/1"]);
        assert_eq!(nothing_until(two.claim(9, &limits(&[]), seconds(1)).unwrap()), None);
        assert_eq!(one.next_due(seconds(1)).unwrap(), None);
    });
}

#[test]
fn what_is_due_first_is_claimed_first_and_told_first() {
    every_store(|base| {
        let store = released_to(base, &["a@p.test", "b@p.test", "c@q.test", "d@q.test", "e@x.test", "f@x.test"]);
        let limits = table("[domains]\n\"p.test\" = \"9/m\"\n\"q.test\" = \"9/m\"");
        let one = ledger(&store, "one");
        let rows = claim_all(&one, &limits, monday()).0;
        one.release(rows.iter().map(|row| row.id.clone()).collect()).unwrap();
        for (address, due) in [("a", 40), ("b", 30), ("c", 20), ("d", 60), ("e", 50), ("f", 55)] {
            let due = seconds(due).timestamp_millis();
            base.change(&format!("UPDATE deliveries SET due = {due} WHERE address LIKE '{address}@%'"));
        }
        assert_eq!(nothing_until(one.claim(9, &limits, monday()).unwrap()), Some(seconds(20)));
        assert_eq!(one.next_due(monday()).unwrap(), Some(seconds(20)));
        let mut order = Vec::new();
        for _ in 0..6 {
            let Claim::Rows(rows) = one.claim(1, &limits, seconds(100)).unwrap() else { panic!("one is due") };
            order.extend(rows.iter().map(|row| row.address.as_str()[..1].to_owned()));
        }
        // Lane by lane, those with limits first.
        assert_eq!(order.concat(), "bacdef");
    });
}

#[test]
fn a_claim_that_fails_has_claimed_nothing() {
    every_store(|base| {
        let store = released_to(base, &["a@p.test", "b@x.test", "c@x.test"]);
        base.change("UPDATE deliveries SET address = 'no address' WHERE address = 'c@x.test'");
        let one = ledger(&store, "one");
        let failed = one.claim(9, &table("[domains]\n\"p.test\" = \"9/m\""), monday());
        assert!(matches!(failed, Err(Error::Corrupt(_))), "{failed:?}");
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE worker IS NOT NULL OR lane > ''"), "0");
    });
}

#[test]
fn of_several_waits_the_one_that_binds_is_told() {
    every_store(|base| {
        let store = released_to(base, &["a@p.test", "b@p.test", "c@q.test", "d@q.test"]);
        let lanes = "[domains]\n\"p.test\" = \"1/m\"\n\"q.test\" = \"1/h\"";
        let one = ledger(&store, "one");
        for row in claim_all(&one, &table(lanes), monday()).0 {
            try_once(&one, &row, Outcome::Accepted, monday());
        }
        // Two full lanes: the first that has room. With a limit for all that is full for longer: that.
        assert_eq!(waits(one.claim(9, &table(lanes), seconds(1)).unwrap()), 59_000);
        let all = table(&format!("rates = [\"2/h\"]\n{lanes}"));
        assert_eq!(waits(one.claim(9, &all, seconds(1)).unwrap()), 3_599_000);
        // And where the limit for all has room sooner, the lanes.
        let all = table(&format!("rates = [\"2/s\"]\n{lanes}"));
        assert_eq!(waits(one.claim(9, &all, monday()).unwrap()), 60_000);
        // A lane with room waits for the limit for all.
        let all = table("rates = [\"2/m\"]\n[domains]\n\"p.test\" = \"9/m\"");
        assert_eq!(waits(one.claim(9, &all, seconds(15)).unwrap()), 45_000);
    });
}

// ---- tries that end before the body

const OUTCOMES: [Outcome; 6] = [
    Outcome::Refused(Refusal::Hard),
    Outcome::Refused(Refusal::Mailbox),
    Outcome::Refused(Refusal::Policy),
    Outcome::Deferred(Fault::Recipient),
    Outcome::Deferred(Fault::Throttled),
    Outcome::Deferred(Fault::Connection),
];

fn connect(place: &Place) -> Connection {
    match place {
        Place::File(path) => Connection::sqlite(path),
        Place::Server(url) => Connection::postgres(url),
        Place::Memory => unreachable!("no test asks for it"),
    }
    .unwrap()
}

#[test]
fn a_try_that_is_turned_down_is_one_commit() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test"]);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        let begun = begin(&one, &rows[0], monday()).unwrap();
        let before = ended(&rows[0], begun, Outcome::Accepted, seconds(1));
        let (place, row) = (base.place.clone(), rows[1].clone());
        // It is judged between the two statements: what others see then is what they see of a death in between.
        let judge = move |begun| {
            let sql = "SELECT state, attempts FROM deliveries ORDER BY address";
            let seen = connect(&place).query(sql, &[]).unwrap();
            let seen: Vec<_> = seen.iter().map(|row| (row.text(0).unwrap(), row.int(1).unwrap())).collect();
            assert_eq!(seen, [("sending".to_owned(), 1), ("queued".to_owned(), 0)]);
            ended(&row, begun, Outcome::Refused(Refusal::Mailbox), seconds(2))
        };
        let settled = one.turn_down(Some(before), &rows[1].id, seconds(1), judge).unwrap().expect("a try");
        assert_eq!((settled.attempt, settled.verdict.state), (1, State::Refused));
        assert_eq!((state(base, "a@x.test"), state(base, "b@x.test")), ("accepted".into(), "refused".into()));
        let began = format!("SELECT COUNT(*) FROM attempts WHERE began = {}", seconds(1).timestamp_millis());
        assert_eq!(base.look(&began), "1");
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE worker IS NOT NULL"), "0");
    });
}

#[test]
fn a_try_that_is_turned_down_leaves_what_one_leaves_that_was_begun_and_settled() {
    every_store(|base| {
        let readers: Vec<String> =
            (0..OUTCOMES.len() + 1).flat_map(|n| [format!("a{n}@x.test"), format!("b{n}@x.test")]).collect();
        let store = released_to(base, &readers.iter().map(String::as_str).collect::<Vec<_>>());
        let one = ledger(&store, "one");
        let rows = claim(&one, 99, monday());
        let (settled, turned_down) = rows.split_at(OUTCOMES.len() + 1);
        let given_up = Verdict { state: State::Refused, due: None, suppress: false, expired: true };
        let end = move |row: &Claimed, begun: Begun, n: usize| match OUTCOMES.get(n) {
            Some(outcome) => ended(row, begun, *outcome, seconds(5)),
            None => {
                let deferred = ended(row, begun, Outcome::Deferred(Fault::Recipient), seconds(5));
                Settled { verdict: given_up, ..deferred }
            }
        };
        for (n, (one_way, other)) in settled.iter().zip(turned_down).enumerate() {
            let begun = begin(&one, one_way, seconds(4)).unwrap();
            one.settle(end(one_way, begun, n)).unwrap();
            let row = other.clone();
            assert!(one.turn_down(None, &other.id, seconds(4), move |begun| end(&row, begun, n)).unwrap().is_some());
        }
        let picture = |which: &str| {
            let sql = "SELECT substr(d.address, 2), d.state, d.due, d.attempts, d.resends, d.first_at, d.last_at, d.worker, d.lease, d.transport, \
                   a.number, a.began, a.ended, a.stage, a.code, a.status, a.text, a.outcome, p.reason, p.at \
                 FROM deliveries d JOIN attempts a ON a.delivery = d.id LEFT JOIN suppressions p ON p.hash = d.hash AND p.delivery = d.id \
                 WHERE substr(d.address, 1, 1) = $1 ORDER BY 1";
            base.connection()
                .query(sql, &[which.into()])
                .unwrap()
                .iter()
                .map(|row| format!("{row:?}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(picture("a"), picture("b"));
        assert_eq!(picture("a").len(), OUTCOMES.len() + 1);
        assert_eq!(base.look("SELECT COUNT(*) FROM suppressions WHERE reason = 'bounce'"), "2");
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts WHERE outcome = 'expired'"), "2");
    });
}

#[test]
fn nobodys_wish_is_overtaken_by_a_try_that_is_turned_down() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test", "c@x.test", "d@x.test"]);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let rows = claim(&one, 9, monday());
        let never = |_: Begun| -> Settled { panic!("there was no try") };
        store.unsubscribe(&rows[0].subscriber, "link", &Random::seeded(2), monday()).unwrap();
        let row = rows[1].clone();
        // What is not this worker's is none of its affairs.
        assert!(two.turn_down(None, &rows[1].id, monday(), never).unwrap().is_none());
        let begun = begin(&one, &rows[3], monday()).unwrap();
        let last = ended(&rows[3], begun, Outcome::Accepted, monday());
        // The end of the last try is recorded all the same.
        assert!(one.turn_down(Some(last.clone()), &rows[0].id, monday(), never).unwrap().is_none());
        assert_eq!((state(base, "a@x.test"), state(base, "d@x.test")), ("cancelled".into(), "accepted".into()));
        // And one that another has judged ends it.
        assert!(matches!(one.turn_down(Some(last), &rows[1].id, monday(), never), Err(Error::Lost(_))));
        let hard = move |begun| ended(&row, begun, Outcome::Refused(Refusal::Hard), monday());
        assert!(one.turn_down(None, &rows[1].id, monday(), hard).unwrap().is_some());
        assert_eq!(store.cancel("weekly/1").unwrap(), Changed::Done(1));
        assert!(one.turn_down(None, &rows[2].id, monday(), never).unwrap().is_none());
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts"), "2");
    });
}

#[test]
fn a_lost_row_is_its_own_callers_affair() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test", "c@x.test", "d@x.test"]);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        let begun = begin(&one, &rows[0], monday()).unwrap();
        let lost = ended(&rows[0], begun, Outcome::Accepted, monday());
        one.settle(lost.clone()).unwrap();
        // While the first waits for the store the others gather behind it, and share a commit.
        let mut other = base.connection();
        other
            .batch(if base.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN; LOCK TABLE deliveries IN EXCLUSIVE MODE" })
            .unwrap();
        let first = one.begin(None, &rows[1].id, monday()).unwrap();
        let second = one.begin(Some(lost), &rows[2].id, monday()).unwrap();
        let third = one.begin(None, &rows[3].id, monday()).unwrap();
        other.batch("COMMIT").unwrap();
        assert!(first.wait().unwrap().is_some());
        assert!(matches!(second.wait(), Err(Error::Lost(_))));
        assert!(third.wait().unwrap().is_some());
        assert_eq!((state(base, "c@x.test"), state(base, "d@x.test")), ("queued".into(), "sending".into()));
    });
}

#[test]
fn a_try_that_was_settled_is_not_settled_again_when_its_row_is_claimed_again() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test"]);
        let one = ledger(&store, "one");
        let row = claim(&one, 9, monday()).remove(0);
        let begun = begin(&one, &row, monday()).unwrap();
        let end = ended(&row, begun, Outcome::Deferred(Fault::Recipient), monday());
        one.settle(end.clone()).unwrap();
        assert_eq!(claim(&one, 9, seconds(600)).len(), 1);
        assert!(matches!(one.settle(end), Err(Error::Lost(_))));
    });
}

#[test]
fn what_was_claimed_of_an_edition_that_is_held_goes_back_and_is_not_withdrawn() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test"]);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let rows = claim(&one, 9, monday());
        assert_eq!(two.hold_rested(seconds(1)).unwrap(), ["weekly/1"]);
        assert!(begin(&one, &rows[0], seconds(2)).is_none());
        let never = |_: Begun| -> Settled { panic!("there was no try") };
        assert!(one.turn_down(None, &rows[1].id, seconds(2), never).unwrap().is_none());
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND worker IS NULL"), "2");
        assert_eq!(store.approve("weekly/1", |_| true, seconds(3)).unwrap(), Changed::Done(2));
        assert_eq!(claim(&two, 9, seconds(3)).len(), 2);
    });
}

#[test]
fn a_bounce_that_is_undone_brings_back_nobody_who_had_left_before_it_withdrew() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test"]);
        assert_eq!(store.freeze(&edition("weekly/2", seconds(1)), seconds(1)).unwrap(), Decided::Now(2));
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, seconds(1));
        for pair in rows.chunks(2) {
            try_once(&one, &pair[0], Outcome::Refused(Refusal::Hard), seconds(1));
        }
        // Behind the store's back, as another version might: gone, and back again after the second was withdrawn.
        base.change("UPDATE subscribers SET status = 'absent' WHERE address = 'a@x.test'");
        assert!(rows.chunks(2).all(|pair| begin(&one, &pair[1], seconds(2)).is_none()));
        base.change("UPDATE subscribers SET status = 'active'");
        one.undo(vec![rows[0].id.clone(), rows[2].id.clone()], seconds(3)).unwrap();
        let again = claim(&one, 9, seconds(3));
        assert_eq!(addresses(&again), ["a@x.test", "b@x.test", "b@x.test"]);
        // What has been taken meanwhile is not to be undone.
        try_once(&one, &again[0], Outcome::Accepted, seconds(4));
        one.undo(vec![again[0].id.clone()], seconds(5)).unwrap();
        assert!(claim(&ledger(&store, "two"), 9, seconds(5)).is_empty());
    });
}

#[test]
fn a_bounce_that_is_undone_brings_back_nobody_who_left_meanwhile_and_opens_no_edition_that_is_held() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test"]);
        assert_eq!(store.freeze(&edition("weekly/2", seconds(1)), seconds(1)).unwrap(), Decided::Now(1));
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, seconds(1));
        try_once(&one, &rows[0], Outcome::Refused(Refusal::Hard), seconds(1));
        assert!(begin(&one, &rows[1], seconds(2)).is_none());
        store.unsubscribe(&rows[0].subscriber, "link", &Random::seeded(2), seconds(3)).unwrap();
        base.change(&format!("UPDATE editions SET state = 'held' WHERE id = '{}'", rows[0].occasion));
        one.undo(vec![rows[0].id.clone()], seconds(4)).unwrap();
        let stands = |row: &Claimed| base.look(&format!("SELECT state FROM deliveries WHERE id = '{}'", row.id));
        assert_eq!((stands(&rows[0]), stands(&rows[1])), ("queued".into(), "cancelled".into()));
        assert_eq!(base.look(&format!("SELECT state FROM editions WHERE id = '{}'", rows[0].occasion)), "held");
    });
}

#[test]
fn an_edition_has_rested_since_its_last_try_and_that_moment_is_not_too_long_ago() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test", "b@x.test"]);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        try_once(&one, &rows[0], Outcome::Accepted, seconds(10));
        assert!(one.hold_rested(seconds(10)).unwrap().is_empty());
        assert_eq!(one.hold_rested(seconds(11)).unwrap(), ["weekly/1"]);
    });
}

#[test]
fn what_is_in_doubt_and_claimed_is_handed_back_at_the_end() {
    every_store(|base| {
        let store = released_to(base, &["a@x.test"]);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let row = claim(&one, 9, monday()).remove(0);
        try_once(&one, &row, Outcome::Unknown, monday());
        assert_eq!(claim(&one, 9, seconds(600)).len(), 1);
        // It is being recovered beside a row of its own, which is none of the dead.
        assert!(begin(&one, &row, seconds(600)).is_some());
        assert_eq!(one.recover(Uncertain::Resend, seconds(600)).unwrap(), Recovered::default());
        one.take_back(&row.id, 2).unwrap();
        assert_eq!(claim(&one, 9, seconds(600)).len(), 1);
        drop(one);
        assert_eq!(claim(&two, 9, seconds(600)).len(), 1);
    });
}
