//! The JSON shapes of the contract: what `--json` prints. Things outside rely on every name here.

pub mod adoption;

use crate::post::dialect::Dialect;
use crate::post::{Hidden, Problem};
use serde::Serialize;
use std::collections::BTreeMap;

/// `run --json`, `build --json`, `plan --json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    /// What was read.
    pub posts: Posts,
    /// What was written, or would be.
    pub feeds: Vec<Feed>,
    /// Editions; `build` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub editions: Option<Vec<Edition>>,
    /// `plan` alone: where each digest stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digests: Option<Vec<Digest>>,
    /// `run` alone, where there are `[[relay]]` tables: what became of each, the first ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<Relay>,
}

/// What became of a `[[relay]]` in a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Relay {
    /// Its name.
    pub name: String,
    /// How many messages it took.
    pub accepted: u64,
    /// Why it went out of service, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Posts {
    /// Source files.
    pub read: usize,
    /// Posts that are published now.
    pub published: usize,
    /// Posts that are not, and why.
    pub hidden: Vec<Hidden>,
    /// What is wrong with the input.
    pub problems: Vec<Problem>,
    /// Files in formats that are not read, by extension.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<String, usize>,
    /// `plan` alone: whose rules they follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_as: Option<ReadAs>,
    /// `plan` alone: the newest post, to see that its address is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
}

/// A post and its address.
#[derive(Clone, Debug, Serialize)]
pub struct Newest {
    /// Its file.
    pub path: String,
    /// Its permanent link.
    pub url: String,
}

/// Whose rules posts follow, and why.
#[derive(Clone, Debug, Serialize)]
pub struct ReadAs {
    /// The generator.
    pub dialect: Dialect,
    /// What told, to go on "Hugo, for …".
    pub why: String,
}

/// A feed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Feed {
    /// Its file.
    pub path: String,
    /// How many entries it has.
    pub entries: usize,
    /// Whether its bytes changed, or would.
    pub changed: bool,
    /// `plan` alone: what changes.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// What a reader of a feed would see change: ids of entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Not there before.
    pub new: Vec<String>,
    /// There before, with other content.
    pub updated: Vec<String>,
    /// No longer there.
    pub gone: Vec<String>,
}

impl Difference {
    /// Whether no entry is another.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.updated.is_empty() && self.gone.is_empty()
    }
}

/// An edition and what became of it. Counts are of the whole edition and disjoint.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Edition {
    /// `weekly/2026-11-23`
    pub id: String,
    /// The digest.
    pub digest: String,
    /// waiting, open, held, done, cancelled.
    pub state: String,
    /// Its subject.
    pub subject: String,
    /// Ids of its posts.
    pub posts: Vec<String>,
    /// All of its deliveries: the sum of the counts.
    pub recipients: i64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// `status` alone, of an open edition that was worked on in the last minute: messages tried a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// `status` alone, beside `rate`: how many seconds what is queued will take at that rate. What is deferred waits for its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
    /// `plan` alone: who would not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<Not>,
    /// Of one that waits for its posts: those that do not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<Awaited>,
    /// Whether a person has still to approve it; told in words by its state.
    #[serde(skip)]
    pub approval: bool,
}

/// An address that an edition waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Awaited {
    /// Which.
    pub url: String,
    /// Why it did not answer; nothing where it was not asked yet.
    pub said: Option<String>,
}

impl Edition {
    /// What a waiting edition waits for, a line each.
    pub fn waits_for(&self) -> Vec<String> {
        let approval = self.approval.then(|| format!("waits for `postrider approve {}`", self.id));
        let posts = self.awaits.iter().map(|Awaited { url, said }| match said {
            Some(said) => format!("waits for {url} ({said})"),
            None => format!("waits for {url} (not asked yet)"),
        });
        approval.into_iter().chain(posts).collect()
    }
}

/// Deliveries by what became of them; no delivery is in two counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Taken by the server.
    pub accepted: i64,
    /// To be tried again.
    pub deferred: i64,
    /// Refused for good, or given up.
    pub refused: i64,
    /// In doubt, to be sent once more.
    pub uncertain: i64,
    /// In doubt, waiting for a person.
    pub held: i64,
    /// Not tried yet.
    pub queued: i64,
    /// Withdrawn.
    pub cancelled: i64,
}

impl Counts {
    /// All of them.
    pub fn recipients(&self) -> i64 {
        self.in_words().iter().map(|(count, _)| count).sum()
    }

    /// Each count with its word.
    pub fn in_words(&self) -> [(i64, &'static str); 7] {
        [
            (self.accepted, "accepted"),
            (self.deferred, "deferred"),
            (self.refused, "refused"),
            (self.uncertain, "uncertain"),
            (self.held, "held"),
            (self.queued, "queued"),
            (self.cancelled, "cancelled"),
        ]
    }
}

/// Readers of a digest who do not get an edition, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Not {
    /// Must not be mailed.
    pub suppressed: i64,
    /// Left.
    pub unsubscribed: i64,
    /// Not confirmed.
    pub pending: i64,
    /// Paused.
    pub paused: i64,
    /// Their topics leave nothing.
    #[serde(rename = "no posts")]
    pub no_posts: i64,
}

impl Not {
    /// Each reason that somebody has, with how many.
    pub fn in_words(&self) -> Vec<String> {
        let why = [
            (self.suppressed, "suppressed"),
            (self.unsubscribed, "unsubscribed"),
            (self.pending, "pending"),
            (self.paused, "paused"),
            (self.no_posts, "without a post on their topics"),
        ];
        why.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect()
    }
}

/// Where a digest stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Digest {
    /// Its name.
    pub name: String,
    /// The slot in question, RFC 3339.
    pub slot: Option<String>,
    /// Whether an edition is due.
    pub due: bool,
    /// Why, or why not.
    pub reason: String,
    /// The next slot.
    pub next: Option<String>,
}

/// `status --json`
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// The latest editions of each digest.
    pub editions: Vec<Edition>,
    /// In doubt.
    pub uncertain: Vec<Named>,
    /// Sent again in doubt.
    pub resent: Vec<Named>,
    /// In doubt, waiting for a person.
    pub held: Vec<Named>,
    /// How many letters wait for their turn: mails to one person, such as confirmations.
    pub letters: i64,
    /// Where each digest stands.
    pub digests: Vec<Digest>,
    /// Mails of the last 30 days with which `inbox` could do nothing; they lie in a folder of their own.
    #[serde(skip_serializing_if = "is_zero")]
    pub unread: i64,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A delivery by address.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Named {
    /// The edition, or which letter (`confirm/2`).
    pub edition: String,
    /// The address, in full: the author asked.
    pub address: String,
    /// When it was last tried, RFC 3339.
    pub at: Option<String>,
}

/// `why --json`
#[derive(Clone, Debug, Default, Serialize)]
pub struct Why {
    /// The address.
    pub address: String,
    /// Where it stands.
    pub status: String,
    /// No mail until then, where the person paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<String>,
    /// The digests that they chose; none: the default ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// The topics that they chose; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// The language that they chose, BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
}

/// `inbox --json`
#[derive(Clone, Debug, Default, Serialize)]
pub struct Inbox {
    /// What came in, a row a recipient.
    pub messages: Vec<Arrived>,
}

/// What a mail says of one recipient, and what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// The mail.
    pub file: String,
    /// bounce, complaint, subscribe, unsubscribe, auto, other.
    pub kind: &'static str,
    /// Of whom it speaks: of a delivery of ours, its reader.
    pub address: Option<String>,
    /// The enhanced status.
    pub status: Option<String>,
    /// hard, soft, policy, sender, delayed, none.
    pub verdict: &'static str,
    /// suppressed, counted, unsubscribed, subscribed, answered, none.
    pub action: &'static str,
}

/// Something that happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event {
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub kind: String,
    /// In which edition, or which letter (`confirm/2`).
    pub edition: Option<String>,
    /// Where in the SMTP dialogue.
    pub stage: Option<String>,
    /// The reply code.
    pub code: Option<i64>,
    /// The enhanced status.
    pub enhanced: Option<String>,
    /// The server's words, or ours.
    pub text: String,
    /// How long an attempt took that has ended, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// Which transport took it, where one did: `smtp://mail.example.org:587`, `outbox`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Over which `[[relay]]` a try went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_the_contract() {
        let run = Run {
            posts: Posts {
                read: 2,
                published: 1,
                hidden: vec![Hidden { path: "posts/a.md".into(), reason: "draft".into() }],
                problems: vec![Problem {
                    column: None,
                    path: "posts/b.md".into(),
                    line: Some(3),
                    message: "m".into(),
                    help: "h".into(),
                }],
                ..Posts::default()
            },
            feeds: vec![Feed {
                path: "public/rss.xml".into(),
                entries: 1,
                changed: true,
                difference: Some(Difference::default()),
            }],
            relays: vec![Relay { name: "main".into(), accepted: 2, failed: Some("f".into()) }],
            editions: Some(vec![Edition {
                id: "weekly/2026-11-23".into(),
                not: Some(Not::default()),
                ..Edition::default()
            }]),
            digests: Some(vec![Digest::default()]),
        };
        insta::assert_json_snapshot!("plan", run);
        insta::assert_json_snapshot!("status", Status { held: vec![Named::default()], ..Status::default() });
        insta::assert_json_snapshot!("why", Why { events: vec![Event::default()], ..Why::default() });
        let bounce = Arrived {
            file: "cur/1.eml".into(),
            kind: "bounce",
            address: Some("ada@example.net".into()),
            status: Some("5.1.1".into()),
            verdict: "hard",
            action: "suppressed",
        };
        insta::assert_json_snapshot!("inbox", Inbox { messages: vec![bounce] });
        let open = Edition { state: "open".into(), rate: Some(12.5), left: Some(80), ..Edition::default() };
        insta::assert_json_snapshot!("status_open", Status { editions: vec![open], ..Status::default() });
        let awaits =
            vec![Awaited { url: "https://example.org/a/".into(), said: Some("the server answers 404".into()) }];
        let waiting = Edition { state: "waiting".into(), awaits, ..Edition::default() };
        insta::assert_json_snapshot!("status_waiting", Status { editions: vec![waiting], ..Status::default() });
        let accepted = Event {
            duration: Some(312),
            transport: Some("smtp://mail.example.org:587".into()),
            relay: Some("main".into()),
            ..Event::default()
        };
        insta::assert_json_snapshot!("why_accepted", Why { events: vec![accepted], ..Why::default() });
    }
}
