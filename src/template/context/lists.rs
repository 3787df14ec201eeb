//! What the pages that list feeds and editions can use.

use super::Site;
use crate::template::theme::{self, Theme};
use serde::Serialize;
use url::Url;

/// For `feeds/index.html.j2`, the page that lists the feeds, and `feeds/feed.css.j2`, its style and that of an opened feed.
#[derive(Clone, Debug, Serialize)]
pub struct FeedsPage {
    /// The site.
    pub site: Site,
    /// The feeds; the first is that of the whole site.
    pub feeds: Vec<Feed>,
    /// How many found no room on the page; the OPML file has them.
    pub more: usize,
    /// The page's own URL.
    pub page: String,
    /// The list of all feeds for feed readers, OPML: a URL relative to the page.
    pub opml: String,
    /// The lines for the head of the site's pages by which readers find the first feed; finished HTML.
    pub autodiscovery: String,
    /// The page where people subscribe to the mails, where the world reaches one.
    pub subscribe: Option<String>,
}

/// A feed.
#[derive(Clone, Debug, Serialize)]
pub struct Feed {
    /// Plain text.
    pub title: String,
    /// One sentence about it, or nothing.
    pub description: Option<String>,
    /// The page that it is of.
    pub url: String,
    /// Its formats; all hold the same.
    pub formats: Vec<FeedFormat>,
}

/// A feed in one format.
#[derive(Clone, Debug, Serialize)]
pub struct FeedFormat {
    /// `RSS`, `Atom`, `JSON Feed`.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Its media type.
    pub media_type: String,
}

/// For `editions/index.html.j2`, the page that lists the editions.
#[derive(Clone, Debug, Serialize)]
pub struct EditionsPage {
    /// BCP 47: the site's, in which the page speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
    /// The site.
    pub site: Site,
    /// The digests that have editions.
    pub digests: Vec<EditionsOf>,
    /// The page's own URL.
    pub page: String,
    /// The lines for the head of the page by which readers find the feed of editions; finished HTML.
    pub autodiscovery: String,
    /// Colours and faces.
    pub theme: Theme,
}

/// The editions of a digest.
#[derive(Clone, Debug, Serialize)]
pub struct EditionsOf {
    /// The digest's name.
    pub name: String,
    /// Newest first.
    pub years: Vec<Year>,
}

/// The editions of a year.
#[derive(Clone, Debug, Serialize)]
pub struct Year {
    /// `2026`
    pub year: String,
    /// Newest first.
    pub editions: Vec<ListedEdition>,
}

/// An edition in the list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedEdition {
    /// Its subject.
    pub title: String,
    /// Its page, relative to the list.
    pub url: String,
    /// As [`super::Edition::date`].
    pub date: String,
    /// What else is in it, in a line.
    pub summary: String,
    /// BCP 47: in which it speaks.
    pub language: String,
    /// `ltr` or `rtl`.
    pub dir: String,
}

impl FeedsPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        let format = FeedFormat {
            name: "Atom".into(),
            url: "https://example.org/atom.xml".into(),
            media_type: "application/atom+xml".into(),
        };
        let feed = Feed {
            title: "Field Notes".into(),
            description: Some("Walks, waters and what lives in them.".into()),
            url: "https://example.org/".into(),
            formats: vec![format],
        };
        FeedsPage {
            site: Site::sample(),
            feeds: vec![feed],
            more: 2,
            page: "https://example.org/feeds/".into(),
            opml: "feeds.opml".into(),
            autodiscovery: "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"Field Notes\" href=\"https://example.org/atom.xml\">\n".into(),
            subscribe: Some("https://news.example.org/subscribe".into()),
        }
    }
}

impl EditionsPage {
    /// A page to try templates with.
    pub fn sample() -> Self {
        let edition = ListedEdition {
            title: "Field Notes: The eels are back".into(),
            url: "weekly/2026-11-23/".into(),
            date: "23 November 2026".into(),
            summary: "Also: Tea & <tags>".into(),
            language: "en".into(),
            dir: "ltr".into(),
        };
        let years = vec![Year { year: "2026".into(), editions: vec![edition] }];
        EditionsPage {
            language: "en".into(),
            dir: "ltr".into(),
            site: Site::sample(),
            digests: ["weekly", "each"].map(|name| EditionsOf { name: name.into(), years: years.clone() }).into(),
            page: "https://example.org/editions/".into(),
            autodiscovery: "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"All editions\" href=\"https://example.org/editions/atom.xml\">\n".into(),
            theme: theme::Settings::default().theme(&Url::parse("https://example.org/").expect("a URL")),
        }
    }
}
