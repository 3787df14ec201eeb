//! One connection's thread: take a row, offer it, commit the intent, send the body, record its reply with the next intent.

use super::floor::{Floor, Halt, Out, lock};
use crate::address::Mailbox;
use crate::clock::Stopwatch;
use crate::delivery::{self, Tried};
use crate::message::letter::Kind;
use crate::message::{self, Envelope, Message, Personal, Skeleton};
use crate::reply::{Fault, Outcome, Sent};
use crate::store;
use crate::store::ledger::{Begun, Claimed, Settled, Text};
use crate::token::Purpose;
use crate::transport::{Configuration, Job, NotReady, Offered, Session};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The variants and letters in use, parsed once for all sessions.
pub(super) type Skeletons = HashMap<Text, Arc<Skeleton>>;

/// More variants than these are read from the store again: an edition may have a thousand, of a hundred kilobytes each.
const SKELETONS: usize = 32;
/// Pauses before the tries to reach a server that does not answer; then the session gives up.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

/// A server that let one wait for so long is not tried again at once where another takes mail.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// A row and its finished message.
struct Letter {
    row: Claimed,
    message: Message,
}

impl Letter {
    fn job(&self) -> Job<'_> {
        Job { edition: &self.row.occasion, delivery: &self.row.id, message: &self.message }
    }
}

/// When a try began. How long it took is measured by a clock that nobody sets, so that no end comes before its beginning.
#[derive(Clone, Copy)]
struct Start {
    at: DateTime<Utc>,
    watch: Stopwatch,
}

impl Start {
    fn end(&self) -> DateTime<Utc> {
        self.at + TimeDelta::milliseconds(self.watch.elapsed().as_millis() as i64)
    }
}

/// Works until there is nothing to take or it is over. The try in hand is always finished and recorded.
pub(super) fn serve(floor: &Floor<'_>) {
    let _home = Home(floor);
    let mut hands =
        Hands { floor, session: floor.relay.transport.session(), letter: None, ended: None, spare: Vec::new() };
    let result = hands.work();
    let settled = hands.settle();
    if let Err(error) = result.and(settled) {
        floor.halt(Halt::Store(error));
    }
    if let Some(letter) = hands.letter {
        floor.give_back(letter.row);
    }
    hands.session.quit();
}

/// Comes home whatever happens on the way.
struct Home<'a>(&'a Floor<'a>);

impl Drop for Home<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// What one session holds.
struct Hands<'a> {
    floor: &'a Floor<'a>,
    session: Session,
    /// The message that is to go next. Its envelope may be on its way already.
    letter: Option<Letter>,
    /// The last try, whose end is not recorded yet: at most one a connection (P1).
    ended: Option<Settled>,
    /// Where the last message's bytes stood.
    spare: Vec<u8>,
}

impl Hands<'_> {
    fn work(&mut self) -> Result<(), store::Error> {
        while self.take()? {
            if let Err(why) = self.reach() {
                if let Some(letter) = self.letter.take() {
                    self.floor.give_up(letter.row, why);
                }
                break;
            }
            self.send()?;
        }
        Ok(())
    }

    /// Sees that there is a letter in hand; false where there is none left.
    fn take(&mut self) -> Result<bool, store::Error> {
        if self.letter.is_some() {
            // What was offered along with the last body is finished, whatever the reason to come home.
            return Ok(self.session.has_offered() || !self.floor.is_over());
        }
        let mut row = self.floor.at_hand();
        let at_once = row.is_some() && self.floor.may_go();
        if !at_once {
            // Nobody waits with something unrecorded.
            self.settle()?;
            row = row.or_else(|| self.floor.next());
        }
        let Some(row) = row else { return Ok(false) };
        if !at_once && !self.floor.wait_to_go() {
            self.floor.give_back(row);
            return Ok(false);
        }
        self.letter = self.write(row)?;
        Ok(self.letter.is_some())
    }

    /// Finishes a row's message; none where that cannot be done, which is nobody's fault but ours and stops the run.
    fn write(&mut self, row: Claimed) -> Result<Option<Letter>, store::Error> {
        match finish(self.floor, &row, std::mem::take(&mut self.spare))? {
            Ok(message) => Ok(Some(Letter { row, message })),
            Err(error) => {
                self.floor.halt(Halt::Broken(error.to_string()));
                self.floor.give_back(row);
                Ok(None)
            }
        }
    }

    /// Connects where that is needed, before any recipient is at stake. An error: it did not come about, and why, if anybody
    /// wants to know.
    fn reach(&mut self) -> Result<(), Option<NotReady>> {
        let mut last = None;
        let watch = self.floor.dispatch.clock.stopwatch();
        for pause in PAUSES {
            // Another relay is waiting for what this one leaves undone.
            if self.floor.is_one_of_several() && watch.elapsed() > LONG_ENOUGH {
                break;
            }
            if !pause.is_zero() {
                // Nobody waits with something unrecorded; where that fails, so does the next intent.
                let _ = self.settle();
                self.floor.rest(pause);
                if self.floor.is_over() {
                    return Err(None);
                }
            }
            match self.session.ready_unless(&|| self.floor.is_over()) {
                Ok(()) => {
                    self.floor.reached(true);
                    return Ok(());
                }
                Err(NotReady::Configuration(why)) => {
                    self.misconfigured(&why);
                    return Err(None);
                }
                Err(_) if self.floor.is_over() => return Err(None),
                Err(not_ready) => {
                    self.floor.reached(false);
                    last = Some(not_ready);
                }
            }
        }
        Err(last)
    }

    /// The server would refuse all alike.
    fn misconfigured(&self, why: &Configuration) {
        self.floor.fail(Out::Broken(self.floor.relay.terms.said(&why.to_string())));
    }

    /// Offers the letter in hand, and delivers it where it is wanted.
    fn send(&mut self) -> Result<(), store::Error> {
        let Some(letter) = self.letter.take() else { return Ok(()) };
        let clock = self.floor.dispatch.clock;
        let start = Start { at: clock.now(), watch: clock.stopwatch() };
        match self.session.offer_unless(&letter.job(), &|| self.floor.is_over()) {
            Ok(Offered::Wanted) => self.deliver(letter, start),
            Ok(Offered::Ended(sent)) => self.turn_down(&letter.row, sent, start),
            Ok(Offered::Stale(sent)) if sent.outcome == Outcome::Deferred(Fault::Throttled) => {
                self.floor.rebuked();
                self.floor.give_back(letter.row);
                Ok(())
            }
            Ok(Offered::Stale(_)) => {
                self.letter = Some(letter);
                Ok(())
            }
            Err(configuration) => {
                self.misconfigured(&configuration);
                self.floor.give_back(letter.row);
                Ok(())
            }
        }
    }

    fn deliver(&mut self, letter: Letter, start: Start) -> Result<(), store::Error> {
        let intent = self.floor.ledger.begin(self.ended.take(), &letter.row.id, start.at)?;
        // While the intent is on its way to the disk.
        if let Some(row) = self.floor.at_hand() {
            match self.floor.may_go() {
                true => self.letter = self.write(row)?,
                false => self.floor.give_back(row),
            }
        }
        let Some(begun) = intent.wait()? else { return Ok(()) };
        let next = self.letter.as_ref().map(Letter::job);
        match self.session.deliver(&letter.job(), next.as_ref()) {
            Ok(sent) => {
                let lost = sent.ends_connection();
                let dispatch = self.floor.dispatch;
                let (id, jitter) = (letter.row.id.clone(), dispatch.random.fraction());
                let settled = judge(id, begun, sent, dispatch.settings, start.end(), jitter);
                self.note(&letter.row, &settled);
                self.ended = Some(settled);
                self.spare = letter.message.bytes;
                // Before the time that a new connection takes.
                if lost { self.settle() } else { Ok(()) }
            }
            Err(configuration) => {
                self.misconfigured(&configuration);
                self.floor.ledger.take_back(&letter.row.id, begun.attempt)
            }
        }
    }

    /// The server did not want the body.
    fn turn_down(&mut self, row: &Claimed, sent: Sent, start: Start) -> Result<(), store::Error> {
        let dispatch = self.floor.dispatch;
        let (at, jitter) = (start.end(), dispatch.random.fraction());
        let (id, settings) = (row.id.clone(), dispatch.settings.clone());
        let judge = move |begun| judge(id, begun, sent, &settings, at, jitter);
        if let Some(settled) = self.floor.ledger.turn_down(self.ended.take(), &row.id, start.at, judge)? {
            self.note(row, &settled);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), store::Error> {
        self.ended.take().map_or(Ok(()), |settled| self.floor.ledger.settle(settled))
    }

    fn note(&self, row: &Claimed, settled: &Settled) {
        let Settled { sent, verdict, .. } = settled;
        if sent.outcome != Outcome::Accepted {
            tracing::info!(delivery = row.id, address = row.address.masked(), state = %verdict.state, reply = sent.reply.text, "not accepted");
        }
        self.floor.watch(row, sent.outcome);
    }
}

/// What a try comes to.
fn judge(
    delivery: String,
    begun: Begun,
    sent: Sent,
    settings: &delivery::Settings,
    at: DateTime<Utc>,
    jitter: f64,
) -> Settled {
    let tried = Tried { attempts: begun.attempt, first_at: begun.first_at, resends: begun.resends };
    let verdict = delivery::judge(sent.outcome, tried, settings, at, jitter);
    Settled { delivery, attempt: begun.attempt, at, sent, verdict }
}

/// The bytes depend on nothing but what the ledger holds: a resend is the same message (P2).
fn finish(floor: &Floor<'_>, row: &Claimed, spare: Vec<u8>) -> Result<Result<Message, message::Error>, store::Error> {
    let skeleton = skeleton(floor, &row.text)?;
    let keyring = floor.dispatch.keyring;
    let mac = keyring.mac(Purpose::Bounce, &row.id);
    let to = Mailbox { name: row.name.clone(), address: row.address.clone() };
    let token = keyring.sign(Purpose::Unsubscribe, &row.subscriber);
    let action = Kind::of(&row.occasion)
        .filter(|_| matches!(row.text, Text::Letter(_)))
        .map(|(kind, number)| kind.token(keyring, &row.subscriber, number, &row.hash, row.date))
        .unwrap_or_default();
    let personal = Personal { delivery: &row.id, to: &to, date: row.date, token: &token, action: &action };
    let bytes = skeleton.splice_into(spare, &personal);
    let message = || {
        let from = message::envelope_from(floor.dispatch.mail, &row.id, &mac)?;
        let bytes = floor.dispatch.signer.sign(bytes, row.date)?;
        Ok(Message { envelope: Envelope { from, to: row.address.clone() }, bytes })
    };
    Ok(message())
}

fn skeleton(floor: &Floor<'_>, text: &Text) -> Result<Arc<Skeleton>, store::Error> {
    let mut skeletons = lock(&floor.house.skeletons);
    if let Some(skeleton) = skeletons.get(text) {
        return Ok(Arc::clone(skeleton));
    }
    let (Text::Variant(name) | Text::Letter(name)) = text;
    let skeleton = match text {
        Text::Variant(variant) => Skeleton::from_stored(&floor.dispatch.store.variant(variant)?),
        Text::Letter(letter) => Skeleton::letter_from_stored(&floor.dispatch.store.letter(letter)?),
    };
    let skeleton = skeleton.map_err(|e| store::Error::Corrupt(format!("the rendering {name} cannot be read: {e}")))?;
    let skeleton = Arc::new(skeleton);
    if skeletons.len() >= SKELETONS {
        skeletons.clear();
    }
    skeletons.insert(text.clone(), Arc::clone(&skeleton));
    Ok(skeleton)
}
