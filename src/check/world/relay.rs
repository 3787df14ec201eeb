//! The senders of other people's mail that many use: what their customers' DNS must say of them.

use crate::delivery::route::Route;

/// A mail provider, known by the name of its server.
#[derive(Debug)]
pub(super) struct Relay {
    /// As people call it.
    pub(super) name: &'static str,
    /// The domain of its servers.
    pub(super) host: &'static str,
    /// What a domain's SPF record includes for its servers to be named.
    pub(super) include: &'static str,
    /// Whose address stands in MAIL FROM in the end.
    pub(super) envelope: Envelope,
}

/// Whose domain SPF is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// What we say is kept.
    Ours,
    /// The provider writes an address of its own, unless it is set up otherwise there.
    Theirs,
}

const ALL: [Relay; 7] = [
    Relay { name: "Amazon SES", host: "amazonaws.com", include: "amazonses.com", envelope: Envelope::Theirs },
    Relay { name: "Google", host: "gmail.com", include: "_spf.google.com", envelope: Envelope::Ours },
    Relay { name: "Postmark", host: "postmarkapp.com", include: "spf.mtasv.net", envelope: Envelope::Theirs },
    Relay { name: "Mailgun", host: "mailgun.org", include: "mailgun.org", envelope: Envelope::Ours },
    Relay { name: "Fastmail", host: "fastmail.com", include: "spf.messagingengine.com", envelope: Envelope::Ours },
    Relay { name: "SendGrid", host: "sendgrid.net", include: "sendgrid.net", envelope: Envelope::Theirs },
    Relay { name: "Microsoft", host: "office365.com", include: "spf.protection.outlook.com", envelope: Envelope::Ours },
];

/// The provider by which mails leave, where it is one of these. All of them sign in their customers' names once that is set up there.
pub(super) fn of(route: &Route) -> Option<&'static Relay> {
    let Route::Smtp(server) = route else { return None };
    let host = server.host.to_ascii_lowercase();
    let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    ALL.iter().find(|relay| below(relay.host))
}
