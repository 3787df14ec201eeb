//! How alike two bodies are, told from a sample of each that is small enough to be remembered.

use crate::post::Hash;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How many hashes a sketch holds. Of 64 the likeness is told within six hundredths or so.
const SKETCH: usize = 64;
/// Three words in a row: rare enough between texts that have nothing to do with each other.
const SHINGLE: usize = 3;

/// What is remembered of a body: a post's source below its front matter. Two are the same if their hashes are.
#[derive(Debug, Default)]
pub struct Body {
    /// Tells it from others.
    pub hash: Hash,
    /// In octets.
    pub length: usize,
    /// Many posts share a body's facts, and a sketch is the greater part of them: it goes once the store has it.
    sketch: Mutex<Option<Sketch>>,
}

impl Body {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        Body::remembered(Hash::of(text), text.len())
    }

    /// Of a text, with its sketch.
    pub fn sketched(text: &str) -> Self {
        let body = Body::of(text);
        body.remember_sketch(Sketch::of(text));
        body
    }

    /// As it was before.
    pub fn remembered(hash: Hash, length: usize) -> Self {
        Body { hash, length, sketch: Mutex::default() }
    }

    /// Adds the sketch.
    pub fn remember_sketch(&self, sketch: Sketch) {
        *self.sketch.lock().unwrap_or_else(PoisonError::into_inner) = Some(sketch);
    }

    /// Its sketch; `None` where it was not made, not looked up, or forgotten.
    pub fn sketch(&self) -> Option<Sketch> {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives its room back.
    pub fn forget_sketch(&self) {
        self.sketch.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Clone for Body {
    fn clone(&self) -> Self {
        Body { hash: self.hash, length: self.length, sketch: Mutex::new(self.sketch()) }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        (&self.hash, self.length) == (&other.hash, other.length)
    }
}

/// A sample of a body: the smallest hashes of its shingles (bottom-k MinHash), in order. Written as eight hex digits each.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// Its book's.
    hashes: Arc<[u32]>,
    /// Where they stand in it.
    place: (u32, u32),
}

/// Sketches of many bodies in one piece, which goes when the last of them is forgotten.
#[derive(Debug, Default)]
pub struct Sketchbook {
    hashes: Vec<u32>,
    ends: Vec<u32>,
}

impl Sketchbook {
    /// Adds a body's.
    pub fn draw(&mut self, body: &str) {
        let mut shingles = Shingles::new();
        words(body.as_bytes(), |word| shingles.add(word));
        self.hashes.extend(shingles.smallest);
        self.ends.push(u32::try_from(self.hashes.len()).unwrap_or(u32::MAX));
    }

    /// The sketches, in the order in which they were added.
    pub fn leaves(self) -> impl Iterator<Item = Sketch> {
        let hashes: Arc<[u32]> = self.hashes.into();
        let starts: Vec<u32> = std::iter::once(0).chain(self.ends.iter().copied()).collect();
        starts.into_iter().zip(self.ends).map(move |place| Sketch { hashes: hashes.clone(), place })
    }
}

impl Sketch {
    fn of(text: &str) -> Self {
        let mut book = Sketchbook::default();
        book.draw(text);
        book.leaves().next().unwrap_or_else(|| Sketch::read(""))
    }

    /// As it is written; empty where it cannot be read, and then like nothing.
    pub fn read(written: &str) -> Self {
        let digits = written.as_bytes().chunks(8);
        let hashes = digits.map(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let hashes: Arc<[u32]> = hashes.collect::<Option<Vec<_>>>().unwrap_or_default().into();
        Sketch { place: (0, u32::try_from(hashes.len()).unwrap_or(u32::MAX)), hashes }
    }

    /// The share of the shingles of both that are common to both (Dice), in thousandths.
    pub(super) fn likeness(&self, other: &Sketch) -> usize {
        // Of the union's smallest hashes, those in both: an unbiased estimate of Jaccard's index.
        let (a, b) = (self.hashes(), other.hashes());
        let size = if a.len() < SKETCH && b.len() < SKETCH { usize::MAX } else { SKETCH };
        let (mut at, mut bt, mut all, mut common) = (0, 0, 0, 0);
        while all < size && (at < a.len() || bt < b.len()) {
            let smaller = [a.get(at), b.get(bt)].into_iter().flatten().min();
            let (in_a, in_b) = (a.get(at) == smaller, b.get(bt) == smaller);
            at += usize::from(in_a);
            bt += usize::from(in_b);
            all += 1;
            common += usize::from(in_a && in_b);
        }
        if all == 0 { 0 } else { 2000 * common / (all + common) }
    }

    pub(super) fn hashes(&self) -> &[u32] {
        let (start, end) = self.place;
        self.hashes.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl fmt::Display for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hashes().iter().try_for_each(|hash| write!(f, "{hash:08x}"))
    }
}

/// Gives the hash of each word: letters and digits between others, whatever their case where they are ASCII. Scripts that
/// write without blanks (CJK) have a word for each character. One pass over octets: every new post goes through here.
fn words(text: &[u8], mut each: impl FnMut(u64)) {
    let (mut start, mut at) = (0, 0);
    let mut word = |start: usize, end: usize| {
        if start < end {
            each(hash(text, start, end));
        }
    };
    while let Some(&octet) = text.get(at) {
        let length = match octet {
            _ if IN_WORDS[usize::from(octet)] => {
                at += 1;
                continue;
            }
            0..=0x7f => 1,
            // The signs of Latin-1, General Punctuation.
            0xc2 => 2,
            0xe2 if text.get(at + 1) == Some(&0x80) => 3,
            0x80..=0xdf => {
                at += 2;
                continue;
            }
            0xe0..=0xe2 => {
                at += 3;
                continue;
            }
            0xe3..=0xef => 3,
            0xf0..=0xff => 4,
        };
        word(start, at);
        let end = text.len().min(at + length);
        // A character beyond ideographic blanks and punctuation.
        if octet > 0xe3 || octet == 0xe3 && text.get(at + 1) > Some(&0x80) {
            word(at, end);
        }
        (start, at) = (end, end);
    }
    word(start, text.len());
}

const IN_WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 128 {
        table[octet] = (octet as u8).is_ascii_alphanumeric();
        octet += 1;
    }
    table
};

// Hashes are stored, so they must never change; the standard library's may. Steps of MurmurHash3.
const FIRST: u64 = 0xff51_afd7_ed55_8ccd;
const SECOND: u64 = 0xc4ce_b9fe_1a85_ec53;

/// Of the word at these places, eight octets at a time. The bit that tells capitals is always set.
fn hash(text: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    let mut hash = length as u64;
    let mut at = start;
    while at < end {
        let octets = match text.get(at..at + 8) {
            Some(octets) => octets.try_into().map_or(0, u64::from_le_bytes),
            // At the end of the text.
            None => text[at..].iter().rev().fold(0, |octets, octet| octets << 8 | u64::from(*octet)),
        };
        // What follows the word is no part of it.
        let beyond = 8_usize.saturating_sub(end - at) as u32 * 8;
        let octets = octets << beyond >> beyond;
        hash = (hash ^ (octets | 0x2020_2020_2020_2020)).wrapping_mul(FIRST).rotate_left(31);
        at += 8;
    }
    hash
}

/// The smallest hashes of the shingles of a text, in order, each once.
struct Shingles {
    /// The hashes of the last words.
    last: [u64; SHINGLE - 1],
    words: usize,
    smallest: Vec<u32>,
    /// A greater hash is not among the smallest.
    most: u32,
}

impl Shingles {
    fn new() -> Self {
        Shingles { last: [0; SHINGLE - 1], words: 0, smallest: Vec::with_capacity(SKETCH + 1), most: u32::MAX }
    }

    fn add(&mut self, word: u64) {
        let [first, second] = self.last;
        self.last = [second, word];
        self.words += 1;
        if self.words < SHINGLE {
            return;
        }
        // Their order counts.
        let mut hash = first.rotate_left(21) ^ second.rotate_left(42) ^ word;
        hash = (hash ^ (hash >> 33)).wrapping_mul(FIRST);
        hash = (hash ^ (hash >> 33)).wrapping_mul(SECOND);
        self.keep((hash >> 32) as u32);
    }

    fn keep(&mut self, hash: u32) {
        if hash > self.most {
            return;
        }
        if let Err(place) = self.smallest.binary_search(&hash) {
            self.smallest.insert(place, hash);
            self.smallest.truncate(SKETCH);
            if let Some(last) = self.smallest.get(SKETCH - 1) {
                self.most = *last;
            }
        }
    }
}
