//! How alike two bodies are, told from a sample of each that is small enough to be remembered.

use std::collections::BTreeSet;
use std::fmt::Write;

/// How many hashes a sketch holds. Of 64 the likeness is told within six hundredths or so.
const SKETCH: usize = 64;
/// Three words in a row: rare enough between texts that have nothing to do with each other.
const SHINGLE: usize = 3;

/// What is remembered of a body: a post's source below its front matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Hex SHA-256.
    pub hash: String,
    /// The smallest hashes of its shingles (bottom-k MinHash), eight hex digits each, in order.
    pub sketch: String,
    /// In octets.
    pub length: usize,
}

impl Body {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        Body { hash: data_encoding::HEXLOWER.encode(digest.as_ref()), sketch: sketch(text), length: text.len() }
    }
}

fn sketch(text: &str) -> String {
    let mut shingles = Shingles::default();
    words(text.as_bytes(), |word| shingles.add(word));
    let mut sketch = String::with_capacity(shingles.smallest.len() * 8);
    for hash in shingles.smallest {
        let _ = write!(sketch, "{hash:08x}");
    }
    sketch
}

/// Gives the hash of each word: letters and digits between others, in lower case where they are ASCII. Scripts that write
/// without blanks (CJK) have a word for each character. One pass over octets: every new post goes through here.
fn words(text: &[u8], mut each: impl FnMut(u64)) {
    let mut word = FNV_START;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let kind = KINDS[usize::from(byte)];
        at += 1;
        match kind {
            // General Punctuation, and the signs of Latin-1.
            Kind::Octet(0xe2) if text.get(at) == Some(&0x80) => at += 2,
            Kind::Octet(0xc2) => at += 1,
            Kind::Octet(octet) => {
                word = fnv(word, octet);
                continue;
            }
            Kind::Wide(length) => {
                if word != FNV_START {
                    each(std::mem::replace(&mut word, FNV_START));
                }
                let end = text.len().min(at + length);
                // Ideographic blanks and punctuation.
                if text[at - 1..end] >= *b"\xe3\x81".as_slice() {
                    each(text[at - 1..end].iter().fold(FNV_START, |hash, octet| fnv(hash, *octet)));
                }
                at = end;
            }
            Kind::Between => {}
        }
        if word != FNV_START {
            each(std::mem::replace(&mut word, FNV_START));
        }
    }
    if word != FNV_START {
        each(word);
    }
}

/// What an octet of UTF-8 is to words.
#[derive(Clone, Copy)]
enum Kind {
    /// It stands between them.
    Between,
    /// It is part of one, as this.
    Octet(u8),
    /// It begins a character that is one, which has so many more.
    Wide(usize),
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Between; 256];
    let mut octet = 0;
    while octet < 256 {
        kinds[octet] = match octet as u8 {
            byte @ (b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') => Kind::Octet(byte.to_ascii_lowercase()),
            byte @ 0x80..=0xe2 => Kind::Octet(byte),
            0xe3..=0xef => Kind::Wide(2),
            0xf0..=0xff => Kind::Wide(3),
            _ => Kind::Between,
        };
        octet += 1;
    }
    kinds
};

// FNV-1a with MurmurHash3's last step. Hashes are stored, so they must never change; the standard library's may.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(hash: u64, octet: u8) -> u64 {
    (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The smallest hashes of the shingles of a text, in order, each once.
#[derive(Default)]
struct Shingles {
    /// The last words.
    last: [u64; SHINGLE - 1],
    words: usize,
    smallest: Vec<u32>,
}

impl Shingles {
    fn add(&mut self, word: u64) {
        let [first, second] = self.last;
        self.last = [second, word];
        self.words += 1;
        if self.words < SHINGLE {
            return;
        }
        // Their order counts.
        let mut hash = first.rotate_left(21) ^ second.rotate_left(42) ^ word;
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.keep((hash >> 32) as u32);
    }

    fn keep(&mut self, hash: u32) {
        if self.smallest.len() == SKETCH && self.smallest.last().is_some_and(|largest| hash > *largest) {
            return;
        }
        if let Err(place) = self.smallest.binary_search(&hash) {
            self.smallest.insert(place, hash);
            self.smallest.truncate(SKETCH);
        }
    }
}

/// The hashes of a sketch, in order; none of one that cannot be read.
pub(super) fn hashes(sketch: &str) -> BTreeSet<u32> {
    sketch
        .as_bytes()
        .chunks(8)
        .filter_map(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        .collect()
}

/// The share of the shingles of both that are common to both (Dice), in thousandths.
pub(super) fn likeness(a: &BTreeSet<u32>, b: &BTreeSet<u32>) -> usize {
    // Of the union's smallest hashes, those in both: an unbiased estimate of Jaccard's index.
    let size = if a.len() < SKETCH && b.len() < SKETCH { usize::MAX } else { SKETCH };
    let (mut all, mut common) = (0, 0);
    for hash in a.union(b).take(size) {
        all += 1;
        common += usize::from(a.contains(hash) && b.contains(hash));
    }
    if all == 0 { 0 } else { 2000 * common / (all + common) }
}
