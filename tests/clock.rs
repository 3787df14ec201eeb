//! A wall clock that jumps, forwards and back, by a second and by ten years: in the middle of a run, between two, and with a
//! process killed in the wrong time. Once the clock is right again, two runs at most deliver what is left.

use crate::support::promise::judge;
use crate::support::record;
use crate::support::shim;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Ran, Site, end, everyone_once, readers, signal, until_taken};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How far it jumps, in milliseconds: a second, an hour, a day, ten years.
const JUMPS: [i64; 8] =
    [1_000, -1_000, 3_600_000, -3_600_000, 86_400_000, -86_400_000, 315_360_000_000, -315_360_000_000];

/// A run whose clock can be set.
struct Clocked {
    sink: Sink,
    site: Site,
    readers: Vec<String>,
    run: Child,
    folder: TempDir,
}

impl Clocked {
    /// With these readers; `delivery` is added to that table of the configuration.
    fn start(library: &Path, readers: Vec<String>, delivery: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { latency: 1, ..Settings::in_folder(folder.path()) });
        let site = Site::new(Plan::to(&sink), &readers);
        let config = fs::read_to_string(site.path("config.toml")).unwrap();
        site.write("config.toml", &config.replace("connections = ", &format!("{delivery}\nconnections = ")));
        let offset = folder.path().join("offset");
        fs::write(&offset, "0").unwrap();
        let mut command = site.command(NOON, &[&["run", "--quiet"], arguments].concat());
        command.env("LD_PRELOAD", library).env("CLOCK_OFFSET", &offset);
        let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        Clocked { sink, site, readers, run, folder }
    }

    /// Waits until so many are taken, and sets the clock.
    fn jump_at(&mut self, taken: usize, by: i64) {
        assert!(until_taken(&self.sink, taken, &mut self.run), "{by}: it ended before");
        let (offset, draft) = (self.folder.path().join("offset"), self.folder.path().join("draft"));
        fs::write(&draft, by.to_string()).unwrap();
        fs::rename(draft, offset).unwrap();
    }
}

/// Waits for its end: a run without `--wait` has one, whatever the clock says. Half a minute is no measure, but hundreds of times
/// what it takes.
#[track_caller]
fn ended(mut run: Child, what: i64) -> Ran {
    for _ in 0..3000 {
        if run.try_wait().expect("a child").is_some() {
            return end(run);
        }
        thread::sleep(Duration::from_millis(10));
    }
    run.kill().expect("a child");
    panic!("{what}: it does not end: {:?}", end(run));
}

/// Runs twice at the true time, a little later each.
#[track_caller]
fn drained(site: &Site, what: &str) {
    for minute in [10, 20] {
        let ran = site.at(&format!("2026-11-23T12:{minute}:00Z"), &["run", "--quiet"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{what}: {ran:?}");
    }
    let status = site.json(NOON, &["status"]);
    assert_eq!(status["editions"][0]["state"], "done", "{what}: {status}");
}

#[test]
fn a_clock_that_jumps_in_mid_run_skips_and_doubles_nobody() {
    let Some(library) = shim::clock("clock.jumps") else { return };
    for jump in JUMPS {
        let mut run = Clocked::start(library, readers(80), "", &[]);
        run.jump_at(30, jump);
        let Clocked { sink, site, readers, run, folder: _folder } = run;
        let ran = ended(run, jump);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{jump}: {ran:?}");
        drained(&site, &jump.to_string());
        everyone_once(&sink, &readers);
    }
    record::count("clock.jumps", JUMPS.len());
}

#[test]
fn a_clock_that_was_wrong_leaves_no_rate_used_up() {
    let Some(library) = shim::clock("clock.rates") else { return };
    for jump in JUMPS {
        let mut run = Clocked::start(library, readers(80), "rates = [\"30/s\"]", &[]);
        run.jump_at(20, jump);
        // Not before more was sent at the wrong time than a window holds; back in time it may end by itself before.
        let more = if jump > 0 { 65 } else { 25 };
        if until_taken(&run.sink, more, &mut run.run) {
            signal(&run.run, "TERM");
        }
        let Clocked { sink, site, readers, run, folder: _folder } = run;
        let (ran, left) = (ended(run, jump), readers.len() - sink.taken());
        assert!(left > 0, "{jump}: nothing is left to be kept waiting: {ran:?}");
        drained(&site, &format!("{jump}, {left} left"));
        everyone_once(&sink, &readers);
    }
    record::count("clock.rates", JUMPS.len());
}

#[test]
fn what_was_deferred_at_a_wrong_time_is_due_at_the_right_one() {
    let Some(library) = shim::clock("clock.deferred") else { return };
    for jump in JUMPS {
        let deferred = (0..20).map(|n| format!("450-1+{n}@sink.test"));
        let readers: Vec<String> = readers(40).into_iter().chain(deferred).collect();
        let mut run = Clocked::start(library, readers, "", &[]);
        run.jump_at(10, jump);
        let Clocked { sink, site, readers, run, folder: _folder } = run;
        let ran = ended(run, jump);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{jump}: {ran:?}");
        drained(&site, &jump.to_string());
        everyone_once(&sink, &readers);
    }
    record::count("clock.deferred", JUMPS.len());
}

#[test]
fn what_died_at_a_wrong_time_is_judged_at_the_right_one() {
    let Some(library) = shim::clock("clock.killed") else { return };
    for jump in JUMPS {
        let mut run = Clocked::start(library, readers(80), "", &[]);
        run.jump_at(20, jump);
        let Clocked { sink, site, readers, mut run, folder: _folder } = run;
        until_taken(&sink, 30, &mut run);
        run.kill().expect("a child");
        run.wait().expect("a child");
        drained(&site, &jump.to_string());
        judge(&site, &sink, &readers, 1).unwrap_or_else(|why| panic!("{jump}: {why}"));
    }
    record::count("clock.killed", JUMPS.len());
}

#[test]
fn a_run_at_a_wrong_time_between_two_skips_and_doubles_nobody() {
    for (between, rests) in [
        ("2026-11-23T12:00:01Z", false),
        ("2026-11-23T11:00:00Z", false),
        ("2026-11-23T13:00:00Z", false),
        ("2026-11-22T12:00:00Z", false),
        ("2026-11-24T12:00:00Z", true),
        ("2016-11-23T12:00:00Z", false),
        ("2036-11-23T12:00:00Z", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { latency: 1, ..Settings::in_folder(folder.path()) });
        let readers = readers(60);
        let site = Site::new(Plan::to(&sink), &readers);
        for (now, taken) in [(NOON, 20), (between, 40)] {
            let mut run = site.start(now, &["run", "--quiet"]);
            if until_taken(&sink, taken, &mut run) {
                signal(&run, "TERM");
            }
            end(run);
        }
        assert!(sink.taken() < 60, "{between}");
        if rests {
            // It looks as if the edition had been forgotten: a person says that it was not.
            assert_eq!(site.json(NOON, &["status"])["editions"][0]["state"], "held", "{between}");
            let approved = site.at("2026-11-23T12:05:00Z", &["approve", EDITION]);
            assert_eq!(approved.code, Some(0), "{between}: {approved:?}");
        }
        drained(&site, between);
        everyone_once(&sink, &readers);
    }
    record::count("clock.between", 7);
}

/// It waits for a moment that a jump back has moved away, and yet it hears.
#[test]
fn a_run_that_waits_when_the_clock_jumps_back_can_be_told_to_stop() {
    let Some(library) = shim::clock("clock.waits") else { return };
    let readers: Vec<String> = readers(5).into_iter().chain(["450-1@sink.test".to_owned()]).collect();
    let mut run = Clocked::start(library, readers, "", &["--wait", "1h"]);
    run.jump_at(5, -315_360_000_000);
    signal(&run.run, "TERM");
    let Clocked { sink, site, readers, run, folder: _folder } = run;
    let ran = end(run);
    // Or it saw before that nothing becomes due within the hour.
    let said = "error: stopped by a signal, 1 delivery left\n  help: run again to go on\n";
    assert!([(Some(1), said), (Some(0), "")].contains(&(ran.code, ran.err.as_str())), "{ran:?}");
    drained(&site, "waits");
    everyone_once(&sink, &readers);
    record::count("clock.waits", 1);
}
