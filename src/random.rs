//! The only source of randomness. Ids, secrets and jitter draw from a [`Random`] that is handed to them.

use data_encoding::{Encoding, Specification};
use std::sync::{LazyLock, Mutex};

/// Random octets: the operating system's, or (in tests) a repeatable sequence.
#[derive(Debug)]
pub struct Random {
    source: Source,
}

#[derive(Debug)]
enum Source {
    System,
    Seeded(Mutex<u64>),
}

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Random { source: Source::System }
    }

    /// The same sequence for the same seed. For tests: not secret.
    pub fn seeded(seed: u64) -> Self {
        Random { source: Source::Seeded(Mutex::new(seed)) }
    }

    /// `N` random octets.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.source {
            Source::System => system(&mut out),
            Source::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                for byte in &mut out {
                    *byte = (splitmix(&mut state) >> 56) as u8;
                }
            }
        }
        out
    }

    /// An id that is never used again: 80 random bits as 16 letters and digits of lower-case base32.
    pub fn id(&self) -> String {
        base32(&self.bytes::<10>())
    }

    /// Makes ids that share 30 of their 80 random bits, so that they stand side by side in an index: a thousand of them change few of
    /// its pages.
    pub fn siblings(&self) -> impl FnMut() -> String {
        let shared = self.id()[..6].to_owned();
        move || format!("{shared}{}", &self.id()[6..])
    }

    /// A number from 0 up to, not including, 1.
    pub fn fraction(&self) -> f64 {
        (u64::from_le_bytes(self.bytes()) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn system(out: &mut [u8]) {
    // The generator seeds itself at first use and aborts the process rather than return weak octets.
    aws_lc_rs::rand::fill(out).expect("the operating system's random source answers");
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough for tests.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

static ALPHABET: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    spec.encoding().expect("a valid alphabet")
});

/// Lower-case base32 without padding (RFC 4648 alphabet): survives mail servers that change case.
pub fn base32(bytes: &[u8]) -> String {
    ALPHABET.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_letters_and_the_seed_repeats_it() {
        let (a, b) = (Random::seeded(7), Random::seeded(7));
        assert_eq!(a.id(), b.id());
        assert_ne!(a.id(), a.id());
        assert_eq!(Random::system().id().len(), 16);
    }
}
