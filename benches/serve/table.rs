//! What is measured, and what must hold.

use crate::load::{Kind, Report, Settings};
use crate::servers::{self, Limits, Server};
use crate::{Arguments, Failure, say};
use postrider::clock::Clock;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// What requests of feeds are made of beside their first line.
struct Asked {
    name: &'static str,
    gzip: bool,
    known: bool,
    status: u16,
}

const ASKED: [Asked; 3] = [
    Asked { name: "not changed (304)", gzip: true, known: true, status: 304 },
    Asked { name: "whole, gzip (200)", gzip: true, known: false, status: 200 },
    Asked { name: "whole, plain (200)", gzip: false, known: false, status: 200 },
];

/// Right answers a second, all answers, and what they took: microseconds of processor time each, and MiB at most.
type Took = (f64, Report, (f64, f64));

/// Measures and prints the tables; false where something does not hold.
pub(crate) fn make(arguments: &Arguments) -> Result<bool, Failure> {
    let ours = arguments.binary.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_postrider")));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("serve");
    servers::lay_out(&ours, &folder)?;
    // A file that was just written is not yet trusted to be unchanged.
    sleep(Duration::from_secs(3));
    feeds(&ours, &folder, arguments)?;
    let holds =
        [subscribing(&ours, &folder, arguments)?, slow(&ours, &folder, arguments)?, broken(&ours, &folder, arguments)?];
    Ok(holds.iter().all(|holds| *holds))
}

fn load(kind: Kind, seconds: u64) -> Settings {
    Settings { port: 0, kind, seconds, count: 32, fields: String::new() }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn feeds(ours: &Path, folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let nginx = servers::find_nginx();
    if nginx.is_none() {
        say("nginx is not here (Debian's nginx-light): the table goes on without it");
    }
    say(&format!("### A feed, 32 connections that are kept ({} rounds)\n", arguments.rounds));
    say("| asked for | server | a second | of nginx | median ms | 99 of 100 ms | CPU µs a request | peak MiB |");
    say("|---|---|---:|---:|---:|---:|---:|---:|");
    for asked in &ASKED {
        let mut rounds: Vec<Vec<Took>> = Vec::new();
        for _ in 0..arguments.rounds {
            let mut round = vec![once(&servers::postrider(ours, folder, Limits::Usual)?, asked, arguments.seconds)?];
            if let Some(nginx) = &nginx {
                round.push(once(&servers::nginx(nginx, folder)?, asked, arguments.seconds)?);
            }
            rounds.push(round);
        }
        for (at, name) in ["postrider", "nginx"].into_iter().enumerate().filter(|(at, _)| *at < rounds[0].len()) {
            let of = |figure: fn(&Took) -> f64| median(rounds.iter().map(|round| figure(&round[at])).collect());
            let ratio = match rounds[0].len() {
                2 if at == 0 => format!("{:.2}", median(rounds.iter().map(|round| round[0].0 / round[1].0).collect())),
                _ => String::new(),
            };
            say(&format!(
                "| {} | {name} | {:.0} | {ratio} | {:.2} | {:.2} | {:.0} | {:.0} |",
                asked.name,
                of(|r| r.0),
                of(|r| r.1.waits[0]),
                of(|r| r.1.waits[1]),
                of(|r| r.2.0),
                of(|r| r.2.1)
            ));
        }
    }
    Ok(())
}

fn once(server: &Server, asked: &Asked, seconds: u64) -> Result<Took, Failure> {
    let mut fields = if asked.gzip { "Accept-Encoding: gzip".to_owned() } else { String::new() };
    if asked.known {
        fields.push_str(&format!(";If-None-Match: {}", tag(server, asked)?));
    }
    let before = server.took().0;
    let report = server.load(Settings { fields, ..load(Kind::Feed, seconds) })?.report()?;
    let (after, peak) = server.took();
    let right = report.answers.get(&asked.status).copied().unwrap_or(0);
    if report.answers.keys().any(|status| *status != asked.status) {
        return Err(format!("{}: other answers than {}: {:?}", asked.name, asked.status, report.answers));
    }
    Ok((right as f64 / report.seconds, report, ((after - before) * 1e6 / right as f64, peak)))
}

/// The tag of the form that is asked for.
fn tag(server: &Server, asked: &Asked) -> Result<String, Failure> {
    let fields = if asked.gzip { " HTTP/1.1\r\nAccept-Encoding: gzip\r\nX-Rest:" } else { "" };
    let answer = server.get(&format!("/rss.xml{fields}")).unwrap_or_default();
    let tag =
        answer.lines().find_map(|line| line.to_lowercase().starts_with("etag: ").then(|| line[6..].trim().to_owned()));
    tag.ok_or_else(|| "an answer has no ETag".to_owned())
}

fn subscribing(ours: &Path, folder: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    say("\n### People subscribe, 32 connections, each from a network of its own\n");
    say(
        "| limits | POSTs a second | asked (200) | too often (429) | others | median ms | worst ms | people in the store |",
    );
    say("|---|---:|---:|---:|---:|---:|---:|---:|");
    let mut holds = true;
    for (limits, name) in [(Limits::Usual, "as they come: 300 an hour"), (Limits::High, "a million an hour")] {
        let server = servers::postrider(ours, folder, limits)?;
        let before = server.subscribers().unwrap_or(0);
        let report = server.load(load(Kind::Subscribe, arguments.seconds))?.report()?;
        let people = server.subscribers().unwrap_or(0) - before;
        let of = |status| report.answers.get(&status).copied().unwrap_or(0);
        let all: u64 = report.answers.values().sum();
        let rate = all as f64 / report.seconds;
        let others = all - of(200) - of(429);
        say(&format!(
            "| {name} | {rate:.0} | {} | {} | {others} | {:.1} | {:.1} | {people} |",
            of(200),
            of(429),
            report.waits[0],
            report.waits[2]
        ));
        holds &= rate >= 500.0 && others == 0 && people == of(200);
    }
    Ok(holds)
}

fn slow(ours: &Path, folder: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    say(&format!("\n### Beside {} connections that are idle or slow\n", arguments.idle));
    say("| beside | asked | path | answered | median ms | 99 of 100 ms | worst ms | connections opened | peak MiB |");
    say("|---|---:|---|---:|---:|---:|---:|---:|---:|");
    let mut holds = true;
    for idle in [0, arguments.idle] {
        let server = servers::postrider(ours, folder, Limits::Usual)?;
        let seconds = arguments.seconds + idle as u64 / 4_000;
        let mut load = server.load(Settings { count: idle, ..load(Kind::Idle, seconds) })?;
        let watch = Clock::system().stopwatch();
        let mut waits = [Vec::new(), Vec::new()];
        let mut asked = 0;
        while watch.elapsed() < Duration::from_secs(seconds) && (idle == 0 || !load.is_over()) {
            for (path, waits) in ["/healthz", "/rss.xml"].into_iter().zip(&mut waits) {
                let begun = watch.elapsed();
                if server.get(path).is_some_and(|answer| answer.contains(" 200 ")) {
                    waits.push((watch.elapsed() - begun).as_secs_f64() * 1e3);
                }
            }
            asked += 1;
            sleep(Duration::from_millis(20));
        }
        let (peak, opened) = (server.took().1, load.report()?.opened);
        for (path, waits) in ["/healthz", "/rss.xml"].into_iter().zip(&mut waits) {
            let [middle, most, worst] = Report::of(waits);
            say(&format!(
                "| {idle} | {asked} | {path} | {} | {middle:.2} | {most:.2} | {worst:.2} | {opened} | {peak:.0} |",
                waits.len()
            ));
            holds &= waits.len() == asked;
        }
    }
    Ok(holds)
}

fn broken(ours: &Path, folder: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let mut server = servers::postrider(ours, folder, Limits::Usual)?;
    let before = server.subscribers().unwrap_or(0);
    let report = server.load(Settings { count: arguments.nonsense, ..load(Kind::Nonsense, 0) })?.report()?;
    let well = server.get("/healthz").is_some_and(|answer| answer.ends_with("ok\n"));
    let after = server.subscribers().unwrap_or(0);
    let log = std::fs::read_to_string(folder.join("postrider.log")).unwrap_or_default();
    let wrong: u64 = report.answers.range(500..).map(|(_, count)| count).sum();
    let (up, panicked) = (server.is_up(), log.contains("panicked"));
    say(&format!("\n### {} malformed requests\n", arguments.nonsense));
    say(&format!("answers by status (0: hung up, or waiting for more): {:?}", report.answers));
    say(&format!(
        "of ours (5..): {wrong}; panicked: {panicked}; runs: {up}; healthy: {well}; people before and after: {before}, {after}"
    ));
    Ok(wrong == 0 && !panicked && up && well && after >= before && before > 0)
}
