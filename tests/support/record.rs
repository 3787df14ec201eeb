//! How long the long tests are, what they drew their moments from, and what they counted.

use postrider::random::Random;
use std::fs::OpenOptions;
use std::io::Write;
use std::{env, process};

/// A number from the environment; none where the variable is not set.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}

/// `POSTRIDER_SEED`, else another one in each process. Printed, so that a failure shows it.
pub(crate) fn seed(test: &str) -> Random {
    let seed = number("POSTRIDER_SEED").unwrap_or_else(|| u64::from(process::id()));
    eprintln!("{test}: POSTRIDER_SEED={seed}");
    Random::seeded(seed)
}

/// A number from 0 up to, not including, `end`.
pub(crate) fn below(random: &Random, end: usize) -> usize {
    (random.fraction() * end as f64) as usize
}

/// Writes a count to the file that `POSTRIDER_COUNTS` names, as one line.
pub(crate) fn count(name: &str, count: usize) {
    eprintln!("{name} {count}");
    if let Some(path) = env::var_os("POSTRIDER_COUNTS") {
        let mut file =
            OpenOptions::new().create(true).append(true).open(path).expect("POSTRIDER_COUNTS can be written");
        file.write_all(format!("{name} {count}\n").as_bytes()).expect("POSTRIDER_COUNTS can be written");
    }
}
