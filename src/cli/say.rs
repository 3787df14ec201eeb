//! Words for people: standard output for results, standard error for everything else.

use super::arguments::{Global, Log};
use crate::address::mask_all;
use anyhow::Result;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use tracing_subscriber::filter::LevelFilter;

/// Prints a result.
pub(super) fn line(text: impl AsRef<str>) {
    // A reader that has gone (`| head`) is no error of ours.
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// Prints a remark.
pub(super) fn remark(global: &Global, text: impl AsRef<str>) {
    if !global.quiet {
        let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
    }
}

/// Prints the one JSON document.
pub(super) fn json(document: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document)?;
    let _ = writeln!(out);
    Ok(())
}

/// An error: what, where, remedy.
pub(super) fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr().lock(), "error: {}", sentence(error));
}

/// An error with its causes in one sentence.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many sentences hold their cause already.
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Whether to draw.
pub(super) fn on_terminal(global: &Global) -> bool {
    !global.quiet && std::io::stderr().is_terminal()
}

/// Standard error for the log: a server's words may name a reader, and no address is logged in full.
struct Masked;

impl Write for Masked {
    /// The log writes a line at a time.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        std::io::stderr().lock().write_all(mask_all(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}

/// The log, on standard error; who runs for long says what it does. A second call in one process changes nothing.
pub(super) fn log(global: &Global, runs_for_long: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) if runs_for_long => LevelFilter::INFO,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let ansi = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(|| Masked).with_target(false);
    let _ = match global.log {
        Log::Text => log.with_ansi(ansi).without_time().try_init(),
        Log::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
}

/// `1 post`, `2 posts`.
pub(super) fn count(n: impl TryInto<i64>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(i64::MAX);
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// A length of time, in the unit that people would choose: `40 s`, `12 min`, `5 h`, `3 days`.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", (seconds + 30) / 60),
        5400..172_800 => format!("{} h", (seconds + 1800) / 3600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}
