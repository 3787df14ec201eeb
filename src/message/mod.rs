//! Finished RFC 5322 bytes and their envelope.
//!
//! An edition's variant becomes a [`Skeleton`] once: headers and MIME-encoded body with holes. Each delivery fills the holes
//! ([`Skeleton::splice`]), which costs microseconds and gives the same bytes each time.

pub mod settings;
pub mod header;
pub mod letter;
pub mod list;
pub mod quoted;
pub mod skeleton;
pub mod verp;
pub mod dkim;

use crate::address::EmailAddress;

pub use dkim::Signer;
pub use list::List;
pub use settings::Settings;
pub use skeleton::{Personal, Skeleton, skeleton};
pub use verp::envelope_from;

/// Why no message can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A body without the link by which a reader leaves.
    #[error("the {part} part holds no unsubscribe link\n  help: let its template show {{{{ links.unsubscribe }}}}")]
    NoUnsubscribe {
        /// `HTML` or `text`.
        part: &'static str,
    },
    /// A letter without its own link.
    #[error("the {part} part of a letter does not hold its link\n  help: let its template show {{{{ links.action }}}}")]
    NoAction {
        /// `HTML` or `text`.
        part: &'static str,
    },
    /// The address that bounces come back to has no room for its tag (RFC 5321 section 4.5.3.1.1).
    #[error(
        "mail.bounces is too long: with a delivery's tag the part before the @ has {octets} octets, and 64 are allowed\n  help: use a shorter one, for example bounces@"
    )]
    BouncesTooLong {
        /// How many it would have.
        octets: usize,
    },
    /// A delivery or its mark cannot stand in an address.
    #[error("a delivery's id or mark holds characters that cannot stand in an address")]
    BadTag,
    /// A signature that no receiver counts.
    #[error(
        "mail.dkim signs for {domain}, which is neither the domain of mail.from ({from}) nor one above it, so DMARC would not count the signature\n  help: set its domain to {from}, or to the domain that this one belongs to"
    )]
    NotAligned {
        /// The key's.
        domain: String,
        /// From's.
        from: String,
    },
    /// Where both records would stand.
    #[error("two [[mail.dkim]] tables are for {record}\n  help: give each key its own selector")]
    TwoKeys {
        /// `selector._domainkey.domain`.
        record: String,
    },
    /// RFC 1035 section 2.3.4.
    #[error("{record} is longer than a name in the DNS can be\n  help: use a shorter selector in [[mail.dkim]]")]
    RecordTooLong {
        /// `selector._domainkey.domain`.
        record: String,
    },
    /// It cannot be signed.
    #[error(transparent)]
    Signature(#[from] dkim::Error),
    /// What the store holds is not a message.
    #[error(
        "the stored message of an edition is damaged: {what}\n  help: restore the store from a backup, or cancel the edition"
    )]
    Damaged {
        /// What is missing or double.
        what: String,
    },
}

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
