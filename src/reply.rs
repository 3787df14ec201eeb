//! SMTP replies and what they mean (RFC 5321 section 4.2, RFC 3463), as data.

use std::fmt;

/// Where in the dialogue something was said or went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// TCP and, for `smtps`, TLS.
    Connect,
    /// The server's 220.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, up to its 354.
    Data,
    /// The body, before its final dot has left.
    Body,
    /// After the final dot left: the one stage in which silence is ambiguous.
    Dot,
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub u8, pub u16, pub u16);

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits; 0 where the server said nothing (a lost connection, a time-out), then `text` says what happened.
    pub code: u16,
    /// The enhanced status, where one is given.
    pub status: Option<Status>,
    /// The words, lines joined by a space, without control characters, at most 500 characters.
    pub text: String,
}

/// What came of one try to hand over one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where the answer fell.
    pub stage: Stage,
    /// The server's words, or ours where it said nothing.
    pub reply: Reply,
    /// What it means.
    pub outcome: Outcome,
}

/// What a reply means for a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took the message.
    Accepted,
    /// Not now; try later.
    Deferred(Fault),
    /// Never.
    Refused(Refusal),
    /// The final dot left and no reply came: the message may have been taken.
    Unknown,
}

/// Whose fault a deferral is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The recipient's, or the message's: the next one may go through.
    Recipient,
    /// The connection's or the server's (421, a lost connection before the final dot): says nothing about the recipient.
    Connection,
}

/// Why a message is refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The address does not exist (5.1.1, 5.1.2, 5.1.3, 5.1.10, 5.2.1): suppressed at once.
    Hard,
    /// Full, too big (5.2.2, 5.3.4, 552): counted against the address.
    Mailbox,
    /// Policy, reputation, authentication (5.7.x): counted against the address; many in a row are the sender's fault.
    Policy,
    /// Anything else.
    Other,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
