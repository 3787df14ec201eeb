//! Posts and bounces as nobody would write them: the corpus with bytes changed at random. Nothing may panic or take long. A run is as long as
//! `POSTRIDER_FUZZ` says, in mutations of each part; its seed is told where it fails.

use crate::support::posts;
use std::path::Path;
use std::time::{Duration, Instant};

type Part = (&'static str, fn(&str));

/// What reads a post, by the name that is told where it goes wrong.
const PARTS: [Part; 6] = [
    ("front_matter", posts::front_matter),
    ("date", posts::date),
    ("liquid", posts::liquid),
    ("markdown_to_html", posts::markdown_to_html),
    ("shortcode", posts::shortcode),
    ("bounce", posts::bounce),
];

/// Texts here are of a few kB; a debug build on a busy machine takes milliseconds for one.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is asked")]
fn nothing_that_reads_a_post_panics_or_takes_long() {
    let count: usize = std::env::var("POSTRIDER_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    let seed: u64 = std::env::var("POSTRIDER_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut seeds = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts"), &mut seeds);
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/inbox/mails"), &mut seeds);
    seeds.sort();
    assert!(seeds.len() > 100);
    let mut random = Random(seed);
    for _ in 0..count {
        let text = mutated(&seeds, &mut random);
        for (name, part) in PARTS {
            let begun = Instant::now();
            let outcome = std::panic::catch_unwind(|| part(&text));
            let took = begun.elapsed();
            assert!(outcome.is_ok(), "{name} panics on {text:?}");
            assert!(took < PATIENCE, "{name} took {took:?} for {text:?}");
        }
    }
}

/// One of the texts after some changes: bytes flipped, pieces cut, doubled, repeated, taken from another.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> String {
    const TOKENS: &[&str] = &[
        "{{",
        "}}",
        "{%",
        "%}",
        "{{<",
        ">}}",
        "---\n",
        "+++\n",
        ":::",
        "<!--",
        "-->",
        "`",
        "```\n",
        "{: ",
        "[^1]",
        "](",
        "|",
        "\u{0}",
        "é",
        "\u{2028}",
        "{% raw %}",
        "{% endraw %}",
        "{% for a in (1..9) %}",
        "&#x",
        "<div>",
        "</p>",
        "99999999999",
        "- ",
        "$$",
        "\r\n",
        "    ",
        "> ",
        "{filename}",
        "{# ",
        " #}",
        ";;;\n",
        "\"",
        "'",
        "#",
        "=",
        "~~~\n",
        "[TOC]",
        "*",
        "_",
    ];
    let mut text = seeds[random.below(seeds.len())].clone();
    text.truncate(8 * 1024);
    for _ in 0..=random.below(8) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(40)).min(text.len());
        match random.below(7) {
            0 if at < text.len() => text[at] ^= 1 << random.below(7),
            1 => drop(text.drain(at..end)),
            2 => {
                let piece = text[at..end].to_vec();
                let times = 1 + random.below(30);
                text.splice(at..at, piece.repeat(times));
            }
            3 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
                text.splice(at..end, piece);
            }
            4 => text.truncate(at),
            _ => {
                let token = TOKENS[random.below(TOKENS.len())].as_bytes();
                let times = if random.below(12) == 0 { 400 } else { 1 };
                text.splice(at..at, token.repeat(times));
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Steps of a linear congruence, mixed: a sequence that can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        let mut bits = self.0;
        bits ^= bits >> 29;
        bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits ^= bits >> 32;
        usize::try_from(bits % bound.max(1) as u64).unwrap_or(0)
    }
}

fn gather(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            gather(&entry, found);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "md" || extension == "html" || extension == "eml")
        {
            found.push(std::fs::read(&entry).expect("readable"));
        }
    }
}
