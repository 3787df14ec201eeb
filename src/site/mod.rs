//! The blog on disk: its posts, what its generator is told, and what its posts include. Promises: only reads, in the same
//! order every time, and a file that cannot be read is a [`Problem`], not the end.

mod beside;
mod branches;
mod pages;
mod sources;
mod survey;
mod walk;

pub use beside::{open_list, overrides};

use crate::html;
use crate::post::dialect::hugo::Summaries;
use crate::post::dialect::{self, Context, Document, File, Found, Templating, stamp};
use crate::post::front_matter::Yaml;
pub use crate::post::generator::{Generator, Rules};
use crate::post::liquid::{Engine, Facts, to_value};
use crate::post::settings::Settings;
use crate::post::{Content, Hidden, Post, Problem, Site, excerpt, markdown, shortcode, summary, text, translation};
use chrono::{DateTime, Utc};
use liquid_core::model::{Object, Value};
use pages::Pages;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use url::Url;

/// Why a blog cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder of `[posts] dir` is not there.
    #[error("the posts' folder {} does not exist; set `dir` in [posts] to the folder that holds them", .0.display())]
    NoFolder(PathBuf),
    /// A file or folder cannot be read.
    #[error("{} cannot be read ({}); check its permissions", .0.display(), .1)]
    Unreadable(PathBuf, std::io::Error),
    /// The generator's own configuration is broken.
    #[error("{}:{line}: {message}; {help}", path.display())]
    Generator {
        /// The configuration.
        path: PathBuf,
        /// Its line, from 1.
        line: u32,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
}

/// A blog that was read.
pub struct Blog {
    /// What is published, newest first, then by path.
    pub posts: Vec<Post>,
    /// Files that were taken for posts.
    pub read: usize,
    /// Those that are not published now.
    pub hidden: Vec<Hidden>,
    /// What is wrong with the others, or with parts of them.
    pub problems: Vec<Problem>,
    /// How many files are in formats that are not read, by extension.
    pub unread: BTreeMap<String, usize>,
    /// By the post's path.
    documents: HashMap<String, Rendering>,
    engine: Engine,
    excerpt_separator: Option<String>,
    pages: Pages,
    /// Where a summary ends by Hugo's rules, if they are the site's.
    summaries: Option<Summaries>,
    /// Hugo's parameters of the site.
    params: Yaml,
}

/// What rendering a post needs beside the post.
struct Rendering {
    front: Yaml,
    body_line: u32,
    markdown: bool,
    templating: Templating,
}

/// The generator of the site and what its own configuration says. `root` is the folder of our configuration.
///
/// # Errors
/// [`Error::Generator`] when the configuration is broken, [`Error::NoFolder`] when the posts' folder is missing.
pub fn generator(settings: &Settings, root: &Path) -> Result<Generator, Error> {
    survey::generator(settings, root)
}

/// Reads every post. One bad post does not stop it (P8).
///
/// # Errors
/// When a folder that the settings name is missing or cannot be read.
pub fn read(
    settings: &Settings,
    site: &Site,
    generator: &Generator,
    root: &Path,
    now: DateTime<Utc>,
) -> Result<Blog, Error> {
    let source = match (&generator.rules, generator.sources.first()) {
        (Rules::Jekyll, Some(source)) => generator.folder.join(source),
        _ => generator.folder.clone(),
    };
    let walk::Walked { posts: files, unread } = walk::posts(settings, root, generator)?;
    let base = base(site, generator);
    let people = sources::people(&source);
    let context =
        Context { site, generator, base: &base, permalink: settings.permalink.as_deref(), people: &people, now };
    let outcomes: Vec<Outcome> = files.par_iter().map(|file| read_one(file, &context)).collect();

    let mut blog = Parts::default();
    for (file, outcome) in files.iter().zip(outcomes) {
        blog.add(file, outcome);
    }
    // Newest first; of the same moment, by path.
    blog.documents
        .sort_by(|(_, a), (_, b)| b.post.published.cmp(&a.post.published).then_with(|| a.post.path.cmp(&b.post.path)));
    find_translations(&mut blog.documents, &site.language);
    let pages = Pages::of(&blog.documents);
    let engine = engine(&blog.documents, site, generator, &source, base);
    let mut posts = Vec::with_capacity(blog.documents.len());
    let mut documents = HashMap::with_capacity(blog.documents.len());
    for (_, document) in blog.documents {
        let Document { post, front, body_line, markdown, templating, .. } = document;
        documents.insert(post.path.clone(), Rendering { front, body_line, markdown, templating });
        posts.push(post);
    }
    blog.problems.sort();
    let excerpt_separator = generator.excerpt_separator.clone();
    let Parts { read, hidden, problems, .. } = blog;
    let params = generator.all.get("params").cloned().unwrap_or(Yaml::Null);
    let summaries = match &generator.rules {
        Rules::Hugo(hugo) => Some(hugo.summaries()),
        _ => None,
    };
    Ok(Blog { posts, read, hidden, problems, unread, documents, engine, excerpt_separator, pages, summaries, params })
}

impl Blog {
    /// Renders one of its posts: Liquid, Markdown, the sanitiser. What is wrong with the body comes beside it.
    pub fn render(&self, post: &Post) -> (Content, Vec<Problem>) {
        let plain = Rendering { front: Yaml::Null, body_line: 1, markdown: true, templating: Templating::None };
        let rendering = self.documents.get(&post.path).unwrap_or(&plain);
        let (source, troubles) = match rendering.templating {
            Templating::None => (post.body.clone(), Vec::new()),
            Templating::Liquid => {
                self.engine.render(&post.body, rendering.body_line, &page(post, &rendering.front), &post.url)
            }
            Templating::Shortcodes(syntax) => {
                let facts = shortcode::Facts {
                    target: &post.url,
                    front: &rendering.front,
                    params: &self.params,
                    resolve: &|reference| self.pages.resolve(reference, post).map(|page| page.url.clone()),
                    title_of: &|reference| self.pages.resolve(reference, post).map(|page| page.title.clone()),
                };
                shortcode::expand(&post.body, rendering.body_line, syntax, &facts)
            }
        };
        let problems = troubles.into_iter().map(|trouble| Problem {
            path: post.path.clone(),
            line: Some(trouble.line),
            column: None,
            message: trouble.message,
            help: trouble.help,
        });
        let own = rendering.front.get("excerpt_separator").and_then(Yaml::text);
        let separators = [own, self.excerpt_separator.as_deref()];
        let html = if rendering.markdown { markdown::to_html(&source, &post.slug) } else { source.clone() };
        let html = html::clean(&html, &post.url);
        let excerpt = match self.summaries {
            Some(summaries) => {
                let length = summaries.length(&rendering.front, &post.body);
                Some(summary::of(&source, html.as_str(), rendering.markdown, length, &post.slug))
            }
            None => excerpt::of(&source, rendering.markdown, &separators, &post.slug),
        };
        let excerpt = excerpt.map_or_else(|| html.clone(), |excerpt| html::clean(&excerpt, &post.url));
        let summary = post.summary.clone().unwrap_or_else(|| text::shorten(&excerpt.to_words(), 300));
        // A picture, a film, a redirect: its title is all there is to say.
        let summary = if summary.is_empty() { post.title.clone() } else { summary };
        (Content { html, excerpt, summary }, problems.collect())
    }
}

#[derive(Default)]
struct Parts {
    documents: Vec<(String, Document)>,
    read: usize,
    hidden: Vec<Hidden>,
    problems: Vec<Problem>,
}

/// What came of a file: its post, or why it has none; and what is wrong with it.
struct Outcome {
    found: Option<Found>,
    problems: Vec<Problem>,
}

impl Parts {
    fn add(&mut self, file: &walk::PostFile, outcome: Outcome) {
        self.problems.extend(outcome.problems);
        self.read += 1;
        match outcome.found {
            Some(Found::Post(document)) => self.documents.push((file.site_path.clone(), *document)),
            Some(Found::Hidden(reason)) => {
                self.hidden.push(Hidden { path: file.path.clone(), reason: reason.to_owned() });
            }
            None => {}
        }
    }
}

fn read_one(file: &walk::PostFile, context: &Context<'_>) -> Outcome {
    let problem = |line, message: String, help: &str| Problem {
        path: file.path.clone(),
        line,
        column: None,
        message,
        help: help.to_owned(),
    };
    let mut problems = Vec::new();
    let bytes = match std::fs::read(&file.place) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(problem(None, format!("The file cannot be read: {error}"), "check its permissions"));
            return Outcome { found: None, problems };
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = u32::try_from(good.iter().filter(|b| **b == b'\n').count() + 1).ok();
            problems.push(problem(
                line,
                "The file is not UTF-8".into(),
                "save it as UTF-8, for example with `iconv -t utf-8`",
            ));
            return Outcome { found: None, problems };
        }
    };
    let source =
        File { path: &file.path, site_path: &file.site_path, dialect: file.dialect, draft: file.draft, text: &text };
    match dialect::read(&source, context, &mut problems) {
        Ok(found) => Outcome { found: Some(found), problems },
        Err(problem) => {
            problems.push(problem);
            Outcome { found: None, problems }
        }
    }
}

/// Tells posts that are translations of others.
fn find_translations(documents: &mut [(String, Document)], language: &str) {
    let versions = documents.iter().map(|(_, document)| translation::Version {
        path: &document.post.path,
        language: document.post.language.as_deref(),
        work: document.work.as_deref(),
        day: document.post.published.date_naive(),
        slug: &document.post.slug,
    });
    let originals = translation::originals(&versions.collect::<Vec<_>>(), language);
    for ((_, document), original) in documents.iter_mut().zip(originals) {
        document.post.translates = original;
    }
}

/// Where posts are served: the site's address, and below it the generator's `baseurl`, once.
fn base(site: &Site, generator: &Generator) -> Url {
    let path = site.url.path().trim_end_matches('/');
    if generator.baseurl.is_empty() || path.ends_with(&generator.baseurl) {
        return site.url.clone();
    }
    site.url.join(&format!("{}/", &generator.baseurl[1..])).unwrap_or_else(|_| site.url.clone())
}

fn engine(documents: &[(String, Document)], site: &Site, generator: &Generator, source: &Path, base: Url) -> Engine {
    let mut links = HashMap::new();
    let mut posts = Vec::with_capacity(documents.len());
    for (site_path, document) in documents {
        let url = document.post.url.path().to_owned();
        let stem = site_path.rsplit_once('.').map_or(&**site_path, |(stem, _)| stem);
        let below = stem.split_once("_posts/").map_or(stem, |(_, below)| below);
        let file = stem.rsplit('/').next().unwrap_or(stem);
        for name in [site_path, stem, below, file] {
            links.entry(name.to_owned()).or_insert_with(|| url.clone());
        }
        posts.push(page(&document.post, &Yaml::Null));
    }
    let newest = documents.first().map(|(_, document)| document.post.published);
    let facts = Facts {
        base,
        zone: site.timezone,
        time: newest.unwrap_or_else(|| DateTime::UNIX_EPOCH.fixed_offset()),
        posts: links,
        includes: sources::includes(source),
    };
    let mut all = generator.all.clone();
    if let Yaml::Map(entries) = &mut all {
        entries.push(("data".to_owned(), sources::data(source)));
    }
    Engine::new(facts, &all, posts)
}

/// `page` in a post's Liquid, and an item of `site.posts`.
fn page(post: &Post, front: &Yaml) -> Value {
    let mut page = match to_value(front) {
        Value::Object(page) => page,
        _ => Object::new(),
    };
    let list = |words: &[String]| Value::Array(words.iter().cloned().map(Value::scalar).collect());
    let url = post.url.path().to_owned();
    let entries = [
        ("title", Value::scalar(post.title.clone())),
        ("date", Value::scalar(stamp(post.published))),
        ("url", Value::scalar(url.clone())),
        ("id", Value::scalar(url.trim_end_matches(".html").to_owned())),
        ("slug", Value::scalar(post.slug.clone())),
        ("path", Value::scalar(post.path.clone())),
        ("categories", list(&post.categories)),
        ("tags", list(&post.tags)),
        ("excerpt", post.summary.clone().map_or(Value::Nil, Value::scalar)),
    ];
    page.extend(entries.map(|(key, value)| (key.into(), value)));
    Value::Object(page)
}
