//! Zola's shortcodes by its own grammar (`content.pest`: parentheses and names of arguments are required), the ones it
//! brought along, and its links to files (`@/…`). What does not fit the grammar is text, as it is to Zola.

use super::tags::{Argument, Budget, Code, Item, Role, Tag};
use super::{Ledger, Made, markup, themes};
use std::borrow::Cow;

/// Lists in lists.
const MAX_LISTS: usize = 16;
const BROKEN: &str = "complete it, or write `{{/* name() */}}` if it is meant literally";

/// Cuts a text into tags and the rest. Zola runs shortcodes in code as well.
pub(super) fn items<'s>(text: &'s str, code: &mut Code) -> Vec<Item<'s>> {
    let mut items = Vec::new();
    let mut budget = Budget::of(text);
    let mut escaped_ends = Vec::new();
    let mut at = 0;
    let mut copied = 0;
    if text.contains("{%/*") {
        escaped_ends
            .extend(text.match_indices("{%/*").filter_map(|(start, _)| Some((start, escaped_end(text, start)?))));
    }
    let mut escaped_ends = escaped_ends.into_iter().peekable();
    while let Some(start) = text[at..].find('{').map(|found| at + found) {
        let close = match text.as_bytes().get(start + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                at = start + 1;
                continue;
            }
        };
        let rest = &text[start..];
        if rest[2..].starts_with("/*") && budget.is_left() {
            let literal = match Call::read(text, start + 4, &format!("*/{close}")) {
                Ok(call) => Some((format!("{}{}{close}", &rest[..2], &text[start + 4..call.end - 4]), call.end)),
                Err(stopped) => {
                    budget.spend(stopped - start);
                    escaped_end(text, start).map(|end| ("{% end %}".to_owned(), end))
                }
            };
            if let Some((mut literal, mut end)) = literal {
                if copied < start {
                    items.push(Item::Text(copied..start));
                }
                if close == "%}" {
                    // All up to the escaped end is text.
                    while escaped_ends.next_if(|(place, _)| *place < end).is_some() {}
                    if let Some((place, after)) = escaped_ends.next().filter(|_| literal != "{% end %}") {
                        literal.push_str(&text[end..place]);
                        literal.push_str("{% end %}");
                        end = after;
                    }
                }
                items.push(Item::Literal { text: literal, start });
                at = end;
                copied = end;
                continue;
            }
        }
        let tag = if budget.is_left() { tag(text, start, close) } else { Err(start) };
        match tag {
            Ok(tag) => {
                if copied < start {
                    items.push(Item::Text(copied..start));
                }
                at = tag.end;
                copied = tag.end;
                items.push(Item::Tag(tag));
            }
            Err(stopped) => {
                budget.spend(stopped - start);
                at = start + 1;
                if let Some(name) = meant(rest)
                    && !code.holds(start)
                {
                    if copied < start {
                        items.push(Item::Text(copied..start));
                    }
                    let what = match super::shortened(name) {
                        name if name.is_empty() => "`{%` begins no shortcode".to_owned(),
                        name => format!("`{} {name}` begins no complete shortcode", &rest[..2]),
                    };
                    items.push(Item::Broken { what, help: BROKEN, start });
                    items.push(Item::Literal { text: "&#123;".to_owned(), start });
                    copied = at;
                }
            }
        }
    }
    if copied < text.len() {
        items.push(Item::Text(copied..text.len()));
    }
    items
}

/// What looks like a tag to a reader: `{%`, or `{{ name(`. Its name.
fn meant(rest: &str) -> Option<&str> {
    let inside = rest[2..].trim_start();
    let name = &inside[..name_length(inside)];
    (rest.starts_with("{%") || !name.is_empty() && inside[name.len()..].trim_start().starts_with('(')).then_some(name)
}

/// The end of `{%/* end */%}`.
fn escaped_end(text: &str, start: usize) -> Option<usize> {
    let rest = text[start..].strip_prefix("{%/*")?.trim_start().strip_prefix("end")?;
    let rest = rest.trim_start().strip_prefix("*/%}")?;
    Some(text.len() - rest.len())
}

fn tag<'s>(text: &'s str, start: usize, close: &str) -> Result<Tag<'s>, usize> {
    let rest = text[start + 2..].trim_start();
    if close == "%}"
        && let Some(after) = rest.strip_prefix("end")
        && let Some(after) = after.trim_start().strip_prefix("%}")
    {
        let end = text.len() - after.len();
        return Ok(Tag { name: "end", key: "", arguments: Vec::new(), role: Role::Close, start, end });
    }
    let call = Call::read(text, start + 2, close)?;
    let role = if close == "%}" { Role::Open } else { Role::Whole };
    Ok(Tag { name: call.name, key: "", arguments: call.arguments, role, start, end: call.end })
}

fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// `name(argument=value, …)` up to what closes the tag.
struct Call<'s> {
    name: &'s str,
    arguments: Vec<Argument>,
    end: usize,
}

impl<'s> Call<'s> {
    /// Reads one, or tells where it stops being one.
    fn read(text: &'s str, at: usize, close: &str) -> Result<Self, usize> {
        let mut cursor = Cursor { text, at };
        let name = cursor.name()?;
        cursor.expect("(")?;
        let mut arguments = Vec::new();
        while !cursor.accepts(")") {
            if !arguments.is_empty() {
                cursor.expect(",")?;
            }
            let name = cursor.name()?;
            cursor.expect("=")?;
            let before = arguments.len();
            cursor.values(name, &mut arguments, 0)?;
            if arguments.len() == before {
                arguments.push(Argument { name: Some(name.to_owned()), value: String::new() });
            }
        }
        cursor.expect(close)?;
        Ok(Call { name, arguments, end: cursor.at })
    }
}

struct Cursor<'s> {
    text: &'s str,
    at: usize,
}

impl<'s> Cursor<'s> {
    fn rest(&mut self) -> &'s str {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\r', '\n']);
        self.at = self.text.len() - rest.len();
        rest
    }

    fn accepts(&mut self, word: &str) -> bool {
        let accepted = self.rest().starts_with(word);
        self.at += if accepted { word.len() } else { 0 };
        accepted
    }

    fn expect(&mut self, word: &str) -> Result<(), usize> {
        if self.accepts(word) { Ok(()) } else { Err(self.at) }
    }

    fn name(&mut self) -> Result<&'s str, usize> {
        let rest = self.rest();
        let length = name_length(rest);
        self.at += length;
        if length > 0 { Ok(&rest[..length]) } else { Err(self.at) }
    }

    /// A value, or all of a list.
    fn values(&mut self, name: &str, arguments: &mut Vec<Argument>, depth: usize) -> Result<(), usize> {
        let rest = self.rest();
        let value = match rest.as_bytes().first() {
            Some(quote @ (b'"' | b'\'' | b'`')) => {
                let length = rest[1..].find(char::from(*quote)).ok_or(self.text.len())?;
                self.at += length + 2;
                &rest[1..=length]
            }
            Some(b'[') if depth < MAX_LISTS => {
                self.at += 1;
                while !self.accepts("]") {
                    self.values(name, arguments, depth + 1)?;
                    if !self.accepts(",") {
                        self.expect("]")?;
                        break;
                    }
                }
                return Ok(());
            }
            _ => {
                let length =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(rest.len());
                let value = &rest[..length];
                if !matches!(value, "true" | "false") && value.parse::<f64>().is_err() {
                    return Err(self.at);
                }
                self.at += length;
                value
            }
        };
        arguments.push(Argument { name: Some(name.to_owned()), value: value.to_owned() });
        Ok(())
    }
}

pub(super) fn make(tag: &Tag<'_>, inner: Option<&str>) -> Made {
    match tag.name {
        "gist" => match tag.named(&["url", "id"]) {
            Some(url) => Made::Block(markup::gist(url, tag.named(&["file"]))),
            None => Made::Unknown,
        },
        "streamable" => match tag.named(&["id"]) {
            Some(id) => Made::Block(markup::link_block(&format!("https://streamable.com/{id}"), "Video on Streamable")),
            None => Made::Unknown,
        },
        _ => themes::make(tag, inner),
    }
}

/// Leads links to files of the content folder to the pages that are made of them: in inline links, definitions of
/// references, autolinks and attributes, outside code. The text begins at `offset`.
pub(super) fn with_links<'t>(text: &'t str, offset: usize, code: &mut Code, ledger: &mut Ledger<'_>) -> Cow<'t, str> {
    if !text.contains("@/") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices("@/") {
        let before = &text[copied.min(at)..at];
        let open = before.strip_suffix('<').unwrap_or(before);
        let spaceless = open.trim_end_matches([' ', '\t']);
        let is_link = open.ends_with("](")
            || spaceless.ends_with("]:")
            || ["href=\"", "href='", "src=\"", "src='"].iter().any(|attribute| before.ends_with(attribute));
        let is_autolink = open.len() < before.len() && !is_link;
        if at < copied || !(is_link || is_autolink) || code.holds(offset + at) {
            continue;
        }
        let end = text[at..].find([')', '>', '"', '\'', ' ', '\t', '\r', '\n']).map_or(text.len(), |end| at + end);
        if is_autolink && !text[end..].starts_with('>') {
            continue;
        }
        let reference = &text[at..end];
        let url = ledger.resolve(offset + at, reference);
        if is_autolink {
            let file = reference.split('#').next().unwrap_or(reference);
            let name = (ledger.facts.title_of)(file).unwrap_or_else(|| reference.trim_start_matches("@/").to_owned());
            out.push_str(&text[copied..at - 1]);
            out.push_str(&markup::link(&url, &name));
            copied = end + 1;
        } else {
            out.push_str(&text[copied..at]);
            out.push_str(&markup::address(&url));
            copied = end;
        }
    }
    out.push_str(&text[copied..]);
    out.into()
}
