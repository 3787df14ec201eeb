//! `postrider subscribers import`: another program's list, a piece at a time, so that whoever unsubscribes meanwhile does not wait for its
//! end.

use super::arguments::Global;
use super::setup::Setup;
use super::subscribers::told;
use super::{Exit, say};
use crate::post::Problem;
use crate::store::subscribers::Added;
use crate::store::{Mode, Store};
use crate::subscriber::import::{self, Entry, Person, Place};
use crate::subscriber::{Choices, Status};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

/// As many rows are told one by one in a JSON document.
const MOST_TOLD: usize = 10_000;

/// What came of an import.
#[derive(Default)]
struct Imported {
    rows: u64,
    new: u64,
    /// Of the new ones, who gets mail, or will.
    readers: u64,
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

/// So many people are taken in one transaction: each change to the list's indexes costs a page, and nobody is to wait long.
const PIECE: usize = 10_000;
/// Between two of them whoever waits for the store gets their turn.
const PAUSE: Duration = Duration::from_millis(25);

/// An import under way.
struct Taking<'a> {
    global: &'a Global,
    setup: &'a Setup,
    store: &'a Store,
    source: String,
    now: DateTime<Utc>,
    /// Those who are not taken yet.
    people: Vec<Person>,
    /// Up to where all are taken.
    reached: Option<Place>,
    done: Imported,
}

impl Taking<'_> {
    fn take(&mut self, entry: Entry) -> Result<()> {
        self.done.rows += 1;
        match entry.person {
            Ok(person) => self.people.push(person),
            Err(problem) => {
                self.done.left_out += 1;
                say::remark(self.global, format!("not taken: {problem}"));
                if self.global.json && self.done.told.len() < MOST_TOLD {
                    self.done.told.push(problem);
                }
            }
        }
        if self.people.len() == PIECE {
            self.piece()?;
            self.reached = Some(entry.place);
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn piece(&mut self) -> Result<()> {
        let added = self.store.take_over(&self.people, &self.source, &self.setup.random, self.now)?;
        for (person, added) in self.people.iter().zip(added) {
            self.done.count(added);
            let reads = matches!(person.row.status, Status::Active | Status::Paused) && person.suppression.is_none();
            self.done.readers += u64::from(added == Added::New && reads);
        }
        self.people.clear();
        Ok(())
    }
}

/// `postrider subscribers import FILE`
pub(super) fn run(global: &Global, setup: &Setup, path: &Path, dry_run: bool) -> Result<Exit> {
    let shown = path.display().to_string();
    let open = || std::fs::File::open(path).with_context(|| format!("{shown} cannot be read"));
    // One that breaks off is refused before anybody is taken from it; a pipe can be read but once.
    if std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
        import::check(BufReader::new(open()?), &shown).context("nothing was taken from it")?;
    }
    let store = setup.store(if dry_run { Mode::Rehearse } else { Mode::Create })?;
    let now = setup.clock.now();
    let topics = Choices::from_list(setup.config.subscribe.topics.iter().map(String::as_str));
    let mut taking = Taking {
        global,
        setup,
        store: &store,
        source: format!("import {shown}"),
        now,
        people: Vec::new(),
        reached: None,
        done: Imported::default(),
    };
    let read = import::read(BufReader::new(open()?), &shown, &topics, now, &mut |entry| taking.take(entry));
    let origin = match read.and_then(|origin| taking.piece().map(|()| origin)) {
        Ok(origin) => origin,
        Err(error) => {
            return Err(match taking.reached {
                Some(place) if !dry_run => error
                    .context(format!("{shown} was taken up to {place}; the same command once more goes on from there")),
                _ => error,
            });
        }
    };
    let done = taking.done;
    let Imported { rows, new, readers, changed, same, refused, suppressed, left_out, told: problems } = done;
    let document = serde_json::json!({
        "origin": origin.to_string(), "dry_run": dry_run, "rows": rows, "new": new, "new_readers": readers, "changed": changed, "same": same,
        "refused": refused, "suppressed": suppressed, "left_out": left_out, "problems": problems,
    });
    let would = if dry_run { "nothing was changed; it would be: " } else { "" };
    let words = format!(
        "{would}{} of {origin}: {new} new ({readers} of them readers), {changed} changed, {same} as they were, {refused} left as they are because they \
         unsubscribed, {suppressed} that must not be mailed, {left_out} not taken",
        say::count(rows as usize, "row"),
    );
    told(global, &document, &words)?;
    Ok(if global.strict && left_out > 0 { Exit::Problems } else { Exit::Done })
}
