//! The built files, as a static host serves them: feeds, the page that lists them, the archive of editions; with their types, and
//! 304 for who has them (RFC 9110 sections 8.8 and 13).

use super::threads::Threads;
use super::{Shared, missing};
use crate::edition::page;
use crate::feed::Format;
use crate::output::built::{self, Stamp};
use crate::random::base32;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// As `catalogue` tells static hosts.
const CACHE: &str = "public, max-age=600";
/// Pages of editions show pictures from wherever they are, and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src https: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// So many octets are kept at hand.
const AT_HAND: usize = 64 * 1024 * 1024;

/// Files that were asked for before, while they are as they were, and threads to read them.
pub(super) struct Shelf {
    threads: Threads,
    kept: Mutex<HashMap<String, Copied>>,
}

impl Default for Shelf {
    fn default() -> Self {
        Shelf { threads: Threads::of(Threads::FILES), kept: Mutex::default() }
    }
}

/// A file in both forms. Bytes are shared, not copied.
#[derive(Clone)]
struct Copied {
    stamp: Stamp,
    /// Whether that stamp is enough to know the file by.
    settled: bool,
    tag: String,
    plain: Bytes,
    zipped: Bytes,
}

/// Which file of those that we built is meant, and its type; none where it is not one of them.
fn file(path: &str) -> Option<(String, &'static str)> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let path = decoded.strip_prefix('/')?;
    let path = match path.is_empty() || path.ends_with('/') {
        true => format!("{path}index.html"),
        false => path.to_owned(),
    };
    let name = path.rsplit('/').next()?;
    let feeds = [Format::Rss, Format::Atom, Format::Json];
    if let Some(format) = feeds.into_iter().find(|format| format.file_name() == name) {
        return Some((path, format.media_type()));
    }
    let ours = path.starts_with(crate::feed::listed::PAGE) || path.starts_with(&format!("{}/", page::FOLDER));
    let media_type = match name.rsplit_once('.')?.1 {
        "html" => "text/html",
        "css" => "text/css",
        "opml" => "text/x-opml",
        _ => return None,
    };
    ours.then_some((path, media_type))
}

/// The last name of a folder of ours that was asked for like a file.
fn folder(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let ours = [page::FOLDER, crate::feed::listed::PAGE.trim_end_matches('/')];
    let first = path.strip_prefix('/')?.split('/').next()?;
    (ours.contains(&first) && !name.is_empty() && !name.contains(['.', ':', '\\'])).then_some(name)
}

/// Everything that no other route answers.
pub(super) async fn serve(State(web): State<Shared>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let reads = matches!(method, Method::GET | Method::HEAD);
    let Some((path, media_type)) = file(uri.path()).filter(|_| reads) else {
        return match folder(uri.path()).filter(|_| reads) {
            // Relative, so that it leads nowhere else.
            Some(name) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("{name}/"))]).into_response(),
            None => missing(&web, &headers),
        };
    };
    let (shelf, now) = (Arc::clone(&web), web.clock.now());
    let found = web.shelf.threads.run(move || {
        let root = shelf.desk.config.path_of(&shelf.desk.config.feeds.dir);
        shelf.shelf.copy(&root, &path, now)
    });
    match found.await.flatten() {
        Some(copy) => answer(&method, &headers, media_type, &copy, now),
        None => missing(&web, &headers),
    }
}

impl Shelf {
    fn copy(&self, root: &Path, path: &str, now: DateTime<Utc>) -> Option<Copied> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(path).cloned();
        if let Some(known) = &known
            && known.settled
            && built::still_has(root, path, &known.stamp)
        {
            return Some(known.clone());
        }
        // The stamp first: what is written meanwhile has another.
        let stamp = built::stamp(root, path)?;
        let settled = stamp.is_settled(now);
        let plain = built::bytes(root, path)?;
        let copy = match known {
            Some(known) if known.plain == plain => Copied { stamp, settled, ..known },
            _ => Copied::of(stamp, settled, plain)?,
        };
        let size = |copy: &Copied| copy.plain.len() + copy.zipped.len();
        let mut kept = lock();
        kept.remove(path);
        if kept.values().map(size).sum::<usize>() + size(&copy) > AT_HAND {
            kept.clear();
        }
        if size(&copy) <= AT_HAND {
            kept.insert(path.to_owned(), copy.clone());
        }
        Some(copy)
    }
}

impl Copied {
    fn of(stamp: Stamp, settled: bool, plain: Vec<u8>) -> Option<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let zipped = encoder.write_all(&plain).and_then(|()| encoder.finish()).ok()?;
        let tag = base32(&digest(&SHA256, &plain).as_ref()[..20]);
        Some(Copied { stamp, settled, tag, plain: plain.into(), zipped: zipped.into() })
    }
}

fn answer(method: &Method, asked: &HeaderMap, media_type: &'static str, copy: &Copied, now: DateTime<Utc>) -> Response {
    let text = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let zips = takes_gzip(text(header::ACCEPT_ENCODING)) && copy.zipped.len() < copy.plain.len();
    // Each form has its own tag (RFC 9110 section 8.8.3.3).
    let tag = format!("\"{}{}\"", copy.tag, if zips { "-gz" } else { "" });
    let known = match text(header::IF_NONE_MATCH) {
        // The very date that was told: a client's own clock says nothing of our files.
        "" => modified_since(text(header::IF_MODIFIED_SINCE)) == Some(copy.stamp.modified),
        tags => tags.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag),
    };
    let bytes = if zips { &copy.zipped } else { &copy.plain };
    let mut response = match (known, method == Method::HEAD) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, true) => Body::empty().into_response(),
        (false, false) => bytes.clone().into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &tag);
    set(header::CACHE_CONTROL, CACHE);
    set(header::VARY, "Accept-Encoding");
    // A date that two forms of the file may bear tells nobody whether theirs is the last (RFC 9110 section 8.8.2.2).
    if copy.stamp.is_dated(now) {
        set(header::LAST_MODIFIED, &copy.stamp.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    if !known {
        set(header::CONTENT_TYPE, &format!("{media_type}; charset=utf-8"));
        set(header::CONTENT_LENGTH, &bytes.len().to_string());
        // A reader in a browser fetches it from another origin.
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        if zips {
            set(header::CONTENT_ENCODING, "gzip");
        }
        if media_type == "text/html" {
            set(header::CONTENT_SECURITY_POLICY, POLICY);
        }
    }
    response
}

fn takes_gzip(accept: &str) -> bool {
    accept.split(',').any(|entry| {
        let (coding, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let none = weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()) == Some(0.0);
        matches!(coding.trim(), "gzip" | "*") && !none
    })
}

fn modified_since(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_build_is_served() {
        for (path, found) in [
            ("/rss.xml", Some("application/rss+xml")),
            ("/tag/c%2B%2B/atom.xml", Some("application/atom+xml")),
            ("/feed.json", Some("application/feed+json")),
            ("/editions/", Some("text/html")),
            ("/editions/weekly/2026-11-23/", Some("text/html")),
            ("/feeds/feeds.opml", Some("text/x-opml")),
            ("/feeds/feed.css", Some("text/css")),
            ("/index.html", None),
            ("/", None),
            ("/editions/x.php", None),
            ("/editions/weekly", None),
            ("/posts/a.html", None),
            ("/%ff/rss.xml", None),
            ("rss.xml", None),
        ] {
            assert_eq!(file(path).map(|(_, media_type)| media_type), found, "{path}");
        }
    }

    #[test]
    fn a_folder_asked_for_like_a_file_leads_into_itself_alone() {
        for (path, name) in [
            ("/editions", Some("editions")),
            ("/feeds", Some("feeds")),
            ("/editions/weekly/2026-11-23", Some("2026-11-23")),
            ("/editions/", None),
            ("//evil.example", None),
            ("//editions", None),
            ("/editions/https:", None),
            ("/editions/\\evil", None),
            ("/x", None),
        ] {
            assert_eq!(folder(path), name, "{path}");
        }
    }

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        for (accept, takes) in
            [("gzip, br", true), ("*", true), ("gzip;q=0", false), ("br", false), ("", false), ("gzip;q=0.1", true)]
        {
            assert_eq!(takes_gzip(accept), takes, "{accept}");
        }
    }

    #[test]
    fn a_file_that_may_change_within_the_tick_is_read_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::default();
        let just_now = DateTime::UNIX_EPOCH;
        for text in ["<rss>1</rss>", "<rss>2</rss>", "<rss>2</rss>", "<rss>3</rss>"] {
            std::fs::write(folder.path().join("rss.xml"), text).unwrap();
            let copy = shelf.copy(folder.path(), "rss.xml", just_now).unwrap();
            assert_eq!((&copy.plain[..], copy.settled), (text.as_bytes(), false));
        }
        // Later its stamp is enough, and the copy is the same one.
        let later = DateTime::from_timestamp(1 << 40, 0).unwrap();
        let copies = [0, 1].map(|_| shelf.copy(folder.path(), "rss.xml", later).unwrap());
        assert!(copies[1].settled && copies[0].plain.as_ptr() == copies[1].plain.as_ptr());
        std::fs::remove_file(folder.path().join("rss.xml")).unwrap();
        assert!(shelf.copy(folder.path(), "rss.xml", later).is_none());
    }
}
