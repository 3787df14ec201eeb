//! A feed as people, readers and hubs are told of it: what it is called and where it is served.

use super::{Format, Settings, xml};
use crate::post::Site;
use std::path::PathBuf;
use url::Url;

/// Where the page that lists the feeds is served, below the site.
pub const PAGE: &str = "feeds/";
/// What browsers show a feed with.
pub const STYLESHEET: &str = "feeds/feed.css";
/// All feeds for feed readers.
pub const OPML: &str = "feeds/feeds.opml";

/// A feed in all its formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Plain text on one line.
    pub title: String,
    /// One sentence about it, plain text.
    pub description: Option<String>,
    /// The page that it is of.
    pub home: Url,
    /// In the order of the configuration.
    pub files: Vec<File>,
}

/// A feed in one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The format.
    pub format: Format,
    /// Where it lies, relative to the configuration file.
    pub path: PathBuf,
    /// Where it is served.
    pub url: Url,
}

impl Listed {
    /// The site's own feed.
    pub fn of_site(site: &Site, settings: &Settings) -> Listed {
        let description = site.description.as_deref().map(xml::line).filter(|text| !text.is_empty());
        Listed::new(&site.title, description, site.url.clone(), "", site, settings)
    }

    /// The feed that lies in `folder` below `feeds.dir`, `tag/rust`; the site's own lies in none.
    pub fn new(
        title: &str,
        description: Option<String>,
        home: Url,
        folder: &str,
        site: &Site,
        settings: &Settings,
    ) -> Listed {
        let file = |format: &Format| {
            let name = match folder {
                "" => format.file_name().to_owned(),
                folder => format!("{folder}/{}", format.file_name()),
            };
            let url = site.url.join(&name).unwrap_or_else(|_| site.url.clone());
            File { format: *format, path: settings.dir.join(&name), url }
        };
        Listed { title: xml::line(title), description, home, files: settings.formats.iter().map(file).collect() }
    }

    /// The lines for the head of a page by which readers find the feed (HTML, section 4.6.7.1, `alternate`).
    pub fn autodiscovery(&self) -> String {
        let line = |file: &File| {
            let title = match self.files.len() {
                1 => self.title.clone(),
                _ => format!("{} ({})", self.title, file.format),
            };
            let (kind, title) = (file.format.media_type(), xml::attribute(&title));
            let url = xml::attribute(&xml::uri(&file.url));
            format!("<link rel=\"alternate\" type=\"{kind}\" title=\"{title}\" href=\"{url}\">\n")
        };
        self.files.iter().map(line).collect()
    }
}

impl File {
    /// The address as it stands in the feed itself.
    pub fn address(&self) -> String {
        xml::uri(&self.url)
    }
}
