//! Atom 1.0 (RFC 4287).

use super::{ContentKind, Entry, Error, Feed, Format, Found, FoundEntry, GENERATOR, Settings, iri, xml};
use crate::post::Person;
use atom_syndication as atom;
use atom_syndication::{Category, Content, Generator, Link, Text, WriteConfig};
use url::Url;

/// The feed as Atom, to be served at `self_url`.
pub(super) fn write(feed: &Feed, self_url: &Url, settings: &Settings) -> Result<Vec<u8>, Error> {
    let itself = Link {
        href: xml::uri(self_url),
        rel: "self".to_owned(),
        mime_type: Some(Format::Atom.media_type().to_owned()),
        ..Link::default()
    };
    // Required where an entry names no author (section 4.1.1), and never blank.
    let author = feed.author.clone().unwrap_or_else(|| Person { name: feed.title.clone(), ..Person::default() });
    let document = atom::Feed {
        title: Text::plain(feed.title.clone()),
        id: id(self_url, settings.authority.as_deref()),
        updated: feed.updated.fixed_offset(),
        authors: vec![person(&author)],
        generator: Some(Generator { value: GENERATOR.to_owned(), ..Generator::default() }),
        links: vec![itself, alternate(&feed.home, Some(&feed.language))],
        subtitle: feed.description.clone().map(Text::plain),
        entries: feed.entries.iter().map(|entry| self::entry(entry, settings.content)).collect(),
        lang: Some(feed.language.clone()),
        ..atom::Feed::default()
    };
    // The writer's own declaration names no encoding.
    let declaration = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_vec();
    let config = WriteConfig { write_document_declaration: false, indent_size: Some(2) };
    let mut bytes = document
        .write_with_config(declaration, config)
        .map_err(|error| Error::Unwritable { format: Format::Atom, reason: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
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
        links: vec![alternate(&entry.url, entry.language.as_ref())],
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
