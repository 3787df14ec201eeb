//! How durable postrider's ledger was while it was measured: what SQLite itself says of `synchronous`, and how often the disk
//! was waited for. Looked at in shorter runs of their own, as both slow the program down.

use crate::Failure;
use crate::measure::{Program, find};
use std::fs;

/// Whether the program, made to talk, says that its ledger runs with synchronous = FULL, which is 2. `program` is a run on a
/// small site.
pub(crate) fn says_full(program: &Program) -> Result<bool, Failure> {
    let mut loud = program.clone();
    loud.words.retain(|word| word != "--quiet");
    loud.words.insert(0, "-vv".into());
    let done = loud.run()?;
    let said = fs::read_to_string(loud.folder.join("said.err")).unwrap_or_default();
    Ok(done && said.contains("synchronous=2"))
}

/// How often a run waited for the disk; nothing where strace is not there.
pub(crate) fn waits_for_disk(program: &Program) -> Result<Option<u64>, Failure> {
    let Some(strace) = find("strace") else { return Ok(None) };
    let counts = program.folder.join("strace");
    let mut traced = program.clone();
    let words = ["-f", "--seccomp-bpf", "-c", "-e", "trace=fdatasync,fsync", "-o"].map(Into::into);
    traced.words = words
        .into_iter()
        .chain([counts.clone().into_os_string(), program.file.clone().into_os_string()])
        .chain(program.words.iter().cloned())
        .collect();
    traced.file = strace;
    if !traced.run()? {
        return Err(format!("postrider does not run under strace:\n{}", traced.last_words()));
    }
    let counts = fs::read_to_string(&counts).map_err(|why| format!("strace left no counts: {why}"))?;
    // % time, seconds, usecs/call, calls, (errors,) syscall
    let calls = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = matches!(words.last(), Some(&("fsync" | "fdatasync")));
        words.get(3).filter(|_| ours).and_then(|calls| calls.parse::<u64>().ok())
    };
    Ok(Some(counts.lines().filter_map(calls).sum()))
}
