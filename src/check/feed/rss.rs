//! RSS 2.0 and its forerunners, by the specification and the RSS Best Practices Profile; RSS 1.0.

use super::content::{self, Base};
use super::{Entries, Lint, dates, values};
use crate::feed::foreign;
use crate::feed::foreign::{DC, RSS_10, RSS_090};
use crate::feed::tree::{ATOM, Element, RDF};

const CONTENT: &str = "http://purl.org/rss/1.0/modules/content/";
const CHANNEL: [&str; 20] = [
    "title",
    "link",
    "description",
    "language",
    "copyright",
    "managingEditor",
    "webMaster",
    "pubDate",
    "lastBuildDate",
    "category",
    "generator",
    "docs",
    "cloud",
    "ttl",
    "image",
    "rating",
    "textInput",
    "skipHours",
    "skipDays",
    "item",
];
const ITEM: [&str; 10] =
    ["title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source"];
const TITLE: &str = "write the title without tags and references; a bracket that is meant is &#x3C; there";
const SELF: &str = "add <atom:link rel=\"self\" type=\"application/rss+xml\" href=\"…\"/> to the channel";

/// Its kind, and the number of entries.
pub(super) fn judge(lint: &mut Lint<'_>, root: &Element) -> (&'static str, usize) {
    let kind = match root.attribute("version") {
        Some("2.0") => "RSS 2.0",
        Some("0.91" | "0.92" | "0.93" | "0.94") => {
            lint.note(
                root.at,
                "The feed is of a version before 2.0".to_owned(),
                "write version=\"2.0\": it reads the same",
            );
            "RSS 0.9x"
        }
        other => {
            let message = format!("The version of RSS is {:?}", other.unwrap_or_default());
            lint.error(root.at, message, "write <rss version=\"2.0\">");
            "RSS"
        }
    };
    let ns = &*root.namespace;
    if !ns.is_empty() {
        lint.error(
            root.at,
            format!("RSS has no namespace, and here it has {ns:?}"),
            "take out xmlns=\"…\" without a prefix",
        );
    }
    let Some(channel) = root.first(ns, "channel") else {
        lint.error(root.at, "`<rss>` has no `<channel>`".to_owned(), "put everything into one");
        return (kind, 0);
    };
    head(lint, channel, ns);
    for element in channel.elements().filter(|e| &*e.namespace == ns && !CHANNEL.contains(&e.name.as_str())) {
        unknown(lint, element, "channel");
    }
    let items: Vec<&Element> = channel.all(ns, "item").collect();
    let mut entries = Entries::default();
    for item in &items {
        self::item(lint, item, ns, &mut entries);
    }
    (kind, items.len())
}

fn unknown(lint: &mut Lint<'_>, element: &Element, parent: &str) {
    let message = format!("`<{}>` is nothing that RSS has in `<{parent}>`: readers pass it over", element.name);
    lint.warning(element.at, message, "check its spelling and its place, or give it the prefix of its namespace");
}

fn required(lint: &mut Lint<'_>, parent: &Element, ns: &str, name: &str) -> Option<String> {
    let found = values::once(lint, parent, ns, name);
    let text = found.map(Element::text).unwrap_or_default();
    if text.is_empty() {
        let what = if found.is_some() { "is empty" } else { "is missing" };
        let message = format!("`<{name}>` of `<{}>` {what}, and RSS requires it", parent.name);
        lint.error(found.map_or(parent.at, |found| found.at), message, "give it a text; the title of the site will do");
        return None;
    }
    Some(text)
}

fn head(lint: &mut Lint<'_>, channel: &Element, ns: &str) {
    if required(lint, channel, ns, "title").is_some()
        && let Some(title) = channel.first(ns, "title")
    {
        values::title(lint, title, TITLE);
    }
    let place = |name: &str| channel.first(ns, name).map_or(channel.at, |found| found.at);
    if let Some(link) = required(lint, channel, ns, "link") {
        values::absolute(lint, place("link"), "link", &link);
    }
    required(lint, channel, ns, "description");
    for name in ["language", "ttl", "pubDate", "lastBuildDate", "managingEditor", "webMaster"] {
        let Some(element) = values::once(lint, channel, ns, name) else { continue };
        let text = element.text();
        match name {
            "language" => values::language(lint, element.at, name, &text),
            "ttl" if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) => {
                lint.error(element.at, format!("`ttl` is {text:?}"), "write a number of minutes");
            }
            "ttl" => {}
            "managingEditor" | "webMaster" => values::mailbox(lint, element.at, name, &text),
            _ => drop(dates::rfc822(lint, element.at, name, &text)),
        }
    }
    if let Some(image) = channel.first(ns, "image") {
        for name in ["url", "title", "link"] {
            if let Some(text) = required(lint, image, ns, name)
                && name != "title"
            {
                values::absolute(lint, image.at, name, &text);
            }
        }
    }
    let mut links = channel.all(ATOM, "link").filter(|link| link.attribute("rel") == Some("self"));
    let itself = links.next().and_then(|link| Some((link.attribute("href")?, link.at)));
    values::itself(lint, channel.at, itself, SELF);
}

fn item(lint: &mut Lint<'_>, item: &Element, ns: &str, entries: &mut Entries) {
    for element in item.elements().filter(|e| &*e.namespace == ns && !ITEM.contains(&e.name.as_str())) {
        unknown(lint, element, "item");
    }
    for name in ITEM.iter().filter(|name| !matches!(**name, "category" | "enclosure")) {
        values::once(lint, item, ns, name);
    }
    let title = item.first(ns, "title");
    let described = item.said(ns, "description").is_some() || item.said(CONTENT, "encoded").is_some();
    match title.filter(|title| !title.text().is_empty()) {
        Some(title) => values::title(lint, title, TITLE),
        None if !described => {
            let message = "The item has neither `<title>` nor `<description>`, and RSS requires one".to_owned();
            lint.error(item.at, message, "give it a title");
        }
        None => {}
    }
    let link = item.first(ns, "link");
    if let Some(link) = link {
        values::absolute(lint, link.at, "link", &link.text());
    }
    guid(lint, item, ns, link.is_some(), entries);
    date(lint, item, ns, entries);
    if let Some(author) = item.first(ns, "author") {
        values::mailbox(lint, author.at, "author", &author.text());
    }
    if let Some(comments) = item.first(ns, "comments") {
        values::absolute(lint, comments.at, "comments", &comments.text());
    }
    enclosures(lint, item, ns);
    for element in item.elements().filter(|e| e.is(ns, "description") || e.is(CONTENT, "encoded")) {
        let base = if element.xml("base").or(item.xml("base")).is_some() { Base::Said } else { Base::None };
        content::judge(lint, element.at, &element.text(), base);
    }
}

fn guid(lint: &mut Lint<'_>, item: &Element, ns: &str, has_link: bool, entries: &mut Entries) {
    let Some(guid) = item.first(ns, "guid") else {
        let message =
            "The item has no `<guid>`: readers tell it by its link, and show it again when that changes".to_owned();
        lint.warning(item.at, message, "add <guid isPermaLink=\"false\">, an id that never changes");
        return;
    };
    let id = guid.text();
    if id.is_empty() {
        lint.error(
            guid.at,
            "`guid` is empty: readers take all such items for one".to_owned(),
            "give it an id that never changes",
        );
        return;
    }
    if let Some(line) = entries.double(lint, &id, guid.at) {
        let message = format!("The guid {id:?} is that of the item at line {line}, too: readers show one of them");
        lint.error(guid.at, message, "give every item an id of its own");
    }
    match guid.attribute("isPermaLink") {
        Some("false") => {
            if !has_link {
                let message = "The item has no `<link>`, and its `guid` is none: it cannot be opened".to_owned();
                lint.warning(item.at, message, "add the address of its page as <link>");
            }
        }
        None | Some("true") => {
            if url::Url::parse(&id).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
                values::absolute(lint, guid.at, "guid", &id);
            } else {
                let message = format!(
                    "`guid` is {id:?}, which is no address, and without isPermaLink=\"false\" it has to be one"
                );
                lint.error(guid.at, message, "write <guid isPermaLink=\"false\">");
            }
        }
        Some(other) => {
            lint.error(guid.at, format!("`isPermaLink` is {other:?}"), "it is true or false, in small letters");
        }
    }
}

fn date(lint: &mut Lint<'_>, item: &Element, ns: &str, entries: &mut Entries) {
    let published =
        item.first(ns, "pubDate").map(|date| (date.at, dates::rfc822(lint, date.at, "pubDate", &date.text())));
    match (published, item.first(DC, "date")) {
        (Some((at, Some(date))), _) => entries.published(lint, at, date),
        (Some(_), _) => {}
        (None, Some(date)) => {
            if let Some(moment) = foreign::moment(&date.text()) {
                entries.published(lint, date.at, moment);
            }
        }
        (None, None) => {
            let message = "The item has no `<pubDate>`: readers take the time of their visit".to_owned();
            lint.warning(item.at, message, "add the date of publication");
        }
    }
}

fn enclosures(lint: &mut Lint<'_>, item: &Element, ns: &str) {
    for (number, enclosure) in item.all(ns, "enclosure").enumerate() {
        let at = enclosure.at;
        if number == 1 {
            let message = "The item has several enclosures: many readers take one".to_owned();
            lint.warning(at, message, "keep the one that matters; the others can be links in the text");
        }
        match enclosure.attribute("url") {
            None => lint.error(at, "`<enclosure>` has no `url`".to_owned(), "add the address of the file"),
            Some(url) => drop(values::absolute(lint, at, "url", url)),
        }
        let length = enclosure.attribute("length").unwrap_or_default();
        if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("`length` of `<enclosure>` is {length:?}");
            lint.error(at, message, "write the size of the file in bytes");
        }
        let media = enclosure.attribute("type").unwrap_or_default();
        if !media.contains('/') {
            let message = format!("`type` of `<enclosure>` is {media:?}");
            lint.error(at, message, "write a media type, such as audio/mpeg");
        }
    }
}

/// RSS 1.0 and 0.90.
pub(super) fn judge_rdf(lint: &mut Lint<'_>, root: &Element) -> (&'static str, usize) {
    let ns = if root.first(RSS_090, "channel").is_some() { RSS_090 } else { RSS_10 };
    let Some(channel) = root.first(ns, "channel") else {
        lint.error(
            root.at,
            "`<rdf:RDF>` has no `<channel>`".to_owned(),
            "write RSS 2.0 or Atom, which are less to write",
        );
        return ("RSS 1.0", 0);
    };
    for name in ["title", "link", "description"] {
        required(lint, channel, ns, name);
    }
    let mut entries = Entries::default();
    let items: Vec<&Element> = root.all(ns, "item").collect();
    for item in &items {
        required(lint, item, ns, "title");
        if let Some(link) = required(lint, item, ns, "link") {
            values::absolute(lint, item.at, "link", &link);
        }
        let about = item.attributes.iter().find(|a| &*a.namespace == RDF && a.name == "about").map(|a| a.value.clone());
        match about.filter(|about| !about.is_empty()) {
            None if ns == RSS_10 => {
                lint.error(
                    item.at,
                    "The item has no `rdf:about`, which is its id".to_owned(),
                    "give it its address there",
                );
            }
            None => {}
            Some(id) => {
                if let Some(line) = entries.double(lint, &id, item.at) {
                    let message = format!("The item has the id of that at line {line}: {id:?}");
                    lint.error(item.at, message, "give every item an id of its own");
                }
            }
        }
        date(lint, item, ns, &mut entries);
        for element in item.elements().filter(|e| e.is(CONTENT, "encoded")) {
            content::judge(lint, element.at, &element.text(), Base::None);
        }
    }
    ("RSS 1.0", items.len())
}
