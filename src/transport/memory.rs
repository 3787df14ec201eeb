//! Accepts everything and remembers it: for tests of what stands above.

use super::Job;
use crate::message::Message;
use crate::reply::{Outcome, Reply, Sent, Stage};
use std::sync::{Mutex, PoisonError};

/// What was handed over so far.
#[derive(Debug, Default)]
pub struct Memory {
    taken: Mutex<Vec<Taken>>,
}

/// One message as it was handed over.
#[derive(Clone, PartialEq, Eq)]
pub struct Taken {
    /// The edition or occasion.
    pub edition: String,
    /// The delivery's id.
    pub delivery: String,
    /// The message.
    pub message: Message,
}

impl Memory {
    /// All that was handed over, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn send(&self, job: &Job<'_>) -> Sent {
        let taken = Taken { edition: job.edition.into(), delivery: job.delivery.into(), message: job.message.clone() };
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
        Sent { stage: Stage::Dot, reply: Reply::new(250, ["2.0.0 remembered"]), outcome: Outcome::Accepted }
    }
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} to {}", self.edition, self.delivery, self.message.envelope.to.masked())
    }
}
