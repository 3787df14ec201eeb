//! A file as its generator would read it: front matter, name and place in, a [`Post`] out. Promises: a post is never dated by
//! the clock, and what cannot be read becomes a [`Problem`], not a guess.

mod author;
pub mod eleventy;
pub mod hexo;
pub mod hugo;
mod jekyll;
pub mod pelican;
pub mod plain;
mod reading;
pub mod zola;

use super::front_matter::{self, Fences, Source, Yaml};
use super::generator::{self, Generator, Rules};
use super::identity::Body;
use super::kramdown::Flavour;
use super::markdown;
use super::media::{self, Media};
use super::permalink;
use super::shortcode::Syntax;
use super::{Hash, Image, Person, Post, Problem, SUMMARY_LENGTH, Said, Site, text};
use chrono::{DateTime, FixedOffset, Utc};
use reading::{Facts, Reading};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use url::Url;

/// Whose rules a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Jekyll's: dates in file names, Liquid in bodies.
    Jekyll,
    /// Hugo's: sections, bundles, languages, shortcodes.
    Hugo,
    /// Zola's: TOML, `@/` links.
    Zola,
    /// Eleventy's: directory data, Liquid or Nunjucks in bodies.
    Eleventy,
    /// Pelican's: `Key: value` lines without fences.
    Pelican,
    /// Hexo's: `source/_posts`, tags in `{% %}`.
    Hexo,
    /// Markdown files with a date in the front matter.
    Plain,
}

impl Dialect {
    /// All of them, with their names in the configuration.
    pub const ALL: [(&str, Dialect); 7] = [
        ("jekyll", Dialect::Jekyll),
        ("hugo", Dialect::Hugo),
        ("zola", Dialect::Zola),
        ("eleventy", Dialect::Eleventy),
        ("pelican", Dialect::Pelican),
        ("hexo", Dialect::Hexo),
        ("plain", Dialect::Plain),
    ];

    /// Whose Markdown its posts are.
    pub fn flavour(self) -> Flavour {
        match self {
            // Python-Markdown is kramdown's elder.
            Dialect::Jekyll | Dialect::Pelican => Flavour::Kramdown,
            _ => Flavour::CommonMark,
        }
    }

    fn fences(self) -> Fences {
        match self {
            Dialect::Jekyll => Fences::Jekyll,
            Dialect::Hexo => Fences::Hexo,
            Dialect::Pelican => Fences::Header,
            Dialect::Hugo | Dialect::Zola | Dialect::Eleventy | Dialect::Plain => Fences::Any,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Dialect::ALL.iter().find(|(_, dialect)| dialect == self).map_or("", |(name, _)| name);
        let (first, rest) = name.split_at(1);
        write!(f, "{}{rest}", first.to_uppercase())
    }
}

/// A file of the blog.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// As [`Post::path`].
    pub path: &'a str,
    /// Its path below the site's sources: scopes and categories go by it.
    pub site_path: &'a str,
    /// How it is read.
    pub dialect: Dialect,
    /// Whether it lies among the drafts.
    pub draft: bool,
    /// Its text.
    pub text: &'a str,
}

/// What holds for all posts.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What the site says of itself.
    pub site: &'a Site,
    /// What its generator says.
    pub generator: &'a Generator,
    /// Where the site is served, with its `baseurl`; ends in `/`.
    pub base: &'a Url,
    /// `[posts] permalink`.
    pub permalink: Option<&'a str>,
    /// People by key: `_data/authors` and the like.
    pub people: &'a Yaml,
    /// What is later is not yet published.
    pub now: DateTime<Utc>,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// A published post.
    Post(Box<Document<'a>>),
    /// Not published now; why.
    Hidden(&'static str),
}

/// A post, and what rendering it needs.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The post.
    pub post: Post,
    /// The author's own summary or description, plain text.
    pub summary: Option<String>,
    /// The picture that stands for it.
    pub image: Option<Image>,
    /// Its source below the front matter, line ends as `\n`.
    pub body: Cow<'a, str>,
    /// Its front matter over the defaults of its place.
    pub front: Yaml,
    /// The line of the file on which the body begins.
    pub body_line: u32,
    /// Whose Markdown its body is; `None` for HTML.
    pub flavour: Option<Flavour>,
    /// What its body holds beside.
    pub templating: Templating,
    /// Whether it stays published once it is.
    pub lasting: bool,
}

/// What a generator runs in a body before it is Markdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Templating {
    /// Nothing.
    None,
    /// Liquid.
    Liquid,
    /// Nunjucks or Liquid, with front matter as variables.
    Nunjucks,
    /// Pelican's links.
    Links,
    /// Shortcodes.
    Shortcodes(Syntax),
}

/// Whether a file is named as Jekyll's posts are, `2024-02-05-slug.ext`.
pub fn is_dated(file_name: &str) -> bool {
    jekyll::name(file_name).is_some()
}

/// Reads a file. A problem that leaves the post readable goes to `problems`; one that does not is the error.
pub fn read<'a>(file: &File<'a>, context: &Context<'_>, problems: &mut Vec<Problem>) -> Result<Found<'a>, Problem> {
    if file.draft {
        return Ok(Found::Hidden("draft"));
    }
    let source = front_matter::split(file.text, file.dialect.fences());
    let own = match source.front_matter {
        Some(_) => front_matter::parse(&source),
        // A generator would show it as text; in a mail that cannot be taken back.
        None => front_matter::meant(source.body).map_or(Ok(Yaml::Map(Vec::new())), Err),
    };
    let own = own.map_err(|error| Problem {
        path: file.path.to_owned(),
        line: Some(error.line),
        column: error.column,
        message: error.message,
        help: error.help,
    })?;
    let mut reading = Reading::new(file, context, source, own);
    let found = match reading.hidden() {
        Some(reason) => Err(reason),
        None => match &context.generator.rules {
            Rules::Hugo(hugo) => hugo::facts(hugo, &mut reading),
            Rules::Zola(zola) => zola::facts(zola, &mut reading),
            Rules::Eleventy => eleventy::facts(&mut reading),
            Rules::Pelican(pelican) => pelican::facts(pelican, &mut reading),
            Rules::Hexo(hexo) => hexo::facts(hexo, &mut reading),
            Rules::Jekyll => jekyll::facts(&mut reading),
            Rules::Plain => plain::facts(&mut reading),
        },
    };
    problems.append(&mut reading.problems);
    Ok(match found {
        Ok(facts) => Found::Post(Box::new(document(reading, source, facts))),
        Err(reason) => Found::Hidden(reason),
    })
}

/// The post that the facts make of a file.
fn document<'a>(reading: Reading<'_>, source: Source<'a>, facts: Facts) -> Document<'a> {
    let Reading { file, context, front, lasting, .. } = reading;
    let says = |key: &str, value: bool| front.get(key).and_then(Yaml::truth) == Some(value);
    let file_name = file.path.rsplit('/').next().unwrap_or(file.path);
    let markdown = !matches!(file_name.rsplit('.').next(), Some("html" | "htm"));
    let url = match facts.path.strip_prefix('/') {
        Some(below) => context.base.join(below),
        None => Url::parse(&facts.path),
    };
    let url = url.unwrap_or_else(|_| context.base.clone());
    let mut body = body(source.body);
    let mut body_line = source.body_line;
    let mut title = facts.title.as_deref().map(text::plain).filter(|title| !title.is_empty());
    // Jekyll's go by the file name, whatever the text begins with.
    if title.is_none()
        && markdown
        && !matches!(context.generator.rules, Rules::Jekyll)
        && let Some((heading, rest, lines)) = heading(&body)
    {
        title = Some(heading);
        body_line += lines;
        body = Cow::Owned(rest);
    }
    let title = title.unwrap_or_else(|| permalink::title_of(&facts.slug));
    let title = if title.is_empty() { file_name.to_owned() } else { title };
    let summary = facts.summary.as_deref().map(text::plain).filter(|said| !said.is_empty());
    let summary = summary.map(|said| text::shorten(&said, SUMMARY_LENGTH));
    let image = image(&front, &title, &url, context.base);
    let media = media::of(&front, &url, context.base);
    let remembered = Body::of(&body);
    let rare = Said {
        updated: facts.updated,
        language: facts.language.as_deref().and_then(generator::language),
        guid: ["guid", "id"].iter().find_map(|key| front.get(key).and_then(Yaml::text)).map(str::to_owned),
        work: facts.work,
        translates: None,
    };
    let post = Post {
        path: file.path.to_owned(),
        fingerprint: fingerprint(&title, remembered.hash, summary.as_deref(), image.as_ref(), &media),
        slug: permalink::slugify(&facts.slug, permalink::Mode::Pretty, true),
        published: facts.published,
        authors: authors(&front, context).into(),
        tags: each_once(facts.tags).iter().collect(),
        rare: rare.into(),
        in_feeds: !says("feed", false),
        in_digests: !says("digest", false),
        section: None,
        minor: says("minor", true),
        featured: says("featured", true),
        source: 0,
        stamp: None,
        title,
        link: url.into(),
        categories: facts.categories.iter().collect(),
        body: remembered,
    };
    let templating = match file.dialect {
        Dialect::Jekyll if says("render_with_liquid", false) => Templating::None,
        Dialect::Eleventy if !eleventy::is_run(&front, &context.generator.all, markdown) => Templating::None,
        Dialect::Jekyll => Templating::Liquid,
        Dialect::Eleventy => Templating::Nunjucks,
        Dialect::Hugo => Templating::Shortcodes(Syntax::Hugo),
        Dialect::Zola => Templating::Shortcodes(Syntax::Zola),
        Dialect::Hexo => Templating::Shortcodes(Syntax::Hexo),
        Dialect::Pelican => Templating::Links,
        Dialect::Plain => Templating::None,
    };
    Document {
        post,
        summary,
        image,
        body,
        front,
        body_line,
        flavour: markdown.then(|| context.generator.rules.dialect().flavour()),
        templating,
        lasting,
    }
}

/// The heading that a text begins with, as plain text, what follows it, and how many lines it took.
fn heading(body: &str) -> Option<(String, String, u32)> {
    let start = body.len() - body.trim_start().len();
    let (first, rest) = body[start..].split_once('\n').unwrap_or((&body[start..], ""));
    let (said, rest) = match first.strip_prefix("# ") {
        Some(said) => (said.trim_end().trim_end_matches('#'), rest),
        None => {
            let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
            let underlined = !first.trim().is_empty() && line.len() > 2 && line.trim_end().bytes().all(|b| b == b'=');
            if !underlined {
                return None;
            }
            (first, rest)
        }
    };
    let said = said.trim().strip_suffix('}').and_then(|said| said.rsplit_once("{#")).map_or(said, |(said, _)| said);
    // Links as their words, no emphasis.
    let said = text::plain(&markdown::to_html_plain(said));
    let lines = body[..body.len() - rest.len()].bytes().filter(|b| *b == b'\n').count();
    (!said.is_empty()).then(|| (said, rest.to_owned(), u32::try_from(lines).unwrap_or(0)))
}

/// Line ends as `\n`, and no control characters, which neither feeds nor mails can hold.
fn body(source: &str) -> Cow<'_, str> {
    let control = |byte: &u8| (*byte < b' ' && *byte != b'\n' && *byte != b'\t') || *byte == 0x7f;
    // Whole blocks at once, which the compiler makes vectors of: nearly all bodies hold none.
    let has_control = |block: &[u8]| block.iter().fold(false, |found, byte| found | control(byte));
    // C1 controls are two octets, of which the first is 0xC2.
    let has_c1 = || source.as_bytes().windows(2).any(|pair| pair[0] == 0xc2 && (0x80..0xa0).contains(&pair[1]));
    if !source.as_bytes().chunks(256).any(has_control) && (source.is_ascii() || !has_c1()) {
        return Cow::Borrowed(source);
    }
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(source.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect())
}

/// A list's items, or a string's words, as text. Nothing for nulls and maps.
fn words(yaml: Option<&Yaml>) -> Vec<String> {
    match yaml {
        Some(Yaml::List(items)) => items.iter().filter_map(Yaml::text).map(str::to_owned).collect(),
        Some(one) => one.text().unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

fn each_once(words: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    words.iter().map(|word| text::plain(word)).filter(|word| !word.is_empty() && seen.insert(word.clone())).collect()
}

fn authors(front: &Yaml, context: &Context<'_>) -> Vec<Person> {
    let named = ["authors", "author", "by", "translator"]
        .iter()
        .find_map(|key| front.get(key).filter(|value| !value.is_null()));
    let mut authors = named.map(|named| author::people(named, context.people)).unwrap_or_default();
    // An address goes out only where the site itself gives it.
    let given = context.site.author.as_ref().and_then(|author| author.email.as_deref());
    for author in &mut authors {
        author.email = author.email.take().filter(|email| given == Some(email));
    }
    if authors.is_empty() { context.site.author.clone().into_iter().collect() } else { authors }
}

/// `image: path`, or a map with `path`, `feature`, `url` or `src`. A path from the root is below the site's `base`.
fn image(front: &Yaml, title: &str, url: &Url, base: &Url) -> Option<Image> {
    let image = front.get("image")?;
    let place = match image {
        Yaml::Map(_) => ["path", "feature", "url", "src"].iter().find_map(|key| image.get(key).and_then(Yaml::text))?,
        one => one.text()?,
    };
    let url = media::located(place, url, base)?;
    let alt = ["alt", "description", "caption"].iter().find_map(|key| image.get(key).and_then(Yaml::text));
    let alt = alt.map_or_else(|| title.to_owned(), text::plain);
    Some(Image { url, alt, measured: None })
}

fn fingerprint(title: &str, body: Hash, summary: Option<&str>, image: Option<&Image>, media: &[Media]) -> Hash {
    let image = image.map_or("", |image| image.url.as_str());
    let media = media.iter().map(|media| media.url.as_str());
    Hash::of_parts([title, &body.to_string(), summary.unwrap_or_default(), image].into_iter().chain(media))
}

/// The date of a post as Jekyll prints it.
pub fn stamp(date: DateTime<FixedOffset>) -> String {
    date.format("%Y-%m-%d %H:%M:%S %z").to_string()
}
