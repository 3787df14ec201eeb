//! Images as a reader without scripts sees them: those that a script would load get the address it would give them, and each
//! says how large it is where that is known.

use super::link;
use super::markup::{self, Tag, Token};
use std::collections::HashSet;
use std::fmt::Write;

/// Where scripts look for what an image shows, the surest first.
pub(super) const LAZY: &[&str] = &["data-src", "data-lazy-src", "data-original", "data-srcset", "data-lazy-srcset"];

/// In the name of a picture that stands there until the script has run.
const PLACEHOLDERS: &[&str] =
    &["placeholder", "blank", "lazy", "1x1", "spacer", "transparent", "pixel", "loading", "loader", "spinner", "empty"];

/// Wider pictures are not for a column of text.
const WIDE_ENOUGH: u32 = 1600;

/// Writes an element with the address that a script would give it. A `src` stays that is no placeholder.
pub(super) fn awaken(tag: &Tag<'_>, out: &mut String) {
    let stays = |value: &String| !value.is_empty() && !is_placeholder(value);
    let lazy = |names: &[&str]| names.iter().find_map(|name| tag.attribute(name)).filter(|value| !value.is_empty());
    let src = match tag.attribute("src").filter(stays) {
        Some(_) => None,
        None => lazy(&["data-src", "data-lazy-src", "data-original"]),
    };
    let set = match tag.attribute("srcset").filter(stays) {
        Some(_) => None,
        None => lazy(&["data-srcset", "data-lazy-srcset"]),
    };
    let _ = write!(out, "<{}", tag.name);
    for (name, value) in tag.attributes() {
        let replaced = name == "src" && src.is_some() || name == "srcset" && set.is_some();
        if !replaced && !LAZY.contains(&name) {
            let _ = write!(out, " {name}=\"{value}\"");
        }
    }
    for (name, value) in [("src", src), ("srcset", set)] {
        if let Some(value) = value {
            let _ = write!(out, " {name}=\"{}\"", markup::escape(&value));
        }
    }
    out.push('>');
}

fn is_placeholder(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|sign| name.contains(sign))
}

/// What lazy images of unparsed markup will show.
pub(super) fn lazy_sources(html: &str) -> impl Iterator<Item = &str> {
    let names = LAZY.iter().filter(|_| html.contains("data-"));
    names.flat_map(|name| html.split(*name).skip(1)).filter_map(|after| quoted(after.strip_prefix('=')?))
}

/// The image that what stands for a script shows.
pub(super) fn source_in(inside: &str) -> Option<&str> {
    let image = inside.to_ascii_lowercase().find("<img").map(|at| &inside[at..])?;
    let image = &image[..image.find('>').unwrap_or(image.len())];
    image.split_once(" src=").and_then(|(_, after)| quoted(after))
}

/// Whether the tag before or behind what stands for a script is a lazy image, and not the one of another, whose sources are
/// `others`.
pub(super) fn is_beside_lazy(before: &str, behind: &str, others: &HashSet<&str>) -> bool {
    let is_lazy = |tag: &str| {
        let lower = tag.to_ascii_lowercase();
        lower.starts_with("<img")
            && LAZY.iter().any(|name| lower.contains(name))
            && !lazy_sources(tag).any(|source| others.contains(source))
    };
    // Closing tags between them, of a link or a `picture`, part nothing; a blank line does.
    let trimmed = |text: &str| text.trim_end().len();
    let mut earlier = before;
    loop {
        let end = trimmed(earlier);
        if earlier[end..].matches('\n').count() > 1 {
            break;
        }
        earlier = &earlier[..end];
        match earlier.rfind('<') {
            Some(at) if earlier.ends_with('>') && earlier[at..].starts_with("</") => earlier = &earlier[..at],
            Some(at) if earlier.ends_with('>') && is_lazy(&earlier[at..]) => return true,
            _ => break,
        }
    }
    let later = behind.trim_start();
    is_lazy(&later[..later.find('>').map_or(later.len(), |end| end + 1)])
}

/// The quoted value that text begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote).map(|(value, _)| value).filter(|value| !value.is_empty())
}

/// Clean markup in which images that only have a set of sources have one, and every `picture` an image: many readers know
/// neither.
pub(super) fn with_sources(html: String) -> String {
    if !html.contains("srcset=") {
        return html;
    }
    let mut out = String::with_capacity(html.len() + 200);
    // The last source of an open `picture` that has no image yet.
    let mut picture: Option<String> = None;
    for token in markup::tokens(&html) {
        match token {
            Token::Text(text) => out.push_str(text),
            Token::End(name) => {
                if let Some(source) = picture.take().filter(|source| name == "picture" && !source.is_empty()) {
                    let _ = write!(out, "<img src=\"{}\">", markup::escape(&source));
                }
                let _ = write!(out, "</{name}>");
            }
            Token::Start(tag) => {
                let chosen = || tag.attribute("srcset").and_then(|set| best(&set).map(str::to_owned));
                match tag.name {
                    "picture" => picture = Some(String::new()),
                    // The last is the one that the most can show.
                    "source" => picture = picture.map(|known| chosen().unwrap_or(known)),
                    "img" if tag.attribute("src").is_none() => {
                        let chosen = chosen().or(picture.take()).filter(|source| !source.is_empty());
                        if let Some(source) = chosen {
                            push_with(&tag, &format!(" src=\"{}\"", markup::escape(&source)), &mut out);
                            continue;
                        }
                    }
                    "img" => picture = None,
                    _ => {}
                }
                out.push_str(tag.source);
            }
        }
    }
    out
}

/// A start tag with one attribute more.
fn push_with(tag: &Tag<'_>, attribute: &str, out: &mut String) {
    let _ = write!(out, "{}{attribute}>", tag.source.trim_end_matches('>'));
}

/// The largest candidate that is not too wide; of others, the first.
fn best(set: &str) -> Option<&str> {
    let mut best: Option<(u32, &str)> = None;
    for (url, descriptor) in link::candidates(set) {
        let width = descriptor.strip_suffix('w').and_then(|width| width.parse().ok()).filter(|w| *w <= WIDE_ENOUGH);
        let width = width.unwrap_or(0);
        if best.is_none_or(|(known, _)| width > known) {
            best = Some((width, url));
        }
    }
    best.map(|(_, url)| url)
}

/// Clean markup in which images that say neither say their width and height, where `measure` knows them.
pub(super) fn with_sizes(html: &str, measure: &dyn Fn(&str) -> Option<(u32, u32)>) -> Option<String> {
    if !html.contains("<img") {
        return None;
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut in_picture = false;
    for token in markup::tokens(html) {
        let tag = match token {
            Token::Start(tag) => tag,
            Token::End(name) => {
                in_picture &= name != "picture";
                continue;
            }
            Token::Text(_) => continue,
        };
        in_picture |= tag.name == "picture";
        // Of several files to choose from, the size of one would hold the others to it.
        if tag.name != "img"
            || in_picture
            || ["width", "height", "srcset"].iter().any(|name| tag.attribute(name).is_some())
        {
            continue;
        }
        let Some((width, height)) = tag.attribute("src").and_then(|source| measure(&source)) else { continue };
        let end = tag.source.as_ptr() as usize - html.as_ptr() as usize + tag.source.len() - 1;
        out.push_str(&html[copied..end]);
        let _ = write!(out, " width=\"{width}\" height=\"{height}\"");
        copied = end;
    }
    (copied > 0).then(|| out + &html[copied..])
}
