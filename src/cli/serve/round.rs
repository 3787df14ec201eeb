//! One round of `serve`: what `run` does before it sends, and a line in the log for what is new in it.

use super::super::arguments::Global;
use super::super::cycle::Cycle;
use super::super::inbox;
use super::super::setup::Setup;
use crate::freeze::Verdict;
use crate::post::{Problem, problem};
use crate::publish;
use crate::store::Mode;
use crate::token::Keyring;
use anyhow::Result;
use chrono::{DateTime, Utc};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Looks at posts, list and mailbox, again and again.
pub(super) struct Watch<'a> {
    global: Global,
    setup: &'a Setup,
    keyring: &'a Keyring,
    /// Problems that were told of, and are there still.
    told: Mutex<HashSet<String>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(global: &Global, setup: &'a Setup, keyring: &'a Keyring) -> Self {
        // What it has to say goes into the log.
        let global = Global { quiet: true, json: false, ..global.clone() };
        Watch { global, setup, keyring, told: Mutex::default() }
    }

    /// When the next slot comes.
    pub(super) fn round(&self) -> Result<Option<DateTime<Utc>>> {
        let cycle = Cycle::open(&self.global, self.setup, Mode::MustExist)?;
        cycle.announcer().listen()?;
        let came_in = inbox::before_run(self.setup, &cycle.store, self.keyring);
        if let Ok(Some(summary)) = &came_in {
            tracing::info!("inbox: {summary}");
        }
        let mut problems = cycle.sync()?;
        let published = cycle.publish(publish::Mode::Publish)?;
        problems.extend(published.problems);
        let changed = published.feeds.iter().filter(|feed| feed.changed).count();
        if changed > 0 {
            tracing::info!(changed, "feeds were written");
        }
        let desk = cycle.desk(&published.identities)?;
        let next = match self.setup.config.digests.is_empty() {
            true => {
                cycle.announce(published.listed)?;
                None
            }
            false => {
                let decisions = cycle.decide(&desk, published.listed, &mut problems)?;
                for decision in &decisions {
                    match &decision.verdict {
                        Verdict::Nothing(_) => {}
                        Verdict::Pass(slot, why) => {
                            tracing::info!(digest = decision.digest.name.as_str(), %slot, "passed: {why}");
                        }
                        Verdict::Freeze(drafts) => {
                            drafts.iter().for_each(|draft| {
                                tracing::info!(edition = draft.id, posts = draft.posts.len(), "frozen");
                            });
                        }
                    }
                }
                decisions.iter().filter_map(|decision| decision.next).min()
            }
        };
        cycle.compact()?;
        cycle.announcer().tell()?.iter().for_each(|remark| tracing::warn!("{remark}"));
        problems.extend(cycle.blog.problems.iter().cloned());
        self.tell(problems);
        came_in.map(|_| next)
    }

    /// Warns of problems that were not there in the round before.
    fn tell(&self, problems: Vec<Problem>) {
        let now: Vec<String> = problem::gathered(problems).iter().map(ToString::to_string).collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        now.iter().filter(|problem| !told.contains(*problem)).for_each(|problem| tracing::warn!("{problem}"));
        *told = now.into_iter().collect();
    }
}
