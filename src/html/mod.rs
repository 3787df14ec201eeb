//! HTML that is safe to hand on: made only here, so that nothing unclean can reach a feed or a mail.
//!
//! [`clean`] is the one way to a [`CleanHtml`]; [`mail::narrow`] the one way to what mail clients can show.

pub mod columns;
mod embeds;
mod ids;
mod images;
mod link;
pub mod mail;
mod markup;
mod picture;
mod sanitise;
mod text;
mod wide;

use url::Url;

pub use link::{Fault, Slip};
pub use markup::escape;
pub use picture::Picture;
pub use sanitise::{clean, clean_and_tell};

/// Sanitised HTML with every URL absolute. Its constructor is private to this folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanHtml(String);

impl CleanHtml {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to see: no text, no picture.
    pub fn is_empty(&self) -> bool {
        let shows = ["<img", "<audio", "<video", "<math"].iter().any(|element| self.0.contains(element));
        !shows && text::words(&self.0).is_empty()
    }

    /// Readable plain text, its lines at most `width` characters long where words allow (0: never wrapped). Lists,
    /// quotes, tables and code keep their shape; a link is its text and a number, and where it leads stands below.
    pub fn to_text(&self, width: usize) -> String {
        text::with_links(&self.0, width)
    }

    /// What an attribute (`src`, `href`) says, wherever it stands. Every one is absolute.
    pub fn addresses(&self, attribute: &str) -> Vec<String> {
        let opening = format!(" {attribute}=\"");
        let values = self.0.split(&opening).skip(1).filter_map(|rest| rest.split('"').next());
        values.map(|value| value.replace("&amp;", "&")).collect()
    }

    /// The same, where images that say neither their width nor their height say both, if `measure` knows them of a `src`.
    pub fn with_sizes(self, measure: &dyn Fn(&str) -> Option<(u32, u32)>) -> Self {
        images::with_sizes(&self.0, measure).map_or(self, CleanHtml)
    }

    /// The first picture that can stand for the whole: no icon, badge, emoji or tracking pixel. `measure` knows the sizes of a `src`.
    pub fn picture(&self, measure: &dyn Fn(&str) -> Option<(u32, u32)>) -> Option<Picture> {
        picture::first(&self.0, measure)
    }

    /// The same, where every id begins with `mark`, as do the links to notes on the page at `page`: it can stand beside others.
    pub fn with_ids_of(self, mark: &str, page: &Url) -> Self {
        ids::own(&self.0, mark, page).map_or(self, CleanHtml)
    }

    /// For tests of what takes clean HTML.
    #[cfg(test)]
    pub(crate) fn for_tests(markup: &str) -> Self {
        CleanHtml(markup.to_owned())
    }

    /// The words alone on one line: no links, no pictures, white space collapsed.
    pub fn to_words(&self) -> String {
        text::words(&self.0)
    }
}
