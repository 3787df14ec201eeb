//! Promise P1 against a power loss: the process is gone, and of its files only what the disk was told to keep, and at best some
//! blocks of the rest. `tests/shim/forget.c` keeps the journal from which the disk is made.

use crate::support::power::{Disk, Told, Unsynced};
use crate::support::promise::{finish, judge};
use crate::support::record;
use crate::support::shim;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Site, readers, until_taken};
use postrider::random::Random;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// Enough for a store whose log outgrows the thousand pages after which SQLite moves it into the file.
const READERS: usize = 300;

/// When the power goes.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before this call on a file.
    Call(usize),
    /// When the server has taken that many bodies.
    Taken(usize),
    /// It does not.
    Never,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
struct Found {
    told: Told,
    struck: bool,
    /// Bodies taken before.
    taken: usize,
    copies_too_many: usize,
    held: usize,
}

/// A run, the loss of power in the middle of it, and further runs until the edition is done.
fn ordeal(
    library: &Path,
    moment: Moment,
    uncertain: &'static str,
    random: Option<&Random>,
    deaf_from: usize,
) -> Result<Found, String> {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let readers = readers(READERS);
    let site = Site::new(Plan { uncertain, ..Plan::to(&sink) }, &readers);
    let mut disk = Disk::of(&site.path("."));
    let journal = folder.path().join("journal");
    let mut command = site.command(NOON, &["run", "--quiet"]);
    preload(&mut command, library, &site.path("."), &journal);
    if let Moment::Call(call) = moment {
        command.env("FORGET_DIE_AT", call.to_string());
    }
    if deaf_from > 0 {
        command.env("FORGET_DEAF_FROM", deaf_from.to_string());
    }
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    if let Moment::Taken(count) = moment
        && until_taken(&sink, count, &mut run)
    {
        run.kill().expect("a child");
    }
    let ended = run.wait_with_output().expect("a child");
    let struck = ended.status.code().is_none();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(struck || ended.status.success(), "{moment:?}: {said}");
    assert!(!said.contains("forget.c"), "{said}");
    let journal = fs::read(&journal).expect("a journal");
    let told = disk.follow(&journal);
    let mut found = Found { told, struck, taken: sink.taken(), ..Found::default() };
    let feeds = |name: &str| fs::read(site.path(&format!("public/{name}"))).ok();
    disk.lose_power(random.map_or(Unsynced::Lost, Unsynced::Torn));
    for feed in ["rss.xml", "atom.xml", "feed.json"].into_iter().filter_map(feeds) {
        // Each ends with its own end, whole or not at all (P5).
        let end = String::from_utf8_lossy(&feed).trim_end().to_owned();
        if ![">", "}"].iter().any(|last| end.ends_with(last)) {
            return Err(format!("{moment:?}: a feed is torn: {} octets", feed.len()));
        }
    }
    finish(&site)?;
    let judged = judge(&site, &sink, &readers, 1).map_err(|why| format!("{moment:?}, {uncertain}: {why}"))?;
    (found.copies_too_many, found.held) = (judged.copies_too_many, judged.held);
    Ok(found)
}

fn preload(command: &mut Command, library: &Path, folder: &Path, journal: &Path) {
    command
        .env("LD_PRELOAD", library)
        .env("FORGET_FOLDER", folder.canonicalize().expect("a folder"))
        .env("FORGET_JOURNAL", journal);
}

#[test]
fn whatever_the_disk_lost_nobody_is_skipped_or_mailed_twice() {
    let Some(library) = shim::forget("power") else { return };
    let random = record::seed("power");
    let whole = ordeal(library, Moment::Never, "resend", None, 0).expect("no power was lost");
    assert_eq!((whole.struck, whole.copies_too_many), (false, 0), "{whole:?}");
    let begun = ordeal(library, Moment::Taken(1), "resend", None, 0).unwrap_or_else(|why| panic!("{why}")).told;
    let checkpoint: Vec<usize> = whole.told.pages.into_iter().filter(|call| *call > begun.calls).collect();
    assert!(checkpoint.len() > 50, "no checkpoint is in the run: {checkpoint:?}");
    let losses = record::number("POSTRIDER_POWER_LOSSES").unwrap_or(8) as usize;
    let moments: Vec<_> = (0..losses)
        .map(|n| {
            // Spread evenly, so that no part of the run is left out.
            let share = ((n / 4) as f64 + random.fraction()) / losses.div_ceil(4) as f64;
            let nth = |count: usize| (share * count as f64) as usize;
            let moment = match n % 4 {
                // The store made, the list read, the edition frozen.
                0 => Moment::Call(1 + nth(begun.calls)),
                1 => Moment::Taken(1 + nth(READERS)),
                2 => Moment::Call(checkpoint[nth(checkpoint.len())]),
                _ => Moment::Call(begun.calls + nth(whole.told.calls - begun.calls)),
            };
            let torn = (random.fraction() < 0.6).then(|| Random::seeded((random.fraction() * 1e9) as u64));
            (moment, if n / 4 % 2 == 0 { "resend" } else { "hold" }, torn)
        })
        .collect();
    let (moments, found) = (Mutex::new(moments), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((moment, uncertain, torn)) = next(&moments) {
                    let came = ordeal(library, moment, uncertain, torn.as_ref(), 0);
                    found.lock().unwrap().push(came);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let wrong: Vec<_> = found.iter().filter_map(|came| came.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let found: Vec<Found> = found.into_iter().map(Result::unwrap).collect();
    let count = |name: &str, of: &dyn Fn(&Found) -> usize| {
        record::count(&format!("power.{name}"), found.iter().map(of).sum());
    };
    count("losses", &|found| usize::from(found.struck));
    count("before_the_first_body", &|found| usize::from(found.struck && found.taken == 0));
    count("in_mid_delivery", &|found| usize::from(found.struck && (1..READERS).contains(&found.taken)));
    count("in_a_checkpoint", &|found| {
        let Told { calls, pages } = &found.told;
        usize::from(found.struck && *calls > begun.calls && pages.last().is_some_and(|call| call + 3 > *calls))
    });
    count("copies_too_many", &|found| found.copies_too_many);
    count("held", &|found| found.held);
    // A late call of one run may be none of another: their threads do not group commits alike.
    let struck = found.iter().filter(|found| found.struck).count();
    assert!(2 * struck >= losses, "only {struck} of {losses} were struck");
}

fn next<T>(of: &Mutex<Vec<T>>) -> Option<T> {
    of.lock().unwrap().pop()
}

/// That the test above can fail: a disk that only says that it keeps what it is told to.
#[test]
fn a_store_that_does_not_sync_is_noticed() {
    let Some(library) = shim::forget("power.deaf") else { return };
    // From the beginning; and from the moment at which the edition is frozen and some have got it.
    let whole = ordeal(library, Moment::Never, "resend", None, 0).expect("no power was lost");
    for (deaf_from, uncertain) in [(1, "resend"), (whole.told.calls / 2, "resend"), (whole.told.calls / 2, "hold")] {
        let came = ordeal(library, Moment::Taken(READERS - 10), uncertain, None, deaf_from);
        let why = came.expect_err("nothing was kept, and nobody missed it");
        let known = ["copies too many", "copies that differ", "got two"];
        assert!(known.iter().any(|words| why.contains(words)), "{why}");
    }
    record::count("power.lying_disks_noticed", 3);
}

/// The journal and the disk themselves, with a program that is not ours.
#[test]
fn only_what_was_synced_outlives_a_power_loss() {
    let Some(library) = shim::forget("power.proof") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (site, journal) = (folder.path().join("site"), folder.path().join("journal"));
    fs::create_dir(&site).unwrap();
    fs::write(site.join("old"), "as it was").unwrap();
    let mut disk = Disk::of(&site);
    let script = "
        dd if=/dev/zero of=kept bs=1000 count=3 conv=fsync
        dd if=/dev/zero of=grown bs=1000 count=1 conv=fsync
        dd if=/dev/zero of=grown bs=1000 count=1 oflag=append conv=notrunc
        echo new > old
        dd if=/dev/zero of=draft bs=10 count=1 conv=fsync && mv draft moved
        dd if=/dev/zero of=lost bs=1000 count=3";
    let mut sh = Command::new("sh");
    preload(sh.args(["-ec", script]).current_dir(&site), library, &site, &journal);
    let ran = sh.output().expect("sh runs");
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(fs::read(site.join("old")).unwrap(), b"new\n");
    disk.follow(&fs::read(&journal).unwrap());
    disk.lose_power(Unsynced::Lost);
    let size = |name: &str| fs::metadata(site.join(name)).ok().map(|found| found.len());
    let sizes = ["kept", "grown", "draft", "moved", "lost"].map(size);
    assert_eq!(sizes, [Some(3000), Some(1000), Some(10), None, None]);
    assert_eq!(fs::read(site.join("old")).unwrap(), b"as it was");
    record::count("power.proofs", sizes.len() + 1);
}
