//! Takes over the ids of a blog's old feed, so that nobody who is subscribed to it sees a post twice (P4). Promises: ids are
//! taken exactly as they are written there; an id under which we have published a post is never changed; it is all written
//! or nothing.

mod matching;
mod sources;

pub use matching::By;
pub use sources::Source;

use crate::config::Config;
use crate::feed::Format;
use crate::feed::foreign::{self, ForeignEntry};
use crate::http;
use crate::post::identity::{Assigned, Change, Ids, Known, assign, permanent};
use crate::post::{Post, PostId, Site};
use crate::report::adoption::{Adoption, Match, Old, Redirect, State, Unmatched, Unread};
use crate::site::Blog;
use crate::store::{self, Store};
use chrono::{DateTime, SubsecRound, Utc};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use url::{Position, Url};

/// Why no ids were taken over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It could not be fetched.
    #[error(transparent)]
    Unfetched(#[from] http::Error),
    /// Its file could not be read.
    #[error("{name} cannot be read: {why}\n  help: check the name; an address begins with https://")]
    Unreadable {
        /// Which.
        name: String,
        /// What the system says.
        why: String,
    },
    /// It is no feed.
    #[error("{name}: {why}")]
    NoFeed {
        /// Which.
        name: String,
        /// Why.
        why: foreign::Error,
    },
    /// It is another blog's.
    #[error(
        "none of the {entries} entries is one of the {posts} posts: nothing was changed\n  help: is this the blog's feed? check `site.url` and `posts.dir`, and see with `plan` what is read"
    )]
    Stranger {
        /// Of the old feed.
        entries: usize,
        /// Of the blog.
        posts: usize,
    },
    /// Too late.
    #[error(
        "all {count} posts that the old feed has were published under ids of our own already: nothing was changed, for readers of the new feed would see each of them again\n  help: an old feed is adopted before the first `build` or `run`. Only if neither these feeds nor a mail has ever gone out: move the store away, and adopt then"
    )]
    TooLate {
        /// How many.
        count: usize,
    },
    /// It would flood.
    #[error(
        "{count} old posts would appear as new to readers of the old feed, more than feeds.flood_limit ({limit}) allows: nothing was changed\n  help: `adopt --dry-run` lists them; give the older pages of the feed too, or write feeds.limit = {reach}, as many as the old feed has; if it is what you want, --accept-new"
    )]
    Flood {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
        /// What the old feed holds.
        reach: usize,
    },
}

/// What adopting needs.
pub struct Adopter<'a> {
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
    /// Whether it only says what it would do; what the flood guard stops is told, too.
    pub rehearsal: bool,
}

/// The feeds that are named, each a file or an address, with their older pages.
pub fn read(names: &[String]) -> Result<Vec<Source>, Error> {
    names.iter().map(|name| sources::read(name)).collect()
}

impl Adopter<'_> {
    /// Finds the entries' posts, and remembers their ids.
    pub fn run(&self, sources: &[Source]) -> Result<Adoption, Error> {
        let posts = &self.blog.posts;
        let mut seen = HashSet::new();
        let entries: Vec<&ForeignEntry> = sources
            .iter()
            .flat_map(|source| &source.entries)
            .filter(|entry| is_usable(&entry.id) && seen.insert(entry.id.as_str()))
            .collect();
        let matches = matching::matches(&entries, posts, &self.site.url);
        let of_post: BTreeMap<usize, (&ForeignEntry, By)> = entries
            .iter()
            .zip(&matches)
            .filter_map(|(entry, found)| found.map(|(post, by)| (post, (*entry, by))))
            .collect();
        if of_post.is_empty() {
            return Err(Error::Stranger { entries: entries.len(), posts: posts.len() });
        }
        let rule = rule(&of_post, posts);
        let plan = |known: &[Arc<Known>]| self.decide(known, &of_post, rule.as_ref(), entries.len());
        // The last of its decisions counts: another run may be faster, and it decides again.
        let last = RefCell::new(None);
        self.store.remember_posts(self.now, self.known, |known| {
            let (assigned, decided) = plan(known)?;
            last.replace(Some(decided));
            Ok::<_, Error>(assigned)
        })?;
        let decided = last.into_inner().unwrap_or_default();
        let unmatched = entries.iter().zip(&matches).filter(|(_, found)| found.is_none());
        Ok(Adoption {
            feeds: sources.iter().map(|source| self.old(source)).collect(),
            matched: decided.matched,
            unmatched: unmatched.map(|(entry, _)| self.unmatched(entry)).collect(),
            new: decided.new,
            rule: rule.map(|rule| rule.ids).filter(|_| decided.by_rule > 0),
            by_rule: decided.by_rule,
            redirects: self.redirects(sources),
        })
    }

    /// What is to be remembered of each post, with the old feed's ids.
    fn decide(
        &self,
        known: &[Arc<Known>],
        of_post: &BTreeMap<usize, (&ForeignEntry, By)>,
        rule: Option<&Rule>,
        reach: usize,
    ) -> Result<(Vec<Assigned>, Decided), Error> {
        let posts = &self.blog.posts;
        let present = self.blog.unpublished();
        let rules = self.config.feeds.rules(self.site, self.now, &present);
        let first = assign(known, posts, &rules);
        let mut taken: HashSet<&str> = known.iter().map(|row| row.id.0.as_str()).collect();
        let mut rows = known.to_vec();
        let mut matched = Vec::new();
        for (&post, &(entry, by)) in of_post {
            let Assigned { known: row, change } = &first[post];
            let state = if row.id.0 == entry.id {
                State::Known
            } else if *change != Change::New || taken.contains(entry.id.as_str()) {
                State::Kept
            } else {
                State::Adopted
            };
            if *change == Change::New && state != State::Kept {
                taken.insert(&entry.id);
                rows.push(Arc::new(adopted(row, entry, self.now)));
            }
            matched.push(Match {
                id: entry.id.clone(),
                path: posts[post].path.clone(),
                title: posts[post].title.clone(),
                by: by.words(),
                state,
                instead: (state == State::Kept).then(|| row.id.clone()),
            });
        }
        let mut by_rule = 0;
        for (index, post) in posts.iter().enumerate().filter(|(index, _)| !of_post.contains_key(index)) {
            let Some(rule) = rule.filter(|rule| first[index].change == Change::New && post.published < rule.oldest)
            else {
                continue;
            };
            if let Some(id) = rule.id(post).filter(|id| !taken.contains(id.as_str())) {
                rows.push(Arc::new(Known { id: PostId(id), ..(*first[index].known).clone() }));
                by_rule += 1;
            }
        }
        let kept = matched.iter().filter(|found| found.state == State::Kept).count();
        if kept == matched.len() {
            return Err(Error::TooLate { count: kept });
        }
        let told: HashSet<&str> = rows.iter().map(|row| row.id.0.as_str()).collect();
        let assigned = assign(&rows, posts, &rules);
        let shown =
            assigned.iter().zip(posts.iter()).filter(|(_, post)| post.in_feeds && post.rare.translates.is_none());
        let new: Vec<(&Assigned, &Arc<Post>)> = shown
            .take(self.config.feeds.limit)
            .filter(|(assigned, _)| !told.contains(assigned.known.id.0.as_str()))
            .collect();
        let newest = of_post.keys().map(|post| posts[*post].published).max();
        let old = new.iter().filter(|(_, post)| newest.is_some_and(|newest| post.published < newest)).count();
        if old > self.config.feeds.flood_limit && !self.accept_new && !self.rehearsal {
            return Err(Error::Flood { count: old, limit: self.config.feeds.flood_limit, reach });
        }
        let new = new.into_iter().map(|(assigned, post)| Unread {
            id: assigned.known.id.clone(),
            path: post.path.clone(),
            title: post.title.clone(),
        });
        let new = new.collect();
        Ok((assigned, Decided { matched, new, by_rule }))
    }

    fn old(&self, source: &Source) -> Old {
        Old {
            feed: source.name.clone(),
            entries: source.entries.len(),
            pages: source.pages,
            continues: source.continues.clone(),
        }
    }

    fn unmatched(&self, entry: &ForeignEntry) -> Unmatched {
        Unmatched { id: entry.id.clone(), title: entry.title.clone(), url: entry.links.first().cloned() }
    }

    /// From where the old feeds lie to where ours do.
    fn redirects(&self, sources: &[Source]) -> Vec<Redirect> {
        let formats = &self.config.feeds.formats;
        let mut redirects = Vec::new();
        for source in sources {
            let Some(from) = source.address.as_deref().and_then(|address| Url::parse(address).ok()) else { continue };
            let format = source.format.filter(|format| formats.contains(format)).or(formats.first().copied());
            let Some(to) = format.and_then(|format: Format| self.site.url.join(format.file_name()).ok()) else {
                continue;
            };
            let whole = |url: &Url| url[Position::BeforeHost..].to_owned();
            if whole(&from) != whole(&to) {
                redirects.push(Redirect { from: from.to_string(), to: to.to_string() });
            }
        }
        redirects.dedup();
        redirects
    }
}

/// What is told of a decision.
#[derive(Default)]
struct Decided {
    matched: Vec<Match>,
    new: Vec<Unread>,
    by_rule: usize,
}

/// Whether anything is left of an id in XML, which holds no control characters (XML 1.0, section 2.2).
fn is_usable(id: &str) -> bool {
    id.chars().any(|c| !c.is_control() && !c.is_whitespace() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// A new post's row with the id and the date of change that the old feed has of it.
fn adopted(row: &Known, entry: &ForeignEntry, now: DateTime<Utc>) -> Known {
    let told = entry.updated.map(|updated| updated.to_utc().trunc_subsecs(0)).filter(|updated| *updated <= now);
    let updated = told.map_or(row.updated, |told| told.max(row.updated));
    Known { id: PostId(entry.id.clone()), updated, atom_updated: updated, ..row.clone() }
}

/// How the old generator minted its ids, for posts that are older than its feed reaches: who read them there has seen them
/// under these.
struct Rule {
    ids: Ids,
    /// Where the site lay.
    origin: Url,
    oldest: DateTime<Utc>,
}

impl Rule {
    fn id(&self, post: &Post) -> Option<String> {
        permanent(self.ids, &below(&self.origin, &post.url())?)
    }
}

/// The rule that all ids of the old feed follow, if there are enough of them to tell.
fn rule(of_post: &BTreeMap<usize, (&ForeignEntry, By)>, posts: &[Arc<Post>]) -> Option<Rule> {
    let newest = of_post.values().next()?.0;
    let origin = newest.links.iter().find_map(|link| Url::parse(link).ok().filter(|url| url.has_host()))?;
    let oldest = of_post.keys().map(|post| posts[*post].published).min()?.to_utc();
    let follows = |ids: &Ids| {
        let rule = Rule { ids: *ids, origin: origin.clone(), oldest };
        of_post.len() > 1 && of_post.iter().all(|(post, (entry, _))| rule.id(&posts[*post]).as_ref() == Some(&entry.id))
    };
    let ids = [Ids::Permalink, Ids::JekyllFeed].into_iter().find(follows)?;
    Some(Rule { ids, origin, oldest })
}

/// The address with the scheme and the host of another.
fn below(origin: &Url, url: &Url) -> Option<Url> {
    Url::parse(&format!("{}{}", &origin[..Position::BeforePath], &url[Position::BeforePath..])).ok()
}
