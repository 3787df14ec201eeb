//! DKIM (RFC 6376): whether the record of each key that signs is the one that receivers need.

use super::relay::Relay;
use super::tags::{self, of};
use super::{Finding, Severity, World, at_key, at_name};
use crate::dns::Answers;
use crate::message::dkim::Key;

const ANCHOR: &str = "dkim";
const PRINT: &str = "`postrider keys` prints the record that belongs there";

/// What is wrong with the record of a key.
pub(super) fn judge(answers: &Answers, key: &Key) -> Vec<Finding> {
    let name = key.name();
    let Some(Ok(texts)) = answers.txt.get(&name) else { return Vec::new() };
    problems(texts, &key.record())
        .into_iter()
        .map(|(severity, message, help)| at_name(&name, severity, message, help, ANCHOR))
        .collect()
}

/// What is wrong with these texts, where `ours` should stand.
fn problems(texts: &[String], ours: &str) -> Vec<(Severity, String, &'static str)> {
    let error = |message: &str, help| vec![(Severity::Error, message.to_owned(), help)];
    let record = match texts {
        [] => return error("The key that signs has no record here, so every signature fails", PRINT),
        [record] => record,
        // RFC 6376 section 3.6.2.2: what is done then is not defined.
        _ => {
            return error("There are several TXT records here, and receivers take any of them", "leave only the key's");
        }
    };
    let (Some(there), Some(ours)) = (tags::read(record), tags::read(ours)) else {
        return error("The record is no list of tags and values between semicolons", PRINT);
    };
    if of(&there, "v").is_some_and(|version| version != "DKIM1")
        || !matches!(of(&there, "s"), None | Some("*" | "email"))
    {
        return error("The record is not one of a key for mail", PRINT);
    }
    let folded = |value: &str| value.split_ascii_whitespace().collect::<String>();
    let mut found = Vec::new();
    match of(&there, "p").map(folded) {
        None => return error("The record holds no key: it has no p=", PRINT),
        Some(none) if none.is_empty() => {
            return error("The key is revoked: p= is empty", "sign with a new key under a new selector");
        }
        Some(_) if of(&there, "k").unwrap_or("rsa") != of(&ours, "k").unwrap_or("rsa") => {
            return error("The record's kind of key, k=, is not that of the key that signs", PRINT);
        }
        Some(public) if Some(public.as_str()) != of(&ours, "p") => {
            return error("The record holds another key than the one that signs, so every signature fails", PRINT);
        }
        Some(_) => {}
    }
    if of(&there, "h").is_some_and(|hashes| !hashes.split(':').any(|hash| hash.trim() == "sha256")) {
        found.extend(error("The record's h= does not allow sha256, by which mails are signed", "take h= out"));
    }
    if of(&there, "t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y")) {
        let message = "The record says t=y, testing: receivers may treat signed mail as if it were not".to_owned();
        found.push((Severity::Note, message, "take t=y out once mails arrive well signed"));
    }
    found
}

/// That nothing signs, as far as is known here.
pub(super) fn unsigned(world: &World<'_>, relay: Option<&Relay>) -> Option<Finding> {
    let unsigned = world.mail.dkim.is_empty() && relay.is_none();
    unsigned.then(|| {
        at_key(
            world.source,
            "mail.from",
            Severity::Note,
            "Mails leave without a signature (DKIM), unless the server adds one; Gmail and Yahoo want one of who sends to many"
                .to_owned(),
            "add [[mail.dkim]] and run `postrider keys`, or see that the server signs for your domain",
            ANCHOR,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_held_against_the_key() {
        let ours = "v=DKIM1; k=rsa; p=AAAA";
        for (texts, wanted) in [
            (&["v=DKIM1; k=rsa; p=AAAA"][..], ""),
            (&["p=AA AA"], ""),
            (&["v=DKIM1;k=rsa;t=s;h=sha1:sha256;s=email;n=x;p=AAAA;"], ""),
            (&[], "has no record"),
            (&["p=AAAA", "x"], "several TXT"),
            (&["hello"], "no list of tags"),
            (&["v=DKIM2; p=AAAA"], "not one of a key for mail"),
            (&["s=other; p=AAAA"], "not one of a key for mail"),
            (&["v=DKIM1"], "has no p="),
            (&["v=DKIM1; p="], "is revoked"),
            (&["k=ed25519; p=AAAA"], "kind of key"),
            (&["p=BBBB"], "another key"),
            (&["h=sha1; p=AAAA"], "does not allow sha256"),
            (&["t=y:s; p=AAAA"], "says t=y"),
        ] {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let found = problems(&texts, ours);
            let said: Vec<&str> = found.iter().map(|(_, message, _)| message.as_str()).collect();
            assert!(
                said.len() == usize::from(!wanted.is_empty()) && said.join("").contains(wanted),
                "{texts:?}: {said:?}"
            );
        }
    }
}
