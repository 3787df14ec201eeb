//! Machines among those who write (RFC 3834): nobody answers them.

use super::parts::Parts;
use super::tables::{ABSENCES, DAEMONS};

/// Whether a machine wrote the mail, or a list passed it on (RFC 3834 section 2).
pub(super) fn is_automatic(parts: &Parts) -> bool {
    let says = |name: &str| parts.field(name).unwrap_or_default().to_lowercase();
    let submitted = says("auto-submitted");
    let precedence = says("precedence");
    let path = parts.field("return-path").map(|path| path.trim_matches(['<', '>', ' ']).to_lowercase());
    let from = parts.from.as_deref().unwrap_or_default().to_lowercase();
    let local = from.split('@').next().unwrap_or_default();
    !submitted.is_empty() && !submitted.starts_with("no")
        || ["bulk", "list", "junk", "auto_reply"].iter().any(|word| precedence.contains(word))
        || path.is_some_and(|path| path.is_empty() || path.starts_with("mailer-daemon"))
        || FIELDS.iter().any(|field| parts.field(field).is_some())
        || DAEMONS.contains(&local)
        || local.ends_with("-request")
        || local.starts_with("owner-")
        || local.starts_with("noreply")
        || local.starts_with("no-reply")
        || is_absence(parts)
}

/// Fields that only machines and lists write.
const FIELDS: &[&str] = &[
    "list-id",
    "list-unsubscribe",
    "list-post",
    "x-auto-response-suppress",
    "x-autoreply",
    "x-autorespond",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-vacation",
    "feedback-id",
    "x-loop",
];

/// Whether it says that somebody is away, or that their mail was received: no bounce, whatever its envelope.
pub(super) fn is_absence(parts: &Parts) -> bool {
    if parts.field("x-failed-recipients").is_some() {
        return false;
    }
    let subject = parts.subject.to_lowercase();
    let subject = subject.trim_start_matches(|c: char| !c.is_alphanumeric());
    let disposition =
        parts.field("content-type").is_some_and(|kind| kind.to_lowercase().contains("disposition-notification"));
    let fields = ["x-autoreply", "x-autorespond", "x-vacation", "x-mail-autoreply"]
        .iter()
        .any(|field| parts.field(field).is_some());
    let from = parts.from.as_deref().unwrap_or_default().to_lowercase();
    let daemon = DAEMONS.contains(&from.split('@').next().unwrap_or_default());
    disposition || ABSENCES.iter().any(|words| subject.starts_with(words)) || fields && !daemon
}
