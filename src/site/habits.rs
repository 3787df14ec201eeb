//! What generators do unless they are told otherwise: where their sites keep posts, into which folder they build, where the feed
//! stands. For who sets a site up and knows none of it by heart.

use crate::post::front_matter::Yaml;
use crate::post::generator::{Generator, Rules};
use std::path::Path;

/// Folders below a site's sources that people keep posts in, beside pages that are none.
const FOLDERS: [&str; 10] =
    ["posts", "post", "blog", "articles", "writing", "news", "content/posts", "content/blog", "src/posts", "src/blog"];
/// What a new site is called, by `jekyll new` and `hugo new site`, until its author has a name for it.
const NAMELESS: [&str; 2] = ["Your awesome title", "My New Hugo Site"];
/// So deep a folder is searched for a post.
const DEPTH: usize = 4;

/// A site's folders and its feed, each a path from the folder that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Where the posts are.
    pub posts: String,
    /// Into which folder the site is built.
    pub built: String,
    /// Where a feed of the generator's own stands below its address.
    pub feed: &'static str,
    /// That feed, if it lies there, built.
    pub built_feed: Option<String>,
}

/// What is usual at the site that lies in `root`.
pub fn habits(generator: &Generator, root: &Path) -> Habits {
    let within = |path: &str| {
        let folder = generator.folder.canonicalize().unwrap_or_else(|_| generator.folder.clone());
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let below = folder.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default();
        let joined = format!("{below}/{path}");
        match joined.trim_matches('/') {
            "" => ".".to_owned(),
            joined => joined.to_owned(),
        }
    };
    let built = within(&built_into(generator));
    let feeds = feeds(&generator.rules);
    let found = feeds.iter().find(|feed| root.join(&built).join(feed).is_file());
    Habits {
        posts: within(&posts(generator)),
        feed: found.unwrap_or(&feeds[0]),
        built_feed: found.map(|feed| format!("{built}/{feed}")),
        built,
    }
}

/// Takes back what a new site says before its author has said anything: its title, and Hugo's address, which is nobody's. Else they
/// would stand in mails, and in ids for good.
pub fn forget_placeholders(generator: &mut Generator) {
    let nameless = generator.title.take_if(|title| NAMELESS.contains(&title.trim())).is_some();
    if nameless && matches!(generator.rules, Rules::Hugo(_)) {
        generator.url.take_if(|url| url.host_str() == Some("example.org"));
    }
}

/// The folder of the posts, below the generator's.
fn posts(generator: &Generator) -> String {
    let source = match &generator.sources[..] {
        [source] => source.as_str(),
        // Hugo's languages may have a folder each.
        _ => "",
    };
    match generator.rules {
        Rules::Hugo(_) if generator.sources.len() > 1 => String::new(),
        // Their posts are known by the folder's or the file's own name, wherever it lies.
        Rules::Jekyll | Rules::Hexo(_) | Rules::Pelican(_) => source.to_owned(),
        _ => {
            let below = |folder: &str| match source {
                "" => folder.to_owned(),
                source => format!("{source}/{folder}"),
            };
            let folders = FOLDERS.iter().map(|folder| below(folder));
            let mut held = folders.filter(|folder| holds_markdown(&generator.folder.join(folder), DEPTH));
            held.next().unwrap_or_else(|| source.to_owned())
        }
    }
}

/// Whether Markdown lies in a folder, or below it.
pub(super) fn holds_markdown(folder: &Path, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let mut entries = entries.filter_map(Result::ok);
    entries.any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let markdown = [".md", ".markdown"].iter().any(|ending| name.ends_with(ending));
        markdown && !name.starts_with('_')
            || depth > 0 && entry.path().is_dir() && holds_markdown(&entry.path(), depth - 1)
    })
}

fn built_into(generator: &Generator) -> String {
    let (key, usual) = match generator.rules {
        Rules::Jekyll => ("destination", "_site"),
        Rules::Hugo(_) => ("publishdir", "public"),
        Rules::Zola(_) => ("output_dir", "public"),
        Rules::Eleventy => ("output", "_site"),
        Rules::Hexo(_) => ("public_dir", "public"),
        Rules::Pelican(_) => ("OUTPUT_PATH", "output"),
        Rules::Plain => ("", "public"),
    };
    let said = generator.all.get(key).and_then(Yaml::text).map(|said| said.trim_start_matches("./").trim_matches('/'));
    // A folder elsewhere may be another's.
    let said = said.filter(|said| !said.is_empty() && !said.starts_with("..") && !said.contains(':'));
    said.unwrap_or(usual).to_owned()
}

/// Where the feeds of a generator, its plugin or its usual theme stand, the most usual first.
fn feeds(rules: &Rules) -> &'static [&'static str] {
    match rules {
        Rules::Jekyll => &["feed.xml", "atom.xml", "rss.xml"],
        Rules::Hugo(_) => &["index.xml", "feed.xml", "rss.xml"],
        Rules::Zola(_) => &["atom.xml", "rss.xml"],
        Rules::Eleventy => &["feed.xml", "feed/feed.xml", "feed/index.xml", "rss.xml"],
        Rules::Hexo(_) => &["atom.xml", "rss2.xml"],
        Rules::Pelican(_) => &["feeds/all.atom.xml", "feeds/atom.xml", "feeds/all.rss.xml"],
        Rules::Plain => &["feed.xml", "rss.xml", "atom.xml", "index.xml"],
    }
}
