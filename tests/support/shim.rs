//! What some tests need of the machine: a C compiler for the libraries of `tests/shim`, strace, a disk of their own. Where it is
//! missing the test says so and counts it; with `POSTRIDER_REQUIRE_TOOLS=1` that is a failure.

use super::record;
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Says that `test` cannot be done for want of `what`.
pub(crate) fn missing(test: &str, what: &str) {
    let required = env::var("POSTRIDER_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!required, "POSTRIDER_REQUIRE_TOOLS=1, and {test} needs {what}");
    // Past the harness, which shows only what failed tests say.
    let _ = writeln!(io::stderr(), "{test} was not done: it needs {what}");
    record::count(&format!("{test}.not_done"), 1);
}

/// Whether a program of that name can be started.
pub(crate) fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Keeps a journal of file calls: `tests/shim/forget.c`.
pub(crate) fn forget(test: &str) -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    library(test, "forget", &LIBRARY)
}

/// Moves the wall clock: `tests/shim/clock.c`.
pub(crate) fn clock(test: &str) -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    library(test, "clock", &LIBRARY)
}

fn library(test: &str, name: &str, library: &'static OnceLock<Option<PathBuf>>) -> Option<&'static Path> {
    let built = library.get_or_init(|| is_there("cc").then(|| build(name)));
    if built.is_none() {
        missing(test, "cc, a C compiler");
    }
    built.as_deref()
}

/// Beside the test binary, for as long as the build: a folder that a static owns is never removed.
fn build(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shim/{name}.c"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, draft) = (folder.join(format!("{name}.so")), folder.join(format!("{name}.{}", std::process::id())));
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&draft).arg(&source);
    let built = cc.args(["-ldl", "-lpthread"]).output().expect("cc was there");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    std::fs::rename(draft, &library).expect("our own folder");
    library
}
