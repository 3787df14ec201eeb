//! Publishing: every post gets its identity, and the newest go into the feeds; all of them into the archives, where those
//! are wanted. Promises: what did not change is neither rendered nor touched, but for the site's feed and those by name,
//! which are rendered in every run.

mod document;
mod entries;

use crate::config::Config;
use crate::feed::history::{self, PAGE};
use crate::feed::scope::{Role, Wanted, below};
use crate::feed::{self, ContentKind, Feed, Format, History, Listed, Scope};
use crate::output;
use crate::post::identity::{Assigned, Change, Known, assign};
use crate::post::{Post, Problem, Site};
use crate::report;
use crate::site::Blog;
use crate::store::feeds::Written;
use crate::store::{self, Store};
use chrono::{DateTime, Utc};
use document::{Document, Outcome};
use entries::Entries;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// As many posts are rendered at once: enough for all cores, little enough for the memory.
const AT_ONCE: usize = 200;
/// As many feeds are kept to be looked at.
const MOST_SHOWN: usize = 60;
/// As many posts are named where too many look new.
const EXAMPLES: usize = 3;

/// Why the feeds could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Too many old posts look new.
    #[error(
        "{count} old posts would appear as new in every feed reader ({examples}), more than feeds.flood_limit ({limit}) allows: nothing was changed\n  help: look at `plan`; if files were moved and edited at once, put them back or give them a `guid`; if that is what you want, run once with --accept-new"
    )]
    Flood {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
        /// Some of them, by path.
        examples: String,
    },
    /// There were posts, and not one file of them is there any more.
    #[error(
        "no post is there, and there were {before}: nothing was changed, so no feed was emptied\n  help: see that `dir` in [posts] is their folder and that it is there, not an empty checkout or mount; if they are all gone, run once with --accept-removals"
    )]
    Emptied {
        /// How many were known.
        before: usize,
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
    /// The same, and keep it to be looked at.
    Show,
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
    /// Whether all posts may be gone.
    pub accept_removals: bool,
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
    /// In [`Mode::Show`] the feeds that are not known to be unchanged, without the pages of archives; else none.
    pub made: Vec<Made>,
}

/// In each format a feed's file, relative to the configuration, and its bytes.
pub type Files = Vec<(Format, String, Vec<u8>)>;

/// A feed that was made and not written.
pub struct Made {
    /// What it says.
    pub feed: Feed,
    /// How much of each post.
    pub content: ContentKind,
    /// What would be written.
    pub files: Files,
}

/// What is told of the feeds, each with its place.
#[derive(Default)]
struct Told {
    feeds: Vec<(usize, Vec<report::Feed>)>,
    made: Vec<(usize, Made)>,
}

impl Publisher<'_> {
    /// Gives every post its identity and writes the feeds that changed.
    pub fn run(&self, mode: Mode) -> Result<Published, Error> {
        let before = self.known.iter().filter(|known| !known.gone).count();
        if self.blog.read == 0 && before > 0 && !self.accept_removals {
            return Err(Error::Emptied { before });
        }
        let identities = self.identify()?;
        let written = self.store.written_feeds()?;
        let scopes = self.scopes(&written);
        let (Told { mut feeds, made }, problems) = self.feeds(&scopes, &written, &identities, mode)?;
        feeds.sort_by_key(|(place, _)| *place);
        // Nobody need find the feed of a tag that no post has any more.
        let listed = scopes.iter().filter(|scope| !matches!(scope.role, Role::For(_)) || !scope.posts.is_empty());
        let listed = listed.map(|scope| self.listed(scope)).collect();
        let feeds = feeds.into_iter().flat_map(|(_, feeds)| feeds).collect();
        let made = made.into_iter().map(|(_, made)| made).collect();
        Ok(Published { identities, feeds, listed, problems, made })
    }

    fn identify(&self) -> Result<Vec<Assigned>, Error> {
        let newest = self.store.newest_post()?;
        let present = self.blog.unpublished();
        let rules = self.config.feeds.rules(self.site, self.now, &present);
        self.store.remember_posts(self.now, self.known, |known: &[Arc<Known>]| {
            let assigned = assign(known, &self.blog.posts, &rules);
            // Nobody floods whose store is new: minted ids are the same again.
            let old = |(a, p): &(&Assigned, &Arc<Post>)| {
                a.change == Change::New
                    && (p.in_feeds || p.in_digests)
                    && newest.is_some_and(|newest| p.published.to_utc() < newest)
            };
            let old: Vec<&Post> = assigned.iter().zip(self.blog.posts.iter()).filter(old).map(|(_, p)| &**p).collect();
            match old.len() > self.config.feeds.flood_limit && !self.accept_new {
                true => Err(Error::Flood {
                    count: old.len(),
                    limit: self.config.feeds.flood_limit,
                    examples: examples(&old),
                }),
                false => Ok(assigned),
            }
        })
    }

    fn listed(&self, scope: &Scope) -> Listed {
        let (site, settings) = (self.site, &self.config.feeds);
        let home = || scope.home.clone().unwrap_or_else(|| site.url.clone());
        match scope.role {
            Role::Site => Listed::of_site(site, settings),
            _ => Listed::new(&scope.title, None, home(), &scope.folder, site, settings),
        }
    }

    /// All feeds of the site; its own is the first.
    fn scopes(&self, written: &BTreeMap<String, Written>) -> Vec<Scope> {
        let written = written.iter().map(|(folder, row)| (folder.clone(), row.name.clone())).collect();
        let Config { feeds: settings, named_feeds: named, .. } = self.config;
        let wanted = Wanted { site: self.site, settings, named, written: &written };
        let mut scopes = wanted.scopes(&self.blog.posts);
        for scope in &mut scopes {
            if let (Role::For(kind), false) = (scope.role, scope.posts.is_empty()) {
                scope.home = self.blog.listing(kind, &scope.name);
            }
        }
        scopes
    }

    fn feeds(
        &self,
        scopes: &[Scope],
        written: &BTreeMap<String, Written>,
        identities: &[Assigned],
        mode: Mode,
    ) -> Result<(Told, Vec<Problem>), Error> {
        let mut told = Told::default();
        let (mut pages, mut documents) = (Vec::new(), Vec::new());
        for (place, scope) in scopes.iter().enumerate() {
            let history = self.history(scope, scopes.len(), identities, &mut pages)?;
            let posts = scope.posts.iter().take(scope.limit).copied().collect();
            let mut document = Document { scope, folder: scope.folder.clone(), history, posts, digest: None, place };
            if let Role::For(_) = scope.role {
                document.digest = Some(self.digest(&document, identities));
            }
            documents.push(document);
        }
        // The site's own comes last: what it links to is there by then.
        documents.reverse();
        let is_as_remembered = |document: &Document<'_>| {
            let remembered = written.get(&document.folder).filter(|row| document.digest.as_ref() == Some(&row.digest));
            remembered.is_some_and(|row| self.is_there(document, &row.files))
        };
        let mut due = Vec::new();
        for document in pages.into_iter().chain(documents) {
            match is_as_remembered(&document) {
                false => due.push(document),
                // Of ten thousand pages only those that change are worth a word.
                true if document.place >= scopes.len() => {}
                true => told.feeds.push((document.place, self.unchanged(&document, mode))),
            }
        }
        let problems = self.write_all(due, identities, mode, &mut told)?;
        Ok((told, problems))
    }

    /// Where a feed stands in its history; adds the pages of that to `pages`, whose places begin at `place`.
    fn history<'s>(
        &self,
        scope: &'s Scope,
        place: usize,
        identities: &[Assigned],
        pages: &mut Vec<Document<'s>>,
    ) -> Result<History, Error> {
        if !self.config.feeds.archives || matches!(scope.role, Role::For(_)) {
            return Ok(History::Untold);
        }
        if scope.posts.len() <= scope.limit && self.store.archived(&scope.folder)? == 0 {
            return Ok(History::Complete);
        }
        let id_of = |post: usize| &identities[post].known.id;
        let members: Vec<_> =
            scope.posts.iter().map(|post| (id_of(*post), identities[*post].known.published())).collect();
        let places = self.store.archive_posts(&scope.folder, &members)?;
        let count = places.len().div_ceil(PAGE);
        for (at, members) in places.chunks(PAGE).enumerate() {
            let number = at + 1;
            // What was withdrawn leaves a gap. The blog's order is that of feeds.
            let mut posts: Vec<usize> = members.iter().flatten().map(|member| scope.posts[*member]).collect();
            posts.sort_unstable();
            let mut page = Document {
                scope,
                folder: below(&scope.folder, &history::folder(number)),
                history: History::Page { number, closed: number < count },
                posts,
                digest: None,
                place: place + pages.len(),
            };
            page.digest = Some(self.digest(&page, identities));
            pages.push(page);
        }
        Ok(History::Subscription { pages: count })
    }

    /// Writes documents in their order, some at a time, and remembers what they were written from.
    fn write_all(
        &self,
        documents: Vec<Document<'_>>,
        identities: &[Assigned],
        mode: Mode,
        told: &mut Told,
    ) -> Result<Vec<Problem>, Error> {
        let all = documents.iter().flat_map(|document| document.posts.iter().copied());
        let mut entries = Entries::new(self.blog, identities, all);
        let mut rest = documents.as_slice();
        while !rest.is_empty() {
            let mut posts = 0;
            let fits = |document: &&Document<'_>| {
                posts += document.posts.len().max(1);
                posts <= AT_ONCE
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            rest = later;
            entries.prepare(now.iter().flat_map(|document| document.posts.iter().copied()));
            let feeds: Vec<Feed> = now.iter().map(|document| self.feed(document, &mut entries)).collect();
            let written: Vec<_> = now
                .par_iter()
                .zip(&feeds)
                .map(|(document, feed)| self.write(document, feed, mode))
                .collect::<Result<_, _>>()?;
            let whole = |document: &Document<'_>, feed: &Feed| document.posts.len() == feed.entries.len();
            let done = now.iter().zip(&feeds).zip(&written).filter_map(|((document, feed), outcome)| {
                let digest = document.digest.clone().filter(|_| whole(document, feed))?;
                let row = Written { name: document.scope.name.clone(), digest, files: outcome.marks.clone() };
                Some((document.folder.as_str(), row))
            });
            if mode == Mode::Publish {
                self.store.remember_feeds(&done.collect::<Vec<_>>())?;
            }
            let (reports, files): (Vec<_>, Vec<_>) =
                written.into_iter().map(|Outcome { told, shown, .. }| (told, shown)).unzip();
            told.feeds.extend(now.iter().map(|document| document.place).zip(reports));
            if mode == Mode::Show {
                let shown = now.iter().zip(feeds.into_iter().zip(files));
                let shown = shown.filter(|(document, _)| !matches!(document.history, History::Page { .. }));
                let made = |(document, (feed, files)): (&Document<'_>, _)| {
                    (document.place, Made { feed, content: document.scope.content, files })
                };
                told.made.extend(shown.map(made));
                // The site's own and those by name, which come last here, have the first places.
                told.made.sort_by_key(|(place, _)| *place);
                told.made.truncate(MOST_SHOWN);
            }
        }
        Ok(entries.into_problems())
    }

    fn feed(&self, document: &Document<'_>, entries: &mut Entries<'_>) -> Feed {
        let found: Vec<_> = document.posts.iter().filter_map(|post| entries.take(*post)).collect();
        let history = match document.history {
            History::Complete if found.len() < document.posts.len() => History::Untold,
            history => history,
        };
        Feed::of(self.site, document.scope, history, found)
    }
}

/// Some of the posts, for people to see which are meant.
fn examples(posts: &[&Post]) -> String {
    let named: Vec<&str> = posts.iter().take(EXAMPLES).map(|post| post.path.as_str()).collect();
    let more = posts.len().saturating_sub(EXAMPLES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}
