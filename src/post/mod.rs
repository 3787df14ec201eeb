//! A post: a source document of the blog, as its generator would read it.

pub mod date;
pub mod dialect;
pub mod excerpt;
pub mod front_matter;
pub mod generator;
pub mod glob;
pub mod hash;
pub mod identity;
pub mod kept;
pub mod kramdown;
pub mod link;
pub mod liquid;
pub mod markdown;
pub mod media;
pub mod permalink;
pub mod problem;
pub mod rare;
pub mod settings;
pub mod shared;
pub mod shortcode;
pub mod stamp;
pub mod summary;
pub mod text;
pub mod topics;
pub mod translation;

use crate::html::CleanHtml;
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;
use identity::Body;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use url::Url;

pub use hash::Hash;
pub use link::Link;
pub use media::Media;
pub use problem::{Problem, harmless};
pub use rare::{Rare, Said};
pub use settings::Settings;
pub use shared::Shared;
pub use stamp::Stamp;
pub use topics::Topics;

/// What the whole site says of itself: the `[site]` table over the generator's own configuration.
#[derive(Clone, Debug)]
pub struct Site {
    /// The site's title.
    pub title: String,
    /// Where it is served; ends in `/`. Every relative link is resolved against the post's own URL under it.
    pub url: Url,
    /// One sentence about it.
    pub description: Option<String>,
    /// BCP 47 language tag.
    pub language: String,
    /// For dates that carry no zone, and for schedules.
    pub timezone: Tz,
    /// Who writes it, where a post does not say.
    pub author: Option<Person>,
}

/// An author.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name to show.
    pub name: String,
    /// Published in feeds where it is given.
    #[serde(default)]
    pub email: Option<String>,
    /// The person's page.
    #[serde(default)]
    pub url: Option<Url>,
}

/// The permanent identity of a post: the id of its feed entries. An absolute IRI where it was minted; any text where it was
/// taken over from an old feed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PostId(pub String);

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A source document, read but not rendered. It is published, and its time has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Where it lies, relative to the configuration file, with `/`.
    pub path: String,
    /// Plain text: no markup, no entities, no control characters, never empty.
    pub title: String,
    /// When it was published, in the zone in which the site shows it.
    pub published: DateTime<FixedOffset>,
    /// The slug in its URL.
    pub slug: String,
    /// Its permanent link; see [`Post::url()`].
    pub link: Link,
    /// Its authors; the site's where it names none.
    pub authors: Arc<[Person]>,
    /// Its categories, without doubles.
    pub categories: Topics,
    /// Its tags, without doubles.
    pub tags: Topics,
    /// What few posts say: a language, an id of the author's own, and the like.
    pub rare: Rare,
    /// Whether it goes into feeds (`feed: false`).
    pub in_feeds: bool,
    /// Whether it goes into digests (`digest: false`).
    pub in_digests: bool,
    /// The first folder in which it lies below the site's sources, as Hugo and Zola count; elsewhere, below the folder of posts.
    pub section: Option<String>,
    /// A change of it is not worth announcing (`minor: true`).
    pub minor: bool,
    /// It leads the mail that holds it (`featured: true`).
    pub featured: bool,
    /// Of the source below the front matter, line ends as `\n`.
    pub body: Body,
    /// Of what a reader sees: title, body, summary, image. `updated` follows it.
    pub fingerprint: Hash,
    /// The first eight octets of the SHA-256 of its whole file: what it is rendered from, front matter and all.
    pub source: u64,
    /// Says that a file with the same stamp reads the same; `None` where it is to be read again in any case.
    pub stamp: Option<Stamp>,
}

impl Post {
    /// One of which no more is known than that it is there: it goes everywhere, and says nothing.
    pub fn new(path: String, title: String, published: DateTime<FixedOffset>, slug: String, url: Url) -> Self {
        Post {
            path,
            title,
            published,
            slug,
            link: url.into(),
            authors: Arc::default(),
            categories: Topics::default(),
            tags: Topics::default(),
            rare: Rare::default(),
            in_feeds: true,
            in_digests: true,
            section: None,
            minor: false,
            featured: false,
            body: Body::default(),
            fingerprint: Hash::default(),
            source: 0,
            stamp: None,
        }
    }

    /// Its permanent link.
    pub fn url(&self) -> Url {
        self.link.url()
    }

    /// Whether it has that tag or category, whatever the case.
    pub fn is_about(&self, topic: &str) -> bool {
        let topic = topic.trim().to_lowercase();
        self.tags.iter().chain(self.categories.iter()).any(|t| t.to_lowercase() == topic)
    }
}

/// A picture, absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it is.
    pub url: Url,
    /// What it shows, in words.
    pub alt: String,
    /// What is known of the file; `None` until it is rendered, and where it does not lie in the site's folder.
    #[serde(skip)]
    pub measured: Option<Measured>,
}

/// What the file of a picture, of sound or of a film says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its length in bytes.
    pub length: u64,
    /// Its media type, `image/png`.
    pub media_type: String,
    /// A picture's width and height in pixels, as it is shown.
    pub size: Option<(u32, u32)>,
}

/// Characters that a summary has at most.
pub const SUMMARY_LENGTH: usize = 300;

/// What was rendered of a post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The whole post.
    pub html: CleanHtml,
    /// Its beginning, up to the excerpt separator.
    pub excerpt: CleanHtml,
    /// Plain text of one or a few sentences, at most [`SUMMARY_LENGTH`] characters: the author's own, or the excerpt's.
    pub summary: String,
    /// The picture that stands for the post, measured: its own, else the first that it shows.
    pub image: Option<Image>,
    /// What it offers beside its text, measured.
    pub media: Vec<Media>,
    /// What its author says before it where it leads a mail (`intro` in the front matter).
    pub intro: Option<CleanHtml>,
}

/// A file that is a post but is not published now, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// As [`Post::path`].
    pub path: String,
    /// `draft`, `unpublished`, `future`, `expired`, `no date`.
    pub reason: String,
}
