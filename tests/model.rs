//! Random histories of workers, a server, readers, an author and a clock, against a model of what the ledger must hold (P1 to P3).
//! After each event every delivery, try and edition is compared, and what is promised is asked of the server's own count of copies.
//!
//! `POSTRIDER_HISTORIES` says how many there are, `POSTRIDER_SEED` repeats them. A history that fails is cut down to what
//! matters and printed.

mod expected;

use crate::support::database::{Base, every_store};
use crate::support::edition::*;
use crate::support::record;
use chrono::{DateTime, TimeDelta, Utc};
use expected::{Delivery, Expected, Reader, Row, Try, millis};
use postrider::delivery::{self, Limits, State, Tried, Uncertain};
use postrider::random::Random;
use postrider::reply::{Fault, Outcome, Refusal, Reply, Sent, Stage};
use postrider::store::Store;
use postrider::store::editions::{Changed, Decided, Retry};
use postrider::store::ledger::{Begun, Claim, Claimed, Ledger, Pending, Recovered, Settled};
use postrider::store::sql::{Connection, Row as Columns};
use postrider::subscriber::file::Row as Listed;
use postrider::subscriber::{Status, Suppression};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const READERS: [&str; 5] = ["r0@a.test", "r1@a.test", "r2@a.test", "r3@slow.test", "r4@slow.test"];
const WORKERS: usize = 2;
const CODES: [Option<&str>; 5] = [None, Some("550"), Some("5.7"), Some("5.1.1"), Some("5")];
/// How the clock steps, in seconds.
const STEPS: [i64; 9] = [10, 20, 70, 200, 3_000, 20_000, 300_000, -3_599, -86_399];
/// What is configured: for all, and for a domain.
const LIMITS: [(&str, &str); 4] = [
    ("[]", ""),
    ("[\"3/m\"]", ""),
    ("[]", "\"slow.test\" = \"1/m\""),
    ("[\"4/m\", \"9/h\"]", "\"slow.test\" = [\"1/m\", \"3/h\"]"),
];

/// What the server does with a message, or what comes of it otherwise.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Takes,
    TakesAndSaysNothing,
    SaysNothing,
    Refuses(Refusal),
    Defers(Fault),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Claim(usize, i64),
    Begin(usize),
    Answer(usize, Answer),
    Settle(usize),
    TurnDown(usize, Answer),
    TakeBack(usize),
    Release(usize),
    /// The server may have taken what was under way.
    Kill(usize, bool),
    End(usize),
    /// Under the other policy than that of the history.
    Recover(usize, bool),
    Clock(usize),
    /// On to when the next delivery is due.
    Due,
    Leave(usize),
    Pause(usize, bool),
    Suppress(usize),
    Freeze(bool),
    Approve(usize),
    Cancel(usize),
    HoldRested(usize),
    Retry(usize, usize),
    RetryHeld(usize),
    Undo(usize),
    Finish(usize),
}

fn refusal() -> impl Strategy<Value = Answer> {
    let kinds = [Refusal::Hard, Refusal::Mailbox, Refusal::Policy];
    prop::sample::select(kinds.to_vec()).prop_map(Answer::Refuses)
}

fn deferral() -> impl Strategy<Value = Answer> {
    let faults = [Fault::Recipient, Fault::Greylisted, Fault::Throttled, Fault::Connection];
    prop::sample::select(faults.to_vec()).prop_map(Answer::Defers)
}

fn step() -> impl Strategy<Value = Step> {
    let (worker, reader, edition) = (0..WORKERS, 0..READERS.len(), 0..3_usize);
    let silent = || prop_oneof![Just(Answer::TakesAndSaysNothing), Just(Answer::SaysNothing)];
    let answer = prop_oneof![4 => Just(Answer::Takes), 3 => silent(), 3 => refusal(), 3 => deferral()];
    prop_oneof![
        12 => (worker.clone(), 1..4_i64).prop_map(|(w, n)| Step::Claim(w, n)),
        20 => worker.clone().prop_map(Step::Begin),
        40 => (worker.clone(), answer).prop_map(|(w, a)| Step::Answer(w, a)),
        10 => worker.clone().prop_map(Step::Settle),
        10 => (worker.clone(), prop_oneof![refusal(), deferral()]).prop_map(|(w, a)| Step::TurnDown(w, a)),
        5 => worker.clone().prop_map(Step::TakeBack),
        2 => worker.clone().prop_map(Step::Release),
        5 => (worker.clone(), any::<bool>()).prop_map(|(w, taken)| Step::Kill(w, taken)),
        2 => worker.clone().prop_map(Step::End),
        6 => (worker.clone(), prop::bool::weighted(0.1)).prop_map(|(w, other)| Step::Recover(w, other)),
        8 => (0..STEPS.len()).prop_map(Step::Clock),
        12 => Just(Step::Due),
        1 => reader.clone().prop_map(Step::Leave),
        2 => (reader.clone(), any::<bool>()).prop_map(|(r, paused)| Step::Pause(r, paused)),
        1 => reader.prop_map(Step::Suppress),
        3 => prop::bool::weighted(0.3).prop_map(Step::Freeze),
        4 => edition.clone().prop_map(Step::Approve),
        1 => edition.clone().prop_map(Step::Cancel),
        2 => worker.clone().prop_map(Step::HoldRested),
        4 => (edition.clone(), 0..CODES.len()).prop_map(|(e, code)| Step::Retry(e, code)),
        2 => edition.prop_map(Step::RetryHeld),
        4 => worker.clone().prop_map(Step::Undo),
        4 => worker.prop_map(Step::Finish),
    ]
}

#[derive(Clone, Debug)]
struct History {
    hold: bool,
    limits: usize,
    steps: Vec<Step>,
}

fn history() -> impl Strategy<Value = History> {
    let steps = prop::collection::vec(step(), 20..160);
    (any::<bool>(), 0..LIMITS.len(), steps).prop_map(|(hold, limits, steps)| History { hold, limits, steps })
}

/// One process and its one connection.
struct Worker {
    name: String,
    ledger: Ledger,
    claimed: Vec<Claimed>,
    sending: Option<(Claimed, Begun)>,
    /// The last try, whose end is not recorded yet, and the word for it.
    ended: Option<(Settled, &'static str)>,
}

impl Worker {
    fn start(store: &Store) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("model{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let ledger = ledger(store, &name);
        Worker { name, ledger, claimed: Vec::new(), sending: None, ended: None }
    }
}

struct World<'a> {
    base: &'a Base,
    look: Connection,
    store: Store,
    random: Random,
    settings: delivery::Settings,
    limits: Arc<Limits>,
    now: DateTime<Utc>,
    /// Counts the times that the clock went back.
    era: usize,
    workers: Vec<Worker>,
    dead: BTreeSet<String>,
    expected: Expected,
    /// In which era a claim was made.
    claims: BTreeMap<String, usize>,
    /// Tries begun on a good lease of the same era, which the limits hold for, and when.
    paced: Vec<(i64, Claimed)>,
    may_copy: bool,
}

const TABLES: [&str; 9] = [
    "bounces",
    "attempts",
    "deliveries",
    "audiences",
    "variants",
    "suppressions",
    "events",
    "other_addresses",
    "subscribers",
];

impl<'a> World<'a> {
    fn new(base: &'a Base, history: &History) -> Self {
        let store = base.open();
        let mut look = base.connection();
        for table in TABLES.iter().chain(&["announced", "past", "slots", "editions", "digests"]) {
            look.execute(&format!("DELETE FROM {table}"), &[]).expect("it is emptied");
        }
        let random = Random::seeded(1);
        let rows: Vec<Listed> = READERS.iter().map(|reader| row(reader)).collect();
        store.import(&rows, "import", &random, monday() - TimeDelta::days(1)).expect("they are added");
        let (rates, domains) = LIMITS[history.limits];
        let uncertain = if history.hold { "hold" } else { "resend" };
        let table = format!("uncertain = \"{uncertain}\"\nrates = {rates}\n[domains]\n{domains}");
        let settings: delivery::Settings = toml::from_str(&table).expect("a table");
        let expected = Expected { readers: vec![Reader::default(); READERS.len()], ..Expected::default() };
        let mut world = World {
            base,
            look,
            random,
            limits: Arc::new(settings.limits(Vec::new())),
            settings,
            now: monday(),
            era: 0,
            workers: (0..WORKERS).map(|_| Worker::start(&store)).collect(),
            store,
            dead: BTreeSet::new(),
            expected,
            claims: BTreeMap::new(),
            paced: Vec::new(),
            may_copy: !history.hold,
        };
        world.freeze(false);
        world.compare();
        world
    }

    fn millis(&self) -> i64 {
        millis(self.now)
    }

    fn edition(&self, at: usize) -> Option<String> {
        self.expected.editions.keys().nth(at).cloned()
    }

    fn subscriber(&mut self, reader: usize) -> String {
        let sql = "SELECT id FROM subscribers WHERE address = $1";
        self.look.query_one(sql, &[READERS[reader].into()]).expect(sql).expect("a reader").text(0).expect("an id")
    }

    /// The next edition of three; the first at once, others with or without approval.
    fn freeze(&mut self, approve: bool) {
        let number = self.expected.editions.len() + 1;
        if number > 3 {
            return;
        }
        let id = format!("weekly/{number}");
        let frozen = postrider::store::editions::Frozen {
            approve,
            ..edition(&id, monday() + TimeDelta::minutes(number as i64))
        };
        self.expected.freeze(&id, approve);
        let readers = self.expected.readers.iter().filter(|reader| reader.may_be_mailed()).count() as u64;
        if number == 1 {
            assert_eq!(freeze(&self.store, &frozen), Decided::Now(readers));
        } else {
            let decided = self.store.freeze(&frozen, self.now).expect("frozen");
            assert_eq!(decided, Decided::Now(if approve { 0 } else { readers }));
        }
        if !approve {
            self.release(&id, number);
        }
    }

    fn release(&mut self, edition: &str, number: usize) {
        let ids: Vec<String> = (0..READERS.len()).map(|reader| self.subscriber(reader)).collect();
        self.expected.release(edition, |reader| format!("{}.{number}", ids[reader]), millis(self.now));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Claim(at, limit) => self.claim(at, limit, &self.limits.clone()),
            Step::Begin(at) => self.begin(at),
            Step::Answer(at, answer) => self.answer(at, answer),
            Step::Settle(at) => self.settle(at),
            Step::TurnDown(at, answer) => self.turn_down(at, answer),
            Step::TakeBack(at) => {
                if let Some((row, begun)) = self.workers[at].sending.take() {
                    self.workers[at].ledger.take_back(&row.id, begun.attempt).expect("taken back");
                    let began = self.expected.take_back(&row.id);
                    if let Some(at) = self.paced.iter().rposition(|(at, paced)| *at == began && paced.id == row.id) {
                        self.paced.remove(at);
                    }
                }
            }
            Step::Release(at) => {
                if let Some(row) = self.workers[at].claimed.pop() {
                    self.workers[at].ledger.release(vec![row.id.clone()]).expect("released");
                    let name = self.workers[at].name.clone();
                    self.expected.release_claims(&name, Some(&row.id));
                }
            }
            Step::Kill(at, taken) => self.kill(at, taken),
            Step::End(at) => {
                self.settle(at);
                if self.workers[at].sending.is_none() {
                    let ended = std::mem::replace(&mut self.workers[at], Worker::start(&self.store));
                    self.expected.release_claims(&ended.name, None);
                }
            }
            Step::Recover(at, other) => self.recover(at, other),
            Step::Clock(at) => {
                self.now += TimeDelta::seconds(STEPS[at]);
                if STEPS[at] < 0 {
                    self.era += 1;
                    self.paced.clear();
                }
            }
            Step::Due => {
                let now = self.millis();
                let claimable = |delivery| self.expected.claimable(delivery, now);
                if let Some(due) = self.expected.deliveries.values().filter_map(claimable).min() {
                    self.now = self.now.max(DateTime::from_timestamp_millis(due).expect("a moment"));
                }
            }
            Step::Leave(reader) => {
                let id = self.subscriber(reader);
                self.store.unsubscribe(&id, "link", &self.random, self.now).expect("left");
                self.expected.leave(reader);
            }
            Step::Pause(reader, paused) => {
                let status = if paused { Status::Paused } else { Status::Active };
                let row = Listed { status, ..row(READERS[reader]) };
                let _ = self.store.add_subscriber(&row, "import", &self.random, self.now).expect("it answers");
                self.expected.pause(reader, paused);
            }
            Step::Suppress(reader) => {
                let address = address(READERS[reader]);
                self.store.suppress(&address, Suppression::Manual, &self.random, self.now).expect("suppressed");
                self.expected.suppress(reader);
            }
            Step::Freeze(approve) => self.freeze(approve),
            Step::Approve(at) => self.approve(at),
            Step::Cancel(at) => {
                let Some(edition) = self.edition(at) else { return };
                let expected = self.expected.cancel(&edition).map_or(Changed::NotNow, Changed::Done);
                assert_eq!(self.store.cancel(&edition).expect("it answers"), expected);
            }
            Step::HoldRested(at) => {
                let before = self.now - self.settings.give_up_after.0;
                let held = self.workers[at].ledger.hold_rested(before).expect("it answers");
                assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), self.expected.hold_rested(millis(before)));
            }
            Step::Retry(at, code) => {
                let Some(edition) = self.edition(at) else { return };
                let changed = self.store.retry(&edition, Retry::Refused(CODES[code]), self.now).expect("it answers");
                let expected = self.expected.retry(&edition, CODES[code], self.millis());
                assert_eq!(changed, expected.map_or(Changed::NotNow, Changed::Done));
            }
            Step::RetryHeld(at) => {
                let Some(edition) = self.edition(at) else { return };
                let changed = self.store.retry(&edition, Retry::Held, self.now).expect("it answers");
                let expected = self.expected.retry_held(&edition, self.millis());
                // Somebody wants it, whatever the configuration says.
                self.may_copy |= expected.is_some_and(|count| count > 0);
                assert_eq!(changed, expected.map_or(Changed::NotNow, Changed::Done));
            }
            Step::Undo(at) => self.undo(at),
            Step::Finish(at) => {
                self.workers[at].ledger.finish_editions().expect("finished");
                self.expected.finish();
            }
        }
    }

    fn claim(&mut self, at: usize, limit: i64, limits: &Arc<Limits>) {
        let now = self.millis();
        let name = self.workers[at].name.clone();
        let due: Vec<(i64, String)> = self
            .expected
            .deliveries
            .iter()
            .filter_map(|(id, delivery)| Some((self.expected.claimable(delivery, now)?, id.clone())))
            .collect();
        let next = due.iter().map(|(due, _)| *due).min();
        let limited = !limits.rates.is_empty() || !limits.domains.is_empty();
        match self.workers[at].ledger.claim(limit, limits, self.now).expect("it answers") {
            Claim::Rows(rows) => {
                self.follow_lanes(limits);
                assert!(rows.len() as i64 <= limit);
                for row in &rows {
                    self.expected.claim(&row.id, &name, limits.lane(&row.address), now);
                    self.claims.insert(row.id.clone(), self.era);
                }
                self.workers[at].claimed.extend(rows);
            }
            // A clock that went back has left tries in its future.
            Claim::Wait(millis) => {
                let window = if limits.rates.len() > 1 { 3_600_000 } else { 60_000 };
                let longest = if limits.domains.is_empty() { window } else { window.max(3_600_000) };
                assert!(limited && (1..=2 * longest).contains(&millis), "{millis} ms to wait");
                assert!(next.is_some_and(|next| next <= now), "nobody waits for a rate where nothing is due");
                for (_, id) in due.iter().filter(|(due, _)| *due <= now) {
                    assert!(self.is_barred(id, limits), "{id} is due, and there is room for it");
                }
            }
            Claim::Nothing(told) => {
                let told = told.map(millis);
                if limited {
                    assert!(told.is_none_or(|told| told > now) && told.is_some() == next.is_some(), "{told:?}");
                } else {
                    assert!(told == next && told.is_none_or(|told| told > now), "{told:?} for {next:?}");
                }
            }
        }
    }

    /// Whether a limit for all or for its domain is full: tries in the window, those that a clock left in its near future
    /// included, and rows promised.
    fn is_barred(&self, id: &str, limits: &Limits) -> bool {
        let (now, lane) = (self.millis(), &self.expected.deliveries[id].row.lane);
        let full = |rate: &delivery::Rate, which: &dyn Fn(&Row) -> bool| {
            let of_it = || self.expected.deliveries.values().filter(|delivery| which(&delivery.row));
            let near = |began: i64| began > now - rate.window && began <= now + rate.window;
            let tries = of_it().flat_map(|delivery| &delivery.tries).filter(|last| near(last.began)).count();
            let promised = of_it().filter(|delivery| {
                let Row { state, lease, .. } = &delivery.row;
                *state != State::Sending && lease.is_some_and(|lease| lease >= now)
            });
            (tries + promised.count()) as i64 >= rate.messages
        };
        limits.rates.iter().any(|rate| full(rate, &|_| true))
            || limits.domains.rates(lane).iter().any(|rate| full(rate, &|row| row.lane == *lane))
    }

    /// A claim may have moved rows into the lane of their domain, and handed them back for that.
    fn follow_lanes(&mut self, limits: &Limits) {
        let now = self.millis();
        for (id, (row, address)) in self.rows() {
            let delivery = &self.expected.deliveries[&id];
            if row.lane != delivery.row.lane {
                assert!(self.expected.claimable(delivery, now).is_some_and(|at| at <= now));
                assert_eq!(row.lane, limits.lane(&self::address(&address)));
                let row = &mut self.expected.deliveries.get_mut(&id).expect("it is there").row;
                (row.worker, row.lease) = (None, None);
                row.lane = limits.lane(&self::address(&address)).to_owned();
            }
        }
    }

    /// Notes a try for the limits, where they hold for it.
    fn pace(&mut self, row: &Claimed, lease: Option<i64>) {
        if self.claims.get(&row.id) == Some(&self.era) && lease.is_some_and(|lease| lease >= self.millis()) {
            self.paced.push((self.millis(), row.clone()));
        }
    }

    /// The next row that a worker has claimed, or claims now; none where it is at work.
    fn next(&mut self, at: usize) -> Option<Claimed> {
        if self.workers[at].sending.is_some() {
            return None;
        }
        if self.workers[at].claimed.is_empty() {
            self.claim(at, 2, &self.limits.clone());
        }
        (!self.workers[at].claimed.is_empty()).then(|| self.workers[at].claimed.remove(0))
    }

    fn begin(&mut self, at: usize) {
        let Some(row) = self.next(at) else { return };
        let ended = self.recorded(at);
        let name = self.workers[at].name.clone();
        let lease = self.expected.deliveries[&row.id].row.lease;
        let begun = self.workers[at].ledger.begin(ended, &row.id, self.now).and_then(Pending::wait).expect("begun");
        assert_eq!(begun.is_some(), self.expected.begin(&row.id, &name, self.millis()), "whether it may be sent");
        let Some(begun) = begun else { return };
        self.pace(&row, lease);
        self.told(&row, begun);
        self.tick();
        self.workers[at].sending = Some((row, begun));
    }

    /// No two tries begin in the same millisecond: what is taken back is told from others by its moment.
    fn tick(&mut self) {
        self.now += TimeDelta::milliseconds(1);
    }

    /// What the ledger says of a try is what it holds.
    fn told(&self, claimed: &Claimed, begun: Begun) {
        let Delivery { row, reader, edition, .. } = &self.expected.deliveries[&claimed.id];
        assert_eq!((begun.attempt, begun.resends), (row.attempts, row.resends));
        assert_eq!(Some(millis(begun.first_at)), row.first_at);
        assert_eq!((claimed.address.as_str(), &claimed.occasion), (READERS[*reader], edition));
    }

    /// The end of the last try, which is recorded now.
    fn recorded(&mut self, at: usize) -> Option<Settled> {
        let (settled, outcome) = self.workers[at].ended.take()?;
        self.expect_end(&settled, outcome);
        Some(settled)
    }

    fn expect_end(&mut self, settled: &Settled, outcome: &str) {
        let Settled { delivery, verdict, sent, .. } = settled;
        let status = sent.reply.status.map(|status| status.to_string());
        self.expected.settle(delivery, *verdict, sent.reply.code, status, outcome);
    }

    fn judge(&self, id: &str, begun: Begun, answer: Answer) -> (Settled, &'static str) {
        judge(&self.settings, self.now, id, begun, answer)
    }

    fn answer(&mut self, at: usize, answer: Answer) {
        self.begin(at);
        let Some((row, begun)) = self.workers[at].sending.take() else { return };
        if matches!(answer, Answer::Takes | Answer::TakesAndSaysNothing) {
            self.expected.deliveries.get_mut(&row.id).expect("it is there").copies += 1;
        }
        self.workers[at].ended = Some(self.judge(&row.id, begun, answer));
    }

    fn settle(&mut self, at: usize) {
        if let Some(settled) = self.recorded(at) {
            self.workers[at].ledger.settle(settled).expect("settled");
        }
    }

    fn turn_down(&mut self, at: usize, answer: Answer) {
        let Some(row) = self.next(at) else { return };
        let ended = self.recorded(at);
        let name = self.workers[at].name.clone();
        let (id, settings, now) = (row.id.clone(), self.settings.clone(), self.now);
        let lease = self.expected.deliveries[&row.id].row.lease;
        let judged = move |begun| judge(&settings, now, &id, begun, answer).0;
        let settled = self.workers[at].ledger.turn_down(ended, &row.id, self.now, judged).expect("it answers");
        let may = self.expected.begin(&row.id, &name, self.millis());
        assert_eq!(settled.is_some(), may, "whether there was a try");
        if let Some(settled) = settled {
            self.pace(&row, lease);
            self.tick();
            self.expect_end(&settled, judge_word(answer));
        }
    }

    /// Drops a worker as a kill would: what it has claimed stays its own. PostgreSQL notices its end a moment later.
    fn kill(&mut self, at: usize, taken: bool) {
        let killed = std::mem::replace(&mut self.workers[at], Worker::start(&self.store));
        if let Some((row, _)) = killed.sending.filter(|_| taken) {
            self.expected.deliveries.get_mut(&row.id).expect("it is there").copies += 1;
        }
        drop(killed.ledger);
        for (id, delivery) in &self.expected.deliveries {
            let Row { worker, lease, .. } = &delivery.row;
            if worker.as_ref() == Some(&killed.name) {
                let sql = "UPDATE deliveries SET worker = $2, lease = $3 WHERE id = $1";
                self.look.execute(sql, &[id.into(), worker.clone().into(), (*lease).into()]).expect(sql);
            }
        }
        if self.base.is_sqlite() {
            let lock = format!("postrider.db.{}.lock", killed.name);
            fs::write(self.base.folder.path().join(lock), "").expect("a leftover");
        }
        let locks = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
             WHERE l.locktype = 'advisory' AND d.datname = current_database()";
        while !self.base.is_sqlite()
            && self.look.query_one(locks, &[]).expect(locks).expect("a row").int(0).ok() != Some(WORKERS as i64)
        {
        }
        self.dead.insert(killed.name);
    }

    fn recover(&mut self, at: usize, other: bool) {
        let resend = (self.settings.uncertain == Uncertain::Resend) != other;
        self.may_copy |= resend;
        let policy = if resend { Uncertain::Resend } else { Uncertain::Hold };
        let recovered = self.workers[at].ledger.recover(policy, self.now).expect("it answers");
        let (uncertain, held) = self.expected.recover(&self.dead, resend, self.millis());
        assert_eq!(recovered, Recovered { uncertain, held });
    }

    fn approve(&mut self, at: usize) {
        let Some(edition) = self.edition(at) else { return };
        let changed = self.store.approve(&edition, |_| true, self.now).expect("it answers");
        let expected = match self.expected.editions[&edition].state {
            "waiting" => {
                self.release(&edition, at + 1);
                let of_it = self.expected.deliveries.values().filter(|delivery| delivery.edition == edition);
                Changed::Done(of_it.count() as u64)
            }
            "held" => Changed::Done(self.expected.approve_held(&edition, self.millis())),
            _ => Changed::NotNow,
        };
        assert_eq!(changed, expected);
    }

    /// All that was refused, as if it had tripped the breaker.
    fn undo(&mut self, at: usize) {
        let refused = |delivery: &Delivery| {
            delivery.tries.last().is_some_and(|last| last.outcome.as_deref() == Some("refused"))
                && delivery.row.state == State::Refused
        };
        let hit = self.expected.deliveries.iter().filter(|(_, delivery)| refused(delivery));
        let hit: Vec<String> = hit.map(|(id, _)| id.clone()).collect();
        self.workers[at].ledger.undo(hit.clone(), self.now).expect("undone");
        self.expected.undo(&hit, self.millis());
    }

    fn rows(&mut self) -> BTreeMap<String, (Row, String)> {
        let sql = "SELECT id, state, lane, due, attempts, resends, first_at, last_at, worker, lease, withdrawn_by, address FROM deliveries";
        let rows = self.look.query(sql, &[]).expect(sql);
        rows.iter().map(|row| (row.text(0).expect("an id"), (read(row), row.text(11).expect("an address")))).collect()
    }

    /// What is in the store is what is expected of it.
    fn compare(&mut self) {
        let expected: BTreeMap<String, Row> =
            self.expected.deliveries.iter().map(|(id, delivery)| (id.clone(), delivery.row.clone())).collect();
        let rows: BTreeMap<String, Row> = self.rows().into_iter().map(|(id, (row, _))| (id, row)).collect();
        for (id, row) in &rows {
            assert_eq!(Some(row), expected.get(id), "{id}");
        }
        assert_eq!(rows.len(), expected.len(), "nothing is lost");
        let mut tries: BTreeMap<String, Vec<Try>> = BTreeMap::new();
        let sql = "SELECT delivery, number, began, code, status, outcome FROM attempts ORDER BY delivery, number";
        for row in self.look.query(sql, &[]).expect(sql) {
            let of_it = tries.entry(row.text(0).expect("an id")).or_default();
            assert_eq!(row.int(1).expect("a number"), of_it.len() as i64 + 1, "tries are numbered without gaps");
            of_it.push(Try {
                began: row.int(2).expect("a moment"),
                code: row.maybe_int(3).expect("a code"),
                status: row.maybe_text(4).expect("a status"),
                outcome: row.maybe_text(5).expect("an outcome"),
            });
        }
        for (id, delivery) in &self.expected.deliveries {
            assert_eq!(tries.get(id).unwrap_or(&Vec::new()), &delivery.tries, "{id}");
        }
        for edition in self.store.editions(9).expect("listed") {
            let of_it = || self.expected.deliveries.values().filter(|delivery| delivery.edition == edition.id);
            assert_eq!(edition.state, self.expected.editions[&edition.id].state, "{}", edition.id);
            assert_eq!(edition.counts.recipients(), of_it().count() as i64, "{}", edition.id);
        }
        self.promises();
    }

    /// P1 in the server's words, and the limits.
    fn promises(&self) {
        let resent: BTreeSet<(String, String)> =
            self.store.resent().expect("listed").into_iter().map(|named| (named.edition, named.address)).collect();
        for (id, delivery) in &self.expected.deliveries {
            let Delivery { row, copies, tries, .. } = delivery;
            let doubts = tries.iter().filter(|try_| matches!(try_.outcome.as_deref(), None | Some("unknown")));
            let taken = tries.iter().filter(|try_| try_.outcome.as_deref() == Some("accepted")).count();
            assert!(taken <= 1 && (taken == 1) == (row.state == State::Accepted), "{id}: {taken} times accepted");
            assert!(*copies <= doubts.count() + taken, "{id} has {copies} copies");
            assert!(*copies <= 1 + row.resends as usize, "{id} has {copies} copies");
            assert!(*copies <= 1 || self.may_copy, "{id} has {copies} copies, and is to be held");
            let listed = resent.contains(&(delivery.edition.clone(), READERS[delivery.reader].to_owned()));
            assert!(*copies <= 1 || listed, "{id} has {copies} copies, and nobody says so");
            assert!(*copies == 0 || row.state != State::Cancelled, "{id} was taken and is called cancelled");
            assert!(*copies > 0 || row.state != State::Accepted, "{id} was never taken and is called accepted");
        }
        for worker in &self.workers {
            let sending = self
                .expected
                .deliveries
                .values()
                .filter(|d| d.row.state == State::Sending && d.row.worker.as_ref() == Some(&worker.name));
            assert!(sending.count() <= 1, "one doubtful delivery for each connection");
        }
        let all = self.limits.rates.iter().map(|rate| (rate, None));
        let domains = self.limits.domains.iter().map(|(domain, rates)| (domain.as_str(), rates));
        for (rate, domain) in
            all.chain(domains.flat_map(|(domain, rates)| rates.iter().map(move |rate| (rate, Some(domain)))))
        {
            let counts = |row: &Claimed| domain.is_none_or(|domain| domain == row.address.domain());
            let now = self.millis();
            let began = self.paced.iter().filter(|(began, row)| counts(row) && *began > now - rate.window);
            let count = began.count() as i64;
            assert!(count <= rate.messages, "{count} tries in a window of {rate:?} for {domain:?}");
        }
    }

    /// Goes on until nothing is left to do: then nobody has been skipped.
    fn drain(&mut self) {
        (0..WORKERS).for_each(|at| self.kill(at, false));
        self.recover(0, false);
        let unlimited = Arc::new(Limits::default());
        self.workers[0].ledger.clear_lanes(&unlimited).expect("cleared");
        for delivery in self
            .expected
            .deliveries
            .values_mut()
            .filter(|d| !matches!(d.row.state, State::Accepted | State::Refused | State::Held | State::Cancelled))
        {
            delivery.row.lane = String::new();
        }
        for _ in 0..4 {
            (0..3).for_each(|at| self.approve(at));
            // Past every lease and every due time of a clock that was ahead.
            self.now += TimeDelta::days(30);
            self.claim(0, 100, &unlimited);
            while !self.workers[0].claimed.is_empty() {
                self.paced.clear();
                self.answer(0, Answer::Takes);
            }
            self.settle(0);
            self.compare();
        }
        self.workers[0].ledger.finish_editions().expect("finished");
        self.expected.finish();
        self.compare();
        for (id, edition) in &self.expected.editions {
            assert!(matches!(edition.state, "done" | "cancelled"), "{id} is {}", edition.state);
        }
        for (id, Delivery { row, reader, edition, tries, .. }) in &self.expected.deliveries {
            let last = tries.last().and_then(|last| last.outcome.as_deref());
            let (reader, cancelled) =
                (&self.expected.readers[*reader], self.expected.editions[edition].state == "cancelled");
            let unwanted = cancelled || reader.ever_out || reader.suppressed.is_some();
            let in_order = match row.state {
                State::Accepted => last == Some("accepted"),
                State::Refused => matches!(last, Some("refused" | "expired")),
                State::Held => last == Some("unknown") || (unwanted && row.resends > 0),
                State::Cancelled => unwanted,
                State::Queued | State::Sending | State::Uncertain => false,
            };
            assert!(in_order, "{id} came to its end as {row:?}, {tries:?}");
        }
    }
}

/// What delivery makes of an answer, with the word that the ledger has for it.
fn judge(
    settings: &delivery::Settings,
    now: DateTime<Utc>,
    id: &str,
    begun: Begun,
    answer: Answer,
) -> (Settled, &'static str) {
    let (outcome, reply) = match answer {
        Answer::Takes => (Outcome::Accepted, Reply::new(250, ["2.0.0 taken"])),
        Answer::TakesAndSaysNothing | Answer::SaysNothing => (Outcome::Unknown, Reply::new(0, ["nothing"])),
        Answer::Refuses(refusal @ Refusal::Hard) => (Outcome::Refused(refusal), Reply::new(550, ["5.1.1 nobody"])),
        Answer::Refuses(refusal @ Refusal::Policy) => (Outcome::Refused(refusal), Reply::new(550, ["5.7.1 no"])),
        Answer::Refuses(refusal) => (Outcome::Refused(refusal), Reply::new(552, ["5.2.2 full"])),
        Answer::Defers(fault) => (Outcome::Deferred(fault), Reply::new(451, ["4.7.1 later"])),
    };
    let tried = Tried { attempts: begun.attempt, first_at: begun.first_at, resends: begun.resends };
    let verdict = delivery::judge(outcome, tried, settings, now, 0.5);
    let sent = Sent { stage: Stage::Dot, reply, outcome };
    (Settled { delivery: id.to_owned(), attempt: begun.attempt, at: now, sent, verdict }, judge_word(answer))
}

fn judge_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Takes => "accepted",
        Answer::TakesAndSaysNothing | Answer::SaysNothing => "unknown",
        Answer::Refuses(_) => "refused",
        Answer::Defers(_) => "deferred",
    }
}

fn read(row: &Columns) -> Row {
    let states = [
        State::Queued,
        State::Sending,
        State::Accepted,
        State::Refused,
        State::Uncertain,
        State::Held,
        State::Cancelled,
    ];
    let state = row.text(1).expect("a state");
    Row {
        state: states.into_iter().find(|known| known.as_str() == state).expect("a state"),
        lane: row.text(2).expect("a lane"),
        due: row.int(3).expect("a moment"),
        attempts: row.int(4).expect("a number"),
        resends: row.int(5).expect("a number"),
        first_at: row.maybe_int(6).expect("a moment"),
        last_at: row.maybe_int(7).expect("a moment"),
        worker: row.maybe_text(8).expect("a name"),
        lease: row.maybe_int(9).expect("a moment"),
        withdrawn_by: row.maybe_text(10).expect("an id"),
    }
}

fn play(base: &Base, history: &History) {
    let mut world = World::new(base, history);
    for step in &history.steps {
        world.step(*step);
        world.compare();
    }
    world.drain();
}

#[test]
fn no_history_parts_the_ledger_from_its_model() {
    let random = record::seed("model");
    let histories = record::number("POSTRIDER_HISTORIES").unwrap_or(30) as u32;
    every_store(|base| {
        let cases = if base.is_sqlite() { histories } else { histories.div_ceil(8) };
        let config =
            ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 1000, ..ProptestConfig::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &random.bytes::<32>());
        let mut runner = TestRunner::new_with_rng(config, rng);
        let ran = runner.run(&history(), |history| {
            play(base, &history);
            Ok(())
        });
        match ran {
            Ok(()) => {}
            Err(TestError::Fail(why, history)) => panic!("{why}\n{history:?}"),
            Err(aborted) => panic!("{aborted}"),
        }
        record::count(if base.is_sqlite() { "histories.sqlite" } else { "histories.postgres" }, cases as usize);
    });
}

#[test]
fn histories_that_hurt_somewhere() {
    use self::Answer::*;
    use Step::{
        Approve, Begin, Cancel, Claim, Clock, Due, Finish, Freeze, HoldRested, Kill, Recover, Retry, Settle, Suppress,
        TakeBack, Undo,
    };
    let all = |answer| [Step::Answer(0, answer); READERS.len()];
    let history = |hold, limits, steps: &[&[Step]]| History { hold, limits, steps: steps.concat() };
    let nobody = || Refuses(Refusal::Hard);
    let later = || Defers(Fault::Recipient);
    let histories = [
        // Resent in doubt and deferred, then withdrawn by a bounce that is undone: no longer in doubt by its last try.
        history(
            false,
            0,
            &[
                &all(SaysNothing),
                &[Settle(0), Clock(3)],
                &all(later()),
                &[Freeze(false)],
                &all(nobody()),
                &[Settle(0), Clock(4)],
                &[Begin(0); READERS.len()],
                &[Undo(0), Begin(0), TakeBack(0), Due],
                &all(TakesAndSaysNothing),
            ],
        ),
        // A person's wish that finds the bounce there before it, and the bounce undone.
        history(false, 0, &[&all(nobody()), &[Settle(0), Suppress(0), Suppress(1), Suppress(3), Undo(0)], &all(Takes)]),
        // Taken back under a clock that went back, after a retry.
        history(
            false,
            0,
            &[
                &all(Refuses(Refusal::Policy)),
                &[Settle(0), Clock(7), Retry(0, 0), Begin(0), TakeBack(0), Clock(4), Begin(0), TakeBack(0)],
                &all(later()),
            ],
        ),
        // Held with rows claimed, of which some are suppressed meanwhile.
        history(
            false,
            2,
            &[
                &[Claim(0, 3), Clock(6), HoldRested(1), Begin(0), Suppress(0), Suppress(3), Begin(0), Begin(0)],
                &[Approve(0)],
                &all(nobody()),
            ],
        ),
        // Killed with rows claimed and one on its way, in an edition that is cancelled before anybody judges that.
        history(
            false,
            3,
            &[&[
                Claim(0, 3),
                Begin(0),
                Kill(0, true),
                Claim(1, 3),
                Begin(1),
                Cancel(0),
                Recover(1, false),
                TakeBack(1),
            ]],
        ),
        // In doubt under either policy, cancelled and not, and called done by the other worker.
        history(
            true,
            0,
            &[
                &all(TakesAndSaysNothing),
                &[Finish(1), Settle(0), Finish(1), Freeze(false), Begin(0), Kill(0, true), Recover(1, true)],
                &[Begin(1), Kill(1, false), Cancel(1), Recover(0, true)],
            ],
        ),
    ];
    every_store(|base| histories.iter().for_each(|history| play(base, history)));
}
