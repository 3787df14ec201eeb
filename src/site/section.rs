//! The section of a post: the first folder below the site's sources, as Hugo and Zola count; elsewhere, below the folder of
//! posts. And the pages that list posts, where a generator makes them unasked.

use super::reader::Reader;
use super::walk::PostFile;
use crate::feed::Kind;
use crate::post::generator::Rules;
use url::Url;

/// The page that lists the posts of a tag, a category or a section. Only Hugo's are told, since nobody else has them without
/// a theme's doing, and no address is better than one that leads nowhere.
pub(super) fn listing(kind: Kind, name: &str, reader: &Reader) -> Option<Url> {
    let Rules::Hugo(hugo) = &reader.generator.rules else { return None };
    let all = &reader.generator.all;
    let path = match kind {
        Kind::Tag => hugo.term_page(all, "tags", name),
        Kind::Category => hugo.term_page(all, "categories", name),
        Kind::Section => hugo.section_page(all, name),
        Kind::Author | Kind::Language => None,
    }?;
    reader.base.join(path.trim_start_matches('/')).ok()
}

/// The section in which a file lies; `None` right in the folder.
pub(super) fn of<'a>(file: &'a PostFile, reader: &'a Reader) -> Option<&'a str> {
    let sources = || reader.generator.sources.iter();
    let below = match reader.generator.rules {
        Rules::Hugo(_) | Rules::Zola(_) => without(file.site_path(), sources()),
        _ => without(without(file.path(), reader.dirs.iter()), sources()),
    };
    first_folder(below)
}

/// The path without the longest of those folders that it begins with.
fn without<'a>(path: &'a str, folders: impl Iterator<Item = &'a String>) -> &'a str {
    let rests = folders.filter_map(|folder| path.strip_prefix(folder.as_str())?.strip_prefix('/'));
    rests.min_by_key(|rest| rest.len()).unwrap_or(path)
}

/// `_posts` and the like are no sections, nor is the folder that is itself the post.
fn first_folder(below: &str) -> Option<&str> {
    let (folders, file) = below.rsplit_once('/')?;
    let folders = match file.starts_with("index.") {
        true => folders.rsplit_once('/')?.0,
        false => folders,
    };
    folders.split('/').find(|folder| !folder.is_empty() && !folder.starts_with(['_', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_means_something() {
        for (path, expected) in [
            ("birds/2026-herons.md", Some("birds")),
            ("birds/grey/herons/index.md", Some("birds")),
            ("herons/index.md", None),
            ("herons.md", None),
            ("_posts/2026-11-16-herons.md", None),
            ("birds/_posts/2026-11-16-herons.md", Some("birds")),
            ("_posts/birds/2026-11-16-herons.md", Some("birds")),
        ] {
            assert_eq!(first_folder(path), expected, "{path}");
        }
        let folders = ["content".to_owned(), "content/de".to_owned()];
        assert_eq!(without("content/de/birds/a.md", folders.iter()), "birds/a.md");
        assert_eq!(without("contents/a.md", folders.iter()), "contents/a.md");
    }
}
