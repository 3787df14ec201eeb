//! What mail providers say of bounces and complaints as JSON: Amazon SES (also in a mail), Mailgun, Postmark. Whether a notice may be
//! believed is its caller's to say.

use super::meaning::{self, Action, Reported};
use super::request::Request;
use super::{Kind, Recipient, Verdict};
use crate::address::EmailAddress;
use serde_json::Value;

/// A provider's notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Bounce, complaint, a wish to leave; anything else is [`Kind::Other`].
    pub kind: Kind,
    /// Of whom.
    pub recipients: Vec<Recipient>,
    /// The envelope's sender, as far as the provider kept it: a tag of ours stands there.
    pub sender: Option<String>,
    /// The Message-ID of the mail, without angle brackets.
    pub message_id: Option<String>,
}

/// Recipients of one notice at most.
const MOST: usize = 100;

/// A notice of Amazon SES that came as a mail.
pub(super) fn in_mail(text: &str) -> Option<Notice> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let first = serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()?;
    ses(&first)
}

/// Amazon SES: what SNS hands over as its `Message` (developer guide, "Amazon SNS notification contents"; event publishing calls the
/// type `eventType`). None where it is no notice.
pub fn ses(json: &Value) -> Option<Notice> {
    let kind = text(json, "notificationType").or_else(|| text(json, "eventType"))?;
    let mail = &json["mail"];
    let headers = mail["headers"].as_array().into_iter().flatten();
    let message_id = headers
        .filter(|header| text(header, "name").is_some_and(|name| name.eq_ignore_ascii_case("message-id")))
        .find_map(|header| text(header, "value"));
    let message_id = message_id.or_else(|| text(&mail["commonHeaders"], "messageId"));
    let (kind, recipients) = match kind {
        "Bounce" => {
            let bounce = &json["bounce"];
            let each = bounce["bouncedRecipients"].as_array().into_iter().flatten().take(MOST);
            (Kind::Bounce, each.map(|recipient| ses_bounce(bounce, recipient)).collect())
        }
        "Complaint" if text(&json["complaint"], "complaintFeedbackType") == Some("not-spam") => {
            (Kind::Other, Vec::new())
        }
        "Complaint" => {
            let each = json["complaint"]["complainedRecipients"].as_array().into_iter().flatten().take(MOST);
            (Kind::Complaint, each.map(|one| complaint(text(one, "emailAddress"))).collect())
        }
        "DeliveryDelay" => {
            let each = json["deliveryDelay"]["delayedRecipients"].as_array().into_iter().flatten().take(MOST);
            let each = each.map(|one| said(one, Action::Delayed, "diagnosticCode"));
            (Kind::Bounce, each.collect())
        }
        _ => (Kind::Other, Vec::new()),
    };
    Some(Notice { kind, recipients, sender: text(mail, "source").map(str::to_owned), message_id: message_id.map(bare) })
}

fn ses_bounce(bounce: &Value, recipient: &Value) -> Recipient {
    let mut read = said(recipient, Action::Failed, "diagnosticCode");
    let (kind, subtype) =
        (text(bounce, "bounceType").unwrap_or_default(), text(bounce, "bounceSubType").unwrap_or_default());
    read.verdict = match (kind, subtype) {
        ("Permanent", "NoEmail" | "Suppressed" | "OnAccountSuppressionList") => Verdict::Hard,
        // Its own word for what has no reason that it knows.
        ("Permanent", "General") if read.said.is_empty() => Verdict::Hard,
        ("Transient", "ContentRejected" | "AttachmentRejected") => Verdict::Policy,
        ("Transient", _) if read.verdict == Verdict::Hard => Verdict::Soft,
        _ => read.verdict,
    };
    read
}

/// Mailgun: `event-data` of a webhook ("Tracking failures", "Tracking spam complaints", "Tracking unsubscribes").
pub fn mailgun(json: &Value) -> Option<Notice> {
    let data = &json["event-data"];
    let event = text(data, "event")?;
    let address = text(data, "recipient").and_then(|address| EmailAddress::parse(address).ok());
    let (kind, recipients) = match event {
        "failed" => (Kind::Bounce, vec![mailgun_failure(data)]),
        "complained" => (Kind::Complaint, vec![complaint(text(data, "recipient"))]),
        "unsubscribed" => {
            let leaves = Recipient { address, status: None, verdict: Verdict::None, said: String::new() };
            (Kind::Request(Request::Unsubscribe { token: None }), vec![leaves])
        }
        _ => (Kind::Other, Vec::new()),
    };
    let sender = text(&data["envelope"], "sender").map(str::to_owned);
    Some(Notice { kind, recipients, sender, message_id: text(&data["message"]["headers"], "message-id").map(bare) })
}

fn mailgun_failure(data: &Value) -> Recipient {
    let status = &data["delivery-status"];
    let words =
        [text(status, "message"), text(status, "description")].into_iter().flatten().find(|words| !words.is_empty());
    let code = status["code"].as_i64().filter(|code| (400..600).contains(code));
    let enhanced = text(status, "enhanced-code").unwrap_or_default();
    let words = words.unwrap_or_default();
    let diagnostic = match code {
        Some(code) if !words.starts_with(&code.to_string()) => format!("{code} {enhanced} {words}"),
        _ => words.to_owned(),
    };
    let temporary = text(data, "severity") == Some("temporary");
    let mut read = meaning::recipient(&Reported {
        address: text(data, "recipient").map(str::to_owned),
        action: Some(if temporary { Action::Delayed } else { Action::Failed }),
        field: enhanced.parse().ok(),
        said: diagnostic,
        ..Reported::default()
    });
    if !temporary && text(data, "reason") == Some("suppress-bounce") {
        // It bounced before, and Mailgun did not try again.
        read.verdict = Verdict::Hard;
    }
    read
}

/// Postmark: the bounce, spam complaint and subscription change webhooks.
pub fn postmark(json: &Value) -> Option<Notice> {
    let record = text(json, "RecordType")?;
    let (kind, recipients) = match (record, text(json, "Type").unwrap_or_default()) {
        ("SpamComplaint", _) | ("Bounce", "SpamComplaint") => (Kind::Complaint, vec![complaint(text(json, "Email"))]),
        ("Bounce", "AutoResponder" | "ChallengeVerification") => (Kind::Automatic, Vec::new()),
        ("Bounce", kind) => (Kind::Bounce, vec![postmark_bounce(json, kind)]),
        // Whom Postmark itself will not write to any more, because they asked for it there.
        ("SubscriptionChange", _) if json["SuppressSending"] == true && text(json, "Origin") == Some("Recipient") => {
            let kind = match text(json, "SuppressionReason") {
                Some("SpamComplaint") => Kind::Complaint,
                _ => Kind::Request(Request::Unsubscribe { token: None }),
            };
            (kind, vec![complaint(text(json, "Recipient"))])
        }
        _ => (Kind::Other, Vec::new()),
    };
    let message_id = json["Headers"].as_array().into_iter().flatten().find_map(|header| {
        text(header, "Name").filter(|name| name.eq_ignore_ascii_case("message-id")).and_then(|_| text(header, "Value"))
    });
    Some(Notice { kind, recipients, sender: None, message_id: message_id.map(bare) })
}

fn postmark_bounce(json: &Value, kind: &str) -> Recipient {
    let mut read = said(json, Action::Failed, "Details");
    read.address = text(json, "Email").and_then(|address| EmailAddress::parse(address).ok());
    read.verdict = match kind {
        "HardBounce" | "BadEmailAddress" => Verdict::Hard,
        "Transient" => Verdict::Delayed,
        "SoftBounce" | "DnsError" | "Unknown" | "AddressChange" if read.verdict == Verdict::Hard => Verdict::Soft,
        "SpamNotification" | "Blocked" | "VirusNotification" => Verdict::Policy,
        "DMARCPolicy" | "SMTPApiError" | "TemplateRenderingFailed" => Verdict::Sender,
        "Subscribe" | "Unsubscribe" | "OpenRelayTest" | "Unconfirmed" | "InboundError" => Verdict::None,
        _ => read.verdict,
    };
    read
}

fn said(json: &Value, action: Action, words: &str) -> Recipient {
    let words = text(json, words).unwrap_or_default();
    meaning::recipient(&Reported {
        address: text(json, "emailAddress").map(str::to_owned),
        action: Some(action),
        field: text(json, "status").and_then(|status| status.trim().parse().ok()),
        said: words
            .split_once(';')
            .filter(|(kind, _)| kind.len() < 24)
            .map_or(words, |(_, said)| said)
            .trim()
            .to_owned(),
        ..Reported::default()
    })
}

fn complaint(address: Option<&str>) -> Recipient {
    let address = address.and_then(|address| EmailAddress::parse(address).ok());
    Recipient { address, status: None, verdict: Verdict::None, said: String::new() }
}

fn text<'a>(json: &'a Value, key: &str) -> Option<&'a str> {
    json.get(key)?.as_str()
}

fn bare(id: &str) -> String {
    id.trim().trim_matches(['<', '>']).to_owned()
}
