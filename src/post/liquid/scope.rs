//! What names mean: the page's own, the site's, and what the posts are to each other. Where the crate fails on a variable that
//! does not exist, Jekyll gives nothing.

use super::{Facts, Pages, Shared};
use liquid_core::model::{KString, KStringCow, KStringRef, Object, ScalarCow, Value, ValueCow, ValueView, try_find};
use liquid_core::runtime::{PartialStore, Registers};
use liquid_core::{Result, Runtime};
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

/// As many as Jekyll names.
const RELATED: usize = 10;

impl Shared {
    pub(super) fn new(facts: Facts, orders: HashMap<Vec<String>, Vec<String>>, source: Box<Pages>) -> Self {
        let (posts, places, tags, categories) = (OnceLock::new(), OnceLock::new(), OnceLock::new(), OnceLock::new());
        Shared { facts, orders, source, posts, places, tags, categories }
    }

    fn prefix(&self) -> &str {
        self.facts.base.path().trim_end_matches('/')
    }

    /// `site.posts`.
    fn all(&self) -> &Value {
        let posts = || (self.source)().into_iter().map(|post| without_prefix(post, self.prefix()));
        self.posts.get_or_init(|| Value::Array(posts().collect()))
    }

    fn posts(&self) -> &[Value] {
        match self.all() {
            Value::Array(posts) => posts,
            _ => &[],
        }
    }

    /// The place of a page among the posts.
    fn place(&self, page: &Value) -> Option<usize> {
        let path = |post: &Value| property(post, "path").map(|path| path.to_kstr().into_string());
        let places = || self.posts().iter().enumerate().filter_map(|(place, post)| Some((path(post)?, place)));
        self.places.get_or_init(|| places().collect()).get(&path(page)?).copied()
    }

    /// `site.tags`, `site.categories`: the posts of each, newest first.
    fn by_word(&self, key: &str) -> Value {
        let mut map = Object::new();
        for post in self.posts() {
            let Some(Value::Array(words)) = property(post, key) else { continue };
            for word in words {
                match map.entry(word.to_kstr().into_owned()).or_insert_with(|| Value::Array(Vec::new())) {
                    Value::Array(posts) => posts.push(post.clone()),
                    _ => continue,
                }
            }
        }
        Value::Object(map)
    }
}

fn property<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(key),
        _ => None,
    }
}

/// A post's address as Jekyll gives it: below the site's `baseurl`.
fn without_prefix(post: Value, prefix: &str) -> Value {
    let Value::Object(mut map) = post else { return post };
    for key in ["url", "id"] {
        if let Some(url) = map.get(key).map(|url| url.to_kstr().into_string())
            && let Some(below) = url.strip_prefix(prefix).filter(|below| below.starts_with('/'))
        {
            map.insert(key.into(), Value::scalar(below.to_owned()));
        }
    }
    map.insert("collection".into(), Value::scalar("posts"));
    Value::Object(map)
}

/// The names of a post's own text.
pub(super) struct Scope<'a, R> {
    inner: Lenient<R>,
    shared: &'a Shared,
    page: &'a Value,
    /// What the page is called among all.
    itself: OnceLock<Value>,
    /// The page, where its front matter is also named without it.
    bare: Option<&'a Value>,
}

impl<'a, R: Runtime> Scope<'a, R> {
    pub(super) fn new(inner: R, shared: &'a Shared, page: &'a Value) -> Self {
        let bare = shared.facts.bare_names.then_some(page);
        Scope { inner: Lenient(inner), shared, page, itself: OnceLock::new(), bare }
    }

    /// What only the posts together tell. `Some(None)`: there is none.
    fn known(&self, path: &[ScalarCow<'_>]) -> Option<Option<ValueCow<'_>>> {
        let [root, key, rest @ ..] = path else { return None };
        let key = key.to_kstr();
        let within = |value: &'a Value, rest: &[ScalarCow<'_>]| Some(try_find(value, rest));
        match (&*root.to_kstr(), &*key) {
            ("site", "posts" | "documents") => within(self.shared.all(), rest),
            ("site", "tags") => within(self.shared.tags.get_or_init(|| self.shared.by_word("tags")), rest),
            ("site", "categories") => {
                within(self.shared.categories.get_or_init(|| self.shared.by_word("categories")), rest)
            }
            ("site", "related_posts") => {
                let own = self.shared.place(self.page);
                let others = self.shared.posts().iter().enumerate().filter(|(place, _)| Some(*place) != own);
                let related: Vec<Value> = others.take(RELATED).map(|(_, post)| post.clone()).collect();
                let related = Value::Array(related);
                Some(try_find(&related, rest).map(|found| ValueCow::Owned(found.into_owned())))
            }
            ("site", "collections") => {
                let collection = [("label", Value::scalar("posts")), ("docs", self.shared.all().clone())];
                let collection = collection.into_iter().map(|(key, value)| (key.into(), value)).collect();
                let collections = Value::Array(vec![Value::Object(collection)]);
                Some(try_find(&collections, rest).map(|found| ValueCow::Owned(found.into_owned())))
            }
            ("page", "previous" | "next") => {
                let mut place = self.shared.place(self.page);
                let mut rest = &path[1..];
                while let Some((step, after)) = rest.split_first() {
                    place = match &*step.to_kstr() {
                        "previous" => place.map(|place| place + 1),
                        "next" => place.and_then(|place| place.checked_sub(1)),
                        _ => break,
                    };
                    rest = after;
                }
                let post = place.and_then(|place| self.shared.posts().get(place));
                Some(post.and_then(|post| try_find(post, rest)))
            }
            ("page", "url" | "id" | "collection") => {
                property(self.page, "path")?;
                let itself = self.itself.get_or_init(|| without_prefix(self.page.clone(), self.shared.prefix()));
                Some(try_find(itself, &path[1..]))
            }
            _ => None,
        }
    }
}

impl<R: Runtime> Runtime for Scope<'_, R> {
    fn partials(&self) -> &dyn PartialStore {
        self.inner.partials()
    }

    fn name(&self) -> Option<KStringRef<'_>> {
        self.inner.name()
    }

    fn roots(&self) -> BTreeSet<KStringCow<'_>> {
        self.inner.roots()
    }

    fn try_get(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        let named = self.known(path).unwrap_or_else(|| self.inner.try_get(path));
        named.or_else(|| try_find(self.bare?, path))
    }

    fn get(&self, path: &[ScalarCow<'_>]) -> Result<ValueCow<'_>> {
        Ok(self.try_get(path).unwrap_or(ValueCow::Owned(Value::Nil)))
    }

    fn set_global(&self, name: KString, value: Value) -> Option<Value> {
        self.inner.set_global(name, value)
    }

    fn set_index(&self, name: KString, value: Value) -> Option<Value> {
        self.inner.set_index(name, value)
    }

    fn get_index<'a>(&'a self, name: &str) -> Option<ValueCow<'a>> {
        self.inner.get_index(name)
    }

    fn registers(&self) -> &Registers {
        self.inner.registers()
    }
}

/// Gives nothing where the crate would fail.
pub(super) struct Lenient<R>(pub(super) R);

impl<R: Runtime> Runtime for Lenient<R> {
    fn partials(&self) -> &dyn PartialStore {
        self.0.partials()
    }

    fn name(&self) -> Option<KStringRef<'_>> {
        self.0.name()
    }

    fn roots(&self) -> BTreeSet<KStringCow<'_>> {
        self.0.roots()
    }

    fn try_get(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        self.0.try_get(path)
    }

    fn get(&self, path: &[ScalarCow<'_>]) -> Result<ValueCow<'_>> {
        Ok(self.0.try_get(path).unwrap_or(ValueCow::Owned(Value::Nil)))
    }

    fn set_global(&self, name: KString, value: Value) -> Option<Value> {
        self.0.set_global(name, value)
    }

    fn set_index(&self, name: KString, value: Value) -> Option<Value> {
        self.0.set_index(name, value)
    }

    fn get_index<'a>(&'a self, name: &str) -> Option<ValueCow<'a>> {
        self.0.get_index(name)
    }

    fn registers(&self) -> &Registers {
        self.0.registers()
    }
}
