//! JSON Feed 1.1 (<https://www.jsonfeed.org/version/1.1/>).

use super::content::{self, Base};
use super::{Entries, Lint, dates, values};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

const FEED: [&str; 15] = [
    "version",
    "title",
    "home_page_url",
    "feed_url",
    "description",
    "user_comment",
    "next_url",
    "icon",
    "favicon",
    "authors",
    "author",
    "language",
    "expired",
    "hubs",
    "items",
];
const ITEM: [&str; 16] = [
    "id",
    "url",
    "external_url",
    "title",
    "content_html",
    "content_text",
    "summary",
    "image",
    "banner_image",
    "date_published",
    "date_modified",
    "authors",
    "author",
    "tags",
    "language",
    "attachments",
];

/// The members of an object in their order, each value as it stands in the source.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Each)
    }
}

/// A value and the byte where it stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    raw: &'a RawValue,
    at: usize,
}

/// An object of the feed.
struct Object<'a> {
    at: usize,
    members: Vec<(String, Place<'a>)>,
}

impl<'a> Object<'a> {
    fn get(&self, name: &str) -> Option<Place<'a>> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, place)| *place)
    }

    /// The text of a member; an error where it is something else.
    fn text(&self, lint: &mut Lint<'_>, name: &str) -> Option<(String, usize)> {
        let place = self.get(name)?;
        match serde_json::from_str::<String>(place.raw.get()) {
            Ok(text) => Some((text, place.at)),
            Err(_) => {
                let message = format!("`{name}` is {}, and has to be a string", kind(place.raw));
                lint.error(place.at, message, "write it in quotes, or leave it out");
                None
            }
        }
    }

    fn address(&self, lint: &mut Lint<'_>, name: &str) -> Option<(String, usize)> {
        let (text, at) = self.text(lint, name)?;
        values::absolute(lint, at, name, &text).then_some((text, at))
    }

    fn list(&self, lint: &mut Lint<'a>, name: &str) -> Vec<Place<'a>> {
        let Some(place) = self.get(name) else { return Vec::new() };
        match serde_json::from_str::<Vec<&RawValue>>(place.raw.get()) {
            Ok(list) => list.into_iter().map(|raw| locate(lint.source, raw)).collect(),
            Err(_) => {
                lint.error(
                    place.at,
                    format!("`{name}` is {}, and has to be a list", kind(place.raw)),
                    "write it in [ ]",
                );
                Vec::new()
            }
        }
    }
}

/// A raw value is a piece of the source itself.
fn locate<'a>(source: &str, raw: &'a RawValue) -> Place<'a> {
    Place { raw, at: (raw.get().as_ptr() as usize).saturating_sub(source.as_ptr() as usize) }
}

fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn object<'a>(lint: &mut Lint<'a>, what: &str, place: Place<'a>) -> Option<Object<'a>> {
    let Ok(Members(members)) = serde_json::from_str::<Members<'a>>(place.raw.get()) else {
        lint.error(place.at, format!("{what} is {}, and has to be an object", kind(place.raw)), "write it in { }");
        return None;
    };
    let mut object = Object { at: place.at, members: Vec::new() };
    for (key, raw) in members {
        let member = locate(lint.source, raw);
        if object.get(&key).is_some() {
            lint.error(member.at, format!("`{key}` stands twice: readers take one or the other"), "keep one of them");
        }
        object.members.push((key, member));
    }
    Some(object)
}

/// The number of entries.
pub(super) fn judge(lint: &mut Lint<'_>) -> usize {
    let source = lint.source;
    let raw: &RawValue = match serde_json::from_str(source) {
        Ok(raw) => raw,
        Err(error) => {
            let begin = lint.lines.get(error.line().saturating_sub(1)).copied().unwrap_or(0);
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            let at = (begin + error.column().saturating_sub(1)).min(source.len());
            lint.error(at, format!("This is no JSON: {said}"), "mend it here: readers refuse all of the feed");
            return 0;
        }
    };
    let Some(feed) = object(lint, "The feed", locate(source, raw)) else { return 0 };
    head(lint, &feed);
    let mut entries = Entries::default();
    let items = feed.list(lint, "items");
    for place in &items {
        if let Some(item) = object(lint, "An item", *place) {
            self::item(lint, &item, &mut entries);
        }
    }
    items.len()
}

fn head<'a>(lint: &mut Lint<'a>, feed: &Object<'a>) {
    unknown(lint, feed, &FEED, "the feed");
    match feed.text(lint, "version") {
        Some((version, at)) => match version.as_str() {
            "https://jsonfeed.org/version/1.1" => {}
            "https://jsonfeed.org/version/1" => {
                let help = "write https://jsonfeed.org/version/1.1: it reads the same";
                lint.note(at, "The feed is of version 1".to_owned(), help);
            }
            _ => {
                let message = format!("`version` is {version:?}: readers do not take it for a JSON Feed");
                lint.error(at, message, "write https://jsonfeed.org/version/1.1, letter by letter");
            }
        },
        None if feed.get("version").is_none() => {
            let message = "`version` is missing: readers do not take it for a JSON Feed".to_owned();
            lint.error(feed.at, message, "add \"version\": \"https://jsonfeed.org/version/1.1\"");
        }
        None => {}
    }
    for name in ["title", "items"] {
        if feed.get(name).is_none() {
            lint.error(feed.at, format!("`{name}` is missing, and JSON Feed requires it"), "add it");
        }
    }
    feed.text(lint, "title");
    feed.text(lint, "description");
    if feed.get("home_page_url").is_none() {
        lint.warning(
            feed.at,
            "`home_page_url` is missing: readers cannot open the site".to_owned(),
            "add the site's address",
        );
    }
    for name in ["home_page_url", "icon", "favicon"] {
        feed.address(lint, name);
    }
    let itself = feed.text(lint, "feed_url");
    let found = itself.as_ref().map(|(url, at)| (url.as_str(), *at));
    values::itself(lint, feed.at, found, "add \"feed_url\" with the address at which it is served");
    if let Some((next, at)) = feed.address(lint, "next_url")
        && itself.is_some_and(|(url, _)| url == next)
    {
        let message = "`next_url` is the feed itself: readers go round in a circle".to_owned();
        lint.error(at, message, "name the page with older items, or leave it out");
    }
    language(lint, feed);
    authors(lint, feed);
    if let Some(expired) = feed.get("expired").filter(|expired| !matches!(expired.raw.get(), "true" | "false")) {
        lint.error(expired.at, format!("`expired` is {}", kind(expired.raw)), "write true or false, without quotes");
    }
    for place in feed.list(lint, "hubs") {
        let Some(hub) = object(lint, "A hub", place) else { continue };
        if hub.text(lint, "type").is_none() || hub.address(lint, "url").is_none() {
            lint.error(
                hub.at,
                "A hub has no `type` or no `url`".to_owned(),
                "write {\"type\": \"WebSub\", \"url\": \"…\"}",
            );
        }
    }
}

fn item<'a>(lint: &mut Lint<'a>, item: &Object<'a>, entries: &mut Entries) {
    unknown(lint, item, &ITEM, "an item");
    match item.get("id") {
        None => {
            let message = "The item has no `id`: readers pass it over".to_owned();
            lint.error(item.at, message, "give it an id that never changes, as a string");
        }
        Some(place) => match serde_json::from_str::<String>(place.raw.get()) {
            Ok(id) if id.trim().is_empty() => {
                lint.error(
                    place.at,
                    "`id` is empty: readers pass the item over".to_owned(),
                    "give it an id that never changes",
                );
            }
            Ok(id) => {
                if let Some(line) = entries.double(lint, &id, place.at) {
                    let message =
                        format!("The id {id:?} is that of the item at line {line}, too: readers show one of them");
                    lint.error(place.at, message, "give every item an id of its own");
                }
            }
            Err(_) => {
                let message = format!("`id` is {}, and has to be a string", kind(place.raw));
                lint.error(place.at, message, "write it in quotes");
            }
        },
    }
    if item.get("url").is_none() && item.get("external_url").is_none() {
        lint.note(item.at, "The item has no `url`: it cannot be opened".to_owned(), "add the address of its page");
    }
    for name in ["url", "external_url", "image", "banner_image"] {
        item.address(lint, name);
    }
    if let Some((title, at)) = item.text(lint, "title")
        && let Some(found) = values::markup_in(&title)
    {
        let message =
            format!("The title holds markup, {found}, and titles are plain text: readers show it as it stands");
        lint.warning(at, message, "write the title without tags and references");
    }
    if let Some((summary, at)) = item.text(lint, "summary")
        && let Some(found) = values::markup_of(&summary)
    {
        let message = format!("The summary holds markup, {found}, and it is plain text: readers show it as it stands");
        lint.warning(at, message, "write the summary without tags and references");
    }
    item.text(lint, "content_text");
    match item.text(lint, "content_html") {
        Some((html, at)) => content::judge(lint, at, &html, Base::None),
        None if item.get("content_html").is_none() && item.get("content_text").is_none() => {
            let message =
                "The item has neither `content_html` nor `content_text`, and JSON Feed requires one".to_owned();
            lint.error(item.at, message, "add one of them; the summary will do");
        }
        None => {}
    }
    let mut dated = |name: &str| {
        let (text, at) = item.text(lint, name)?;
        Some((at, dates::rfc3339(lint, at, name, &text)?))
    };
    let (published, modified) = (dated("date_published"), dated("date_modified"));
    if let Some((at, date)) = published {
        entries.published(lint, at, date);
    } else if item.get("date_published").is_none() {
        let message = "The item has no `date_published`: readers take the time of their visit".to_owned();
        lint.warning(item.at, message, "add the date of publication");
    }
    if let (Some((_, published)), Some((at, modified))) = (published, modified)
        && modified < published
    {
        let message = "The item was modified before it was published".to_owned();
        lint.warning(at, message, "`date_modified` is the later of the two, or the same");
    }
    language(lint, item);
    authors(lint, item);
    for tag in item.list(lint, "tags") {
        if serde_json::from_str::<String>(tag.raw.get()).is_err() {
            lint.error(tag.at, format!("A tag is {}, and has to be a string", kind(tag.raw)), "write it in quotes");
        }
    }
    for place in item.list(lint, "attachments") {
        attachment(lint, place);
    }
}

fn attachment<'a>(lint: &mut Lint<'a>, place: Place<'a>) {
    let Some(attachment) = object(lint, "An attachment", place) else { return };
    if attachment.get("url").is_none() {
        lint.error(place.at, "An attachment has no `url`".to_owned(), "add the address of the file");
    }
    attachment.address(lint, "url");
    match attachment.text(lint, "mime_type") {
        Some((media, at)) if !media.contains('/') => {
            lint.error(at, format!("`mime_type` is {media:?}"), "write a media type, such as audio/mpeg");
        }
        None if attachment.get("mime_type").is_none() => {
            lint.error(
                place.at,
                "An attachment has no `mime_type`".to_owned(),
                "write a media type, such as audio/mpeg",
            );
        }
        _ => {}
    }
    for name in ["size_in_bytes", "duration_in_seconds"] {
        if let Some(number) =
            attachment.get(name).filter(|number| serde_json::from_str::<f64>(number.raw.get()).is_err())
        {
            lint.error(number.at, format!("`{name}` is {}", kind(number.raw)), "write a number, without quotes");
        }
    }
}

fn language(lint: &mut Lint<'_>, of: &Object<'_>) {
    if let Some((language, at)) = of.text(lint, "language") {
        values::language(lint, at, "language", &language);
    }
}

fn authors<'a>(lint: &mut Lint<'a>, of: &Object<'a>) {
    let mut all = of.list(lint, "authors");
    if let Some(old) = of.get("author") {
        if of.get("authors").is_none() {
            let help = "write \"authors\": [ … ], a list";
            lint.note(old.at, "`author` is of version 1; version 1.1 has `authors`".to_owned(), help);
        }
        all.push(old);
    }
    for place in all {
        let Some(author) = object(lint, "An author", place) else { continue };
        if ["name", "url", "avatar"].iter().all(|name| author.get(name).is_none()) {
            let message = "An author has neither `name` nor `url` nor `avatar`".to_owned();
            lint.error(place.at, message, "give the name, or take the author out");
        }
        author.text(lint, "name");
        for name in ["url", "avatar"] {
            author.address(lint, name);
        }
    }
}

fn unknown(lint: &mut Lint<'_>, object: &Object<'_>, names: &[&str], of: &str) {
    for (key, place) in object.members.iter().filter(|(key, _)| !key.starts_with('_') && !names.contains(&key.as_str()))
    {
        let message = format!("`{key}` is nothing that JSON Feed has in {of}: readers pass it over");
        lint.warning(place.at, message, "check its spelling; a key of your own begins with _");
    }
}
