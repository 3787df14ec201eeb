//! The built files, as a static host serves them: feeds, the page that lists them, the archive of editions; with their types, and
//! 304 for who has them (RFC 9110 sections 8.8 and 13).

use super::{Shared, blocking, missing};
use crate::edition::page;
use crate::feed::Format;
use crate::output::built::{self, Stamp};
use crate::random::base32;
use crate::store;
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
use std::sync::{Mutex, PoisonError};

/// As `catalogue` tells static hosts.
const CACHE: &str = "public, max-age=600";
/// Pages of editions show pictures from wherever they are, and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src https: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// So many octets are kept at hand.
const AT_HAND: usize = 64 * 1024 * 1024;

/// Files that were asked for before, while they are as they were.
#[derive(Default)]
pub(super) struct Shelf(Mutex<HashMap<String, (Stamp, Copied)>>);

/// A file in both forms. Bytes are shared, not copied.
#[derive(Clone)]
struct Copied {
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
    let found = blocking(&web, move |web| {
        let root = web.desk.config.path_of(&web.desk.config.feeds.dir);
        let Some(stamp) = built::stamp(&root, &path) else { return Ok::<_, store::Error>(None) };
        Ok(web.shelf.copy(&path, stamp, || built::bytes(&root, &path)).map(|copy| (stamp, copy)))
    });
    match found.await {
        Ok(Some((stamp, copy))) => answer(&method, &headers, media_type, stamp, &copy),
        Ok(None) | Err(_) => missing(&web, &headers),
    }
}

impl Shelf {
    fn copy(&self, path: &str, stamp: Stamp, read: impl FnOnce() -> Option<Vec<u8>>) -> Option<Copied> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, copy)) = lock().get(path)
            && *known == stamp
        {
            return Some(copy.clone());
        }
        let plain = read()?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let zipped = encoder.write_all(&plain).and_then(|()| encoder.finish()).ok()?;
        let tag = base32(&digest(&SHA256, &plain).as_ref()[..20]);
        let copy = Copied { tag, plain: plain.into(), zipped: zipped.into() };
        let size = |copy: &Copied| copy.plain.len() + copy.zipped.len();
        let mut kept = lock();
        if kept.values().map(|(_, copy)| size(copy)).sum::<usize>() + size(&copy) > AT_HAND {
            kept.clear();
        }
        if size(&copy) <= AT_HAND {
            kept.insert(path.to_owned(), (stamp, copy.clone()));
        }
        Some(copy)
    }
}

fn answer(method: &Method, asked: &HeaderMap, media_type: &'static str, stamp: Stamp, copy: &Copied) -> Response {
    let text = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let zips = takes_gzip(text(header::ACCEPT_ENCODING)) && copy.zipped.len() < copy.plain.len();
    // Each form has its own tag (RFC 9110 section 8.8.3.3).
    let tag = format!("\"{}{}\"", copy.tag, if zips { "-gz" } else { "" });
    let known = match text(header::IF_NONE_MATCH) {
        "" => modified_since(text(header::IF_MODIFIED_SINCE)).is_some_and(|since| stamp.modified <= since),
        tags => tags.split(',').any(|t| {
            t.trim() == "*" || t.trim().trim_start_matches("W/").trim_matches('"').trim_end_matches("-gz") == copy.tag
        }),
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
    set(header::LAST_MODIFIED, &stamp.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
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
}
