//! `postrider status`: editions and their deliveries, what is in doubt, what is due next.

use super::arguments::Global;
use super::cycle::edition_report;
use super::setup::Setup;
use super::{Exit, say};
use crate::report;
use crate::schedule::Schedule;
use crate::store::Store;
use crate::store::numbers::Named;
use anyhow::Result;
use chrono::SecondsFormat;

/// Editions listed of each digest.
const EACH: usize = 20;

/// `postrider status`
pub(super) fn run(global: &Global) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let (site, _) = setup.site()?;
    let store = setup.existing_store()?;
    let mut digests = Vec::new();
    for digest in &setup.config.digests {
        let zone = digest.zone(site.timezone);
        let local =
            |time: chrono::DateTime<chrono::Utc>| time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false);
        let last = store.last_slot(digest.name.as_str())?;
        let next = match &digest.schedule {
            Schedule::Crontab(crontab) => crontab.next_after(setup.clock.now(), zone).map(local),
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
    let status = report::Status {
        editions: store.editions(EACH)?.iter().map(edition_report).collect(),
        uncertain: named(store.uncertain()?),
        resent: named(store.resent()?),
        held: named(store.held()?),
        digests,
    };
    match global.json {
        true => say::json(&status)?,
        false => tell(&store, &status)?,
    }
    Ok(Exit::Done)
}

fn named(deliveries: Vec<Named>) -> Vec<report::Named> {
    let at = |n: &Named| n.at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    deliveries.into_iter().map(|n| report::Named { at: at(&n), edition: n.edition, address: n.address }).collect()
}

fn tell(store: &Store, status: &report::Status) -> Result<()> {
    if status.editions.is_empty() {
        say::line("no edition was frozen yet");
    }
    for edition in &status.editions {
        say::line(format!("{}  {}  {:?}", edition.id, edition.state, edition.subject));
        let counts = edition.counts.in_words().into_iter().filter(|(n, _)| *n > 0);
        let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
        say::line(format!("  {} recipients: {}", edition.recipients, counts.join(", ")));
    }
    let lists = [
        (&status.uncertain, "in doubt: no reply was recorded; they are sent once more by the next run"),
        (&status.resent, "sent again in doubt: may have come twice"),
        (&status.held, "held: may or may not have come; not sent again"),
    ];
    for (list, what) in lists {
        if !list.is_empty() {
            say::line(what);
        }
        for delivery in list {
            say::line(format!(
                "  {}  {}  {}",
                delivery.edition,
                delivery.address,
                delivery.at.as_deref().unwrap_or("-")
            ));
        }
    }
    for digest in &status.digests {
        let next = digest.next.as_ref().map_or("with the next new post".to_owned(), Clone::clone);
        say::line(format!(
            "{}: next {next}; last slot {}: {}",
            digest.name,
            digest.slot.as_deref().unwrap_or("none"),
            digest.reason
        ));
    }
    let (waiting, due) = store.waiting()?;
    if let (true, Some(due)) = (waiting > 0, due) {
        say::line(format!("{waiting} to be sent, the next from {}", due.to_rfc3339_opts(SecondsFormat::Secs, true)));
    }
    Ok(())
}
