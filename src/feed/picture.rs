//! The picture of an entry in the words of Media RSS (<https://www.rssboard.org/media-rss>), which RSS and Atom share.

use super::{ContentKind, Entry, xml};
use std::collections::BTreeMap;

pub(super) const PREFIX: &str = "media";
const NAMESPACE: &str = "http://search.yahoo.com/mrss/";

/// An element's local name and its attributes.
pub(super) type Element = (&'static str, BTreeMap<String, String>);

/// What has to be declared for the entries: both writers put a prefix down without looking whether it is bound.
pub(super) fn namespaces(entries: &[Entry]) -> BTreeMap<String, String> {
    let used = entries.iter().any(|entry| entry.image.is_some());
    used.then(|| (PREFIX.to_owned(), NAMESPACE.to_owned())).into_iter().collect()
}

/// `thumbnail`, which readers show in their lists; and `content`, which some show above the text, so only where the text does not
/// show the picture itself.
pub(super) fn elements(entry: &Entry, content: ContentKind) -> Vec<Element> {
    let Some(image) = &entry.image else { return Vec::new() };
    let url = xml::uri(&image.url);
    let measured = image.measured.as_ref();
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let sides = measured.and_then(|measured| measured.size).into_iter();
    let sides: Vec<_> =
        sides.flat_map(|(w, h)| [pair("width", w.to_string()), pair("height", h.to_string())]).collect();
    let thumbnail = std::iter::once(pair("url", url.clone())).chain(sides.clone()).collect();
    let mut elements = vec![("thumbnail", thumbnail)];
    let shows = |name: &&str| entry.html.addresses(name).iter().any(|address| address == image.url.as_str());
    let shown = content == ContentKind::Full && ["src", "poster"].iter().any(shows);
    if !shown {
        let file = measured.into_iter();
        let file = file.flat_map(|m| [pair("type", m.media_type.clone()), pair("fileSize", m.length.to_string())]);
        let content = [pair("url", url), pair("medium", "image".to_owned())].into_iter().chain(file).chain(sides);
        elements.push(("content", content.collect()));
    }
    elements
}
