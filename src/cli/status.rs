//! `postrider status`: editions and their deliveries, what is in doubt, what is due next; once, or again and again while a run
//! is under way. It reads only, and holds up nobody.

use super::arguments::Global;
use super::cycle::edition_report;
use super::setup::{Setup, stop_flag};
use super::{Exit, say};
use crate::post::Site;
use crate::report;
use crate::schedule::Schedule;
use crate::store::Store;
use crate::store::numbers::{Edition, Named};
use anyhow::{Result, anyhow};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Editions listed of each digest.
const EACH: usize = 20;
/// Addresses of each list that a picture of one screen has room for.
const FEW: usize = 5;
/// How often the picture is drawn again.
const TICK: Duration = Duration::from_secs(1);
/// Where looking takes long, it is done for a fifth of the time at most.
const SHARE: u32 = 5;
/// Sleeps are cut into slices of this length, so that a stop is soon heard.
const SLICE: Duration = Duration::from_millis(100);

/// `postrider status`
pub(super) fn run(global: &Global, watch: bool) -> Result<Exit> {
    if watch && global.json {
        say::error(&anyhow!(
            "--watch shows what changes, and --json prints one document\n  help: leave one of them out; a script asks `status --json` again"
        ));
        return Ok(Exit::Usage);
    }
    let stop = watch.then(stop_flag).transpose()?;
    let setup = Setup::load(global)?;
    if watch {
        setup.stays()?;
    }
    let (site, _) = setup.site()?;
    let store = setup.existing_store()?;
    let view = View { setup, site, store };
    if let Some(stop) = stop {
        view.watch(&stop)?;
        return Ok(Exit::Done);
    }
    let status = view.status(view.store.editions(EACH)?)?;
    match global.json {
        true => say::json(&status)?,
        false => view.lines(&status, usize::MAX)?.iter().for_each(say::line),
    }
    Ok(Exit::Done)
}

/// What is looked at.
struct View {
    setup: Setup,
    site: Site,
    store: Store,
}

impl View {
    fn status(&self, editions: Vec<Edition>) -> Result<report::Status> {
        let paces = self.store.paces(self.setup.clock.now())?;
        let with_pace = |edition: &Edition| {
            let mut shown = edition_report(edition);
            let pace = paces.iter().find(|pace| pace.edition == edition.id);
            if let Some(pace) = pace.filter(|_| edition.state == "open") {
                let queued = edition.counts.queued + edition.counts.uncertain;
                shown.rate = Some((pace.rate * 100.0).round() / 100.0);
                shown.left = Some((queued as f64 / pace.rate).ceil() as i64);
            }
            shown
        };
        Ok(report::Status {
            editions: editions.iter().map(with_pace).collect(),
            uncertain: named(self.store.uncertain()?),
            resent: named(self.store.resent()?),
            held: named(self.store.held()?),
            letters: self.store.letters_waiting()?,
            digests: self.digests()?,
            unread: self.store.unread(self.setup.clock.now() - TimeDelta::days(30))?,
        })
    }

    fn digests(&self) -> Result<Vec<report::Digest>> {
        let mut digests = Vec::new();
        for digest in &self.setup.config.digests {
            let zone = digest.zone(self.site.timezone);
            let local = |time: DateTime<Utc>| time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false);
            let last = self.store.last_slot(digest.name.as_str())?;
            let next = match &digest.schedule {
                Schedule::Crontab(crontab) => crontab.next_after(self.setup.clock.now(), zone).map(local),
                Schedule::Each => None,
            };
            let reason = last.as_ref().map_or_else(|| "no slot was decided yet".to_owned(), |last| last.reason.clone());
            digests.push(report::Digest {
                name: digest.name.to_string(),
                slot: last.map(|l| local(l.slot)),
                due: false,
                reason,
                next,
            });
        }
        Ok(digests)
    }

    /// Shows it until nothing is open or under way, or somebody says stop: over itself on a terminal, elsewhere a new block
    /// where something changed.
    fn watch(&self, stop: &AtomicBool) -> Result<()> {
        let terminal = std::io::stdout().is_terminal();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut shown = String::new();
        loop {
            let took = self.setup.clock.stopwatch();
            // Only what moves, and what came to its end meanwhile: twenty editions of a million take time to count.
            seen.extend(self.store.unfinished()?);
            let mut editions = self.store.editions_named(seen.iter().map(String::as_str))?;
            if editions.is_empty() {
                editions.extend(self.store.editions(1)?.into_iter().next());
            }
            let over = editions.iter().all(|edition| edition.state != "open") && !self.store.under_way()?;
            let status = self.status(editions)?;
            let lines = self.lines(&status, FEW)?;
            let now = serde_json::to_string(&without_pace(status))?;
            if terminal {
                draw(&lines);
            } else if now != shown {
                // One write a block, so that a reader never has half of one.
                let blank = if shown.is_empty() { "" } else { "\n" };
                say::line(format!("{blank}{}", lines.join("\n")));
                shown = now;
            }
            if over || !pause(TICK.max(took.elapsed() * SHARE), stop) {
                return Ok(());
            }
        }
    }

    fn lines(&self, status: &report::Status, most: usize) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        if status.editions.is_empty() {
            lines.push("no edition was frozen yet".to_owned());
        }
        if status.unread > 0 {
            let mails = say::count(status.unread, "mail");
            lines.push(format!(
                "inbox: {mails} of the last 30 days wait for you in the folder {}, or where they came from (an mbox, a pipe)",
                crate::mailbox::UNREAD
            ));
        }
        for edition in &status.editions {
            lines.push(format!("{}  {}  {:?}", edition.id, edition.state, edition.subject));
            let counts = edition.counts.in_words().into_iter().filter(|(n, _)| *n > 0);
            let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
            let colon = if counts.is_empty() { "" } else { ": " };
            let recipients = say::count(edition.recipients, "recipient");
            lines.push(format!("  {recipients}{colon}{}", counts.join(", ")));
            lines.extend(pace(edition));
            lines.extend(edition.waits_for().into_iter().map(|what| format!("  {what}")));
        }
        let held = format!(
            "held: may or may not have come; `postrider retry {} --held` sends it once more",
            the_one(status).unwrap_or("EDITION")
        );
        let lists = [
            (
                &status.uncertain,
                "in doubt: no reply was recorded; they are sent once more when they are due (of a held edition: once it is approved)",
            ),
            (&status.resent, "sent again in doubt: may have come twice"),
            (&status.held, &held),
        ];
        for (list, what) in lists {
            if !list.is_empty() {
                lines.push(what.to_owned());
            }
            for delivery in list.iter().take(most) {
                let at = delivery.at.as_deref().unwrap_or("-");
                lines.push(format!("  {}  {}  {at}", delivery.edition, delivery.address));
            }
            if list.len() > most {
                lines.push(format!("  and {} more", list.len() - most));
            }
        }
        for digest in &status.digests {
            let next = digest.next.as_ref().map_or("with the next new post".to_owned(), Clone::clone);
            let last = match &digest.slot {
                Some(slot) => format!("last slot {slot}: {}", digest.reason),
                None => digest.reason.clone(),
            };
            lines.push(format!("{}: next {next}; {last}", digest.name));
        }
        if status.letters > 0 {
            lines.push(format!(
                "{} to single people (confirmations and the like)",
                say::count(status.letters, "letter")
            ));
        }
        let open = status.editions.iter().filter(|edition| edition.state == "open").map(|edition| edition.counts);
        let of_editions: i64 = open.map(|counts| counts.queued + counts.deferred + counts.uncertain).sum();
        let waiting = of_editions + status.letters;
        if let (true, Some(due)) = (waiting > 0, self.store.next_due()?) {
            let due = due.to_rfc3339_opts(SecondsFormat::Secs, true);
            lines.push(format!("{waiting} to be sent, the next from {due}"));
        }
        Ok(lines)
    }
}

/// The edition that all held deliveries are of, if it is one.
fn the_one(status: &report::Status) -> Option<&str> {
    let first = status.held.first()?.edition.as_str();
    let is_edition = status.editions.iter().any(|edition| edition.id == first);
    (is_edition && status.held.iter().all(|delivery| delivery.edition == first)).then_some(first)
}

fn named(deliveries: Vec<Named>) -> Vec<report::Named> {
    let at = |n: &Named| n.at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    deliveries.into_iter().map(|n| report::Named { at: at(&n), edition: n.edition, address: n.address }).collect()
}

/// How fast it goes, and how long it takes.
fn pace(edition: &report::Edition) -> Option<String> {
    let rate = edition.rate?;
    let rate = match rate {
        10.0.. => format!("{rate:.0} a second"),
        1.0.. => format!("{rate:.1} a second"),
        _ => format!("{:.1} a minute", rate * 60.0),
    };
    let left =
        edition.left.filter(|left| *left > 0).map_or(String::new(), |left| format!(", {} left", say::span(left)));
    Some(format!("  {rate}{left}"))
}

/// What is compared: a rate that fades while nothing happens is no news.
fn without_pace(mut status: report::Status) -> report::Status {
    for edition in &mut status.editions {
        (edition.rate, edition.left) = (None, None);
    }
    status
}

/// Over the last picture: from the top, each line to its end, and nothing of a longer one below.
fn draw(lines: &[String]) {
    let picture: String = lines.iter().map(|line| format!("{line}\x1b[K\n")).collect();
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "\x1b[H{picture}\x1b[J").and_then(|()| out.flush());
}

/// False where somebody said stop.
fn pause(length: Duration, stop: &AtomicBool) -> bool {
    let mut left = length;
    while !left.is_zero() && !stop.load(Ordering::Relaxed) {
        let slice = left.min(SLICE);
        std::thread::sleep(slice);
        left -= slice;
    }
    !stop.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_told_in_units_that_people_use() {
        let told =
            |rate, left| pace(&report::Edition { rate: Some(rate), left: Some(left), ..report::Edition::default() });
        for (rate, left, words) in [
            (4900.4, 204, "  4900 a second, 3 min left"),
            (1.25, 40, "  1.2 a second, 40 s left"),
            (0.05, 7200, "  3.0 a minute, 2 h left"),
            (14.0, 900_000, "  14 a second, 10 days left"),
            (14.0, 0, "  14 a second"),
        ] {
            assert_eq!(told(rate, left).as_deref(), Some(words));
        }
        assert_eq!(pace(&report::Edition::default()), None);
    }
}
