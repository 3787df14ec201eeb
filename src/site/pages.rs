//! What posts call each other: `ref`, `@/posts/a.md`, `post_link`. Promises: one reference, one post, whatever else there is.

use crate::post::Post;
use std::collections::HashMap;

/// Every published post under each of its names.
#[derive(Default)]
pub(super) struct Pages {
    by_name: HashMap<String, Page>,
}

/// What is said of a post that another refers to.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) url: String,
    pub(super) title: String,
}

impl Pages {
    /// `posts` with their paths below the site, newest first.
    pub(super) fn of<'a>(posts: impl Iterator<Item = (&'a str, &'a Post)>) -> Self {
        let mut by_name = HashMap::new();
        for (site_path, post) in posts {
            let page = Page { url: post.link.to_string(), title: post.title.clone() };
            let path = ["content/", "source/_posts/", "_posts/"]
                .iter()
                .find_map(|source| site_path.split_once(source).map(|(_, below)| below))
                .unwrap_or(site_path);
            let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
            let folder = stem.strip_suffix("/index").unwrap_or(stem);
            let last = folder.rsplit('/').next().unwrap_or(folder);
            // The longer name is the surer one; of two posts with the same, the newest counts.
            for name in [path, stem, folder, last, &post.slug, post.url().path().trim_matches('/')] {
                by_name.entry(name.to_lowercase()).or_insert_with(|| page.clone());
            }
        }
        Pages { by_name }
    }

    /// The post that `from` refers to.
    pub(super) fn resolve(&self, reference: &str, from: &Post) -> Option<&Page> {
        let name = reference.trim().trim_start_matches("@/").trim_start_matches("./").trim_matches('/').to_lowercase();
        let beside = || {
            let (folder, _) = from.path.rsplit_once('/')?;
            let folder = folder.split_once("content/").map_or(folder, |(_, below)| below);
            self.by_name.get(&format!("{folder}/{name}").to_lowercase())
        };
        let found = self.by_name.get(&name).or_else(beside);
        found.or_else(|| self.by_name.get(name.strip_suffix(".md")?))
    }
}
