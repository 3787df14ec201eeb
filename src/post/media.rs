//! What a post offers beside its text: sound, film and files, as its front matter names them. Promises: nothing is named that
//! has no address and no media type, and no length is guessed.

use super::front_matter::Yaml;
use url::Url;

/// Keys that name what is offered, in the order in which it is offered. The last two are Hugo's own.
const KEYS: [&str; 6] = ["enclosure", "enclosures", "podcast", "audio", "video", "videos"];

/// Tables in which generators and themes keep what is theirs.
const TABLES: [&str; 2] = ["extra", "params"];

/// A file that a post offers: RSS's enclosure, JSON Feed's attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where it is.
    pub url: Url,
    /// Its media type, `audio/mpeg`.
    pub media_type: String,
    /// Its length in bytes, where it is known.
    pub length: Option<u64>,
    /// How long it plays, in whole seconds.
    pub seconds: Option<u64>,
}

/// What the front matter of the post at `url` offers, each address once. A path from the root is below the site's `base`.
pub fn of(front: &Yaml, url: &Url, base: &Url) -> Vec<Media> {
    let mut found: Vec<Media> = Vec::new();
    let tables = TABLES.iter().filter_map(|table| front.get(table));
    for table in std::iter::once(front).chain(tables) {
        for key in KEYS {
            let Some(given) = table.get(key) else { continue };
            let each = if given.items().is_empty() { std::slice::from_ref(given) } else { given.items() };
            for media in each.iter().filter_map(|given| one(given, key, url, base)) {
                if !found.iter().any(|known| known.url == media.url) {
                    found.push(media);
                }
            }
        }
    }
    // Beside `audio: talk.mp3` it can only mean that one.
    if let [only] = found.as_mut_slice()
        && only.seconds.is_none()
    {
        only.seconds = front.get("duration").and_then(Yaml::text).and_then(seconds);
    }
    found
}

fn one(given: &Yaml, key: &str, url: &Url, base: &Url) -> Option<Media> {
    let says = |keys: &[&str]| keys.iter().find_map(|key| given.get(key).and_then(Yaml::text)).map(str::trim);
    let (place, media_type, length, duration) = match given {
        Yaml::Map(_) => {
            let length = says(&["length", "size", "bytes", "filesize", "file_size"]);
            // Of a podcast, a "length" of 12:30 is its duration.
            let plays = length.filter(|said| said.contains(':'));
            let place = says(&["url", "src", "path", "file", "href"])?;
            (place, says(&["type", "mime", "mime_type", "media_type"]), length, says(&["duration"]).or(plays))
        }
        one if one.truth().is_some() => return None,
        one => {
            let said = one.text()?.trim();
            // WordPress's own form, which its exports have: address, length and type.
            let words: Vec<&str> = said.split_whitespace().collect();
            match words.as_slice() {
                [place, length, kind] if is_media_type(kind) => (*place, Some(*kind), Some(*length), None),
                _ => (said, None, None, None),
            }
        }
    };
    let url = located(place, url, base)?;
    let stated = media_type.filter(|said| is_media_type(said)).map(str::to_ascii_lowercase);
    let media_type = match stated.or_else(|| type_of(url.path()).map(str::to_owned)) {
        Some(media_type) => media_type,
        // `video: https://video.example/watch/1` is a page, and `audio: left` is no address at all.
        None if key.starts_with("enclosure") => "application/octet-stream".to_owned(),
        None => return None,
    };
    let length = length.and_then(|said| said.parse().ok()).filter(|length| *length > 0);
    Some(Media { url, media_type, length, seconds: duration.and_then(seconds) })
}

/// The address that a path or URL in front matter means. A path from the root is below the site's `base`.
pub(super) fn located(place: &str, url: &Url, base: &Url) -> Option<Url> {
    if place.is_empty() || place.contains("{{") {
        return None;
    }
    let found = match place.strip_prefix('/').filter(|rest| !rest.starts_with('/')) {
        Some(rest) => {
            let prefix = base.path().trim_matches('/');
            let below = rest.strip_prefix(prefix).filter(|below| !prefix.is_empty() && below.starts_with('/'));
            base.join(below.map_or(rest, |below| &below[1..])).ok()?
        }
        None => url.join(place).ok()?,
    };
    matches!(found.scheme(), "http" | "https").then_some(found)
}

/// RFC 6838 section 4.2, without parameters.
fn is_media_type(said: &str) -> bool {
    let name = |part: &str| {
        let first = part.starts_with(|c: char| c.is_ascii_alphanumeric());
        first && part.len() < 128 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    said.split_once('/').is_some_and(|(kind, rest)| name(kind) && name(rest))
}

/// Seconds from `3723`, `62:03`, `1:02:03` or ISO 8601's `PT1H2M3S`.
fn seconds(said: &str) -> Option<u64> {
    let said = said.trim();
    if let Some(rest) = said.strip_prefix("PT").or_else(|| said.strip_prefix("pt")) {
        let mut total: u64 = 0;
        let mut number = String::new();
        for c in rest.chars() {
            let unit = match c.to_ascii_uppercase() {
                'H' => 3600,
                'M' => 60,
                'S' => 1,
                _ => {
                    number.push(c);
                    continue;
                }
            };
            total = total.checked_add(std::mem::take(&mut number).parse::<u64>().ok()?.checked_mul(unit)?)?;
        }
        return Some(total).filter(|total| number.is_empty() && *total > 0);
    }
    let mut parts: Vec<&str> = said.split(':').collect();
    // A player's fractions of a second.
    let last = parts.pop()?;
    parts.push(last.split('.').next().unwrap_or(last));
    if parts.len() > 3 {
        return None;
    }
    let total = parts.iter().try_fold(0_u64, |total, part| total.checked_mul(60)?.checked_add(part.parse().ok()?));
    total.filter(|total| *total > 0)
}

/// The media type of a file by its name, as registered with IANA where it is.
pub fn type_of(name: &str) -> Option<&'static str> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let (_, ending) = file.rsplit_once('.')?;
    Some(match &*ending.to_ascii_lowercase() {
        "mp3" => "audio/mpeg",
        "m4a" | "m4b" => "audio/mp4",
        "aac" => "audio/aac",
        "ogg" | "oga" | "opus" | "spx" => "audio/ogg",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "weba" => "audio/webm",
        "mid" | "midi" => "audio/midi",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "ogv" => "video/ogg",
        "mov" | "qt" => "video/quicktime",
        "mkv" => "video/matroska",
        "mpg" | "mpeg" => "video/mpeg",
        "avi" => "video/x-msvideo",
        "png" => "image/png",
        "jpg" | "jpeg" | "jpe" | "jfif" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "bmp" => "image/bmp",
        "ico" => "image/vnd.microsoft.icon",
        "tif" | "tiff" => "image/tiff",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "epub" => "application/epub+zip",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "torrent" => "application/x-bittorrent",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::front_matter::parse_named;

    fn offered(front: &str) -> Vec<(String, String, Option<u64>, Option<u64>)> {
        let front = parse_named("a.yml", front).expect("YAML");
        let (url, base) = ("https://a.example/b/2026/post/", "https://a.example/b/");
        let found = of(&front, &url.parse().expect("a URL"), &base.parse().expect("a URL"));
        found.into_iter().map(|media| (media.url.into(), media.media_type, media.length, media.seconds)).collect()
    }

    #[test]
    fn paths_maps_and_lists_are_read() {
        let owned = |url: &str, kind: &str, length, seconds| (url.to_owned(), kind.to_owned(), length, seconds);
        for (front, expected) in [
            ("audio: talk.mp3", vec![owned("https://a.example/b/2026/post/talk.mp3", "audio/mpeg", None, None)]),
            (
                "audio: /files/talk.OPUS\nduration: '1:02:03'",
                vec![owned("https://a.example/b/files/talk.OPUS", "audio/ogg", None, Some(3723))],
            ),
            (
                "enclosure: {url: 'https://cdn.example/1', length: 42, type: Audio/MPEG, duration: PT1H1S}",
                vec![owned("https://cdn.example/1", "audio/mpeg", Some(42), Some(3601))],
            ),
            (
                "enclosure:\n- a.pdf\n- /b/a.zip\n- /a.zip",
                vec![
                    owned("https://a.example/b/2026/post/a.pdf", "application/pdf", None, None),
                    owned("https://a.example/b/a.zip", "application/zip", None, None),
                ],
            ),
            (
                "enclosure: |\n  https://a.example/x.mp3\n  1234\n  audio/mpeg\n",
                vec![owned("https://a.example/x.mp3", "audio/mpeg", Some(1234), None)],
            ),
            (
                "podcast: {file: e1.m4a, length: '12:30', size: 9}\nextra: {video: v.webm}",
                vec![
                    owned("https://a.example/b/2026/post/e1.m4a", "audio/mp4", None, Some(750)),
                    owned("https://a.example/b/2026/post/v.webm", "video/webm", None, None),
                ],
            ),
            (
                "enclosure: https://a.example/download",
                vec![owned("https://a.example/download", "application/octet-stream", None, None)],
            ),
        ] {
            assert_eq!(offered(front), expected, "{front}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_offered() {
        for front in [
            "audio: true",
            "video: https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "video: dQw4w9WgXcQ",
            "podcast: {title: One}",
            "audio: '{{ site.cdn }}/a.mp3'",
            "audio: ftp://a.example/a.mp3",
            "audio: [null, {}, '']",
            "audio:",
        ] {
            assert_eq!(offered(front), [], "{front}");
        }
    }

    #[test]
    fn durations_are_read_or_left_out() {
        for (said, expected) in [
            ("90", Some(90)),
            ("1:30", Some(90)),
            ("00:01:30.75", Some(90)),
            ("PT90S", Some(90)),
            ("0", None),
            ("an hour", None),
            ("1:2:3:4", None),
            ("PT5", None),
            ("99999999999999999999:0", None),
        ] {
            assert_eq!(seconds(said), expected, "{said}");
        }
    }
}
