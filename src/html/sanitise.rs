//! The allow-list. Everything a post may hold in a feed stands here; what is not named is dropped, what it contained stays
//! (scripts, styles and vector graphics go with their content). Every URL that is left is absolute.

use super::CleanHtml;
use super::markup::{self, Token};
use ammonia::Builder;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use url::Url;

/// Tags that may stay, beside those of MathML.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "article",
    "aside",
    "audio",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "ol",
    "p",
    "picture",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
];

const MATH: &[&str] = &[
    "math",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "mrow",
    "mfrac",
    "msqrt",
    "mroot",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mtable",
    "mtr",
    "mtd",
    "mspace",
    "mpadded",
    "mphantom",
    "mstyle",
    "semantics",
    "annotation",
];

/// Their content means nothing to a reader without them.
const DROPPED_WHOLE: &[&str] = &["script", "style", "noscript", "template", "select", "textarea", "svg", "title"];

const EVERYWHERE: &[&str] = &["class", "id", "dir", "lang", "title"];

const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href", "hreflang", "rel", "type"]),
    ("audio", &["src", "controls", "loop", "muted", "preload"]),
    ("blockquote", &["cite"]),
    ("col", &["span", "align"]),
    ("colgroup", &["span", "align"]),
    ("data", &["value"]),
    ("del", &["cite", "datetime"]),
    ("details", &["open"]),
    ("hr", &["align"]),
    ("img", &["src", "srcset", "sizes", "alt", "width", "height", "align", "longdesc", "loading"]),
    ("ins", &["cite", "datetime"]),
    ("li", &["value"]),
    ("math", &["display", "xmlns"]),
    ("mo", &["stretchy", "fence", "separator"]),
    ("annotation", &["encoding"]),
    ("ol", &["start", "reversed", "type"]),
    ("p", &["align"]),
    ("q", &["cite"]),
    ("source", &["src", "srcset", "sizes", "type", "media"]),
    ("table", &["align"]),
    ("td", &["colspan", "rowspan", "headers", "align"]),
    ("th", &["colspan", "rowspan", "headers", "align", "scope", "abbr"]),
    ("time", &["datetime"]),
    ("track", &["src", "kind", "label", "srclang"]),
    ("video", &["src", "poster", "controls", "loop", "muted", "preload", "width", "height"]),
];

const SCHEMES: &[&str] = &[
    "http", "https", "mailto", "tel", "sms", "ftp", "ftps", "gemini", "geo", "irc", "ircs", "magnet", "matrix", "news",
    "nntp", "sip", "ssh", "webcal", "xmpp",
];

/// Nobody nests so deep; the parser's work grows with depth times length.
const MAX_DEPTH: usize = 200;

/// Sanitises what a post's author wrote and makes every URL absolute against `base`, the post's own. A frame, an object
/// or an embedded player becomes a link to what it shows.
pub fn clean(html: &str, base: &Url) -> CleanHtml {
    let html: Cow<'_, str> =
        if html.chars().any(is_forbidden) { Cow::Owned(without_forbidden(html)) } else { html.into() };
    let html = without_noscript(&flatten(&html)).into_owned();
    let html = if needs_repair(&html) { repair(&gatekeeper(base, true).clean(&html).to_string()) } else { html };
    let cleaned = gatekeeper(base, false).clean(&html).to_string();
    // Once more: `&#8;` is a control character only after parsing.
    CleanHtml(if cleaned.chars().any(is_forbidden) { without_forbidden(&cleaned) } else { cleaned })
}

/// The configured sanitiser. With `embeds`, frames and lazy images pass as well, for [`repair`] to see.
fn gatekeeper(base: &Url, embeds: bool) -> Builder<'static> {
    let mut tags: HashSet<&str> = TAGS.iter().chain(MATH).copied().collect();
    let mut attributes: HashMap<&str, HashSet<&str>> =
        ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect();
    if embeds {
        tags.extend(["iframe", "object", "embed"]);
        attributes.insert("iframe", ["src", "data-src"].into());
        attributes.insert("embed", ["src"].into());
        attributes.insert("object", ["data"].into());
        attributes.entry("img").or_default().extend(["data-src", "data-original", "data-lazy-src", "data-srcset"]);
    }
    let base = base.clone();
    let mut builder = Builder::empty();
    builder
        .tags(tags)
        .clean_content_tags(DROPPED_WHOLE.iter().copied().collect())
        .generic_attributes(EVERYWHERE.iter().copied().collect())
        .tag_attributes(attributes)
        .url_schemes(SCHEMES.iter().copied().collect())
        .url_relative(ammonia::UrlRelative::PassThrough)
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(move |_, name, value| match name {
            "href" | "src" | "poster" | "cite" | "longdesc" | "data" | "data-src" | "data-original"
            | "data-lazy-src" => absolute(value, &base).map(Cow::Owned),
            "srcset" | "data-srcset" => absolute_set(value, &base).map(Cow::Owned),
            _ => Some(Cow::Borrowed(value)),
        });
    builder
}

/// `value` as an absolute URL of a harmless scheme.
fn absolute(value: &str, base: &Url) -> Option<String> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    let url = base.join(value).ok()?;
    SCHEMES.contains(&url.scheme()).then(|| url.to_string())
}

/// A `srcset` (HTML, section 4.8.4.2.2) with absolute URLs; candidates that are no pictures of ours to name are left out.
fn absolute_set(value: &str, base: &Url) -> Option<String> {
    let mut set = String::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            break;
        }
        let (url, after) = rest.split_at(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()));
        let bare = url.trim_end_matches(',');
        let descriptor = if bare.len() < url.len() {
            rest = after;
            ""
        } else {
            let (descriptor, after) = after.split_at(after.find(',').unwrap_or(after.len()));
            rest = after;
            descriptor.trim()
        };
        if let Some(url) = absolute(bare, base) {
            let comma = if set.is_empty() { "" } else { ", " };
            // A comma at the end of a URL would end the candidate.
            let url = url.replace(',', "%2C");
            let space = if descriptor.is_empty() { "" } else { " " };
            let _ = write!(set, "{comma}{url}{space}{descriptor}");
        }
    }
    (!set.is_empty()).then_some(set)
}

/// What XML 1.0 (section 2.2) cannot hold, and the C1 controls, which nobody means.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

fn without_forbidden(text: &str) -> String {
    text.chars().filter(|c| !is_forbidden(*c)).collect()
}

/// What stands for a script speaks to our readers, who have none: its tags go, for the parser would take it for text. Beside
/// lazy images, which are repaired, it would show them twice.
fn without_noscript(html: &str) -> Cow<'_, str> {
    let lower = html.to_ascii_lowercase();
    if !lower.contains("<noscript") || lower.contains("data-src") {
        return html.into();
    }
    let mut out = String::with_capacity(html.len());
    let mut at = 0;
    while let Some(start) = lower[at..].find("noscript").map(|found| at + found) {
        let before = html[at..start].strip_suffix("</").or_else(|| html[at..start].strip_suffix('<'));
        match (before, lower[start..].find('>')) {
            (Some(before), Some(end)) => {
                out.push_str(before);
                at = start + end + 1;
            }
            (None, Some(_)) => {
                let end = start + "noscript".len();
                out.push_str(&html[at..end]);
                at = end;
            }
            (_, None) => break,
        }
    }
    out.push_str(&html[at..]);
    out.into()
}

fn needs_repair(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    ["<iframe", "<object", "<embed", "data-src", "data-original", "data-lazy-src"]
        .iter()
        .any(|sign| lower.contains(sign))
}

/// Turns frames, objects and players into links, and gives lazy images the source that a script would give them.
fn repair(html: &str) -> String {
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
                "img" => {
                    let lazy =
                        ["data-src", "data-lazy-src", "data-original"].iter().find_map(|name| tag.attribute(name));
                    out.push_str("<img");
                    for (name, value) in tag.attributes() {
                        // Beside a lazy source, `src` is at best a placeholder.
                        if !(name == "src" && lazy.is_some()
                            || name == "srcset" && tag.attribute("data-srcset").is_some())
                        {
                            let name = if name == "data-srcset" { "srcset" } else { name };
                            let _ = write!(out, " {name}=\"{value}\"");
                        }
                    }
                    if let Some(lazy) = lazy {
                        let _ = write!(out, " src=\"{}\"", markup::escape(&lazy));
                    }
                    out.push('>');
                }
                _ => out.push_str(tag.source),
            },
        }
    }
    out
}

/// A link to what a frame shows, named by its title, else by its address.
fn link_to(target: &str, title: Option<String>) -> String {
    let target = watch_page(target);
    let name = title.filter(|title| !title.trim().is_empty());
    let name = name.unwrap_or_else(|| short(&target));
    format!("<a href=\"{}\">{}</a>", markup::escape(&target), markup::escape(&name))
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

/// A player's address shows a bare player, or nothing outside a frame: the page around it is what a reader wants.
fn watch_page(target: &str) -> Cow<'_, str> {
    let Ok(url) = Url::parse(target) else { return target.into() };
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    match url.host_str().unwrap_or_default().trim_start_matches("www.") {
        "youtube.com" | "youtube-nocookie.com" if url.path().starts_with("/embed/") && last != "videoseries" => {
            format!("https://www.youtube.com/watch?v={last}").into()
        }
        "player.vimeo.com" if url.path().starts_with("/video/") => format!("https://vimeo.com/{last}").into(),
        _ => target.into(),
    }
}

/// Drops start tags beyond [`MAX_DEPTH`], counted roughly: the parser that follows is quadratic in it.
fn flatten(html: &str) -> Cow<'_, str> {
    if html.bytes().filter(|b| *b == b'<').count() <= MAX_DEPTH {
        return Cow::Borrowed(html);
    }
    let mut depth = 0_usize;
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = html[at..].find('<') {
        let start = at + found;
        let rest = &html[start + 1..];
        at = start + 1;
        let closing = rest.starts_with('/');
        let name = rest.trim_start_matches('/');
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
        if name.is_empty() || name.len() > 16 {
            continue;
        }
        let name = name.to_ascii_lowercase();
        // These close each other, or never open.
        if markup::is_void(&name)
            || matches!(&*name, "p" | "li" | "dt" | "dd" | "td" | "th" | "tr" | "tbody" | "option")
        {
            continue;
        }
        if closing {
            depth = depth.saturating_sub(1);
            continue;
        }
        depth += 1;
        if depth > MAX_DEPTH {
            depth -= 1;
            out.push_str(&html[copied..start]);
            at = rest.find('>').map_or(html.len(), |end| start + 1 + end + 1);
            copied = at;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(html);
    }
    out.push_str(&html[copied..]);
    Cow::Owned(out)
}
