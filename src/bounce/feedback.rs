//! Complaints: a reader called a mail spam, and the provider reports it (RFC 5965, and Outlook's form before it).

use super::parts::{Parts, addresses, header};
use super::{Kind, Recipient, Verdict};
use crate::address::EmailAddress;

/// The kinds of feedback that say that a reader does not want the mail. `not-spam` says the opposite, `auth-failure` (RFC 6591)
/// speaks of DKIM and SPF, `dmarc` of both.
const COMPLAINTS: &[&str] = &["abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "miscategorized"];

/// The complaint, if the mail is one. Other feedback is no complaint, and no bounce.
pub(super) fn complaint(parts: &Parts) -> Option<(Kind, Vec<Recipient>)> {
    let of_outlook = || {
        parts.from.as_deref().is_some_and(|from| from.eq_ignore_ascii_case("staff@hotmail.com"))
            && parts.subject.to_lowercase().starts_with("complaint about message from")
    };
    let in_text = || {
        let at = parts.text.find("Feedback-Type:")?;
        Some(parts.text[at..].to_owned())
    };
    let Some(feedback) = parts.feedback.clone().or_else(in_text) else {
        return of_outlook().then(|| {
            let to = parts.returned.as_ref().and_then(|returned| returned.field("x-hmxmroriginalrecipient"));
            (Kind::Complaint, vec![recipient(to.and_then(address))])
        });
    };
    let fields = header(feedback.trim_start());
    let all =
        |name: &'static str| fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str());
    let kind = all("feedback-type").next().unwrap_or("abuse").trim().to_ascii_lowercase();
    if !COMPLAINTS.contains(&kind.as_str()) {
        return Some((Kind::Other, Vec::new()));
    }
    let mut found: Vec<Recipient> = all("original-rcpt-to").take(100).map(|to| recipient(address(to))).collect();
    if found.is_empty() {
        let to = parts.returned.as_ref().and_then(|returned| returned.field("to")).and_then(address);
        found.push(recipient(to));
    }
    Some((Kind::Complaint, found))
}

fn address(text: &str) -> Option<EmailAddress> {
    addresses(text).next().and_then(|found| EmailAddress::parse(found).ok())
}

fn recipient(address: Option<EmailAddress>) -> Recipient {
    Recipient { address, status: None, verdict: Verdict::None, said: String::new() }
}
