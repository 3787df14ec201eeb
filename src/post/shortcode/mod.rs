//! The template syntax of Hugo, Zola and Hexo in posts, expanded without the site's own templates. Promises: what is known
//! becomes the HTML that the generator makes of it, the body of what is not known stays, one link to the post stands for
//! the rest, and nothing of the syntax is left but what the author escaped.

mod hexo;
mod hugo;
mod markup;
mod output;
mod tags;
mod themes;
mod zola;

use super::front_matter::Yaml;
pub use super::liquid::Trouble;
use output::Output;
use tags::{Code, Item, Role, Tag};
use url::Url;

/// What a post may grow to; parameters and references repeat.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;
/// Bodies inside bodies; deeper ones stay without what encloses them.
const MAX_NESTING: usize = 64;
/// More is more than somebody reads.
const MAX_TROUBLES: usize = 20;

/// Which syntax a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `{{< name >}}` and `{{% name %}}`.
    Hugo,
    /// `{{ name() }}`, `{% name() %} … {% end %}` and links to `@/…`.
    Zola,
    /// Nunjucks with Hexo's tags: `{% name %}` and `{{ expression }}`.
    Hexo,
}

/// What the blog knows beyond the text.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The post's own URL.
    pub target: &'a Url,
    /// Its front matter; Hugo's with keys in lower case.
    pub front: &'a Yaml,
    /// Hugo's site parameters, with keys in lower case; else nothing.
    pub params: &'a Yaml,
    /// A reference to another post or page (`posts/a.md`, `a`, `/blog/a`, `@/posts/a.md`, a slug) as its URL.
    pub resolve: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Likewise its title.
    pub title_of: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// What is made of a tag.
enum Made {
    /// Plain text, without markup.
    Text(String),
    /// Address of something, for a link, an attribute or the text.
    Url(String),
    /// Markup within a paragraph.
    Inline(String),
    /// Markup of its own, on one line.
    Block(String),
    /// HTML in which nothing is Markdown.
    Raw(String),
    /// A body of Markdown between two pieces of markup.
    Around(String, String),
    /// Nothing to show.
    Nothing,
    /// No shortcode of that name is known.
    Unknown,
}

/// How the body of a tag is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// As Markdown that stays in its place.
    Stays,
    /// As Markdown, or as markup, of which something is made.
    Wrapped,
    /// As code, letter by letter.
    Verbatim,
    /// The same, but nothing is known of the tag.
    Unknown,
}

/// Markdown (with HTML in it) in which nothing of the syntax is left, and what was wrong. The text begins on `line`.
pub fn expand(text: &str, line: u32, syntax: Syntax, facts: &Facts<'_>) -> (String, Vec<Trouble>) {
    let marks: &[&str] = match syntax {
        Syntax::Hugo => &["{{<", "{{%"],
        Syntax::Zola => &["{{", "{%", "@/"],
        Syntax::Hexo => &["{{", "{%", "{#"],
    };
    if !marks.iter().any(|mark| text.contains(mark)) {
        return (text.to_owned(), Vec::new());
    }
    let mut code = Code::of(text);
    let items = match syntax {
        Syntax::Hugo => hugo::items(text),
        Syntax::Zola => zola::items(text, &mut code),
        Syntax::Hexo => hexo::items(text, &mut code),
    };
    let partners = tags::pair(&items);
    let mut expansion = Expansion {
        text,
        code,
        syntax,
        ledger: Ledger { facts: *facts, line, counted: 0, found: Vec::new(), text },
        frames: Vec::new(),
        apart: Apart::default(),
        out: Output::default(),
        linked: false,
    };
    for (item, partner) in items.iter().zip(&partners) {
        expansion.step(item, partner.is_some());
        if expansion.size() > MAX_OUTPUT {
            let message = "The post has grown beyond 8 MiB with its shortcodes";
            expansion.ledger.add(item.start(), message, "the rest of it was left out; shorten it");
            break;
        }
    }
    expansion.finish()
}

struct Expansion<'a> {
    text: &'a str,
    code: Code,
    syntax: Syntax,
    ledger: Ledger<'a>,
    frames: Vec<Option<Frame<'a>>>,
    apart: Apart,
    out: Output,
    linked: bool,
}

/// A tag whose body is being written, and what stood before it. Where a body stays in its place nothing is kept apart.
struct Frame<'a> {
    tag: &'a Tag<'a>,
    verbatim: bool,
    before: Output,
}

/// Of all frames together: asked for at every tag.
#[derive(Default)]
struct Apart {
    frames: usize,
    verbatim: usize,
    size: usize,
}

impl<'a> Expansion<'a> {
    fn step(&mut self, item: &'a Item<'a>, paired: bool) {
        match item {
            Item::Text(range) => {
                let text = &self.text[range.clone()];
                if self.syntax == Syntax::Zola {
                    let text = zola::with_links(text, range.start, &mut self.code, &mut self.ledger);
                    self.out.text(&text);
                } else {
                    self.out.text(text);
                }
            }
            Item::Literal { text, start } => {
                let as_it_is = self.is_code(*start);
                self.out.seam();
                self.out.text(&if as_it_is { text.clone() } else { markup::visible(text) });
            }
            Item::Broken { what, help, start, .. } => {
                self.out.seam();
                self.ledger.add(*start, what, help);
            }
            Item::Tag(tag) => {
                self.out.seam();
                match tag.role {
                    Role::Close if paired => self.close(tag),
                    // To Zola this is text; in code, it is meant as such.
                    _ if self.syntax == Syntax::Zola
                        && !paired
                        && tag.role != Role::Whole
                        && self.is_code(tag.start) =>
                    {
                        self.out.text(&self.text[tag.start..tag.end]);
                    }
                    Role::Close => {
                        let what = format!("`{}` closes nothing", tag.source(self.text));
                        self.ledger.add(tag.start, &what, "delete it, or write what it should close");
                    }
                    Role::Open if paired => self.open(tag),
                    Role::Open | Role::Whole => {
                        let made = self.make(tag, None);
                        self.put(tag, made, "");
                    }
                }
            }
        }
    }

    fn open(&mut self, tag: &'a Tag<'a>) {
        let body = self.body(tag);
        if body == Body::Unknown {
            self.ledger.unknown(tag, true, self.syntax);
        }
        let wraps = matches!(body, Body::Wrapped | Body::Verbatim) && self.apart.frames < MAX_NESTING;
        if !wraps {
            self.frames.push(None);
            return;
        }
        let verbatim = body == Body::Verbatim;
        let before = std::mem::take(&mut self.out);
        self.apart.frames += 1;
        self.apart.verbatim += usize::from(verbatim);
        self.apart.size += before.len();
        self.frames.push(Some(Frame { tag, verbatim, before }));
    }

    fn close(&mut self, closing: &Tag<'_>) {
        let Some(Some(frame)) = self.frames.pop() else { return };
        self.apart.frames -= 1;
        self.apart.verbatim -= usize::from(frame.verbatim);
        self.apart.size -= frame.before.len();
        let inner = std::mem::replace(&mut self.out, frame.before).into_text();
        let made = self.make(frame.tag, Some(&inner));
        self.put(&Tag { end: closing.end, ..frame.tag.clone() }, made, &inner);
    }

    fn body(&self, tag: &Tag<'_>) -> Body {
        match self.syntax {
            Syntax::Hugo => hugo::body(tag),
            Syntax::Zola => themes::body(tag),
            Syntax::Hexo => hexo::body(tag),
        }
    }

    fn make(&mut self, tag: &Tag<'_>, inner: Option<&str>) -> Made {
        match self.syntax {
            Syntax::Hugo => hugo::make(tag, inner, &mut self.ledger),
            Syntax::Zola => zola::make(tag, inner),
            Syntax::Hexo => hexo::make(tag, inner, &mut self.ledger),
        }
    }

    /// Writes what was made of a tag where it stood.
    fn put(&mut self, tag: &Tag<'_>, made: Made, inner: &str) {
        let rest = &self.text[tag.end..];
        let code = self.is_code(tag.start);
        match made {
            Made::Text(text) if code => self.out.code(&text),
            // In code, markup would be read as such.
            Made::Inline(html) | Made::Block(html) | Made::Raw(html) if code => self.out.code(&markup::read(&html)),
            Made::Around(..) if code => self.out.code(inner),
            Made::Text(text) => self.out.text(&markup::text(&text)),
            Made::Url(url) => self.out.text(&markup::address(&url)),
            // Alone on a line, a tag would make markup of the lines that follow.
            Made::Inline(html) if html.starts_with("<img") && self.out.is_at_line_start() && ends_line(rest) => {
                self.out.block(&format!("<p>{html}</p>"), rest);
            }
            Made::Inline(html) => self.out.text(&html),
            Made::Block(html) => self.out.block(&html, rest),
            Made::Raw(html) if self.out.is_at_line_start() => self.out.block(&markup::raw(&html, true), rest),
            Made::Raw(html) => self.out.text(&markup::raw(&html, false)),
            Made::Around(before, after) => {
                self.out.around(&before, inner, &after, rest);
            }
            Made::Nothing => {}
            Made::Unknown if !inner.trim().is_empty() && !hugo::is_template(tag.name) => {
                self.ledger.unknown(tag, true, self.syntax);
                self.out.text(inner);
            }
            Made::Unknown => {
                if matches!(self.body(tag), Body::Wrapped | Body::Verbatim)
                    && tag.role == Role::Open
                    && inner.is_empty()
                {
                    let message = format!("`{}` is opened and never closed", shortened(tag.name));
                    self.ledger.add(tag.start, &message, "close it; readers find a link to the post in its place");
                } else {
                    self.ledger.unknown(tag, false, self.syntax);
                }
                let target = markup::address(self.ledger.facts.target.as_str());
                if self.out.is_within_markup() {
                    self.out.text(&target);
                } else if code {
                    self.out.code("");
                } else if !std::mem::replace(&mut self.linked, true) {
                    self.out.text(&markup::link(&target, &target));
                }
            }
        }
    }

    fn is_code(&mut self, at: usize) -> bool {
        self.code.holds(at) || self.apart.verbatim > 0
    }

    fn size(&self) -> usize {
        self.out.len() + self.apart.size
    }

    fn finish(mut self) -> (String, Vec<Trouble>) {
        // Frames are open only where the text was cut off.
        let mut out = String::new();
        for frame in self.frames.drain(..).flatten() {
            out.push_str(&frame.before.into_text());
        }
        out.push_str(&self.out.into_text());
        let mut end = out.len().min(MAX_OUTPUT);
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        (out, self.ledger.troubles())
    }
}

/// What the dialects ask, and what they found wrong: each sentence once, with the line of the first and a count.
struct Ledger<'a> {
    facts: Facts<'a>,
    text: &'a str,
    line: u32,
    counted: usize,
    found: Vec<(Trouble, u32)>,
}

impl Ledger<'_> {
    /// The line of a place. Places come in order, or nearly so.
    fn line_of(&mut self, at: usize) -> u32 {
        if at >= self.counted {
            let lines = self.text.as_bytes()[self.counted..at].iter().filter(|b| **b == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
            self.counted = at;
            return self.line;
        }
        let lines = self.text.as_bytes()[at..self.counted].iter().filter(|b| **b == b'\n').count();
        self.line.saturating_sub(u32::try_from(lines).unwrap_or(u32::MAX))
    }

    fn add(&mut self, at: usize, message: &str, help: &str) {
        if let Some((_, count)) = self.found.iter_mut().find(|(trouble, _)| trouble.message == message) {
            *count += 1;
        } else if self.found.len() < MAX_TROUBLES {
            let line = self.line_of(at);
            self.found.push((Trouble { line, message: message.to_owned(), help: help.to_owned() }, 1));
        }
    }

    fn unknown(&mut self, tag: &Tag<'_>, paired: bool, syntax: Syntax) {
        let kind = if syntax == Syntax::Hexo { "tag" } else { "shortcode" };
        let help = if paired {
            format!("its content is kept, without what the {kind} makes of it")
        } else {
            "readers find a link to the post in its place; write it as Markdown or HTML".to_owned()
        };
        self.add(tag.start, &format!("There is no {kind} `{}` here", shortened(tag.name)), &help);
    }

    /// The URL of another page; the post's own, and a trouble, where there is none of that name.
    fn resolve(&mut self, at: usize, reference: &str) -> String {
        let (path, fragment) = reference.split_at(reference.find('#').unwrap_or(reference.len()));
        if Url::parse(path).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "mailto")) {
            return reference.to_owned();
        }
        if path.is_empty() {
            return format!("{}{fragment}", self.facts.target);
        }
        match (self.facts.resolve)(path) {
            Some(url) => format!("{url}{fragment}"),
            None => {
                let message = format!("There is no post or page `{}` here", shortened(path));
                self.add(at, &message, "correct the reference; it leads to the post itself now");
                self.facts.target.to_string()
            }
        }
    }

    fn troubles(self) -> Vec<Trouble> {
        let mut troubles: Vec<Trouble> = self
            .found
            .into_iter()
            .map(|(mut trouble, count)| {
                if count > 1 {
                    trouble.message.push_str(&format!(" ({count} times)"));
                }
                trouble
            })
            .collect();
        troubles.sort_by_key(|trouble| trouble.line);
        troubles
    }
}

fn ends_line(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t', '\r']);
    rest.is_empty() || rest.starts_with('\n')
}

/// As much of a name as a sentence bears.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
