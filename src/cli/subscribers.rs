//! `postrider subscribers`: the list of readers.

use super::arguments::{Global, SubscribersAction};
use super::setup::Setup;
use super::{Exit, say, why};
use crate::address::EmailAddress;
use crate::post::Problem;
use crate::store::erasure::ERASED;
use crate::store::subscribers::{Added, Subscriber};
use crate::store::{Mode, Store};
use crate::subscriber::export::{Form, Listed};
use crate::subscriber::file::Row;
use crate::subscriber::import::{self, Person};
use crate::subscriber::{Choices, Status, Suppression, clean_name};
use anyhow::{Context, Result, anyhow, bail};
use std::path::Path;

/// `postrider subscribers …`
pub(super) fn run(global: &Global, action: &SubscribersAction) -> Result<Exit> {
    let setup = Setup::load(global)?;
    match action {
        SubscribersAction::Add { address, name, language, digests, tags } => {
            let row = Row {
                address: parse(address)?,
                name: name.as_deref().and_then(clean_name),
                language: language.clone(),
                digests: known_digests(&setup, digests)?,
                topics: Choices::parse(tags),
                status: Status::Active,
            };
            add(global, &setup, &row)
        }
        SubscribersAction::Remove { address, suppress } => remove(global, &setup, &parse(address)?, *suppress),
        SubscribersAction::List => list(global, &setup),
        SubscribersAction::Import { file, dry_run } => import(global, &setup, file, *dry_run),
        SubscribersAction::Export { address: None, form } => export(global, &setup, *form),
        SubscribersAction::Export { address: Some(address), .. } => all_of(&setup, &parse(address)?),
        SubscribersAction::Forget { address } => forget(global, &setup, &parse(address)?),
    }
}

fn parse(address: &str) -> Result<EmailAddress> {
    address.parse().map_err(|e| anyhow!("{address:?} is not an address: {e}"))
}

fn known_digests(setup: &Setup, digests: &str) -> Result<Choices> {
    let choices = Choices::parse(digests);
    for chosen in choices.iter() {
        if !setup.config.digests.iter().any(|d| d.name.as_str() == chosen) {
            let known: Vec<&str> = setup.config.digests.iter().map(|d| d.name.as_str()).collect();
            bail!("there is no digest {chosen:?}\n  help: there are {}", known.join(", "));
        }
    }
    Ok(choices)
}

fn add(global: &Global, setup: &Setup, row: &Row) -> Result<Exit> {
    let store = setup.store(Mode::Create)?;
    if let Some(reason) = store.suppression(&row.address, &setup.random)? {
        bail!(
            "{} is suppressed ({reason}) and cannot be added\n  help: `postrider why {0}` tells the story",
            row.address.as_str()
        );
    }
    let done = match store.add_subscriber(row, "cli", &setup.random, setup.clock.now())? {
        Added::New => "added",
        Added::Changed => "changed",
        Added::Same => "was there already",
        Added::Refused | Added::Suppressed => bail!(
            "{} unsubscribed, or is governed by the subscribers' file, and stays as it is\n  help: `postrider why {0}` tells the story",
            row.address.as_str()
        ),
    };
    told(
        global,
        &serde_json::json!({ "address": row.address.as_str(), "done": done }),
        &format!("{}: {done}", row.address.as_str()),
    )
}

fn remove(global: &Global, setup: &Setup, address: &EmailAddress, suppress: bool) -> Result<Exit> {
    let store = setup.existing_store()?;
    let now = setup.clock.now();
    let found = store.find_subscriber(address, &setup.random)?;
    if suppress {
        store.suppress(address, Suppression::Manual, &setup.random, now)?;
    }
    let done = match found {
        Some(subscriber) => match store.unsubscribe(&subscriber.id, "cli", &setup.random, now)? {
            true => "unsubscribed",
            false => "had left before",
        },
        None if suppress => "suppressed",
        None => bail!(
            "{} is not on the list\n  help: `postrider subscribers list` shows who is; --suppress keeps the address off it",
            address.as_str()
        ),
    };
    told(
        global,
        &serde_json::json!({ "address": address.as_str(), "done": done }),
        &format!("{}: {done}", address.as_str()),
    )
}

fn list(global: &Global, setup: &Setup) -> Result<Exit> {
    let store = setup.existing_store()?;
    if global.json {
        let mut all = Vec::new();
        each(&store, |s| all.push(shown(&s)))?;
        say::json(&serde_json::json!({ "subscribers": all }))?;
        return Ok(Exit::Done);
    }
    let mut count = 0;
    each(&store, |s| {
        count += 1;
        let state = s.suppressed.map_or_else(|| s.row.status.to_string(), |reason| format!("suppressed ({reason})"));
        say::line(
            format!("{:<36} {:<14} {}", s.row.address.as_str(), state, s.row.name.unwrap_or_default()).trim_end(),
        );
    })?;
    say::remark(global, say::count(count, "subscriber"));
    Ok(Exit::Done)
}

/// As many rows are told one by one in a JSON document.
const MOST_TOLD: usize = 10_000;

/// What came of an import.
#[derive(Default)]
struct Imported {
    rows: u64,
    new: u64,
    changed: u64,
    same: u64,
    refused: u64,
    suppressed: u64,
    left_out: u64,
    told: Vec<Problem>,
}

impl Imported {
    fn count(&mut self, added: Added) {
        *match added {
            Added::New => &mut self.new,
            Added::Changed => &mut self.changed,
            Added::Same => &mut self.same,
            Added::Refused => &mut self.refused,
            Added::Suppressed => &mut self.suppressed,
        } += 1;
    }
}

fn import(global: &Global, setup: &Setup, path: &Path, dry_run: bool) -> Result<Exit> {
    let shown = path.display().to_string();
    let source = std::fs::File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let store = setup.store(if dry_run { Mode::Rehearse } else { Mode::Create })?;
    let now = setup.clock.now();
    let topics = Choices::from_list(setup.config.subscribe.topics.iter().map(String::as_str));
    let mut done = Imported::default();
    let origin = store.take_over(&format!("import {shown}"), &setup.random, now, |put| {
        import::read(std::io::BufReader::new(source), &shown, &topics, now, &mut |row: Result<Person, Problem>| {
            done.rows += 1;
            match row {
                Ok(person) => done.count(put(&person)?),
                Err(problem) => {
                    done.left_out += 1;
                    say::remark(global, format!("not taken: {problem}"));
                    if global.json && done.told.len() < MOST_TOLD {
                        done.told.push(problem);
                    }
                }
            }
            Ok::<_, anyhow::Error>(())
        })
    })?;
    let Imported { rows, new, changed, same, refused, suppressed, left_out, told: problems } = done;
    let document = serde_json::json!({
        "origin": origin.to_string(), "dry_run": dry_run, "rows": rows, "new": new, "changed": changed, "same": same,
        "refused": refused, "suppressed": suppressed, "left_out": left_out, "problems": problems,
    });
    let would = if dry_run { "nothing was changed; it would be: " } else { "" };
    let words = format!(
        "{would}{} of {origin}: {new} new, {changed} changed, {same} as they were, {refused} left as they are because they \
         unsubscribed, {suppressed} that must not be mailed, {left_out} not taken",
        say::count(rows as usize, "row"),
    );
    told(global, &document, &words)?;
    Ok(if global.strict && left_out > 0 { Exit::Problems } else { Exit::Done })
}

/// Everybody, as CSV.
fn export(global: &Global, setup: &Setup, form: Form) -> Result<Exit> {
    let store = setup.existing_store()?;
    if global.json {
        bail!("export prints CSV\n  help: `postrider subscribers list --json` prints JSON");
    }
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    out.write_record(form.header())?;
    let (mut broken, mut left_out) = (None, 0);
    each(&store, |s| {
        let suppressed = s.suppressed.as_deref();
        match form.line(&Listed { row: &s.row, labels: &s.labels, since: s.added, suppressed }) {
            Some(line) => broken = broken.take().or_else(|| out.write_record(line).err()),
            None => left_out += 1,
        }
    })?;
    out.flush()?;
    if left_out > 0 {
        say::remark(global, format!("{left_out} who left, pause or must not be mailed have no place in it"));
    }
    broken.map_or(Ok(Exit::Done), |error| Err(error.into()))
}

/// All that is stored of a person (GDPR, article 15), as one JSON document.
fn all_of(setup: &Setup, address: &EmailAddress) -> Result<Exit> {
    let store = setup.existing_store()?;
    let story = store.story(address, &setup.random)?;
    let stored = store.find_subscriber(address, &setup.random)?.filter(|s| !is_erased(s));
    if stored.is_none() && story.events.is_empty() {
        bail!("nothing is stored of {}", address.as_str());
    }
    let subscriber = stored.as_ref().map(shown);
    say::json(&serde_json::json!({ "subscriber": subscriber, "story": why::document(address, story) }))?;
    Ok(Exit::Done)
}

fn forget(global: &Global, setup: &Setup, address: &EmailAddress) -> Result<Exit> {
    let store = setup.existing_store()?;
    let known = store.forget(address, &setup.random, setup.clock.now())?;
    if let Some(file) = setup.config.subscribers.file.as_ref().filter(|_| known) {
        say::remark(global, format!("a row of theirs in {} has no effect any more; delete it there", file.display()));
    }
    let done = if known { "forgotten; a salted hash remains" } else { "nothing was known of it" };
    told(
        global,
        &serde_json::json!({ "address": address.as_str(), "done": done }),
        &format!("{}: {done}", address.as_str()),
    )
}

/// Everybody who was not erased.
fn each(store: &Store, mut take: impl FnMut(Subscriber)) -> Result<()> {
    store.each_subscriber(|s| {
        if !is_erased(&s) {
            take(s);
        }
        Ok(())
    })?;
    Ok(())
}

fn is_erased(subscriber: &Subscriber) -> bool {
    subscriber.row.address.as_str() == ERASED
}

fn shown(s: &Subscriber) -> serde_json::Value {
    serde_json::json!({
        "address": s.row.address.as_str(), "name": s.row.name, "language": s.row.language,
        "digests": s.row.digests.iter().collect::<Vec<_>>(), "tags": s.row.topics.iter().collect::<Vec<_>>(),
        "labels": s.labels.iter().collect::<Vec<_>>(), "status": s.row.status.as_str(), "suppressed": s.suppressed,
        "source": s.source, "added": s.added.to_rfc3339(),
    })
}

fn told(global: &Global, document: &serde_json::Value, words: &str) -> Result<Exit> {
    match global.json {
        true => say::json(document)?,
        false => say::line(words),
    }
    Ok(Exit::Done)
}
