//! Notes of a post, and the ways there and back.

use super::markup::{self, Tag, Token};
use percent_encoding::percent_decode_str;
use std::collections::HashSet;

/// Where a link leads that stays among the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the text to a note.
    There,
    /// From a note to where it was called.
    Back,
}

/// The ids that notes of a post, and the places that call them, have.
pub(super) struct Notes(HashSet<String>);

impl Notes {
    /// Of clean markup.
    pub(super) fn of(html: &str) -> Self {
        if !html.contains(" id=\"") {
            return Notes(HashSet::new());
        }
        let ids = markup::tokens(html).filter_map(|token| match token {
            Token::Start(tag) => tag.attribute("id"),
            _ => None,
        });
        Notes(ids.collect())
    }

    /// Where a tag leads, if it is such a link.
    pub(super) fn way(&self, tag: &Tag<'_>) -> Option<Way> {
        if tag.name != "a" || self.0.is_empty() {
            return None;
        }
        let href = tag.attribute("href")?;
        let id = percent_decode_str(href.rsplit_once('#')?.1).decode_utf8_lossy();
        let class = tag.attribute("class").unwrap_or_default();
        let is_note = self.0.contains(&*id) && (class.contains("footnote") || is_named_as_one(&id));
        let back = ["reverse", "back"].iter().any(|word| class.contains(word)) || id.starts_with("fnref");
        is_note.then_some(if back { Way::Back } else { Way::There })
    }
}

/// Whether an id is one that generators give to notes.
pub(super) fn is_named_as_one(id: &str) -> bool {
    ["fn", "cite", "note"].iter().any(|sign| id.starts_with(sign))
}
