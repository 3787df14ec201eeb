//! Which feeds a site has, and which posts each of them is of.

use super::settings::{ContentKind, Kind, Named, Settings};
use super::{Format, language, slug, xml};
use crate::post::{Post, Site};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// A feed that the site has.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// Why there is it.
    pub role: Role,
    /// Its folder below that of all feeds, `tag/rust`; empty for the site's own.
    pub folder: String,
    /// The tag, the author…, spelt as its oldest post spells it; empty for the site's own.
    pub name: String,
    /// Plain text on one line.
    pub title: String,
    /// The page that lists its posts; the site's own where that is not known.
    pub home: Option<Url>,
    /// Of its posts, where they have one in common.
    pub language: Option<String>,
    /// How many posts it holds at most.
    pub limit: usize,
    /// How much of each.
    pub content: ContentKind,
    /// The posts that belong in it, newest first, by their places in the blog. All of them, where its history is kept;
    /// else no more than `limit`.
    pub posts: Vec<usize>,
}

/// Why there is a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is the site's own.
    Site,
    /// A `[[feed]]` asks for it.
    Named,
    /// `feeds.for` asks for it.
    For(Kind),
}

impl Scope {
    /// Its file in a format, below the folder of all feeds.
    pub fn file(&self, format: Format) -> String {
        below(&self.folder, format.file_name())
    }
}

/// The path of something in a feed's folder.
pub fn below(folder: &str, path: &str) -> String {
    match folder.is_empty() {
        true => path.to_owned(),
        false => format!("{folder}/{path}"),
    }
}

/// What the feeds of a site follow from.
pub struct Wanted<'a> {
    /// The site.
    pub site: &'a Site,
    /// `[feeds]`
    pub settings: &'a Settings,
    /// `[[feed]]`
    pub named: &'a [Named],
    /// The names of the feeds that once were written, by folder: what a reader subscribed to stays there.
    pub written: &'a BTreeMap<String, String>,
}

impl Wanted<'_> {
    /// All feeds: the site's own, those by name, then those of `feeds.for`, by folder. `posts` are newest first.
    pub fn scopes(&self, posts: &[Arc<Post>]) -> Vec<Scope> {
        let originals = || posts.iter().enumerate().filter(|(_, post)| post.in_feeds && post.rare.translates.is_none());
        let Settings { limit, content, .. } = *self.settings;
        let mut scopes = vec![Scope {
            role: Role::Site,
            folder: String::new(),
            name: String::new(),
            title: xml::line(&self.site.title),
            home: None,
            language: None,
            limit,
            content,
            posts: originals().map(|(at, _)| at).collect(),
        }];
        scopes.extend(self.named.iter().map(|named| Scope {
            role: Role::Named,
            folder: named.name.as_str().to_owned(),
            name: named.name.as_str().to_owned(),
            title: named.title.as_ref().map_or_else(|| self.title(named.name.as_str()), |title| xml::line(title)),
            home: None,
            language: None,
            limit: named.limit.unwrap_or(limit),
            content: named.content.unwrap_or(content),
            posts: originals().filter(|(_, post)| named.takes(post)).map(|(at, _)| at).collect(),
        }));
        let mut kinds = self.settings.further.clone();
        kinds.sort();
        kinds.dedup();
        for kind in kinds {
            match kind {
                // The one feed in which a translation is wanted.
                Kind::Language => {
                    let all = posts.iter().enumerate().filter(|(_, post)| post.in_feeds);
                    self.add(kind, all, |post| vec![self.language(post)], &mut scopes);
                }
                Kind::Tag => self.add(kind, originals(), |post| post.tags.to_vec(), &mut scopes),
                Kind::Category => self.add(kind, originals(), |post| post.categories.to_vec(), &mut scopes),
                Kind::Author => {
                    let names = |post: &Post| post.authors.iter().map(|author| author.name.clone()).collect();
                    self.add(kind, originals(), names, &mut scopes);
                }
                Kind::Section => {
                    self.add(kind, originals(), |post| post.section.clone().into_iter().collect(), &mut scopes)
                }
            }
        }
        scopes
    }

    /// A feed for each of the names that posts have.
    fn add<'p>(
        &self,
        kind: Kind,
        posts: impl Iterator<Item = (usize, &'p Arc<Post>)>,
        names_of: impl Fn(&Post) -> Vec<String>,
        scopes: &mut Vec<Scope>,
    ) {
        let mut found: BTreeMap<String, (String, Vec<usize>)> = BTreeMap::new();
        let start = format!("{}/", kind.folder());
        for (folder, name) in self.written.iter().filter(|(folder, _)| folder.starts_with(&start)) {
            found.insert(folder.clone(), (name.clone(), Vec::new()));
        }
        for (at, post) in posts {
            for name in names_of(post).iter().map(|name| xml::line(name)).filter(|name| !name.is_empty()) {
                let folder = format!("{start}{}", slug::slug(&name));
                let known = self.written.contains_key(&folder);
                let (title, posts) = found.entry(folder).or_default();
                if posts.len() < self.settings.limit && posts.last() != Some(&at) {
                    posts.push(at);
                }
                if !known {
                    *title = name;
                }
            }
        }
        scopes.extend(found.into_iter().map(|(folder, (name, posts))| Scope {
            role: Role::For(kind),
            folder,
            title: self.title(&name),
            home: None,
            language: (kind == Kind::Language).then(|| name.clone()),
            limit: self.settings.limit,
            content: self.settings.content,
            posts,
            name,
        }));
    }

    fn title(&self, name: &str) -> String {
        xml::line(&format!("{} – {name}", self.site.title))
    }

    fn language(&self, post: &Post) -> String {
        language(post.rare.language.as_ref().unwrap_or(&self.site.language))
    }
}
