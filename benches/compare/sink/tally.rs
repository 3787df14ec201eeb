//! The count: sixteen octets a message, so that a million messages are 16 MB.

use foldhash::quality::FixedState;
use memchr::memmem;
use postrider::clock::{Clock, Stopwatch};
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;
use std::time::Duration;

/// What came in so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    connections: u64,
    octets: u64,
    signatures: u64,
    ids: Vec<u64>,
    bodies: Vec<u64>,
    /// Started by the first MAIL.
    since: Option<Stopwatch>,
    until: Duration,
}

/// What the sink says when asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Messages taken.
    pub(crate) messages: u64,
    /// Distinct Message-IDs among them; a message without one counts as having an empty one.
    pub(crate) ids: u64,
    /// Distinct bodies among them: what follows the header.
    pub(crate) bodies: u64,
    /// Connections accepted.
    pub(crate) connections: u64,
    /// Octets of the messages as they came over the wire, stuffed dots and all.
    pub(crate) octets: u64,
    /// DKIM-Signature fields.
    pub(crate) signatures: u64,
    /// Seconds from the first MAIL to the last final dot.
    pub(crate) seconds: f64,
}

impl Tally {
    pub(super) fn connected(&mut self) {
        self.connections += 1;
    }

    /// MAIL was seen.
    pub(super) fn mail(&mut self) {
        if self.since.is_none() {
            self.since = Some(Clock::system().stopwatch());
        }
    }

    /// The final dot was seen. Sixty-four bits for each hash: among a million messages two collide by chance once in thirty
    /// million runs.
    pub(super) fn take(&mut self, message: &[u8]) {
        let header = memmem::find(message, b"\r\n\r\n").map_or(message.len(), |end| end + 2);
        let (header, body) = message.split_at(header);
        let hasher = FixedState::default();
        let (id, signatures) = read_header(header);
        self.signatures += signatures;
        self.ids.push(hasher.hash_one(id));
        self.bodies.push(hasher.hash_one(body));
        self.octets += message.len() as u64;
        self.until = self.since.map_or(Duration::ZERO, |since| since.elapsed());
    }

    pub(super) fn report(&mut self) -> Report {
        Report {
            messages: self.ids.len() as u64,
            ids: distinct(&mut self.ids),
            bodies: distinct(&mut self.bodies),
            connections: self.connections,
            octets: self.octets,
            signatures: self.signatures,
            seconds: self.until.as_secs_f64(),
        }
    }
}

/// Sorts in place: the order tells nothing, and a copy would double the memory.
fn distinct(hashes: &mut [u64]) -> u64 {
    hashes.sort_unstable();
    hashes.chunk_by(|a, b| a == b).count() as u64
}

/// The Message-ID, and how many DKIM-Signature fields there are.
fn read_header(header: &[u8]) -> (&[u8], u64) {
    const ID: &[u8] = b"message-id:";
    const SIGNATURE: &[u8] = b"dkim-signature:";
    let (mut id, mut signatures) = (&header[..0], 0);
    let mut rest = header;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        if begins(line, SIGNATURE) {
            signatures += 1;
        } else if begins(line, ID) {
            id = line[ID.len()..].trim_ascii();
            if id.is_empty() {
                // A folded value stands on the next line.
                id = &after[..memchr::memchr(b'\n', after).unwrap_or(after.len())];
            }
        }
        rest = after;
    }
    (id, signatures)
}

fn begins(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}
