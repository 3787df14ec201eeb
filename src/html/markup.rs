//! Walks markup that an HTML serialiser wrote. On other input it still ends, in linear time, but promises nothing:
//! whatever is made from such a walk goes through the sanitiser again.

use std::borrow::Cow;

/// A piece of markup. Text and attribute values are as written, still escaped.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    Start(Tag<'a>),
    End(&'a str),
}

/// A start tag.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) source: &'a str,
}

impl<'a> Tag<'a> {
    /// The value of an attribute, unescaped; `Some("")` where it stands without one.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.attributes().find(|(key, _)| *key == name).map(|(_, value)| unescape(value).into_owned())
    }

    /// Attributes as written, in order.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.source.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
        rest = rest.strip_prefix(self.name).unwrap_or(rest);
        std::iter::from_fn(move || {
            rest = rest.trim_start();
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let Some(value) = after.strip_prefix('=') else {
                rest = after;
                return Some((name, ""));
            };
            let quoted = value.strip_prefix('"').and_then(|v| v.split_once('"'));
            let (value, after) = quoted.unwrap_or_else(|| {
                value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len()))
            });
            rest = after;
            Some((name, value))
        })
    }
}

/// The tokens of `markup`.
pub(super) fn tokens(markup: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = markup;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let Some(tag) = rest.strip_prefix('<') else {
                let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
                rest = after;
                return Some(Token::Text(text));
            };
            let Some(end) = end_of_tag(tag) else {
                rest = "";
                return None;
            };
            let source = &rest[..end + 2];
            rest = &rest[end + 2..];
            let inside = &tag[..end];
            let closing = inside.strip_prefix('/');
            let name = closing.unwrap_or(inside);
            let name = &name[..name.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(name.len())];
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            return Some(match closing {
                Some(_) => Token::End(name),
                None => Token::Start(Tag { name, source }),
            });
        }
    })
}

/// Where the `>` of a tag stands, past quoted values.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    })
}

/// Elements without an end tag.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Undoes what a serialiser escapes.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let known =
            [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&nbsp;", '\u{a0}'), ("&#39;", '\'')];
        let (len, character) = known
            .iter()
            .find(|(entity, _)| rest.starts_with(entity))
            .map_or((1, '&'), |(entity, character)| (entity.len(), *character));
        plain.push(character);
        rest = &rest[len..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Text or an attribute's value as markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // As the standard serialises it.
            '\u{a0}' => escaped.push_str("&nbsp;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serialised_fragment_is_walked() {
        let markup = r#"<a title="a > b &amp; c" href="x">t &lt;</a><br>"#;
        let all: Vec<_> = tokens(markup).collect();
        assert_eq!(all.len(), 4);
        let Token::Start(tag) = &all[0] else { panic!("{all:?}") };
        assert_eq!(tag.attribute("title").as_deref(), Some("a > b & c"));
        assert_eq!(tag.attribute("href").as_deref(), Some("x"));
        assert_eq!(tag.attribute("id"), None);
        assert_eq!(all[1], Token::Text("t &lt;"));
        assert_eq!(all[2], Token::End("a"));
    }

    #[test]
    fn broken_markup_ends() {
        for markup in ["<", "<a", "<a href=\"x>", "< b", "<>", "</>", "a<b c='>'"] {
            tokens(markup).count();
        }
    }
}
