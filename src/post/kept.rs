//! What the store keeps of a post's file beside its identity. Promises: what was kept comes back as it was, so that a file
//! that did not change needs no reading; what cannot be understood is read again.

use super::identity::Extent;
use super::{Person, Post, Said, Shared};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

/// The facts of a post that have no column. Short names: they stand in the store once for every post.
#[derive(Serialize, Deserialize)]
struct Facts {
    #[serde(rename = "p")]
    published: Moment,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    updated: Option<Moment>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    guid: Option<String>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    work: Option<String>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    section: Option<String>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    translates: Option<String>,
    #[serde(rename = "h", default)]
    source: u64,
    #[serde(rename = "nf", default, skip_serializing_if = "is_false")]
    not_in_feeds: bool,
    #[serde(rename = "nd", default, skip_serializing_if = "is_false")]
    not_in_digests: bool,
    #[serde(rename = "m", default, skip_serializing_if = "is_false")]
    minor: bool,
    #[serde(rename = "f", default, skip_serializing_if = "is_false")]
    featured: bool,
}

/// Seconds since 1970, nanoseconds, and seconds east of Greenwich: some zones of old were not on the minute.
#[derive(Serialize, Deserialize)]
struct Moment(i64, u32, i32);

impl Moment {
    fn of(date: DateTime<FixedOffset>) -> Self {
        Moment(date.timestamp(), date.timestamp_subsec_nanos(), date.offset().local_minus_utc())
    }

    fn date(&self) -> Option<DateTime<FixedOffset>> {
        let utc = DateTime::from_timestamp(self.0, self.1)?;
        Some(utc.with_timezone(&FixedOffset::east_opt(self.2)?))
    }
}

/// A person, of whom mostly the name is known.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Author {
    Named(String),
    Known(Person),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The facts of a post, as JSON.
pub fn write(post: &Post) -> String {
    let author = |person: &Person| match person {
        Person { name, email: None, url: None } => Author::Named(name.clone()),
        known => Author::Known(known.clone()),
    };
    let facts = Facts {
        published: Moment::of(post.published),
        updated: post.rare.updated.map(Moment::of),
        authors: post.authors.iter().map(author).collect(),
        categories: post.categories.to_vec(),
        tags: post.tags.to_vec(),
        language: post.rare.language.clone(),
        guid: post.rare.guid.clone(),
        work: post.rare.work.clone(),
        section: post.section.clone(),
        translates: post.rare.translates.clone(),
        source: post.source,
        not_in_feeds: !post.in_feeds,
        not_in_digests: !post.in_digests,
        minor: post.minor,
        featured: post.featured,
    };
    serde_json::to_string(&facts).unwrap_or_default()
}

/// Adds to a post what [`write()`] wrote of it; its authors are shared with `all` posts that have the same. Facts of another
/// version leave it as it is.
pub fn complete(post: &mut Post, facts: &str, all: &mut Shared<[Person]>) -> Extent {
    let Some((facts, published)) = serde_json::from_str::<Facts>(facts).ok().and_then(|facts| {
        let published = facts.published.date()?;
        Some((facts, published))
    }) else {
        return Extent::Identifying;
    };
    let person = |author| match author {
        Author::Named(name) => Person { name, email: None, url: None },
        Author::Known(person) => person,
    };
    let authors: Vec<Person> = facts.authors.into_iter().map(person).collect();
    post.published = published;
    let Facts { language, guid, work, translates, .. } = facts;
    let updated = facts.updated.and_then(|date| date.date());
    post.rare = Said { updated, language, guid, work, translates }.into();
    post.authors = all.first(authors.into());
    post.categories = facts.categories.iter().collect();
    post.tags = facts.tags.iter().collect();
    post.in_feeds = !facts.not_in_feeds;
    post.in_digests = !facts.not_in_digests;
    post.section = facts.section;
    post.source = facts.source;
    post.minor = facts.minor;
    post.featured = facts.featured;
    Extent::Whole
}
