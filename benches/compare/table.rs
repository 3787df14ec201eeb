//! The table: all rows of a part are run in turn, round after round, so that what moves the machine moves them alike. A ratio
//! is the median of the rounds' own ratios, everything else the median of its own figures.

use crate::Failure;
use crate::arguments::Arguments;
use crate::contestant::{Entry, Sender, Way};
use crate::rows::rows;
use crate::runs::{Bench, Run};
use std::io::{self, Write};

/// One row, with its runs so far.
struct Row {
    entry: Entry,
    runs: Vec<Run>,
    waits: Option<f64>,
}

impl Row {
    fn is_right(&self) -> bool {
        self.runs.iter().all(|run| run.wrong.is_none())
    }
}

/// Runs all that is wanted and prints the table. Whether every run did its job.
pub(crate) fn make(arguments: &Arguments) -> Result<bool, Failure> {
    if !arguments.bench && arguments.groups.is_empty() {
        say("nothing is measured without optimisation: cargo bench --bench compare");
        return Ok(true);
    }
    let groups = rows(arguments);
    let bench = Bench::new(arguments, &groups.concat())?;
    for missing in &bench.peers.missing {
        say(missing);
    }
    let full = bench.says_full()?;
    print(&format!("{} octets a message; {}", bench.sample.octets, machine()));
    let durable = if full { "FULL (2), as the program reads it back" } else { "NOT SHOWN by the program" };
    print(&format!("synchronous of the ledger: {durable}"));
    let mut all_right = true;
    for entries in groups {
        let rounds = entries[0].group.rounds(arguments.rounds);
        let mut table: Vec<Row> =
            entries.into_iter().map(|entry| Row { entry, runs: Vec::new(), waits: None }).collect();
        for round in 1..=rounds {
            for row in &mut table {
                let Some(run) = bench.run(&row.entry)? else { continue };
                say(&progress(round, &row.entry, &run));
                row.runs.push(run);
            }
        }
        for row in &mut table {
            // What does not run will not run under strace.
            if row.is_right() {
                row.waits = bench.waits(&row.entry)?;
                if let Some(file) = bench.profile(&row.entry)? {
                    say(&format!("{}: perf report -i {}", row.entry.name(), file.display()));
                }
            }
        }
        all_right &= table.iter().all(Row::is_right);
        print_group(&table, rounds);
    }
    print(&format!("\nload at the end: {}", load()));
    Ok(all_right)
}

fn print_group(table: &[Row], rounds: usize) {
    let Some(first) = table.first() else { return };
    print(&format!(
        "\n### {} ({rounds} {})\n",
        first.entry.group.title(),
        if rounds == 1 { "round" } else { "rounds" }
    ));
    print(
        "| sender | connections | messages | a second | sending alone | of smtp-source | of nodemailer | of lettre's pool | CPU ms | peak MiB | disk waits | distinct |",
    );
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    for row in table.iter().filter(|row| !row.runs.is_empty()) {
        print(&line(row, table));
    }
}

fn line(row: &Row, table: &[Row]) -> String {
    let entry = &row.entry;
    let figure = |of: &dyn Fn(&Run) -> f64| median(row.runs.iter().map(of).collect());
    let messages = entry.messages as f64;
    let ratio = |is_peer: &dyn Fn(Sender) -> bool| {
        let peer = table.iter().find(|peer| {
            is_peer(peer.entry.sender)
                && peer.entry.connections == entry.connections
                && (peer.entry.way == entry.way
                    || matches!((peer.entry.way, entry.way), (Way::Far { .. }, Way::Far { .. })))
        });
        let pairs = peer.filter(|_| entry.is_ours()).map(|peer| {
            row.runs.iter().zip(&peer.runs).map(|(ours, theirs)| ours.rate(entry) / theirs.rate(&peer.entry)).collect()
        });
        number(pairs.and_then(median), 2)
    };
    let wrong = row.runs.iter().find_map(|run| run.wrong.as_deref());
    let distinct = match (wrong, entry.distinct()) {
        (Some(why), _) => format!("WRONG: {}", why.replace(['\n', '|'], " ")),
        (None, 0) => "not looked at".to_owned(),
        (None, 1) if entry.messages > 1 => "one and the same".to_owned(),
        // As many as there must be, or the row were wrong.
        (None, distinct) => format!("{distinct} ids, {distinct} bodies"),
    };
    [
        entry.name(),
        entry.connections.to_string(),
        entry.messages.to_string(),
        number(figure(&|run| run.rate(entry)), 0),
        number(figure(&Run::sending), 0),
        ratio(&|sender| sender == Sender::SmtpSource),
        ratio(&|sender| matches!(sender, Sender::Nodemailer { .. })),
        ratio(&|sender| sender == Sender::LettrePool),
        number(figure(&|run| run.measured.cpu.as_secs_f64() * 1000.0 / messages), 3),
        number(figure(&|run| run.measured.peak_kib as f64 / 1024.0), 1),
        number(row.waits, 3),
        distinct,
    ]
    .iter()
    .fold("|".to_owned(), |line, cell| format!("{line} {cell} |"))
}

fn progress(round: usize, entry: &Entry, run: &Run) -> String {
    let (name, connections) = (entry.name(), entry.connections);
    let wall = run.measured.wall.as_secs_f64();
    match &run.wrong {
        Some(why) => format!("round {round}: {name} {connections}: WRONG: {why}"),
        None => format!("round {round}: {name} {connections}: {:.0}/s ({wall:.2} s)", run.rate(entry)),
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.filter(|value| value.is_finite()).map_or(String::new(), |value| format!("{value:.digits$}"))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// What the figures depend on.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown CPU", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {model}, Linux {}, load at the start: {}", kernel.trim(), load())
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A line of the table.
fn print(line: &str) {
    // Whoever reads it may have seen enough.
    let _ = writeln!(io::stdout(), "{line}");
}

/// What is not part of the table.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
