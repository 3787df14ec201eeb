//! What the ledger must hold after each event, worked out without SQL: one rule a function, in the words of promises P1 to P3.

use chrono::{DateTime, Utc};
use postrider::delivery::{State, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// How long others leave a claimed row alone, in milliseconds.
const LEASE: i64 = 120_000;

/// A row of `deliveries`, as far as the ledger changes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) state: State,
    pub(super) lane: String,
    pub(super) due: i64,
    pub(super) attempts: i64,
    pub(super) resends: i64,
    pub(super) first_at: Option<i64>,
    pub(super) last_at: Option<i64>,
    pub(super) worker: Option<String>,
    pub(super) lease: Option<i64>,
    pub(super) withdrawn_by: Option<String>,
}

/// A row of `attempts`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Try {
    pub(super) began: i64,
    pub(super) code: Option<i64>,
    pub(super) status: Option<String>,
    pub(super) outcome: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) reader: usize,
    pub(super) edition: String,
    pub(super) row: Row,
    pub(super) tries: Vec<Try>,
    /// How often the server has taken it.
    pub(super) copies: usize,
    /// As it was before the try that is under way.
    before: Option<Row>,
}

/// What has been done about a person.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    pub(super) paused: bool,
    pub(super) left: bool,
    /// By which delivery's bounce; none where a person asked for it.
    pub(super) suppressed: Option<Option<String>>,
    /// Whether they ever did not want to be mailed, or must not have been.
    pub(super) ever_out: bool,
}

impl Reader {
    pub(super) fn is_active(&self) -> bool {
        !self.paused && !self.left
    }

    pub(super) fn may_be_mailed(&self) -> bool {
        self.is_active() && self.suppressed.is_none()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Edition {
    pub(super) state: &'static str,
    pub(super) rests: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) deliveries: BTreeMap<String, Delivery>,
    pub(super) editions: BTreeMap<String, Edition>,
    pub(super) readers: Vec<Reader>,
}

fn waits(row: &Row) -> bool {
    matches!(row.state, State::Queued | State::Uncertain)
}

fn hand_back(row: &mut Row) {
    (row.worker, row.lease) = (None, None);
}

/// What may have been taken already is not called cancelled.
fn withdraw(row: &mut Row) {
    let in_doubt = row.state == State::Uncertain || row.resends > 0;
    row.state = if in_doubt { State::Held } else { State::Cancelled };
    hand_back(row);
}

impl Expected {
    /// An edition is there; its readers are those of the moment of its release.
    pub(super) fn freeze(&mut self, id: &str, waiting: bool) {
        let state = if waiting { "waiting" } else { "open" };
        self.editions.insert(id.to_owned(), Edition { state, rests: 0 });
    }

    /// `ids`: the delivery of each reader.
    pub(super) fn release(&mut self, edition: &str, ids: impl Fn(usize) -> String, now: i64) {
        self.editions.insert(edition.to_owned(), Edition { state: "open", rests: now });
        for (reader, who) in self.readers.iter().enumerate() {
            if who.may_be_mailed() {
                let row = Row {
                    state: State::Queued,
                    lane: String::new(),
                    due: now,
                    attempts: 0,
                    resends: 0,
                    first_at: None,
                    last_at: None,
                    worker: None,
                    lease: None,
                    withdrawn_by: None,
                };
                let (edition, tries) = (edition.to_owned(), Vec::new());
                let delivery = Delivery { reader, edition, row, tries, copies: 0, before: None };
                self.deliveries.insert(ids(reader), delivery);
            }
        }
    }

    pub(super) fn is_open(&self, delivery: &Delivery) -> bool {
        self.editions[&delivery.edition].state == "open"
    }

    /// When it can be claimed, if nothing else happens.
    pub(super) fn claimable(&self, delivery: &Delivery, now: i64) -> Option<i64> {
        let Row { due, lease, worker, .. } = &delivery.row;
        let free = match (worker, lease) {
            (Some(_), Some(lease)) if *lease >= now => lease + 1,
            _ => i64::MIN,
        };
        (waits(&delivery.row) && self.is_open(delivery)).then_some(free.max(*due))
    }

    pub(super) fn claim(&mut self, id: &str, worker: &str, lane: &str, now: i64) {
        assert!(self.claimable(&self.deliveries[id], now).is_some_and(|at| at <= now), "{id} cannot be claimed");
        let row = &mut self.deliveries.get_mut(id).expect("it is there").row;
        assert_eq!(row.lane, lane, "{id} is claimed in a lane that is not its own");
        (row.worker, row.lease) = (Some(worker.to_owned()), Some(now + LEASE));
    }

    /// Whether it may be sent.
    pub(super) fn begin(&mut self, id: &str, worker: &str, now: i64) -> bool {
        let open = self.is_open(&self.deliveries[id]);
        let delivery = self.deliveries.get_mut(id).expect("it is there");
        let reader = &self.readers[delivery.reader];
        let row = &mut delivery.row;
        if row.worker.as_deref() != Some(worker) || !waits(row) {
            return false;
        }
        if !open {
            hand_back(row);
            return false;
        }
        if !reader.may_be_mailed() {
            // A bounce may yet be undone; a person's wish may not.
            row.withdrawn_by = reader.suppressed.clone().flatten().filter(|_| reader.is_active());
            withdraw(row);
            return false;
        }
        delivery.before = Some(row.clone());
        row.resends += i64::from(row.state == State::Uncertain);
        row.state = State::Sending;
        row.attempts += 1;
        row.first_at = row.first_at.or(Some(now));
        row.last_at = Some(now);
        row.lease = None;
        delivery.tries.push(Try { began: now, code: None, status: None, outcome: None });
        true
    }

    pub(super) fn settle(&mut self, id: &str, verdict: Verdict, code: u16, status: Option<String>, outcome: &str) {
        let cancelled = self.editions[&self.deliveries[id].edition].state == "cancelled";
        let delivery = self.deliveries.get_mut(id).expect("it is there");
        let row = &mut delivery.row;
        row.state = verdict.state;
        row.due = verdict.due.map_or(row.due, |due| due.timestamp_millis());
        hand_back(row);
        let last = delivery.tries.last_mut().expect("it was begun");
        (last.code, last.status) = (Some(i64::from(code)), status);
        last.outcome = Some(if verdict.expired { "expired" } else { outcome }.to_owned());
        if waits(row) && cancelled {
            withdraw(row);
        }
        if verdict.suppress {
            self.readers[delivery.reader].suppressed.get_or_insert(Some(id.to_owned()));
        }
    }

    /// A try of which nothing left us is as if it had never been. When it had begun.
    pub(super) fn take_back(&mut self, id: &str) -> i64 {
        let cancelled = self.editions[&self.deliveries[id].edition].state == "cancelled";
        let delivery = self.deliveries.get_mut(id).expect("it is there");
        delivery.row = delivery.before.take().expect("it was begun");
        let began = delivery.tries.pop().expect("it was begun").began;
        hand_back(&mut delivery.row);
        if cancelled {
            withdraw(&mut delivery.row);
        }
        began
    }

    /// Hands back what a worker has claimed, all of it or one row.
    pub(super) fn release_claims(&mut self, worker: &str, only: Option<&str>) {
        for (id, delivery) in &mut self.deliveries {
            let meant = only.is_none_or(|only| only == id);
            if meant && delivery.row.worker.as_deref() == Some(worker) && waits(&delivery.row) {
                hand_back(&mut delivery.row);
            }
        }
    }

    /// What the dead were sending is in doubt. How many are to be resent, and how many held.
    pub(super) fn recover(&mut self, dead: &BTreeSet<String>, resend: bool, now: i64) -> (u64, u64) {
        let mut found = (0, 0);
        for delivery in self.deliveries.values_mut() {
            let row = &mut delivery.row;
            if !row.worker.as_ref().is_some_and(|worker| dead.contains(worker)) {
                continue;
            }
            hand_back(row);
            if row.state == State::Sending {
                row.due = now;
                row.state = if resend { State::Uncertain } else { State::Held };
                *(if resend { &mut found.0 } else { &mut found.1 }) += 1;
                delivery.tries.last_mut().expect("it was begun").outcome = Some("unknown".to_owned());
                if resend && self.editions[&delivery.edition].state == "cancelled" {
                    withdraw(row);
                }
            }
        }
        found
    }

    fn withdraw_where(&mut self, which: impl Fn(&Delivery) -> bool) -> u64 {
        let those = self.deliveries.values_mut().filter(|delivery| waits(&delivery.row) && which(delivery));
        those.map(|delivery| withdraw(&mut delivery.row)).count() as u64
    }

    pub(super) fn leave(&mut self, reader: usize) {
        self.readers[reader].left = true;
        self.readers[reader].ever_out = true;
        self.withdraw_where(|delivery| delivery.reader == reader);
    }

    /// Nobody who left pauses, or comes back.
    pub(super) fn pause(&mut self, reader: usize, paused: bool) {
        let who = &mut self.readers[reader];
        let changed = !who.left && who.paused != paused;
        if changed {
            who.paused = paused;
            who.ever_out = true;
            if paused {
                self.withdraw_where(|delivery| delivery.reader == reader);
            }
        }
    }

    /// A person asks for it: whatever a bounce did before is of no account any more.
    pub(super) fn suppress(&mut self, reader: usize) {
        self.readers[reader].suppressed = Some(None);
        self.readers[reader].ever_out = true;
        self.withdraw_where(|delivery| delivery.reader == reader);
    }

    /// How many are withdrawn; none where it is too late for that.
    pub(super) fn cancel(&mut self, edition: &str) -> Option<u64> {
        let known = self.editions.get_mut(edition).expect("it is there");
        if matches!(known.state, "done" | "cancelled") {
            return None;
        }
        known.state = "cancelled";
        Some(self.withdraw_where(|delivery| delivery.edition == edition))
    }

    /// What was held for having rested goes on with new patience. How many wait in it.
    pub(super) fn approve_held(&mut self, edition: &str, now: i64) -> u64 {
        *self.editions.get_mut(edition).expect("it is there") = Edition { state: "open", rests: now };
        let mut count = 0;
        for delivery in self.deliveries.values_mut() {
            if delivery.edition != edition {
                continue;
            }
            if delivery.row.state == State::Queued {
                (delivery.row.first_at, delivery.row.due) = (None, now);
            }
            count += u64::from(matches!(delivery.row.state, State::Queued | State::Uncertain));
        }
        count
    }

    pub(super) fn hold_rested(&mut self, before: i64) -> BTreeSet<String> {
        let mut held = BTreeSet::new();
        for (id, edition) in &mut self.editions {
            let of_it = || self.deliveries.values().filter(|delivery| delivery.edition == *id);
            let rested = of_it().all(|delivery| delivery.row.last_at.is_none_or(|at| at < before));
            if edition.state == "open" && edition.rests < before && rested && of_it().any(|d| waits(&d.row)) {
                edition.state = "held";
                held.insert(id.clone());
            }
        }
        held
    }

    /// How many are queued again; none where the edition is neither under way nor done.
    pub(super) fn retry(&mut self, edition: &str, code: Option<&str>, now: i64) -> Option<u64> {
        self.once_more(edition, State::Refused, now, |last| {
            code.is_none_or(|code| {
                last.is_some_and(|last| {
                    let status = last.status.as_deref().unwrap_or_default();
                    last.code.is_some_and(|c| c.to_string() == code)
                        || status == code
                        || status.starts_with(&format!("{code}."))
                })
            })
        })
    }

    /// The same of what is held in doubt.
    pub(super) fn retry_held(&mut self, edition: &str, now: i64) -> Option<u64> {
        self.once_more(edition, State::Held, now, |_| true)
    }

    fn once_more(&mut self, edition: &str, at: State, now: i64, meant: impl Fn(Option<&Try>) -> bool) -> Option<u64> {
        if !matches!(self.editions[edition].state, "done" | "open") {
            return None;
        }
        let mut count = 0;
        for delivery in self.deliveries.values_mut() {
            let last = delivery.tries.last();
            let is_of_them = delivery.edition == edition && delivery.row.state == at && meant(last);
            if is_of_them && self.readers[delivery.reader].may_be_mailed() {
                let in_doubt = last.is_some_and(|last| last.outcome.as_deref() == Some("unknown"));
                let state = if in_doubt { State::Uncertain } else { State::Queued };
                (delivery.row.state, delivery.row.due, delivery.row.first_at) = (state, now, None);
                delivery.row.withdrawn_by = None;
                count += 1;
            }
        }
        if count > 0 {
            *self.editions.get_mut(edition).expect("it is there") = Edition { state: "open", rests: now };
        }
        Some(count)
    }

    /// The breaker tripped: those refusals, and what they led to, did not count.
    pub(super) fn undo(&mut self, ids: &[String], now: i64) {
        for id in ids {
            let reader = self.deliveries[id].reader;
            if self.readers[reader].suppressed.as_ref().is_some_and(|by| by.as_deref() == Some(id)) {
                self.readers[reader].suppressed = None;
            }
            let active = self.readers[reader].is_active();
            for (this, delivery) in &mut self.deliveries {
                let last = delivery.tries.last().and_then(|last| last.outcome.as_deref()).map(str::to_owned);
                let row = &mut delivery.row;
                if this == id && row.state == State::Refused {
                    (row.state, row.due) = (State::Queued, now);
                }
                let withdrawn = row.withdrawn_by.as_deref() == Some(id);
                if withdrawn && active && matches!(row.state, State::Cancelled | State::Held) {
                    // As it was: in doubt only if its last try was.
                    row.state = if last.as_deref() == Some("unknown") { State::Uncertain } else { State::Queued };
                    (row.due, row.withdrawn_by) = (now, None);
                }
            }
            let cancelled =
                |edition: &str, editions: &BTreeMap<String, Edition>| editions[edition].state == "cancelled";
            let editions = self.editions.clone();
            self.withdraw_where(|delivery| delivery.reader == reader && cancelled(&delivery.edition, &editions));
            for delivery in self.deliveries.values().filter(|d| d.reader == reader && waits(&d.row)) {
                let edition = self.editions.get_mut(&delivery.edition).expect("it is there");
                if edition.state == "done" {
                    edition.state = "open";
                }
            }
        }
    }

    pub(super) fn finish(&mut self) {
        for (id, edition) in &mut self.editions {
            let under_way = |d: &Delivery| d.edition == *id && (waits(&d.row) || d.row.state == State::Sending);
            if edition.state == "open" && !self.deliveries.values().any(under_way) {
                edition.state = "done";
            }
        }
    }
}

pub(super) fn millis(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_millis()
}
