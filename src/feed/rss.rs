//! RSS 2.0, after the RSS Best Practices Profile.

use super::history::{self, NAMESPACE};
use super::{ContentKind, Entry, Error, Feed, Format, Found, FoundEntry, GENERATOR, Settings, mail_and_name, xml};
use ::rss::extension::atom::{AtomExtension, Link};
use ::rss::extension::dublincore::DublinCoreExtension;
use ::rss::{Category, Channel, Guid, Item};
use chrono::{DateTime, TimeZone};
use std::fmt::Display;
use url::Url;

/// The feed as RSS, to be served at `self_url`.
pub(super) fn write(feed: &Feed, self_url: &Url, settings: &Settings) -> Result<Vec<u8>, Error> {
    let itself = Link {
        href: xml::uri(self_url),
        rel: "self".to_owned(),
        mime_type: Some(Format::Rss.media_type().to_owned()),
        ..Link::default()
    };
    let mark = feed.history.mark();
    let rest = feed.history.links(self_url, Format::Rss).into_iter().map(|(rel, url)| Link {
        href: xml::uri(&url),
        rel: rel.to_owned(),
        mime_type: Some(Format::Rss.media_type().to_owned()),
        ..Link::default()
    });
    let channel = Channel {
        title: feed.title.clone(),
        link: xml::uri(&feed.home),
        // The element is required, and an empty one is as bad as none.
        description: feed.description.as_ref().unwrap_or(&feed.title).clone(),
        language: Some(feed.language.to_lowercase()),
        managing_editor: feed.author.as_ref().and_then(mail_and_name),
        last_build_date: Some(date(&feed.updated)),
        generator: Some(GENERATOR.to_owned()),
        atom_ext: Some(AtomExtension { links: [itself].into_iter().chain(rest).collect() }),
        namespaces: mark.iter().map(|_| ("fh".to_owned(), NAMESPACE.to_owned())).collect(),
        items: feed.entries.iter().map(|entry| item(entry, settings.content)).collect(),
        ..Channel::default()
    };
    let unwritable = |reason: String| Error::Unwritable { format: Format::Rss, reason };
    let bytes = channel.pretty_write_to(Vec::new(), b' ', 2).map_err(|error| unwritable(error.to_string()))?;
    let document = String::from_utf8(bytes).map_err(|error| unwritable(error.to_string()))?;
    let document = history::marked(document, mark, "\n    <atom:link ");
    Ok((xml::hex_references(&document) + "\n").into_bytes())
}

fn item(entry: &Entry, content: ContentKind) -> Item {
    let link = xml::uri(&entry.url);
    // `author` may stand once and must be an address, and beside `dc:creator` it would say the same twice.
    let author = match entry.authors.as_slice() {
        [only] => mail_and_name(only),
        _ => None,
    };
    let creators = match author {
        Some(_) => Vec::new(),
        None => entry.authors.iter().map(|author| author.name.clone()).collect(),
    };
    let dublin_core =
        DublinCoreExtension { creators, languages: entry.language.iter().cloned().collect(), ..Default::default() };
    Item {
        title: Some(entry.title.clone()),
        guid: Some(Guid { permalink: entry.id.0 == link, value: entry.id.0.clone() }),
        link: Some(link),
        description: Some(xml::as_html(&entry.summary)).filter(|summary| !summary.is_empty()),
        author,
        categories: entry.categories.iter().map(|name| Category { name: name.clone(), domain: None }).collect(),
        pub_date: Some(date(&entry.published)),
        content: match content {
            ContentKind::Full => Some(entry.markup()),
            ContentKind::Summary => None,
        },
        dublin_core_ext: Some(dublin_core),
        ..Item::default()
    }
}

/// RFC 822 with the four-digit year of RFC 2822. chrono's own `to_rfc2822` panics beyond the year 9999.
fn date<Z: TimeZone<Offset: Display>>(date: &DateTime<Z>) -> String {
    date.format("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// What a reader finds, or why it finds nothing.
pub(super) fn read(bytes: &[u8]) -> Result<Found, String> {
    let channel = Channel::read_from(bytes).map_err(|error| error.to_string())?;
    Ok(Found { title: channel.title, entries: channel.items.into_iter().map(found).collect() })
}

fn found(mut item: Item) -> FoundEntry {
    let (title, url) = (item.title.clone().unwrap_or_default(), item.link.clone().unwrap_or_default());
    // As readers do with the feeds of others that lack a guid.
    let id = item
        .guid
        .take()
        .map(|guid| guid.value)
        .unwrap_or_else(|| if url.is_empty() { title.clone() } else { url.clone() });
    FoundEntry { id, title, url, rest: format!("{item:?}") }
}
