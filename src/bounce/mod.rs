//! Mails that come back: bounces (RFC 3464 and what came before it), complaints (RFC 5965), automatic answers (RFC 3834) and what
//! people ask for by mail.
//!
//! [`read`] takes the bytes of a mail, whoever sent it, and says what it is and what it says of each recipient. It does a bounded
//! amount of work and knows nothing of our readers: whether the mail may be believed is for its caller to say, who has the keys.
//!
//! * `parts` takes the mail apart. `report` reads the fields for machines, `words` the sentences for people.
//! * `meaning` says what one recipient's fields or sentences mean, by `tables` and by what [`crate::reply`] knows of replies.
//! * `feedback` reads complaints, [`notice`] what providers say of both as JSON, `automatic` tells machines from people,
//!   [`request`] what people ask for.

mod automatic;
mod feedback;
mod meaning;
pub mod notice;
mod parts;
mod report;
pub mod request;
mod settings;
mod tables;
mod words;

pub use parts::Returned;
pub use settings::{Handled, Inbox, Settings};

use crate::address::EmailAddress;
use crate::reply::Status;
use parts::Parts;
use request::Request;

/// What a mail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It says that a mail was not, or not yet, delivered.
    Bounce,
    /// A reader called a mail spam.
    Complaint,
    /// A person asks for something.
    Request(Request),
    /// A machine answers: out of office and the like.
    Automatic,
    /// Anything else.
    Other,
}

/// What a bounce says of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The address does not exist.
    Hard,
    /// Full, not reached in time, or refused without a reason that we know: counted against the address.
    Soft,
    /// Policy, reputation, a filter.
    Policy,
    /// Our own fault: SPF, DKIM, DMARC, an address that we may not send from.
    Sender,
    /// The server goes on trying.
    Delayed,
    /// Nothing: delivered, or no bounce at all.
    None,
}

impl Verdict {
    /// As JSON and the store have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Hard => "hard",
            Verdict::Soft => "soft",
            Verdict::Policy => "policy",
            Verdict::Sender => "sender",
            Verdict::Delayed => "delayed",
            Verdict::None => "none",
        }
    }
}

/// One recipient of whom a mail speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Who, where it says so.
    pub address: Option<EmailAddress>,
    /// The enhanced status that tells most: the remote server's own before the reporting one's.
    pub status: Option<Status>,
    /// What it means.
    pub verdict: Verdict,
    /// The words that say so, on one line, at most 500 characters.
    pub said: String,
}

/// A mail that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// What it is.
    pub kind: Kind,
    /// Of whom it speaks. A bounce names at least one, if only without an address.
    pub recipients: Vec<Recipient>,
    /// Who says that they wrote it.
    pub from: Option<EmailAddress>,
    /// Where it was sent and delivered to, as its header fields have it, unquoted and unparsed: a tag of ours stands there.
    pub delivered_to: Vec<String>,
    /// The mail of which it speaks, as far as it is attached.
    pub returned: Option<Returned>,
    /// Whether a machine wrote it, or a list passed it on: no answer goes there (RFC 3834 section 2).
    pub automatic: bool,
}

/// So much of a mail is read; what follows is the returned mail, or nothing that we need.
const READ: usize = 512 * 1024;

/// Says what a mail is. Whatever the bytes are, the answer is a [`Mail`].
pub fn read(bytes: &[u8]) -> Mail {
    let bytes = parts::bounded(&bytes[..bytes.len().min(READ)]);
    let parts = Parts::of(bytes);
    let mut delivered_to = parts.delivered_to();
    let (kind, recipients) = match notice::in_mail(&parts.text) {
        Some(notice) => {
            delivered_to.extend(notice.sender);
            (notice.kind, notice.recipients)
        }
        None => judge(&parts),
    };
    Mail {
        automatic: matches!(kind, Kind::Bounce | Kind::Complaint | Kind::Automatic) || automatic::is_automatic(&parts),
        kind,
        recipients,
        from: parts.from.as_deref().and_then(|from| EmailAddress::parse(from).ok()),
        delivered_to,
        returned: parts.returned,
    }
}

fn judge(parts: &Parts) -> (Kind, Vec<Recipient>) {
    if let Some(complained) = feedback::complaint(parts) {
        return complained;
    }
    let reported = report::recipients(parts);
    if !reported.is_empty() {
        return bounce(reported.iter().map(meaning::recipient).collect());
    }
    if automatic::is_absence(parts) {
        return (Kind::Automatic, Vec::new());
    }
    let reported = words::recipients(parts);
    if !reported.is_empty() {
        return bounce(reported.iter().map(meaning::recipient).collect());
    }
    match request::request(parts) {
        Some(request) => (Kind::Request(request), Vec::new()),
        None if automatic::is_automatic(parts) => (Kind::Automatic, Vec::new()),
        None => (Kind::Other, Vec::new()),
    }
}

/// A report that all went well, which somebody asked for, is no bounce.
fn bounce(recipients: Vec<Recipient>) -> (Kind, Vec<Recipient>) {
    match recipients.iter().all(|recipient| recipient.verdict == Verdict::None) {
        true => (Kind::Other, recipients),
        false => (Kind::Bounce, recipients),
    }
}
