//! RSS 2.0, after the RSS Best Practices Profile.

use super::history::{self, NAMESPACE};
use super::{
    ContentKind, Entry, Error, Feed, Format, Found, FoundEntry, GENERATOR, Settings, mail_and_name, picture, podcast,
    xml,
};
use crate::post::Media;
use ::rss::extension::atom::{AtomExtension, Link};
use ::rss::extension::dublincore::DublinCoreExtension;
use ::rss::extension::{Extension, ExtensionMap};
use ::rss::{Category, Channel, Enclosure, Guid, Item};
use chrono::{DateTime, TimeZone};
use std::collections::BTreeMap;
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
    let hub = settings.hub.as_ref().map(|hub| Link { href: xml::uri(hub), rel: "hub".to_owned(), ..Link::default() });
    let fh = mark.map(|_| ("fh".to_owned(), NAMESPACE.to_owned()));
    let channel = Channel {
        title: feed.title.clone(),
        link: xml::uri(&feed.home),
        // The element is required, and an empty one is as bad as none.
        description: feed.description.as_ref().unwrap_or(&feed.title).clone(),
        language: Some(feed.language.to_lowercase()),
        managing_editor: feed.author.as_ref().and_then(mail_and_name),
        // Of nothing, there is no time of change.
        last_build_date: (!feed.entries.is_empty()).then(|| date(&feed.updated)),
        generator: Some(GENERATOR.to_owned()),
        namespaces: picture::namespaces(&feed.entries).into_iter().chain(fh).collect(),
        atom_ext: Some(AtomExtension { links: std::iter::once(itself).chain(hub).chain(rest).collect() }),
        itunes_ext: podcast::channel(settings.podcast.as_ref(), feed),
        items: feed.entries.iter().map(|entry| item(entry, settings)).collect(),
        ..Channel::default()
    };
    let unwritable = |reason: String| Error::Unwritable { format: Format::Rss, reason };
    let bytes = channel.pretty_write_to(Vec::new(), b' ', 2).map_err(|error| unwritable(error.to_string()))?;
    let document = String::from_utf8(bytes).map_err(|error| unwritable(error.to_string()))?;
    let document = history::marked(document, mark, "\n    <atom:link ");
    let document = xml::hex_references(&document) + "\n";
    Ok(xml::with_stylesheet(document, feed, self_url, settings).into_bytes())
}

fn item(entry: &Entry, settings: &Settings) -> Item {
    let content = settings.content;
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
        enclosure: entry.media.first().map(enclosure),
        extensions: pictures(entry, content),
        dublin_core_ext: Some(dublin_core),
        itunes_ext: podcast::item(settings.podcast.as_ref(), entry),
        ..Item::default()
    }
}

/// The Best Practices Profile allows one per item, and wants 0 where the length is not known. A picture is never one: readers
/// would take the feed for a podcast, or show the picture twice.
fn enclosure(media: &Media) -> Enclosure {
    Enclosure {
        url: xml::uri(&media.url),
        length: media.length.unwrap_or(0).to_string(),
        mime_type: media.media_type.clone(),
    }
}

fn pictures(entry: &Entry, content: ContentKind) -> ExtensionMap {
    let element = |(name, attrs): picture::Element| {
        let extension = Extension { name: format!("{}:{name}", picture::PREFIX), attrs, ..Extension::default() };
        (name.to_owned(), vec![extension])
    };
    let elements: BTreeMap<_, _> = picture::elements(entry, content).into_iter().map(element).collect();
    if elements.is_empty() { ExtensionMap::new() } else { BTreeMap::from([(picture::PREFIX.to_owned(), elements)]) }
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
