//! The ledger, step by step, on both databases: P1 (nobody skipped, nobody mailed twice) and P2 (the intent before the act).

use crate::support::database::{Base, every_store};
use crate::support::edition::*;
use chrono::{DateTime, TimeDelta, Utc};
use postrider::address::EmailAddress;
use postrider::clock::Clock;
use postrider::delivery::{self, Uncertain};
use postrider::dispatch::{Dispatch, End, Progress, Relays};
use postrider::message;
use postrider::random::Random;
use postrider::reply::{Fault, Outcome, Refusal};
use postrider::store::editions::{Changed, Decided, Retry};
use postrider::store::ledger::{Begun, Claim, Claimed, Ledger, Pending, Recovered, Settled};
use postrider::store::{Error, Store};
use postrider::subscriber::Suppression;
use postrider::transport::Transport;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::{env, thread};

const HARD: Outcome = Outcome::Refused(Refusal::Hard);
const LATER: Outcome = Outcome::Deferred(Fault::Recipient);

fn minutes(minutes: i64) -> DateTime<Utc> {
    monday() + TimeDelta::minutes(minutes)
}

/// Begins, and ends at once.
fn try_once(ledger: &Ledger, row: &Claimed, outcome: Outcome, now: DateTime<Utc>) -> Begun {
    let begun = ledger.begin(None, &row.id, now).and_then(Pending::wait).unwrap().expect("it may be sent");
    ledger.settle(ended(row, begun, outcome, now)).unwrap();
    begun
}

/// Ends a worker in mid-delivery: what it was sending stays Sending. PostgreSQL notices a moment later; `living` others stay.
fn die(base: &Base, ledger: Ledger, living: usize) {
    drop(ledger);
    wait_for_locks(base, living);
}

fn wait_for_locks(base: &Base, living: usize) {
    let locks = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
         WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    while !base.is_sqlite() && base.look(locks) != living.to_string() {}
}

// ---- claiming

#[test]
fn two_workers_claim_disjoint_rows() {
    every_store(|base| {
        let store = released(base, 10);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| claim(&one, 5, monday()));
            let second = scope.spawn(|| claim(&two, 5, monday()));
            (first.join().unwrap(), second.join().unwrap())
        });
        let all: HashSet<&str> = first.iter().chain(&second).map(|row| row.id.as_str()).collect();
        assert_eq!(all.len(), 10);
        assert!(claim(&one, 5, monday()).is_empty());
        // What another has claimed cannot be begun.
        assert!(one.begin(None, &second[0].id, monday()).and_then(Pending::wait).unwrap().is_none());
        assert!(two.begin(None, &second[0].id, monday()).and_then(Pending::wait).unwrap().is_some());
    });
}

#[test]
fn a_lease_runs_out_and_its_late_owner_sends_nothing() {
    every_store(|base| {
        let store = released(base, 1);
        let (slow, quick) = (ledger(&store, "slow"), ledger(&store, "quick"));
        let row = &claim(&slow, 5, monday())[0];
        // Nothing is due for others before the lease ends, so nobody spins on it.
        let next = match quick.claim(5, &limits(&[]), minutes(1)).unwrap() {
            Claim::Nothing(Some(next)) => next,
            other => panic!("{other:?}"),
        };
        assert!(next > minutes(1));
        assert_eq!(claim(&quick, 5, next).len(), 1);
        assert!(slow.begin(None, &row.id, next).and_then(Pending::wait).unwrap().is_none());
        assert!(quick.begin(None, &row.id, next).and_then(Pending::wait).unwrap().is_some());
    });
}

#[test]
fn a_lease_that_nobody_took_over_is_still_good() {
    every_store(|base| {
        let store = released(base, 1);
        let slow = ledger(&store, "slow");
        let row = &claim(&slow, 5, monday())[0];
        assert!(slow.begin(None, &row.id, minutes(60)).and_then(Pending::wait).unwrap().is_some());
    });
}

#[test]
fn claims_are_handed_back_silently() {
    every_store(|base| {
        let store = released(base, 3);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let rows = claim(&one, 5, monday());
        one.release(vec![rows[0].id.clone()]).unwrap();
        assert_eq!(claim(&two, 5, monday()).len(), 1);
        drop(one);
        assert_eq!(claim(&two, 5, monday()).len(), 2);
        assert_eq!(base.look("SELECT COUNT(*) FROM attempts"), "0");
        assert_eq!(counts(&store).queued, 3);
    });
}

#[test]
fn rates_count_over_restarts_and_workers() {
    every_store(|base| {
        let store = released(base, 5);
        let rates = limits(&["3/m"]);
        let one = ledger(&store, "one");
        let Claim::Rows(rows) = one.claim(5, &rates, monday()).unwrap() else { panic!("three may go") };
        assert_eq!(rows.len(), 3);
        // What is promised counts, whoever asks.
        let two = ledger(&store, "two");
        assert!(matches!(two.claim(5, &rates, monday()).unwrap(), Claim::Wait(_)));
        for row in &rows {
            try_once(&one, row, Outcome::Accepted, monday());
        }
        drop(one);
        let Claim::Wait(millis) = two.claim(5, &rates, minutes(0) + TimeDelta::seconds(20)).unwrap() else { panic!() };
        assert_eq!(millis, 40_000);
        let Claim::Rows(rows) = two.claim(5, &rates, minutes(1) + TimeDelta::seconds(1)).unwrap() else { panic!() };
        assert_eq!(rows.len(), 2);
        rows.iter().for_each(|row| {
            let _ = try_once(&two, row, Outcome::Accepted, minutes(1));
        });
        // Where nothing is due nobody waits for a rate.
        assert!(matches!(two.claim(5, &limits(&["2/d"]), minutes(1)).unwrap(), Claim::Nothing(None)));
    });
}

// ---- beginning

#[test]
fn nobody_is_mailed_who_left_after_the_claim() {
    every_store(|base| {
        let store = released(base, 4);
        let ledger = ledger(&store, "one");
        let rows = claim(&ledger, 9, monday());
        let random = Random::seeded(9);
        store.unsubscribe(&rows[0].subscriber, "link", &random, monday()).unwrap();
        store.suppress(&rows[1].address, Suppression::Manual, &random, monday()).unwrap();
        // Behind the store's back, as another version might: the statement that begins asks too.
        base.change("UPDATE subscribers SET status = 'absent' WHERE address = 'r2@example.org'");
        for row in &rows[..3] {
            assert!(ledger.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().is_none());
        }
        assert_eq!(store.cancel("weekly/1").unwrap(), Changed::Done(1));
        assert!(ledger.begin(None, &rows[3].id, monday()).and_then(Pending::wait).unwrap().is_none());
        assert_eq!((counts(&store).cancelled, base.look("SELECT COUNT(*) FROM attempts")), (4, "0".to_owned()));
    });
}

#[test]
fn the_intent_and_the_outcome_before_it_are_one_commit() {
    every_store(|base| {
        let store = released(base, 2);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        let first = one.begin(None, &rows[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        assert_eq!(state(base, "r0@example.org"), "sending");
        let settled = ended(&rows[0], first, Outcome::Accepted, monday());
        let second = one.begin(Some(settled), &rows[1].id, monday()).and_then(Pending::wait).unwrap();
        assert_eq!(
            (state(base, "r0@example.org"), state(base, "r1@example.org")),
            ("accepted".into(), "sending".into())
        );
        one.settle(ended(&rows[1], second.unwrap(), Outcome::Accepted, monday())).unwrap();
        one.finish_editions().unwrap();
        assert_eq!(store.editions(1).unwrap()[0].state, "done");
    });
}

#[test]
fn only_who_began_a_try_may_end_it_and_only_once() {
    every_store(|base| {
        let store = released(base, 1);
        let (one, two) = (ledger(&store, "one"), ledger(&store, "two"));
        let row = &claim(&one, 9, monday())[0];
        let begun = one.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap();
        let end = ended(row, begun, Outcome::Accepted, monday());
        assert!(matches!(two.settle(end.clone()), Err(Error::Lost(_))));
        let other_try = Settled { attempt: 2, ..end.clone() };
        assert!(matches!(one.settle(other_try), Err(Error::Lost(_))));
        one.settle(end.clone()).unwrap();
        assert!(matches!(one.settle(end), Err(Error::Lost(_))));
        assert_eq!(counts(&store).accepted, 1);
    });
}

#[test]
fn a_lost_outcome_begins_nothing() {
    every_store(|base| {
        let store = released(base, 2);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        let begun = one.begin(None, &rows[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        let end = ended(&rows[0], begun, Outcome::Accepted, monday());
        one.settle(end.clone()).unwrap();
        assert!(matches!(one.begin(Some(end), &rows[1].id, monday()).and_then(Pending::wait), Err(Error::Lost(_))));
        assert_eq!(state(base, "r1@example.org"), "queued");
    });
}

#[test]
fn a_group_is_committed_whole_or_not_at_all() {
    every_store(|base| {
        let store = released(base, 9);
        let one = ledger(&store, "one");
        let rows = claim(&one, 8, monday());
        // A row that no worker can claim makes its whole group fail.
        base.change("UPDATE deliveries SET address = 'no address' WHERE worker IS NULL");
        let mut other = base.connection();
        let hold = if base.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN; LOCK TABLE deliveries IN EXCLUSIVE MODE" };
        other.batch(hold).unwrap();
        let barrier = Barrier::new(10);
        let begin = &|row: &Claimed| {
            barrier.wait();
            (row.id.clone(), one.begin(None, &row.id, monday()).and_then(Pending::wait))
        };
        let fail = || {
            barrier.wait();
            one.claim(9, &limits(&[]), monday())
        };
        let answers: Vec<_> = thread::scope(|scope| {
            let begins: Vec<_> = rows.iter().map(|row| scope.spawn(move || begin(row))).collect();
            let claim = scope.spawn(fail);
            barrier.wait();
            other.batch("COMMIT").unwrap();
            assert!(claim.join().unwrap().is_err());
            begins.into_iter().map(|begin| begin.join().unwrap()).collect()
        });
        for (id, answer) in answers {
            let sending = base.look(&format!("SELECT state FROM deliveries WHERE id = '{id}'")) == "sending";
            // Whatever shared a commit with the failure: who was told "begun" is Sending on the disk, and nobody else.
            assert_eq!(sending, matches!(answer, Ok(Some(_))), "{answer:?}");
        }
    });
}

// ---- doubt

#[test]
fn a_reply_that_never_came_is_resent_once_and_then_held() {
    every_store(|base| {
        let store = released(base, 1);
        let one = ledger(&store, "one");
        let first = claim(&one, 9, monday()).remove(0);
        try_once(&one, &first, Outcome::Unknown, monday());
        assert_eq!((counts(&store).uncertain, store.uncertain().unwrap().len()), (1, 1));
        assert!(claim(&one, 9, monday()).is_empty());
        let again = claim(&one, 9, minutes(60)).remove(0);
        assert_eq!((&again.id, again.date, &again.text), (&first.id, first.date, &first.text));
        assert_eq!(try_once(&one, &again, Outcome::Unknown, minutes(60)).resends, 1);
        assert_eq!((counts(&store).held, store.held().unwrap().len(), store.resent().unwrap().len()), (1, 1, 1));
        assert!(claim(&one, 9, minutes(10_000)).is_empty());
    });
}

#[test]
fn a_resend_that_is_deferred_is_still_the_only_resend() {
    every_store(|base| {
        let store = released(base, 1);
        let one = ledger(&store, "one");
        for (minute, outcome, resends) in [(0, Outcome::Unknown, 0), (90, LATER, 1), (300, Outcome::Unknown, 1)] {
            let row = claim(&one, 9, minutes(minute)).remove(0);
            assert_eq!(try_once(&one, &row, outcome, minutes(minute)).resends, resends);
        }
        assert_eq!(counts(&store).held, 1);
    });
}

#[test]
fn whoever_wants_it_has_doubtful_ones_held_at_once() {
    every_store(|base| {
        let store = released(base, 2);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        let begun = one.begin(None, &rows[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        one.settle(ended_under(Uncertain::Hold, &rows[0], begun, Outcome::Unknown, monday())).unwrap();
        one.begin(None, &rows[1].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        die(base, one, 0);
        let recovered = ledger(&store, "two").recover(Uncertain::Hold, minutes(1)).unwrap();
        assert_eq!(recovered, Recovered { uncertain: 0, held: 1 });
        assert_eq!(counts(&store).held, 2);
    });
}

#[test]
fn what_the_dead_were_sending_is_in_doubt_and_what_the_living_send_is_not() {
    every_store(|base| {
        let store = released(base, 4);
        let (dead, alive) = (ledger(&store, "dead"), ledger(&store, "alive"));
        let (lost, fine) = (claim(&dead, 2, monday()), claim(&alive, 2, monday()));
        dead.begin(None, &lost[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        let begun = alive.begin(None, &fine[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        let judge = ledger(&store, "judge");
        assert_eq!(judge.recover(Uncertain::Resend, minutes(600)).unwrap(), Recovered::default());
        assert_eq!(counts(&store).uncertain, 0);
        die(base, dead, 2);
        // `status` says so before anybody has judged it.
        assert_eq!((counts(&store).uncertain, store.uncertain().unwrap().len()), (1, 1));
        assert_eq!(judge.recover(Uncertain::Resend, minutes(1)).unwrap(), Recovered { uncertain: 1, held: 0 });
        assert_eq!(judge.recover(Uncertain::Resend, minutes(1)).unwrap(), Recovered::default());
        alive.settle(ended(&fine[0], begun, Outcome::Accepted, minutes(2))).unwrap();
        let again = claim(&judge, 9, minutes(2));
        assert!(again.iter().any(|row| row.id == lost[0].id), "it is due at once");
        let row = again.iter().find(|row| row.id == lost[0].id).unwrap();
        assert_eq!(judge.begin(None, &row.id, minutes(2)).and_then(Pending::wait).unwrap().unwrap().resends, 1);
        die(base, judge, 1);
        let last = ledger(&store, "last");
        // Killed over it once more: perhaps nothing of it ever left, so it must go out again.
        assert_eq!(last.recover(Uncertain::Resend, minutes(3)).unwrap(), Recovered { uncertain: 1, held: 0 });
    });
}

#[test]
fn an_outbox_is_never_in_doubt() {
    every_store(|base| {
        let store = released(base, 1);
        let outbox = Ledger::start(&store, "one".into(), "outbox".into()).unwrap();
        let row = claim(&outbox, 9, monday()).remove(0);
        outbox.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap();
        die(base, outbox, 0);
        let two = ledger(&store, "two");
        assert_eq!(two.recover(Uncertain::Resend, minutes(1)).unwrap(), Recovered::default());
        let row = claim(&two, 9, minutes(1)).remove(0);
        let begun = two.begin(None, &row.id, minutes(1)).and_then(Pending::wait).unwrap().unwrap();
        assert_eq!((begun.attempt, begun.resends), (2, 0));
        two.take_back(&row.id, 2).unwrap();
        assert_eq!(state(base, "r0@example.org"), "queued");
    });
}

#[test]
fn a_killed_process_is_noticed_and_a_living_one_left_alone() {
    every_store(|base| {
        let store = released(base, 2);
        let (mut killed, mut spared) = (Worker::start(base, "killed"), Worker::start(base, "spared"));
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state = 'sending'"), "2");
        let judge = ledger(&store, "judge");
        assert_eq!(judge.recover(Uncertain::Resend, minutes(600)).unwrap(), Recovered::default());
        killed.end();
        wait_for_locks(base, 2);
        assert_eq!(judge.recover(Uncertain::Resend, minutes(1)).unwrap(), Recovered { uncertain: 1, held: 0 });
        spared.end();
        wait_for_locks(base, 1);
        assert_eq!(judge.recover(Uncertain::Resend, minutes(1)).unwrap(), Recovered { uncertain: 1, held: 0 });
        assert_eq!(claim(&judge, 9, minutes(1)).len(), 2);
    });
}

const VARIABLE: &str = "POSTRIDER_TEST_WORKER";

/// Another process that has begun one delivery and hangs.
struct Worker(Child);

impl Worker {
    fn start(base: &Base, name: &str) -> Self {
        let url = match &base.place {
            postrider::store::Place::Server(url) => url.clone(),
            _ => format!("sqlite:{}", base.folder.path().join("postrider.db").display()),
        };
        let mut child = Command::new(env::current_exe().expect("a test binary"))
            .args(["--exact", "ledger::as_a_process", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, format!("{name} {url}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary runs");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        assert!(said.lines().map_while(Result::ok).any(|line| line.contains("begun")), "it begins");
        Worker(child)
    }

    fn end(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Where the test failed; else it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of anything: the body of [`Worker::start`].
#[test]
fn as_a_process() {
    let Ok(said) = env::var(VARIABLE) else { return };
    let (name, url) = said.split_once(' ').expect("a name and a URL");
    let place = postrider::store::Place::parse(url, std::path::Path::new("/")).expect("a place");
    let store = Store::open(&place, postrider::store::Mode::MustExist).expect("it is there");
    let ledger = ledger(&store, name);
    let row = claim(&ledger, 1, monday()).remove(0);
    ledger.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().expect("it may be sent");
    writeln!(io::stdout(), "\nbegun").expect("a parent");
    // Ends when the parent does, if not killed before.
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

#[cfg(unix)]
#[test]
fn a_store_that_is_opened_through_a_link_has_the_same_living() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("postrider.db"), folder.path().join("elsewhere"));
    let open = |path: &std::path::Path| {
        Store::open(&postrider::store::Place::File(path.to_owned()), postrider::store::Mode::Create).unwrap()
    };
    let store = open(&file);
    people(&store, 1, &Random::seeded(1));
    freeze(&store, &edition("weekly/1", monday()));
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let linked = open(&link.join("postrider.db"));
    let one = ledger(&store, "one");
    let row = claim(&one, 1, monday()).remove(0);
    one.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap();
    assert_eq!(ledger(&linked, "two").recover(Uncertain::Resend, minutes(1)).unwrap(), Recovered::default());
}

// ---- taking back, undoing, resting

#[test]
fn a_try_that_is_taken_back_leaves_no_trace() {
    every_store(|base| {
        let store = released(base, 1);
        let one = ledger(&store, "one");
        let picture = || {
            let row = "SELECT state, attempts, resends, first_at, last_at, due, worker, lease FROM deliveries";
            format!(
                "{:?} {}",
                base.connection().query_one(row, &[]).unwrap(),
                base.look("SELECT COUNT(*) FROM attempts")
            )
        };
        // Untried; tried before; in doubt; in doubt once, then deferred.
        for (minute, then) in [(0, LATER), (100, Outcome::Unknown), (300, LATER), (900, Outcome::Unknown)] {
            let before = picture();
            let row = claim(&one, 9, minutes(minute)).remove(0);
            let begun = one.begin(None, &row.id, minutes(minute)).and_then(Pending::wait).unwrap().unwrap();
            one.take_back(&row.id, begun.attempt).unwrap();
            assert_eq!(picture(), before);
            let row = claim(&one, 9, minutes(minute)).remove(0);
            assert_eq!(try_once(&one, &row, then, minutes(minute)).attempt, begun.attempt);
        }
        assert_eq!(counts(&store).held, 1);
    });
}

#[test]
fn the_breaker_gives_back_the_refused_and_whatever_their_suppression_withdrew() {
    every_store(|base| {
        let store = released(base, 2);
        assert_eq!(store.freeze(&edition("weekly/2", minutes(1)), minutes(1)).unwrap(), Decided::Now(2));
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, minutes(1));
        let r0: Vec<&Claimed> = rows.iter().filter(|row| row.address.as_str() == "r0@example.org").collect();
        try_once(&one, r0[0], HARD, minutes(1));
        let suppressed = || store.suppression(&r0[0].address, &Random::seeded(1)).unwrap();
        assert_eq!(suppressed().as_deref(), Some("bounce"));
        assert!(one.begin(None, &r0[1].id, minutes(1)).and_then(Pending::wait).unwrap().is_none());
        for row in rows.iter().filter(|row| row.address.as_str() != "r0@example.org") {
            try_once(&one, row, Outcome::Accepted, minutes(1));
        }
        // Another process sees both editions at their end.
        ledger(&store, "two").finish_editions().unwrap();
        one.undo(vec![r0[0].id.clone()], minutes(2)).unwrap();
        assert_eq!(suppressed(), None);
        let again = claim(&one, 9, minutes(2));
        assert_eq!(again.len(), 2);
        again.iter().for_each(|row| {
            let _ = try_once(&one, row, Outcome::Accepted, minutes(2));
        });
        assert_eq!(base.look("SELECT COUNT(*) FROM deliveries WHERE state = 'accepted'"), "4");
    });
}

#[test]
fn the_breaker_revives_nobody_who_left_and_no_other_suppression() {
    every_store(|base| {
        let store = released(base, 2);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        try_once(&one, &rows[0], HARD, monday());
        try_once(&one, &rows[1], HARD, monday());
        base.change("UPDATE suppressions SET reason = 'complaint' WHERE address = 'r1@example.org'");
        store.unsubscribe(&rows[0].subscriber, "link", &Random::seeded(2), monday()).unwrap();
        one.undo(rows.iter().map(|row| row.id.clone()).collect(), minutes(1)).unwrap();
        for row in claim(&one, 9, minutes(1)) {
            assert!(one.begin(None, &row.id, minutes(1)).and_then(Pending::wait).unwrap().is_none());
        }
        assert_eq!(counts(&store).cancelled, 2);
    });
}

#[test]
fn what_comes_back_to_a_cancelled_edition_is_withdrawn() {
    every_store(|base| {
        let store = released(base, 4);
        let (one, dead) = (ledger(&store, "one"), ledger(&store, "dead"));
        let mine = claim(&one, 3, monday());
        let lost = claim(&dead, 1, monday());
        let begun: Vec<Begun> = mine
            .iter()
            .map(|row| one.begin(None, &row.id, monday()).and_then(Pending::wait).unwrap().unwrap())
            .collect();
        dead.begin(None, &lost[0].id, monday()).and_then(Pending::wait).unwrap().unwrap();
        assert_eq!(store.cancel("weekly/1").unwrap(), Changed::Done(0));
        one.settle(ended(&mine[0], begun[0], LATER, monday())).unwrap();
        one.settle(ended(&mine[1], begun[1], Outcome::Unknown, monday())).unwrap();
        one.take_back(&mine[2].id, begun[2].attempt).unwrap();
        die(base, dead, 1);
        one.recover(Uncertain::Resend, minutes(1)).unwrap();
        assert_eq!((counts(&store).cancelled, counts(&store).held), (2, 2));
        assert_eq!(store.cancel("weekly/1").unwrap(), Changed::NotNow);
        assert_eq!(store.cancel("weekly/9").unwrap(), Changed::Unknown);
    });
}

#[test]
fn what_rested_too_long_is_held_until_it_is_approved() {
    every_store(|base| {
        let store = released(base, 2);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        try_once(&one, &rows[0], LATER, monday());
        one.release(vec![rows[1].id.clone()]).unwrap();
        assert!(one.hold_rested(monday()).unwrap().is_empty());
        assert_eq!(one.hold_rested(minutes(1)).unwrap(), ["weekly/1"]);
        assert!(one.hold_rested(minutes(1)).unwrap().is_empty());
        let late = minutes(5000);
        assert!(claim(&one, 9, late).is_empty());
        assert_eq!(store.approve("weekly/1", |_| true, late).unwrap(), Changed::Done(2));
        assert!(one.hold_rested(late).unwrap().is_empty());
        let rows = claim(&one, 9, late);
        // Its patience begins anew, its Date does not.
        assert_eq!(try_once(&one, &rows[0], LATER, late).first_at, late);
        assert_eq!(rows[0].date, monday());
    });
}

#[test]
fn retry_queues_the_refused_or_what_only_went_to_an_outbox() {
    every_store(|base| {
        let store = released(base, 3);
        let one = ledger(&store, "one");
        let rows = claim(&one, 9, monday());
        try_once(&one, &rows[0], Outcome::Refused(Refusal::Policy), monday());
        rows[1..].iter().for_each(|row| {
            let _ = try_once(&one, row, Outcome::Accepted, monday());
        });
        one.finish_editions().unwrap();
        let retry = |which| store.retry("weekly/1", which, minutes(1)).unwrap();
        assert_eq!(retry(Retry::Refused(Some("999"))), Changed::Done(0));
        assert_eq!(retry(Retry::Outbox), Changed::Done(0));
        assert_eq!(store.editions(1).unwrap()[0].state, "done");
        assert_eq!(retry(Retry::Refused(Some("250"))), Changed::Done(1));
        assert_eq!(store.editions(1).unwrap()[0].state, "open");
        base.change("UPDATE deliveries SET transport = 'outbox' WHERE address = 'r1@example.org'");
        assert_eq!(retry(Retry::Outbox), Changed::Done(1));
        assert_eq!(claim(&one, 9, minutes(1)).len(), 2);
        assert_eq!(store.retry("weekly/9", Retry::Outbox, monday()).unwrap(), Changed::Unknown);
    });
}

#[test]
fn one_delivery_for_one_subscriber_and_occasion_is_a_constraint() {
    every_store(|base| {
        released(base, 1);
        let copy = "INSERT INTO deliveries (id, subscriber, occasion, edition, variant, address, hash, state, due, attempts, resends, queued) \
             SELECT 'other', subscriber, occasion, edition, variant, address, hash, 'queued', 0, 0, 0, 0 FROM deliveries";
        assert!(matches!(base.connection().execute(copy, &[]), Err(Error::Conflict(_))));
    });
}

// ---- dispatch

#[test]
fn a_run_does_not_wait_for_what_another_has_claimed() {
    every_store(|base| {
        let store = released(base, 3);
        let other = ledger(&store, "other");
        assert_eq!(claim(&other, 9, monday()).len(), 3);
        let (transport, memory) = Transport::memory();
        let random = Random::seeded(4);
        let dispatched = Dispatch {
            store: &store,
            relays: &Relays::sole(transport.clone(), 4),
            remote: None,
            settings: &delivery::Settings::default(),
            mail: &mail(),
            keyring: &store.keyring(&[], &random).unwrap(),
            signer: &postrider::message::Signer::none(),
            clock: Clock::starting_at(monday()),
            random: &random,
            stop: &AtomicBool::new(false),
            progress: &Progress::default(),
            wait: TimeDelta::zero(),
        }
        .run()
        .unwrap();
        assert_eq!((dispatched.end, memory.taken().len()), (End::Drained, 0));
    });
}

fn mail() -> message::Settings {
    message::Settings {
        from: "News <news@example.org>".parse().unwrap(),
        reply_to: None,
        postal_address: None,
        transport: "outbox:outbox".to_owned(),
        password: None,
        report_to: None,
        bounces: Some(EmailAddress::parse("bounces@example.org").unwrap()),
        dkim: Vec::new(),
    }
}

// ---- any order of events

#[derive(Clone, Debug)]
enum Step {
    Claim(usize),
    Begin(usize),
    End(usize, Outcome),
    TakeBack(usize),
    Die(usize),
    Recover,
    Leave(usize),
    Later,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Accepted),
        2 => Just(LATER),
        3 => Just(Outcome::Unknown),
        1 => Just(Outcome::Refused(Refusal::Policy)),
    ];
    prop_oneof![
        3 => (0..2usize).prop_map(Step::Claim),
        5 => (0..2usize).prop_map(Step::Begin),
        4 => (0..2usize, outcome).prop_map(|(worker, outcome)| Step::End(worker, outcome)),
        1 => (0..2usize).prop_map(Step::TakeBack),
        2 => (0..2usize).prop_map(Step::Die),
        2 => Just(Step::Recover),
        1 => (0..READERS).prop_map(Step::Leave),
        2 => Just(Step::Later),
    ]
}

const READERS: usize = 4;

/// One process: its ledger, what it has claimed, what it is sending.
struct Process {
    ledger: Ledger,
    claimed: Vec<Claimed>,
    sending: Option<(Claimed, Begun)>,
}

impl Process {
    fn start(store: &Store, number: usize) -> Self {
        Process { ledger: ledger(store, &format!("w{number}")), claimed: Vec::new(), sending: None }
    }
}

fn play(base: &Base, steps: &[Step]) {
    let store = released(base, READERS);
    let mut now = monday();
    let mut workers = [Process::start(&store, 0), Process::start(&store, 1)];
    let mut started = 2;
    // The server's own view: how often a message may have reached it, and whether somebody had left before that.
    let mut bodies: HashMap<String, u32> = HashMap::new();
    let mut left: HashSet<String> = HashSet::new();
    for step in steps {
        match step {
            Step::Claim(at) => {
                let rows = claim(&workers[*at].ledger, 2, now);
                workers[*at].claimed.extend(rows);
            }
            Step::Begin(at) => {
                let worker = &mut workers[*at];
                if worker.sending.is_some() || worker.claimed.is_empty() {
                    continue;
                }
                let row = worker.claimed.remove(0);
                if let Some(begun) = worker.ledger.begin(None, &row.id, now).and_then(Pending::wait).unwrap() {
                    assert!(!left.contains(&row.subscriber), "{row:?} had left");
                    worker.sending = Some((row, begun));
                }
            }
            Step::End(at, outcome) => {
                let worker = &mut workers[*at];
                if let Some((row, begun)) = worker.sending.take() {
                    if matches!(outcome, Outcome::Accepted | Outcome::Unknown) {
                        *bodies.entry(row.id.clone()).or_default() += 1;
                    }
                    worker.ledger.settle(ended(&row, begun, *outcome, now)).unwrap();
                }
            }
            Step::TakeBack(at) => {
                let worker = &mut workers[*at];
                if let Some((row, begun)) = worker.sending.take() {
                    worker.ledger.take_back(&row.id, begun.attempt).unwrap();
                }
            }
            Step::Die(at) => {
                let next = Process::start(&store, started);
                started += 1;
                let dead = std::mem::replace(&mut workers[*at], next);
                if let Some((row, _)) = &dead.sending {
                    *bodies.entry(row.id.clone()).or_default() += 1;
                }
                die(base, dead.ledger, 2);
            }
            Step::Recover => drop(workers[0].ledger.recover(Uncertain::Resend, now).unwrap()),
            Step::Leave(reader) => {
                let email = format!("r{reader}@example.org");
                let id = base.look(&format!("SELECT id FROM subscribers WHERE address = '{email}'"));
                store.unsubscribe(&id, "link", &Random::system(), now).unwrap();
                left.insert(id);
            }
            Step::Later => now += TimeDelta::minutes(50),
        }
        assert_eq!(counts(&store).recipients(), READERS as i64);
    }
    assert_eq!(base.look("SELECT COUNT(*) FROM deliveries"), READERS.to_string());
    assert_eq!(base.look("SELECT COUNT(DISTINCT subscriber || occasion) FROM deliveries"), READERS.to_string());
    let mut connection = base.connection();
    for row in connection.query("SELECT id, resends, state FROM deliveries", &[]).unwrap() {
        let (id, resends, state) = (row.text(0).unwrap(), row.int(1).unwrap(), row.text(2).unwrap());
        let bodies = bodies.get(&id).copied().unwrap_or(0);
        assert!(i64::from(bodies) <= 1 + resends && resends <= 1, "{id}: {bodies} bodies, {resends} resends");
        assert!(bodies == 0 || state != "cancelled", "{id} may have been taken and is called cancelled");
        let accepted = "SELECT COUNT(*) FROM attempts WHERE outcome = 'accepted' AND delivery = $1";
        let accepted = connection.query_one(accepted, &[id.as_str().into()]).unwrap().unwrap().int(0).unwrap();
        assert!(accepted <= 1 && (accepted == 1) == (state == "accepted"), "{id}: {state}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_order_of_events_mails_twice_or_loses_anybody(steps in prop::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().expect("a folder");
        play(&Base::in_folder(folder), &steps);
    }
}

#[test]
fn orders_of_events_that_hurt_somewhere() {
    use Step::*;
    let unknown = Outcome::Unknown;
    let histories = [
        // In doubt, resent, killed, held.
        vec![Claim(0), Begin(0), End(0, unknown), Later, Claim(1), Begin(1), Die(1), Recover, Later, Claim(0)],
        // In doubt, deferred, and then the reader leaves.
        vec![
            Claim(0),
            Begin(0),
            End(0, unknown),
            Begin(0),
            Later,
            Later,
            Claim(1),
            Begin(1),
            End(1, LATER),
            Leave(0),
            Leave(1),
            Leave(2),
            Leave(3),
        ],
        // Killed between two tries of what was in doubt.
        vec![
            Claim(0),
            Begin(0),
            Die(0),
            Recover,
            Claim(1),
            Begin(1),
            TakeBack(1),
            Die(1),
            Recover,
            Later,
            Claim(0),
            Begin(0),
            End(0, unknown),
        ],
    ];
    every_store(|base| play(base, &histories[0]));
    every_store(|base| play(base, &histories[1]));
    every_store(|base| play(base, &histories[2]));
}
