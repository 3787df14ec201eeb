//! One connection's thread: take a row, commit the intent, talk to the server, record its reply with the next intent.

use super::{Floor, Halt, lock};
use crate::address::Mailbox;
use crate::delivery::{self, Tried};
use crate::message::{self, Envelope, Message, Personal, Skeleton};
use crate::reply::{Outcome, Sent};
use crate::store;
use crate::store::ledger::{Begun, Claimed, Settled};
use crate::token::Purpose;
use crate::transport::{Job, NotReady, Session};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The variants in use, parsed once for all sessions.
pub(super) type Skeletons = HashMap<String, Arc<Skeleton>>;

/// Pauses before the tries to reach a server that does not answer; then the session gives up.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

/// Works until there is nothing to take or it is over. The try in hand is always finished and recorded.
pub(super) fn serve(floor: &Floor<'_>) {
    let mut session = floor.dispatch.transport.session();
    let mut ended = None;
    let result = work(floor, &mut session, &mut ended);
    let settled = ended.take().map_or(Ok(()), |settled| floor.ledger.settle(settled));
    if let Err(error) = result.and(settled) {
        floor.halt(Halt::Store(error));
    }
    session.quit();
}

/// `ended` is the last try, whose end is not recorded yet: at most one a connection (P1).
fn work(floor: &Floor<'_>, session: &mut Session, ended: &mut Option<Settled>) -> Result<(), store::Error> {
    while !floor.is_over() {
        let row = match floor.at_hand() {
            Some(row) => row,
            None => {
                // Nobody waits with something unrecorded.
                ended.take().map_or(Ok(()), |settled| floor.ledger.settle(settled))?;
                let Some(row) = floor.next()? else { break };
                row
            }
        };
        if let Err(why) = reach(floor, session) {
            floor.give_up(row, why);
            break;
        }
        let now = floor.dispatch.clock.now();
        let skeleton = skeleton(floor, &row.variant)?;
        let Some(begun) = floor.ledger.begin(ended.take(), &row.id, now)? else { continue };
        let message = match finish(floor, &row, &skeleton) {
            Ok(message) => message,
            Err(error) => return broken(floor, &row, begun, error.to_string()),
        };
        let sent = match session.send(&Job { edition: &row.edition, delivery: &row.id, message: &message }) {
            Ok(sent) => sent,
            Err(configuration) => return broken(floor, &row, begun, configuration.to_string()),
        };
        let lost = sent.ends_connection();
        *ended = Some(judge(floor, &row, begun, sent));
        if lost {
            // Before the time that a new connection takes.
            ended.take().map_or(Ok(()), |settled| floor.ledger.settle(settled))?;
        }
    }
    Ok(())
}

/// Connects where that is needed, before any recipient is at stake. An error: it did not come about, and why, if anybody wants
/// to know.
fn reach(floor: &Floor<'_>, session: &mut Session) -> Result<(), Option<NotReady>> {
    let mut last = None;
    for pause in PAUSES {
        let mut left = pause;
        while !left.is_zero() && !floor.is_over() {
            let slice = left.min(super::SLICE);
            std::thread::sleep(slice);
            left -= slice;
        }
        if floor.is_over() {
            return Err(None);
        }
        match session.ready() {
            Ok(()) => return Ok(()),
            Err(NotReady::Configuration(why)) => {
                floor.halt(Halt::Broken(why.to_string()));
                return Err(None);
            }
            Err(not_ready) => last = Some(not_ready),
        }
    }
    Err(last)
}

/// The whole run stops for something that is nobody's fault but ours; this delivery was not tried.
fn broken(floor: &Floor<'_>, row: &Claimed, begun: Begun, why: String) -> Result<(), store::Error> {
    floor.halt(Halt::Broken(why));
    floor.ledger.take_back(&row.id, begun.attempt)
}

fn judge(floor: &Floor<'_>, row: &Claimed, begun: Begun, sent: Sent) -> Settled {
    let at = floor.dispatch.clock.now();
    let tried = Tried { attempts: begun.attempt, first_at: begun.first_at, resends: begun.resends };
    let verdict = delivery::judge(sent.outcome, tried, floor.dispatch.settings, at, floor.dispatch.random.fraction());
    if sent.outcome != Outcome::Accepted {
        tracing::info!(delivery = row.id, address = row.address.masked(), state = %verdict.state, reply = sent.reply.text, "not accepted");
    }
    floor.watch(&row.id, sent.outcome);
    Settled { delivery: row.id.clone(), attempt: begun.attempt, at, sent, verdict }
}

/// The bytes depend on nothing but what the ledger holds: a resend is the same message (P2).
fn finish(floor: &Floor<'_>, row: &Claimed, skeleton: &Skeleton) -> Result<Message, message::Error> {
    let keyring = floor.dispatch.keyring;
    let mac = keyring.mac(Purpose::Bounce, &row.id);
    let from = message::envelope_from(floor.dispatch.mail, &row.id, &mac)?;
    let to = Mailbox { name: row.name.clone(), address: row.address.clone() };
    let token = keyring.sign(Purpose::Unsubscribe, &row.subscriber);
    let bytes = skeleton.splice(&Personal { delivery: &row.id, to: &to, date: row.date, token: &token });
    Ok(Message { envelope: Envelope { from, to: row.address.clone() }, bytes })
}

fn skeleton(floor: &Floor<'_>, variant: &str) -> Result<Arc<Skeleton>, store::Error> {
    let mut skeletons = lock(&floor.skeletons);
    if let Some(skeleton) = skeletons.get(variant) {
        return Ok(Arc::clone(skeleton));
    }
    let stored = floor.dispatch.store.variant(variant)?;
    let skeleton = Skeleton::from_stored(&stored)
        .map_err(|e| store::Error::Corrupt(format!("the rendering {variant} cannot be read: {e}")))?;
    let skeleton = Arc::new(skeleton);
    skeletons.insert(variant.to_owned(), Arc::clone(&skeleton));
    Ok(skeleton)
}
