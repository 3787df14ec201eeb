//! Signed, purpose-bound tokens: they prove that we wrote them, need no table, and one made for a purpose is void for another.

use crate::random::base32;
use aws_lc_rs::{constant_time, digest, hmac};
use std::fmt;

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Leave. Never expires. The subject is a subscriber's id.
    Unsubscribe,
    /// The tag of a bounce address (VERP). The subject is a delivery's id.
    Bounce,
    /// Confirm a subscription. The subject is a subscriber's id and the number of their request, bound to the address.
    Confirm,
    /// Confirm a new address. The subject is as for [`Purpose::Confirm`], bound to the new address.
    Change,
    /// Change what one gets. The subject is a subscriber's id and the second since 1970 at which it ends, bound to the address.
    Preferences,
    /// Send the form. The subject is the second since 1970 at which it was shown.
    Form,
}

/// The secrets that sign and verify: the first signs, all verify.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(hmac::Key, String)>,
}

/// Octets of the MAC that are kept: 80 bits (RFC 2104 section 5 allows no fewer), 16 characters of base32, so that a tag and
/// its id fit the 64 octets of a local part.
const MAC: usize = 10;
const MAC_TEXT: usize = 16;

impl Keyring {
    /// Panics where `secrets` is empty: the caller mints one first.
    pub fn new<S: AsRef<str>>(secrets: &[S]) -> Self {
        assert!(!secrets.is_empty(), "a keyring holds at least one secret");
        let key = |secret: &S| {
            let text = secret.as_ref();
            (hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()), fingerprint(text))
        };
        Keyring { keys: secrets.iter().map(key).collect() }
    }

    /// The token for `subject`, which must be made of `a-z`, `0-9`, `.` and `-`.
    pub fn sign(&self, purpose: Purpose, subject: &str) -> String {
        format!("{subject}{}", self.mac(purpose, subject))
    }

    /// The token for `subject` that is void where `bound`, which is not written in it, is another: a new address, for example.
    pub fn sign_bound(&self, purpose: Purpose, subject: &str, bound: &str) -> String {
        format!("{subject}{}", self.mac(purpose, &format!("{subject}\0{bound}")))
    }

    /// The subject of a token that [`Keyring::sign_bound`] made for this purpose, where `bound` (asked with the subject, of which
    /// nothing is certain yet) still is what it was.
    pub fn verify_bound<E>(
        &self,
        purpose: Purpose,
        token: &str,
        bound: impl FnOnce(&str) -> Result<Option<String>, E>,
    ) -> Result<Option<String>, E> {
        let token = token.to_ascii_lowercase();
        let Some((subject, given)) = taken_apart(&token) else { return Ok(None) };
        let Some(bound) = bound(subject)? else { return Ok(None) };
        Ok(self.verify(purpose, &format!("{subject}\0{bound}{given}")).map(|_| subject.to_owned()))
    }

    /// The MAC alone, 16 characters.
    pub fn mac(&self, purpose: Purpose, subject: &str) -> String {
        mac(&self.keys[0].0, purpose, subject)
    }

    /// The subject of a token that we signed for this purpose. Case does not matter: mail servers change it.
    pub fn verify(&self, purpose: Purpose, token: &str) -> Option<String> {
        let token = token.to_ascii_lowercase();
        let (subject, given) = taken_apart(&token)?;
        let matches = |(key, _): &(hmac::Key, String)| {
            constant_time::verify_slices_are_equal(mac(key, purpose, subject).as_bytes(), given.as_bytes()).is_ok()
        };
        self.keys.iter().any(matches).then(|| subject.to_owned())
    }

    /// What the store remembers of each secret, the signing one first.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(_, fingerprint)| fingerprint.as_str())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring of {}", self.keys.len())
    }
}

fn taken_apart(token: &str) -> Option<(&str, &str)> {
    let at = token.len().checked_sub(MAC_TEXT).filter(|at| *at > 0 && token.is_char_boundary(*at))?;
    Some(token.split_at(at))
}

fn mac(key: &hmac::Key, purpose: Purpose, subject: &str) -> String {
    let purpose = match purpose {
        Purpose::Unsubscribe => "unsubscribe",
        Purpose::Bounce => "bounce",
        Purpose::Confirm => "confirm",
        Purpose::Change => "change",
        Purpose::Preferences => "preferences",
        Purpose::Form => "form",
    };
    base32(&hmac::sign(key, format!("{purpose}\0{subject}").as_bytes()).as_ref()[..MAC])
}

fn fingerprint(secret: &str) -> String {
    base32(&digest::digest(&digest::SHA256, format!("postrider secret\0{secret}").as_bytes()).as_ref()[..MAC])
}

/// What stands before and behind the dot of a subject: an id, and a number or a second.
pub fn numbered(subject: &str) -> Option<(&str, i64)> {
    let (id, number) = subject.split_once('.')?;
    Some((id, number.parse().ok()?))
}

/// The salted hash under which a suppressed address is kept: it outlives the address, and says nothing without the salt.
pub fn address_hash(salt: &str, identity: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
    base32(&hmac::sign(&key, identity.as_bytes()).as_ref()[..20])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_purpose_alone_and_for_every_secret_in_the_list() {
        let old = Keyring::new(&["old"]);
        let token = old.sign(Purpose::Unsubscribe, "abc234.7");
        let rotated = Keyring::new(&["new", "old"]);
        assert_eq!(rotated.verify(Purpose::Unsubscribe, &token.to_uppercase()).as_deref(), Some("abc234.7"));
        assert_eq!(rotated.verify(Purpose::Bounce, &token), None);
        assert_eq!(Keyring::new(&["new"]).verify(Purpose::Unsubscribe, &token), None);
        for bad in ["", "x", "ÄÖÜ", &token[1..], &format!("{token}a")] {
            assert_eq!(old.verify(Purpose::Unsubscribe, bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_token_is_bound_to_is_not_in_it_and_must_stay_the_same() {
        let keys = Keyring::new(&["secret"]);
        let token = keys.sign_bound(Purpose::Change, "abc234.7", "ada");
        let check = |purpose, token: &str, bound: Option<&str>| {
            keys.verify_bound(purpose, token, |_| Ok::<_, ()>(bound.map(str::to_owned))).unwrap()
        };
        assert_eq!(check(Purpose::Change, &token.to_uppercase(), Some("ada")).as_deref(), Some("abc234.7"));
        assert_eq!(check(Purpose::Change, &token, Some("eve")), None);
        assert_eq!(check(Purpose::Change, &token, None), None);
        assert_eq!(check(Purpose::Confirm, &token, Some("ada")), None);
        assert_eq!(keys.verify(Purpose::Change, &token), None, "not without what it is bound to");
        // Nor does one that is bound to nothing stand in for it.
        assert_eq!(check(Purpose::Change, &keys.sign(Purpose::Change, "abc234.7"), Some("ada")), None);
        for bad in ["", "aaaaaaaaaaaaaaaa", "ÄÖÜ", &token[1..]] {
            assert_eq!(check(Purpose::Change, bad, Some("ada")), None, "{bad}");
        }
    }
}
