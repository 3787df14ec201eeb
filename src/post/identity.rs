//! Every post gets its identity and keeps it for life (P4), whatever becomes of its file, title, slug or address; and
//! its date of change, which follows what readers see. Pure: from what the ledger remembers to what it is to remember.

mod alike;
mod matching;
mod mint;

use super::{Post, PostId, Site};
pub use alike::{Body, Sketch, Sketchbook};
use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, TimeZone, Timelike, Utc};
use matching::Matching;
pub use mint::{iri, is_absolute_iri, permanent};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How new ids are minted. Ids that are remembered never change with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ids {
    /// `tag:AUTHORITY,DATE:SLUG` (RFC 4151): outlives a change of domain.
    #[default]
    Tag,
    /// The permanent link.
    Permalink,
    /// As jekyll-feed prints `page.id`: the permanent link without `.html` or `/` at its end.
    JekyllFeed,
    /// As Hugo's own feeds: the permanent link.
    Hugo,
    /// As Zola's own feeds: the permanent link.
    Zola,
}

/// What the ledger remembers of a post; also of one that is gone, for it can come back.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its identity.
    pub id: PostId,
    /// The post as it was when it was last seen. Who reads it again unchanged shares it.
    pub post: Arc<Post>,
    /// How much `post` holds of what its file said.
    pub extent: Extent,
    /// The author's own id, as written; none where another post has the better claim to it.
    pub guid: Option<String>,
    /// The day on which it was published, in its own zone.
    pub day: NaiveDate,
    /// Its own language, else the site's.
    pub language: Arc<str>,
    /// When what readers see last changed, in whole seconds.
    pub updated: DateTime<Utc>,
    /// `updated` as Atom says it: moved by whole seconds so that no two posts have the same; readers sort by it and keep
    /// entries apart by it (RFC 4287, section 4.1.1). Never before the publication.
    pub atom_updated: DateTime<Utc>,
    /// Whether its file was missing when it was last looked for.
    pub gone: bool,
}

impl Known {
    /// When it was published, in whole milliseconds.
    pub fn published(&self) -> DateTime<Utc> {
        let published = self.post.published.to_utc();
        published.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(published)
    }
}

/// How much a row holds of what a post's file said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All but the body.
    Whole,
    /// Path, title, slug, URL, body: an earlier version wrote it. The fingerprint was made another way.
    Identifying,
}

/// What ids and dates follow from besides the posts.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// How new ids are minted.
    pub ids: Ids,
    /// The domain in `tag:` ids.
    pub authority: &'a str,
    /// For the language of posts that name none.
    pub site: &'a Site,
    /// The time of this run.
    pub now: DateTime<Utc>,
    /// Paths of files that are there but not published now: hidden, or broken. Nobody takes over their identity.
    pub present: &'a HashSet<&'a str>,
}

/// What became of a post since the ledger saw it. The row may differ even where it says `Same`: keep it always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Never seen before.
    New,
    /// Its `updated` moved.
    Updated,
    /// Nothing worth announcing.
    Same,
    /// Its file has another path; it may be updated besides.
    Moved {
        /// The path before.
        from: String,
    },
}

/// A post's identity, and what to remember.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The row to keep, under its id.
    pub known: Arc<Known>,
    /// What became of the post.
    pub change: Change,
}

/// Gives every post its id and dates, in the order of `posts`; the result does not depend on that order.
///
/// A post is one that is known by, in this order: its `guid`; its path; and, only between known paths that vanished and
/// posts at new paths, one to one: the same permalink, or date and slug; the same body, if it is long; the same body and
/// title, if the path has just vanished; the same title and day; the most alike body. Two different guids are never one
/// post. A guid that is added to a known post does not change its id, for its readers would see it anew; it identifies
/// the post from then on.
///
/// `updated` is at first the front matter's own or the date of publication; later the time of the run that saw the
/// fingerprint change (unless the change is minor), or the front matter's own where that is newer than what is remembered.
pub fn assign(known: &[Arc<Known>], posts: &[Arc<Post>], rules: &Rules) -> Vec<Assigned> {
    if let Some(same) = as_remembered(known, posts) {
        return same;
    }
    let matching = Matching::of(known, posts, rules);
    let ids: HashSet<&str> = known.iter().map(|row| row.id.0.as_str()).collect();
    let minted = mint::all(&matching, posts, rules, &ids);

    let spoken: Arc<str> = rules.site.language.as_str().into();
    let mut assigned: Vec<Assigned> = posts
        .par_iter()
        .zip(minted)
        .enumerate()
        .map(|(index, (post, minted))| {
            let row = matching.rows[index].map(|row| &*known[row]);
            let id = row.map(|row| row.id.clone()).or(minted).expect("what is not known was minted");
            assign_one(id, row, post, matching.guids[index].clone(), &spoken, rules)
        })
        .collect();
    tell_apart(&mut assigned, known, posts, &matching);
    assigned
}

/// Where no file changed and none came or went, everything is as it was.
fn as_remembered(known: &[Arc<Known>], posts: &[Arc<Post>]) -> Option<Vec<Assigned>> {
    let here = known.iter().filter(|row| !row.gone);
    let rows: HashMap<*const Post, &Arc<Known>> = here.map(|row| (Arc::as_ptr(&row.post), row)).collect();
    if rows.len() != posts.len() {
        return None;
    }
    let same = |row: &&Arc<Known>| Assigned { known: (*row).clone(), change: Change::Same };
    posts.iter().map(|post| rows.get(&Arc::as_ptr(post)).map(same)).collect()
}

fn assign_one(
    id: PostId,
    row: Option<&Known>,
    post: &Arc<Post>,
    guid: Option<String>,
    spoken: &Arc<str>,
    rules: &Rules,
) -> Assigned {
    let published = whole_seconds(post.published.to_utc());
    let own = post.rare.updated.map(|own| whole_seconds(own.to_utc()));
    let updated = match row {
        None => own.unwrap_or(published),
        Some(row) => match own {
            Some(own) if own > row.updated => own,
            // One that a clock ahead of its time wrote would else never move again.
            _ if is_edited(row, post) && !post.minor && row.updated > rules.now => whole_seconds(rules.now),
            _ if is_edited(row, post) && !post.minor => row.updated.max(whole_seconds(rules.now)),
            _ => row.updated,
        },
    }
    .max(published);
    let change = match row {
        None => Change::New,
        Some(row) if row.post.path != post.path => Change::Moved { from: row.post.path.clone() },
        Some(row) if row.updated != updated => Change::Updated,
        Some(_) => Change::Same,
    };
    let known = Known {
        id,
        post: post.clone(),
        extent: Extent::Whole,
        guid,
        day: post.published.date_naive(),
        language: post.rare.language.as_deref().map_or_else(|| spoken.clone(), Arc::from),
        updated,
        atom_updated: row.filter(|row| row.updated == updated).map_or(updated, |row| row.atom_updated).max(published),
        gone: false,
    };
    Assigned { known: Arc::new(known), change }
}

/// Whether readers see something else than when the row was written. Of a row with another version's fingerprint, body and
/// title tell.
fn is_edited(row: &Known, post: &Post) -> bool {
    match row.extent {
        Extent::Whole => row.post.fingerprint != post.fingerprint,
        Extent::Identifying => row.post.body != post.body || row.post.title != post.title,
    }
}

/// Moves `atom_updated` of those that changed until no two are equal. Who has a remembered one keeps it.
fn tell_apart(assigned: &mut [Assigned], known: &[Arc<Known>], posts: &[Arc<Post>], matching: &Matching) {
    let mut seconds = Seconds::default();
    for row in matching.vanished() {
        seconds.take(known[row].atom_updated.timestamp());
    }
    let mut order: Vec<usize> = (0..posts.len()).collect();
    order.sort_by_key(|&index| {
        let remembered = matching.rows[index].map(|row| known[row].atom_updated);
        (remembered != Some(assigned[index].known.atom_updated), &posts[index].path)
    });
    for index in order {
        let known = Arc::make_mut(&mut assigned[index].known);
        let free = seconds.take(known.atom_updated.timestamp());
        known.atom_updated = Utc.timestamp_opt(free, 0).single().unwrap_or(known.atom_updated);
    }
}

/// Seconds that are taken, each with a later one from which to look on.
#[derive(Default)]
struct Seconds(HashMap<i64, i64>);

impl Seconds {
    /// Takes the first free second from `wanted` on. A thousand posts of one midnight cost no million steps, since
    /// each search shortens the way for the next.
    fn take(&mut self, wanted: i64) -> i64 {
        let mut free = wanted;
        while let Some(&next) = self.0.get(&free) {
            free = next;
        }
        let mut step = wanted;
        while step < free {
            step = self.0.insert(step, free + 1).unwrap_or(free);
        }
        self.0.insert(free, free + 1);
        free
    }
}

fn language<'a>(post: &'a Post, site: &'a Site) -> &'a str {
    post.rare.language.as_deref().unwrap_or(&site.language)
}

/// Rounded up, so that `updated` never falls below a `published` that has a fraction.
fn whole_seconds(t: DateTime<Utc>) -> DateTime<Utc> {
    let floor = t.with_nanosecond(0).unwrap_or(t);
    if floor == t { t } else { floor.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(floor) }
}

#[cfg(test)]
mod tests;
