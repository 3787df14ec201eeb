//! Which entry of an old feed is which post. Pure; each step unites only what is alone in having its key.

use crate::feed::foreign::ForeignEntry;
use crate::post::Post;
use chrono::NaiveDate;
use percent_encoding::percent_decode_str;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use url::Url;

/// By what an entry was found to be a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Its address.
    Address,
    /// Its address but for the host: the site has moved.
    Path,
    /// The last part of its address, and the day.
    SlugAndDay,
    /// Its title and the day.
    TitleAndDay,
    /// Its title, which no other has.
    Title,
}

impl By {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            By::Address => "address",
            By::Path => "path",
            By::SlugAndDay => "slug and day",
            By::TitleAndDay => "title and day",
            By::Title => "title",
        }
    }
}

/// For each entry the index of the post that it is, and by what. `home` is what relative addresses are below.
pub(super) fn matches(entries: &[&ForeignEntry], posts: &[Arc<Post>], home: &Url) -> Vec<Option<(usize, By)>> {
    let mut matching = Matching { of_entry: vec![None; entries.len()], taken: vec![false; posts.len()] };
    let addresses: Vec<Vec<Url>> =
        entries.iter().map(|entry| entry.links.iter().filter_map(|link| absolute(link, home)).collect()).collect();
    let days: Vec<Vec<NaiveDate>> = entries.iter().map(|entry| days(entry, posts)).collect();
    let titles: Vec<String> = entries.iter().map(|entry| title(&entry.title)).collect();
    let post_titles: Vec<String> = posts.iter().map(|post| title(&post.title)).collect();
    let day = |index: usize| posts[index].published.date_naive();

    matching.by(
        By::Address,
        |e| addresses[e].iter().map(|u| (host(u), place(u))).collect(),
        |p| vec![(host(&posts[p].url()), place(&posts[p].url()))],
    );
    matching.by(By::Path, |e| addresses[e].iter().map(place).collect(), |p| vec![place(&posts[p].url())]);
    matching.by(
        By::SlugAndDay,
        |e| {
            let slugs: BTreeSet<String> = addresses[e].iter().filter_map(slug).collect();
            slugs.iter().flat_map(|slug| days[e].iter().map(move |day| (slug.clone(), *day))).collect()
        },
        |p| slug(&posts[p].url()).into_iter().map(|slug| (slug, day(p))).collect(),
    );
    matching.by(
        By::TitleAndDay,
        |e| days[e].iter().filter(|_| !titles[e].is_empty()).map(|day| (titles[e].clone(), *day)).collect(),
        |p| vec![(post_titles[p].clone(), day(p))],
    );
    matching.by(
        By::Title,
        |e| Some(titles[e].clone()).filter(|title| !title.is_empty()).into_iter().collect(),
        |p| vec![post_titles[p].clone()],
    );
    matching.of_entry
}

struct Matching {
    of_entry: Vec<Option<(usize, By)>>,
    taken: Vec<bool>,
}

impl Matching {
    fn by<K: Hash + Eq>(&mut self, by: By, of_entry: impl Fn(usize) -> Vec<K>, of_post: impl Fn(usize) -> Vec<K>) {
        let mut posts: HashMap<K, Vec<usize>> = HashMap::new();
        for post in (0..self.taken.len()).filter(|&post| !self.taken[post]) {
            for key in of_post(post) {
                posts.entry(key).or_default().push(post);
            }
        }
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        for entry in (0..self.of_entry.len()).filter(|&entry| self.of_entry[entry].is_none()) {
            // The best address first: what an id or a second link says counts only where it says nothing.
            let post = of_entry(entry).into_iter().find_map(|key| match posts.get(&key).map(Vec::as_slice) {
                Some([post]) => Some(*post),
                _ => None,
            });
            wanted.extend(post.map(|post| (entry, post)));
        }
        let mut claims: HashMap<usize, usize> = HashMap::new();
        for &(_, post) in &wanted {
            *claims.entry(post).or_default() += 1;
        }
        for (entry, post) in wanted {
            // At one address the first is the newest; of two with one title none can be told.
            if !self.taken[post] && (claims[&post] == 1 || matches!(by, By::Address | By::Path)) {
                self.of_entry[entry] = Some((post, by));
                self.taken[post] = true;
            }
        }
    }
}

/// The days on which an entry can have been published: in its own zone, in UTC, and in the zones of the posts.
fn days(entry: &ForeignEntry, posts: &[Arc<Post>]) -> Vec<NaiveDate> {
    let Some(published) = entry.published.or(entry.updated) else { return Vec::new() };
    let mut days = vec![published.date_naive(), published.to_utc().date_naive()];
    let offsets: BTreeSet<i32> = posts.iter().map(|post| post.published.offset().local_minus_utc()).collect();
    days.extend(
        offsets
            .into_iter()
            .filter_map(chrono::FixedOffset::east_opt)
            .map(|offset| published.with_timezone(&offset).date_naive()),
    );
    days.sort();
    days.dedup();
    days
}

fn absolute(link: &str, home: &Url) -> Option<Url> {
    let url = Url::parse(link.trim()).or_else(|_| match link.trim().starts_with('/') {
        true => home.join(link.trim()),
        false => Err(url::ParseError::RelativeUrlWithoutBase),
    });
    url.ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

/// The path without what makes no other page, and the query without the marks of campaigns.
fn place(url: &Url) -> String {
    let path = decoded(url.path());
    let mut place = path.as_str();
    for index in ["/index.html", "/index.htm", "/index.php"] {
        place = place.strip_suffix(index).unwrap_or(place);
    }
    place = place.trim_end_matches('/');
    place = [".html", ".htm", ".php"].iter().find_map(|ending| place.strip_suffix(ending)).unwrap_or(place);
    let marks = ["utm_", "fbclid", "gclid", "mc_cid", "mc_eid"];
    let query: Vec<String> = url
        .query_pairs()
        .filter(|(key, _)| !marks.iter().any(|mark| key.starts_with(mark)))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("{place}?{}", query.join("&"))
}

/// The last part of the path; none where it is the front page, which many entries of nothing have.
fn slug(url: &Url) -> Option<String> {
    let place = place(url);
    let slug = place.trim_end_matches('?').rsplit('/').next().unwrap_or_default().to_lowercase();
    Some(slug).filter(|slug| slug.len() > 2 && !slug.contains('?') && !slug.bytes().all(|b| b.is_ascii_digit()))
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// A title as words alone: generators differ in quotes, dashes, references and blanks.
fn title(written: &str) -> String {
    let words = match written.contains(['<', '&']) {
        true => crate::html::clean(written, &Url::parse("https://localhost/").expect("a URL")).to_words(),
        false => written.to_owned(),
    };
    let words: String = words.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let told = words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    // A title of signs alone.
    if told.is_empty() { written.trim().to_owned() } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_equal_where_the_page_is() {
        let place = |text: &str| place(&Url::parse(text).unwrap());
        let one = place("https://example.org/a/%C3%BCber");
        for same in [
            "http://www.example.org/a/über/",
            "https://example.org/a/%c3%bcber.html",
            "https://example.org/a/%C3%BCber/index.html",
            "https://example.org/a/%C3%BCber?utm_source=rss&utm_medium=feed#more",
        ] {
            assert_eq!(place(same), one, "{same}");
        }
        assert_ne!(place("https://example.org/?p=1"), place("https://example.org/?p=2"));
        assert_eq!(host(&Url::parse("http://WWW.Example.org/").unwrap()), "example.org");
    }

    #[test]
    fn titles_are_equal_where_the_words_are() {
        for same in
            ["Tea & “biscuits”", "Tea &amp; &quot;biscuits&quot;", "tea  - 'Biscuits'", "Tea &#038; <b>biscuits</b>"]
        {
            assert_eq!(title(same), "tea biscuits", "{same}");
        }
        assert_eq!((title("???"), title("C++")), ("???".to_owned(), "c".to_owned()));
    }

    #[test]
    fn slugs_that_say_nothing_are_none() {
        let slug = |text: &str| slug(&Url::parse(text).unwrap());
        assert_eq!(slug("https://example.org/2026/01/Herons.html").as_deref(), Some("herons"));
        for none in
            ["https://example.org/", "https://example.org/?p=1", "https://example.org/2026/", "https://example.org/a/"]
        {
            assert_eq!(slug(none), None, "{none}");
        }
    }
}
