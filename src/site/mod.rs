//! The blog on disk: its posts, what its generator is told, and what its posts include. Promises: only reads, in the same
//! order every time, and a file that cannot be read is a [`Problem`], not the end.

mod beside;
mod branches;
mod habits;
mod pages;
mod pictures;
mod reader;
mod render;
mod section;
mod sources;
mod survey;
mod trace;
mod walk;

pub use beside::{introduction, introduction_file, open_list, overrides};
pub use habits::{Habits, forget_placeholders, habits};
pub use trace::trace;

use crate::feed::Kind;
use crate::post::dialect::{Document, Found};
pub use crate::post::generator::{Generator, Rules};
use crate::post::identity::{Extent, Known, Sketchbook};
use crate::post::settings::Settings;
use crate::post::{Content, Hidden, Person, Post, Problem, Shared, Site, Stamp, translation};
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use reader::{Outcome, Reader};
use render::Renderer;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;
use walk::Facts;

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
    pub posts: Arc<Vec<Arc<Post>>>,
    /// Files that were taken for posts.
    pub read: usize,
    /// Those that are not published now.
    pub hidden: Vec<Hidden>,
    /// What is wrong with the others, or with parts of them.
    pub problems: Vec<Problem>,
    /// How many files are in formats that are not read, by extension.
    pub unread: BTreeMap<String, usize>,
    /// A digest of what posts are read by besides their files: the generator's configuration, and ours.
    pub circumstances: u64,
    renderer: Renderer,
}

/// The generator of the site and what its own configuration says. `root` is the folder of our configuration.
///
/// # Errors
/// [`Error::Generator`] when the configuration is broken, [`Error::NoFolder`] when the posts' folder is missing.
pub fn generator(settings: &Settings, root: &Path) -> Result<Generator, Error> {
    survey::generator(settings, root)
}

/// Whether every folder of posts is there.
///
/// # Errors
/// [`Error::NoFolder`].
pub fn look(settings: &Settings, root: &Path) -> Result<(), Error> {
    let missing = settings.dir.iter().map(|dir| root.join(dir)).find(|folder| !folder.is_dir());
    missing.map_or(Ok(()), |folder| Err(Error::NoFolder(folder)))
}

/// The files that are taken for posts.
pub struct Files(walk::Walked);

/// Finds what the generator would take for posts. Reads none of it.
///
/// # Errors
/// When a folder that the settings name is missing or cannot be read.
pub fn find(settings: &Settings, generator: &Generator, root: &Path) -> Result<Files, Error> {
    look(settings, root)?;
    walk::posts(settings, root, generator).map(Files)
}

/// Reads every post, as it was at `now`. One bad post does not stop it (P8). `known` is what the store remembers: files that
/// did not change since are not read.
pub fn read(
    files: Files,
    settings: &Settings,
    site: &Site,
    generator: &Generator,
    root: &Path,
    known: &[Arc<Known>],
    now: DateTime<Utc>,
) -> Blog {
    let walk::Walked { posts: files, facts, unread, problems: mut unreadable } = files.0;
    let mut folders = vec![generator.source_folder()];
    folders.extend(generator.sources.iter().map(|below| generator.folder.join(below)));
    folders.extend(settings.dir.iter().map(|dir| root.join(dir)));
    let reader = Reader {
        site: site.clone(),
        generator: generator.clone(),
        base: base(site, generator),
        settings: settings.clone(),
        people: sources::people(&folders),
        now,
        dirs: settings.dir.iter().map(|dir| walk::shown(dir)).collect(),
        files,
    };
    let circumstances = reader.circumstances();
    let mut blog = read_all(&reader, facts, known, circumstances);
    // Newest first; of the same moment, by path.
    blog.posts.par_sort_unstable_by(|a, b| b.published.cmp(&a.published).then_with(|| a.path.cmp(&b.path)));
    find_translations(&mut blog.posts, &site.language);
    blog.problems.append(&mut unreadable);
    blog.problems.sort();
    let Parts { posts, hidden, problems } = blog;
    let (read, posts) = (reader.files.len(), Arc::new(posts));
    let renderer = Renderer::new(Arc::new(reader), posts.clone());
    Blog { posts, read, hidden, problems, unread, circumstances, renderer }
}

/// The posts, hidden files and problems, in the order of the files.
fn read_all(reader: &Reader, facts: Vec<Option<Facts>>, known: &[Arc<Known>], circumstances: u64) -> Parts {
    let is_of_these = |row: &&Arc<Known>| {
        let stamp = row.post.stamp.filter(|stamp| stamp.circumstances == circumstances);
        !row.gone && row.extent == Extent::Whole && stamp.is_some()
    };
    let known: HashMap<&str, &Arc<Post>> =
        known.iter().filter(is_of_these).map(|row| (row.post.path.as_str(), &row.post)).collect();
    let remembered = |path: &str, stamp: Stamp| {
        let post = known.get(path).filter(|post| post.stamp == Some(stamp))?;
        // It may be read for an earlier day than before.
        (post.published <= reader.now || reader.generator.future).then(|| (*post).clone())
    };
    let read = |mut desk: Desk, (file, facts): (&walk::PostFile, Option<Facts>)| {
        let Desk { parts, buffer, authors, book, drawn } = &mut desk;
        let stamp = facts.and_then(|facts| reader.stamp(facts, circumstances));
        if let Some(post) = stamp.and_then(|stamp| remembered(file.path(), stamp)) {
            parts.posts.push(post);
            return desk;
        }
        let Outcome { found, mut problems } = reader.read(file, facts, buffer);
        match found {
            Some(Found::Post(document)) => {
                let Document { mut post, body, lasting, .. } = *document;
                book.draw(&body);
                // What is wrong with it is said in every run.
                post.stamp = stamp.filter(|_| lasting && problems.is_empty());
                post.section = section::of(file, reader).map(str::to_owned);
                post.authors = authors.first(post.authors);
                let post = Arc::new(post);
                drawn.push(post.clone());
                parts.posts.push(post);
            }
            Some(Found::Hidden(reason)) => {
                parts.hidden.push(Hidden { path: file.path().to_owned(), reason: reason.to_owned() });
            }
            None => {}
        }
        parts.problems.append(&mut problems);
        desk
    };
    let some = reader.files.par_iter().zip(facts).fold(Default::default, read);
    some.map(Desk::cleared).reduce(Parts::default, Parts::and)
}

impl Blog {
    /// Renders one of its posts: Liquid or shortcodes, Markdown, the sanitiser. What is wrong with the body comes beside it.
    ///
    /// # Errors
    /// When the post's file was taken away or hidden since the blog was read.
    pub fn render(&self, post: &Post) -> Result<(Content, Vec<Problem>), Problem> {
        self.renderer.render(post)
    }

    /// Paths of files that are there but not published: hidden, or broken.
    pub fn unpublished(&self) -> HashSet<&str> {
        let hidden = self.hidden.iter().map(|hidden| hidden.path.as_str());
        hidden.chain(self.problems.iter().map(|problem| problem.path.as_str())).collect()
    }

    /// The file in the site's folder that is, or will be, served at a URL: of pictures, sound and films alone.
    pub fn media_file(&self, url: &Url) -> Option<PathBuf> {
        self.renderer.media_file(url)
    }

    /// The page of the site that lists the posts of a tag, a category or a section, where it has one for sure.
    pub fn listing(&self, kind: Kind, name: &str) -> Option<Url> {
        self.renderer.listing(kind, name)
    }
}

/// What is at hand while files are read.
#[derive(Default)]
struct Desk {
    parts: Parts,
    buffer: Vec<u8>,
    authors: Shared<[Person]>,
    book: Sketchbook,
    /// The posts whose sketches are in the book.
    drawn: Vec<Arc<Post>>,
}

impl Desk {
    fn cleared(self) -> Parts {
        for (post, sketch) in self.drawn.iter().zip(self.book.leaves()) {
            post.body.remember_sketch(sketch);
        }
        self.parts
    }
}

/// What came of some of the files.
#[derive(Default)]
struct Parts {
    posts: Vec<Arc<Post>>,
    hidden: Vec<Hidden>,
    problems: Vec<Problem>,
}

impl Parts {
    fn and(mut self, mut next: Parts) -> Parts {
        self.posts.append(&mut next.posts);
        self.hidden.append(&mut next.hidden);
        self.problems.append(&mut next.problems);
        self
    }
}

/// Tells posts that are translations of others.
fn find_translations(posts: &mut [Arc<Post>], language: &str) {
    let versions = posts.iter().map(|post| translation::Version {
        path: &post.path,
        language: post.rare.language.as_deref(),
        work: post.rare.work.as_deref(),
        day: post.published.date_naive(),
        slug: &post.slug,
    });
    let originals = translation::originals(&versions.collect::<Vec<_>>(), language);
    for (post, original) in posts.iter_mut().zip(originals) {
        // Mostly it is what is remembered of it, which is shared.
        if post.rare.translates != original {
            Arc::make_mut(post).rare.translates = original;
        }
    }
}

/// Where posts are served: the site's address, and below it the generator's `baseurl`, once.
fn base(site: &Site, generator: &Generator) -> Url {
    let path = site.url.path().trim_end_matches('/');
    let below = generator.baseurl.get(1..).map(|below| site.url.join(&format!("{below}/")));
    let Some(Ok(whole)) = below else { return site.url.clone() };
    // As a URL has it, `ö` as `%C3%B6`.
    match whole.path().strip_prefix(site.url.path()) {
        Some(added) if path.ends_with(&format!("/{}", added.trim_end_matches('/'))) => site.url.clone(),
        _ => whole,
    }
}
