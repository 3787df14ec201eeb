//! One run of one sender: a sink, perhaps a delay, the program from exec to exit, and what the sink counted.

use crate::Failure;
use crate::arguments::Arguments;
use crate::contestant::{Entry, Keys, Sender, Way};
use crate::durability;
use crate::helper::Helper;
use crate::measure::{Measured, Program, find};
use crate::ours::Ours;
use crate::peers::{Peers, SmtpSink};
use crate::rows::Group;
use crate::sink::{self, Report, write_certificate};
use crate::site::{Sample, clear, make_folder};
use crate::{delay, profile, table};
use std::path::{Path, PathBuf};

/// Readers of the runs under strace, at most.
const TRACED: usize = 2_000;

/// All that runs share.
pub(crate) struct Bench<'a> {
    arguments: &'a Arguments,
    root: PathBuf,
    work: PathBuf,
    ours: Ours,
    pub(crate) peers: Peers,
    pub(crate) sample: Sample,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) measured: Measured,
    /// Postfix's sink counts the messages alone.
    pub(crate) report: Report,
    /// What is not as it must be.
    pub(crate) wrong: Option<String>,
}

impl Run {
    /// Messages a second, from exec to exit; not a number where the run did not do its job.
    pub(crate) fn rate(&self, entry: &Entry) -> f64 {
        if self.wrong.is_some() { f64::NAN } else { entry.messages as f64 / self.measured.wall.as_secs_f64() }
    }

    /// Messages a second between the first MAIL and the last final dot; not a number where nobody looked.
    pub(crate) fn sending(&self) -> f64 {
        match &self.report {
            Report { seconds, .. } if self.wrong.is_some() || *seconds <= 0.0 => f64::NAN,
            Report { messages, seconds, .. } => *messages as f64 / seconds,
        }
    }
}

impl<'a> Bench<'a> {
    /// Makes the sample, looks for the peers. The folder is on the disk that holds the checkout's target folder.
    pub(crate) fn new(arguments: &'a Arguments, entries: &[Entry]) -> Result<Self, Failure> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let work = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compare");
        make_folder(&work)?;
        refuse_memory(&work)?;
        let binary = arguments.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_postrider").into());
        let binary = binary.canonicalize().map_err(|why| format!("{} cannot be run: {why}", binary.display()))?;
        find("time").ok_or("GNU time measures CPU and memory: install the package time")?;
        let ours = Ours { binary, keys: work.join("keys"), certificate: work.join("certificate") };
        write_certificate(&ours.certificate)?;
        let peers = Peers::find(entries, &root, &work)?;
        let sample = Sample::make(&ours.binary, &work.join("sample"), arguments.size)?;
        Ok(Bench { arguments, root, work, ours, peers, sample })
    }

    /// Runs an entry once; nothing where its sender is not there.
    pub(crate) fn run(&self, entry: &Entry) -> Result<Option<Run>, Failure> {
        if entry.way == Way::SmtpSink {
            let Some(sink) = self.peers.smtp_sink.as_deref() else { return Ok(None) };
            let sink = SmtpSink::start(sink, &self.work)?;
            let Some(program) = self.program(entry, sink.port, entry.messages)? else { return Ok(None) };
            let measured = program.measure()?;
            return self.judge(entry, &program, measured, sink.report()).map(Some);
        }
        let (mut sink, delay) = self.server(entry)?;
        let port = delay.as_ref().map_or(sink.port, |delay| delay.port);
        let Some(program) = self.program(entry, port, entry.messages)? else { return Ok(None) };
        let measured = program.measure()?;
        let report = sink.report()?;
        self.judge(entry, &program, measured, report).map(Some)
    }

    fn judge(&self, entry: &Entry, program: &Program, measured: Measured, report: Report) -> Result<Run, Failure> {
        let wrong = wrong(entry, &measured, &report).map(|what| format!("{what} {}", program.last_words()));
        self.clean(program)?;
        Ok(Run { measured, report, wrong })
    }

    /// How often postrider waits for the disk for each message, in a shorter run under strace.
    pub(crate) fn waits(&self, entry: &Entry) -> Result<Option<f64>, Failure> {
        if !entry.is_ours() || entry.group == Group::Scale || entry.way == Way::SmtpSink {
            return Ok(None);
        }
        let readers = entry.messages.min(TRACED);
        let (sink, delay) = self.server(entry)?;
        let port = delay.as_ref().map_or(sink.port, |delay| delay.port);
        let Some(program) = self.program(entry, port, readers)? else { return Ok(None) };
        let waits = durability::waits_for_disk(&program)?;
        self.clean(&program)?;
        Ok(waits.map(|waits| waits as f64 / readers as f64))
    }

    /// One more run of postrider under perf, where that is wanted; the file it leaves.
    pub(crate) fn profile(&self, entry: &Entry) -> Result<Option<PathBuf>, Failure> {
        if !self.arguments.profile || !entry.is_ours() {
            return Ok(None);
        }
        let (sink, delay) = self.server(entry)?;
        let port = delay.as_ref().map_or(sink.port, |delay| delay.port);
        let Some(program) = self.program(entry, port, entry.messages)? else { return Ok(None) };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = format!("{} {}", entry.name(), entry.connections).chars().map(plain).collect();
        let file = self.work.join(format!("{name}.perf"));
        profile::record(&program, &file)?;
        self.clean(&program)?;
        Ok(Some(file))
    }

    /// Whether postrider says that its ledger is synchronous = FULL.
    pub(crate) fn says_full(&self) -> Result<bool, Failure> {
        let sender = Sender::Postrider(Keys::None);
        let entry = Entry { group: Group::Loopback, sender, connections: 1, way: Way::Plain, messages: 20 };
        let (sink, _) = self.server(&entry)?;
        let Some(program) = self.program(&entry, sink.port, entry.messages)? else { return Ok(false) };
        let full = durability::says_full(&program)?;
        self.clean(&program)?;
        Ok(full)
    }

    fn server(&self, entry: &Entry) -> Result<(Helper, Option<Helper>), Failure> {
        let tls = entry.way == Way::Tls;
        let sink = Helper::sink(&sink::Settings {
            port: 0,
            no_pipelining: entry.way == Way::Far { pipelining: false },
            certificate: tls.then(|| self.ours.certificate.clone()),
            implicit: tls,
        })?;
        let delay = match entry.way {
            Way::Far { .. } => {
                Some(Helper::delay(&delay::Settings { to: sink.port, round_trip: self.arguments.round_trip })?)
            }
            _ => None,
        };
        Ok((sink, delay))
    }

    fn program(&self, entry: &Entry, port: u16, readers: usize) -> Result<Option<Program>, Failure> {
        let folder = self.work.join("run");
        clear(&folder)?;
        if entry.is_ours() {
            return self.ours.program(entry, port, &self.sample, &folder, readers).map(Some);
        }
        make_folder(&folder)?;
        let key = match entry.sender {
            Sender::Nodemailer { rsa: true } => Some(self.ours.key("rsa")?),
            _ => None,
        };
        let secrets = (self.ours.certificate.as_path(), key.as_deref());
        Ok(self.peers.program(entry, port, &self.sample, &folder, &self.root, secrets))
    }

    fn clean(&self, program: &Program) -> Result<(), Failure> {
        if self.arguments.keep {
            table::say(&format!("kept: {}", program.folder.display()));
            return Ok(());
        }
        clear(&program.folder)
    }
}

/// A run that did not do its job has no rate.
fn wrong(entry: &Entry, measured: &Measured, report: &Report) -> Option<String> {
    let all = entry.messages as u64;
    let distinct = entry.distinct() as u64;
    if !measured.success {
        return Some("it failed:".to_owned());
    }
    let signatures = if entry.way == Way::SmtpSink { 0 } else { all * entry.signatures() as u64 };
    if report.messages != all || report.ids != distinct || report.bodies != distinct {
        let Report { messages, ids, bodies, .. } = report;
        return Some(format!("{messages} messages, {ids} Message-IDs and {bodies} bodies where {all} are due."));
    }
    (report.signatures != signatures)
        .then(|| format!("{} DKIM signatures where {signatures} are due.", report.signatures))
}

/// A ledger in memory would wait for nothing.
fn refuse_memory(folder: &Path) -> Result<(), Failure> {
    let stat = find("stat").ok_or("stat, of coreutils, is not here")?;
    let program = Program::new(&stat, ["-f".into(), "-c".into(), "%T".into(), folder.as_os_str().to_owned()], folder);
    program.run()?;
    let said = std::fs::read_to_string(folder.join("said")).unwrap_or_default();
    match said.trim() {
        kind @ ("tmpfs" | "ramfs") => {
            Err(format!("{} lies on {kind}: set CARGO_TARGET_DIR to a folder on a disk", folder.display()))
        }
        _ => Ok(()),
    }
}
