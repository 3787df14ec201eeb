//! Disks that are full, or for reading only; a store that another process keeps; too few file descriptors. A run that cannot go on
//! says so in a sentence, exits 1, and the next one finishes what it left (P1).

use crate::support::promise::{finish, judge};
use crate::support::record;
use crate::support::shim;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Ran, Site, end, everyone_once, readers, until_taken};
use postrider::store::sql::Connection;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A small file system of its own, there for one test: a mount in a mount namespace of the test's own processes.
struct Disk {
    /// A process that lives in the namespace, and with which it ends.
    holder: std::process::Child,
    point: PathBuf,
}

impl Disk {
    /// At that folder. None where this user may not mount anything.
    fn mount(point: &Path, size: &str) -> Option<Disk> {
        fs::create_dir_all(point).unwrap();
        let script = "mount -t tmpfs -o \"size=$1\" postrider-test \"$2\" && echo ready && exec cat";
        let mut holder = Command::new("unshare");
        holder.args(["-m", "sh", "-c", script, "sh", size]).arg(point);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut said = [0; 5];
        match std::io::Read::read_exact(holder.stdout.as_mut().expect("piped"), &mut said) {
            Ok(()) => Some(Disk { holder, point: point.to_owned() }),
            Err(_) => {
                let _ = holder.wait();
                None
            }
        }
    }

    /// The same command, where the disk is to be seen.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg("-m").arg("-t").arg(self.holder.id().to_string());
        let folder = command.get_current_dir().expect("the site's folder");
        inside.arg(format!("--wdns={}", folder.display())).arg(command.get_program()).args(command.get_args());
        inside.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        inside
    }

    /// One of its files, seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.point.strip_prefix("/").expect("an absolute path")).join(name)
    }

    /// Fills it up but for so many octets.
    fn fill(&self, but: usize) {
        let path = self.path("filler");
        let mut file = File::create(&path).unwrap();
        // Most of it at once: the run goes on meanwhile.
        for piece in [1 << 20, 4096] {
            let piece = vec![0; piece];
            while file.write_all(&piece).is_ok() {}
        }
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(but as u64) / 4096 * 4096).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }

    fn sh(&self, script: &str) {
        let mut sh = Command::new("sh");
        sh.args(["-ec", script]).current_dir("/");
        let ran = self.inside(&sh).output().expect("nsenter");
        assert!(ran.status.success(), "{script}: {ran:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A site whose store is on a disk of its own.
struct Small {
    disk: Disk,
    sink: Sink,
    site: Site,
    readers: Vec<String>,
    _folder: TempDir,
}

impl Small {
    fn new(test: &str, uncertain: &'static str, readers: Vec<String>) -> Option<Small> {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { latency: 5, ..Settings::in_folder(folder.path()) });
        let store = "sqlite:small/postrider.db".to_owned();
        let site = Site::new(Plan { uncertain, store, ..Plan::to(&sink) }, &readers);
        let disk = Disk::mount(&site.path("small"), "24m");
        if disk.is_none() {
            shim::missing(test, "root, to mount a disk of its own");
        }
        Some(Small { disk: disk?, sink, site, readers, _folder: folder })
    }

    fn run(&self, now: &str) -> Ran {
        let command = self.site.command(now, &["run", "--quiet"]);
        Ran::from(self.disk.inside(&command).output().expect("nsenter"))
    }

    /// Brings the store out to where `status` finds it, and judges.
    fn judge(&self, crashes: usize) -> Result<(), String> {
        for (minute, code) in [(10, None), (20, None), (30, Some(0))] {
            let ran = self.run(&format!("2026-11-23T12:{minute}:00Z"));
            if code.is_some_and(|code| ran.code != Some(code)) {
                return Err(format!("it does not run again: {ran:?}"));
            }
        }
        for entry in fs::read_dir(self.disk.path("")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            fs::copy(&path, self.site.path("small").join(name)).unwrap();
        }
        judge(&self.site, &self.sink, &self.readers, crashes).map(drop)
    }
}

/// Sentences that do not say which store they are about, or what is the matter with it. Collected, so that they come to light after
/// what they are about has been judged.
#[derive(Default)]
struct Unsaid(Vec<String>);

impl Unsaid {
    /// A run that failed, for this reason.
    #[track_caller]
    fn hear(&mut self, ran: &Ran, what: &str) {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let named = ran.err.starts_with("error: the store ") && ran.err.contains("postrider.db");
        if !named || !ran.err.contains(what) {
            self.0.push(format!("{:?}, and not of postrider.db that {what:?}", ran.err));
        }
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "it says: {:#?}", self.0);
    }
}

#[test]
fn a_disk_that_is_full_before_stops_the_run_before_anything_is_sent() {
    let mut unsaid = Unsaid::default();
    let Some(small) = Small::new("disk.full_before", "resend", readers(100)) else { return };
    for room in [0, 4096, 16_384, 65_536, 131_072] {
        small.disk.fill(room);
        let ran = small.run(NOON);
        unsaid.hear(&ran, "the disk is full");
        assert_eq!(small.sink.taken(), 0, "{room}");
        small.disk.make_room();
    }
    small.judge(0).unwrap();
    everyone_once(&small.sink, &small.readers);
    unsaid.none();
    record::count("disk.full_before", 5);
}

#[test]
fn a_disk_that_fills_up_in_mid_run_stops_it_and_nobody_is_lost() {
    let mut unsaid = Unsaid::default();
    for uncertain in ["resend", "hold"] {
        for room in [0, 4096, 40_960, 409_600] {
            let Some(small) = Small::new("disk.full_in_mid_run", uncertain, readers(400)) else { return };
            let command = small.site.command(NOON, &["run", "--quiet"]);
            let mut run = small.disk.inside(&command).spawn().expect("nsenter");
            assert!(until_taken(&small.sink, 60, &mut run), "it ended before: {:?}", end(run));
            small.disk.fill(room);
            let ran = end(run);
            unsaid.hear(&ran, "the disk is full");
            assert!(small.sink.taken() < 400, "{uncertain}, {room}");
            // Still full: it says so again, and sends nothing that it could not write down.
            let (before, again) = (small.sink.taken(), small.run("2026-11-23T12:05:00Z"));
            assert_eq!((again.code, small.sink.taken()), (Some(1), before), "{uncertain}, {room}: {again:?}");
            small.disk.make_room();
            small.judge(1).unwrap_or_else(|why| panic!("{uncertain}, {room}: {why}"));
        }
    }
    unsaid.none();
    record::count("disk.full_in_mid_run", 8);
}

#[test]
fn a_disk_that_is_full_after_a_run_is_in_nobodys_way() {
    let mut unsaid = Unsaid::default();
    let Some(small) = Small::new("disk.full_after", "resend", readers(40)) else { return };
    let ran = small.run(NOON);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    small.disk.fill(0);
    let ran = small.run("2026-11-23T12:05:00Z");
    // Nothing is due; whether it must write anything to know that is its own affair.
    if ran.code != Some(0) {
        unsaid.hear(&ran, "the disk is full");
    }
    small.disk.make_room();
    small.judge(0).unwrap();
    everyone_once(&small.sink, &small.readers);
    unsaid.none();
    record::count("disk.full_after", 1);
}

#[test]
fn a_store_that_is_for_reading_only_stops_the_run_before_anything_is_sent() {
    let mut unsaid = Unsaid::default();
    let Some(small) = Small::new("disk.read_only", "resend", readers(40)) else { return };
    let point = small.disk.point.display();
    // Without a store, and with one that has work to do.
    for begun in [false, true] {
        if begun {
            let command = small.site.command(NOON, &["run", "--quiet"]);
            let mut run = small.disk.inside(&command).spawn().expect("nsenter");
            until_taken(&small.sink, 10, &mut run);
            run.kill().expect("a child");
            run.wait().expect("a child");
        }
        small.disk.sh(&format!("mount -o remount,ro {point}"));
        let (before, ran) = (small.sink.taken(), small.run("2026-11-23T12:05:00Z"));
        assert_eq!(small.sink.taken(), before, "{begun}: {ran:?}");
        unsaid.hear(&ran, if begun { "only" } else { "cannot be opened" });
        small.disk.sh(&format!("mount -o remount,rw {point}"));
    }
    small.judge(1).unwrap();
    unsaid.none();
    record::count("disk.read_only", 2);
}

#[test]
fn a_store_that_another_process_keeps_is_waited_for_and_then_said() {
    let mut unsaid = Unsaid::default();
    let Some(library) = shim::clock("disk.busy") else { return };
    for patient in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings { latency: 1, ..Settings::in_folder(folder.path()) });
        let readers = readers(100);
        let site = Site::new(Plan::to(&sink), &readers);
        let mut command = site.command(NOON, &["run", "--quiet"]);
        if !patient {
            // Its minute takes a third of a second.
            command.env("LD_PRELOAD", library).env("CLOCK_HURRY", "200");
        }
        let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        assert!(until_taken(&sink, 20, &mut run), "it ended before");
        let mut other = Connection::sqlite(&site.path("postrider.db")).expect("a store");
        other.batch("BEGIN IMMEDIATE").expect("our turn comes");
        if patient {
            // What was under way comes to its end; nothing new begins.
            let mut settled = sink.taken();
            while {
                std::thread::sleep(std::time::Duration::from_millis(50));
                std::mem::replace(&mut settled, sink.taken()) != settled
            } {}
            other.batch("COMMIT").expect("nothing was written");
            let ran = end(run);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
            everyone_once(&sink, &readers);
        } else {
            let ran = end(run);
            unsaid.hear(&ran, "another process has kept it locked for a minute");
            let before = sink.taken();
            assert!(before < 100);
            other.batch("COMMIT").expect("nothing was written");
            finish(&site).and_then(|()| judge(&site, &sink, &readers, 1)).unwrap();
        }
    }
    unsaid.none();
    record::count("disk.busy", 2);
}

#[test]
fn with_too_few_file_descriptors_nobody_is_lost() {
    let (mut failed, mut done) = (0, 0);
    let most = record::number("POSTRIDER_DESCRIPTORS").unwrap_or(15);
    // Its pauses between tries to connect are no part of this.
    let hurry = shim::clock("disk.few_descriptors.hurried");
    for limit in (5..=most).chain([24, 32, 64]) {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::here(Settings::in_folder(folder.path()));
        let readers = readers(40);
        let site = Site::new(Plan::to(&sink), &readers);
        let command = site.command(NOON, &["run", "--quiet"]);
        let mut sh = Command::new("sh");
        sh.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
        sh.arg(command.get_program()).args(command.get_args());
        sh.current_dir(command.get_current_dir().expect("the site")).stdin(Stdio::null());
        if let Some(library) = hurry {
            sh.env("LD_PRELOAD", library).env("CLOCK_HURRY", "100");
        }
        let ran = Ran::from(sh.output().expect("sh"));
        match ran.code {
            Some(0) => done += 1,
            // Not even the program's own libraries could be opened.
            Some(127) if ran.err.contains("shared librar") => {}
            Some(1) => {
                let sentence = ran.err.starts_with("error: ") && !ran.err.contains("panicked");
                assert!(sentence, "{limit}: {ran:?}");
                failed += 1;
            }
            _ => panic!("{limit}: {ran:?}"),
        }
        finish(&site).and_then(|()| judge(&site, &sink, &readers, 0)).unwrap_or_else(|why| panic!("{limit}: {why}"));
        everyone_once(&sink, &readers);
    }
    assert!(failed > 0 && done > 0, "{failed} failed, {done} did not");
    record::count("disk.few_descriptors.said", failed);
    record::count("disk.few_descriptors.done", done);
}
