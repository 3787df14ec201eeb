//! A program from exec to exit: wall time, CPU time and peak memory, the last two as GNU time reports them.

use crate::Failure;
use postrider::clock::Clock;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TIME: &str = "/usr/bin/time";

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) words: Vec<OsString>,
    /// Where it runs; what it says is kept there in `said` and `said.err`.
    pub(crate) folder: PathBuf,
}

/// What it took.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) wall: Duration,
    /// User and system.
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: u64,
    pub(crate) success: bool,
}

impl Program {
    pub(crate) fn new<W: Into<OsString>>(file: &Path, words: impl IntoIterator<Item = W>, folder: &Path) -> Self {
        Program { file: file.into(), words: words.into_iter().map(Into::into).collect(), folder: folder.into() }
    }

    /// The last lines of what it said on standard error.
    pub(crate) fn last_words(&self) -> String {
        let said = fs::read_to_string(self.folder.join("said.err")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(3)..].join("\n")
    }

    /// Runs it to its end, unmeasured.
    pub(crate) fn run(&self) -> Result<bool, Failure> {
        let mut command = Command::new(&self.file);
        command.args(&self.words);
        self.wait_for(&mut command, &self.file)
    }

    /// Runs it to its end under GNU time, whose own part in it is below a millisecond.
    pub(crate) fn measure(&self) -> Result<Measured, Failure> {
        let notes = self.folder.join("time");
        let mut command = Command::new(TIME);
        command.arg("-o").arg(&notes).args(["-f", "%U %S %M"]).arg(&self.file).args(&self.words);
        let watch = Clock::system().stopwatch();
        let success = self.wait_for(&mut command, Path::new(TIME))?;
        let wall = watch.elapsed();
        let notes = fs::read_to_string(&notes).map_err(|why| format!("{TIME} left no figures: {why}"))?;
        // "Command exited with non-zero status" may stand before them.
        let figures: Vec<f64> =
            notes.lines().next_back().unwrap_or("").split(' ').filter_map(|word| word.parse().ok()).collect();
        let [user, system, peak] = figures[..] else { return Err(format!("{TIME} left other figures: {notes:?}")) };
        Ok(Measured { wall, cpu: Duration::from_secs_f64(user + system), peak_kib: peak as u64, success })
    }

    fn wait_for(&self, command: &mut Command, file: &Path) -> Result<bool, Failure> {
        let said = |name: &str| {
            let path = self.folder.join(name);
            File::create(&path).map_err(|why| format!("{} cannot be written: {why}", path.display()))
        };
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(said("said")?).stderr(said("said.err")?);
        let status = command.status().map_err(|why| format!("{} cannot be run: {why}", file.display()))?;
        Ok(status.success())
    }
}

/// Where a program lies: in the search path, or where Debian keeps those of root.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}
