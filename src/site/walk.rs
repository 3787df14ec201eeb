//! Finds the posts below the folders that the settings name.

use super::Error;
use crate::post::Problem;
use crate::post::dialect::{self, Dialect};
use crate::post::generator::Generator;
use crate::post::settings::Settings;
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Deeper folders are no blog; links that lead in circles end here at the latest.
const MAX_DEPTH: usize = 40;

/// A file that is taken for a post.
#[derive(Debug)]
pub(super) struct PostFile {
    /// Where it is.
    pub(super) place: Box<Path>,
    path: Tail,
    site_path: Tail,
    pub(super) dialect: Dialect,
    pub(super) draft: bool,
}

impl PostFile {
    fn new(place: PathBuf, path: String, site_path: String, dialect: Dialect, draft: bool) -> Self {
        let (path, site_path) = (Tail::of(&place, path), Tail::of(&place, site_path));
        PostFile { place: place.into(), path, site_path, dialect, draft }
    }

    /// As `Post::path`.
    pub(super) fn path(&self) -> &str {
        self.path.within(&self.place)
    }

    /// Its path below the site's sources.
    pub(super) fn site_path(&self) -> &str {
        self.site_path.within(&self.place)
    }
}

/// A path that mostly is the end of another: who has a hundred thousand files keeps each name once.
#[derive(Debug)]
enum Tail {
    /// From this octet on.
    From(u32),
    /// It is another path, by a symbolic link.
    Own(Box<str>),
}

impl Tail {
    fn of(place: &Path, path: String) -> Self {
        let start = place.to_str().and_then(|place| place.strip_suffix(&path)).map(str::len);
        start.and_then(|start| u32::try_from(start).ok()).map_or_else(|| Tail::Own(path.into()), Tail::From)
    }

    fn within<'a>(&'a self, place: &'a Path) -> &'a str {
        match self {
            Tail::From(start) => place.to_str().and_then(|place| place.get(*start as usize..)).unwrap_or_default(),
            Tail::Own(path) => path,
        }
    }
}

/// What the system says of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// In octets.
    pub(super) length: u64,
    pub(super) inode: u64,
    /// When its contents changed, in nanoseconds since 1970.
    pub(super) modified: i64,
    /// When anything of it changed, which nobody can set back.
    pub(super) changed: i64,
}

impl Facts {
    pub(super) fn of(place: &Path) -> Option<Self> {
        let facts = std::fs::metadata(place).ok().filter(std::fs::Metadata::is_file)?;
        let nanoseconds = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
        Some(Facts {
            length: facts.len(),
            inode: facts.ino(),
            modified: nanoseconds(facts.mtime(), facts.mtime_nsec())?,
            changed: nanoseconds(facts.ctime(), facts.ctime_nsec())?,
        })
    }

    /// The later of its times.
    pub(super) fn newest(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.modified.max(self.changed))
    }
}

/// A file as the walk met it.
struct Met {
    /// Without symbolic links.
    place: PathBuf,
    /// Below the walked folder, with `/`; what is not UTF-8 in it is replaced.
    below: String,
    what: What,
}

enum What {
    File,
    /// It has the name of a post and cannot be read, for this reason, with this remedy.
    NoFile(String, &'static str),
    /// A folder of which nothing is read, likewise.
    Folder(String, &'static str),
}

/// Everything that the folders of the settings hold.
#[derive(Default)]
pub(super) struct Walked {
    /// All posts, by path.
    pub(super) posts: Vec<PostFile>,
    /// What the system says of each of them; `None` where it tells nothing. It is needed no longer than until they are read.
    pub(super) facts: Vec<Option<Facts>>,
    /// Files in formats that are not read, by extension.
    pub(super) unread: BTreeMap<String, usize>,
    /// What has the name of a post, or may hold posts, and cannot be read: none is lost without a word.
    pub(super) problems: Vec<Problem>,
}

/// Finds what a generator would take for posts.
pub(super) fn posts(settings: &Settings, root: &Path, generator: &Generator) -> Result<Walked, Error> {
    let mut walked = Walked::default();
    let dialect = generator.rules.dialect();
    let site = generator.source_folder();
    let site = site.canonicalize().unwrap_or(site);
    for dir in &settings.dir {
        let folder = root.join(dir);
        let mut met = Vec::new();
        walk(&folder, "", MAX_DEPTH, &mut HashSet::new(), &mut met)
            .map_err(|error| Error::Unreadable(folder.clone(), error))?;
        let canonical = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let shown = shown(dir);
        let bundles = bundles(&met);
        let prefix = canonical.strip_prefix(&site).map(slashed);
        for met in met {
            let path = if shown.is_empty() { met.below.clone() } else { format!("{shown}/{}", met.below) };
            let problem = |message, help: &str| Problem {
                path: path.clone(),
                line: None,
                column: None,
                message,
                help: help.to_owned(),
            };
            if let What::Folder(message, help) = met.what {
                walked.problems.push(problem(message, help));
                continue;
            }
            let site_path = match &prefix {
                Ok(prefix) if prefix.is_empty() => met.below.clone(),
                Ok(prefix) => format!("{prefix}/{}", met.below),
                Err(_) => site_path(&canonical.join(&met.below), &site),
            };
            let Some((dialect, draft)) = taken_for(dialect, &site_path, generator, settings) else { continue };
            let file = met.below.rsplit('/').next().unwrap_or(&met.below);
            if let Some(format) = unread(file) {
                *walked.unread.entry(format.to_owned()).or_default() += 1;
                continue;
            }
            if matches!(dialect, Dialect::Hugo | Dialect::Zola) && is_resource(&met.below, file, &bundles) {
                continue;
            }
            if let What::NoFile(message, help) = met.what {
                walked.problems.push(problem(message, help));
                continue;
            }
            let html = file.ends_with(".html") || file.ends_with(".htm");
            if html && !starts_with_front_matter(&met.place) {
                continue;
            }
            walked.posts.push(PostFile::new(met.place, path, site_path, dialect, draft));
        }
    }
    walked.posts = each_once(walked.posts);
    walked.posts.sort_unstable_by(|a, b| a.path().cmp(b.path()));
    walked.posts.shrink_to_fit();
    walked.facts = walked.posts.par_iter().map(|post| Facts::of(&post.place)).collect();
    Ok(walked)
}

/// Two folders of the settings may lie in each other, and links may lead to the same file.
fn each_once(posts: Vec<PostFile>) -> Vec<PostFile> {
    let mut places = HashSet::with_capacity(posts.len());
    let first: Vec<bool> = posts.iter().map(|post| places.insert(&*post.place)).collect();
    posts.into_iter().zip(first).filter_map(|(post, first)| first.then_some(post)).collect()
}

/// Whose rules a file follows, and whether it lies among the drafts; `None` for what is no post.
fn taken_for(dialect: Dialect, site_path: &str, generator: &Generator, settings: &Settings) -> Option<(Dialect, bool)> {
    let (folders, file) = site_path.rsplit_once('/').unwrap_or(("", site_path));
    let within = |name: &str| folders.split('/').any(|folder| folder == name);
    let draft = within("_drafts");
    let below = |source: &str| {
        let path = format!("/{folders}/");
        source.is_empty() || path.starts_with(&format!("/{source}/")) || path.contains(&format!("/{source}/"))
    };
    match dialect {
        // A name without a date is ignored; among the drafts it is not.
        Dialect::Jekyll => ((within("_posts") && dialect::is_dated(file)) || draft).then_some((dialect, draft)),
        Dialect::Hexo => (within("_posts") || draft).then_some((dialect, draft)),
        // A section's own page is no post.
        Dialect::Hugo | Dialect::Zola if file.starts_with("_index.") => None,
        Dialect::Hugo | Dialect::Zola => {
            generator.sources.iter().any(|source| below(source)).then_some((dialect, draft))
        }
        Dialect::Pelican => (below(generator.sources.first().map_or("", |source| source)) && !within("pages"))
            .then_some((dialect, draft)),
        Dialect::Eleventy => below(generator.sources.first().map_or("", |source| source)).then_some((dialect, draft)),
        // Without a sign of a generator, a dated name is read as the one reads it that made such names known.
        Dialect::Plain if settings.dialect.is_none() && dialect::is_dated(file) => Some((Dialect::Jekyll, draft)),
        Dialect::Plain => Some((dialect, draft)),
    }
}

/// Folders that are a page: they hold an `index.md`.
fn bundles(met: &[Met]) -> HashSet<String> {
    let folders = met.iter().filter_map(|met| {
        let (folder, file) = met.below.rsplit_once('/')?;
        file.starts_with("index.").then(|| folder.to_owned())
    });
    folders.collect()
}

/// Whether a file belongs to the page of its folder or of one above it.
fn is_resource(below: &str, file: &str, bundles: &HashSet<String>) -> bool {
    let Some((folder, _)) = below.rsplit_once('/') else { return false };
    let above = folder.match_indices('/').map(|(at, _)| &folder[..at]);
    above.into_iter().any(|above| bundles.contains(above)) || bundles.contains(folder) && !file.starts_with("index.")
}

/// Formats that blogs hold beside Markdown and that are not read.
fn unread(file: &str) -> Option<&'static str> {
    let extension = file.rsplit_once('.')?.1.to_ascii_lowercase();
    ["rst", "adoc", "asciidoc", "org", "ipynb", "mdx", "rmd", "pdc", "textile"]
        .into_iter()
        .find(|known| *known == extension)
}

/// The configured folder as it begins a post's path: with `/`, without `.`.
pub(super) fn shown(dir: &Path) -> String {
    let parts = dir.components().filter_map(|part| match part {
        Component::CurDir => None,
        Component::RootDir => Some(String::new()),
        part => Some(part.as_os_str().to_string_lossy().into_owned()),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A file's path below the site's sources; where it lies elsewhere, below the folder that holds `_posts` or `content`.
fn site_path(place: &Path, site: &Path) -> String {
    match place.strip_prefix(site) {
        Ok(below) => slashed(below),
        Err(_) => {
            let whole = slashed(place);
            let at = ["_posts/", "content/"].iter().find_map(|folder| whole.find(folder));
            at.map_or_else(|| whole.rsplit('/').next().unwrap_or(&whole).to_owned(), |at| whole[at..].to_owned())
        }
    }
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

fn walk(
    folder: &Path,
    below: &str,
    depth: usize,
    seen: &mut HashSet<PathBuf>,
    met: &mut Vec<Met>,
) -> std::io::Result<()> {
    let real = folder.canonicalize()?;
    // Symbolic links may lead back up.
    if !seen.insert(real.clone()) {
        return Ok(());
    }
    if depth == 0 {
        return Err(std::io::Error::other("it lies too deep"));
    }
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name();
        let name = &*file_name.to_string_lossy();
        let special = matches!(name, "_posts" | "_drafts");
        if name.starts_with(['.', '#', '~']) || name.ends_with('~') || name.starts_with('_') && !special {
            continue;
        }
        let (kind, place) = match followed(&entry, real.join(&file_name)) {
            Ok((kind, place)) => (Ok(kind), place),
            Err(error) => (Err(error), PathBuf::new()),
        };
        let below = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let post = is_text(name) || unread(name).is_some();
        let what = match kind {
            Ok(kind) if kind.is_dir() && matches!(name, "node_modules" | "vendor" | "target") => continue,
            Ok(kind) if kind.is_dir() && file_name.to_str().is_none() => {
                What::Folder("The folder's name is not UTF-8: nothing in it is read".to_owned(), "rename it")
            }
            // A folder inside that cannot be read takes only itself away.
            Ok(kind) if kind.is_dir() => match walk(&place, &below, depth - 1, seen, met) {
                Ok(()) => continue,
                Err(error) => What::Folder(
                    format!("The folder cannot be read: {error}"),
                    "check its permissions, or move what is in it",
                ),
            },
            _ if !post && !special => continue,
            Ok(_) if file_name.to_str().is_none() => {
                What::NoFile("The file's name is not UTF-8".to_owned(), "rename it")
            }
            Ok(kind) if kind.is_file() => What::File,
            Ok(_) => What::NoFile(
                "This has the name of a post and is no file".to_owned(),
                "move it away, or put a file in its place",
            ),
            Err(error) => {
                let (message, help) = (format!("The link cannot be followed: {error}"), "remove it, or let it lead on");
                if post { What::NoFile(message, help) } else { What::Folder(message, help) }
            }
        };
        met.push(Met { place, below, what });
    }
    Ok(())
}

/// What an entry is and where it really lies; symbolic links are followed.
fn followed(entry: &std::fs::DirEntry, place: PathBuf) -> std::io::Result<(std::fs::FileType, PathBuf)> {
    let kind = entry.file_type()?;
    if !kind.is_symlink() {
        return Ok((kind, place));
    }
    let target = place.canonicalize()?;
    Ok((std::fs::metadata(&target)?.file_type(), target))
}

fn is_text(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    matches!(extension.as_deref(), Some("md" | "markdown" | "mkd" | "mkdn" | "mkdown" | "html" | "htm"))
}

fn starts_with_front_matter(place: &Path) -> bool {
    let mut start = [0; 8];
    let read = std::fs::File::open(place).and_then(|mut file| file.read(&mut start));
    let start = &start[..read.unwrap_or(0)];
    start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).starts_with(b"---")
}
