//! The `[mail]` table.

use crate::address::{EmailAddress, Mailbox};
use serde::Deserialize;
use std::fmt;

/// Who sends, and by which way.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The author of every mail: `Field Notes <news@example.org>`.
    pub from: Mailbox,
    /// Where answers go, if not to `from`.
    #[serde(default)]
    pub reply_to: Option<Mailbox>,
    /// Stands at the foot of every digest.
    #[serde(default)]
    pub postal_address: Option<String>,
    /// `outbox:DIR`, `smtp://user@host:587`, `smtps://user@host:465` or `sendmail:PATH`; `delivery::route` reads it.
    #[serde(default = "outbox")]
    pub transport: String,
    /// For the transport; may be `${NAME}`.
    #[serde(default)]
    pub password: Option<String>,
    /// Whom to tell when a run fails or something is held.
    #[serde(default)]
    pub report_to: Option<Mailbox>,
    /// Where bounces come back to, with a tag that names the delivery. Without it MAIL FROM is `from`.
    #[serde(default)]
    pub bounces: Option<EmailAddress>,
}

fn outbox() -> String {
    "outbox:outbox".to_owned()
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("from", &self.from)
            .field("reply_to", &self.reply_to)
            .field("postal_address", &self.postal_address)
            .field("transport", &self.transport)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("report_to", &self.report_to)
            .field("bounces", &self.bounces)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_from_is_required_and_debug_hides_the_password() {
        let least: Settings = toml::from_str("from = 'Field Notes <news@example.org>'").unwrap();
        assert_eq!((least.transport.as_str(), least.bounces.is_none()), ("outbox:outbox", true));
        let full = "from = 'news@example.org'\nreply_to = 'Ada <ada@example.org>'\npassword = 'hunter2'\nbounces = 'b@example.org'";
        let full: Settings = toml::from_str(full).unwrap();
        assert!(!format!("{full:?}").contains("hunter2"));
        assert_eq!(full.reply_to.unwrap().name.as_deref(), Some("Ada"));
        for bad in ["", "from = 'nobody'", "from = 'a@example.org'\nfrm = 1"] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
    }
}
