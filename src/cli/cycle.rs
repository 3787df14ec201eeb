//! The steps that a run is made of, from the posts on disk to editions that may go: the common ground of `run`, `build`, `plan`, `serve`,
//! `draft`, `preview` and `check`.

use super::arguments::Global;
use super::say;
use super::setup::Setup;
use crate::announce::Announcer;
use crate::archive::Archive;
use crate::catalogue;
use crate::check::{self, Severity};
use crate::edition::select::Candidate;
use crate::feed::Listed;
use crate::freeze::{Decision, Desk, Verdict};
use crate::live::{self, Live};
use crate::post::identity::{Assigned, Known};
use crate::post::{Post, Problem, Site};
use crate::publish::{self, Published, Publisher};
use crate::report;
use crate::site::{self, Blog, Generator};
use crate::store::awaited::Waiting;
use crate::store::numbers::Edition;
use crate::store::{Mode, Place, Store};
use crate::subscribe;
use crate::websub::Websub;
use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use std::cell::RefCell;
use std::sync::Arc;

/// What a run would do, as far as it is known without asking the site.
pub(super) struct Planned {
    /// Editions whose posts must answer wait.
    pub(super) run: report::Run,
    /// These.
    pub(super) waiting: Vec<Waiting>,
    /// All editions, as they are if the posts of all answer.
    pub(super) released: Vec<report::Edition>,
}

/// The common ground of the three, of `draft`, `preview` and `check`.
pub(super) struct Cycle<'a> {
    global: &'a Global,
    pub(super) setup: &'a Setup,
    pub(super) site: Site,
    pub(super) generator: Generator,
    pub(super) blog: Blog,
    pub(super) store: Store,
    known: Vec<Arc<Known>>,
    pub(super) now: DateTime<Utc>,
}

impl<'a> Cycle<'a> {
    pub(super) fn open(global: &'a Global, setup: &'a Setup, mode: Mode) -> Result<Self> {
        let now = setup.clock.now();
        let (site, generator) = setup.site()?;
        // First what only looks: a wrong folder leaves no store behind.
        site::look(&setup.config.posts, &setup.config.root)?;
        let store = setup.store(mode)?;
        let (posts, root) = (&setup.config.posts, &setup.config.root);
        let (files, known) = rayon::join(|| site::find(posts, &generator, root), || store.known_posts());
        let (files, known) = (files?, known?);
        let blog = site::read(files, posts, &site, &generator, root, &known, now);
        let exposed = check::exposed(&setup.config, &generator);
        for exposed in exposed.into_iter().filter(|exposed| exposed.severity == Severity::Error) {
            say::remark(global, format!("{}\n  help: {}", exposed.message, exposed.help));
        }
        Ok(Cycle { global, setup, site, generator, blog, store, known, now })
    }

    /// The same for who only looks: every post is read, whatever the store remembers of it, and nothing is kept. Where the store
    /// is not at hand, as in a pull request's CI, it is as before the first run.
    pub(super) fn anew(global: &'a Global, setup: &'a Setup) -> Result<Self> {
        let now = setup.clock.now();
        let (site, generator) = setup.site()?;
        let none = || Store::open(&Place::Memory, Mode::Rehearse);
        let store = match setup.config.digests.is_empty() {
            true => none()?,
            false => setup.store(Mode::Rehearse).or_else(|_| none())?,
        };
        let (posts, root) = (&setup.config.posts, &setup.config.root);
        let blog = site::read(site::find(posts, &generator, root)?, posts, &site, &generator, root, &[], now);
        let known = store.known_posts()?;
        Ok(Cycle { global, setup, site, generator, blog, store, known, now })
    }

    pub(super) fn sync(&self) -> Result<Vec<Problem>> {
        let Setup { config, random, .. } = self.setup;
        self.store.tidy_requests(self.now)?;
        let synced = subscribe::sync_file(config, &self.store, self.global.accept_removals, random, self.now)?;
        Ok(synced.map(|(_, problems)| problems).unwrap_or_default())
    }

    pub(super) fn publish(&self, mode: publish::Mode) -> Result<Published> {
        let publisher = Publisher {
            config: &self.setup.config,
            site: &self.site,
            blog: &self.blog,
            store: &self.store,
            known: &self.known,
            now: self.now,
            accept_new: self.global.accept_new,
            accept_removals: self.global.accept_removals,
        };
        match publisher.run(mode) {
            // Who looks before a run wants to see what the guards hold up.
            Err(guard @ (publish::Error::Flood { .. } | publish::Error::Emptied { .. }))
                if mode != publish::Mode::Publish =>
            {
                say::remark(self.global, format!("a run would stop here: {guard}"));
                Ok(Publisher { accept_new: true, accept_removals: true, ..publisher }.run(mode)?)
            }
            published => Ok(published?),
        }
    }

    /// Once the feeds are written: editions that are due are frozen, and those whose posts are on the site may go. What a mail leads to
    /// is there before the mail.
    pub(super) fn decide(
        &self,
        desk: &Desk<'a>,
        listed: Vec<Listed>,
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<Decision<'a>>> {
        for edition in self.live().give_up()? {
            let why = "its posts were not on the site in time, or have moved since; they go with the next edition";
            say::remark(self.global, format!("{edition} was given up: {why}"));
        }
        let decisions = self.freeze(desk, problems)?;
        let waiting = self.live().waiting()?;
        self.live().settle(&waiting, &live::ask(&waiting, &self.setup.clock))?;
        self.announce(listed)?;
        Ok(decisions)
    }

    /// The editions' pages, what stands beside the feeds, and the hub's news of them.
    pub(super) fn announce(&self, mut feeds: Vec<Listed>) -> Result<()> {
        let Setup { config, clock, .. } = self.setup;
        let templates = self.setup.templates()?;
        feeds.extend(Archive { config, site: &self.site, templates: &templates, store: &self.store }.write()?);
        catalogue::write(config, &self.site, &templates, &feeds)?;
        if let Some(hub) = &config.feeds.hub {
            for remark in (Websub { hub, config, store: &self.store, clock }).tell(&feeds)? {
                say::remark(self.global, remark);
            }
        }
        Ok(())
    }

    pub(super) fn desk(&'a self, identities: &'a [Assigned]) -> Result<Desk<'a>> {
        let first_seen = self.store.first_seen()?;
        let candidate = |(identity, post): (&'a Assigned, &'a Arc<Post>)| {
            let id = &identity.known.id;
            Candidate { id, post, first_seen: first_seen.get(id).copied().unwrap_or(self.now), taken: false }
        };
        Ok(Desk {
            config: &self.setup.config,
            site: &self.site,
            posts: identities.iter().zip(self.blog.posts.iter()).map(candidate).collect(),
            store: &self.store,
            now: self.now,
            accept_new: self.global.accept_new,
        })
    }

    /// Decides about every digest, and does it.
    fn freeze(&self, desk: &Desk<'a>, problems: &mut Vec<Problem>) -> Result<Vec<Decision<'a>>> {
        let templates = self.setup.templates()?;
        let found = RefCell::new(Vec::new());
        let render = |candidate: &Candidate<'a>| {
            let (content, problems) = self.blog.render(candidate.post)?;
            found.borrow_mut().extend(problems);
            Ok(content)
        };
        let decisions = desk.decide()?;
        for decision in &decisions {
            desk.carry_out(decision, &templates, self.setup.mail()?, &render)?;
        }
        problems.extend(found.into_inner());
        problems.sort();
        problems.dedup();
        Ok(decisions)
    }

    /// Forgets by address what is older than is to be kept.
    pub(super) fn compact(&self) -> Result<()> {
        if let Some(keep) = self.setup.config.store.keep {
            let compacted = self.store.compact(keep.0, self.now)?;
            if compacted > 0 {
                tracing::info!(editions = compacted, "older than store.keep: deliveries are counts now");
            }
        }
        Ok(())
    }

    /// What tells a program of the author's of what happens.
    pub(super) fn announcer(&self) -> Announcer<'_> {
        let Setup { config, clock, random, .. } = self.setup;
        Announcer { hooks: config.hooks.as_ref(), store: &self.store, random, clock: *clock, began: self.now }
    }

    fn live(&self) -> Live<'_> {
        Live { config: &self.setup.config, site: &self.site, store: &self.store, now: self.now }
    }

    /// Reports of editions, with those who would not get them.
    fn rehearsed(&self, desk: &Desk<'_>, editions: Vec<Edition>) -> Result<Vec<report::Edition>> {
        let report = |edition: Edition| {
            let mut shown = edition_report(&edition);
            if let Some(digest) = self.setup.config.digests.iter().find(|d| d.name.as_str() == edition.digest) {
                let default = desk.is_default(digest);
                shown.not = Some(self.store.not_readers(&edition.id, &edition.digest, default)?);
            }
            Ok(shown)
        };
        editions.into_iter().map(report).collect()
    }

    /// Editions that were frozen now or were not at an end before.
    pub(super) fn touched(&self, decisions: &[Decision<'_>], before: &[String]) -> Result<Vec<Edition>> {
        let mut ids: Vec<&str> = before.iter().map(String::as_str).collect();
        for decision in decisions {
            if let Verdict::Freeze(drafts) = &decision.verdict {
                // Another run may have frozen it before us and left it unfinished.
                ids.extend(drafts.iter().map(|draft| draft.id.as_str()).filter(|id| !before.iter().any(|b| b == id)));
            }
        }
        Ok(self.store.editions_named(ids.into_iter())?)
    }

    /// What a run would do, on a store that keeps nothing. `problems` are those of the list of readers.
    pub(super) fn plan(&self, published: &Published, mut problems: Vec<Problem>) -> Result<Planned> {
        problems.extend(published.problems.iter().cloned());
        let mut run = self.report(published.feeds.clone(), problems);
        let (mut editions, mut digests) = (Vec::new(), Vec::new());
        let (mut waiting, mut released) = (Vec::new(), Vec::new());
        if !self.setup.config.digests.is_empty() {
            self.live().give_up()?;
            let before = self.store.unfinished()?;
            let desk = self.desk(&published.identities)?;
            let decisions = self.freeze(&desk, &mut run.posts.problems)?;
            editions = self.rehearsed(&desk, self.touched(&decisions, &before)?)?;
            waiting = self.live().waiting()?;
            if !waiting.is_empty() {
                // As if all posts were there; who is right, the site says.
                let live = waiting.iter().flat_map(|w| &w.urls).map(|url| (url.clone(), String::new())).collect();
                self.live().settle(&waiting, &live)?;
                released = self.rehearsed(&desk, self.touched(&decisions, &before)?)?;
            }
            digests = decisions.iter().map(|d| digest_report(d, &self.site)).collect();
        }
        let Generator { rules, why, .. } = &self.generator;
        run.posts.read_as = Some(report::ReadAs { dialect: rules.dialect(), why: why.clone() });
        let newest = self.blog.posts.first();
        run.posts.newest = newest.map(|post| report::Newest { path: post.path.clone(), url: post.link.to_string() });
        run.editions = Some(editions);
        run.digests = Some(digests);
        Ok(Planned { run, waiting, released })
    }

    pub(super) fn report(&self, feeds: Vec<report::Feed>, rendering: Vec<Problem>) -> report::Run {
        let mut problems = self.blog.problems.clone();
        problems.extend(rendering);
        problems.sort();
        problems.dedup();
        let posts = report::Posts {
            read: self.blog.read,
            published: self.blog.posts.len(),
            hidden: self.blog.hidden.clone(),
            problems,
            unread: self.blog.unread.clone(),
            read_as: None,
            newest: None,
        };
        report::Run { posts, feeds, ..report::Run::default() }
    }
}

/// An edition in the contract's shape.
pub(super) fn edition_report(edition: &Edition) -> report::Edition {
    report::Edition {
        id: edition.id.clone(),
        digest: edition.digest.clone(),
        state: edition.state.clone(),
        subject: edition.subject.clone(),
        posts: edition.posts.clone(),
        recipients: edition.counts.recipients(),
        counts: edition.counts,
        rate: None,
        left: None,
        not: None,
        awaits: edition
            .awaits
            .iter()
            .map(|(url, said)| report::Awaited { url: url.clone(), said: said.clone() })
            .collect(),
        approval: edition.approval,
    }
}

/// Where a digest stands, in the contract's shape.
pub(super) fn digest_report(decision: &Decision<'_>, site: &Site) -> report::Digest {
    let zone = decision.digest.zone(site.timezone);
    let local = |time: DateTime<Utc>| time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false);
    let (slot, due, reason) = match &decision.verdict {
        Verdict::Nothing(reason) => (None, false, reason.clone()),
        Verdict::Pass(slot, reason) => (Some(*slot), false, reason.clone()),
        Verdict::Freeze(drafts) => {
            let posts = drafts.iter().map(|d| d.posts.len()).sum::<usize>();
            (drafts.first().and_then(|d| d.slot), true, format!("{} new", say::count(posts, "post")))
        }
    };
    report::Digest {
        name: decision.digest.name.to_string(),
        slot: slot.map(local),
        due,
        reason,
        next: decision.next.map(local),
    }
}
