//! Atom 1.0 (RFC 4287).

use super::content::{self, Base};
use super::{Entries, Lint, dates, values};
use crate::address::EmailAddress;
use crate::feed::tree::{ATOM, Element};
use crate::post::identity::is_absolute_iri;
use chrono::{DateTime, FixedOffset};
use std::collections::HashMap;

const FEED: [&str; 13] = [
    "author",
    "category",
    "contributor",
    "generator",
    "icon",
    "id",
    "link",
    "logo",
    "rights",
    "subtitle",
    "title",
    "updated",
    "entry",
];
const ENTRY: [&str; 12] = [
    "author",
    "category",
    "content",
    "contributor",
    "id",
    "link",
    "published",
    "rights",
    "source",
    "summary",
    "title",
    "updated",
];
const TITLE: &str = "write type=\"html\" if it is markup that is meant, else the plain text";
const SELF: &str = "add <link rel=\"self\" type=\"application/atom+xml\" href=\"…\"/> to the feed";
const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// The number of entries.
pub(super) fn judge(lint: &mut Lint<'_>, feed: &Element) -> usize {
    known(lint, feed, &FEED);
    id(lint, feed);
    text(lint, feed, "title");
    for name in ["subtitle", "rights", "generator", "icon", "logo"] {
        values::once(lint, feed, ATOM, name);
    }
    let updated = updated(lint, feed);
    languages(lint, feed);
    links(lint, feed);
    persons(lint, feed);
    categories(lint, feed);
    let itself = related(feed, "self").and_then(|link| Some((link.attribute("href")?, link.at)));
    values::itself(lint, feed.at, itself, SELF);
    if related(feed, "alternate").is_none() {
        let message = "The feed does not name the page that it is of".to_owned();
        lint.note(feed.at, message, "add <link rel=\"alternate\" type=\"text/html\" href=\"…\"/>");
    }
    let mut seen =
        Seen { authored: feed.first(ATOM, "author").is_some(), base: feed.xml("base").is_some(), ..Seen::default() };
    let entries: Vec<&Element> = feed.all(ATOM, "entry").collect();
    for entry in &entries {
        self::entry(lint, entry, &mut seen);
    }
    if let (Some((at, feed)), Some(newest)) = (updated, seen.newest)
        && feed < newest
    {
        let message = format!("The feed says that it was updated at {}, before its newest entry", feed.to_rfc3339());
        lint.warning(at, message, "write the newest `updated` of its entries");
    }
    entries.len()
}

#[derive(Default)]
struct Seen {
    authored: bool,
    base: bool,
    entries: Entries,
    updated: HashMap<DateTime<FixedOffset>, usize>,
    newest: Option<DateTime<FixedOffset>>,
}

fn entry(lint: &mut Lint<'_>, entry: &Element, seen: &mut Seen) {
    known(lint, entry, &ENTRY);
    let updated = updated(lint, entry);
    if let Some(id) = id(lint, entry)
        && let Some(line) = seen.entries.double(lint, &id, entry.at)
    {
        let message = format!("The id {id:?} is that of the entry at line {line}, too: readers show one of them");
        lint.error(entry.at, message, "give every entry an id of its own");
    }
    text(lint, entry, "title");
    let published = values::once(lint, entry, ATOM, "published")
        .and_then(|date| Some((date.at, dates::rfc3339(lint, date.at, "published", &date.text())?)));
    if let Some((at, date)) = published.or(updated) {
        seen.entries.published(lint, at, date);
    }
    if let (Some((_, published)), Some((at, updated))) = (published, updated)
        && updated < published
    {
        let message = "The entry was updated before it was published".to_owned();
        lint.warning(at, message, "`updated` is the later of the two, or the same");
    }
    if let Some((at, date)) = updated {
        let line = lint.lines.partition_point(|begin| *begin <= at);
        if let Some(before) = seen.updated.insert(date, line) {
            let message =
                format!("The entry was updated in the same second as that at line {before}: readers cannot sort them");
            lint.note(at, message, "give each a second of its own, once and for all");
        }
        seen.newest = seen.newest.max(Some(date));
    }
    languages(lint, entry);
    links(lint, entry);
    persons(lint, entry);
    categories(lint, entry);
    let source = entry.first(ATOM, "source").is_some_and(|source| source.first(ATOM, "author").is_some());
    if !seen.authored && !source && entry.first(ATOM, "author").is_none() {
        let message = "Neither the entry nor the feed names an author, and Atom requires one".to_owned();
        lint.error(entry.at, message, "add <author><name>…</name></author> to the feed");
    }
    contents(lint, entry, seen.base);
}

fn contents(lint: &mut Lint<'_>, entry: &Element, base: bool) {
    let content = values::once(lint, entry, ATOM, "content");
    let summary = values::once(lint, entry, ATOM, "summary");
    if content.is_none() && related(entry, "alternate").is_none() {
        let message = "The entry has neither `<content>` nor a link to its page, and Atom requires one".to_owned();
        lint.error(entry.at, message, "add <link rel=\"alternate\" href=\"…\"/>");
    }
    let outside = content.and_then(|content| content.attribute("src"));
    if let Some(content) = content.filter(|_| outside.is_some()) {
        values::absolute(lint, content.at, "src", outside.unwrap_or_default());
        if summary.is_none() {
            lint.error(content.at, "The content lies elsewhere, and there is no `<summary>`".to_owned(), "add one");
        }
    }
    for element in content.into_iter().chain(summary) {
        let base = match base || entry.xml("base").is_some() || element.xml("base").is_some() {
            true => Base::Said,
            false => Base::None,
        };
        match element.attribute("type").unwrap_or("text") {
            "html" => content::judge(lint, element.at, &element.text(), base),
            "xhtml" => {
                let divs: Vec<&Element> = element.elements().collect();
                if !matches!(divs[..], [div] if div.is(XHTML, "div")) {
                    let message = format!("`<{}>` of type xhtml does not hold one `<div>` of XHTML", element.name);
                    let help = "write <div xmlns=\"http://www.w3.org/1999/xhtml\">…</div>, or type=\"html\" with the markup escaped";
                    lint.error(element.at, message, help);
                }
                content::judge(lint, element.at, &element.markup(), base);
            }
            "text" => {
                if let Some(found) = values::markup_of(&element.text()) {
                    let message =
                        format!("`<{}>` is plain text, and holds markup, {found}: readers show the tags", element.name);
                    lint.warning(element.at, message, "write type=\"html\"");
                }
            }
            "text/html" => {
                lint.error(element.at, "The type of HTML in Atom is `html`".to_owned(), "write type=\"html\"");
            }
            other if !other.contains('/') => {
                let message = format!("`type` of `<{}>` is {other:?}", element.name);
                lint.error(element.at, message, "it is text, html or xhtml");
            }
            _ => {}
        }
    }
}

fn known(lint: &mut Lint<'_>, parent: &Element, names: &[&str]) {
    for element in parent.elements().filter(|e| &*e.namespace == ATOM && !names.contains(&e.name.as_str())) {
        let message =
            format!("`<{}>` is nothing that Atom has in `<{}>`: readers pass it over", element.name, parent.name);
        lint.error(element.at, message, "check its spelling and its place");
    }
}

fn required<'a>(lint: &mut Lint<'_>, parent: &'a Element, name: &str, may_be_empty: bool) -> Option<&'a Element> {
    let found = values::once(lint, parent, ATOM, name);
    let what = match found {
        None => "is missing",
        Some(found) if found.text().is_empty() && !may_be_empty => "is empty",
        Some(found) => return Some(found),
    };
    let message = format!("`<{name}>` of `<{}>` {what}, and Atom requires it", parent.name);
    let help = match name {
        "id" => "give it an id that never changes: tag:example.org,2026:name, urn:uuid:…, or the address",
        "updated" => "write when it was last changed: 2026-11-23T09:00:00Z",
        _ => "give it a text",
    };
    lint.error(found.map_or(parent.at, |found| found.at), message, help);
    None
}

fn id(lint: &mut Lint<'_>, parent: &Element) -> Option<String> {
    let element = required(lint, parent, "id", false)?;
    let id = element.text();
    if !is_absolute_iri(&id) {
        let message = format!("`id` is {id:?}, and Atom wants a whole IRI");
        lint.error(element.at, message, "write tag:example.org,2026:name, urn:uuid:…, or the address");
    }
    Some(id)
}

fn text(lint: &mut Lint<'_>, parent: &Element, name: &str) {
    let Some(element) = required(lint, parent, name, true) else { return };
    match element.attribute("type") {
        None | Some("text") => values::title(lint, element, TITLE),
        Some("html" | "xhtml") => {}
        Some(other) => {
            let message = format!("`type` of `<{name}>` is {other:?}");
            lint.error(element.at, message, "it is text, html or xhtml");
        }
    }
    if element.text().is_empty() && parent.name == "feed" {
        lint.warning(element.at, format!("`<{name}>` of the feed is empty"), "give it the name of the site");
    }
}

fn updated(lint: &mut Lint<'_>, parent: &Element) -> Option<(usize, DateTime<FixedOffset>)> {
    let element = required(lint, parent, "updated", false)?;
    Some((element.at, dates::rfc3339(lint, element.at, "updated", &element.text())?))
}

fn languages(lint: &mut Lint<'_>, element: &Element) {
    if let Some(language) = element.xml("lang").filter(|language| !language.is_empty()) {
        values::language(lint, element.at, "xml:lang", language);
    }
}

fn links(lint: &mut Lint<'_>, parent: &Element) {
    for link in parent.all(ATOM, "link") {
        let relation = link.attribute("rel").unwrap_or("alternate");
        match link.attribute("href") {
            None => lint.error(link.at, "`<link>` has no `href`".to_owned(), "add the address that it leads to"),
            Some(href) if relation != "self" && parent.xml("base").is_none() => {
                values::absolute(lint, link.at, "href", href);
            }
            Some(_) => {}
        }
        let media = link.attribute("type");
        if media.is_some_and(|media| !media.contains('/')) {
            let message = format!("`type` of `<link>` is {:?}", media.unwrap_or_default());
            lint.error(link.at, message, "write a media type, such as text/html");
        }
        if relation == "enclosure" {
            for (name, help) in
                [("type", "write a media type, such as audio/mpeg"), ("length", "write the size of the file in bytes")]
            {
                if link.attribute(name).is_none() {
                    lint.warning(link.at, format!("An enclosure has no `{name}`"), help);
                }
            }
        }
        if let Some(length) = link.attribute("length").filter(|length| !length.bytes().all(|b| b.is_ascii_digit())) {
            lint.error(link.at, format!("`length` is {length:?}"), "write the size of the file in bytes");
        }
    }
}

fn persons(lint: &mut Lint<'_>, parent: &Element) {
    for person in parent.elements().filter(|e| e.is(ATOM, "author") || e.is(ATOM, "contributor")) {
        if person.said(ATOM, "name").is_none() {
            let message = format!("`<{}>` has no name, and Atom requires one", person.name);
            lint.error(person.at, message, "add <name>…</name>, or take the empty person out");
        }
        if let Some(email) = person.said(ATOM, "email").filter(|email| EmailAddress::parse(email).is_err()) {
            lint.error(person.at, format!("`email` is {email:?}"), "write it like mail@example.org, or leave it out");
        }
        if let Some(uri) = person.said(ATOM, "uri") {
            values::absolute(lint, person.at, "uri", &uri);
        }
    }
}

fn categories(lint: &mut Lint<'_>, parent: &Element) {
    for category in parent.all(ATOM, "category").filter(|category| category.attribute("term").is_none_or(str::is_empty))
    {
        let message = "`<category>` has no `term`, and Atom requires it".to_owned();
        lint.error(category.at, message, "write <category term=\"…\"/>, or take it out");
    }
}

fn related<'a>(parent: &'a Element, relation: &'a str) -> Option<&'a Element> {
    let mut links = parent.all(ATOM, "link");
    links.find(|link| link.attribute("rel").unwrap_or("alternate") == relation)
}
