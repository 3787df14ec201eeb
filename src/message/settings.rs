//! The `[mail]` table.

use super::Error;
use crate::address::{Domain, EmailAddress, Mailbox};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

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
    /// The keys that sign every mail, all of them.
    #[serde(default)]
    pub dkim: Vec<Dkim>,
}

/// `[[mail.dkim]]`: one key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// Who answers for the mail: the domain of `from` or one above it (`d=`).
    pub domain: Domain,
    /// Which of the domain's keys (`s=`): its record stands at `selector._domainkey.domain`.
    pub selector: Selector,
    /// The file with the private key.
    pub key: String,
}

/// The name of a key below its domain: one or more labels (RFC 6376 section 3.1), lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(String);

impl Selector {
    /// As it stands in the DNS.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Selector {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        match text.len() <= 200 && text.split('.').all(label) {
            true => Ok(Selector(text.to_ascii_lowercase())),
            false => Err("the selector is not a DNS name; use letters, digits and hyphens, for example s1"),
        }
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Settings {
    /// Whether the signatures would count. DMARC asks for a `d=` of the same organisation as From (RFC 7489 section 3.1.1); we ask
    /// for From's own domain or one above it, which needs no list of the world's registries.
    pub fn check_dkim(&self) -> Result<(), Error> {
        let from = self.from.address.domain();
        for (at, Dkim { domain, selector, .. }) in self.dkim.iter().enumerate() {
            let name = domain.as_str();
            let above = from.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')) && name.contains('.');
            if from != name && !above {
                return Err(Error::NotAligned { domain: name.to_owned(), from: from.to_owned() });
            }
            let record = format!("{}._domainkey.{name}", selector.as_str());
            if record.len() > 253 {
                return Err(Error::RecordTooLong { record });
            }
            if self.dkim[..at].iter().any(|other| (&other.domain, &other.selector) == (domain, selector)) {
                return Err(Error::TwoKeys { record });
            }
        }
        Ok(())
    }
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
            .field("dkim", &self.dkim)
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

    #[test]
    fn a_signature_must_count_for_from() {
        let check = |from: &str, keys: &[(&str, &str)]| {
            let keys = keys.iter().map(|(domain, selector)| {
                format!("[[dkim]]\ndomain = '{domain}'\nselector = '{selector}'\nkey = 'k.pem'\n")
            });
            let settings = format!("from = 'news@{from}'\n{}", keys.collect::<String>());
            toml::from_str::<Settings>(&settings).unwrap().check_dkim().map_err(|e| e.to_string())
        };
        assert_eq!(check("example.org", &[("example.org", "s1"), ("Example.ORG", "s2")]), Ok(()));
        assert_eq!(check("news.example.org", &[("example.org", "s1"), ("news.example.org", "s1")]), Ok(()));
        assert_eq!(check("bücher.example", &[("BÜCHER.example", "s1")]), Ok(()));
        for (from, domain) in [
            ("example.org", "news.example.org"),
            ("example.org", "example.net"),
            ("badexample.org", "example.org"),
            ("example.org", "org"),
        ] {
            assert_eq!(
                check(from, &[(domain, "s1")]).unwrap_err(),
                format!(
                    "mail.dkim signs for {domain}, which is neither the domain of mail.from ({from}) nor one above it, so DMARC would not count the signature\n  help: set its domain to {from}, or to the domain that this one belongs to"
                )
            );
        }
        assert_eq!(
            check("example.org", &[("example.org", "s1"), ("example.org", "S1")]).unwrap_err(),
            "two [[mail.dkim]] tables are for s1._domainkey.example.org\n  help: give each key its own selector"
        );
        let (selector, from) = (["a"; 3].map(|a| a.repeat(63)).join("."), format!("{}.org", "b".repeat(50)));
        let error = check(&from, &[(&from, &selector)]).unwrap_err();
        assert_eq!(
            error.split_once(" is ").unwrap().1,
            "longer than a name in the DNS can be\n  help: use a shorter selector in [[mail.dkim]]"
        );
    }

    #[test]
    fn a_selector_is_a_dns_name() {
        for good in ["s1", "2026-11", "S1.mail", "a"] {
            assert_eq!(good.parse::<Selector>().unwrap().as_str(), good.to_lowercase());
        }
        for bad in ["", ".", "a..b", "-a", "a-", "a b", "a;b", "é", "a_b", "a.", "s1\r\nX: y", &"a".repeat(64)] {
            assert!(bad.parse::<Selector>().is_err(), "{bad:?}");
        }
    }
}
