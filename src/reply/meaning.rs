//! What a reply means, as data: the enhanced status first (RFC 3463 and the IANA registry of its codes), then the
//! code, then, where a server gives neither, its words.
//!
//! Suppressing an address is hard to undo, so a reader is called non-existent only where the server says so; what is
//! not understood is refused without a mark against anybody.

use super::tables::{CODES, GREYLISTING, NOT_PACE, PACE, QUIRKS, STATUSES, WORDS};
use super::{Fault, Outcome, Refusal, Reply, Stage, Status};

/// Whom a reply concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This delivery.
    Delivery(Outcome),
    /// The sender's set-up: every other delivery would fare the same, so the run stops and no recipient is burnt.
    Configuration,
}

/// What `reply` at `stage` means.
///
/// A status outranks its code, also where their classes differ (`550 4.2.2` is deferred). Codes mean the same at
/// RCPT and after the final dot. What is said before a recipient is named concerns the set-up or the server.
pub fn outcome(stage: Stage, reply: &Reply) -> Verdict {
    use Outcome::{Accepted, Deferred, Refused, Unknown};
    let words = Words::of(reply);
    let about_us = stage < Stage::Rcpt;
    Verdict::Delivery(match severity(reply) {
        Severity::Done if stage == Stage::Dot => Accepted,
        // Nothing was said, or nothing that fits: only after the final dot may the message have been taken.
        Severity::Done | Severity::None if stage == Stage::Dot => Unknown,
        Severity::Done | Severity::None => Deferred(Fault::Connection),
        Severity::Permanent if about_us => return Verdict::Configuration,
        // RFC 5321 section 4.1.4, bad sequence of commands: the server has another idea of what came before, and no reader is to
        // blame for it.
        Severity::Permanent if reply.code == 503 && matches!(reply.status, None | Some(Status(5, 5, _))) => {
            Deferred(Fault::Connection)
        }
        severity => match (quirk(reply, &words), severity) {
            (Some(outcome), _) => outcome,
            (None, Severity::Permanent) => Refused(refusal(reply, &words)),
            (None, _) => Deferred(fault(reply, &words, about_us)),
        },
    })
}

enum Severity {
    Done,
    Temporary,
    Permanent,
    None,
}

fn severity(reply: &Reply) -> Severity {
    match (reply.code, reply.status) {
        // RFC 5321 section 3.8: the server closes the channel whatever the command was. After the dot it is a plain no.
        (421, _) => Severity::Temporary,
        (400..600, Some(Status(4, ..))) => Severity::Temporary,
        (400..600, Some(Status(5, ..))) => Severity::Permanent,
        (200..300, _) => Severity::Done,
        (400..500, _) => Severity::Temporary,
        (500..600, _) => Severity::Permanent,
        _ => Severity::None,
    }
}

fn quirk(reply: &Reply, words: &Words) -> Option<Outcome> {
    QUIRKS.iter().find(|quirk| quirk.code == reply.code && words.hold(quirk.words)).map(|quirk| quirk.means)
}

/// `about_us`: no recipient was named yet.
fn fault(reply: &Reply, words: &Words, about_us: bool) -> Fault {
    let subject = reply.status.map_or(0, |Status(_, subject, _)| subject);
    match reply.status {
        _ if words.hold_any(GREYLISTING) => Fault::Greylisted,
        // X.5.3, too many recipients (RFC 3463 section 3.6): one at a time, so they are counted over time.
        Some(Status(4, 5, 3)) => Fault::Throttled,
        // X.2.x is about this one mailbox, which may have a pace of its own (Gmail 4.2.1).
        _ if subject != 2 && words.hold_any(PACE) => Fault::Throttled,
        Some(Status(4, 7, _)) if !words.hold_any(NOT_PACE) => Fault::Throttled,
        _ if about_us || reply.code == 421 => Fault::Connection,
        _ => Fault::Recipient,
    }
}

fn refusal(reply: &Reply, words: &Words) -> Refusal {
    let (subject, detail) = match reply.status {
        Some(Status(5, subject, detail)) => (subject, detail),
        _ => (0, 0),
    };
    if let Some((_, refusal)) = STATUSES.iter().find(|(status, _)| *status == (subject, detail)) {
        return *refusal;
    }
    let by_code = CODES.iter().find(|(known, _)| *known == reply.code).map(|(_, refusal)| *refusal);
    let by_words = WORDS.iter().find(|(_, list)| words.hold_any(list)).map(|(refusal, _)| *refusal);
    match (subject, by_words) {
        (6, _) => Refusal::Content,
        (7, Some(refusal @ (Refusal::Sender | Refusal::Content))) => refusal,
        (7, _) => Refusal::Policy,
        // X.0.0 is what servers add to everything (RFC 3463 section 3.1, "other undefined status"), X.1.0 what they say of any
        // address. Beside other numbers the words are too little to bury a reader.
        (0, Some(Refusal::Hard)) if by_code.is_none() => Refusal::Hard,
        (1, Some(Refusal::Hard)) if detail == 0 => Refusal::Hard,
        (_, Some(Refusal::Hard) | None) => by_code.unwrap_or(Refusal::Other),
        (_, Some(refusal)) => refusal,
    }
}

/// What the words of a permanent refusal alone say, whatever its numbers.
pub fn by_words(reply: &Reply) -> Option<Refusal> {
    let words = Words::of(reply);
    WORDS.iter().find(|(_, list)| words.hold_any(list)).map(|(refusal, _)| *refusal)
}

/// What a server said, ready to be searched: lower case, and without addresses, whose words are nobody's verdict
/// (`<policy@example.net>: user unknown`).
struct Words(String);

impl Words {
    fn of(reply: &Reply) -> Self {
        let said = reply.text.split(' ').filter(|word| !word.contains('@'));
        Words(said.collect::<Vec<_>>().join(" ").to_lowercase())
    }

    fn hold_any(&self, list: &[&str]) -> bool {
        list.iter().any(|words| self.hold(words))
    }

    /// Whole words; what ends in `*` may go on.
    fn hold(&self, words: &str) -> bool {
        let (words, may_go_on) = words.strip_suffix('*').map_or((words, false), |words| (words, true));
        self.0.match_indices(words).any(|(at, _)| {
            let before = self.0[..at].chars().next_back();
            let after = self.0[at + words.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && (may_go_on || !after.is_some_and(char::is_alphanumeric))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A case as it is written: `stage: why`, the reply's lines (none for silence), `=> verdict`; an empty line between cases.
    struct Case {
        text: String,
        stage: Stage,
        reply: Reply,
        wanted: String,
    }

    fn case(text: &str) -> Result<Case, String> {
        let (said, wanted) = text.rsplit_once("=> ").ok_or("no verdict")?;
        let (head, lines) = said.split_once('\n').ok_or("no stage")?;
        let stage = match head.split(':').next() {
            Some("connect") => Stage::Connect,
            Some("greeting") => Stage::Greeting,
            Some("ehlo") => Stage::Ehlo,
            Some("starttls") => Stage::StartTls,
            Some("auth") => Stage::Auth,
            Some("mail") => Stage::Mail,
            Some("rcpt") => Stage::Rcpt,
            Some("data") => Stage::Data,
            Some("body") => Stage::Body,
            Some("dot") => Stage::Dot,
            other => return Err(format!("{other:?} is no stage")),
        };
        let reply = match lines {
            "" => Reply::silence("nothing"),
            lines => Reply::read(lines.as_bytes()).map_err(|e| e.to_string())?.ok_or("half a reply")?.0,
        };
        Ok(Case { text: text.to_owned(), stage, reply, wanted: wanted.trim().to_owned() })
    }

    fn corpus() -> Vec<Case> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/replies");
        let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        let cases = |text: String| -> Vec<Case> {
            let cases = text.split("\n\n").filter(|text| !text.starts_with('#'));
            cases.map(|text| case(text).unwrap_or_else(|why| panic!("{why}: {text}"))).collect()
        };
        files.flat_map(cases).collect()
    }

    #[test]
    fn replies_of_real_servers_mean_what_is_written_beside_them() {
        let cases = corpus();
        let wrong: Vec<_> = cases
            .iter()
            .filter_map(|Case { text, stage, reply, wanted }| {
                let got = match outcome(*stage, reply) {
                    Verdict::Configuration => "configuration".to_string(),
                    Verdict::Delivery(outcome) => {
                        format!("{outcome:?}").to_lowercase().replace('(', " ").replace(')', "")
                    }
                };
                (got != *wanted).then(|| format!("{text}\n   is {got}"))
            })
            .collect();
        assert!(cases.len() > 400, "{}", cases.len());
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
    }

    #[test]
    fn what_the_tables_say_some_server_says() {
        let cases: Vec<_> = corpus().into_iter().map(|case| (Words::of(&case.reply), case.reply)).collect();
        let mut unsaid = Vec::new();
        let words = [GREYLISTING, PACE, NOT_PACE].into_iter().chain(WORDS.iter().map(|(_, list)| *list)).flatten();
        unsaid.extend(words.filter(|words| !cases.iter().any(|(said, _)| said.hold(words))).map(|w| w.to_string()));
        let quirks = QUIRKS.iter().filter(|q| !cases.iter().any(|(said, r)| r.code == q.code && said.hold(q.words)));
        unsaid.extend(quirks.map(|quirk| format!("{} {}", quirk.code, quirk.words)));
        let codes = CODES.iter().filter(|(code, _)| !cases.iter().any(|(_, reply)| reply.code == *code));
        unsaid.extend(codes.map(|(code, _)| code.to_string()));
        let statuses = STATUSES.iter().map(|((subject, detail), _)| Status(5, *subject, *detail));
        let statuses = statuses.filter(|status| !cases.iter().any(|(_, reply)| reply.status == Some(*status)));
        unsaid.extend(statuses.map(|status| status.to_string()));
        assert!(unsaid.is_empty(), "in the tables, but in no case of the corpus: {unsaid:#?}");
    }
}
