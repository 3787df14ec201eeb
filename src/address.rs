//! E-mail addresses and domains, parsed once. Below this file no address is a `String`.

use std::fmt;
use std::str::FromStr;

/// A domain name in A-label form (RFC 5890), lower case: `xn--bcher-kva.example`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(String);

/// One mailbox's address (RFC 5321 section 4.1.2): the local part as its owner writes it, the domain in A-labels.
///
/// It has no `Display`, and `Debug` is masked: an address is written out in full only where somebody asks for it by name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// An address with the name to show beside it: `Ada <ada@example.org>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, if any.
    pub name: Option<String>,
    /// Where mail goes.
    pub address: EmailAddress,
}

/// Why a text is not an address. The sentence never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// No `@`.
    #[error("the address has no @")]
    NoAt,
    /// The part before the `@`.
    #[error("the part before the @ {0}")]
    Local(&'static str),
    /// The part after the `@`.
    #[error("the domain {0}")]
    Domain(&'static str),
}

impl Domain {
    /// Reads a domain in any script and case.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim().trim_end_matches('.');
        if text.is_empty() {
            return Err(AddressError::Domain("is empty"));
        }
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| AddressError::Domain("is not a domain name"))?;
        if ascii.len() > 253 {
            return Err(AddressError::Domain("is longer than 253 octets"));
        }
        if ascii.split('.').any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-')) {
            return Err(AddressError::Domain("has an empty label, or one that begins or ends with a hyphen"));
        }
        if ascii.split('.').all(|label| label.bytes().all(|b| b.is_ascii_digit())) {
            return Err(AddressError::Domain("is a number, not a name"));
        }
        Ok(Domain(ascii))
    }

    /// The A-label form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EmailAddress {
    /// Reads one bare address, without a name and without angle brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let at = text.rfind('@').ok_or(AddressError::NoAt)?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        check_local(local)?;
        let domain = Domain::parse(domain)?;
        if local.len() + 1 + domain.0.len() > 254 {
            return Err(AddressError::Domain("makes the address longer than 254 octets"));
        }
        Ok(EmailAddress { at: local.len(), text: format!("{local}@{}", domain.0) })
    }

    /// The whole address as it goes on the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, as its owner writes it.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain, in A-labels.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// What makes two addresses one person: the domain, and the local part without regard to case.
    pub fn identity(&self) -> String {
        format!("{}@{}", self.local().to_lowercase(), self.domain())
    }

    /// For logs: the first letter, the domain's first letter, and its last label (`a…@e….org`).
    pub fn masked(&self) -> String {
        let first = |s: &str| s.chars().next().map(String::from).unwrap_or_default();
        let top = self.domain().rsplit('.').next().unwrap_or_default();
        format!("{}…@{}….{top}", first(self.local()), first(self.domain()))
    }

    /// Whether it travels only over SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }
}

/// RFC 5322 `dot-atom`, widened by RFC 6531 to letters of any script; quoted local parts are refused, since no
/// mailbox in use has one and half the servers on the way break them.
fn check_local(local: &str) -> Result<(), AddressError> {
    if local.is_empty() {
        return Err(AddressError::Local("is empty"));
    }
    if local.len() > 64 {
        return Err(AddressError::Local("is longer than 64 octets"));
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(AddressError::Local("begins or ends with a dot, or holds two in a row"));
    }
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || (!c.is_ascii() && c.is_alphanumeric())
    };
    match local.chars().all(allowed) {
        true => Ok(()),
        false => Err(AddressError::Local("holds a character that an address cannot have")),
    }
}

/// `text` with every address in it masked: for words that others wrote, such as a server's, where they reach a log.
pub fn mask_all(text: &str) -> String {
    // As a link writes it.
    let text = text.replace("%40", "@");
    let text = text.as_str();
    let local = |c: char| c.is_alphanumeric() || "!#$%&'*+-=?^_`{|}~.".contains(c);
    let domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let start = match before.strip_suffix('"') {
            Some(quoted) => quoted.rfind('"').unwrap_or(at),
            None => before.trim_end_matches(local).len(),
        };
        let end = at + 1 + after.find(|c| !domain(c)).unwrap_or(after.len());
        // The full stop of the sentence is not the domain's.
        let end = at + 1 + rest[at + 1..end].trim_end_matches('.').len();
        if start < at && end > at + 1 {
            let masked = EmailAddress::parse(&rest[start..end]).map_or_else(|_| "…@…".to_owned(), |a| a.masked());
            out.push_str(&rest[..start]);
            out.push_str(&masked);
        } else {
            out.push_str(&rest[..end]);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Domain::parse(text)
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        EmailAddress::parse(text)
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;
    /// `Ada <ada@example.org>`, `"Ada, L." <ada@example.org>` or a bare address.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let Some(open) = text.rfind('<').filter(|_| text.ends_with('>')) else {
            return Ok(Mailbox { name: None, address: EmailAddress::parse(text)? });
        };
        let address = EmailAddress::parse(&text[open + 1..text.len() - 1])?;
        let name = text[..open].trim();
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name).trim();
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        Ok(Mailbox { name: (!name.is_empty()).then_some(name), address })
    }
}

macro_rules! deserialize_from_str {
    ($($type:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
deserialize_from_str!(Domain, EmailAddress, Mailbox);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_goes_to_a_labels_and_the_local_part_stays() {
        let a = EmailAddress::parse(" Ada.Lovelace@BÜCHER.example ").unwrap();
        assert_eq!(a.as_str(), "Ada.Lovelace@xn--bcher-kva.example");
        assert_eq!(a.identity(), "ada.lovelace@xn--bcher-kva.example");
        assert_eq!(a.masked(), "A…@x….example");
        assert_eq!(format!("{a:?}"), "A…@x….example");
    }

    #[test]
    fn what_is_not_an_address_is_refused_without_repeating_it() {
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a..b@example.org",
            ".a@x.org",
            "a b@x.org",
            "a@b@x..org",
            "a\r\nBcc: x@y.org",
            "<a@x.org>",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@-x.org",
            "\"a b\"@x.org",
            "a@x_y.org",
        ] {
            let error = EmailAddress::parse(bad).expect_err(bad).to_string();
            assert!(bad.is_empty() || !error.contains(bad) || bad == "@", "{bad}: {error}");
        }
    }

    #[test]
    fn addresses_in_the_words_of_others_are_masked() {
        for (text, expected) in [
            ("550 5.1.1 <ada@example.net>: no such user", "550 5.1.1 <a…@e….net>: no such user"),
            ("ada@example.net,\"a b\"@example.net.", "a…@e….net,…@…."),
            ("b+ada=example.net@lists.example.org bounced", "b…@l….org bounced"),
            ("ada@localhost and ada@[127.0.0.1] @ noon", "a…@l….localhost and ada@[127.0.0.1] @ noon"),
            ("no address", "no address"),
        ] {
            assert_eq!(mask_all(text), expected);
        }
    }

    #[test]
    fn a_mailbox_may_have_a_name() {
        let m: Mailbox = "\"Notes, Field\" <news@example.org>".parse().unwrap();
        assert_eq!((m.name.as_deref(), m.address.as_str()), (Some("Notes, Field"), "news@example.org"));
        let m: Mailbox = "news@example.org".parse().unwrap();
        assert_eq!(m.name, None);
    }
}
