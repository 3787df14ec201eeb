//! The `[feeds]` table.

use super::Format;
use crate::post::identity::Ids;
use serde::Deserialize;
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
    /// Further feeds, one for each tag, author…: none can be made yet.
    #[serde(rename = "for", deserialize_with = "none_yet")]
    pub further: [(); 0],
    /// RFC 5005 archives: not yet.
    #[serde(deserialize_with = "not_yet")]
    pub archives: (),
}

fn none_yet<'de, D: serde::Deserializer<'de>>(from: D) -> Result<[(); 0], D::Error> {
    match Vec::<String>::deserialize(from)?.is_empty() {
        true => Ok([]),
        false => Err(serde::de::Error::custom("feeds per tag, author and the like are not made yet; write for = []")),
    }
}

fn not_yet<'de, D: serde::Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    match bool::deserialize(from)? {
        false => Ok(()),
        true => Err(serde::de::Error::custom("archives are not written yet; write archives = false")),
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
            further: [],
            archives: (),
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
            "for = ['tag']",
            "archives = true",
            "content = 'some'",
            "limit = -1",
        ] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
    }
}
