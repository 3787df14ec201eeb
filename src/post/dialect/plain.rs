//! A plain folder: Markdown files whose front matter says when they were published.

use super::Name;
use crate::post::front_matter::Yaml;

/// The slug of a file: its name without the extension; of `index.md`, its folder's.
pub(super) fn name(path: &str) -> Name<'_> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let folder = folder.rsplit('/').next().unwrap_or_default();
    Name { date: None, slug: if stem == "index" && !folder.is_empty() { folder } else { stem } }
}

/// What the front matter names, each once.
pub(super) fn categories(front: &Yaml) -> Vec<String> {
    let mut categories = super::words(front.get("categories"));
    categories.extend(front.get("category").and_then(Yaml::text).map(str::to_owned));
    super::each_once(categories)
}
