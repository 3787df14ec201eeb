//! The HTML that is written in place of tags. Promises: it is one line, Markdown finds nothing in its text, and no template
//! syntax is in it.

use crate::post::markdown;
use std::fmt::Write;

/// Text for HTML within Markdown: every character that one of the two takes for its own is written as a reference.
pub(super) fn text(plain: &str) -> String {
    encode(plain, false)
}

/// An attribute's value, to stand between `"`.
pub(super) fn attribute(value: &str) -> String {
    encode(value.trim(), true)
}

fn encode(plain: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(plain.len());
    let mut before = None;
    let mut characters = plain.chars().peekable();
    while let Some(c) = characters.next() {
        let within_word = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => {}
            '\n' => out.push(' '),
            '{' | '|' | '`' => reference(&mut out, c),
            '_' if within_word(before) && within_word(characters.peek().copied()) => out.push(c),
            '*' | '_' | '[' | ']' | '\\' | '~' | '\'' if !attribute => reference(&mut out, c),
            // A dash and an ellipsis are made of more than one.
            '-' | '.' if !attribute && before == Some(c) => reference(&mut out, c),
            _ => out.push(c),
        }
        before = Some(c);
    }
    out
}

fn reference(out: &mut String, c: char) {
    let _ = write!(out, "&#{};", u32::from(c));
}

/// Template syntax that is meant to be read, outside code.
pub(super) fn visible(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len());
    let mut characters = literal.chars().peekable();
    while let Some(c) = characters.next() {
        // `{{<b>` would be a tag of HTML; `< b >` is none.
        if c == '<' && characters.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '/' | '!' | '?')) {
            out.push_str("&lt;");
        } else {
            out.push(c);
        }
    }
    out
}

/// An address, fit for a link in Markdown, an attribute and text.
pub(super) fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.trim().chars() {
        match c {
            ' ' | '"' | '<' | '>' | '(' | ')' | '{' | '}' | '|' | '\\' | '`' | '*' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A link.
pub(super) fn link(url: &str, name: &str) -> String {
    format!("<a href=\"{}\">{}</a>", attribute(&address(url)), text(name))
}

/// A link in a paragraph of its own.
pub(super) fn link_block(url: &str, name: &str) -> String {
    format!("<p>{}</p>", link(url, name))
}

/// A player; the sanitiser makes of it what a reader can use.
pub(super) fn frame(url: &str, title: Option<&str>) -> String {
    let title = title.map_or(String::new(), |title| format!(" title=\"{}\"", attribute(title)));
    format!("<p><iframe src=\"{}\"{title}></iframe></p>", attribute(&address(url)))
}

/// A video on YouTube.
pub(super) fn youtube(id: &str, title: Option<&str>) -> String {
    frame(&format!("https://www.youtube.com/embed/{}", video(id)), title.or(Some("YouTube video")))
}

/// A video on Vimeo.
pub(super) fn vimeo(id: &str, title: Option<&str>) -> String {
    frame(&format!("https://player.vimeo.com/video/{}", video(id)), title.or(Some("Vimeo video")))
}

/// The id of a video, also where the author gave its address.
fn video(id: &str) -> &str {
    let id = id.split_once("v=").map_or(id, |(_, id)| id);
    let id = id.trim_end_matches('/');
    let id = if id.contains("://") { id.rsplit('/').next().unwrap_or(id) } else { id };
    id.split(['&', '?', '#', '/']).next().unwrap_or(id)
}

/// A gist: `user/id` or `id`, and one of its files.
pub(super) fn gist(id: &str, file: Option<&str>) -> String {
    let id = id.trim_end_matches(".js").trim_matches('/');
    let url = if id.contains("://") { id.to_owned() } else { format!("https://gist.github.com/{id}") };
    let anchor = file.map(|file| {
        let name: String =
            file.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        format!("#file-{name}")
    });
    let name = file.map_or_else(|| format!("Gist {}", id.rsplit("github.com/").next().unwrap_or(id)), str::to_owned);
    link_block(&(url + &anchor.unwrap_or_default()), &name)
}

/// Code, in a language or none, without the indentation of what holds it.
pub(super) fn code(language: &str, code: &str) -> String {
    let class = match language.trim() {
        "" => String::new(),
        language => format!(" class=\"language-{}\"", attribute(language)),
    };
    // Line ends as references: a blank line, or one without the indentation of a list, would end the block.
    let code = code.trim_matches(['\r', '\n']).trim_end();
    let indentation = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = code.lines().filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or(0);
    let lines: Vec<String> = code.lines().map(|line| text(line.get(common..).unwrap_or_default())).collect();
    format!("<pre><code{class}>{}</code></pre>", lines.join("&#10;"))
}

/// HTML as the author wrote it, in which Markdown is not to be read.
pub(super) fn raw(html: &str, block: bool) -> String {
    let html = html.trim();
    let joined = if html.contains("<pre") {
        let lines: Vec<&str> = html.lines().map(|line| if line.trim().is_empty() { "&#10;" } else { line }).collect();
        lines.join("\n")
    } else {
        html.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    };
    if block { format!("<div>{joined}</div>") } else { inert(&joined) }
}

/// HTML, in whose text Markdown finds nothing.
fn inert(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut within_tag = false;
    for c in html.chars() {
        match c {
            '<' => within_tag = true,
            '>' => within_tag = false,
            _ => {}
        }
        match c {
            '{' | '|' => reference(&mut out, c),
            '*' | '_' | '`' | '[' | ']' | '\\' | '~' if !within_tag => reference(&mut out, c),
            '\r' => {}
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A line of Markdown, rendered, without its paragraph.
pub(super) fn line_of_markdown(source: &str) -> String {
    let html = markdown::to_html_plain(source);
    let html = html.trim();
    let alone = html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>"));
    inert(alone.filter(|html| !html.contains("<p>")).unwrap_or(html))
}

/// What is read of a line of Markdown.
fn plain(source: &str) -> String {
    read(&markdown::to_html_plain(source))
}

/// What is read of markup.
pub(super) fn read(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once(['<', '&']) {
        out.push_str(before);
        let is_tag = rest[before.len()..].starts_with('<');
        let Some((inside, next)) = after.split_once(if is_tag { '>' } else { ';' }) else {
            rest = "";
            break;
        };
        match inside {
            _ if is_tag => {}
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "quot" => out.push('"'),
            "amp" => out.push('&'),
            inside => {
                out.extend(inside.strip_prefix('#').and_then(|number| number.parse().ok()).and_then(char::from_u32));
            }
        }
        rest = next;
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// A picture with what belongs to it, as Hugo's `figure` takes it.
#[derive(Default)]
pub(super) struct Figure<'a> {
    pub(super) src: Option<&'a str>,
    pub(super) link: Option<&'a str>,
    pub(super) target: Option<&'a str>,
    pub(super) rel: Option<&'a str>,
    pub(super) alt: Option<&'a str>,
    pub(super) title: Option<&'a str>,
    /// Markdown.
    pub(super) caption: Option<&'a str>,
    /// Whose it is. Markdown.
    pub(super) attr: Option<&'a str>,
    pub(super) attrlink: Option<&'a str>,
    pub(super) class: Option<&'a str>,
    pub(super) width: Option<&'a str>,
    pub(super) height: Option<&'a str>,
}

impl Figure<'_> {
    /// The picture alone.
    pub(super) fn image(&self) -> String {
        let mut out = String::from("<img");
        add(&mut out, "src", Some(&self.src.map(address).unwrap_or_default()));
        add(&mut out, "alt", self.alt);
        add(&mut out, "class", self.class);
        add(&mut out, "title", self.title);
        add(&mut out, "width", self.width);
        add(&mut out, "height", self.height);
        out.push('>');
        out
    }

    /// Hugo's own template makes this of it.
    pub(super) fn html(&self) -> String {
        let mut out = String::from("<figure");
        add(&mut out, "class", self.class);
        out.push('>');
        let link = self.link.map(address);
        if link.is_some() {
            out.push_str("<a");
            add(&mut out, "href", link.as_deref());
            add(&mut out, "target", self.target);
            add(&mut out, "rel", self.rel);
            out.push('>');
        }
        let alt = self.alt.map(str::to_owned).or_else(|| self.caption.map(plain));
        let image = Figure { alt: alt.as_deref(), class: None, title: None, ..*self };
        out.push_str(&image.image());
        if link.is_some() {
            out.push_str("</a>");
        }
        if self.title.is_some() || self.caption.is_some() || self.attr.is_some() {
            out.push_str("<figcaption>");
            if let Some(title) = self.title {
                let _ = write!(out, "<h4>{}</h4>", text(title));
            }
            let caption = self.caption.map(line_of_markdown);
            let attr = self.attr.map(line_of_markdown).map(|attr| match self.attrlink {
                Some(to) => format!("<a href=\"{}\">{attr}</a>", attribute(&address(to))),
                None => attr,
            });
            let said: Vec<String> = caption.into_iter().chain(attr).collect();
            if !said.is_empty() {
                let _ = write!(out, "<p>{}</p>", said.join(" "));
            }
            out.push_str("</figcaption>");
        }
        out.push_str("</figure>");
        out
    }
}

fn add(tag: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(tag, " {name}=\"{}\"", attribute(value));
    }
}

/// `<details>` before and after its body.
pub(super) fn details(summary: Option<&str>, open: bool) -> (String, String) {
    let summary = summary.map_or_else(|| "Details".to_owned(), line_of_markdown);
    let open = if open { " open" } else { "" };
    (format!("<details{open}><summary>{summary}</summary>"), "</details>".to_owned())
}

/// A quotation before and after its body, with whom and what it quotes.
pub(super) fn quotation(author: Option<&str>, source: Option<&str>, link: Option<&str>) -> (String, String) {
    let mut footer = String::new();
    if let Some(author) = author {
        let _ = write!(footer, "<strong>{}</strong>", text(author));
    }
    let cited = match (source, link) {
        (source, Some(link)) => {
            let bare = link.split_once("://").map_or(link, |(_, bare)| bare).trim_end_matches('/');
            Some(self::link(link, source.unwrap_or(bare)))
        }
        (Some(source), None) => Some(text(source)),
        (None, None) => None,
    };
    if let Some(cited) = cited {
        let space = if footer.is_empty() { "" } else { " " };
        let _ = write!(footer, "{space}<cite>{cited}</cite>");
    }
    let footer = if footer.is_empty() { footer } else { format!("<footer>{footer}</footer>") };
    ("<blockquote>".to_owned(), format!("{footer}</blockquote>"))
}
