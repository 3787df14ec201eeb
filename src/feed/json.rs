//! JSON Feed 1.1 (<https://www.jsonfeed.org/version/1.1/>).

use super::{ContentKind, Entry, Error, Feed, Format, Found, FoundEntry, Settings, xml};
use crate::post::{Media, Person};
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;
use url::Url;

const VERSION: &str = "https://jsonfeed.org/version/1.1";

/// The members in the order of the specification. It knows no time of change and no generator of a whole feed.
#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    language: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Hub {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Author<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    url: String,
    title: &'a str,
    #[serde(flatten)]
    content: Body<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: String,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_in_seconds: Option<u64>,
}

/// One of the two is required, so a summary alone is the content as well.
#[derive(Serialize)]
enum Body<'a> {
    #[serde(rename = "content_html")]
    Html(String),
    #[serde(rename = "content_text")]
    Text(&'a str),
}

/// The feed as JSON, to be served at `self_url`.
pub(super) fn write(feed: &Feed, self_url: &Url, settings: &Settings) -> Result<Vec<u8>, Error> {
    let document = Document {
        version: VERSION,
        title: &feed.title,
        home_page_url: xml::uri(&feed.home),
        feed_url: xml::uri(self_url),
        next_url: feed.history.link("prev-archive", self_url, Format::Json).as_ref().map(xml::uri),
        description: feed.description.as_deref(),
        authors: feed.author.iter().map(author).collect(),
        language: &feed.language,
        hubs: settings.hub.iter().map(|hub| Hub { kind: "WebSub", url: xml::uri(hub) }).collect(),
        items: feed.entries.iter().map(|entry| item(entry, settings.content)).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)
        .map_err(|error| Error::Unwritable { format: Format::Json, reason: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn item(entry: &Entry, content: ContentKind) -> Item<'_> {
    Item {
        id: &entry.id.0,
        url: xml::uri(&entry.url),
        title: &entry.title,
        content: match content {
            ContentKind::Full => Body::Html(entry.markup()),
            ContentKind::Summary => Body::Text(&entry.summary),
        },
        summary: &entry.summary,
        image: entry.image.as_ref().map(|image| xml::uri(&image.url)),
        date_published: entry.published.to_rfc3339_opts(SecondsFormat::Secs, true),
        date_modified: entry.updated.to_rfc3339_opts(SecondsFormat::Secs, true),
        authors: entry.authors.iter().map(author).collect(),
        tags: &entry.categories,
        language: entry.language.as_deref(),
        attachments: entry.media.iter().map(attachment).collect(),
    }
}

fn attachment(media: &Media) -> Attachment<'_> {
    Attachment {
        url: xml::uri(&media.url),
        mime_type: &media.media_type,
        size_in_bytes: media.length,
        duration_in_seconds: media.seconds,
    }
}

/// The specification names `mailto:` as the way to give an address.
fn author(person: &Person) -> Author<'_> {
    let url = person.url.as_ref().map(xml::uri);
    Author { name: &person.name, url: url.or_else(|| person.email.as_ref().map(|email| format!("mailto:{email}"))) }
}

/// What a reader finds, or why it finds nothing.
pub(super) fn read(bytes: &[u8]) -> Result<Found, String> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if !document["version"].as_str().is_some_and(|version| version.contains("jsonfeed.org/version/")) {
        return Err("it names no version of JSON Feed".to_owned());
    }
    let items = document["items"].as_array().ok_or("it has no items")?;
    Ok(Found { title: text(&document["title"]), entries: items.iter().map(found).collect() })
}

fn found(item: &Value) -> FoundEntry {
    let mut rest = item.clone();
    let id = rest.as_object_mut().and_then(|members| members.remove("id")).unwrap_or_default();
    FoundEntry { id: text(&id), title: text(&item["title"]), url: text(&item["url"]), rest: rest.to_string() }
}

/// The specification asks readers to take a number for an id as its text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
