//! The ledger: what delivery works on. One thread owns the write connection and takes named commands; what all connections
//! of this process wait for is done in one commit, and no caller goes on before that commit is on the disk (P2).
//!
//! A delivery's life: Queued → (claim: a lease on a Queued row, handed back silently) → *begin*: Sending, committed → the body →
//! *settle*: Accepted, Refused, Queued again, Uncertain or Held. *turn_down*: begun and settled in one, where the server did not want
//! the body. *recover* judges what the dead left Sending.

mod claim;
mod work;

use super::lock::{self, Life};
use super::sql::{Connection, Write};
use super::{Error, Store};
use crate::address::EmailAddress;
use crate::delivery::{Limits, Uncertain, Verdict};
use crate::reply::Sent;
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A row that this worker may send: for as long as its lease, and if nobody withdraws it before it begins.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The delivery.
    pub id: String,
    /// Who gets it.
    pub subscriber: String,
    /// The edition, or which letter: `weekly/2026-11-23`, `confirm/2`.
    pub occasion: String,
    /// What it says.
    pub text: Text,
    /// Where it goes.
    pub address: EmailAddress,
    /// The hash of that address, to which links are bound.
    pub hash: String,
    /// The name beside it.
    pub name: Option<String>,
    /// The mail's Date, the same at every resend: when the edition was released, or the letter queued.
    pub date: DateTime<Utc>,
}

/// Where a finished message is kept, less the recipient's own parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// A rendering of an edition.
    Variant(String),
    /// What a letter says.
    Letter(String),
}

/// What a claim found.
#[derive(Debug)]
pub enum Claim {
    /// These.
    Rows(Vec<Claimed>),
    /// The rates allow none for that many milliseconds.
    Wait(i64),
    /// Nothing is due. The next is due then, if any is.
    Nothing(Option<DateTime<Utc>>),
}

/// A try that has begun: the intent is durable.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// Its number, from 1.
    pub attempt: i64,
    /// When the delivery's first try began.
    pub first_at: DateTime<Utc>,
    /// How often it was sent again in doubt, this try included.
    pub resends: i64,
}

/// A try that has ended.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The delivery.
    pub delivery: String,
    /// The try.
    pub attempt: i64,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What the server said.
    pub sent: Sent,
    /// What that leaves behind.
    pub verdict: Verdict,
}

/// What was found of the dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Deliveries in doubt that are sent again.
    pub uncertain: u64,
    /// Deliveries in doubt that wait for a person.
    pub held: u64,
}

/// An answer that comes with a commit.
#[must_use = "nothing is certain before it has come"]
pub struct Pending<T> {
    answer: Receiver<Result<T, Error>>,
    failure: Failure,
}

/// Why commands were left without an answer.
type Failure = Arc<Mutex<Option<Error>>>;

/// Judges a try of which only the ledger knows the number.
type Judge = Box<dyn FnOnce(Begun) -> Settled + Send>;

enum Command {
    Claim {
        way: Arc<Way>,
        limit: i64,
        limits: Arc<Limits>,
        now: DateTime<Utc>,
        answer: SyncSender<Result<Claim, Error>>,
    },
    Begin {
        way: Arc<Way>,
        settle: Option<Settled>,
        delivery: String,
        now: DateTime<Utc>,
        answer: SyncSender<Result<Option<Begun>, Error>>,
    },
    TurnDown {
        way: Arc<Way>,
        settle: Option<Settled>,
        delivery: String,
        now: DateTime<Utc>,
        judge: Judge,
        answer: SyncSender<Result<Option<Settled>, Error>>,
    },
    Settle {
        settle: Settled,
        answer: SyncSender<Result<(), Error>>,
    },
    /// A try that never began on the wire: nothing is counted against anybody.
    Return {
        delivery: String,
        attempt: i64,
        answer: SyncSender<Result<(), Error>>,
    },
    Release {
        deliveries: Vec<String>,
        answer: SyncSender<Result<(), Error>>,
    },
    Undo {
        deliveries: Vec<String>,
        now: DateTime<Utc>,
        answer: SyncSender<Result<(), Error>>,
    },
    Recover {
        policy: Uncertain,
        now: DateTime<Utc>,
        answer: SyncSender<Result<Recovered, Error>>,
    },
    ClearLanes {
        limits: Arc<Limits>,
        answer: SyncSender<Result<(), Error>>,
    },
    MendDue {
        now: DateTime<Utc>,
        answer: SyncSender<Result<u64, Error>>,
    },
    Next {
        now: DateTime<Utc>,
        answer: SyncSender<Result<Option<DateTime<Utc>>, Error>>,
    },
    Finish {
        answer: SyncSender<Result<(), Error>>,
    },
    Hold {
        before: DateTime<Utc>,
        answer: SyncSender<Result<Vec<String>, Error>>,
    },
}

/// By which way deliveries go: what is written beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Which of several relays; only what is claimed for it counts against its limits.
    pub relay: Option<String>,
    /// How the ledger calls the transport.
    pub transport: String,
}

/// The handle on the writer thread, for what goes by one way. The worker lives until the last handle is dropped.
pub struct Ledger {
    way: Arc<Way>,
    writer: Arc<Handle>,
}

/// What all handles of a worker share.
struct Handle {
    worker: String,
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
    failure: Failure,
}

/// How long others leave a claimed row alone. A worker that is merely slow loses rows, never sends one twice: begin asks again.
const LEASE: i64 = 120_000;
/// Commands that share one commit at most.
const GROUP: usize = 256;

impl Ledger {
    /// Begins the life of a worker that has one way out. `transport` is written beside what it sends.
    pub fn start(store: &Store, worker: String, transport: String) -> Result<Ledger, Error> {
        let place = store.place().clone();
        let beside = place.file().map(PathBuf::from);
        let (commands, inbox) = sync_channel(GROUP);
        let (ready, started) = sync_channel(1);
        let id = worker.clone();
        let failure = Failure::default();
        let told = failure.clone();
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // The connection is made and dropped here: the PostgreSQL driver wants no other runtime around it, and the lock lives in it.
            let begun = place.connect().and_then(|mut connection| {
                if let Some(level) = connection.synchronous()? {
                    tracing::debug!("ledger opened, synchronous={level}");
                }
                let life = lock::begin(&mut connection, beside.as_deref(), &id)?;
                Ok((connection, life))
            });
            match begun {
                Ok((connection, life)) => {
                    let _ = ready.send(Ok(()));
                    Writer { connection, worker: id, beside, failure: told, _life: life }.serve(&inbox);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        let thread = thread.map_err(|e| Error::Unavailable(format!("no thread for the ledger: {e}")))?;
        started.recv().map_err(|_| gone())??;
        let writer = Handle { worker, commands: Some(commands), thread: Some(thread), failure };
        Ok(Ledger { way: Arc::new(Way { relay: None, transport }), writer: Arc::new(writer) })
    }

    /// The same worker, for what goes by another way.
    pub fn by(&self, way: Way) -> Ledger {
        Ledger { way: Arc::new(way), writer: Arc::clone(&self.writer) }
    }

    /// The worker's id.
    pub fn worker(&self) -> &str {
        &self.writer.worker
    }

    /// Takes up to `limit` due rows, within the limits. No rows: ask again at once.
    pub fn claim(&self, limit: i64, limits: &Arc<Limits>, now: DateTime<Utc>) -> Result<Claim, Error> {
        self.ask(|answer| Command::Claim { way: self.way.clone(), limit, limits: limits.clone(), now, answer })?.wait()
    }

    /// Records how the connection's last try ended and makes the next delivery Sending, in one commit; the answer comes after it.
    /// None: the reader left, was suppressed, or the row is no longer ours; nothing may be sent.
    pub fn begin(
        &self,
        settle: Option<Settled>,
        delivery: &str,
        now: DateTime<Utc>,
    ) -> Result<Pending<Option<Begun>>, Error> {
        self.ask(|answer| Command::Begin { way: self.way.clone(), settle, delivery: delivery.to_owned(), now, answer })
    }

    /// Records a try that ended before the body, which `judge` judges, and how the connection's last one ended. None: the row is no
    /// longer ours, or the reader's wish came first.
    pub fn turn_down(
        &self,
        settle: Option<Settled>,
        delivery: &str,
        now: DateTime<Utc>,
        judge: impl FnOnce(Begun) -> Settled + Send + 'static,
    ) -> Result<Option<Settled>, Error> {
        let (delivery, judge) = (delivery.to_owned(), Box::new(judge));
        let way = self.way.clone();
        self.ask(|answer| Command::TurnDown { way, settle, delivery, now, judge, answer })?.wait()
    }

    /// Records how a try ended.
    pub fn settle(&self, settle: Settled) -> Result<(), Error> {
        self.ask(|answer| Command::Settle { settle, answer })?.wait()
    }

    /// Takes back a try of which nothing reached the server.
    pub fn take_back(&self, delivery: &str, attempt: i64) -> Result<(), Error> {
        self.ask(|answer| Command::Return { delivery: delivery.to_owned(), attempt, answer })?.wait()
    }

    /// Hands claimed rows back.
    pub fn release(&self, deliveries: Vec<String>) -> Result<(), Error> {
        self.ask(|answer| Command::Release { deliveries, answer })?.wait()
    }

    /// After the breaker tripped: refused deliveries are queued again and what they suppressed is not; deferred ones are due now.
    pub fn undo(&self, deliveries: Vec<String>, now: DateTime<Utc>) -> Result<(), Error> {
        self.ask(|answer| Command::Undo { deliveries, now, answer })?.wait()
    }

    /// Judges what dead workers left.
    pub fn recover(&self, policy: Uncertain, now: DateTime<Utc>) -> Result<Recovered, Error> {
        self.ask(|answer| Command::Recover { policy, now, answer })?.wait()
    }

    /// Puts what waits under limits that there are no more among all others.
    pub fn clear_lanes(&self, limits: &Arc<Limits>) -> Result<(), Error> {
        self.ask(|answer| Command::ClearLanes { limits: limits.clone(), answer })?.wait()
    }

    /// Lets be due now what a clock that was ahead by more than a minute had put off; how many deliveries that is.
    pub fn mend_due(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        self.ask(|answer| Command::MendDue { now, answer })?.wait()
    }

    /// When the next delivery is due, whatever the limits.
    pub fn next_due(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        self.ask(|answer| Command::Next { now, answer })?.wait()
    }

    /// Marks the editions done of which nothing is left to do.
    pub fn finish_editions(&self) -> Result<(), Error> {
        self.ask(|answer| Command::Finish { answer })?.wait()
    }

    /// Holds the open editions without an attempt since `before`; their ids. Letters that nobody tried to send in all that time are
    /// withdrawn: whoever waits for one has long asked again.
    pub fn hold_rested(&self, before: DateTime<Utc>) -> Result<Vec<String>, Error> {
        self.ask(|answer| Command::Hold { before, answer })?.wait()
    }

    fn ask<T>(&self, command: impl FnOnce(SyncSender<Result<T, Error>>) -> Command) -> Result<Pending<T>, Error> {
        let (send, answer) = sync_channel(1);
        let pending = Pending { answer, failure: self.writer.failure.clone() };
        if let Some(commands) = &self.writer.commands {
            // Where nobody takes it, the channel of its answer closes with it.
            let _ = commands.send(command(send));
        }
        Ok(pending)
    }
}

impl<T> Pending<T> {
    /// Waits for the commit.
    pub fn wait(self) -> Result<T, Error> {
        let failed = || self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(gone);
        self.answer.recv().unwrap_or_else(|_| Err(failed()))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn gone() -> Error {
    Error::Unavailable("the connection to the store was lost".to_owned())
}

struct Writer {
    connection: Connection,
    worker: String,
    beside: Option<PathBuf>,
    failure: Failure,
    _life: Life,
}

/// An answer that is given once the commit is on the disk.
type Answer = Box<dyn FnOnce(Result<(), Error>)>;

impl Writer {
    fn serve(mut self, inbox: &Receiver<Command>) {
        while let Ok(first) = inbox.recv() {
            let mut commands = VecDeque::from([first]);
            while commands.len() < GROUP
                && let Ok(next) = inbox.try_recv()
            {
                commands.push_back(next);
            }
            let mut answers: Vec<Answer> = Vec::with_capacity(commands.len());
            let worker = self.worker.clone();
            let done = self.connection.transaction(Write::Shared, |c| {
                while let Some(command) = commands.pop_front() {
                    let (answer, failed) = run(c, &worker, self.beside.as_deref(), command);
                    answers.push(answer);
                    // Nothing of a group is committed of which one statement failed: PostgreSQL would turn the COMMIT into a rollback
                    // and say so to nobody.
                    failed.map_or(Ok(()), Err)?;
                }
                Ok::<_, Error>(())
            });
            let failed = done.is_err();
            if let Err(error) = &done {
                // Commands that were not run have no other way to learn why.
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            }
            drop(commands);
            for answer in answers {
                answer(done.clone());
            }
            // A PostgreSQL session that failed may have lost the lock that says we live: no further body on its strength.
            if failed && !self.connection.is_sqlite() {
                return;
            }
        }
        // A clean end leaves nothing claimed; what is Sending stays, to be judged.
        let _ = work::release_all(&mut self.connection, &self.worker);
    }
}

fn run(
    c: &mut Connection,
    worker: &str,
    beside: Option<&std::path::Path>,
    command: Command,
) -> (Answer, Option<Error>) {
    match command {
        Command::Claim { way, limit, limits, now, answer } => {
            let claimant = claim::Claimant { worker, relay: way.relay.as_deref() };
            when_done(answer, claim::claim(c, claimant, limit, &limits, now))
        }
        Command::Begin { way, settle, delivery, now, answer } => {
            let settled = settle.map_or(Ok(()), |s| work::settle(c, worker, &s));
            when_done(answer, settled.and_then(|()| work::begin(c, worker, &way.transport, &delivery, now)))
        }
        Command::TurnDown { way, settle, delivery, now, judge, answer } => {
            let settled = settle.map_or(Ok(()), |s| work::settle(c, worker, &s));
            let begun = settled.and_then(|()| work::begin(c, worker, &way.transport, &delivery, now));
            let judged = begun.and_then(|begun| match begun.map(judge) {
                Some(settled) => work::settle(c, worker, &settled).map(|()| Some(settled)),
                None => Ok(None),
            });
            when_done(answer, judged)
        }
        Command::Settle { settle, answer } => when_done(answer, work::settle(c, worker, &settle)),
        Command::Return { delivery, attempt, answer } => {
            when_done(answer, work::take_back(c, worker, &delivery, attempt))
        }
        Command::Release { deliveries, answer } => when_done(answer, work::release(c, worker, &deliveries)),
        Command::Undo { deliveries, now, answer } => when_done(answer, work::undo(c, &deliveries, now)),
        Command::Recover { policy, now, answer } => when_done(answer, work::recover(c, worker, beside, policy, now)),
        Command::ClearLanes { limits, answer } => when_done(answer, claim::clear_lanes(c, &limits)),
        Command::MendDue { now, answer } => when_done(answer, claim::mend_due(c, now)),
        Command::Next { now, answer } => when_done(answer, claim::first_due(c, now)),
        Command::Finish { answer } => when_done(answer, work::finish_editions(c)),
        Command::Hold { before, answer } => when_done(answer, work::hold_rested(c, before)),
    }
}

/// The caller learns of a result only when it is committed. A lost row is the caller's affair alone; any other error is the
/// whole group's.
fn when_done<T: 'static>(answer: SyncSender<Result<T, Error>>, result: Result<T, Error>) -> (Answer, Option<Error>) {
    let failed = result.as_ref().err().filter(|e| !matches!(e, Error::Lost(_))).cloned();
    // A caller that is no longer there does not need its answer.
    (Box::new(move |committed| drop(answer.send(committed.and(result)))), failed)
}
