//! What two texts are told apart by.

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use data_encoding::HEXLOWER;
use std::fmt;
use std::str::FromStr;

/// A SHA-256, written as 64 hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of one text.
    pub fn of(text: &str) -> Self {
        Hash::from(digest(&SHA256, text.as_bytes()))
    }

    /// Of parts, each with its length: a word that moves from one part to the next is a change.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        Hash::from(context.finish())
    }
}

impl From<Digest> for Hash {
    fn from(digest: Digest) -> Self {
        let mut octets = [0; 32];
        octets.copy_from_slice(digest.as_ref());
        Hash(octets)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = data_encoding::DecodePartial;
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let mut octets = [0; 32];
        HEXLOWER.decode_mut(written.as_bytes(), &mut octets).map(|_| Hash(octets))
    }
}
