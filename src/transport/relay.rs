//! A way out with what holds for it.

use super::{Job, NotReady, Session, Transport};
use crate::delivery::relay::Terms;
use crate::reply::Outcome;

/// One of the ways by which mails leave.
#[derive(Clone, Debug)]
pub struct Relay {
    /// How much it may take, and when.
    pub terms: Terms,
    /// The way itself.
    pub transport: Transport,
}

impl Relay {
    /// The only way out, with so many connections.
    pub fn sole(transport: Transport, connections: usize) -> Self {
        Relay { terms: Terms::sole(connections), transport }
    }
}

/// A way out that lets us in.
pub struct Reached<'a> {
    /// Ready for a message.
    pub session: Session,
    /// How the ledger calls the way.
    pub via: &'a str,
}

/// A single mail by the first of them that takes it.
///
/// # Errors
/// Why the first does not, where none does.
pub fn send(relays: &[Relay], job: &Job<'_>) -> Result<(), String> {
    let one = |relay: &Relay| {
        let mut session = relay.transport.session();
        session.ready().map_err(|why| why.to_string())?;
        let sent = session.send(job).map_err(|why| why.to_string())?;
        session.quit();
        match sent.outcome {
            Outcome::Accepted => Ok(()),
            _ => Err(format!("the server did not take it: {}", sent.reply)),
        }
    };
    let mut first = Err("there is no way out".to_owned());
    for (n, relay) in relays.iter().enumerate() {
        match one(relay) {
            Ok(()) => return Ok(()),
            Err(why) if n == 0 => first = Err(why),
            Err(_) => {}
        }
    }
    first
}

/// The first of them that can be reached, for a single mail.
///
/// # Errors
/// Why the first cannot, where none can.
pub fn reach(relays: &[Relay]) -> Result<Reached<'_>, NotReady> {
    let mut first = None;
    for Relay { transport, .. } in relays {
        let mut session = transport.session();
        match session.ready() {
            Ok(()) => return Ok(Reached { session, via: transport.name() }),
            Err(why) => {
                first.get_or_insert(why);
            }
        }
    }
    Err(first.unwrap_or_else(|| NotReady::Unreachable("there is no way out".to_owned())))
}
