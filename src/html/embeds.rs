//! What a post shows by scripts and frames, made something that shows without: players become links, and what stands for a
//! script takes its place. What comes of it goes through the sanitiser.

use super::images;
use super::markup::{self, Token};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;
use url::Url;

/// What stands for a script speaks to our readers, who have none: its tags go, for the parser would take it for text. Where it
/// repeats a lazy image, which is repaired, it goes as a whole.
pub(super) fn without_noscript(html: &str) -> Cow<'_, str> {
    let lower = html.to_ascii_lowercase();
    if !lower.contains("<noscript") {
        return html.into();
    }
    // What stands before each, what it holds, and at last what stands behind.
    let mut pieces: Vec<(&str, &str)> = Vec::new();
    let mut at = 0;
    while let Some(start) = lower[at..].find("<noscript").map(|found| at + found) {
        let Some(opened) = lower[start..].find('>').map(|end| start + end + 1) else { break };
        let (end, next) = match lower[opened..].find("</noscript").map(|end| opened + end) {
            Some(end) => (end, lower[end..].find('>').map_or(html.len(), |close| end + close + 1)),
            None => (html.len(), html.len()),
        };
        pieces.push((&html[at..start], &html[opened..end]));
        at = next;
    }
    pieces.push((&html[at..], ""));
    let lazy: HashSet<&str> = pieces.iter().flat_map(|(outside, _)| images::lazy_sources(outside)).collect();
    let shown: HashSet<&str> = pieces.iter().filter_map(|(_, inside)| images::source_in(inside)).collect();
    let mut out = String::with_capacity(html.len());
    for (number, (before, inside)) in pieces.iter().enumerate() {
        out.push_str(before);
        let behind = pieces.get(number + 1).map_or("", |(outside, _)| outside);
        let is_twin = images::source_in(inside)
            .is_some_and(|source| lazy.contains(source) || images::is_beside_lazy(before, behind, &shown));
        if !is_twin {
            out.push_str(inside);
        }
    }
    out.into()
}

pub(super) fn needs_repair(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    ["<iframe", "<object", "<embed"].iter().chain(images::LAZY).any(|sign| lower.contains(sign))
}

/// Turns frames, objects and players into links, and gives lazy images the source that a script would give them.
pub(super) fn repair(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut skipping: Option<&str> = None;
    for token in markup::tokens(html) {
        if let Some(name) = skipping {
            if token == Token::End(name) {
                skipping = None;
            }
            continue;
        }
        match token {
            Token::Text(text) => out.push_str(text),
            Token::End("object" | "embed" | "iframe") => {}
            Token::End(name) => {
                let _ = write!(out, "</{name}>");
            }
            Token::Start(tag) => match tag.name {
                "iframe" | "object" | "embed" => {
                    let target = ["src", "data-src", "data"].iter().find_map(|name| tag.attribute(name));
                    if let Some(target) = target {
                        if tag.name != "embed" {
                            skipping = Some(tag.name);
                        }
                        out.push_str(&link_to(&target, tag.attribute("title")));
                    } else if tag.name == "iframe" {
                        skipping = Some(tag.name);
                    }
                }
                "img" | "source" | "video" | "audio" => images::awaken(&tag, &mut out),
                _ => out.push_str(tag.source),
            },
        }
    }
    out
}

/// A link to what a frame shows, named by its title, else by its address; with the film's picture where that is known.
fn link_to(target: &str, title: Option<String>) -> String {
    let (target, picture) = watch_page(target);
    let name = title.filter(|title| !title.trim().is_empty());
    let name = name.unwrap_or_else(|| short(&target));
    let picture = picture.map_or(String::new(), |url| {
        // The words below say what it is.
        format!("<img src=\"{}\" alt=\"\" width=\"480\" height=\"360\"><br>", markup::escape(&url))
    });
    format!("<a href=\"{}\">{picture}{}</a>", markup::escape(&target), markup::escape(&name))
}

/// Host and path, as far as they say something.
fn short(target: &str) -> String {
    let bare = target.split_once("://").map_or(target, |(_, rest)| rest);
    let bare = if bare.contains("?v=") { bare } else { bare.split(['?', '#']).next().unwrap_or(bare) };
    match bare.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &bare[..end]),
        None => bare.trim_end_matches('/').to_owned(),
    }
}

/// A player's address shows a bare player, or nothing outside a frame: the page around it is what a reader wants. And the
/// picture that stands for the film, where its address follows from the player's.
fn watch_page(target: &str) -> (Cow<'_, str>, Option<String>) {
    let Ok(url) = Url::parse(target) else { return (target.into(), None) };
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    match url.host_str().unwrap_or_default().trim_start_matches("www.") {
        "youtube.com" | "youtube-nocookie.com" if url.path().starts_with("/embed/") && last != "videoseries" => {
            let start = url.query_pairs().find(|(key, _)| key == "start").and_then(|(_, at)| at.parse::<u32>().ok());
            let start = start.map_or(String::new(), |at| format!("&t={at}s"));
            let picture = still_of(last);
            (format!("https://www.youtube.com/watch?v={last}{start}").into(), picture)
        }
        "player.vimeo.com" if url.path().starts_with("/video/") => (format!("https://vimeo.com/{last}").into(), None),
        _ => (target.into(), None),
    }
}

/// The picture of the film of that id on YouTube, 480 by 360: of all its names, the one that every film has one under.
pub(super) fn still_of(id: &str) -> Option<String> {
    let known = id.len() == 11 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    known.then(|| format!("https://i.ytimg.com/vi/{id}/hqdefault.jpg"))
}

#[cfg(test)]
mod tests {
    use super::super::clean;

    #[test]
    fn what_shows_by_itself_becomes_a_link_and_scripts_leave_nothing() {
        let base = "https://a.example/p/".parse().expect("a URL");
        for (given, expected) in [
            (
                "<iframe src=\"//www.youtube-nocookie.com/embed/dQw4w9WgXcQ?rel=0&amp;start=90\" title=\"A &amp; B\" onload=\"x()\"></iframe>",
                "<a href=\"https://www.youtube.com/watch?v=dQw4w9WgXcQ&amp;t=90s\"><img src=\"https://i.ytimg.com/vi/dQw4w9WgXcQ/hqdefault.jpg\" alt=\"\" width=\"480\" height=\"360\"><br>A &amp; B</a>",
            ),
            (
                "<iframe src=\"https://www.youtube.com/embed/videoseries?list=PL1\"></iframe>",
                "<a href=\"https://www.youtube.com/embed/videoseries?list=PL1\">www.youtube.com/embed/videoseries</a>",
            ),
            (
                "<iframe data-src=\"https://player.vimeo.com/video/12\" src=\"about:blank\"></iframe>",
                "<a href=\"https://vimeo.com/12\">vimeo.com/12</a>",
            ),
            ("<iframe src=\"javascript:x()\">in</iframe>", ""),
            ("<embed src=\"/m.swf\" title=\"M\">", "<a href=\"https://a.example/m.swf\">M</a>"),
            (
                "<object data=\"f.pdf\"><p>No viewer</p></object>",
                "<a href=\"https://a.example/p/f.pdf\">a.example/p/f.pdf</a>",
            ),
            (
                "<video src=\"v.mp4\" poster=\"/p.jpg\" controls autoplay><track src=\"v.vtt\"></video>",
                "<video src=\"https://a.example/p/v.mp4\" poster=\"https://a.example/p.jpg\" controls=\"\"><track src=\"https://a.example/p/v.vtt\"></video>",
            ),
            (
                "<audio><source src=\"a.mp3\"></audio>",
                "<audio controls=\"\"><source src=\"https://a.example/p/a.mp3\"></audio>",
            ),
            (
                "<form action=\"/f\"><label>Mail</label><input name=\"m\"><button>Go</button></form><style>p{}</style><script>x()</script><p style=\"x\" onclick=\"y\">T</p><base href=\"/\"><meta charset=\"x\"><link href=\"/s.css\">",
                "Mail<p>T</p>",
            ),
        ] {
            assert_eq!(clean(given, &base).as_str(), expected, "{given}");
        }
    }
}
