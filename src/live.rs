//! `require_live`: an edition is released when its posts are on the site. Promises: nobody is asked for longer than half a minute a
//! run; who gets the edition is decided when it is released (P3); and an edition that is given up reached nobody, so that its
//! posts go with the next one.

use crate::clock::Clock;
use crate::config::Config;
use crate::edition;
use crate::http::Probe;
use crate::post::Site;
use crate::schedule::Schedule;
use crate::store::awaited::Waiting;
use crate::store::{self, Store};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many addresses are asked together.
const AT_ONCE: usize = 4;
/// After this no further one is begun with.
const BUDGET: Duration = Duration::from_secs(30);

/// What was heard, by address: why it did not answer; empty where it did.
pub type Answers = BTreeMap<String, String>;

/// What waiting for posts needs.
pub struct Live<'a> {
    /// The digests.
    pub config: &'a Config,
    /// The site.
    pub site: &'a Site,
    /// The store.
    pub store: &'a Store,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Live<'_> {
    /// Gives up what has waited for too long; their ids. Before slots are decided, since their posts are new again.
    pub fn give_up(&self) -> Result<Vec<String>, store::Error> {
        let mut given_up = Vec::new();
        for waiting in self.store.awaiting()? {
            let is_over = self.digest(&waiting).is_some_and(|digest| self.is_over(digest, &waiting));
            if is_over && self.store.give_up(&waiting.edition)? {
                given_up.push(waiting.edition);
            }
        }
        Ok(given_up)
    }

    /// Whether the next run is not to try again: a post has moved, `late` is over, or another slot has come. What a person has still
    /// to approve, and a mail per post, waits for as long as it takes.
    fn is_over(&self, digest: &edition::Settings, waiting: &Waiting) -> bool {
        if waiting.moved && digest.require_live {
            return true;
        }
        let (Schedule::Crontab(crontab), Some(slot), Some(approved)) =
            (&digest.schedule, waiting.slot, waiting.approved)
        else {
            return false;
        };
        let since = slot.max(approved);
        let next = crontab.next_after(since, digest.zone(self.site.timezone));
        self.now - since > digest.late.0 || next.is_some_and(|next| next <= self.now)
    }

    /// What waits, with what must answer: nothing where the digest does not require it any more.
    pub fn waiting(&self) -> Result<Vec<Waiting>, store::Error> {
        let mut all = self.store.awaiting()?;
        for waiting in &mut all {
            if self.digest(waiting).is_some_and(|digest| !digest.require_live) {
                waiting.urls.clear();
            }
        }
        Ok(all)
    }

    /// Remembers the answers, and releases what nothing keeps any more.
    pub fn settle(&self, waiting: &[Waiting], answers: &Answers) -> Result<(), store::Error> {
        for Waiting { edition, digest, urls, .. } in waiting {
            let heard: Vec<(&str, &str)> =
                urls.iter().filter_map(|url| Some((url.as_str(), answers.get(url)?.as_str()))).collect();
            self.store.heard(edition, &heard)?;
            // One whose digest is not configured any more, nobody is known to want.
            let is_wanted = self.config.digests.iter().any(|known| known.name.as_str() == digest);
            if is_wanted && all_answer(urls, answers) {
                let default = self.config.default_digests().contains(&digest.as_str());
                self.store.release_live(edition, default, self.now)?;
            }
        }
        Ok(())
    }

    fn digest(&self, waiting: &Waiting) -> Option<&edition::Settings> {
        self.config.digests.iter().find(|digest| digest.name.as_str() == waiting.digest)
    }
}

/// Whether each of them answered.
pub fn all_answer(urls: &[String], answers: &Answers) -> bool {
    urls.iter().all(|url| answers.get(url).is_some_and(String::is_empty))
}

/// Asks the site for what editions wait for, each address once.
pub fn ask(waiting: &[Waiting], clock: &Clock) -> Answers {
    let urls: BTreeSet<&String> = waiting.iter().flat_map(|waiting| &waiting.urls).collect();
    if urls.is_empty() {
        return Answers::new();
    }
    let (probe, stopwatch) = (Probe::default(), clock.stopwatch());
    let workers = AT_ONCE.min(urls.len());
    let next = Mutex::new(urls.into_iter());
    let answers = Mutex::new(Answers::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let url = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(url) = url else { return };
                    let said = match stopwatch.elapsed() < BUDGET {
                        true => probe.is_there(url).err().unwrap_or_default(),
                        false => "not asked: the others took too long".to_owned(),
                    };
                    answers.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone(), said);
                }
            });
        }
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner)
}
