//! HTML between Markdown, as kramdown finds it: an element is a block from its start tag to its own end tag, blank lines and
//! all, and its text is not Markdown unless `markdown="1"` says so.

use std::collections::HashSet;

/// Tags that begin no block (kramdown's `HTML_SPAN_ELEMENTS`).
const SPANS: &[&str] = &[
    "a", "abbr", "acronym", "b", "big", "bdo", "br", "button", "cite", "code", "del", "dfn", "em", "i", "img", "input",
    "ins", "kbd", "label", "mark", "option", "q", "rb", "rbc", "rp", "rt", "rtc", "ruby", "samp", "select", "small",
    "span", "strong", "sub", "sup", "tt", "u", "var",
];
/// Elements that have no end tag.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "command", "embed", "hr", "img", "input", "keygen", "link", "meta", "param", "source",
    "track", "wbr",
];
/// Elements whose Markdown is one paragraph's (`HTML_CONTENT_MODEL_SPAN`).
const ONE_LINE: &[&str] = &[
    "a", "abbr", "b", "bdo", "big", "caption", "cite", "del", "dfn", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "i", "ins", "legend", "p", "q", "small", "span", "strong", "sub", "sup", "th", "tt",
];
/// Elements whose text is Markdown where they stand among text (`HTML_CONTENT_MODEL_SPAN` and `…_BLOCK`). Of all others it is
/// not, so of `code`, but also of `s` and `mark`.
const MARKDOWN: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "bdo",
    "big",
    "button",
    "cite",
    "caption",
    "del",
    "dfn",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "i",
    "ins",
    "label",
    "legend",
    "optgroup",
    "p",
    "q",
    "rb",
    "rbc",
    "rp",
    "rt",
    "rtc",
    "ruby",
    "select",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "th",
    "tt",
    "address",
    "applet",
    "article",
    "aside",
    "blockquote",
    "body",
    "dd",
    "details",
    "div",
    "dl",
    "fieldset",
    "figure",
    "figcaption",
    "footer",
    "form",
    "header",
    "hgroup",
    "iframe",
    "li",
    "main",
    "map",
    "menu",
    "nav",
    "noscript",
    "object",
    "section",
    "summary",
    "td",
];

/// The name of the element that a tag among text opens, if its text is no Markdown.
pub(in crate::post) fn opens_raw(tag: &str) -> Option<String> {
    let tag = Tag::at(tag)?;
    (!tag.empty && !MARKDOWN.contains(&&*tag.name)).then_some(tag.name)
}

/// A longer tag is none.
const MAX_TAG: usize = 4096;

/// A start tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// In lower case.
    pub(super) name: String,
    /// How long it is.
    pub(super) length: usize,
    /// `<x/>`, or an element that is always empty.
    pub(super) empty: bool,
}

impl Tag {
    /// The tag at the head of `text`.
    pub(super) fn at(text: &str) -> Option<Tag> {
        let rest = text.strip_prefix('<')?;
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let name = &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')))?];
        let after = rest[name.len()..].chars().next()?;
        if !(after.is_whitespace() || matches!(after, '>' | '/')) || rest[name.len()..].starts_with("//") {
            return None;
        }
        let mut quote = None;
        let end = text.char_indices().take_while(|(at, _)| *at < MAX_TAG).find(|(_, c)| match quote {
            Some(open) => {
                if *c == open {
                    quote = None;
                }
                false
            }
            None => {
                if matches!(c, '"' | '\'') {
                    quote = Some(*c);
                }
                *c == '>'
            }
        });
        let (end, _) = end?;
        let name = name.to_ascii_lowercase();
        let empty = text[..end].ends_with('/') || VOID.contains(&&*name);
        Some(Tag { length: end + 1, empty, name })
    }

    /// Whether it begins a block.
    pub(super) fn is_block(&self) -> bool {
        !SPANS.contains(&&*self.name)
    }

    /// Whether what it encloses is one paragraph's text where it is Markdown at all.
    pub(super) fn is_one_line(&self) -> bool {
        ONE_LINE.contains(&&*self.name)
    }
}

/// How Markdown is to be read inside an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Blocks,
    Spans,
    /// As it is.
    Text,
}

/// The source of a start tag without its `markdown` attribute, and what that said.
pub(super) fn markdown_attribute(tag: &str, is_one_line: bool) -> (String, Option<Inside>) {
    let lower = tag.to_ascii_lowercase();
    let Some(at) = lower.find("markdown").filter(|at| lower[..*at].ends_with(char::is_whitespace)) else {
        return (tag.to_owned(), None);
    };
    let rest = &tag[at + "markdown".len()..];
    let Some(value) = rest.trim_start().strip_prefix('=') else { return (tag.to_owned(), None) };
    let value = value.trim_start();
    let end = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
        _ => value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len()),
    };
    let said = value[..end].trim_matches(['"', '\'']);
    let inside = match said.to_ascii_lowercase().as_str() {
        "1" => Some(if is_one_line { Inside::Spans } else { Inside::Blocks }),
        "block" => Some(Inside::Blocks),
        "span" => Some(Inside::Spans),
        _ => Some(Inside::Text),
    };
    (format!("{}{}", tag[..at].trim_end(), &value[end..]), inside)
}

/// Finds ends. A name that was once searched in vain is not searched again: many unclosed tags cost no more than one.
#[derive(Debug, Default)]
pub(super) struct Ends {
    absent: HashSet<String>,
}

impl Ends {
    /// Where the element that was opened before `text` ends: before and behind its end tag.
    pub(super) fn of(&mut self, name: &str, text: &str) -> Option<(usize, usize)> {
        if self.absent.contains(name) {
            return None;
        }
        let raw = matches!(name, "script" | "style");
        let mut depth = 1_usize;
        let mut at = 0;
        while let Some(found) = text[at..].find('<').map(|found| at + found) {
            at = found + 1;
            let rest = &text[at..];
            let closing = rest.starts_with('/');
            let rest = rest.trim_start_matches('/');
            let same = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && rest[name.len()..].starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
            if !same {
                continue;
            }
            if closing {
                depth -= 1;
                if depth == 0 {
                    let end = rest.find('>').map(|end| text.len() - rest.len() + end + 1);
                    return end.map(|end| (found, end));
                }
            } else if !raw {
                depth += 1;
            }
        }
        self.absent.insert(name.to_owned());
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let tag = Tag::at("<div class='a>b'>x").expect("a tag");
        assert_eq!((&*tag.name, tag.length, tag.empty, tag.is_block()), ("div", 17, false, true));
        assert!(Tag::at("<hr/>").is_some_and(|tag| tag.empty));
        assert!(Tag::at("<span>").is_some_and(|tag| !tag.is_block()));
        for other in ["<https://x>", "<a@b.c>", "< a>", "</a>", "<a", "<!-- a -->"] {
            assert_eq!(Tag::at(other), None, "{other}");
        }
    }

    #[test]
    fn ends_are_those_of_the_element_itself() {
        let mut ends = Ends::default();
        assert_eq!(ends.of("div", "a<div>b</div>c</DIV >d"), Some((14, 21)));
        assert_eq!(ends.of("div", "<div></div>"), None);
        assert_eq!(ends.of("div", "</div>"), None, "not searched again");
    }

    #[test]
    fn the_attribute_is_taken_out() {
        assert_eq!(markdown_attribute("<div markdown=\"1\">", false), ("<div>".into(), Some(Inside::Blocks)));
        assert_eq!(
            markdown_attribute("<p id=x markdown=1 class=y>", true),
            ("<p id=x class=y>".into(), Some(Inside::Spans))
        );
        assert_eq!(markdown_attribute("<div markdown='0'>", false), ("<div>".into(), Some(Inside::Text)));
        assert_eq!(markdown_attribute("<div>", false), ("<div>".into(), None));
    }
}
