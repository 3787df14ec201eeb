//! Seals what is kept where others can read it: the age format (age-encryption.org/v1), for an X25519 key of the configuration. What is
//! sealed is opened whole, by its key, and as it was; else it is an error. Its length is told to the world, see [`padded`].

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use std::str::FromStr;

/// The keys of the configuration: the first seals, all open.
pub struct Keys(Vec<Identity>);

/// Why something cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is for another key.
    #[error("is sealed for another key")]
    OtherKey,
    /// It was cut off or changed, or nobody ever sealed it.
    #[error("is damaged")]
    Damaged,
}

impl Keys {
    /// Reads keys as `age-keygen` and [`new_key`] write them. An error says which of them is none, and never shows it.
    pub fn parse(texts: &[String]) -> Result<Keys, String> {
        let key = |(at, text): (usize, &String)| {
            Identity::from_str(text.trim()).map_err(|_| {
                let which = if texts.len() == 1 { String::new() } else { format!(" {}", at + 1) };
                format!("key{which} is none of age's, AGE-SECRET-KEY-1…\n  help: `postrider store key` makes one")
            })
        };
        Ok(Keys(texts.iter().enumerate().map(key).collect::<Result<_, _>>()?))
    }

    /// Seals it for the first key. None where there is no key, or the system gives no randomness.
    pub fn seal(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        // The library draws from the operating system by itself: its API takes no generator.
        age::encrypt(&self.0.first()?.to_public(), bytes).ok()
    }

    /// Opens what was sealed for one of the keys.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        for key in &self.0 {
            match age::decrypt(key, sealed) {
                Ok(bytes) => return Ok(bytes),
                Err(age::DecryptError::NoMatchingKeys) => {}
                Err(_) => return Err(Error::Damaged),
            }
        }
        Err(Error::OtherKey)
    }
}

/// A new key, in the form of age: `AGE-SECRET-KEY-1…`.
pub fn new_key() -> String {
    Identity::generate().to_string().expose_secret().to_owned()
}

/// The length that something of `length` octets is filled up to before it is sealed, so that its size tells how much it is only
/// roughly: to 64 KiB, or to a sixteenth of the next power of two, at most an eighth more.
pub fn padded(length: usize) -> usize {
    length.next_multiple_of((length.next_power_of_two() / 16).max(64 * 1024)).max(64 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&String]) -> Keys {
        Keys::parse(&texts.iter().map(|text| (*text).clone()).collect::<Vec<_>>()).expect("keys")
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_alone() {
        let (new, old) = (new_key(), new_key());
        let sealed = keys(&[&old]).seal(b"ada@example.net").expect("sealed");
        assert!(!sealed.windows(3).any(|part| part == b"ada"));
        assert_eq!(keys(&[&old]).open(&sealed).as_deref(), Ok(&b"ada@example.net"[..]));
        assert_eq!(keys(&[&new, &old]).open(&sealed).as_deref(), Ok(&b"ada@example.net"[..]));
        assert_eq!(keys(&[&new]).open(&sealed), Err(Error::OtherKey));
    }

    #[test]
    fn cut_off_anywhere_or_changed_it_is_damaged() {
        let keys = keys(&[&new_key()]);
        let sealed = keys.seal(&[7; 200_000]).expect("sealed");
        for end in [0, 1, 50, 200, sealed.len() / 2, sealed.len() - 1] {
            assert_eq!(keys.open(&sealed[..end]), Err(Error::Damaged), "{end}");
        }
        let mut changed = sealed;
        *changed.last_mut().expect("octets") ^= 1;
        assert_eq!(keys.open(&changed), Err(Error::Damaged));
    }

    #[test]
    fn a_key_that_is_none_is_not_shown() {
        let error = Keys::parse(&[new_key(), "hunter2".to_owned()]).err().expect("an error");
        assert!(error.starts_with("key 2 is none of age's") && !error.contains("hunter2"), "{error}");
        assert!(Keys::parse(&["".to_owned()]).err().expect("an error").starts_with("key is none of age's"));
    }

    #[test]
    fn a_length_is_told_to_an_eighth() {
        assert_eq!([0, 1, 65_536, 65_537].map(padded), [65_536, 65_536, 65_536, 131_072]);
        for length in [1 << 20, (1 << 20) + 1, 3_000_001, 40_000_000] {
            let filled = padded(length);
            assert!(filled >= length && filled - length <= length / 8, "{length}: {filled}");
        }
    }
}
