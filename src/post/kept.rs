//! What the store keeps of a post's file beside its identity. Promises: what was kept comes back as it was, so that a file
//! that did not change needs no reading; what cannot be understood is read again.

use super::identity::Known;
use super::{Image, Person, Post};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use url::Url;

/// The facts that [`Known`] has no column for. Short names: they stand in the store once for every post.
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
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    work: Option<String>,
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
        updated: post.updated.map(Moment::of),
        authors: post.authors.iter().map(author).collect(),
        categories: post.categories.clone(),
        tags: post.tags.clone(),
        language: post.language.clone(),
        guid: post.guid.clone(),
        summary: post.summary.clone(),
        image: post.image.clone(),
        work: post.work.clone(),
        not_in_feeds: !post.in_feeds,
        not_in_digests: !post.in_digests,
        minor: post.minor,
        featured: post.featured,
    };
    serde_json::to_string(&facts).unwrap_or_default()
}

/// The post of a row; `None` where it is to be read from its file.
pub fn read(known: &Known) -> Option<Post> {
    let facts: Facts = serde_json::from_str(&known.facts).ok()?;
    let person = |author| match author {
        Author::Named(name) => Person { name, email: None, url: None },
        Author::Known(person) => person,
    };
    Some(Post {
        path: known.path.clone(),
        title: known.title.clone(),
        published: facts.published.date()?,
        updated: facts.updated.and_then(|date| date.date()),
        slug: known.slug.clone(),
        url: Url::parse(&known.permalink).ok()?,
        authors: facts.authors.into_iter().map(person).collect(),
        categories: facts.categories,
        tags: facts.tags,
        language: facts.language,
        guid: facts.guid,
        summary: facts.summary,
        image: facts.image,
        in_feeds: !facts.not_in_feeds,
        in_digests: !facts.not_in_digests,
        work: facts.work,
        section: None,
        translates: None,
        minor: facts.minor,
        featured: facts.featured,
        body: known.body.clone(),
        fingerprint: known.fingerprint.clone(),
        stamp: known.stamp.clone(),
    })
}
