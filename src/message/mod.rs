//! Finished RFC 5322 bytes and their envelope.

use crate::address::EmailAddress;

/// MAIL FROM and RCPT TO (RFC 5321 section 2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where bounces go.
    pub from: EmailAddress,
    /// The one recipient.
    pub to: EmailAddress,
}

/// A message ready for the wire: CRLF line ends only, no dot-stuffing.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Whom it goes to.
    pub envelope: Envelope,
    /// The bytes.
    pub bytes: Vec<u8>,
}
