//! Finds the posts below the folders that the settings name.

use super::Error;
use crate::post::dialect::Rules;
use crate::post::settings::{Dialect, Settings};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Deeper folders are no blog; links that lead in circles end here at the latest.
const MAX_DEPTH: usize = 40;

/// A file that is taken for a post.
#[derive(Debug)]
pub(super) struct PostFile {
    /// Where it is.
    pub(super) place: PathBuf,
    /// As `Post::path`.
    pub(super) path: String,
    /// Its path below the site's sources.
    pub(super) site_path: String,
    pub(super) rules: Rules,
    pub(super) draft: bool,
}

/// A file as the walk met it.
struct Met {
    place: PathBuf,
    /// Below the walked folder, with `/`.
    below: String,
}

/// All posts, by path.
pub(super) fn posts(settings: &Settings, root: &Path, source: &Path) -> Result<Vec<PostFile>, Error> {
    let mut posts = Vec::new();
    let mut taken = HashSet::new();
    for dir in &settings.dir {
        let folder = root.join(dir);
        if !folder.is_dir() {
            return Err(Error::NoFolder(folder));
        }
        let mut met = Vec::new();
        walk(&folder, "", MAX_DEPTH, &mut HashSet::new(), &mut met)
            .map_err(|error| Error::Unreadable(folder.clone(), error))?;
        let canonical = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let shown = shown(dir);
        // A folder called `_posts`, or inside one, holds Jekyll's posts like one that has it below.
        let within = |name: &str| canonical.components().any(|part| part.as_os_str() == name);
        let inside = within("_posts");
        let is_jekyll = |met: &Met| inside || under(&met.below, "_posts") || under(&met.below, "_drafts");
        let jekyll =
            settings.dialect != Dialect::Plain && (inside || met.iter().any(|met| under(&met.below, "_posts")));
        for met in met {
            let draft = within("_drafts") || under(&met.below, "_drafts");
            let file = met.below.rsplit('/').next().unwrap_or(&met.below);
            let dated = is_dated(file);
            let rules = match settings.dialect {
                Dialect::Plain => Rules::Plain,
                // Jekyll ignores names without a date; among the drafts it does not.
                _ if jekyll && (!is_jekyll(&met) || !dated && !draft) => continue,
                _ if jekyll || dated => Rules::Jekyll,
                Dialect::Jekyll if !draft => continue,
                Dialect::Jekyll => Rules::Jekyll,
                Dialect::Auto => Rules::Plain,
            };
            let html = file.ends_with(".html") || file.ends_with(".htm");
            if html && !starts_with_front_matter(&met.place) {
                continue;
            }
            if !taken.insert(met.place.canonicalize().unwrap_or_else(|_| met.place.clone())) {
                continue;
            }
            let path = if shown.is_empty() { met.below.clone() } else { format!("{shown}/{}", met.below) };
            posts.push(PostFile {
                site_path: site_path(&canonical.join(&met.below), source),
                path,
                place: met.place,
                rules,
                draft,
            });
        }
    }
    posts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(posts)
}

/// The configured folder as it begins a post's path: with `/`, without `.`.
fn shown(dir: &Path) -> String {
    let parts = dir.components().filter_map(|part| match part {
        Component::CurDir => None,
        Component::RootDir => Some(String::new()),
        part => Some(part.as_os_str().to_string_lossy().into_owned()),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A file's path below the site's sources; where it lies elsewhere, below the folder that holds `_posts`.
fn site_path(place: &Path, source: &Path) -> String {
    let source = source.canonicalize().unwrap_or_else(|_| source.to_path_buf());
    let slashed = |path: &Path| {
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
    };
    match place.strip_prefix(&source) {
        Ok(below) => slashed(below),
        Err(_) => {
            let whole = slashed(place);
            whole
                .find("_posts/")
                .map_or_else(|| whole.rsplit('/').next().unwrap_or(&whole).to_owned(), |at| whole[at..].to_owned())
        }
    }
}

fn under(below: &str, folder: &str) -> bool {
    below.rsplit_once('/').is_some_and(|(folders, _)| folders.split('/').any(|part| part == folder))
}

/// `2024-02-05-slug.ext`
fn is_dated(file: &str) -> bool {
    let digits = |part: &str, least: usize, most: usize| {
        (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let mut parts = file.splitn(4, '-');
    let mut next = |least, most| parts.next().is_some_and(|part| digits(part, least, most));
    next(2, 4) && next(1, 2) && next(1, 2) && parts.next().is_some()
}

fn walk(
    folder: &Path,
    below: &str,
    depth: usize,
    seen: &mut HashSet<PathBuf>,
    met: &mut Vec<Met>,
) -> std::io::Result<()> {
    // Symbolic links may lead back up.
    if depth == 0 || !seen.insert(folder.canonicalize()?) {
        return Ok(());
    }
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let special = matches!(name, "_posts" | "_drafts");
        if name.starts_with(['.', '#', '~']) || name.ends_with('~') || name.starts_with('_') && !special {
            continue;
        }
        let place = entry.path();
        // Follows links; a dangling one is nothing.
        let Ok(kind) = std::fs::metadata(&place) else { continue };
        let below = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if kind.is_dir() {
            if !matches!(name, "node_modules" | "vendor" | "target") {
                // A folder inside that cannot be read takes only itself away.
                let _ = walk(&place, &below, depth - 1, seen, met);
            }
        } else if kind.is_file() && is_text(name) {
            met.push(Met { place, below });
        }
    }
    Ok(())
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
