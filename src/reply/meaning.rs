//! What a reply means, as data: the enhanced status first (RFC 3463 and the IANA registry of its codes), then the
//! code, then, where a server gives neither, its words.
//!
//! Suppressing an address is hard to undo, so a reader is called non-existent only where the server says so; what is
//! not understood is refused without a mark against anybody.

use super::{Fault, Outcome, Refusal, Reply, Stage, Status};

/// Whom a reply concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This delivery.
    Delivery(Outcome),
    /// The sender's set-up: every other delivery would fare the same, so the run stops and no recipient is burnt.
    Configuration,
}

/// Permanent statuses by subject and detail.
const STATUSES: &[((u16, u16), Refusal)] = &[
    ((1, 1), Refusal::Hard),    // bad destination mailbox address (RFC 3463)
    ((1, 2), Refusal::Hard),    // bad destination system address (RFC 3463)
    ((1, 3), Refusal::Hard),    // bad destination mailbox address syntax (RFC 3463)
    ((1, 10), Refusal::Hard),   // recipient address has null MX (RFC 7505)
    ((2, 1), Refusal::Hard),    // mailbox disabled, not accepting messages (RFC 3463)
    ((2, 2), Refusal::Mailbox), // mailbox full (RFC 3463)
    ((2, 3), Refusal::Mailbox), // message length exceeds administrative limit (RFC 3463)
    ((3, 4), Refusal::Mailbox), // message too big for system (RFC 3463)
    ((1, 7), Refusal::Policy),  // bad sender's mailbox address syntax (RFC 3463): ours, never the reader's
    ((1, 8), Refusal::Policy),  // bad sender's system address (RFC 3463)
];

/// Codes that say enough without a status.
const CODES: &[(u16, Refusal)] = &[
    (552, Refusal::Mailbox), // exceeded storage allocation (RFC 5321 section 4.2.3)
    (556, Refusal::Hard),    // domain does not accept mail (RFC 7504)
    (530, Refusal::Policy),  // authentication required (RFC 4954 section 6)
    (535, Refusal::Policy),  // authentication credentials invalid (RFC 4954 section 6)
];

/// Words of servers that give no status, in lower case; the first list that holds one of them decides. Policy stands
/// first, because its sentences often name the recipient, too ("sender not allowed to write to unknown user").
const WORDS: &[(Refusal, &[&str])] = &[
    (
        Refusal::Policy,
        &[
            "spam",
            "blocked",
            "block list",
            "blocklist",
            "blacklist",
            "black list",
            "blackhole",
            "dnsbl",
            "rbl",
            "denylist",
            "reputation",
            "policy",
            "policies",
            "spf",
            "dkim",
            "dmarc",
            "unauthenticated",
            "authenticat",
            "not authorized",
            "denied",
            "relay",
            "rcpthosts",
            "unsolicited",
            "abuse",
            "virus",
            "malware",
            "content",
            "client host",
            "reverse dns",
            "rdns",
            "ptr",
            "helo",
            "ehlo",
            "sender",
            "rate limit",
            "too many",
            "prohibit",
            "banned",
            "refused",
            "not allowed to",
            "not permitted",
        ],
    ),
    (
        Refusal::Mailbox,
        &["quota", "mailbox full", "mailbox is full", "too large", "too big", "message size", "size limit"],
    ),
    (
        Refusal::Hard,
        &[
            "user unknown",
            "unknown user",
            "user not found",
            "user does not exist",
            "user doesn't exist",
            "no such user",
            "unknown recipient",
            "recipient unknown",
            "recipient not found",
            "no such recipient",
            "no such mailbox",
            "mailbox not found",
            "mailbox does not exist",
            "unknown mailbox",
            "no mailbox here by that name",
            "no such address",
            "address unknown",
            "unknown address",
            "address does not exist",
            "account does not exist",
            "account that you tried to reach does not exist",
            "no such person",
            "not a known user",
            "not a valid mailbox",
            "this user doesn't have a",
            "user has no mailbox here",
            "account is disabled",
            "account has been disabled",
            "account is inactive",
            "mailbox is disabled",
            "mailbox disabled",
        ],
    ),
];

/// What `reply` at `stage` means.
///
/// A status outranks its code, also where their classes differ (`550 4.2.2` is deferred). Codes mean the same at
/// RCPT and after the final dot. What is said before a recipient is named concerns the set-up or the server.
pub fn outcome(stage: Stage, reply: &Reply) -> Verdict {
    use Outcome::{Accepted, Deferred, Refused, Unknown};
    let silence = if stage == Stage::Dot { Unknown } else { Deferred(Fault::Connection) };
    Verdict::Delivery(match (severity(reply), stage) {
        (Severity::Done, Stage::Dot) => Accepted,
        // Nothing was said, or nothing that fits: only after the final dot may the message have been taken.
        (Severity::Done | Severity::None, _) => silence,
        // RFC 5321 section 3.8: the server closes the channel whatever the command was. After the dot it is a plain no.
        (Severity::Temporary, _) if reply.code == 421 => Deferred(Fault::Connection),
        (Severity::Temporary, Stage::Rcpt | Stage::Data | Stage::Body | Stage::Dot) => Deferred(Fault::Recipient),
        (Severity::Temporary, _) => Deferred(Fault::Connection),
        (Severity::Permanent, Stage::Rcpt | Stage::Data | Stage::Body | Stage::Dot) => Refused(refusal(reply)),
        (Severity::Permanent, _) => return Verdict::Configuration,
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
        (421, _) => Severity::Temporary,
        (400..600, Some(Status(4, ..))) => Severity::Temporary,
        (400..600, Some(Status(5, ..))) => Severity::Permanent,
        (200..300, _) => Severity::Done,
        (400..500, _) => Severity::Temporary,
        (500..600, _) => Severity::Permanent,
        _ => Severity::None,
    }
}

fn refusal(reply: &Reply) -> Refusal {
    match reply.status {
        Some(Status(_, 7, _)) => return Refusal::Policy,
        // X.0.0 is what servers add to everything (RFC 3463 section 3.1, "other undefined status").
        Some(Status(5, subject, detail)) if (subject, detail) != (0, 0) => {
            let known = STATUSES.iter().find(|(status, _)| *status == (subject, detail)).map(|(_, refusal)| *refusal);
            return known.or_else(|| by_code(reply.code)).unwrap_or(Refusal::Other);
        }
        _ => {}
    }
    by_code(reply.code).or_else(|| by_words(&reply.text)).unwrap_or(Refusal::Other)
}

fn by_code(code: u16) -> Option<Refusal> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, refusal)| *refusal)
}

fn by_words(text: &str) -> Option<Refusal> {
    let text = text.to_lowercase();
    WORDS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word))).map(|(refusal, _)| *refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// `stage: why`, the reply's lines (none for silence), `=> verdict`; an empty line between cases.
    fn check(case: &str) -> Result<(), String> {
        let (said, wanted) = case.rsplit_once("=> ").ok_or("no verdict")?;
        let (head, lines) = said.split_once('\n').ok_or("no stage")?;
        let stage = match head.split(':').next() {
            Some("greeting") => Stage::Greeting,
            Some("ehlo") => Stage::Ehlo,
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
        let got = match outcome(stage, &reply) {
            Verdict::Configuration => "configuration".to_string(),
            Verdict::Delivery(outcome) => format!("{outcome:?}").to_lowercase().replace('(', " ").replace(')', ""),
        };
        if got == wanted.trim() { Ok(()) } else { Err(format!("is {got}")) }
    }

    #[test]
    fn replies_of_real_servers_mean_what_is_written_beside_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/replies");
        let (mut cases, mut wrong) = (0, Vec::new());
        for entry in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for case in text.split("\n\n").filter(|case| !case.starts_with('#')) {
                cases += 1;
                if let Err(why) = check(case) {
                    wrong.push(format!("{case}\n   {why}"));
                }
            }
        }
        assert!(cases > 80, "{cases}");
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
    }
}
