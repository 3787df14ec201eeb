//! `[feeds.podcast]`: what podcast programs and directories ask of a feed beside RSS itself, in Apple's tags
//! (<https://podcasters.apple.com/support/823-podcast-requirements>). They stand in every RSS feed that holds an episode.

use super::{Entry, Feed, xml};
use crate::post::Media;
use ::rss::extension::itunes::{ITunesCategory, ITunesChannelExtension, ITunesItemExtension, ITunesOwner};
use serde::Deserialize;
use serde::de::Error;
use url::Url;

/// What is told of the podcast as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Podcast {
    /// Apple's categories, such as `Science: Nature`, the most fitting first.
    pub categories: Vec<Category>,
    /// Its cover: a square JPEG or PNG of 1400 to 3000 pixels a side.
    pub image: Url,
    /// Whether it is not for children.
    #[serde(default)]
    pub explicit: bool,
    /// Who makes it; else the site's author.
    pub author: Option<String>,
    /// Where a directory writes to, to see that it is yours. Public.
    pub email: Option<String>,
    /// In which order it is to be heard: `episodic` (the newest first, or any) or `serial` (from the first on).
    #[serde(default, rename = "type")]
    pub order: Order,
}

/// In which order a podcast is to be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The newest first, or any.
    #[default]
    Episodic,
    /// From the first on.
    Serial,
}

/// One of Apple's categories, `Science` or `Science: Nature`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    name: &'static str,
    below: Option<&'static str>,
}

impl<'de> Deserialize<'de> for Category {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let said = String::deserialize(from)?;
        let (above, below) = match said.split_once(':') {
            Some((above, below)) => (above.trim(), Some(below.trim())),
            None => (said.trim(), None),
        };
        let Some((name, all)) = CATEGORIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(above)) else {
            let names: Vec<_> = CATEGORIES.iter().map(|(name, _)| *name).collect();
            return Err(D::Error::custom(format!(
                "{above:?} is no category of podcasts\n  help: there are {}",
                names.join(", ")
            )));
        };
        let below = below.map(|below| {
            all.iter().copied().find(|name| name.eq_ignore_ascii_case(below)).ok_or_else(|| {
                let there_are = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
                D::Error::custom(format!("{below:?} is no category below {name:?}\n  help: there are {there_are}"))
            })
        });
        Ok(Category { name, below: below.transpose()? })
    }
}

/// The tags of a channel; none where nothing of it can be played.
pub(super) fn channel(podcast: Option<&Podcast>, feed: &Feed) -> Option<ITunesChannelExtension> {
    let podcast = podcast.filter(|_| feed.entries.iter().any(|entry| episode(entry).is_some()))?;
    let author = podcast.author.clone().or_else(|| feed.author.as_ref().map(|author| author.name.clone()));
    let author = author.map(|author| xml::line(&author));
    let category = |category: &Category| ITunesCategory {
        text: category.name.to_owned(),
        subcategory: category.below.map(|below| Box::new(ITunesCategory { text: below.to_owned(), subcategory: None })),
    };
    let owner = podcast.email.as_ref().map(|email| ITunesOwner { name: author.clone(), email: Some(xml::line(email)) });
    Some(ITunesChannelExtension {
        author,
        categories: podcast.categories.iter().map(category).collect(),
        image: Some(xml::uri(&podcast.image)),
        explicit: Some(podcast.explicit.to_string()),
        owner,
        r#type: Some(if podcast.order == Order::Serial { "serial" } else { "episodic" }.to_owned()),
        ..ITunesChannelExtension::default()
    })
}

/// The tags of an item of a podcast.
pub(super) fn item(podcast: Option<&Podcast>, entry: &Entry) -> Option<ITunesItemExtension> {
    let seconds = podcast.and(episode(entry))?.seconds?;
    Some(ITunesItemExtension { duration: Some(seconds.to_string()), ..ITunesItemExtension::default() })
}

/// What RSS offers of an entry, if it can be heard or seen.
fn episode(entry: &Entry) -> Option<&Media> {
    let plays = |media: &&Media| ["audio/", "video/"].iter().any(|kind| media.media_type.starts_with(kind));
    entry.media.first().filter(plays)
}

/// As Apple lists them (<https://podcasters.apple.com/support/1691-apple-podcasts-categories>, 2026).
const CATEGORIES: [(&str, &[&str]); 19] = [
    ("Arts", &["Books", "Design", "Fashion & Beauty", "Food", "Performing Arts", "Visual Arts"]),
    ("Business", &["Careers", "Entrepreneurship", "Investing", "Management", "Marketing", "Non-Profit"]),
    ("Comedy", &["Comedy Interviews", "Improv", "Stand-Up"]),
    ("Education", &["Courses", "How To", "Language Learning", "Self-Improvement"]),
    ("Fiction", &["Comedy Fiction", "Drama", "Science Fiction"]),
    ("Government", &[]),
    ("History", &[]),
    ("Health & Fitness", &["Alternative Health", "Fitness", "Medicine", "Mental Health", "Nutrition", "Sexuality"]),
    ("Kids & Family", &["Education for Kids", "Parenting", "Pets & Animals", "Stories for Kids"]),
    (
        "Leisure",
        &["Animation & Manga", "Automotive", "Aviation", "Crafts", "Games", "Hobbies", "Home & Garden", "Video Games"],
    ),
    ("Music", &["Music Commentary", "Music History", "Music Interviews"]),
    (
        "News",
        &[
            "Business News",
            "Daily News",
            "Entertainment News",
            "News Commentary",
            "Politics",
            "Sports News",
            "Tech News",
        ],
    ),
    (
        "Religion & Spirituality",
        &["Buddhism", "Christianity", "Hinduism", "Islam", "Judaism", "Religion", "Spirituality"],
    ),
    (
        "Science",
        &[
            "Astronomy",
            "Chemistry",
            "Earth Sciences",
            "Life Sciences",
            "Mathematics",
            "Natural Sciences",
            "Nature",
            "Physics",
            "Social Sciences",
        ],
    ),
    ("Society & Culture", &["Documentary", "Personal Journals", "Philosophy", "Places & Travel", "Relationships"]),
    (
        "Sports",
        &[
            "Baseball",
            "Basketball",
            "Cricket",
            "Fantasy Sports",
            "Football",
            "Golf",
            "Hockey",
            "Rugby",
            "Running",
            "Soccer",
            "Swimming",
            "Tennis",
            "Volleyball",
            "Wilderness",
            "Wrestling",
        ],
    ),
    ("Technology", &[]),
    ("True Crime", &[]),
    ("TV & Film", &["After Shows", "Film History", "Film Interviews", "Film Reviews", "TV Reviews"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_apples() {
        let read = |category: &str| {
            let table = format!("categories = [{category:?}]\nimage = \"https://example.org/cover.jpg\"");
            toml::from_str::<Podcast>(&table).map(|podcast| (podcast.categories[0].name, podcast.categories[0].below))
        };
        assert_eq!(read("technology"), Ok(("Technology", None)));
        assert_eq!(read("Society & Culture: documentary"), Ok(("Society & Culture", Some("Documentary"))));
        for (wrong, said) in [
            ("Birds", "\"Birds\" is no category of podcasts"),
            ("History: Old", "below \"History\""),
            ("Science: X", "Astronomy"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
