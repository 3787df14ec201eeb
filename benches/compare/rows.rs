//! What is measured: the parts of the table and who stands in each, in the order in which a round runs them.

use crate::arguments::Arguments;
use crate::contestant::{Entry, Keys, Sender, Way, expected};
use clap::ValueEnum;

/// A part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// To Postfix's smtp-sink, 10 connections, and our sink beside it
    SmtpSink,
    /// 1, 10 and 20 connections, unsigned
    Loopback,
    /// 10 connections, DKIM
    Signed,
    /// 10 connections, TLS beside plain
    Tls,
    /// A round trip of 20 ms, 1 and 10 connections, with PIPELINING and without
    Distance,
    /// 100,000 and 1,000,000 readers, 10 connections, once
    Scale,
}

impl Group {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Group::SmtpSink => "To Postfix's smtp-sink",
            Group::Loopback => "Loopback, unsigned",
            Group::Signed => "Loopback, signed",
            Group::Tls => "Loopback, TLS",
            Group::Distance => "At a distance",
            Group::Scale => "Many readers",
        }
    }

    /// A run of a million lasts minutes; its figures are memory and rate, not a race.
    pub(crate) fn rounds(self, wanted: usize) -> usize {
        if self == Group::Scale { 1 } else { wanted }
    }
}

/// The parts wanted, each with its entries.
pub(crate) fn rows(arguments: &Arguments) -> Vec<Vec<Entry>> {
    let groups = match &arguments.groups[..] {
        [] => Group::value_variants(),
        named => named,
    };
    groups.iter().map(|group| entries(*group, arguments)).filter(|entries| !entries.is_empty()).collect()
}

fn entries(group: Group, arguments: &Arguments) -> Vec<Entry> {
    let ours = Sender::Postrider(Keys::None);
    let nodemailer = Sender::Nodemailer { rsa: false };
    let all = [ours, Sender::SmtpSource, nodemailer, Sender::LettrePool];
    let mut list: Vec<(Sender, usize, Way)> = Vec::new();
    match group {
        Group::SmtpSink => {
            list.extend(all.map(|sender| (sender, 10, Way::SmtpSink)));
            list.push((Sender::SmtpSource, 10, Way::Plain));
        }
        Group::Loopback => {
            for connections in [1, 10, 20] {
                list.extend(all.map(|sender| (sender, connections, Way::Plain)));
            }
        }
        Group::Signed => list.extend(
            [
                Sender::Postrider(Keys::Ed25519),
                Sender::Postrider(Keys::RsaAndEd25519),
                Sender::SmtpSource,
                Sender::Nodemailer { rsa: true },
            ]
            .map(|sender| (sender, 10, Way::Plain)),
        ),
        Group::Tls => list.extend([(ours, 10, Way::Plain), (ours, 10, Way::Tls), (nodemailer, 10, Way::Tls)]),
        Group::Distance => {
            for connections in [1, 10] {
                list.extend(all.map(|sender| (sender, connections, Way::Far { pipelining: true })));
                list.push((ours, connections, Way::Far { pipelining: false }));
            }
        }
        Group::Scale => {
            return arguments
                .readers
                .iter()
                .map(|readers| Entry { group, sender: ours, connections: 10, way: Way::Plain, messages: *readers })
                .collect();
        }
    }
    list.retain(|(sender, ..)| !arguments.alone || matches!(sender, Sender::Postrider(_)));
    let entry = |(sender, connections, way)| {
        let messages = arguments.messages.unwrap_or(expected(sender, connections, way) * arguments.seconds);
        Entry { group, sender, connections, way, messages }
    };
    list.into_iter().map(entry).collect()
}
