//! Publishing: every post gets its identity, and the newest go into the feeds.

use crate::config::Config;
use crate::feed::{self, Entry, Feed, Format, Listed};
use crate::output::{self, Change as Written};
use crate::post::identity::{Assigned, Change, Known, Rules, assign};
use crate::post::{Post, Problem, Site};
use crate::report::{self, Difference};
use crate::site::Blog;
use crate::store::{self, Store};
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the feeds could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Too many old posts look new.
    #[error(
        "{count} old posts would appear as new in every feed reader, more than feeds.flood_limit ({limit}) allows: nothing was changed\n  help: look at `plan`; if files were moved and edited at once, put them back or give them a `guid`; if that is what you want, run once with --accept-new"
    )]
    Flood {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A feed came out wrong; the old one stays.
    #[error("{path} was not replaced: {why}\n  help: the feed on disk is the one from before; please report this")]
    Malformed {
        /// Which.
        path: String,
        /// Why.
        why: feed::Error,
    },
    /// It could not be written.
    #[error(transparent)]
    Output(#[from] output::Error),
}

/// Whether the feeds are written, or only said what would change in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write.
    Publish,
    /// Say what would be written.
    Rehearse,
}

/// What publishing needs.
pub struct Publisher<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The site.
    pub site: &'a Site,
    /// What was read.
    pub blog: &'a Blog,
    /// The store.
    pub store: &'a Store,
    /// What it remembered of posts when they were read.
    pub known: &'a [Arc<Known>],
    /// Now.
    pub now: DateTime<Utc>,
    /// Whether more old posts than the flood limit may appear as new.
    pub accept_new: bool,
}

/// What was published.
pub struct Published {
    /// The identity of each of the blog's posts, in their order.
    pub identities: Vec<Assigned>,
    /// The feeds.
    pub feeds: Vec<report::Feed>,
    /// The same for people and hubs: what each is called, and where it lies.
    pub listed: Vec<Listed>,
    /// What rendering found wrong.
    pub problems: Vec<Problem>,
}

impl Publisher<'_> {
    /// Gives every post its identity and writes the feeds that changed.
    pub fn run(&self, mode: Mode) -> Result<Published, Error> {
        let identities = self.identify()?;
        let (feeds, problems) = self.feeds(&identities, mode)?;
        let listed = vec![Listed::of_site(self.site, &self.config.feeds)];
        Ok(Published { identities, feeds, listed, problems })
    }

    fn identify(&self) -> Result<Vec<Assigned>, Error> {
        let newest = self.store.newest_post()?;
        let authority = self.config.feeds.authority.as_deref().or(self.site.url.host_str()).unwrap_or_default();
        let hidden = self.blog.hidden.iter().map(|hidden| hidden.path.as_str());
        let present = hidden.chain(self.blog.problems.iter().map(|problem| problem.path.as_str())).collect();
        let rules = Rules { ids: self.config.feeds.ids, authority, site: self.site, now: self.now, present: &present };
        self.store.remember_posts(self.now, self.known, |known: &[Arc<Known>]| {
            let assigned = assign(known, &self.blog.posts, &rules);
            // Nobody floods whose store is new: minted ids are the same again.
            let old = |(a, p): &(&Assigned, &Post)| {
                a.change == Change::New && newest.is_some_and(|newest| p.published.to_utc() < newest)
            };
            let count = assigned.iter().zip(self.blog.posts.iter()).filter(old).count();
            match count > self.config.feeds.flood_limit && !self.accept_new {
                true => Err(Error::Flood { count, limit: self.config.feeds.flood_limit }),
                false => Ok(assigned),
            }
        })
    }

    fn feeds(&self, identities: &[Assigned], mode: Mode) -> Result<(Vec<report::Feed>, Vec<Problem>), Error> {
        let settings = &self.config.feeds;
        let newest: Vec<_> = identities
            .iter()
            .zip(self.blog.posts.iter())
            .filter(|(_, p)| p.in_feeds && p.translates.is_none())
            .take(settings.limit)
            .collect();
        let rendered: Vec<(Option<Entry>, Vec<Problem>)> = newest
            .into_par_iter()
            .map(|(identity, post)| match self.blog.render(post) {
                Ok((content, problems)) => {
                    let Known { id, atom_updated, .. } = &*identity.known;
                    (Some(Entry::new(id.clone(), *atom_updated, post, &content)), problems)
                }
                Err(problem) => (None, vec![problem]),
            })
            .collect();
        let (entries, problems): (Vec<Option<Entry>>, Vec<Vec<Problem>>) = rendered.into_iter().unzip();
        let feed = Feed::new(self.site, settings, entries.into_iter().flatten().collect());
        let feeds = settings.formats.iter().map(|format| self.feed(&feed, *format, mode)).collect::<Result<_, _>>()?;
        Ok((feeds, problems.into_iter().flatten().collect()))
    }

    /// Writes one feed, which is read again before it replaces the old one (P5).
    fn feed(&self, feed: &Feed, format: Format, mode: Mode) -> Result<report::Feed, Error> {
        let shown = self.config.feeds.dir.join(format.file_name());
        let path: PathBuf = self.config.path_of(&shown);
        let shown = shown.display().to_string();
        let malformed = |why| Error::Malformed { path: shown.clone(), why };
        let url = self.site.url.join(format.file_name()).unwrap_or_else(|_| self.site.url.clone());
        let bytes = feed::write(feed, format, &url, &self.config.feeds).map_err(malformed)?;
        feed::reread(&bytes, format, feed).map_err(malformed)?;
        let report = |changed, difference| report::Feed {
            path: shown.clone(),
            entries: feed.entries.len(),
            changed,
            difference,
        };
        match mode {
            Mode::Publish => Ok(report(output::replace(&path, &bytes)? == Written::Written, None)),
            Mode::Rehearse => {
                let before = output::read(&path)?.unwrap_or_default();
                Ok(report(before != bytes, Some(difference(&before, &bytes, format))))
            }
        }
    }
}

/// What a reader of the feed would see change. A feed that cannot be read had nothing.
fn difference(before: &[u8], after: &[u8], format: Format) -> Difference {
    let entries = |bytes: &[u8]| -> BTreeMap<String, String> {
        feed::entries_in(bytes, format).unwrap_or_default().into_iter().collect()
    };
    let (before, after) = (entries(before), entries(after));
    Difference {
        new: after.keys().filter(|id| !before.contains_key(*id)).cloned().collect(),
        updated: after
            .iter()
            .filter(|(id, text)| before.get(*id).is_some_and(|old| old != *text))
            .map(|(id, _)| id.clone())
            .collect(),
        gone: before.keys().filter(|id| !after.contains_key(*id)).cloned().collect(),
    }
}
