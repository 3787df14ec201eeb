//! What is said of one recipient, and what it means. The remote server's own status goes before that of the server which reports, whose
//! number is often a guess (Sendmail: 5.1.1 for whatever was refused at RCPT); words decide where the numbers say little.
//!
//! Suppressing an address is hard to undo, so an address is called non-existent only where somebody says so of this address.

use super::tables::{ABSENT, BLOCKED, CONNECTION, FULL, LATER, NO_MAIL, NOWHERE, OURS, UNSURE};
use super::{Recipient, Verdict};
use crate::address::EmailAddress;
use crate::reply::{self, Outcome, Refusal, Reply, Stage, Status};

/// What became of a mail (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Given up.
    Failed,
    /// Still tried.
    Delayed,
    /// Delivered, handed on, or could be.
    Delivered,
}

impl Action {
    pub(super) fn read(text: &str) -> Option<Action> {
        let word = text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty())?.to_ascii_lowercase();
        match word.as_str() {
            "failed" | "failure" | "undeliverable" => Some(Action::Failed),
            "delayed" | "delay" => Some(Action::Delayed),
            // RFC 3464, and Postfix's answers to `sendmail -bv`.
            "delivered" | "relayed" | "expanded" | "deliverable" => Some(Action::Delivered),
            _ => None,
        }
    }
}

/// What a report or a sentence says of one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reported {
    pub(super) address: Option<String>,
    pub(super) action: Option<Action>,
    /// The reporting server's.
    pub(super) field: Option<Status>,
    /// The remote server's words, or the reporting one's where there was no remote one.
    pub(super) said: String,
    /// What stands beside it for people, asked where `said` says nothing.
    pub(super) aside: String,
}

/// A reply as it is quoted in a sentence: `said: 550 5.1.1 <…>`, `<<< 553 …`, `(#5.1.1)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Quoted {
    code: u16,
    status: Option<Status>,
    stage: Option<Stage>,
    /// The reply's own words: what stands around them (`returning message to sender`) is nobody's verdict. All where there is no code.
    words: String,
}

/// A reply is no longer than that.
const REPLY: usize = 80;

/// What a recipient's report means.
pub(super) fn recipient(reported: &Reported) -> Recipient {
    let mut said = reported.said.as_str();
    let (mut status, mut verdict) = judge(reported, said);
    let quoted = Quoted::find(said);
    let bare = quoted.code == 0 && quoted.status.is_none() && said.trim().len() < 12;
    // What the paragraph says by itself, without the number that was weighed already.
    let alone = Reported { action: reported.action, ..Reported::default() };
    if !bare && verdict == Verdict::Soft && judge(&alone, &reported.aside).1 == Verdict::Hard {
        verdict = Verdict::Hard;
    }
    if bare && !reported.aside.is_empty() && verdict == Verdict::Soft {
        said = reported.aside.as_str();
        let (from_aside, by_aside) = judge(reported, said);
        (status, verdict) = (from_aside.or(status), by_aside);
    }
    let address = reported.address.as_deref().and_then(|address| EmailAddress::parse(address).ok());
    Recipient { address, status, verdict, said: Reply::silence(said).text }
}

fn judge(reported: &Reported, said: &str) -> (Option<Status>, Verdict) {
    let quoted = Quoted::find(said);
    let status = quoted.status.or(reported.field);
    let verdict = match reported.action {
        Some(Action::Delayed) => Verdict::Delayed,
        Some(Action::Delivered) => Verdict::None,
        // A number that contradicts the word is a mistake.
        None if status.is_some_and(|Status(class, ..)| class == 2) => Verdict::None,
        _ => failed(&quoted, reported.field, said),
    };
    (status, verdict)
}

/// What it means that a mail was given up.
fn failed(quoted: &Quoted, field: Option<Status>, said: &str) -> Verdict {
    // Advice, beside every other reason: "it may be misspelled, or may not exist".
    let words = plain(said).replace("may not exist", "").replace("might not exist", "");
    let any = |list: &[&str]| list.iter().any(|phrase| words.contains(phrase));
    let status = quoted.status.or(field);
    let class = |status: Option<Status>| status.map(|Status(class, ..)| class);
    // What says that the address exists, or may.
    if any(FULL) {
        return Verdict::Soft;
    }
    let refusal = refusal(quoted, status, &quoted.words);
    if any(UNSURE) && refusal != Some(Refusal::Hard) {
        return Verdict::Policy;
    }
    let by_words = reply::by_words(&Reply::silence(&quoted.words));
    let not_reader = match by_words {
        Some(Refusal::Sender) => Some(Verdict::Sender),
        Some(Refusal::Policy | Refusal::Content) => Some(Verdict::Policy),
        _ if any(OURS) => Some(Verdict::Sender),
        _ => None,
    };
    let reply = plain(&quoted.words);
    let blocked = BLOCKED.iter().any(|phrase| reply.contains(phrase));
    let of_refusal = |refusal: Refusal| match refusal {
        Refusal::Hard => Verdict::Hard,
        Refusal::Policy | Refusal::Content => Verdict::Policy,
        Refusal::Sender => Verdict::Sender,
        Refusal::Mailbox | Refusal::Other => Verdict::Soft,
    };
    // RFC 7504: the host, or the domain, takes no mail from anybody. Some say 521 to those alone whom they block.
    if matches!(quoted.code, 521 | 556) && is_vague(quoted.status) && not_reader.is_none() && !blocked {
        return Verdict::Hard;
    }
    // Before RCPT nobody has spoken of the recipient.
    match quoted.stage {
        Some(Stage::Connect | Stage::Greeting) if any(NO_MAIL) && not_reader != Some(Verdict::Sender) => {
            return Verdict::Hard;
        }
        Some(Stage::Mail) => return not_reader.unwrap_or(Verdict::Sender),
        Some(_) => return not_reader.unwrap_or(Verdict::Policy),
        None => {}
    }
    // The remote server's word before the reporting one's.
    let temporary = match (class(quoted.status), quoted.code) {
        (Some(class), _) => class == 4,
        (None, 0) => class(field) == Some(4),
        (None, code) => code < 500,
    };
    let nobody = any(ABSENT) || bare_rejection(quoted, &words);
    // Who cannot ask the name servers now may find the host tomorrow.
    let nowhere = any(NOWHERE) && !any(LATER);
    let absent = nobody || nowhere || by_words == Some(Refusal::Hard) && !any(LATER);
    if temporary || any(LATER) && !absent && refusal != Some(Refusal::Hard) {
        return not_reader.filter(|_| temporary && !any(LATER)).unwrap_or(Verdict::Soft);
    }
    match refusal {
        // The reporting server's guess, against the remote one's words.
        Some(Refusal::Hard) if quoted.status.is_none() && quoted.code != 0 && !absent => {
            not_reader.unwrap_or(Verdict::Hard)
        }
        Some(Refusal::Hard) => Verdict::Hard,
        _ if absent && not_reader.is_none() && is_vague(status) => Verdict::Hard,
        // "Administrative prohibition: unable to validate recipient": a policy of nobody but those who are not there.
        _ if nobody && not_reader == Some(Verdict::Policy) && !blocked && is_vague(status) => Verdict::Hard,
        Some(refusal @ (Refusal::Sender | Refusal::Content | Refusal::Policy)) => of_refusal(refusal),
        Some(Refusal::Other | Refusal::Mailbox) | None => not_reader.unwrap_or(Verdict::Soft),
    }
}

/// What the numbers mean, as at the time of sending; none where there are none.
fn refusal(quoted: &Quoted, status: Option<Status>, said: &str) -> Option<Refusal> {
    let Status(_, subject, detail) = status.unwrap_or(Status(5, 0, 0));
    let code = match (quoted.code, status) {
        (0, None) => return None,
        (0, Some(_)) => 550,
        (code, _) => code,
    };
    // Destination mailbox has moved, no forwarding address (RFC 3463 section 3.2).
    let moved = (subject, detail) == (1, 6);
    // Exchange Online where it knows all its recipients, and this is none ("Directory-Based Edge Blocking").
    let edge = (subject, detail) == (4, 1) && plain(said).contains("recipient address rejected: access denied");
    if moved || edge {
        return Some(Refusal::Hard);
    }
    let reply = Reply { status, ..Reply::new(code, [said]) };
    match reply::outcome(Stage::Rcpt, &reply) {
        reply::Verdict::Delivery(Outcome::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

/// Statuses beside which the words tell more: other and undefined ones (RFC 3463 section 3.1), and those that servers give out for
/// whatever they refuse.
fn is_vague(status: Option<Status>) -> bool {
    match status {
        None => true,
        Some(Status(5, subject, detail)) => {
            matches!(subject, 0 | 1 | 4 | 5)
                || (subject, detail) == (7, 1)
                || detail == 0 && subject != 6
                || (subject, detail) == (3, 5)
        }
        Some(_) => false,
    }
}

/// Postfix and others name the reason after these words. Where there is none, the address is the reason.
fn bare_rejection(quoted: &Quoted, words: &str) -> bool {
    let words = words.split(" (in reply to").next().unwrap_or(words).trim_end_matches(['.', ' ', '>', '<', ':']);
    quoted.code == 550 && (words.ends_with("recipient address rejected") || words.ends_with("invalid recipient"))
}

/// Lower case, on one line, without addresses and without the codes that lines of one reply repeat.
pub(super) fn plain(said: &str) -> String {
    let mut words = String::with_capacity(said.len());
    for word in said.split_whitespace() {
        let code = |text: &str| {
            text.len() >= 4 && text.bytes().take(3).all(|b| b.is_ascii_digit()) && text.as_bytes()[3] == b'-'
        };
        // `FROM:<ada@example.net>` tells where in the dialogue it was.
        let word = match word.contains('@') {
            true => word.split('<').next().filter(|head| !head.contains('@')).unwrap_or_default(),
            false => word,
        };
        if word.is_empty() || word == "<<<" || word == ">>>" || code(word) {
            continue;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().flat_map(char::to_lowercase).map(|c| if matches!(c, '’' | '`') { '\'' } else { c }));
    }
    words
}

impl Quoted {
    fn find(said: &str) -> Quoted {
        let words: Vec<&str> = said.split_whitespace().take(400).collect();
        let code = words.iter().enumerate().find_map(|(at, word)| code(word).map(|(code, rest)| (at, code, rest)));
        let near = match code {
            // `550-5.1.1`, `550 5.1.1`, `550: 5.1.1`, `450 450 4.2.2`.
            Some((at, _, rest)) => {
                status(rest).or_else(|| words[at + 1..].iter().take(2).find_map(|word| status(word)))
            }
            None => None,
        };
        let anywhere = || {
            words.iter().enumerate().find_map(|(at, word)| {
                let before = at.checked_sub(1).map_or("", |before| words[before]);
                status(word).filter(|_| !before.eq_ignore_ascii_case("exim") && !before.eq_ignore_ascii_case("version"))
            })
        };
        let lower = plain(said);
        let stage = CONNECTION.iter().find(|(words, _)| lower.contains(words)).map(|(_, stage)| *stage);
        let reply = code.map_or(&words[..], |(at, ..)| &words[at..]);
        Quoted {
            code: code.map_or(0, |(_, code, _)| code),
            status: near.or_else(anywhere),
            stage,
            words: reply
                .iter()
                .take(if code.is_some() { REPLY } else { words.len() })
                .copied()
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

/// A reply code and what is glued to it.
fn code(word: &str) -> Option<(u16, &str)> {
    let word = word.trim_start_matches(['<', '(', '[', '\'', '"', ':', '=']);
    let (digits, rest) = word.split_at_checked(3)?;
    let number: u16 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    let ends = rest.is_empty() || rest == "." || rest.starts_with(['-', ':', '#', ',', ';', '\'', '"', ')']);
    ((400..600).contains(&number) && ends).then(|| (number, rest.trim_start_matches(['-', ':', '#'])))
}

/// An enhanced status; its subject is one that is registered, or a version number might be one.
fn status(word: &str) -> Option<Status> {
    let word = word.trim_matches(|c: char| !c.is_ascii_digit());
    word.parse().ok().filter(|Status(class, subject, _)| *subject <= 7 && matches!(class, 4 | 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(field: &str, text: &str) -> Verdict {
        let reported = Reported {
            action: Some(Action::Failed),
            field: field.parse().ok(),
            said: text.to_owned(),
            ..Reported::default()
        };
        recipient(&reported).verdict
    }

    #[test]
    fn the_remote_server_is_believed_before_the_one_that_reports() {
        assert_eq!(said("5.1.1", "550 5.7.1 IP address is on a list"), Verdict::Policy);
        assert_eq!(said("5.1.1", "553 blocked using zen.spamhaus.org"), Verdict::Policy);
        assert_eq!(said("5.1.1", "550 unknown user"), Verdict::Hard);
        assert_eq!(said("5.0.0", "550 5.1.1 <a@example.net>: no"), Verdict::Hard);
        assert_eq!(said("4.0.0", "550 5.1.1 no"), Verdict::Hard);
        assert_eq!(said("5.0.0", "450 4.1.1 <a@example.net>: user unknown"), Verdict::Soft);
    }

    #[test]
    fn nobody_is_buried_for_what_was_said_before_their_name() {
        assert_eq!(
            said("5.0.0", "after MAIL FROM:<b@example.org>: 553 5.1.0 example.org does not exist"),
            Verdict::Sender
        );
        assert_eq!(said("5.0.0", "host mx.example.net refused to talk to me: 550 no such user"), Verdict::Policy);
        assert_eq!(
            said("5.1.8", "553 5.1.8 <b@example.org>... Domain of sender address does not exist"),
            Verdict::Sender
        );
    }

    #[test]
    fn a_full_mailbox_exists() {
        assert_eq!(said("5.1.1", "552 sorry, mailbox is over quota temporarily (#5.1.1)"), Verdict::Soft);
        assert_eq!(said("5.2.2", "552 5.2.2 mailbox full"), Verdict::Soft);
    }

    #[test]
    fn codes_are_told_from_other_numbers() {
        let found = |text: &str| Quoted::find(text).code;
        for (text, code) in [
            ("said: 550-5.1.1 gone", 550),
            ("<<< 421", 421),
            ("'501 5.1.8 no'", 501),
            ("550: 5.1.1 <a@b.example>", 550),
            ("at 192.0.2.1 on port 25 SIZE=550", 0),
            ("in 2015, 5500 mails", 0),
            ("450.5 kB", 0),
        ] {
            assert_eq!(found(text), code, "{text}");
        }
        assert_eq!(Quoted::find("sorry (#5.1.1)").status, Some(Status(5, 1, 1)));
        assert_eq!(Quoted::find("Exim 4.2.1 and 5.13.68").status, None);
    }
}
