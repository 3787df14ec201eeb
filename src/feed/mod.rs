//! Feeds: one Atom-shaped model, written as RSS 2.0, Atom 1.0 and JSON Feed 1.1.
//!
//! The same feed gives the same bytes, whenever it is written. What the model holds is fit for XML from the start; and
//! [`reread`] proves that what was written is read as what was meant, before it replaces anything (P5).

pub mod foreign;
pub mod history;
pub mod listed;
pub mod opml;
pub mod podcast;
pub mod scope;
pub mod settings;
pub mod tree;

mod atom;
mod iri;
mod json;
mod picture;
mod rss;
mod slug;
mod xml;

use crate::address::EmailAddress;
use crate::html::CleanHtml;
use crate::post::{Content, Image, Media, Person, Post, PostId, Site};
use aws_lc_rs::digest;
use chrono::{DateTime, FixedOffset, SubsecRound, Utc};
use serde::Deserialize;
use std::fmt;
use url::Url;

pub use history::History;
pub use listed::Listed;
pub use podcast::Podcast;
pub use scope::Scope;
pub use settings::{ContentKind, Kind, Named, Settings};

/// What the program calls itself in a feed. Without its version: a newer one must not change every feed.
const GENERATOR: &str = "Postrider";

/// A way to write a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RSS 2.0 with the Atom, Content and Dublin Core modules, after the RSS Best Practices Profile.
    Rss,
    /// Atom 1.0 (RFC 4287).
    Atom,
    /// JSON Feed 1.1.
    Json,
}

impl Format {
    /// The name of the site's own feed in this format.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Rss => "rss.xml",
            Format::Atom => "atom.xml",
            Format::Json => "feed.json",
        }
    }

    /// The media type to serve it as.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Rss => "application/rss+xml",
            Format::Atom => "application/atom+xml",
            Format::Json => "application/feed+json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Rss => "RSS",
            Format::Atom => "Atom",
            Format::Json => "JSON Feed",
        })
    }
}

/// A post as feeds show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The post's permanent identity.
    pub id: PostId,
    /// Plain text on one line.
    pub title: String,
    /// The post's permanent link.
    pub url: Url,
    /// In the zone in which the site shows it; whole seconds, and an offset of whole minutes.
    pub published: DateTime<FixedOffset>,
    /// The newest change worth announcing; whole seconds, never before `published`.
    pub updated: DateTime<Utc>,
    /// Every one has a name.
    pub authors: Vec<Person>,
    /// Categories, then tags, without doubles whatever their case.
    pub categories: Vec<String>,
    /// BCP 47, where the post says it.
    pub language: Option<String>,
    /// Plain text; may be empty.
    pub summary: String,
    /// The whole post.
    pub html: CleanHtml,
    /// The picture that stands for it.
    pub image: Option<Image>,
    /// What it offers beside its text. RSS has room for the first alone.
    pub media: Vec<Media>,
}

impl Entry {
    /// The entry of a post that was last changed at `updated`.
    pub fn new(id: PostId, updated: DateTime<Utc>, post: &Post, content: &Content) -> Entry {
        let published = whole_minutes(post.published.trunc_subsecs(0));
        Entry {
            html: content.html.clone().with_ids_of(&mark(&id), &post.url()),
            id: PostId(xml::line(&id.0)),
            title: xml::line(&post.title),
            url: post.url().clone(),
            published,
            updated: updated.trunc_subsecs(0).max(published.to_utc()),
            authors: post.authors.iter().filter_map(person).collect(),
            categories: without_doubles(post.categories.iter().chain(post.tags.iter())),
            language: post.rare.language.as_deref().map(language),
            summary: xml::text(&content.summary).trim().to_owned(),
            image: content.image.clone(),
            media: content.media.clone(),
        }
    }

    /// The entry of a digest's edition that was released then.
    pub fn of_edition(
        id: PostId,
        title: &str,
        url: Url,
        released: DateTime<FixedOffset>,
        language: &str,
        summary: &str,
        html: CleanHtml,
    ) -> Entry {
        let published = whole_minutes(released.trunc_subsecs(0));
        Entry {
            html: html.with_ids_of(&mark(&id), &url),
            id: PostId(xml::line(&id.0)),
            title: xml::line(title),
            url,
            published,
            updated: published.to_utc(),
            authors: Vec::new(),
            categories: Vec::new(),
            language: Some(self::language(language)),
            summary: xml::text(summary).trim().to_owned(),
            image: None,
            media: Vec::new(),
        }
    }

    /// The markup, fit for XML.
    fn markup(&self) -> String {
        xml::text(self.html.as_str())
    }
}

/// A feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Plain text on one line.
    pub title: String,
    /// The page that the feed is of.
    pub home: Url,
    /// One sentence about it, plain text.
    pub description: Option<String>,
    /// BCP 47.
    pub language: String,
    /// Who wrote what names no author.
    pub author: Option<Person>,
    /// When its newest change was, never when it was built; the epoch for a feed without entries.
    pub updated: DateTime<Utc>,
    /// Where the document stands in the history of the feed.
    pub history: History,
    /// What browsers show it with, where that is written.
    pub stylesheet: Option<Url>,
    /// In the order in which they are written.
    pub entries: Vec<Entry>,
}

impl Feed {
    /// The site's own feed of these entries, which are in the order in which they are written.
    pub fn new(site: &Site, entries: Vec<Entry>) -> Feed {
        Feed {
            title: xml::line(&site.title),
            home: site.url.clone(),
            description: site.description.as_deref().map(xml::line).filter(|text| !text.is_empty()),
            language: language(&site.language),
            author: site.author.as_ref().and_then(person),
            updated: entries.iter().map(|entry| entry.updated).max().unwrap_or_default(),
            history: History::Untold,
            stylesheet: site.url.join(listed::STYLESHEET).ok(),
            entries,
        }
    }

    /// A document of that feed of the site.
    pub fn of(site: &Site, scope: &Scope, history: History, entries: Vec<Entry>) -> Feed {
        let whole = Feed::new(site, entries);
        Feed {
            title: scope.title.clone(),
            home: scope.home.clone().unwrap_or_else(|| whole.home.clone()),
            // What the site says of itself is not true of a part of it.
            description: whole.description.clone().filter(|_| scope.role == scope::Role::Site),
            language: scope.language.clone().unwrap_or_else(|| whole.language.clone()),
            history,
            ..whole
        }
    }
}

/// What is wrong with a feed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It could not be written.
    #[error("the {format} feed could not be written: {reason}")]
    Unwritable {
        /// In which format.
        format: Format,
        /// What the writer says.
        reason: String,
    },
    /// It is not a feed in this format.
    #[error("this is not a well-formed {format} feed: {reason}")]
    Unreadable {
        /// In which format.
        format: Format,
        /// What the reader says.
        reason: String,
    },
    /// It holds a character that feeds may not hold.
    #[error("the {format} feed holds U+{:04X} near \"{near}\", which readers refuse", u32::from(*character))]
    Forbidden {
        /// In which format.
        format: Format,
        /// The character.
        character: char,
        /// What stands before it.
        near: String,
    },
    /// It is read as something else than what was to be written.
    #[error("the {format} feed is read with {what} \"{read}\" where \"{meant}\" was meant")]
    Differs {
        /// In which format.
        format: Format,
        /// Of what.
        what: &'static str,
        /// What a reader finds.
        read: String,
        /// What it should find.
        meant: String,
    },
}

/// The feed in a format, to be served at `self_url`.
pub fn write(feed: &Feed, format: Format, self_url: &Url, settings: &Settings) -> Result<Vec<u8>, Error> {
    match format {
        Format::Rss => rss::write(feed, self_url, settings),
        Format::Atom => atom::write(feed, self_url, settings),
        Format::Json => json::write(feed, self_url, settings),
    }
}

/// Checks that `bytes` are read as `feed`: well formed, nothing forbidden in them, and every entry in its order with
/// its id, title and link.
pub fn reread(bytes: &[u8], format: Format, feed: &Feed) -> Result<(), Error> {
    let text = str::from_utf8(bytes).map_err(|error| Error::Unreadable { format, reason: error.to_string() })?;
    if let Some((at, character)) = text.char_indices().find(|(_, c)| !xml::is_allowed(*c)) {
        let before: Vec<char> = text[..at].chars().rev().take(40).collect();
        return Err(Error::Forbidden { format, character, near: before.into_iter().rev().collect() });
    }
    let same = |what, read: &str, meant: &str| match read.trim() == meant.trim() {
        true => Ok(()),
        false => Err(Error::Differs { format, what, read: read.to_owned(), meant: meant.to_owned() }),
    };
    if format != Format::Json {
        xml::well_formed(text).map_err(|reason| Error::Unreadable { format, reason })?;
    }
    let found = read(bytes, format)?;
    same("the title", &found.title, &feed.title)?;
    same("the number of entries", &found.entries.len().to_string(), &feed.entries.len().to_string())?;
    for (found, meant) in found.entries.iter().zip(&feed.entries) {
        match format {
            Format::Atom => same("the id", &found.id, &iri::of(&meant.id.0))?,
            Format::Rss | Format::Json => same("the id", &found.id, &meant.id.0)?,
        }
        same("the title", &found.title, &meant.title)?;
        same("the link", &found.url, &xml::uri(&meant.url))?;
    }
    Ok(())
}

/// The entries of a feed, ours or another's: the id of each, and all else of it as text that is equal where they are.
pub fn entries_in(bytes: &[u8], format: Format) -> Result<Vec<(String, String)>, Error> {
    Ok(read(bytes, format)?.entries.into_iter().map(|entry| (entry.id, entry.rest)).collect())
}

/// What a reader finds.
struct Found {
    title: String,
    entries: Vec<FoundEntry>,
}

struct FoundEntry {
    id: String,
    title: String,
    url: String,
    /// All of it but the id, in no form but a stable one.
    rest: String,
}

fn read(bytes: &[u8], format: Format) -> Result<Found, Error> {
    match format {
        Format::Rss => rss::read(bytes),
        Format::Atom => atom::read(bytes),
        Format::Json => json::read(bytes),
    }
    .map_err(|reason| Error::Unreadable { format, reason })
}

/// `mail (Name)`, as RSS wants a person who has an e-mail.
fn mail_and_name(person: &Person) -> Option<String> {
    person.email.as_ref().map(|email| format!("{email} ({})", person.name))
}

/// The person with a name that can be shown: their e-mail where there is no other, nobody without either. What only
/// looks like an e-mail (`ada at example.org`) is left out: validators refuse a feed for it.
fn person(given: &Person) -> Option<Person> {
    let email = given.email.as_deref().map(xml::line).filter(|email| EmailAddress::parse(email).is_ok());
    let name = Some(xml::line(&given.name)).filter(|name| !name.is_empty()).or_else(|| email.clone())?;
    Some(Person { name, email, url: given.url.clone() })
}

fn without_doubles<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for name in names.map(xml::line).filter(|name| !name.is_empty()) {
        if !kept.iter().any(|other| other.to_lowercase() == name.to_lowercase()) {
            kept.push(name);
        }
    }
    kept
}

/// What the names inside a post begin with: as permanent as its id, so that no entry changes because of another.
fn mark(id: &PostId) -> String {
    let hash = digest::digest(&digest::SHA256, id.0.as_bytes());
    format!("p{}", data_encoding::HEXLOWER.encode(&hash.as_ref()[..4]))
}

/// A language tag of RFC 5646, also from the locale that some generators want (`en_US`).
fn language(given: &str) -> String {
    xml::line(given).replace('_', "-")
}

/// Local mean times of old have offsets with seconds, which no date format of feeds can say.
fn whole_minutes(date: DateTime<FixedOffset>) -> DateTime<FixedOffset> {
    match date.offset().local_minus_utc() % 60 {
        0 => date,
        _ => date.to_utc().fixed_offset(),
    }
}

#[cfg(test)]
mod tests;
