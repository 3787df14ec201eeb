//! Atom 1.0 (RFC 4287).

use super::history::{self, NAMESPACE};
use super::{ContentKind, Entry, Error, Feed, Format, Found, FoundEntry, GENERATOR, Settings, iri, picture, xml};
use crate::post::{Media, Person};
use atom_syndication as atom;
use atom_syndication::extension::{Extension, ExtensionMap};
use atom_syndication::{Category, Content, Generator, Link, Text, WriteConfig};
use std::collections::BTreeMap;
use url::Url;

/// The feed as Atom, to be served at `self_url`.
pub(super) fn write(feed: &Feed, self_url: &Url, settings: &Settings) -> Result<Vec<u8>, Error> {
    let itself = Link {
        href: xml::uri(self_url),
        rel: "self".to_owned(),
        mime_type: Some(Format::Atom.media_type().to_owned()),
        ..Link::default()
    };
    let hub = settings.hub.as_ref().map(|hub| Link { href: xml::uri(hub), rel: "hub".to_owned(), ..Link::default() });
    // Required where an entry names no author (section 4.1.1), and never blank.
    let author = feed.author.clone().unwrap_or_else(|| Person { name: feed.title.clone(), ..Person::default() });
    // A page is a document of the feed that it is of.
    let current = feed.history.link("current", self_url, Format::Atom);
    let mark = feed.history.mark();
    let rest = feed.history.links(self_url, Format::Atom).into_iter().map(|(rel, url)| Link {
        href: xml::uri(&url),
        rel: rel.to_owned(),
        mime_type: Some(Format::Atom.media_type().to_owned()),
        ..Link::default()
    });
    let fh = mark.map(|_| ("fh".to_owned(), NAMESPACE.to_owned()));
    let document = atom::Feed {
        title: Text::plain(feed.title.clone()),
        id: id(&current.unwrap_or_else(|| self_url.clone()), settings.authority.as_deref()),
        updated: feed.updated.fixed_offset(),
        authors: vec![person(&author)],
        generator: Some(Generator { value: GENERATOR.to_owned(), ..Generator::default() }),
        links: [itself, alternate(&feed.home, Some(&feed.language))].into_iter().chain(hub).chain(rest).collect(),
        subtitle: feed.description.clone().map(Text::plain),
        entries: feed.entries.iter().map(|entry| self::entry(entry, settings.content)).collect(),
        namespaces: picture::namespaces(&feed.entries).into_iter().chain(fh).collect(),
        lang: Some(feed.language.clone()),
        ..atom::Feed::default()
    };
    // The writer's own declaration names no encoding.
    let declaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned();
    let declaration = xml::with_stylesheet(declaration, feed, self_url, settings).into_bytes();
    let config = WriteConfig { write_document_declaration: false, indent_size: Some(2) };
    let unwritable = |reason: String| Error::Unwritable { format: Format::Atom, reason };
    let bytes = document.write_with_config(declaration, config).map_err(|error| unwritable(error.to_string()))?;
    let document = String::from_utf8(bytes).map_err(|error| unwritable(error.to_string()))?;
    Ok((history::marked(document, mark, "\n  <link ") + "\n").into_bytes())
}

/// The feed's own address, at the domain that the site keeps when it moves.
fn id(self_url: &Url, authority: Option<&str>) -> String {
    let mut id = self_url.clone();
    if let Some(authority) = authority {
        // A name that is no host leaves the address as it is, which is an id as well.
        if id.set_host(Some(authority)).is_ok() {
            let _ = id.set_port(None);
        }
    }
    xml::uri(&id)
}

fn entry(entry: &Entry, content: ContentKind) -> atom::Entry {
    // The crate writes no xml:lang on an entry, so its texts carry it.
    let text = |value: &str| Text { lang: entry.language.clone(), ..Text::plain(value) };
    let html = Content {
        lang: entry.language.clone(),
        value: Some(entry.markup()),
        content_type: Some("html".to_owned()),
        ..Content::default()
    };
    atom::Entry {
        title: text(&entry.title),
        id: iri::of(&entry.id.0).into_owned(),
        updated: entry.updated.fixed_offset(),
        authors: entry.authors.iter().map(person).collect(),
        categories: entry
            .categories
            .iter()
            .map(|name| Category { term: name.clone(), ..Category::default() })
            .collect(),
        links: std::iter::once(alternate(&entry.url, entry.language.as_ref()))
            .chain(entry.media.iter().map(enclosure))
            .collect(),
        extensions: pictures(entry, content),
        published: Some(entry.published),
        summary: Some(entry.summary.as_str()).filter(|summary| !summary.is_empty()).map(text),
        content: match content {
            ContentKind::Full => Some(html),
            ContentKind::Summary => None,
        },
        ..atom::Entry::default()
    }
}

fn alternate(url: &Url, language: Option<&String>) -> Link {
    Link {
        href: xml::uri(url),
        rel: "alternate".to_owned(),
        mime_type: Some("text/html".to_owned()),
        hreflang: language.cloned(),
        ..Link::default()
    }
}

fn enclosure(media: &Media) -> Link {
    Link {
        href: xml::uri(&media.url),
        rel: "enclosure".to_owned(),
        mime_type: Some(media.media_type.clone()),
        length: media.length.map(|length| length.to_string()),
        ..Link::default()
    }
}

fn pictures(entry: &Entry, content: ContentKind) -> ExtensionMap {
    let element = |(name, attrs): picture::Element| {
        // The crate writes what stands here as it is, unlike all other attributes.
        let attrs = attrs.into_iter().map(|(key, value)| (key, xml::as_html(&value))).collect();
        let extension = Extension { name: format!("{}:{name}", picture::PREFIX), attrs, ..Extension::default() };
        (name.to_owned(), vec![extension])
    };
    let elements: BTreeMap<_, _> = picture::elements(entry, content).into_iter().map(element).collect();
    if elements.is_empty() { ExtensionMap::new() } else { BTreeMap::from([(picture::PREFIX.to_owned(), elements)]) }
}

fn person(person: &Person) -> atom::Person {
    atom::Person {
        name: person.name.clone(),
        email: person.email.clone(),
        uri: person.url.as_ref().map(xml::uri),
        ..atom::Person::default()
    }
}

/// What a reader finds, or why it finds nothing.
pub(super) fn read(bytes: &[u8]) -> Result<Found, String> {
    let feed = atom::Feed::read_from(bytes).map_err(|error| error.to_string())?;
    Ok(Found { title: feed.title.value, entries: feed.entries.into_iter().map(found).collect() })
}

fn found(mut entry: atom::Entry) -> FoundEntry {
    let id = std::mem::take(&mut entry.id);
    let link = entry.links.iter().find(|link| link.rel == "alternate");
    let url = link.map(|link| link.href.clone()).unwrap_or_default();
    FoundEntry { id, title: entry.title.value.clone(), url, rest: format!("{entry:?}") }
}
