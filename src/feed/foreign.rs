//! The feeds of others: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, JSON Feed. Promises: ids are as they are written there; what
//! readers forgive is forgiven.

use super::Format;
use super::tree::{self, ATOM, Element, RDF};
use chrono::{DateTime, FixedOffset};
use encoding_rs::Encoding;
use serde_json::Value;
use std::borrow::Cow;
use url::Url;

/// Atom 0.3, which never became a standard.
pub const ATOM_03: &str = "http://purl.org/atom/ns#";
/// RSS 1.0.
pub const RSS_10: &str = "http://purl.org/rss/1.0/";
/// RSS 0.90.
pub const RSS_090: &str = "http://my.netscape.com/rdf/simple/0.9/";
/// Dublin Core, for dates and authors in RSS.
pub const DC: &str = "http://purl.org/dc/elements/1.1/";
const FEEDBURNER: &str = "http://rssnamespace.org/feedburner/ext/1.0";

/// A feed of somebody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    /// Its family.
    pub format: Option<Format>,
    /// Where it says that it lies.
    pub itself: Option<String>,
    /// The page that it is of.
    pub home: Option<String>,
    /// Where its older entries are (RFC 5005; `next_url` of a JSON Feed).
    pub older: Option<String>,
    /// In its own order.
    pub entries: Vec<ForeignEntry>,
}

/// An entry of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignEntry {
    /// The id by which readers know it, exactly as written: the link where an RSS item has no `guid`.
    pub id: String,
    /// Its addresses, the best first, as written.
    pub links: Vec<String>,
    /// As written, markup and all.
    pub title: String,
    /// When it was published.
    pub published: Option<DateTime<FixedOffset>>,
    /// When it last changed.
    pub updated: Option<DateTime<FixedOffset>>,
}

/// Why a document is no feed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A page.
    #[error(
        "it is a web page, not a feed\n  help: give the address of the feed; the page's source names it in <link rel=\"alternate\">"
    )]
    Page,
    /// Empty.
    #[error("it is empty\n  help: look where it comes from")]
    Empty,
    /// Something else.
    #[error("it is neither RSS nor Atom nor a JSON Feed\n  help: look where it comes from")]
    Unknown,
    /// JSON that is broken.
    #[error("it is no JSON: {0}\n  help: mend it, or take a copy that is whole")]
    Json(String),
    /// Its end is missing.
    #[error(
        "it ends before `</{0}>`: entries may be missing\n  help: take a copy that is whole; `postrider check` says where it breaks off"
    )]
    CutOff(String),
    /// In an encoding that nobody knows.
    #[error("it says that its encoding is {0:?}, which is not known\n  help: save it as UTF-8")]
    Encoding(String),
}

/// The text of a document in whatever encoding it says that it is, without a byte order mark.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return Ok(encoding.decode_without_bom_handling(&bytes[mark..]).0);
    }
    match declared_encoding(bytes) {
        None => Ok(String::from_utf8_lossy(bytes)),
        Some(name) => {
            let encoding = Encoding::for_label(name.as_bytes()).ok_or(Error::Encoding(name))?;
            Ok(encoding.decode_without_bom_handling(bytes).0)
        }
    }
}

/// The encoding that an XML declaration names.
pub fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(200)];
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    let declaration = head.trim_start().strip_prefix("<?xml")?.split_once("?>")?.0.to_owned();
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Some(value[1..].split_once(quote)?.0.to_owned())
}

/// Reads a feed.
pub fn read(bytes: &[u8]) -> Result<Foreign, Error> {
    let text = decode(bytes)?;
    let begin = text.trim_start();
    if begin.is_empty() {
        return Err(Error::Empty);
    }
    if begin.starts_with('{') {
        let document: Value = serde_json::from_str(begin).map_err(|error| Error::Json(error.to_string()))?;
        return json(&document);
    }
    let head: String = begin.chars().take(200).collect::<String>().to_ascii_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        return Err(Error::Page);
    }
    let tree = tree::parse(begin);
    let root = tree.root.ok_or(Error::Unknown)?;
    match (&*root.namespace, root.name.as_str()) {
        // Whose entries are missing at its end would be seen twice.
        (_, "rss") | (RDF, "RDF") | (ATOM | ATOM_03, "feed") if tree.cut_off => Err(Error::CutOff(root.name)),
        (_, "rss") => {
            // Without a namespace, by the letter; with one, by mistake.
            let namespace = root.namespace.clone();
            let channel = root.first(&namespace, "channel").ok_or(Error::Unknown)?;
            Ok(rss(channel, channel.all(&namespace, "item"), &namespace))
        }
        (RDF, "RDF") => {
            let namespace = if root.first(RSS_090, "channel").is_some() { RSS_090 } else { RSS_10 };
            let channel = root.first(namespace, "channel").ok_or(Error::Unknown)?;
            Ok(rss(channel, root.all(namespace, "item"), namespace))
        }
        (ATOM | ATOM_03, "feed") => Ok(atom(&root)),
        (_, "html") => Err(Error::Page),
        _ => Err(Error::Unknown),
    }
}

fn rss<'a>(channel: &Element, items: impl Iterator<Item = &'a Element>, namespace: &str) -> Foreign {
    let home = channel.said(namespace, "link");
    let item = |item: &Element| {
        let link = item.said(namespace, "link");
        let about = item.attributes.iter().find(|a| &*a.namespace == RDF && a.name == "about").map(|a| a.value.clone());
        let guid = item.said(namespace, "guid").or_else(|| about.filter(|about| !about.is_empty()));
        let original = item.said(FEEDBURNER, "origLink");
        let links = original.into_iter().chain(link.clone()).chain(guid.clone()).collect();
        let dated = |namespace, name| item.said(namespace, name).and_then(|text| moment(&text));
        ForeignEntry {
            id: guid.or(link).unwrap_or_default(),
            links,
            title: item.said(namespace, "title").unwrap_or_default(),
            published: dated(namespace, "pubDate").or_else(|| dated(DC, "date")),
            updated: dated(ATOM, "updated"),
        }
    };
    Foreign {
        format: Some(Format::Rss),
        itself: linked(channel, "self"),
        older: older(channel),
        home,
        entries: items.map(item).collect(),
    }
}

fn atom(feed: &Element) -> Foreign {
    let namespace = feed.namespace.clone();
    let entry = |entry: &Element| {
        let dated =
            |names: &[&str]| names.iter().find_map(|name| entry.said(&namespace, name)).and_then(|text| moment(&text));
        let id = entry.said(&namespace, "id");
        let base = entry.xml("base").or(feed.xml("base"));
        let link = entry
            .all(&namespace, "link")
            .find(|link| matches!(link.attribute("rel"), None | Some("alternate")))
            .and_then(|link| link.attribute("href"))
            .map(|href| {
                base.and_then(|base| Url::parse(base).ok()?.join(href).ok()).map_or(href.to_owned(), Into::into)
            });
        let original = entry.said(FEEDBURNER, "origLink");
        ForeignEntry {
            links: original.into_iter().chain(link.clone()).chain(id.clone()).collect(),
            id: id.or(link).unwrap_or_default(),
            title: entry.said(&namespace, "title").unwrap_or_default(),
            published: dated(&["published", "issued", "created"]),
            updated: dated(&["updated", "modified"]),
        }
    };
    let mut home =
        feed.all(&namespace, "link").filter(|link| matches!(link.attribute("rel"), None | Some("alternate")));
    Foreign {
        format: Some(Format::Atom),
        itself: linked(feed, "self"),
        older: older(feed),
        home: home.next().and_then(|link| link.attribute("href")).map(str::to_owned),
        entries: feed.all(&namespace, "entry").map(entry).collect(),
    }
}

/// The target of an Atom link of a feed.
fn linked(of: &Element, relation: &str) -> Option<String> {
    let mut links = of.elements().filter(|e| e.is(ATOM, "link") || e.is(ATOM_03, "link"));
    let link = links.find(|link| link.attribute("rel") == Some(relation))?;
    link.attribute("href").map(|href| href.trim().to_owned())
}

/// Archives first (RFC 5005 section 4), for they are whole; else the next page (section 3).
fn older(of: &Element) -> Option<String> {
    linked(of, "prev-archive").or_else(|| linked(of, "next"))
}

fn json(document: &Value) -> Result<Foreign, Error> {
    if !document["version"].as_str().is_some_and(|version| version.contains("jsonfeed.org/version/")) {
        return Err(Error::Unknown);
    }
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        // The specification asks readers to take a number as its text.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let item = |item: &Value| {
        let id = text(&item["id"]);
        let url = text(&item["url"]);
        ForeignEntry {
            links: url.clone().into_iter().chain(text(&item["external_url"])).chain(id.clone()).collect(),
            id: id.or(url).unwrap_or_default(),
            title: text(&item["title"]).unwrap_or_default(),
            published: text(&item["date_published"]).and_then(|date| moment(&date)),
            updated: text(&item["date_modified"]).and_then(|date| moment(&date)),
        }
    };
    Ok(Foreign {
        format: Some(Format::Json),
        itself: text(&document["feed_url"]),
        home: text(&document["home_page_url"]),
        older: text(&document["next_url"]),
        entries: document["items"].as_array().into_iter().flatten().map(item).collect(),
    })
}

/// A date as feeds write them: RFC 3339, RFC 822, and what is often written instead.
pub fn moment(text: &str) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date);
    }
    // The weekday says nothing that the date does not, and is often wrong.
    let plain = text.split_once(',').map_or(text, |(_, rest)| rest.trim());
    DateTime::parse_from_rfc2822(plain)
        .or_else(|_| {
            DateTime::parse_from_rfc2822(&format!(
                "{} +0000",
                plain.trim_end_matches("UTC").trim_end_matches('Z').trim_end()
            ))
        })
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z"))
        .or_else(|_| DateTime::parse_from_str(&format!("{text} +0000"), "%Y-%m-%dT%H:%M:%S %z"))
        .or_else(|_| DateTime::parse_from_str(&format!("{text}T00:00:00 +0000"), "%Y-%m-%dT%H:%M:%S %z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_they_are_written() {
        for (text, read) in [
            ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00+00:00"),
            ("2026-11-23T09:00+01:00", "2026-11-23T09:00:00+01:00"),
            ("2026-11-23T09:00:00", "2026-11-23T09:00:00+00:00"),
            ("2026-11-23", "2026-11-23T00:00:00+00:00"),
            ("2026-11-23 09:00:00 -0500", "2026-11-23T09:00:00-05:00"),
            ("Mon, 23 Nov 2026 09:00:00 GMT", "2026-11-23T09:00:00+00:00"),
            ("Tue, 23 Nov 2026 09:00:00 EST", "2026-11-23T09:00:00-05:00"),
            ("23 Nov 26 09:00 +0100", "2026-11-23T09:00:00+01:00"),
            ("Mon, 23 Nov 2026 09:00:00", "2026-11-23T09:00:00+00:00"),
            ("Mon, 23 Nov 2026 09:00:00 UTC", "2026-11-23T09:00:00+00:00"),
        ] {
            assert_eq!(moment(text).map(|date| date.to_rfc3339()).as_deref(), Some(read), "{text}");
        }
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn all_families_are_read() {
        let entry = |feed: &str| read(feed.as_bytes()).unwrap().entries.remove(0);
        let rss = "<rss version='2.0'><channel><link>https://e.org/</link><item><title>T</title><link>https://e.org/a</link><guid isPermaLink='false'> 17 </guid><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate></item></channel></rss>";
        assert_eq!((&*entry(rss).id, &*entry(rss).links[0]), ("17", "https://e.org/a"));
        let old =
            "<rss version='0.91'><channel><item><title>T</title><link>https://e.org/a</link></item></channel></rss>";
        assert_eq!(entry(old).id, "https://e.org/a");
        let rdf = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel/><item rdf:about='https://e.org/a'><link>https://e.org/a?x</link><dc:date>2026-11-23T09:00+01:00</dc:date></item></rdf:RDF>";
        assert_eq!(entry(rdf).id, "https://e.org/a");
        assert!(entry(rdf).published.is_some());
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://e.org/x/'><link rel='next' href='https://e.org/2'/><entry><id>tag:e.org,2026:1</id><link href='a'/><updated>2026-11-23T09:00:00Z</updated></entry></feed>";
        assert_eq!(entry(atom).links[0], "https://e.org/x/a");
        assert_eq!(read(atom.as_bytes()).unwrap().older.unwrap(), "https://e.org/2");
        let json = r#"{"version": "https://jsonfeed.org/version/1", "items": [{"id": 7, "url": "https://e.org/a"}]}"#;
        assert_eq!(entry(json).id, "7");
        assert_eq!(read(b"<!DOCTYPE html><html>"), Err(Error::Page));
        assert_eq!(read(b"{}"), Err(Error::Unknown));
        assert_eq!(read(b" \n"), Err(Error::Empty));
    }

    #[test]
    fn encodings_of_old() {
        let feed = b"<?xml version=\"1.0\" encoding='iso-8859-1'?><rss><channel><item><title>caf\xe9</title></item></channel></rss>";
        assert_eq!(read(feed).unwrap().entries[0].title, "caf\u{e9}");
        assert_eq!(read(b"<?xml version='1.0' encoding='x-mine'?><rss/>"), Err(Error::Encoding("x-mine".into())));
        assert_eq!(decode(b"\xef\xbb\xbf<a/>").unwrap(), "<a/>");
    }
}
