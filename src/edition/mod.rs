//! An edition: one dated issue of a digest. What is due, what is in it, what it looks like.

pub mod compose;
pub mod page;
pub mod select;
pub mod slot;
pub mod view;

use crate::clock::Span;
use crate::post::Post;
use crate::schedule::Schedule;
use chrono_tz::Tz;
use serde::Deserialize;
use std::fmt;

pub use view::{ContentKind, GroupBy};

/// A `[[digest]]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name: lower-case letters, digits and hyphens. Kept for life.
    pub name: Name,
    /// When it is due.
    #[serde(deserialize_with = "from_text")]
    pub schedule: Schedule,
    /// A template; else the layout's own.
    #[serde(default)]
    pub subject: Option<String>,
    /// What it looks like.
    #[serde(default)]
    pub layout: Layout,
    /// Summaries or whole posts, in the layout `digest`; the others have their own way.
    #[serde(default)]
    pub content: ContentKind,
    /// What its posts are grouped by.
    #[serde(default)]
    pub group_by: Option<GroupBy>,
    /// BCP 47, in which its mails speak to those who chose none; the site's where it is not given.
    #[serde(default)]
    pub language: Option<String>,
    /// Fewer new posts than that: the slot passes, they are carried over.
    #[serde(default = "one")]
    pub min_posts: usize,
    /// Beyond it posts stand below as title and link.
    #[serde(default = "twenty")]
    pub max_posts: usize,
    /// An older post is never mailed as new.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// A missed slot is still sent within this.
    #[serde(default = "one_day")]
    pub late: Span,
    /// Posts dated from then on are new to a digest that is new to the store; see P6.
    #[serde(default)]
    pub since: Option<slot::Since>,
    /// Only posts with one of these.
    #[serde(default)]
    pub tags: Vec<String>,
    /// No posts with one of these.
    #[serde(default)]
    pub exclude_tags: Vec<String>,
    /// Whether readers without a choice get it; where no digest says so, they get the first.
    #[serde(default)]
    pub default: bool,
    /// Whether a frozen edition waits for `approve`.
    #[serde(default)]
    pub approve: bool,
    /// Whether an edition is released only when its posts' addresses answer.
    #[serde(default)]
    pub require_live: bool,
    /// Whether its editions have pages on the site.
    #[serde(default = "yes")]
    pub archive: bool,
    /// The zone of its schedule; the site's where it is not given.
    #[serde(default, deserialize_with = "some_from_text")]
    pub timezone: Option<Tz>,
}

/// What a digest looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Cards: each post with its picture and its beginning, the others as links.
    #[default]
    Digest,
    /// One post in full, as a letter; the others as links.
    Letter,
    /// A dense list of titles.
    Headlines,
    /// All in full, as far as the mail stays small enough.
    Full,
}

impl Layout {
    /// The folder of its templates.
    pub fn folder(self) -> &'static str {
        match self {
            Layout::Digest => "digest",
            Layout::Letter => "letter",
            Layout::Headlines => "headlines",
            Layout::Full => "full",
        }
    }
}

impl Settings {
    /// Whether a post belongs into this digest: its tags and categories, its own `digest: false`, and whether another stands for it.
    pub fn takes(&self, post: &Post) -> bool {
        let has = |wanted: &[String]| wanted.iter().any(|w| post.is_about(w));
        let own = post.in_digests && post.rare.translates.is_none();
        own && (self.tags.is_empty() || has(&self.tags)) && !has(&self.exclude_tags)
    }

    /// The zone of its schedule.
    pub fn zone(&self, site: Tz) -> Tz {
        self.timezone.unwrap_or(site)
    }
}

/// A digest's name: `[a-z0-9][a-z0-9-]*`, at most 32. It stands in edition ids, file names, List-Ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        match !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(fits)
            && !text.starts_with('-')
            && !text.ends_with('-')
        {
            true => Ok(Name(text.to_owned())),
            false => Err(format!("{text:?} cannot name a digest; use up to 32 lower-case letters, digits and hyphens")),
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from_text(from)
    }
}

fn from_text<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

fn some_from_text<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    from_text(from).map(Some)
}

fn yes() -> bool {
    true
}
fn one() -> usize {
    1
}
fn twenty() -> usize {
    20
}
fn one_day() -> Span {
    Span::hours(24)
}
