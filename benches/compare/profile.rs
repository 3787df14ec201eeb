//! Where postrider's time goes: one more run of a row under `perf record`, for `perf report` to read.

use crate::Failure;
use crate::measure::{Program, find};
use std::path::Path;

/// Runs the program under perf and leaves what it found in a file.
pub(crate) fn record(program: &Program, into: &Path) -> Result<(), Failure> {
    let perf = find("perf").ok_or("perf is not here: install the package linux-perf")?;
    let mut recorded = program.clone();
    let words = ["record", "-q", "-F", "999", "--call-graph", "dwarf,16384", "-o"].map(Into::into);
    recorded.words = words
        .into_iter()
        .chain([into.as_os_str().to_owned(), program.file.clone().into_os_string()])
        .chain(program.words.iter().cloned())
        .collect();
    recorded.file = perf;
    match recorded.run()? {
        true => Ok(()),
        false => Err(format!("postrider does not run under perf:\n{}", recorded.last_words())),
    }
}
