//! Which post is one that is known.

use super::{Known, Rules, Sketch, language, mint};
use crate::post::Post;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use url::{Position, Url};

/// A shorter body is too likely to be another's too.
const LEAST_BODY: usize = 200;
/// More alike than this, in thousandths, and it may be the same post.
const ALIKE: usize = 600;
/// A phrase that stands in more bodies than this says nothing about which is which, and would cost time.
const COMMON_PHRASE: usize = 64;

/// For each post the row that is the same post. One to one.
pub(super) struct Matching<'a> {
    known: &'a [Arc<Known>],
    posts: &'a [Arc<Post>],
    /// The posts' indices in the order of their paths: what is done in it depends on no other order.
    order: Vec<usize>,
    /// By post: the author's own id, if no other post has the better claim to it.
    pub(super) guids: Vec<Option<String>>,
    /// By post: the index of its row.
    pub(super) rows: Vec<Option<usize>>,
    /// By row: whether a post has it.
    taken: Vec<bool>,
}

impl<'a> Matching<'a> {
    pub(super) fn of(known: &'a [Arc<Known>], posts: &'a [Arc<Post>], rules: &Rules) -> Self {
        let mut order: Vec<usize> = (0..posts.len()).collect();
        order.sort_by_key(|&index| &posts[index].path);
        let mut matching = Matching {
            known,
            posts,
            order,
            guids: vec![None; posts.len()],
            rows: vec![None; posts.len()],
            taken: vec![false; known.len()],
        };
        matching.by_guid(rules);
        matching.by_path();
        matching.between_vanished_and_new(rules);
        matching
    }

    /// The rows that no post has.
    pub(super) fn vanished(&self) -> Vec<usize> {
        (0..self.known.len()).filter(|&row| !self.taken[row]).collect()
    }

    /// The posts that have no row, in the order of their paths.
    pub(super) fn new_posts(&self) -> Vec<usize> {
        self.order.iter().copied().filter(|&post| self.rows[post].is_none()).collect()
    }

    fn unite(&mut self, post: usize, row: usize) {
        self.rows[post] = Some(row);
        self.taken[row] = true;
    }

    /// Two different guids are two posts, by the author's own word.
    fn may_unite(&self, post: usize, row: usize) -> bool {
        let guids = (&self.guids[post], &self.known[row].guid);
        !self.taken[row] && self.rows[post].is_none() && !matches!(guids, (Some(a), Some(b)) if a != b)
    }

    fn by_guid(&mut self, rules: &Rules) {
        let by_id: HashMap<&str, usize> =
            self.known.iter().enumerate().map(|(index, row)| (row.id.0.as_str(), index)).collect();
        let by_guid: HashMap<&str, usize> = self
            .known
            .iter()
            .enumerate()
            .filter_map(|(index, row)| row.guid.as_deref().map(|guid| (guid, index)))
            .collect();
        let here: HashSet<&str> = self.posts.iter().map(|post| post.path.as_str()).collect();
        // Where a guid was copied along with a file, the post that had it keeps it, else the first path has it.
        let mut claims: HashMap<String, (usize, Option<usize>)> = HashMap::new();
        for &index in &self.order {
            let post = &self.posts[index];
            let Some(guid) = post.rare.guid.as_deref().map(str::trim).filter(|guid| !guid.is_empty()) else { continue };
            let iri = mint::of_guid(guid, post, rules);
            // The id of another post that is there is no claim to it.
            let lives = |row: &&usize| here.contains(self.known[**row].post.path.as_str());
            let by_its_id =
                by_id.get(iri.as_str()).filter(|row| self.known[**row].post.path == post.path || !lives(row));
            let row = by_guid.get(guid).or(by_its_id).copied();
            let had_it = row.is_some_and(|row| self.known[row].post.path == post.path);
            if had_it || !claims.contains_key(&iri) {
                claims.insert(iri, (index, row));
            }
        }
        let mut claims: Vec<(usize, Option<usize>)> = claims.into_values().collect();
        claims.sort_by_key(|&(index, _)| &self.posts[index].path);
        for (index, row) in claims {
            self.guids[index] = self.posts[index].rare.guid.as_deref().map(|guid| guid.trim().to_owned());
            if let Some(row) = row.filter(|row| !self.taken[*row]) {
                self.unite(index, row);
            }
        }
    }

    fn by_path(&mut self) {
        let mut by_path: HashMap<&str, Vec<usize>> = HashMap::new();
        for row in self.vanished() {
            by_path.entry(&self.known[row].post.path).or_default().push(row);
        }
        for index in self.new_posts() {
            let here = by_path.get(self.posts[index].path.as_str()).map_or(&[][..], Vec::as_slice);
            // Several posts may have lain here one after the other: the last is the one that is not gone.
            let last = here.iter().copied().filter(|&row| self.may_unite(index, row)).min_by_key(|&row| {
                let row = &self.known[row];
                (row.gone, std::cmp::Reverse(row.updated), &row.id)
            });
            if let Some(row) = last {
                self.unite(index, row);
            }
        }
    }

    fn between_vanished_and_new(&mut self, rules: &Rules) {
        // A draft, or a post that is broken today, has not vanished: its identity waits for it.
        for row in self.vanished() {
            self.taken[row] = rules.present.contains(self.known[row].post.path.as_str());
        }
        if self.vanished().is_empty() || self.new_posts().is_empty() {
            return;
        }
        let posts = self.posts;
        // Without scheme and domain: both may change in the same breath.
        let place = |url: &Url| url[Position::BeforePath..Position::AfterQuery].to_owned();
        self.by_key(|row| Some(place(&row.post.url())), |index| Some(place(&posts[index].url())));
        self.by_key(
            |row| Some((row.day, row.post.slug.as_str(), &*row.language)),
            |index| Some((day(&posts[index]), posts[index].slug.as_str(), language(&posts[index], rules.site))),
        );
        self.by_key(
            |row| (row.post.body.length > LEAST_BODY).then_some(row.post.body.hash),
            |index| Some(&posts[index].body).filter(|body| body.length > LEAST_BODY).map(|body| body.hash),
        );
        // Few words may be another's too, but hardly below the same title, when the one goes as the other comes.
        self.by_key(
            |row| {
                let few = row.post.body.length > 0 && !row.gone;
                few.then_some((row.post.body.hash, row.post.title.as_str(), &*row.language))
            },
            |index| {
                let body = &posts[index].body;
                Some((body.hash, posts[index].title.as_str(), language(&posts[index], rules.site)))
            },
        );
        self.by_key(
            |row| Some((row.day, row.post.title.as_str(), &*row.language)),
            |index| Some((day(&posts[index]), posts[index].title.as_str(), language(&posts[index], rules.site))),
        );
        self.by_likeness();
    }

    /// Unites a vanished row and a new post that alone have the same key. Rows that were gone before count only where
    /// none has just vanished.
    fn by_key<K: Hash + Eq>(&mut self, of_row: impl Fn(&'a Known) -> Option<K>, of_post: impl Fn(usize) -> Option<K>) {
        let mut groups: HashMap<K, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for row in self.vanished() {
            if let Some(key) = of_row(&self.known[row]) {
                groups.entry(key).or_default().0.push(row);
            }
        }
        for index in self.new_posts() {
            if let Some(group) = of_post(index).and_then(|key| groups.get_mut(&key)) {
                group.1.push(index);
            }
        }
        for (mut rows, posts) in groups.into_values() {
            if rows.iter().any(|&row| !self.known[row].gone) {
                rows.retain(|&row| !self.known[row].gone);
            }
            if let ([row], [post]) = (&rows[..], &posts[..])
                && self.may_unite(*post, *row)
            {
                self.unite(*post, *row);
            }
        }
    }

    fn by_likeness(&mut self) {
        let sketch = |post: &Post| post.body.sketch().filter(|_| post.body.length > LEAST_BODY);
        let mut sketches: HashMap<usize, Sketch> = HashMap::new();
        let mut phrases: HashMap<u32, Vec<usize>> = HashMap::new();
        for row in self.vanished() {
            let Some(sketch) = sketch(&self.known[row].post) else { continue };
            for &hash in sketch.hashes() {
                phrases.entry(hash).or_default().push(row);
            }
            sketches.insert(row, sketch);
        }
        let mut pairs = Vec::new();
        for index in self.new_posts() {
            let Some(sketch) = sketch(&self.posts[index]) else { continue };
            let candidates: HashSet<usize> = sketch
                .hashes()
                .iter()
                .filter_map(|hash| phrases.get(hash))
                .filter(|rows| rows.len() <= COMMON_PHRASE)
                .flatten()
                .copied()
                .collect();
            for row in candidates {
                let likeness = sketch.likeness(&sketches[&row]);
                if likeness > ALIKE {
                    pairs.push((likeness, row, index));
                }
            }
        }
        let (known, posts) = (self.known, self.posts);
        pairs.sort_by_key(|&(likeness, row, index)| {
            (std::cmp::Reverse(likeness), known[row].gone, &known[row].id, &posts[index].path)
        });
        for (_, row, index) in pairs {
            if self.may_unite(index, row) {
                self.unite(index, row);
            }
        }
    }
}

fn day(post: &Post) -> chrono::NaiveDate {
    post.published.date_naive()
}
