//! How alike two bodies are, told from a sample of each that is small enough to be remembered.

use std::collections::BTreeSet;
use std::fmt::Write;

/// How many hashes a sketch holds. Of 64 the likeness is told within six hundredths or so.
const SKETCH: usize = 64;
/// Three words in a row: rare enough between texts that have nothing to do with each other.
const SHINGLE: usize = 3;

/// What is remembered of a body.
pub(super) struct Body {
    /// Hex SHA-256.
    pub(super) hash: String,
    /// The smallest hashes of its shingles (bottom-k MinHash), eight hex digits each, in order.
    pub(super) sketch: String,
    /// In octets.
    pub(super) length: usize,
}

impl Body {
    pub(super) fn of(text: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        Body { hash: data_encoding::HEXLOWER.encode(digest.as_ref()), sketch: sketch(text), length: text.len() }
    }
}

fn sketch(text: &str) -> String {
    // Each shingle that is open, by the number of its first word: a word goes into all of them at once.
    let mut open = [Shingle::default(); SHINGLE];
    let mut smallest: Vec<u32> = Vec::with_capacity(SKETCH + 1);
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for (number, word) in words.enumerate() {
        open[number % SHINGLE] = Shingle::default();
        if word.is_ascii() {
            word.bytes().for_each(|byte| take(&mut open, byte.to_ascii_lowercase()));
        } else {
            word.to_lowercase().bytes().for_each(|byte| take(&mut open, byte));
        }
        take(&mut open, b' ');
        if number + 1 >= SHINGLE {
            keep(&mut smallest, open[(number + 1) % SHINGLE].hash());
        }
    }
    let mut sketch = String::with_capacity(smallest.len() * 8);
    for hash in smallest {
        let _ = write!(sketch, "{hash:08x}");
    }
    sketch
}

fn take(open: &mut [Shingle; SHINGLE], byte: u8) {
    for shingle in open {
        shingle.0 = (shingle.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// Puts a hash among the smallest, each once, in order.
fn keep(smallest: &mut Vec<u32>, hash: u32) {
    if smallest.len() == SKETCH && smallest.last().is_some_and(|largest| hash > *largest) {
        return;
    }
    if let Err(place) = smallest.binary_search(&hash) {
        smallest.insert(place, hash);
        smallest.truncate(SKETCH);
    }
}

/// FNV-1a with MurmurHash3's last step. It is stored, so it must never change; the standard library's may.
#[derive(Clone, Copy)]
struct Shingle(u64);

impl Default for Shingle {
    fn default() -> Self {
        Shingle(0xcbf2_9ce4_8422_2325)
    }
}

impl Shingle {
    fn hash(self) -> u32 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (hash >> 32) as u32
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
