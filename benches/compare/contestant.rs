//! Who sends, with what, along which way: what a row of the table is made from.

use crate::rows::Group;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Postrider(Keys),
    /// Postfix's: the same message over and over.
    SmtpSource,
    /// With its pool, a mail each.
    Nodemailer {
        /// Whether it signs.
        rsa: bool,
    },
    /// lettre's own pool, a mail each.
    LettrePool,
}

/// With which keys postrider signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    None,
    Ed25519,
    RsaAndEd25519,
}

/// Along which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Loopback, in clear.
    Plain,
    /// Loopback, TLS from the first octet.
    Tls,
    /// With a delay.
    Far {
        /// Whether the server offers it.
        pipelining: bool,
    },
    /// To Postfix's smtp-sink, which cannot count what is distinct.
    SmtpSink,
}

/// One sender's runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) group: Group,
    pub(crate) sender: Sender,
    pub(crate) connections: usize,
    pub(crate) way: Way,
    pub(crate) messages: usize,
}

impl Entry {
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.sender, Sender::Postrider(_))
    }

    /// How many distinct messages the sink must see: Postfix's sink sees none, Postfix's source sends but one.
    pub(crate) fn distinct(&self) -> usize {
        match (self.way, self.sender) {
            (Way::SmtpSink, _) => 0,
            (_, Sender::SmtpSource) => 1,
            _ => self.messages,
        }
    }

    /// How many signatures a message must carry.
    pub(crate) fn signatures(&self) -> usize {
        match self.sender {
            Sender::Postrider(Keys::RsaAndEd25519) => 2,
            Sender::Postrider(Keys::Ed25519) | Sender::Nodemailer { rsa: true } => 1,
            _ => 0,
        }
    }

    pub(crate) fn name(&self) -> String {
        let sender = match self.sender {
            Sender::Postrider(Keys::None) => "postrider",
            Sender::Postrider(Keys::Ed25519) => "postrider, Ed25519",
            Sender::Postrider(Keys::RsaAndEd25519) => "postrider, RSA + Ed25519",
            Sender::SmtpSource => "smtp-source",
            Sender::Nodemailer { rsa: false } => "nodemailer, pool",
            Sender::Nodemailer { rsa: true } => "nodemailer, pool, RSA",
            Sender::LettrePool => "lettre, its pool",
        };
        let way = match self.way {
            Way::Plain => "",
            Way::Tls => ", TLS",
            Way::Far { pipelining: true } => ", far",
            Way::Far { pipelining: false } => ", far, no PIPELINING",
            Way::SmtpSink => ", to smtp-sink",
        };
        format!("{sender}{way}")
    }
}

/// What such a sender can be expected to send in a second on a machine with two cores. It decides how many messages a run has,
/// and nothing else.
pub(crate) fn expected(sender: Sender, connections: usize, way: Way) -> usize {
    let each = match (sender, way) {
        (Sender::Postrider(_), Way::Far { pipelining: true }) => 38,
        (Sender::LettrePool, Way::Far { .. }) => 6,
        (_, Way::Far { .. }) => 12,
        (Sender::LettrePool, _) => 24,
        (Sender::Postrider(Keys::RsaAndEd25519), _) => return 1500,
        (Sender::Nodemailer { rsa: false }, _) => return 450,
        (Sender::Nodemailer { rsa: true }, _) => return 200,
        (Sender::Postrider(_) | Sender::SmtpSource, _) if connections == 1 => return 2000,
        (Sender::Postrider(_) | Sender::SmtpSource, Way::SmtpSink) | (Sender::Postrider(_), _) => return 3500,
        (Sender::SmtpSource, _) => return 9000,
    };
    each * connections
}
