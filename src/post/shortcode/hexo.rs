//! Hexo's tags: Nunjucks' syntax, and the tags that Hexo brings along (`lib/plugins/tag`). Code between backticks, in fences
//! and in `<code>` is not touched, as Hexo does not (`lib/extend/tag`).

use super::markup::{self, Figure};
use super::tags::{Argument, Code, Ends, Item, Role, Tag};
use super::{Body, Ledger, Made, themes};
use crate::post::front_matter::Yaml;
use std::collections::HashMap;

const RAW: &str = "put it between {% raw %} and {% endraw %} if it is meant literally";
/// Between these and their ends nothing is a tag.
const VERBATIM: &[&str] = &["raw", "code", "codeblock"];

/// Cuts a text into tags and the rest.
pub(super) fn items<'s>(text: &'s str, code: &mut Code) -> Vec<Item<'s>> {
    let mut items = Vec::new();
    let mut closings = closings(text);
    let mut ends = [Ends::new(text, "%}"), Ends::new(text, "}}"), Ends::new(text, "#}")];
    let mut html_code = HtmlCode { text, ends: Ends::new(text, "</code>"), open: Ends::new(text, "<code"), until: 0 };
    let mut unprotected = 0;
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = text[at..].find('{').map(|found| at + found) {
        at = start + 1;
        let kind = match text.as_bytes().get(at) {
            Some(b'%') => 0,
            Some(b'{') => 1,
            Some(b'#') => 2,
            _ => continue,
        };
        if start >= unprotected
            && let Some(range) = code.range_at(start)
        {
            let source = text[range.clone()].trim_start();
            if source.starts_with("```") || source.starts_with("~~~") || !source.contains("{% raw %}") {
                at = range.end;
                continue;
            }
            // Hexo takes `{% raw %}` in code, other than a fence, for the tag.
            unprotected = range.end;
        } else if let Some(end) = html_code.end(start) {
            at = end;
            continue;
        }
        let inside = start + 2;
        let end = ends[kind].after(inside);
        if kind == 2 {
            // `{#name}` without a comment's end is the id of a heading.
            if let Some(end) = end {
                push_text(&mut items, copied..start);
                items.push(Item::Literal { text: String::new(), start });
                at = end + 2;
                copied = at;
            }
            continue;
        }
        push_text(&mut items, copied..start);
        let literal = if kind == 1 { end.and_then(|_| literal_end(text, inside)) } else { None };
        let Some(end) = literal.or(end.filter(|end| !holds_opening(&text[inside..*end]))) else {
            let what = format!("`{}` has no end", &text[start..inside]);
            items.push(Item::Broken { what, help: RAW, start });
            at = inside;
            copied = at;
            continue;
        };
        at = end + 2;
        copied = at;
        let written = text[inside..end].trim_matches('-').trim();
        if kind == 1 {
            let tag = Tag { name: written, key: "{{", arguments: Vec::new(), role: Role::Whole, start, end: at };
            items.push(Item::Tag(tag));
            continue;
        }
        let name = written.split_whitespace().next().unwrap_or_default();
        if name.is_empty() {
            items.push(Item::Broken { what: "`{% %}` names no tag".to_owned(), help: RAW, start });
            continue;
        }
        let (key, role) = match name.strip_prefix("end") {
            Some(opening) if !opening.is_empty() => (opening, Role::Close),
            _ => (name, Role::Open),
        };
        let words = words(&written[name.len()..]);
        let arguments = words.into_iter().map(|word| Argument { name: None, value: word.value }).collect();
        items.push(Item::Tag(Tag { name, key, arguments, role, start, end: at }));
        if role == Role::Open && VERBATIM.contains(&name) {
            let closing = closings.get_mut(name).and_then(|places| {
                while places.last().is_some_and(|(place, _)| *place < at) {
                    places.pop();
                }
                places.pop()
            });
            if let Some((place, end)) = closing {
                push_text(&mut items, at..place);
                let name = &name[..0];
                let closing = Tag { name, key, arguments: Vec::new(), role: Role::Close, start: place, end };
                items.push(Item::Tag(closing));
                at = end;
                copied = end;
            }
        }
    }
    push_text(&mut items, copied..text.len());
    items
}

fn push_text(items: &mut Vec<Item<'_>>, range: std::ops::Range<usize>) {
    if !range.is_empty() {
        items.push(Item::Text(range));
    }
}

fn holds_opening(inside: &str) -> bool {
    inside.match_indices('{').any(|(at, _)| inside[at + 1..].starts_with(['%', '{']))
}

/// Where `}}` stands behind a literal, which may hold braces.
fn literal_end(text: &str, inside: usize) -> Option<usize> {
    let rest = text[inside..].trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = &rest[1..];
    let after = &rest[closing_quote(rest, quote)? + 1..];
    let filters = after.find(['{', '}', '\n'])?;
    after[filters..].starts_with("}}").then(|| text.len() - after.len() + filters)
}

/// The closing tags of [`VERBATIM`] ones by what they close, with their ends; the last first.
fn closings(text: &str) -> HashMap<&'static str, Vec<(usize, usize)>> {
    let mut closings: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
    for (start, _) in text.rmatch_indices("{%") {
        let inside = text[start + 2..].trim_start_matches('-').trim_start();
        let Some(rest) = inside.strip_prefix("end") else { continue };
        // The longer name first.
        for name in ["codeblock", "code", "raw"] {
            let after = rest.strip_prefix(name).map(|after| after.trim_start().trim_start_matches('-'));
            if let Some(after) = after.and_then(|after| after.strip_prefix("%}")) {
                closings.entry(name).or_default().push((start, text.len() - after.len()));
                break;
            }
        }
    }
    closings
}

/// `<code>` that the author wrote as HTML.
struct HtmlCode<'s> {
    text: &'s str,
    open: Ends<'s>,
    ends: Ends<'s>,
    until: usize,
}

impl HtmlCode<'_> {
    /// The end of the element that a place is in; asked in order.
    fn end(&mut self, at: usize) -> Option<usize> {
        while self.until <= at {
            let open = self.open.after(self.until).filter(|open| *open < at)?;
            let end = self.ends.after(open)? + "</code>".len();
            self.until = end;
            let named = self.text[open + 5..].starts_with(['>', ' ']);
            if named && open < at && at < end {
                return Some(end);
            }
        }
        None
    }
}

/// A word of a tag's arguments.
struct Word {
    value: String,
    quoted: bool,
}

/// Words as Nunjucks' lexer cuts them: quotation marks hold one together, within a word they are text.
fn words(source: &str) -> Vec<Word> {
    let mut words = Vec::new();
    // Which quotation mark has no partner any more.
    let mut lone = Vec::new();
    let mut rest = source.trim_start();
    while !rest.is_empty() {
        let mut value = String::new();
        let mut quoted = false;
        let mut before = ' ';
        while let Some(c) = rest.chars().next().filter(|c| !c.is_whitespace()) {
            let after = &rest[c.len_utf8()..];
            let opens = matches!(c, '"' | '\'') && !before.is_alphanumeric() && !quoted && !lone.contains(&c);
            let end = if opens { closing_quote(after, c) } else { None };
            if opens && end.is_none() {
                lone.push(c);
            }
            if let Some(end) = end {
                quoted = true;
                value.push_str(&after[..end].replace(&format!("\\{c}"), &c.to_string()));
                rest = &after[end + 1..];
            } else {
                value.push(c);
                rest = after;
            }
            before = c;
        }
        words.push(Word { value, quoted });
        rest = rest.trim_start();
    }
    words
}

fn closing_quote(text: &str, quote: char) -> Option<usize> {
    text.match_indices(quote).map(|(at, _)| at).find(|at| !text[..*at].ends_with('\\'))
}

pub(super) fn body(tag: &Tag<'_>) -> Body {
    match tag.name {
        "raw" => Body::Stays,
        "code" | "codeblock" => Body::Verbatim,
        "pullquote" => Body::Wrapped,
        _ => themes::body(tag),
    }
}

pub(super) fn make(tag: &Tag<'_>, inner: Option<&str>, ledger: &mut Ledger<'_>) -> Made {
    let source = &ledger.text[tag.start..tag.end];
    if tag.key == "{{" {
        return expression(tag, ledger);
    }
    let words: Vec<&str> = tag.arguments.iter().map(|argument| argument.value.as_str()).collect();
    match (tag.name, inner) {
        ("blockquote" | "quote", Some(_)) => {
            let (before, after) = quotation(&words);
            Made::Around(before, after)
        }
        ("pullquote", Some(_)) => {
            let classes = markup::attribute(&format!("pullquote {}", words.join(" ")));
            Made::Around(format!("<blockquote class=\"{classes}\">"), "</blockquote>".to_owned())
        }
        ("code" | "codeblock", Some(code)) => Made::Block(codeblock(&words, code)),
        ("youtube" | "vimeo", _) => themes::make(tag, inner),
        ("gist", _) => words.first().map_or(Made::Unknown, |id| Made::Block(markup::gist(id, words.get(1).copied()))),
        ("jsfiddle", _) => words.first().map_or(Made::Unknown, |id| {
            let url = format!("https://jsfiddle.net/{}/", id.trim_matches('/'));
            Made::Block(markup::link_block(&url, &format!("JSFiddle {id}")))
        }),
        ("iframe", _) => words.first().map_or(Made::Unknown, |url| Made::Block(markup::frame(url, None))),
        ("link" | "a" | "anchor" | "url_for" | "full_url_for", _) => link(&words),
        ("btn" | "button", _) => {
            let joined = words.join(" ");
            let mut parts = joined.split(',').map(str::trim);
            let (Some(url), name) = (parts.next(), parts.next()) else { return Made::Unknown };
            let name = name.filter(|name| !name.is_empty()).unwrap_or(url);
            Made::Inline(markup::link(url, name))
        }
        ("label", _) => {
            let joined = words.join(" ");
            Made::Text(joined.split_once('@').map_or(joined.as_str(), |(_, text)| text).to_owned())
        }
        ("img" | "image", _) => picture(source, |word| word.contains('/') || word.contains("://"), str::to_owned),
        ("asset_img" | "asset_image", _) => {
            let post = ledger.facts.target;
            picture(source, |word| word.contains('.'), |slug| asset(post, slug))
        }
        ("asset_path", _) => words.first().map_or(Made::Unknown, |slug| Made::Url(asset(ledger.facts.target, slug))),
        ("asset_link", _) => words.first().map_or(Made::Unknown, |slug| {
            let url = asset(ledger.facts.target, slug);
            Made::Inline(titled(&url, given(&words[1..]).unwrap_or((*slug).to_owned()), None))
        }),
        ("post_path", _) => words.first().map_or(Made::Unknown, |slug| Made::Url(ledger.resolve(tag.start, slug))),
        ("post_link", _) => words.first().map_or(Made::Unknown, |slug| {
            let title = (ledger.facts.title_of)(slug.split('#').next().unwrap_or(slug));
            let url = ledger.resolve(tag.start, slug);
            let name = given(&words[1..]).or_else(|| title.clone()).unwrap_or_else(|| (*slug).to_owned());
            Made::Inline(titled(&url, name, title.as_deref()))
        }),
        ("include_code" | "include-code", _) => {
            let named: Vec<&str> = words.iter().filter(|word| !is_option(word)).copied().collect();
            if named.is_empty() {
                return Made::Unknown;
            }
            let name = if named.len() > 1 { named[..named.len() - 1].join(" ") } else { named[0].to_owned() };
            Made::Block(markup::link_block(ledger.facts.target.as_str(), &name))
        }
        ("else" | "elif" | "elseif", None) => Made::Nothing,
        _ => themes::make(tag, inner),
    }
}

/// `{{ expression }}`: a literal, or a key of the front matter, which is what Hexo gives to Nunjucks.
fn expression(tag: &Tag<'_>, ledger: &mut Ledger<'_>) -> Made {
    let written = tag.name;
    if let Some(quote) = written.chars().next().filter(|c| matches!(c, '"' | '\''))
        && let Some(end) = closing_quote(&written[1..], quote)
    {
        return Made::Text(written[1..=end].replace("\\\"", "\"").replace("\\'", "'"));
    }
    let name = written.split('|').next().unwrap_or_default().trim();
    if name.parse::<f64>().is_ok() {
        return Made::Text(name.to_owned());
    }
    let key = name.strip_prefix("page.").unwrap_or(name);
    if let Some(Yaml::Scalar(text, _)) = key.split('.').try_fold(ledger.facts.front, |yaml, key| yaml.get(key)) {
        return Made::Text(text.clone());
    }
    let what = format!("`{{{{ {} }}}}` is nothing that is known here", super::shortened(written));
    ledger.add(tag.start, &what, &format!("it was left out; write the text itself, or {RAW}"));
    Made::Nothing
}

/// Hexo's `[author[, source]] [link] [title of the link]`.
fn quotation(words: &[&str]) -> (String, String) {
    let link = words.iter().rposition(|word| is_url(word)).filter(|at| *at > 0);
    if let Some(at) = link {
        let title = words[at + 1..].join(" ");
        let author = words[..at].join(" ");
        return markup::quotation(Some(&author), Some(&*title).filter(|title| !title.is_empty()), Some(words[at]));
    }
    let said = words.join(" ");
    match said.split_once(',').map(|(author, source)| (author.trim(), source.trim())) {
        Some((author, source)) if !author.is_empty() && !source.is_empty() => {
            markup::quotation(Some(author), Some(source), None)
        }
        _ => markup::quotation(Some(&*said).filter(|said| !said.is_empty()), None, None),
    }
}

/// Hexo's `[title] [lang:language] [url] [link text]` and options.
fn codeblock(words: &[&str], code: &str) -> String {
    let language = words.iter().find_map(|word| word.strip_prefix("lang:")).unwrap_or_default();
    let html = markup::code(language, code);
    let named: Vec<&str> = words.iter().filter(|word| !is_option(word)).copied().collect();
    if named.is_empty() {
        return html;
    }
    let caption = match named.iter().position(|word| is_url(word)) {
        Some(at) => {
            let name = named[at + 1..].join(" ");
            let link = markup::link(named[at], if name.is_empty() { "link" } else { &name });
            format!("{} {link}", markup::text(&named[..at].join(" "))).trim_start().to_owned()
        }
        None => markup::text(&named.join(" ")),
    };
    format!("<figure><figcaption>{caption}</figcaption>{html}</figure>")
}

fn is_url(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://")
}

/// `name:value`, which says how code is shown.
fn is_option(word: &str) -> bool {
    const OPTIONS: &[&str] = &[
        "lang",
        "language_attr",
        "line_number",
        "line_threshold",
        "highlight",
        "first_line",
        "mark",
        "wrap",
        "from",
        "to",
    ];
    word.split_once(':').is_some_and(|(name, _)| OPTIONS.contains(&name))
}

/// Hexo's `text url [external] [title]`.
fn link(words: &[&str]) -> Made {
    let is_target = |word: &&str| is_url(word) || word.starts_with(['/', '#']) || word.contains('.') && word.len() > 3;
    let Some(at) = words.iter().position(is_target) else { return Made::Unknown };
    let rest = words[at + 1..].iter().skip_while(|word| matches!(**word, "true" | "false")).copied();
    let title = rest.collect::<Vec<_>>().join(" ");
    let name = words[..at].join(" ");
    let name = if name.is_empty() { words[at].to_owned() } else { name };
    Made::Inline(titled(words[at], name, Some(&*title)))
}

fn titled(url: &str, name: String, title: Option<&str>) -> String {
    let title = title.filter(|title| !title.is_empty());
    let title = title.map_or(String::new(), |title| format!(" title=\"{}\"", markup::attribute(title)));
    format!("<a href=\"{}\"{title}>{}</a>", markup::attribute(&markup::address(url)), markup::text(&name))
}

/// `[title] [escape]`.
fn given(words: &[&str]) -> Option<String> {
    let words = match words.split_last() {
        Some((&("true" | "false"), words)) => words,
        _ => words,
    };
    (!words.is_empty()).then(|| words.join(" "))
}

/// Hexo's `[class …] source [width] [height] ["title" ["alt"]]`.
fn picture(source: &str, is_source: impl Fn(&str) -> bool, url: impl Fn(&str) -> String) -> Made {
    let inside = source.trim_start_matches("{%").trim_end_matches("%}").trim_matches('-').trim();
    let name = inside.split_whitespace().next().map_or(0, str::len);
    let words = words(&inside[name..]);
    let Some(at) = words.iter().position(|word| is_source(&word.value)).or((!words.is_empty()).then_some(0)) else {
        return Made::Unknown;
    };
    let classes = words[..at].iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(" ");
    let mut rest = &words[at + 1..];
    let mut number = || {
        let (first, others) = rest.split_first()?;
        let is_number = !first.value.is_empty() && first.value.bytes().all(|b| b.is_ascii_digit());
        rest = if is_number { others } else { rest };
        is_number.then_some(first.value.as_str())
    };
    let (width, height) = (number(), number());
    let (title, alt) = match rest {
        // `'"title" "alt"'`, as Hexo's own manual has it.
        [one] if one.value.starts_with(['"', '\'']) => {
            let mut inner = self::words(&one.value).into_iter().map(|word| word.value);
            (inner.next().unwrap_or_default(), inner.next())
        }
        [title, alt] if title.quoted && alt.quoted => (title.value.clone(), Some(alt.value.clone())),
        words => (words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(" "), None),
    };
    let figure = Figure {
        src: Some(&url(&words[at].value)),
        class: Some(&*classes).filter(|classes| !classes.is_empty()),
        width,
        height,
        title: Some(&*title).filter(|title| !title.is_empty()),
        alt: alt.as_deref().filter(|alt| !alt.is_empty()),
        ..Figure::default()
    };
    Made::Inline(figure.image())
}

/// Where a file of the post's own folder lies: below the post's URL, without `.html`.
fn asset(post: &url::Url, slug: &str) -> String {
    let mut folder = post.clone();
    let path = post.path().trim_end_matches(".html").trim_end_matches(".htm").trim_end_matches('/').to_owned();
    folder.set_path(&format!("{path}/"));
    folder.set_query(None);
    folder.set_fragment(None);
    folder.join(slug.trim_start_matches("./")).map_or_else(|_| slug.to_owned(), String::from)
}
