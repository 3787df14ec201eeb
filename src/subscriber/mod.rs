//! A person who reads: an address, a state, what they chose. And those who must not be mailed.

pub mod asking;
pub mod export;
pub mod file;
pub mod import;

use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The `[subscribers]` table.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The list as a CSV file, synced at every run.
    pub file: Option<PathBuf>,
    /// Signs links: one, or a list of which the first signs and all verify.
    #[serde(deserialize_with = "one_or_many")]
    pub secret: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("file", &self.file).field("secret", &"…").finish()
    }
}

/// Where a person stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Asked, not yet confirmed.
    Pending,
    /// Is mailed.
    Active,
    /// Wants no mail for now.
    Paused,
    /// Left. No file's row undoes it.
    Unsubscribed,
    /// Their row has disappeared from the file; its return makes them active again.
    Absent,
}

impl Status {
    /// As the store and the CSV file write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Active => "active",
            Status::Paused => "paused",
            Status::Unsubscribed => "unsubscribed",
            Status::Absent => "absent",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Status::Pending, Status::Active, Status::Paused, Status::Unsubscribed, Status::Absent];
        let found = all.into_iter().find(|s| s.as_str() == text.trim().to_lowercase());
        found.ok_or_else(|| format!("{text:?} is not a status; use active, paused or unsubscribed"))
    }
}

/// Why an address must not be mailed. Outlives the subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppression {
    /// It does not exist, said a server.
    Bounce,
    /// Its owner called us spam.
    Complaint,
    /// The author said so.
    Manual,
}

impl Suppression {
    /// As the store writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Suppression::Bounce => "bounce",
            Suppression::Complaint => "complaint",
            Suppression::Manual => "manual",
        }
    }
}

/// What a person chose, in the form in which the store compares it: lower case, sorted, each between semicolons
/// (`;rust;travel;`), empty for no choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Choices(String);

impl Choices {
    /// Reads `Rust; travel`.
    pub fn parse(text: &str) -> Self {
        Choices::from_list(text.split(';'))
    }

    /// From words.
    pub fn from_list<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<String> =
            words.into_iter().map(|w| w.trim().to_lowercase()).filter(|w| !w.is_empty()).collect();
        words.sort();
        words.dedup();
        match words.is_empty() {
            true => Choices::default(),
            false => Choices(format!(";{};", words.join(";"))),
        }
    }

    /// As the store keeps it.
    pub fn from_stored(text: String) -> Self {
        Choices(text)
    }

    /// As the store keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(';').filter(|w| !w.is_empty())
    }

    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name to show beside an address: one line, no control or bidi characters, at most 100 characters.
pub fn clean_name(text: &str) -> Option<String> {
    let keep = |c: &char| {
        !c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}' | '\u{FFFF}')
    };
    let words: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(keep).take(100).collect();
    let name = words.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

/// One text, or a list of them.
pub(crate) fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_compare_as_text_whatever_their_order_and_case() {
        assert_eq!(Choices::parse("Rust; travel;rust;"), Choices::from_list(["travel", "RUST"]));
        assert_eq!(Choices::parse(" ; ").as_str(), "");
        assert_eq!(Choices::parse("b;a").iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_name_is_one_harmless_line() {
        assert_eq!(clean_name("Ada\r\nBcc: x\u{202E}").as_deref(), Some("Ada Bcc: x"));
        assert_eq!(clean_name("\u{7}  "), None);
    }
}
