//! Freezing: decides which slots are due, composes their editions, and writes them down with their deliveries.
//!
//! *Deciding* only reads, so that `plan` says what `run` would do. *Carrying out* renders outside any transaction and writes in
//! one; the database decides who was first (P3, P6).

mod upcoming;

use crate::config::Config;
use crate::edition;
use crate::edition::compose::{self, Grouping, Ingredients, Item, compose};
use crate::edition::select::{self, Candidate};
use crate::edition::slot::{self, Memory, Standing};
use crate::message::{self, List, skeleton};
use crate::post::{Content, PostId, Problem, Site};
use crate::schedule::Schedule;
use crate::site;
use crate::store::editions::{Audience, Decided, Frozen, Variant};
use crate::store::{self, Store};
use crate::subscriber::Choices;
use crate::template::Templates;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

pub use upcoming::{Holds, Upcoming};

/// Beyond so many renderings of one edition something is wrong with the choice of topics.
const MOST_VARIANTS: usize = 1000;

/// Beyond so many different choices of topics and languages they are not looked at one by one any more.
const MOST_CHOICES: usize = 100_000;

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
        "digest {digest:?}: its readers' topics and languages make more than {MOST_VARIANTS} different renderings\n  help: offer fewer topics"
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

    /// An edition as it is to be written down, composed for every kind of reader there is. Writes nothing.
    pub fn freeze(
        &self,
        digest: &edition::Settings,
        draft: &Draft<'a>,
        templates: &Templates,
        mail: &message::Settings,
        render: &dyn Fn(&Candidate<'a>) -> Result<Content, Problem>,
    ) -> Result<Frozen, Error> {
        let default = self.is_default(digest);
        let choices = self.store.choices(digest.name.as_str(), default, MOST_CHOICES)?;
        // Who is not looked at would get posts that they did not choose.
        if choices.len() > MOST_CHOICES {
            return Err(Error::TooManyVariants { digest: digest.name.to_string() });
        }
        let contents: Vec<Content> = draft.posts.iter().map(render).collect::<Result<_, _>>()?;
        // The first variant holds all posts, in the digest's own language; each other one is what some choice of topics leaves, in
        // the language of some reader.
        let all: Vec<usize> = (0..draft.posts.len()).collect();
        let mut variants: BTreeMap<(Vec<usize>, String), usize> = BTreeMap::from([((all.clone(), String::new()), 0)]);
        let mut order = vec![(all, String::new())];
        let mut audiences = Vec::new();
        for (topics, language) in choices {
            let left = leaves(&draft.posts, &Choices::from_stored(topics.clone()));
            let spoken = self.spoken_to(digest, &language, templates);
            let mut variant_in = |spoken: String| {
                let next = variants.len();
                let key = (left.clone(), spoken);
                *variants.entry(key.clone()).or_insert_with(|| {
                    order.push(key);
                    next
                })
            };
            // Whose language changes before the release gets the digest's own.
            let known = audiences.last().is_some_and(|last: &Audience| last.topics == topics);
            for language in
                [(!known).then(String::new), (!language.is_empty()).then_some(language)].into_iter().flatten()
            {
                let spoken = if language.is_empty() { String::new() } else { spoken.clone() };
                let variant = (!left.is_empty()).then(|| variant_in(spoken));
                audiences.push(Audience { topics: topics.clone(), language, variant });
            }
            if order.len() > MOST_VARIANTS {
                return Err(Error::TooManyVariants { digest: digest.name.to_string() });
            }
        }
        let list = self.list(digest, mail);
        let rendered = order.iter().map(|(which, language)| {
            let items: Vec<Item<'_>> = which
                .iter()
                .map(|at| Item { id: draft.posts[*at].id, post: draft.posts[*at].post, content: &contents[*at] })
                .collect();
            let reader = (!language.is_empty()).then_some(language.as_str());
            let composition = self.compose(digest, draft.slot, &items, reader, templates, mail)?;
            let message = skeleton(mail, &list, &composition, &draft.id)?;
            let positions = which.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            Ok(Variant {
                posts: format!("{positions} {language}").trim_end().to_owned(),
                subject: composition.subject,
                html: composition.html,
                text: composition.text,
                message: message.to_stored().to_owned(),
            })
        });
        let rendered: Vec<Variant> = rendered.collect::<Result<_, Error>>()?;
        Ok(Frozen {
            id: draft.id.clone(),
            digest: digest.name.to_string(),
            slot: draft.slot,
            after: draft.after,
            subject: rendered[0].subject.clone(),
            posts: draft.posts.iter().map(|c| c.id.clone()).collect(),
            variants: rendered,
            audiences,
            default,
            approve: digest.approve,
        })
    }

    /// The language of a reader where it is another than the digest's and there are words of it; else nothing.
    fn spoken_to(&self, digest: &edition::Settings, reader: &str, templates: &Templates) -> String {
        let own = digest.language.as_deref().unwrap_or(&self.site.language);
        let words = templates.words();
        match words.file(reader) {
            Some(theirs) if words.file(own) != Some(theirs) => theirs.to_owned(),
            _ => String::new(),
        }
    }

    /// The subject, HTML and text of some posts as this digest shows them; for readers of another language, in theirs.
    pub fn compose(
        &self,
        digest: &edition::Settings,
        slot: Option<DateTime<Utc>>,
        items: &[Item<'_>],
        reader: Option<&str>,
        templates: &Templates,
        mail: &message::Settings,
    ) -> Result<compose::Composition, Error> {
        let zone = digest.zone(self.site.timezone);
        let date = slot.unwrap_or(self.now).with_timezone(&zone).fixed_offset();
        let folders = &self.config.posts.dir;
        let day = date.format("%Y-%m-%d").to_string();
        let intro = site::introduction(folders, &self.config.root, digest.name.as_str(), &day, &self.site.url)?;
        let ingredients = Ingredients {
            site: self.site,
            digest: digest.name.as_str(),
            date,
            layout: digest.layout,
            grouping: Grouping { by: digest.group_by, tags: &digest.tags },
            theme: &self.config.theme,
            language: reader.or(digest.language.as_deref()).unwrap_or(&self.site.language),
            reader,
            intro: intro.as_ref(),
            subject: digest.subject.as_deref(),
            content: digest.content,
            max_posts: digest.max_posts,
            items,
            postal_address: mail.postal_address.as_deref(),
            templates,
        };
        compose(&ingredients).map_err(|e| Error::Template { digest: digest.name.to_string(), why: e.to_string() })
    }

    /// The list that a digest's mails belong to.
    pub fn list(&self, digest: &edition::Settings, mail: &message::Settings) -> List {
        List::new(&self.site.title, digest.name.as_str(), mail, None, self.config.web.public_url.as_ref())
    }

    /// Whether readers without a choice get this digest.
    pub fn is_default(&self, digest: &edition::Settings) -> bool {
        self.config.default_digests().contains(&digest.name.as_str())
    }
}

/// The positions of the posts that a choice of topics leaves; no choice leaves all.
pub fn leaves(posts: &[Candidate<'_>], topics: &Choices) -> Vec<usize> {
    let wanted = |c: &Candidate<'_>| topics.is_empty() || topics.iter().any(|topic| c.post.is_about(topic));
    posts.iter().enumerate().filter(|(_, c)| wanted(c)).map(|(at, _)| at).collect()
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
    kept.take(80).collect::<String>().trim_matches('.').to_owned()
}

fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
