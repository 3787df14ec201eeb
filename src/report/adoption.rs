//! `adopt --json`.

use crate::post::PostId;
use crate::post::identity::Ids;
use serde::Serialize;

/// What became of the ids of old feeds.
#[derive(Clone, Debug, Serialize)]
pub struct Adoption {
    /// The old feeds.
    pub feeds: Vec<Old>,
    /// Entries that are posts.
    pub matched: Vec<Match>,
    /// Entries that are no post.
    pub unmatched: Vec<Unmatched>,
    /// Posts that readers of the old feeds have not seen there, and would see as new.
    pub new: Vec<Unread>,
    /// How the old feed minted its ids, where older posts got theirs so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Ids>,
    /// How many these are.
    pub by_rule: usize,
    /// For those who are subscribed to the old address.
    pub redirects: Vec<Redirect>,
}

/// An old feed.
#[derive(Clone, Debug, Serialize)]
pub struct Old {
    /// As it was typed.
    pub feed: String,
    /// How many entries it has.
    pub entries: usize,
    /// How many pages were read.
    pub pages: usize,
    /// Where it goes on, and was not followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

/// An entry that is a post.
#[derive(Clone, Debug, Serialize)]
pub struct Match {
    /// Its id in the old feed.
    pub id: String,
    /// The post's file.
    pub path: String,
    /// The post's title.
    pub title: String,
    /// By what it was found.
    pub by: &'static str,
    /// What became of the id.
    pub state: State,
    /// The post's own id, where it keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<PostId>,
}

/// What became of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is the post's from now on.
    Adopted,
    /// It was before.
    Known,
    /// The post was published under another, and keeps it.
    Kept,
}

/// An entry that is no post.
#[derive(Clone, Debug, Serialize)]
pub struct Unmatched {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A post that is in no old feed.
#[derive(Clone, Debug, Serialize)]
pub struct Unread {
    /// The id that it gets.
    pub id: PostId,
    /// Its file.
    pub path: String,
    /// Its title.
    pub title: String,
}

/// From an old feed's address to one of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redirect {
    /// The old.
    pub from: String,
    /// Ours.
    pub to: String,
}
