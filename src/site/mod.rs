//! The blog on disk: its posts, what its generator is told, and what its posts include. Promises: only reads, in the same
//! order every time, and a file that cannot be read is a [`Problem`], not the end.

mod beside;
mod branches;
mod pages;
mod pictures;
mod render;
mod sources;
mod survey;
mod walk;

pub use beside::{open_list, overrides};

use crate::post::dialect::{self, Context, Document, File, Found};
pub use crate::post::generator::{Generator, Rules};
use crate::post::settings::Settings;
use crate::post::{Content, Hidden, Post, Problem, Site, translation};
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use render::{Renderer, Source};
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
    renderer: Renderer,
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
    let source = generator.source_folder();
    let walk::Walked { posts: files, unread } = walk::posts(settings, root, generator)?;
    let base = base(site, generator);
    let mut folders = vec![source.clone()];
    folders.extend(generator.sources.iter().map(|below| generator.folder.join(below)));
    folders.extend(settings.dir.iter().map(|dir| root.join(dir)));
    let people = sources::people(&folders);
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
    let mut posts = Vec::with_capacity(blog.documents.len());
    let mut sources = HashMap::with_capacity(blog.documents.len());
    for (site_path, document) in blog.documents {
        let Document { post, front, body_line, flavour, templating, .. } = document;
        sources.insert(post.path.clone(), Source { site_path, front, body_line, flavour, templating });
        posts.push(post);
    }
    blog.problems.sort();
    let Parts { read, hidden, problems, .. } = blog;
    let renderer = Renderer::new(sources, generator.clone(), source, base, site.timezone);
    Ok(Blog { posts, read, hidden, problems, unread, renderer })
}

impl Blog {
    /// Renders one of its posts: Liquid or shortcodes, Markdown, the sanitiser. What is wrong with the body comes beside it.
    pub fn render(&self, post: &Post) -> (Content, Vec<Problem>) {
        self.renderer.render(post, &self.posts)
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
