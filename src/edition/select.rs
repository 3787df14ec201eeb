//! Which posts are new to a digest.

use super::{Settings, slot};
use crate::post::{Post, PostId};
use crate::schedule::Crontab;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// A post that is published now, with what the ledger remembers of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its identity.
    pub id: &'a PostId,
    /// The post.
    pub post: &'a Post,
    /// When a run first saw it.
    pub first_seen: DateTime<Utc>,
    /// Whether an earlier edition of this digest held it, or its baseline.
    pub taken: bool,
}

/// The new posts for `slot`, newest first.
pub fn for_slot<'a>(
    candidates: &[Candidate<'a>],
    settings: &Settings,
    crontab: &Crontab,
    memory: slot::Memory,
    slot: DateTime<Utc>,
    zone: Tz,
) -> Vec<Candidate<'a>> {
    let fresh = |c: &Candidate<'_>| {
        let published = c.post.published.to_utc();
        let young = settings.max_age.is_none_or(|age| {
            // Seen in this very run, it can be taken by this slot.
            let first = slot::first_for(crontab, memory, published, c.first_seen, zone).min(slot);
            first - published <= age.0
        });
        published <= slot && young
    };
    newest_first(candidates.iter().filter(|c| is_new(c, settings) && fresh(c)))
}

/// The new posts of a digest that mails each post, oldest first: the order in which they go out.
pub fn for_each<'a>(candidates: &[Candidate<'a>], settings: &Settings, now: DateTime<Utc>) -> Vec<Candidate<'a>> {
    let fresh = |c: &Candidate<'_>| {
        let published = c.post.published.to_utc();
        let age = published.max(c.first_seen) - published;
        published <= now && settings.max_age.is_none_or(|max| age <= max.0)
    };
    let mut posts = newest_first(candidates.iter().filter(|c| is_new(c, settings) && fresh(c)));
    posts.reverse();
    posts
}

fn is_new(c: &Candidate<'_>, settings: &Settings) -> bool {
    !c.taken && settings.takes(c.post)
}

fn newest_first<'a, 'c>(posts: impl Iterator<Item = &'c Candidate<'a>>) -> Vec<Candidate<'a>>
where
    'a: 'c,
{
    let mut posts: Vec<_> = posts.copied().collect();
    posts.sort_by(|a, b| b.post.published.cmp(&a.post.published).then_with(|| a.post.path.cmp(&b.post.path)));
    posts
}
