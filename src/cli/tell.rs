//! What `run`, `build` and `plan` did, in words: what was read, written, sent, and what comes next.

use super::say;
use crate::dispatch::Dispatched;
use crate::freeze::{Decision, Verdict};
use crate::post::{Site, harmless};
use crate::report;
use crate::store::Store;
use anyhow::Result;
use std::path::PathBuf;

/// What `run` has to tell beyond the report.
pub(super) struct Told<'a> {
    pub(super) decisions: &'a [Decision<'a>],
    pub(super) dispatched: &'a Dispatched,
    /// The folder where mails stay, where they do.
    pub(super) outbox: Option<PathBuf>,
    pub(super) store: &'a Store,
}

/// So many feeds have a line of their own each, whatever became of them, and so many of those that changed.
const FEEDS_SHOWN: usize = 20;

/// A line for each feed; where there are many, for those that changed.
fn tell_feeds(feeds: &[report::Feed], rehearsal: bool) {
    let few = feeds.len() <= FEEDS_SHOWN;
    let shown: Vec<&report::Feed> = feeds.iter().filter(|feed| few || feed.changed).take(FEEDS_SHOWN).collect();
    let changed = if rehearsal { "would change" } else { "written" };
    for feed in &shown {
        let what = if feed.changed { changed } else { "unchanged" };
        let changes = match feed.difference.as_ref().filter(|_| feed.changed) {
            None => String::new(),
            Some(d) if d.new.len() == feed.entries && d.gone.is_empty() => " (for the first time)".to_owned(),
            Some(d) if d.is_empty() => " (not in its entries)".to_owned(),
            Some(d) => format!(" ({} new, {} updated, {} gone)", d.new.len(), d.updated.len(), d.gone.len()),
        };
        say::line(format!("{:<28} {:>3} entries  {what}{changes}", feed.path, feed.entries));
    }
    let left = feeds.len() - shown.len();
    if left > 0 {
        let others = if shown.is_empty() { "feeds" } else { "more feeds" };
        let unchanged = feeds.iter().filter(|feed| !feed.changed).count();
        say::line(match left - unchanged {
            0 => format!("{left} {others}, unchanged"),
            more => format!("{left} {others}: {more} {changed}, {unchanged} unchanged"),
        });
    }
}

/// The result in words: what was read, written, sent; what comes next.
pub(super) fn tell(site: &Site, run: &report::Run, told: Option<&Told<'_>>) -> Result<()> {
    let posts = &run.posts;
    let mut first = format!("{} read, {} published", say::count(posts.read, "post"), posts.published);
    for (n, noun) in [(posts.hidden.len(), "hidden"), (posts.problems.len(), "with problems")] {
        if n > 0 {
            first.push_str(&format!(", {n} {noun}"));
        }
    }
    say::line(first);
    let rehearsal = run.digests.is_some();
    if let Some(read_as) = &posts.read_as {
        say::line(format!("read as {}, for {}", read_as.dialect, read_as.why));
    }
    if let Some(newest) = &posts.newest {
        say::line(format!("newest: {} is {}", harmless(&newest.path), newest.url));
    }
    if !posts.unread.is_empty() {
        let formats: Vec<String> = posts.unread.iter().map(|(format, count)| format!("{count} .{format}")).collect();
        say::line(format!("not read, for only Markdown and HTML are: {}", formats.join(", ")));
    }
    tell_feeds(&run.feeds, rehearsal);
    for edition in run.editions.iter().flatten() {
        say::line(edition_line(edition, rehearsal));
        edition.waits_for().iter().for_each(|what| say::line(format!("  {what}")));
        if let Some(not) = &edition.not {
            let why = not.in_words();
            if !why.is_empty() {
                say::line(format!("  not to: {}", why.join(", ")));
            }
        }
    }
    for digest in run.digests.iter().flatten() {
        let due = if digest.due { "due" } else { "not due" };
        let next = digest.next.as_ref().map_or(String::new(), |next| format!("; next {next}"));
        say::line(format!("{}: {due}, {}{next}", digest.name, digest.reason));
    }
    if !run.relays.is_empty() {
        let took = |relay: &report::Relay| {
            let failed = if relay.failed.is_some() { ", then out of service" } else { "" };
            format!("{} took {}{failed}", relay.name, relay.accepted)
        };
        say::line(format!("relays: {}", run.relays.iter().map(took).collect::<Vec<_>>().join("; ")));
    }
    let Some(told) = told else { return Ok(()) };
    for decision in told.decisions {
        let zone = decision.digest.zone(site.timezone);
        let name = &decision.digest.name;
        let next = decision.next.map_or(String::new(), |next| {
            format!("; next on {} ({zone})", next.with_timezone(&zone).format("%A, %-d %B %Y at %H:%M"))
        });
        match &decision.verdict {
            Verdict::Nothing(why) | Verdict::Pass(_, why) => say::line(format!("{name}: nothing is due: {why}{next}")),
            Verdict::Freeze(_) => say::line(format!("{name}: frozen{next}")),
        }
    }
    outbox_hint(told)
}

fn edition_line(edition: &report::Edition, rehearsal: bool) -> String {
    let word = |what: &'static str| if rehearsal && what == "queued" { "would get it" } else { what };
    let counts = edition.counts.in_words().into_iter().filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {}", word(what))).collect();
    let counts = if counts.is_empty() { "no recipients".to_owned() } else { counts.join(", ") };
    format!("{}  {}  {:?}: {counts}", edition.id, edition.state, edition.subject)
}

/// What goes to a directory has reached nobody; say so, and what to do next.
fn outbox_hint(told: &Told<'_>) -> Result<()> {
    let in_outbox = told.store.only_in_outbox()?;
    match &told.outbox {
        Some(folder) if !in_outbox.is_empty() => {
            say::line(format!("The mails lie in {}/ as .eml files; none has left this machine.", folder.display()));
            say::line(
                "To send digests, set mail.transport in the configuration to your server: smtp://user@host:587, and mail.password.",
            );
        }
        Some(_) => {}
        None => {
            for (edition, count) in in_outbox {
                say::line(format!(
                    "{edition}: {count} went to an outbox only; `postrider retry {edition} --outbox` sends them"
                ));
            }
        }
    }
    Ok(())
}
