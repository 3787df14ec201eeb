//! Freezing: decides which slots are due, composes their editions, and writes them down with their deliveries.
//!
//! *Deciding* only reads, so that `plan` says what `run` would do. *Carrying out* renders outside any transaction and writes in
//! one; the database decides who was first (P3, P6).

mod render;
mod upcoming;

use crate::config::Config;
use crate::edition;
use crate::edition::select::{self, Candidate};
use crate::edition::slot::{self, Memory, Standing};
use crate::message::{self, List};
use crate::post::{Content, PostId, Problem, Site};
use crate::schedule::Schedule;
use crate::store::editions::Decided;
use crate::store::{self, Store};
use crate::template::Templates;
use chrono::{DateTime, TimeDelta, Utc};
pub use render::leaves;
pub use upcoming::{Holds, Upcoming};

/// Why an edition could not be frozen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A template.
    #[error("digest {digest:?}: {why}")]
    Template {
        /// Which digest.
        digest: String,
        /// Why.
        why: String,
    },
    /// A header or an address of the mail.
    #[error(transparent)]
    Message(#[from] message::Error),
    /// A post that is no longer there.
    #[error("{0}")]
    Post(#[from] Problem),
    /// Too many renderings.
    #[error(
        "digest {digest:?}: its readers' topics and languages make more than {} different renderings\n  help: offer fewer topics",
        render::MOST_VARIANTS
    )]
    TooManyVariants {
        /// Which digest.
        digest: String,
    },
    /// A mail per post, and a flood of posts.
    #[error(
        "digest {digest:?} would send {count} mails at once, more than feeds.flood_limit allows: nothing was frozen\n  help: look at `plan`; if that is what you want, run once with --accept-new"
    )]
    Flood {
        /// Which digest.
        digest: String,
        /// How many.
        count: usize,
    },
}

/// What is known when deciding.
pub struct Desk<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The site.
    pub site: &'a Site,
    /// The posts that are published now; `taken` is filled in for each digest.
    pub posts: Vec<Candidate<'a>>,
    /// The ledger.
    pub store: &'a Store,
    /// Now.
    pub now: DateTime<Utc>,
    /// Whether more posts than the flood limit may become mails at once.
    pub accept_new: bool,
}

/// What is to be done about one digest.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The digest.
    pub digest: &'a edition::Settings,
    /// It is new to the store: what it remembers from now on, and its baseline.
    pub introduce: Option<(Memory, Vec<PostId>)>,
    /// What about its slot.
    pub verdict: Verdict<'a>,
    /// The next slot.
    pub next: Option<DateTime<Utc>>,
}

/// What about a digest's slot.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// Nothing to decide, and why.
    Nothing(String),
    /// This slot passes, and why.
    Pass(DateTime<Utc>, String),
    /// These editions are due.
    Freeze(Vec<Draft<'a>>),
}

/// An edition that is due.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Its id.
    pub id: String,
    /// The slot that it answers.
    pub slot: Option<DateTime<Utc>>,
    /// The newest slot that was decided when this was drafted.
    pub after: Option<DateTime<Utc>>,
    /// Its posts.
    pub posts: Vec<Candidate<'a>>,
}

impl<'a> Desk<'a> {
    /// Decides about every digest. A clock that runs before the ledger's newest decision decides nothing.
    pub fn decide(&self) -> Result<Vec<Decision<'a>>, Error> {
        let newest = self.store.newest_decision()?;
        if let Some(newest) = newest.filter(|newest| *newest > self.now + TimeDelta::minutes(1)) {
            let why = format!(
                "the clock says {}, which is before the newest decision in the ledger ({}): nothing is frozen",
                stamp(self.now),
                stamp(newest)
            );
            let held =
                |digest| Decision { digest, introduce: None, verdict: Verdict::Nothing(why.clone()), next: None };
            return Ok(self.config.digests.iter().map(held).collect());
        }
        self.config.digests.iter().map(|digest| self.decide_one(digest)).collect()
    }

    fn decide_one(&self, digest: &'a edition::Settings) -> Result<Decision<'a>, Error> {
        let taken = self.store.taken(digest.name.as_str())?;
        let mut posts: Vec<Candidate<'a>> =
            self.posts.iter().map(|c| Candidate { taken: taken.contains(c.id), ..*c }).collect();
        let known = self.store.digest(digest.name.as_str())?;
        let zone = digest.zone(self.site.timezone);
        let Schedule::Crontab(crontab) = &digest.schedule else {
            return self.decide_each(digest, posts, known);
        };
        let memory = known.unwrap_or_else(|| slot::introduce(crontab, digest, zone, self.now));
        let introduce = known.is_none().then(|| {
            // With `since`, what is dated before it; else all up to the latest slot.
            let until = digest.since.map_or(memory.newest + TimeDelta::milliseconds(1), |since| since.moment(zone));
            (memory, mark_baseline(&mut posts, until))
        });
        let verdict = match slot::standing(crontab, memory, digest.late, zone, self.now) {
            Standing::Decided if introduce.is_some() => {
                Verdict::Nothing("new here: what is there is its baseline, nothing is mailed".to_owned())
            }
            Standing::Decided => Verdict::Nothing("its latest slot was decided".to_owned()),
            Standing::TooLate(slot) => Verdict::Pass(slot, "later than `late` allows".to_owned()),
            Standing::Due(slot) => {
                let new = select::for_slot(&posts, digest, crontab, memory, slot, zone);
                match new.len() {
                    0 => Verdict::Pass(slot, "nothing new".to_owned()),
                    n if n < digest.min_posts => {
                        Verdict::Pass(slot, format!("{n} new of {} wanted, carried over", digest.min_posts))
                    }
                    _ => {
                        let id = self.free_id(digest, slot)?;
                        Verdict::Freeze(vec![Draft { id, slot: Some(slot), after: Some(memory.newest), posts: new }])
                    }
                }
            }
        };
        Ok(Decision { digest, introduce, verdict, next: crontab.next_after(self.now, zone) })
    }

    fn decide_each(
        &self,
        digest: &'a edition::Settings,
        mut posts: Vec<Candidate<'a>>,
        known: Option<Memory>,
    ) -> Result<Decision<'a>, Error> {
        let introduce = known.is_none().then(|| {
            let zone = digest.zone(self.site.timezone);
            let until = digest.since.map_or(self.now + TimeDelta::milliseconds(1), |since| since.moment(zone));
            (Memory { newest: self.now, first: self.now }, mark_baseline(&mut posts, until))
        });
        let new = select::for_each(&posts, digest, self.now);
        if new.len() > self.config.feeds.flood_limit && !self.accept_new {
            return Err(Error::Flood { digest: digest.name.to_string(), count: new.len() });
        }
        let mut drafts: Vec<Draft<'a>> = Vec::new();
        for post in new {
            let base = format!("{}/{}-{}", digest.name, post.post.published.format("%Y-%m-%d"), plain(&post.post.slug));
            let mut id = base.clone();
            let mut number = 1;
            while drafts.iter().any(|d| d.id == id) || self.store.has_edition(&id)? {
                number += 1;
                id = format!("{base}-{number}");
            }
            drafts.push(Draft { id, slot: None, after: None, posts: vec![post] });
        }
        let verdict = match drafts.is_empty() {
            true if introduce.is_some() => {
                Verdict::Nothing("new here: what is there is its baseline, nothing is mailed".to_owned())
            }
            true => Verdict::Nothing("nothing new".to_owned()),
            false => Verdict::Freeze(drafts),
        };
        Ok(Decision { digest, introduce, verdict, next: None })
    }

    fn free_id(&self, digest: &edition::Settings, slot: DateTime<Utc>) -> Result<String, Error> {
        let local = slot.with_timezone(&digest.zone(self.site.timezone));
        let mut id = format!("{}/{}", digest.name, local.format("%Y-%m-%d"));
        if self.store.has_edition(&id)? {
            id = format!("{}/{}", digest.name, local.format("%Y-%m-%dT%H%M"));
        }
        // A schedule that moved to another zone comes to the same wall time twice.
        let base = id.clone();
        let mut number = 1;
        while self.store.has_edition(&id)? {
            number += 1;
            id = format!("{base}-{number}");
        }
        Ok(id)
    }

    /// Does what was decided. `render` gives a post's content; `templates` and `mail` make the message.
    pub fn carry_out(
        &self,
        decision: &Decision<'a>,
        templates: &Templates,
        mail: &message::Settings,
        render: &dyn Fn(&Candidate<'a>) -> Result<Content, Problem>,
    ) -> Result<(), Error> {
        let digest = decision.digest;
        let name = digest.name.as_str();
        if let Some((memory, baseline)) = &decision.introduce {
            self.store.introduce(name, *memory, baseline, self.now)?;
        }
        match &decision.verdict {
            Verdict::Nothing(_) => {}
            Verdict::Pass(slot, reason) => drop(self.store.pass(name, *slot, reason, self.now)?),
            Verdict::Freeze(drafts) => {
                for draft in drafts {
                    let frozen = self.freeze(digest, draft, templates, mail, render)?;
                    if self.store.freeze(&frozen, self.now)? == Decided::Before {
                        tracing::info!(edition = draft.id, "another run has decided meanwhile");
                    }
                }
            }
        }
        Ok(())
    }

    /// The list that a digest's mails belong to.
    pub fn list(&self, digest: &edition::Settings, mail: &message::Settings) -> List {
        let inbox = self.config.inbox.as_ref().and_then(|inbox| inbox.address.as_ref());
        List::new(&self.site.title, digest.name.as_str(), mail, inbox, self.config.web.public_url.as_ref())
    }

    /// Whether readers without a choice get this digest.
    pub fn is_default(&self, digest: &edition::Settings) -> bool {
        self.config.default_digests().contains(&digest.name.as_str())
    }
}

/// Marks what is dated before a moment as behind the digest; their ids.
fn mark_baseline(posts: &mut [Candidate<'_>], until: DateTime<Utc>) -> Vec<PostId> {
    let old = posts.iter_mut().filter(|c| c.post.published.to_utc() < until);
    old.map(|c| {
        c.taken = true;
        c.id.clone()
    })
    .collect()
}

/// A slug as a part of an edition's id, which is also a file name.
fn plain(slug: &str) -> String {
    let kept = slug.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' });
    // Octets: a file's name has 255.
    let mut length = 0;
    let fits = |c: &char| {
        length += c.len_utf8();
        length <= 80
    };
    kept.take_while(fits).collect::<String>().trim_matches('.').to_owned()
}

fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
