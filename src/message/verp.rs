//! Variable envelope return paths: a bounce comes back to an address that names its delivery.

use super::{Error, Settings};
use crate::address::EmailAddress;

/// RFC 5321 section 4.5.3.1.1.
const LOCAL_PART: usize = 64;

/// MAIL FROM of a delivery: `bounces+<delivery>-<mac>@domain`, or `from` where no bounces are read. `delivery` is a
/// subscriber's id, a dot and an edition's number; `mac` is lower-case base32; the MAC (made by the caller) keeps others from inventing bounces.
pub fn envelope_from(settings: &Settings, delivery: &str, mac: &str) -> Result<EmailAddress, Error> {
    let Some(bounces) = &settings.bounces else { return Ok(settings.from.address.clone()) };
    let plain = |tag: &str| !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    if !delivery.split('.').all(plain) || !plain(mac) {
        return Err(Error::BadTag);
    }
    let octets = bounces.local().len() + delivery.len() + mac.len() + 2;
    if octets > LOCAL_PART {
        return Err(Error::BouncesTooLong { octets });
    }
    let tagged = format!("{}+{delivery}-{mac}@{}", bounces.local(), bounces.domain());
    // Only an address of nearly 254 octets fails here: it is the domain that has no room.
    EmailAddress::parse(&tagged).map_err(|_| Error::BouncesTooLong { octets })
}

impl Settings {
    /// Whether every delivery will find an envelope: to be asked when the configuration is loaded.
    pub fn check(&self) -> Result<(), Error> {
        // Ids and 80-bit MACs have sixteen letters each, and no list lives to see a million editions.
        envelope_from(self, "aaaaaaaaaaaaaaaa.999999", "aaaaaaaaaaaaaaaa").map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bounces: &str) -> Settings {
        toml::from_str(&format!("from = 'Ada <ada@example.org>'\n{bounces}")).unwrap()
    }

    #[test]
    fn the_tag_stands_behind_a_plus_and_fits() {
        let from =
            envelope_from(&settings("bounces = 'bounces@news.example.org'"), "mfrggzdfmztwq2lk.12", "nbswy3dpeb3w64tm")
                .unwrap();
        assert_eq!(from.as_str(), "bounces+mfrggzdfmztwq2lk.12-nbswy3dpeb3w64tm@news.example.org");
        assert_eq!(envelope_from(&settings(""), "a", "b").unwrap().as_str(), "ada@example.org");
        assert_eq!(settings("bounces = 'b@example.org'").check(), Ok(()));
        let long = settings(&format!("bounces = '{}@example.org'", "b".repeat(24)));
        assert_eq!(long.check(), Err(Error::BouncesTooLong { octets: 65 }));
        assert_eq!(envelope_from(&settings("bounces = 'b@example.org'"), "a b", "c"), Err(Error::BadTag));
        assert_eq!(envelope_from(&settings("bounces = 'b@example.org'"), "a..b", "c"), Err(Error::BadTag));
    }
}
