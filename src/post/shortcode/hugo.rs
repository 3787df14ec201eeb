//! Hugo's shortcodes: the syntax of its lexer (`parser/pageparser`), and the ones that it brings along (checked against
//! 0.111.3), with those that many sites define alike.

use super::markup;
use super::tags::{Argument, Budget, Ends, Item, Role, Tag};
use super::{Body, Ledger, Made, themes};
use crate::post::front_matter::Yaml;

const BROKEN: &str = "close it, or write `{{</* name */>}}` if it is meant literally";

/// Cuts a text into tags and the rest. Hugo runs shortcodes in code as well.
pub(super) fn items(text: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut budget = Budget::of(text);
    let mut ends = [Ends::new(text, ">}}"), Ends::new(text, "%}}")];
    let mut comments = Ends::new(text, "*/");
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|found| at + found) {
        let inside = start + 3;
        let (close, ends) = match text.as_bytes().get(start + 2) {
            Some(b'<') => (">}}", &mut ends[0]),
            Some(b'%') => ("%}}", &mut ends[1]),
            _ => {
                at = start + 1;
                continue;
            }
        };
        if copied < start {
            items.push(Item::Text(copied..start));
        }
        let item_end;
        if text[inside..].starts_with("/*") {
            if let Some(end) = comments.after(inside + 2) {
                let written = &text[inside + 2..end];
                let closes = text[end + 2..].starts_with(close);
                if !written.trim().is_empty() {
                    let tail = if closes { close } else { "" };
                    let text = format!("{}{written}{tail}", &text[start..inside]);
                    items.push(Item::Literal { text, start });
                }
                item_end = end + 2 + if closes { close.len() } else { 0 };
            } else {
                items.push(broken("/*", start));
                item_end = inside + 2;
            }
        } else {
            let end = ends.after(inside);
            let tag = end.filter(|_| budget.is_left()).map(|_| tag(text, start, close));
            match (tag, end) {
                (Some(Ok(tag)), _) => {
                    item_end = tag.end;
                    items.push(Item::Tag(tag));
                }
                (Some(Err(stopped)), Some(end)) => {
                    budget.spend(stopped - start);
                    let what = &text[inside..end];
                    items.push(broken(what, start));
                    // What is one line goes as a whole; else only what opens it.
                    item_end =
                        if what.len() < 1024 && !what.contains(['\n', '{']) { end + close.len() } else { inside };
                }
                _ => {
                    items.push(broken("", start));
                    item_end = inside;
                }
            }
        }
        at = item_end;
        copied = item_end;
    }
    if copied < text.len() {
        items.push(Item::Text(copied..text.len()));
    }
    items
}

/// Names it by the first word of what is inside.
fn broken(inside: &str, start: usize) -> Item<'static> {
    let inside = super::shortened(inside.trim_start());
    let what = match inside.split_whitespace().next().unwrap_or_default() {
        "" => "A shortcode is not closed or not complete".to_owned(),
        name => format!("The shortcode `{name}` is not closed or not complete"),
    };
    Item::Broken { what, help: BROKEN, start }
}

/// Reads the tag that begins at `start`, or tells where it stops being one.
fn tag<'s>(text: &'s str, start: usize, close: &str) -> Result<Tag<'s>, usize> {
    let mut at = start + 3;
    skip_blanks(text, &mut at);
    let closing = text[at..].starts_with('/');
    if closing {
        at += 1;
        skip_blanks(text, &mut at);
    }
    let rest = &text[at..];
    let length =
        rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))).unwrap_or(rest.len());
    // `{{< name/>}}` closes itself.
    let name = rest[..length].trim_end_matches('/');
    if name.is_empty() {
        return Err(at);
    }
    at += name.len();
    let mut arguments = Vec::new();
    loop {
        skip_blanks(text, &mut at);
        let rest = &text[at..];
        if rest.starts_with(close) {
            let role = if closing { Role::Close } else { Role::Open };
            return Ok(Tag { name, key: name, arguments, role, start, end: at + close.len() });
        }
        if let Some(after) = rest.strip_prefix('/')
            && after.starts_with(close)
        {
            let end = at + 1 + close.len();
            return Ok(Tag { name, key: name, arguments, role: Role::Whole, start, end });
        }
        let (value, quoted) = value(text, &mut at, close)?;
        let mut after = at;
        skip_blanks(text, &mut after);
        if !quoted && text[after..].starts_with('=') {
            after += 1;
            skip_blanks(text, &mut after);
            at = after;
            let (given, _) = self::value(text, &mut at, close)?;
            arguments.push(Argument { name: Some(value), value: given });
        } else {
            arguments.push(Argument { name: None, value });
        }
    }
}

fn skip_blanks(text: &str, at: &mut usize) {
    *at = text.len() - text[*at..].trim_start().len();
}

/// A value, and whether it stood in quotation marks.
fn value(text: &str, at: &mut usize, close: &str) -> Result<(String, bool), usize> {
    let rest = &text[*at..];
    match rest.as_bytes().first() {
        Some(b'"') => {
            let mut value = String::new();
            let mut characters = rest[1..].char_indices();
            while let Some((place, c)) = characters.next() {
                match c {
                    '"' => {
                        *at += 1 + place + 1;
                        return Ok((value, true));
                    }
                    '\\' => match characters.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                        Some((_, other)) => value.extend(['\\', other]),
                        None => {}
                    },
                    c => value.push(c),
                }
            }
            Err(text.len())
        }
        Some(b'`') => {
            let end = rest[1..].find('`').ok_or(text.len())?;
            *at += end + 2;
            Ok((rest[1..=end].to_owned(), true))
        }
        _ => {
            let mut length = 0;
            for (place, c) in rest.char_indices() {
                if c.is_whitespace() || c == '=' || rest[place..].starts_with(close) {
                    break;
                }
                if matches!(c, '"' | '`' | '{') {
                    return Err(*at + place);
                }
                if c == '/' && rest[place + 1..].starts_with(close) {
                    break;
                }
                length = place + c.len_utf8();
            }
            if length == 0 {
                return Err(*at);
            }
            *at += length;
            Ok((rest[..length].to_owned(), false))
        }
    }
}

pub(super) fn body(tag: &Tag<'_>) -> Body {
    match tag.name {
        "qr" => Body::Verbatim,
        "comment" => Body::Wrapped,
        name if is_template(name) => Body::Wrapped,
        _ => themes::body(tag),
    }
}

pub(super) fn make(tag: &Tag<'_>, inner: Option<&str>, ledger: &mut Ledger<'_>) -> Made {
    match tag.name {
        "ref" | "relref" => match tag.value(&["path"], 0) {
            Some(path) => Made::Url(ledger.resolve(tag.start, path)),
            None => Made::Url(ledger.facts.target.to_string()),
        },
        "param" => param(tag, ledger),
        "comment" => Made::Nothing,
        "gist" => match (tag.positional(0), tag.positional(1)) {
            (Some(user), Some(id)) => Made::Block(markup::gist(&format!("{user}/{id}"), tag.positional(2))),
            (Some(id), None) => Made::Block(markup::gist(id, None)),
            _ => Made::Unknown,
        },
        "tweet" | "twitter" | "twitter_simple" | "x" | "x_simple" => status(tag),
        "instagram" | "instagram_simple" => match tag.value(&["id"], 0) {
            Some(id) => {
                Made::Block(markup::link_block(&format!("https://www.instagram.com/p/{id}/"), "Instagram post"))
            }
            None => Made::Unknown,
        },
        "qr" => match inner.map(str::trim).filter(|text| !text.is_empty()).or_else(|| tag.named(&["text"])) {
            Some(text) if text.contains("://") => Made::Inline(markup::link(text, text)),
            Some(text) => Made::Text(text.to_owned()),
            None => Made::Unknown,
        },
        _ => themes::make(tag, inner),
    }
}

/// Whether the body is a template, run only where the site allows it.
pub(super) fn is_template(name: &str) -> bool {
    name.ends_with(".inline")
}

fn status(tag: &Tag<'_>) -> Made {
    let host = if tag.name.starts_with('x') { "x.com" } else { "twitter.com" };
    // `user=… id=…`, or the id alone, or both by place.
    let (user, id) = match (tag.named(&["id"]), tag.positional(0), tag.positional(1)) {
        (Some(id), _, _) => (tag.named(&["user"]), id),
        (None, Some(user), Some(id)) => (Some(user), id),
        (None, Some(id), None) => (None, id),
        _ => return Made::Unknown,
    };
    let name = user.map_or_else(|| "Post".to_owned(), |user| format!("Post by @{user}"));
    let url = format!("https://{host}/{}/status/{id}", user.unwrap_or("i"));
    Made::Block(markup::link_block(&url, &format!("{name} on {host}")))
}

/// A parameter of the post, else of the site.
fn param(tag: &Tag<'_>, ledger: &mut Ledger<'_>) -> Made {
    let name = tag.value(&["name"], 0).unwrap_or_default().to_lowercase();
    let found = lookup(ledger.facts.front, &name)
        .or_else(|| ledger.facts.front.get("params").and_then(|params| lookup(params, &name)))
        .or_else(|| lookup(ledger.facts.params, &name));
    match found {
        Some(value) => Made::Text(value),
        None => {
            let message = format!("There is no parameter `{}` here", super::shortened(&name));
            ledger.add(
                tag.start,
                &message,
                "set it in the front matter, or under `params` in the site's configuration",
            );
            Made::Nothing
        }
    }
}

fn lookup(yaml: &Yaml, path: &str) -> Option<String> {
    if let Some(value) = yaml.get(path) {
        return printed(value);
    }
    printed(path.split('.').try_fold(yaml, |yaml, key| yaml.get(key))?)
}

/// A value as Hugo prints it.
fn printed(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Scalar(text, _) => Some(text.clone()),
        Yaml::List(items) => {
            let items: Vec<String> = items.iter().filter_map(printed).collect();
            Some(format!("[{}]", items.join(" ")))
        }
        Yaml::Null | Yaml::Map(_) => None,
    }
}
