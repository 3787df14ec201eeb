//! Shortcodes that no generator brings along and that many themes define under the same names.

use super::markup::{self, Figure};
use super::tags::Tag;
use super::{Body, Made};

/// Boxes around text: what they hold is all there is to say.
const BOXES: &[&str] = &[
    "admonition",
    "alert",
    "aside",
    "attention",
    "box",
    "callout",
    "caution",
    "center",
    "column",
    "columns",
    "cq",
    "danger",
    "error",
    "hint",
    "important",
    "info",
    "lead",
    "message",
    "note",
    "notice",
    "panel",
    "question",
    "success",
    "tab",
    "tabs",
    "tip",
    "warn",
    "warning",
];

/// How themes call the address of a picture.
const SOURCES: &[&str] = &["src", "url", "image", "img", "href", "path", "file"];

pub(super) fn body(tag: &Tag<'_>) -> Body {
    match tag.name {
        "highlight" | "mermaid" | "rawhtml" | "raw" | "raw-html" | "raw_html" | "html" | "unsafe" | "unsafehtml" => {
            Body::Verbatim
        }
        "figure" | "details" | "quote" | "blockquote" => Body::Wrapped,
        _ if is_picture(tag) => Body::Wrapped,
        name if BOXES.contains(&name.to_ascii_lowercase().as_str()) => Body::Stays,
        _ => Body::Unknown,
    }
}

pub(super) fn make(tag: &Tag<'_>, inner: Option<&str>) -> Made {
    match (tag.name, inner) {
        ("figure", _) => Made::Block(figure(tag, inner).html()),
        ("highlight", Some(code)) => {
            Made::Block(markup::code(tag.value(&["lang", "language"], 0).unwrap_or_default(), code))
        }
        ("mermaid", Some(code)) => Made::Block(markup::code("mermaid", code)),
        ("rawhtml" | "raw" | "raw-html" | "raw_html" | "html" | "unsafe" | "unsafehtml", Some(html)) => {
            Made::Raw(html.to_owned())
        }
        ("details", Some(_)) => {
            let open = tag.named(&["open"]).is_some_and(|open| matches!(open, "true" | "1"));
            let (before, after) = markup::details(tag.value(&["summary", "title"], 0), open);
            Made::Around(before, after)
        }
        ("quote" | "blockquote", Some(_)) => {
            let author = tag.named(&["author", "by", "name"]);
            let source = tag.named(&["source", "title"]);
            let (before, after) = markup::quotation(author, source, tag.named(&["link", "url", "href"]));
            Made::Around(before, after)
        }
        ("youtube", _) => video(tag, markup::youtube),
        ("vimeo", _) => video(tag, markup::vimeo),
        ("audio" | "video", None) => match tag.value(&["src", "url", "path", "mp4", "mp3", "webm"], 0) {
            Some(src) => {
                Made::Block(format!("<p><{0} controls src=\"{1}\"></{0}></p>", tag.name, markup::address(src)))
            }
            None => Made::Unknown,
        },
        _ if is_picture(tag) => Made::Block(figure(tag, inner).html()),
        _ => Made::Unknown,
    }
}

fn is_picture(tag: &Tag<'_>) -> bool {
    let name = tag.name.to_ascii_lowercase();
    ["img", "image", "figure", "picture", "photo"].iter().any(|word| name.contains(word))
        && tag.named(SOURCES).is_some()
}

fn figure<'a>(tag: &'a Tag<'_>, inner: Option<&'a str>) -> Figure<'a> {
    Figure {
        src: tag.value(SOURCES, 0),
        link: tag.named(&["link"]),
        target: tag.named(&["target"]),
        rel: tag.named(&["rel"]),
        alt: tag.named(&["alt"]),
        title: tag.named(&["title"]),
        caption: tag.named(&["caption"]).or(inner.map(str::trim).filter(|inner| !inner.is_empty())),
        attr: tag.named(&["attr"]),
        attrlink: tag.named(&["attrlink"]),
        class: tag.named(&["class"]),
        width: tag.named(&["width"]),
        height: tag.named(&["height"]),
    }
}

fn video(tag: &Tag<'_>, make: fn(&str, Option<&str>) -> String) -> Made {
    match tag.value(&["id"], 0) {
        Some(id) => Made::Block(make(id, tag.named(&["title"]))),
        None => Made::Unknown,
    }
}
