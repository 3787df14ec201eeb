//! `[inbox]` and `[bounces]`: where bounces come in, and how many of them an address may have.

use crate::address::EmailAddress;
use crate::clock::Span;
use chrono::TimeDelta;
use serde::Deserialize;
use std::fmt;

/// `[inbox]`: the mailbox that bounces, complaints and unsubscribe mails come to.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// `imaps://user@host/INBOX`, `imap://…`, `maildir:DIR`, `mbox:FILE`.
    pub source: String,
    /// Of the IMAP account.
    pub password: Option<String>,
    /// Where readers write to unsubscribe; without it `mail.bounces`.
    pub address: Option<EmailAddress>,
    /// What becomes of a mail that was understood.
    #[serde(default)]
    pub handled: Handled,
}

/// What becomes of a mail that was understood. One that was not is never deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handled {
    /// It goes to the folder `Postrider.Done`.
    #[default]
    Move,
    /// It is deleted.
    Delete,
}

/// `[bounces]`: when an address that exists, and takes nothing, is left alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// So many soft bounces in a row, each of another mail.
    pub limit: u32,
    /// And so long since the first of them: a weekend's outage is no reason.
    pub over: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { limit: 5, over: Span(TimeDelta::days(14)) }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The source may hold a user's name, never a password; the password is nobody's.
        let mut shown = f.debug_struct("Inbox");
        shown.field("source", &self.source).field("password", &"…").field("address", &self.address);
        shown.field("handled", &self.handled).finish()
    }
}
