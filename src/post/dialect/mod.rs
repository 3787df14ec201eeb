//! A file as its generator would read it: front matter, name and place in, a [`Post`] out. Promises: a post is never dated by
//! the clock, and what cannot be read becomes a [`Problem`], not a guess.

mod author;
mod jekyll;
mod plain;

use super::date::{self, Naive};
use super::front_matter::{self, Yaml};
use super::generator::{self, Generator};
use super::permalink::{self, Parts};
use super::{Image, Person, Post, Problem, Site, text};
use aws_lc_rs::digest;
use chrono::{DateTime, FixedOffset, Utc};
use std::borrow::Cow;
use std::fmt::Write;
use url::Url;

/// A summary in the front matter is cut here.
const SUMMARY_LENGTH: usize = 300;

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As Jekyll does.
    Jekyll,
    /// As Markdown with a date in its front matter.
    Plain,
}

/// A file of the blog.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// As [`Post::path`].
    pub path: &'a str,
    /// Its path below the site's sources: scopes and categories go by it.
    pub site_path: &'a str,
    /// How it is read.
    pub rules: Rules,
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
    /// `_data/authors`: people by key.
    pub people: &'a Yaml,
    /// What is later is not yet published.
    pub now: DateTime<Utc>,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub enum Found {
    /// A published post.
    Post(Box<Document>),
    /// Not published now; why.
    Hidden(&'static str),
}

/// A post, and what rendering it needs.
#[derive(Clone, Debug)]
pub struct Document {
    /// The post.
    pub post: Post,
    /// Its front matter over the defaults of its place.
    pub front: Yaml,
    /// The line of the file on which the body begins.
    pub body_line: u32,
    /// Whether its body is Markdown; else HTML.
    pub markdown: bool,
    /// Whether its body holds Liquid.
    pub liquid: bool,
}

/// What a file's name says.
struct Name<'a> {
    date: Option<&'a str>,
    slug: &'a str,
}

/// Reads a file. A problem that leaves the post readable goes to `problems`; one that does not is the error.
pub fn read(file: &File<'_>, context: &Context<'_>, problems: &mut Vec<Problem>) -> Result<Found, Problem> {
    let problem =
        |line, message: String, help: &str| Problem { path: file.path.to_owned(), line, message, help: help.into() };
    if file.draft {
        return Ok(Found::Hidden("draft"));
    }
    let source = front_matter::split(file.text);
    let own = match source.front_matter {
        Some(front_matter) => front_matter::parse(front_matter),
        // A generator would show it as text; in a mail that cannot be taken back.
        None => front_matter::meant(source.body).map_or(Ok(Yaml::Map(Vec::new())), Err),
    };
    let own = own.map_err(|error| problem(Some(error.line), error.message, &error.help))?;
    let line_of = |key: &str| line_of(source.front_matter.unwrap_or_default(), key);
    let own_permalink = own.get("permalink").and_then(Yaml::text).map(str::to_owned);
    let front = with_defaults(own, context.generator.defaults_of(file.site_path));
    let says = |key: &str, value: bool| front.get(key).and_then(Yaml::truth) == Some(value);
    if says("published", false) {
        return Ok(Found::Hidden("unpublished"));
    }
    if says("draft", true) || front.get("status").and_then(Yaml::text) == Some("draft") {
        return Ok(Found::Hidden("draft"));
    }

    let file_name = file.path.rsplit('/').next().unwrap_or(file.path);
    let (name, naive) = match file.rules {
        Rules::Jekyll => (jekyll::name(file_name).unwrap_or_else(|| plain::name(file.path)), Naive::Utc),
        Rules::Plain => (jekyll::name(file_name).unwrap_or_else(|| plain::name(file.path)), Naive::Site),
    };
    let zone = context.site.timezone;
    let moment = |key: &str, problems: &mut Vec<Problem>| {
        let said = front.get(key).and_then(Yaml::text)?;
        let read = date::parse(said, zone, naive);
        if read.is_none() {
            let message = format!("The date `{}` cannot be read", text::shorten(said, 40));
            problems.push(problem(line_of(key), message, "write it like 2026-11-23 or 2026-11-23 09:00:00 +0100"));
        }
        read
    };
    let named = name.date.and_then(|date| date::of_file_name(&format!("{date}-"), zone));
    let Some(published) = moment("date", problems).or(named) else { return Ok(Found::Hidden("no date")) };
    if published > context.now && !context.generator.future {
        return Ok(Found::Hidden("future"));
    }
    let updated = ["updated", "last_modified_at", "lastmod", "modified"].iter().find_map(|key| moment(key, problems));

    let slug = front.get("slug").and_then(Yaml::text).unwrap_or(name.slug);
    let categories = match file.rules {
        Rules::Jekyll => jekyll::categories(file.site_path, &front),
        Rules::Plain => plain::categories(&front),
    };
    // The post's own, ours, that of its place in the site, the site's.
    let template = own_permalink.as_deref().or_else(|| context.permalink.map(permalink::style));
    let template = template.or_else(|| front.get("permalink").and_then(Yaml::text));
    let template = template.or_else(|| context.generator.permalink.as_deref().map(permalink::style));
    let parts = Parts { date: published, slug, categories: &categories };
    let path = permalink::path(template.unwrap_or(permalink::DEFAULT), &parts);
    let url = context.base.join(path.trim_start_matches('/')).unwrap_or_else(|_| context.base.clone());

    let title = front.get("title").and_then(Yaml::text).map(text::plain).filter(|title| !title.is_empty());
    let title = title.unwrap_or_else(|| permalink::title_of(name.slug));
    let title = if title.is_empty() { file_name.to_owned() } else { title };
    let body = body(source.body);
    let summary = summary(&front);
    let image = image(&front, &title, &url, context.base);
    let post = Post {
        path: file.path.to_owned(),
        fingerprint: fingerprint(&title, &body, summary.as_deref(), image.as_ref()),
        slug: permalink::slugify(slug, permalink::Mode::Pretty, true),
        published,
        updated,
        authors: authors(&front, context),
        tags: each_once(tags(&front)),
        language: ["lang", "language", "locale"]
            .iter()
            .find_map(|key| front.get(key).and_then(Yaml::text).and_then(generator::language)),
        guid: ["guid", "id"].iter().find_map(|key| front.get(key).and_then(Yaml::text)).map(str::to_owned),
        in_feeds: !says("feed", false),
        in_digests: !says("digest", false),
        minor: says("minor", true),
        title,
        url,
        categories,
        summary,
        image,
        body,
    };
    let markdown = !matches!(file_name.rsplit('.').next(), Some("html" | "htm"));
    let liquid = file.rules == Rules::Jekyll && !says("render_with_liquid", false);
    Ok(Found::Post(Box::new(Document { post, front, body_line: source.body_line, markdown, liquid })))
}

/// The file's own front matter over what its place gives it.
fn with_defaults(own: Yaml, defaults: Vec<(&str, &Yaml)>) -> Yaml {
    let Yaml::Map(mut entries) = own else { return own };
    for (key, value) in defaults {
        if !entries.iter().any(|(known, _)| known == key) {
            entries.push((key.to_owned(), value.clone()));
        }
    }
    Yaml::Map(entries)
}

/// The line of the file on which a key of the front matter stands; the last, for that one counts.
fn line_of(front_matter: &str, key: &str) -> Option<u32> {
    let stands = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    let lines = (2_u32..).zip(front_matter.lines());
    lines.filter(|(_, line)| stands(line)).map(|(number, _)| number).last()
}

/// Line ends as `\n`, and no control characters, which neither feeds nor mails can hold.
fn body(source: &str) -> String {
    let source = if source.contains('\r') {
        Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        source.into()
    };
    source.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
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

/// `tag` is one name; `tags` a list, or words.
fn tags(front: &Yaml) -> Vec<String> {
    match front.get("tag") {
        Some(one @ Yaml::Scalar(..)) => one.text().map(str::to_owned).into_iter().collect(),
        Some(list @ Yaml::List(_)) => words(Some(list)),
        _ => words(front.get("tags")),
    }
}

fn authors(front: &Yaml, context: &Context<'_>) -> Vec<Person> {
    let named = ["authors", "author", "by"].iter().find_map(|key| front.get(key).filter(|value| !value.is_null()));
    let authors = named.map(|named| author::people(named, context.people)).unwrap_or_default();
    if authors.is_empty() { context.site.author.clone().into_iter().collect() } else { authors }
}

/// What the author says of the post. What holds Liquid is said by nobody before it is run.
fn summary(front: &Yaml) -> Option<String> {
    ["excerpt", "description", "summary"].iter().find_map(|key| {
        let said = front.get(key).and_then(Yaml::text)?;
        let said = text::plain(said);
        (!said.is_empty() && !said.contains("{{") && !said.contains("{%")).then(|| text::shorten(&said, SUMMARY_LENGTH))
    })
}

/// `image: path`, or a map with `path`, `feature`, `url` or `src`. A path from the root is below the site's `base`.
fn image(front: &Yaml, title: &str, url: &Url, base: &Url) -> Option<Image> {
    let image = front.get("image")?;
    let place = match image {
        Yaml::Map(_) => ["path", "feature", "url", "src"].iter().find_map(|key| image.get(key).and_then(Yaml::text))?,
        one => one.text()?,
    };
    if place.contains("{{") {
        return None;
    }
    let found = match place.strip_prefix('/').filter(|rest| !rest.starts_with('/')) {
        Some(rest) => {
            let prefix = base.path().trim_matches('/');
            let below = rest.strip_prefix(prefix).filter(|below| !prefix.is_empty() && below.starts_with('/'));
            base.join(below.map_or(rest, |below| &below[1..])).ok()?
        }
        None => url.join(place).ok()?,
    };
    let alt = ["alt", "description", "caption"].iter().find_map(|key| image.get(key).and_then(Yaml::text));
    let alt = alt.map_or_else(|| title.to_owned(), text::plain);
    matches!(found.scheme(), "http" | "https").then_some(Image { url: found, alt })
}

fn fingerprint(title: &str, body: &str, summary: Option<&str>, image: Option<&Image>) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [title, body, summary.unwrap_or_default(), image.map_or("", |image| image.url.as_str())] {
        // With lengths: a word that moves from one part to the next is a change.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The date of a post as Jekyll prints it.
pub fn stamp(date: DateTime<FixedOffset>) -> String {
    date.format("%Y-%m-%d %H:%M:%S %z").to_string()
}
