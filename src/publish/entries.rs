//! Posts made entries. Promises: each is rendered once, however many feeds hold it, as long as what is kept for the next
//! feed takes no more room than a few hundred long posts; and no longer than it is needed.

use crate::feed::Entry;
use crate::post::identity::{Assigned, Known};
use crate::post::{Post, Problem};
use crate::site::Blog;
use rayon::prelude::*;
use std::collections::HashMap;

/// Octets of markup that are kept for later feeds.
const ROOM: usize = 32 << 20;

/// The entries of a blog's posts, by their places in it.
pub(super) struct Entries<'a> {
    blog: &'a Blog,
    identities: &'a [Assigned],
    /// How many documents still wait for each.
    waiting: HashMap<usize, usize>,
    /// None where a post could not be rendered.
    kept: HashMap<usize, Option<Entry>>,
    problems: Vec<Problem>,
}

impl<'a> Entries<'a> {
    /// `posts` are those of all documents, one after the other.
    pub(super) fn new(blog: &'a Blog, identities: &'a [Assigned], posts: impl Iterator<Item = usize>) -> Self {
        let mut waiting = HashMap::new();
        for post in posts {
            *waiting.entry(post).or_insert(0) += 1;
        }
        Entries { blog, identities, waiting, kept: HashMap::new(), problems: Vec::new() }
    }

    /// Renders those of the posts that are not kept.
    pub(super) fn prepare(&mut self, posts: impl Iterator<Item = usize>) {
        let size = |entry: &Entry| entry.html.as_str().len();
        if self.kept.values().flatten().map(size).sum::<usize>() > ROOM {
            self.kept.clear();
        }
        let mut missing: Vec<usize> = posts.filter(|post| !self.kept.contains_key(post)).collect();
        missing.sort_unstable();
        missing.dedup();
        let rendered: Vec<_> = missing.into_par_iter().map(|post| (post, self.render(post))).collect();
        for (post, (entry, mut problems)) in rendered {
            self.problems.append(&mut problems);
            self.kept.insert(post, entry);
        }
    }

    fn render(&self, at: usize) -> (Option<Entry>, Vec<Problem>) {
        let post: &Post = &self.blog.posts[at];
        match self.blog.render(post) {
            Ok((content, problems)) => {
                let Known { id, atom_updated, .. } = &*self.identities[at].known;
                (Some(Entry::new(id.clone(), *atom_updated, post, &content)), problems)
            }
            Err(problem) => (None, vec![problem]),
        }
    }

    /// The entry of a post that is prepared, for one document.
    pub(super) fn take(&mut self, post: usize) -> Option<Entry> {
        let waiting = self.waiting.entry(post).or_insert(1);
        *waiting -= 1;
        match *waiting {
            0 => self.kept.remove(&post).flatten(),
            _ => self.kept.get(&post).cloned().flatten(),
        }
    }

    /// What rendering found wrong.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}
