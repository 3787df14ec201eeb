//! The `[feeds]` table.

use super::{Format, Podcast};
use crate::post::identity::{Ids, Rules};
use crate::post::{Post, Site, glob};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::HashSet;
use std::path::PathBuf;
use url::Url;

/// Which feeds are written, where, and how much they hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder they are written to, relative to the configuration file.
    pub dir: PathBuf,
    /// The formats to write.
    pub formats: Vec<Format>,
    /// How many posts a feed holds at most.
    pub limit: usize,
    /// How much of a post it holds.
    pub content: ContentKind,
    /// How new ids are minted.
    pub ids: Ids,
    /// The domain in ids, kept when the site moves; without it the host of `site.url`.
    pub authority: Option<String>,
    /// More old posts than this appearing as new in one run stop it.
    pub flood_limit: usize,
    /// Where the feeds' WebSub hub is, which is told when they change.
    pub hub: Option<Url>,
    /// Whether `feeds/index.html` and what else stands beside the feeds is written.
    pub page: bool,
    /// What the feeds say of the podcast that they are.
    pub podcast: Option<Podcast>,
    /// Further feeds: one for each tag, author, and so on.
    #[serde(rename = "for")]
    pub further: Vec<Kind>,
    /// Whether the whole history of the site's feed and of those by name is published (RFC 5005).
    pub archives: bool,
}

impl Settings {
    /// What ids and dates of posts follow from. `present` are the files that are there but not published.
    pub fn rules<'a>(&'a self, site: &'a Site, now: DateTime<Utc>, present: &'a HashSet<&'a str>) -> Rules<'a> {
        let authority = self.authority.as_deref().or(site.url.host_str()).unwrap_or_default();
        Rules { ids: self.ids, authority, site, now, present }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dir: PathBuf::from("public"),
            formats: vec![Format::Rss, Format::Atom, Format::Json],
            limit: 20,
            content: ContentKind::Full,
            ids: Ids::default(),
            authority: None,
            flood_limit: 10,
            hub: None,
            page: true,
            podcast: None,
            further: Vec::new(),
            archives: false,
        }
    }
}

/// How much of a post an entry holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentKind {
    /// The whole post and its summary.
    #[default]
    Full,
    /// The summary alone.
    Summary,
}

/// What the posts of a further feed share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A tag.
    Tag,
    /// A category.
    Category,
    /// An author, by name.
    Author,
    /// The language they are written in, translations included.
    Language,
    /// The folder they lie in, as the generator counts sections.
    Section,
}

impl Kind {
    /// The folder of these feeds.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Tag => "tag",
            Kind::Category => "category",
            Kind::Author => "author",
            Kind::Language => "language",
            Kind::Section => "section",
        }
    }
}

/// A `[[feed]]`: one more feed, of the posts that all of it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its folder below `feeds.dir`.
    pub name: Name,
    /// Its title; else the site's, and the name.
    pub title: Option<String>,
    /// Only posts with one of these tags or categories.
    #[serde(default)]
    pub tags: Vec<String>,
    /// No posts with one of these.
    #[serde(default)]
    pub exclude_tags: Vec<String>,
    /// Only posts by one of these people.
    #[serde(default)]
    pub authors: Vec<String>,
    /// Only posts whose path matches this pattern, `posts/travel/**`.
    pub path: Option<String>,
    /// As `feeds.limit`.
    pub limit: Option<usize>,
    /// As `feeds.content`.
    pub content: Option<ContentKind>,
}

impl Named {
    /// Whether it takes a post, of those that go into feeds.
    pub fn takes(&self, post: &Post) -> bool {
        let is = |person: &str, name: &str| person.trim().to_lowercase() == name.trim().to_lowercase();
        let by = |name: &String| post.authors.iter().any(|person| is(&person.name, name));
        let about = |wanted: &[String]| wanted.iter().any(|tag| post.is_about(tag));
        (self.tags.is_empty() || about(&self.tags))
            && !about(&self.exclude_tags)
            && (self.authors.is_empty() || self.authors.iter().any(by))
            && self.path.as_ref().is_none_or(|pattern| glob::matches(pattern, &post.path))
    }
}

/// The name of a `[[feed]]`: a folder that no other feed and nothing else of ours has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands beside the feeds by name.
const TAKEN: [&str; 8] = ["tag", "category", "author", "language", "section", "archive", "feeds", "editions"];

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=64).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('-');
        match good && !TAKEN.contains(&name.as_str()) {
            true => Ok(Name(name)),
            false => Err(serde::de::Error::custom(format!(
                "{name:?} cannot name a feed, which is its folder; use lower-case letters, digits and hyphens, and none of {}",
                TAKEN.join(", ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default_and_unknown_keys_are_errors() {
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
        let some: Settings = toml::from_str("formats = ['json']\ncontent = 'summary'\nids = 'jekyll-feed'").unwrap();
        assert_eq!((some.formats, some.content, some.ids), (vec![Format::Json], ContentKind::Summary, Ids::JekyllFeed));
        for bad in [
            "format = ['rss']",
            "formats = ['rdf']",
            "for = ['tags']",
            "archives = 'yes'",
            "content = 'some'",
            "limit = -1",
        ] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_a_folder_of_its_own() {
        let named = |name: &str| toml::from_str::<Named>(&format!("name = {name:?}"));
        assert_eq!(named("bird-notes").unwrap().name.as_str(), "bird-notes");
        for bad in ["", "-a", "Birds", "a/b", "..", "日本", "tag", "archive", "editions"] {
            let error = named(bad).unwrap_err().to_string();
            assert!(error.contains("cannot name a feed"), "{bad}: {error}");
        }
        assert!(toml::from_str::<Named>("title = 'x'").is_err());
        assert!(toml::from_str::<Named>("name = 'x'\ntag = ['y']").is_err());
    }
}
