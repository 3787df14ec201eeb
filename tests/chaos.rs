//! Promise P1 on several machines: four workers at one PostgreSQL, each in a network of its own and with a clock that is wrong by up to
//! an hour. They are killed, stopped, and cut off from the database, from the mail server or from both; the database dies and comes back.
//! The judge is the file of the mail server.
//!
//! Only where `POSTRIDER_CHAOS` says how many readers: it needs root, for the networks, and minutes.

use crate::support::chaos::{Cluster, Network, Reach};
use crate::support::promise::judge;
use crate::support::record;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Site, readers, signal};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use postrider::clock::{Clock, Stopwatch};
use postrider::random::Random;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// By how much the clock of each machine is wrong, in minutes.
const SKEWS: [i64; 4] = [-60, -20, 20, 60];
const CONNECTIONS: usize = 10;
/// Nothing lasts longer than this: then the test has failed.
const LONGEST: Duration = Duration::from_secs(1800);
/// What happens, and how often of twenty times.
const EVENTS: [(Event, usize); 6] = [
    (Event::Kill, 7),
    (Event::Stop, 4),
    (Event::Cut(Reach::Store), 3),
    (Event::Cut(Reach::Mail), 3),
    (Event::CutAll, 2),
    (Event::Restart, 1),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Kill,
    /// The process is stopped, and goes on later.
    Stop,
    Cut(Reach),
    CutAll,
    /// The database dies, and is started again.
    Restart,
}

/// The networks have the same addresses each time.
static ALONE: Mutex<()> = Mutex::new(());

/// One of the machines.
struct Machine {
    network: Network,
    config: String,
    skew: TimeDelta,
    worker: Child,
    /// What is wrong with it now, and until when.
    trouble: Option<(Event, Duration)>,
}

struct Chaos {
    site: Site,
    sink: Sink,
    cluster: Cluster,
    machines: Vec<Machine>,
    watch: Stopwatch,
    random: Random,
    counts: [usize; EVENTS.len()],
    /// How many workers' deliveries may have been in doubt, one time or another.
    crashes: usize,
    folder: tempfile::TempDir,
}

#[test]
fn nobody_is_skipped_when_machines_die_and_networks_part() {
    chaos("resend");
}

#[test]
fn nobody_is_mailed_twice_when_machines_die_and_networks_part() {
    chaos("hold");
}

/// The database must find out by itself that the machine is gone: what that was sending is nobody else's before.
#[test]
fn a_machine_that_is_cut_off_for_good_is_taken_for_dead() {
    if record::number("POSTRIDER_CHAOS").is_none() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let people = readers(200);
    let mut chaos = Chaos::begin("resend", &people);
    while chaos.sink.taken() < 40 {
        thread::sleep(Duration::from_millis(10));
    }
    for machine in &chaos.machines {
        [Reach::Store, Reach::Mail].into_iter().for_each(|reach| machine.network.cut(reach));
    }
    assert!(chaos.site.deliveries("sending") > 0);
    let parted = chaos.watch.elapsed();
    while chaos.site.deliveries("accepted") < 200 {
        // An hour is what the fastest of the clocks is ahead.
        let later = (now(&chaos.watch) + TimeDelta::hours(2)).to_rfc3339_opts(SecondsFormat::Secs, true);
        chaos.site.at(&later, &["run", "--quiet"]);
        assert!(chaos.watch.elapsed() - parted < Duration::from_secs(120), "they still count as living");
    }
    chaos.machines.iter_mut().for_each(|machine| machine.worker.kill().expect("it lives"));
    judge(&chaos.site, &chaos.sink, &people, SKEWS.len()).unwrap_or_else(|why| panic!("{why}"));
    record::count("chaos.cut_off_for_good", SKEWS.len());
}

fn chaos(uncertain: &'static str) {
    let Some(count) = record::number("POSTRIDER_CHAOS") else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let people = readers(count as usize);
    let mut chaos = Chaos::begin(uncertain, &people);
    let mut next = 0;
    while chaos.sink.taken() * 100 < people.len() * 97 {
        assert!(chaos.watch.elapsed() < LONGEST, "it does not come to an end: {}", chaos.logs());
        chaos.mend();
        let taken = chaos.sink.taken();
        if taken >= next && chaos.machines.iter().any(|machine| machine.trouble.is_none()) {
            chaos.strike();
            next = taken + people.len() / 200;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let ended = chaos.end();
    let Chaos { site, sink, counts, crashes, watch, .. } = &ended;
    let judged = judge(site, sink, &people, *crashes).unwrap_or_else(|why| panic!("{why}"));
    for ((event, _), count) in EVENTS.iter().zip(counts) {
        let name = format!("{event:?}").to_lowercase().replace(['(', ')'], "_");
        record::count(&format!("chaos.{uncertain}.{}", name.trim_matches('_')), *count);
        assert!(*count > 0 || people.len() < 100_000, "no {event:?} in so long a time");
    }
    record::count(&format!("chaos.{uncertain}.readers"), people.len());
    record::count(&format!("chaos.{uncertain}.seconds"), watch.elapsed().as_secs() as usize);
    record::count(&format!("chaos.{uncertain}.copies_too_many"), judged.copies_too_many);
    record::count(&format!("chaos.{uncertain}.held"), judged.held);
}

impl Chaos {
    /// All is queued, and four workers begin.
    fn begin(uncertain: &'static str, people: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { latency: 5, address: Ipv4Addr::UNSPECIFIED.into(), ..Settings::in_folder(folder.path()) };
        let (sink, cluster) = (Sink::elsewhere(&settings), Cluster::start());
        let plan =
            Plan { uncertain, connections: CONNECTIONS, store: cluster.url(Ipv4Addr::LOCALHOST), ..Plan::to(&sink) };
        // Nobody is there to take it: all of it stays queued.
        let mut site = Site::new(Plan { transport: "smtp://127.0.0.1:9".to_owned(), ..plan.clone() }, people);
        let ran = site.go(&["run", "--quiet"]);
        assert_eq!((ran.code, site.deliveries("queued")), (Some(1), people.len() as i64), "{ran:?}");
        site.plan = plan;
        site.write_config();
        let config = fs::read_to_string(site.path("config.toml")).unwrap();
        // A clock that is two hours ahead of another must not make anybody give up.
        let config = config.replace("give_up_after = \"2h\"", "give_up_after = \"3d\"");
        site.write("config.toml", &config);
        let watch = Clock::system().stopwatch();
        let machines = SKEWS.iter().enumerate().map(|(n, minutes)| {
            let network = Network::new(n);
            let name = format!("work-{n}.toml");
            let config = config.replace(&site.plan.store, &cluster.url(network.address(Reach::Store))).replace(
                &format!("smtp://127.0.0.1:{}", sink.port()),
                &format!("smtp://{}:{}?tls=none", network.address(Reach::Mail), sink.port()),
            );
            site.write(&name, &config);
            let skew = TimeDelta::minutes(*minutes);
            let worker = start(&site, &network, &name, now(&watch) + skew, folder.path());
            Machine { network, config: name, skew, worker, trouble: None }
        });
        let machines = machines.collect();
        let random = record::seed("chaos");
        Chaos { site, sink, cluster, machines, watch, random, counts: [0; EVENTS.len()], crashes: 0, folder }
    }

    /// Something goes wrong, somewhere where nothing is wrong yet.
    fn strike(&mut self) {
        let mut at = record::below(&self.random, 20);
        let which = EVENTS.iter().position(|(_, share)| {
            let is_it = at < *share;
            at = at.saturating_sub(*share);
            is_it
        });
        let which = which.expect("they are twenty");
        let event = EVENTS[which].0;
        self.counts[which] += 1;
        if event == Event::Restart {
            self.crashes += self.machines.len();
            self.cluster.die();
            thread::sleep(Duration::from_millis(500 + record::below(&self.random, 3000) as u64));
            self.cluster.live();
            return;
        }
        self.crashes += 1;
        let well: Vec<usize> = (0..self.machines.len()).filter(|n| self.machines[*n].trouble.is_none()).collect();
        let at = well[record::below(&self.random, well.len())];
        // A moment, or longer than anybody waits.
        let lasts = Duration::from_millis(if self.random.fraction() < 0.9 { 300 } else { 20_000 });
        let lasts = lasts.mul_f64(1.0 + 2.0 * self.random.fraction());
        let machine = &mut self.machines[at];
        match event {
            Event::Kill => {
                machine.worker.kill().expect("it lives");
                machine.worker.wait().expect("it ends");
            }
            Event::Stop => signal(&machine.worker, "STOP"),
            Event::Cut(reach) => machine.network.cut(reach),
            Event::CutAll => [Reach::Store, Reach::Mail].into_iter().for_each(|reach| machine.network.cut(reach)),
            Event::Restart => unreachable!("that is no machine's"),
        }
        machine.trouble = Some((event, self.watch.elapsed() + lasts));
    }

    /// What has lasted long enough is over.
    fn mend(&mut self) {
        for at in 0..self.machines.len() {
            let machine = &mut self.machines[at];
            let Some((event, _)) = machine.trouble.filter(|(_, until)| *until <= self.watch.elapsed()) else {
                continue;
            };
            machine.trouble = None;
            match event {
                Event::Kill => {
                    let now = now(&self.watch) + machine.skew;
                    machine.worker = start(&self.site, &machine.network, &machine.config, now, self.folder.path());
                }
                Event::Stop => signal(&machine.worker, "CONT"),
                Event::Cut(reach) => machine.network.mend(reach),
                Event::CutAll => [Reach::Store, Reach::Mail].into_iter().for_each(|reach| machine.network.mend(reach)),
                Event::Restart => unreachable!("that is no machine's"),
            }
        }
    }

    /// All is well again; the workers come home, and what they left is sent by runs whose clock is right.
    fn end(mut self) -> Self {
        self.machines.iter_mut().for_each(|machine| {
            if let Some((_, until)) = &mut machine.trouble {
                *until = Duration::ZERO;
            }
        });
        self.mend();
        for machine in &mut self.machines {
            assert!(machine.worker.try_wait().expect("a child").is_none(), "a worker has ended: {}", machine.config);
            signal(&machine.worker, "TERM");
        }
        for machine in &mut self.machines {
            machine.worker.wait().expect("it ends");
        }
        for hour in 3..9 {
            let later = (start_of_all() + TimeDelta::hours(hour)).to_rfc3339_opts(SecondsFormat::Secs, true);
            let ran = self.site.at(&later, &["run", "--quiet"]);
            assert_eq!(ran.code, Some(0), "it does not run again: {ran:?}");
            if self.site.json(&later, &["status"])["editions"][0]["state"] == "done" {
                return self;
            }
        }
        panic!("not done: {}{}", self.site.json(NOON, &["status"]), self.logs());
    }

    /// The last words of each.
    fn logs(&self) -> String {
        let last = |machine: &Machine| {
            let log =
                fs::read_to_string(self.folder.path().join(format!("{}.log", machine.config))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(8).collect();
            format!("\n--- {}\n{}", machine.config, lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.machines.iter().map(last).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.worker.kill();
        let _ = self.worker.wait();
    }
}

fn start_of_all() -> DateTime<Utc> {
    NOON.parse().expect("a moment")
}

/// What a right clock would say.
fn now(watch: &Stopwatch) -> DateTime<Utc> {
    start_of_all() + TimeDelta::from_std(watch.elapsed()).expect("not so long")
}

fn start(site: &Site, network: &Network, config: &str, now: DateTime<Utc>, logs: &std::path::Path) -> Child {
    let log =
        File::options().create(true).append(true).open(logs.join(format!("{config}.log"))).expect("our own folder");
    let inside = site.command(&now.to_rfc3339_opts(SecondsFormat::Secs, true), &["work", "--config", config]);
    let mut command: Command = network.inside(&inside);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().expect("the program starts")
}
