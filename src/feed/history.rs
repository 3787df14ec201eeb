//! The history of a feed (RFC 5005): an archive of pages that are filled oldest first, so that what is on a page stays
//! there, and how a document says where in it it stands.

use super::Format;
use url::Url;

/// How many posts a page takes. Never changed: the store remembers the place of each post, and its page follows from it.
pub const PAGE: usize = 100;

/// The namespace of section 2.
pub(super) const NAMESPACE: &str = "http://purl.org/syndication/history/1.0";

/// Where a document stands in the history of its feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum History {
    /// Nothing is said of it.
    #[default]
    Untold,
    /// The document is all there is (section 2).
    Complete,
    /// The document that readers subscribe to, before so many pages (section 4).
    Subscription {
        /// How many.
        pages: usize,
    },
    /// A page.
    Page {
        /// Counted from the oldest, which is 1.
        number: usize,
        /// Whether there is a later one. Only then is it an archive document in the sense of the RFC: one that takes no
        /// more posts.
        closed: bool,
    },
}

/// The folder of a page below that of its feed.
pub fn folder(number: usize) -> String {
    format!("archive/{number}")
}

impl History {
    /// The element of [`NAMESPACE`] that marks the document.
    pub(super) fn mark(self) -> Option<&'static str> {
        match self {
            History::Complete => Some("complete"),
            History::Page { closed: true, .. } => Some("archive"),
            _ => None,
        }
    }

    /// Links to the rest of it, by relation, from the document at `self_url`.
    pub(super) fn links(self, self_url: &Url, format: Format) -> Vec<(&'static str, Url)> {
        let file = format.file_name();
        let link = |rel, to: String| self_url.join(&to).ok().map(|url| (rel, url));
        let links = match self {
            History::Untold | History::Complete => [None, None, None],
            History::Subscription { pages } => [link("prev-archive", format!("{}/{file}", folder(pages))), None, None],
            History::Page { number, closed } => [
                link("current", format!("../../{file}")),
                (number > 1).then(|| link("prev-archive", format!("../{}/{file}", number - 1))).flatten(),
                closed.then(|| link("next-archive", format!("../{}/{file}", number + 1))).flatten(),
            ],
        };
        links.into_iter().flatten().collect()
    }

    /// The link of that relation.
    pub(super) fn link(self, rel: &str, self_url: &Url, format: Format) -> Option<Url> {
        self.links(self_url, format).into_iter().find(|(found, _)| *found == rel).map(|(_, url)| url)
    }
}

/// The document with that mark before its first link, which begins as `link` says. By hand: the one writer would put a line
/// end into the empty element, the other would put it behind all entries.
pub(super) fn marked(mut document: String, mark: Option<&str>, link: &str) -> String {
    if let Some((at, mark)) = document.find(link).zip(mark) {
        let indent = &link[..link.find('<').unwrap_or(0)];
        document.insert_str(at, &format!("{indent}<fh:{mark}/>"));
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_a_chain() {
        let links = |history: History, at: &str| -> Vec<String> {
            let url = Url::parse("https://example.org/blog/").and_then(|site| site.join(at)).expect("a URL");
            let links = history.links(&url, Format::Atom).into_iter();
            links.map(|(rel, url)| format!("{rel} {}", url.path())).collect()
        };
        assert_eq!(links(History::Subscription { pages: 3 }, "atom.xml"), ["prev-archive /blog/archive/3/atom.xml"]);
        assert_eq!(
            links(History::Page { number: 3, closed: false }, "archive/3/atom.xml"),
            ["current /blog/atom.xml", "prev-archive /blog/archive/2/atom.xml"]
        );
        assert_eq!(
            links(History::Page { number: 1, closed: true }, "birds/archive/1/atom.xml"),
            ["current /blog/birds/atom.xml", "next-archive /blog/birds/archive/2/atom.xml"]
        );
        assert_eq!(links(History::Complete, "atom.xml"), [""; 0]);
    }
}
