//! New ids. Without a ledger they are the same at each run, as long as files keep their names.

use super::matching::Matching;
use super::{Ids, Rules, language};
use crate::post::{Post, PostId};
use chrono::Datelike;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use url::Url;

/// An id for each post that is not known; none for the others. What is in `taken` is never minted.
pub(super) fn all(
    matching: &Matching,
    posts: &[Arc<Post>],
    rules: &Rules,
    taken: &HashSet<&str>,
) -> Vec<Option<PostId>> {
    let mut ids = vec![None; posts.len()];
    let mut minted: HashSet<String> = HashSet::new();
    // The authors' own first: what we mint gives way to them.
    let (own, ours): (Vec<usize>, Vec<usize>) =
        matching.new_posts().into_iter().partition(|&index| matching.guids[index].is_some());
    for index in own.into_iter().chain(ours) {
        let post = &posts[index];
        let plain = match &matching.guids[index] {
            Some(guid) => of_guid(guid, post, rules),
            None => of_post(post, rules),
        };
        let free = |id: &String| !taken.contains(id.as_str()) && !minted.contains(id);
        let id = if free(&plain) {
            plain
        } else {
            // In a URL a second colon would be part of the path; a fragment leaves the URL itself alone.
            let separator = if plain.starts_with("tag:") { ':' } else { '#' };
            let with_path = format!("{plain}{separator}{}", encode(&post.path));
            // The number is for a path whose former post, of another guid, has that id already.
            std::iter::once(with_path.clone())
                .chain((2..).map(|n: u32| format!("{with_path}:{n}")))
                .find(free)
                .expect("numbers do not end")
        };
        minted.insert(id.clone());
        ids[index] = Some(PostId(id));
    }
    ids
}

/// The IRI of an author's own id: as [`iri`] has it; of anything else a `tag:` of the year alone, since an id that the author vouches for should not hang on the day.
pub(super) fn of_guid(guid: &str, post: &Post, rules: &Rules) -> String {
    let tag = || format!("tag:{},{:04}:{}", rules.authority, post.published.year(), encode(guid));
    iri(guid).map_or_else(tag, Cow::into_owned)
}

fn of_post(post: &Post, rules: &Rules) -> String {
    match rules.ids {
        Ids::Tag => {
            let day = post.published.date_naive();
            let mut id = format!("tag:{},{}:{}", rules.authority, day.format("%Y-%m-%d"), encode(&post.slug));
            let language = language(post, rules.site);
            if !language.eq_ignore_ascii_case(&rules.site.language) {
                let _ = write!(id, ":{}", encode(language));
            }
            id
        }
        ids => permanent(ids, &post.url()).unwrap_or_else(|| post.link.to_string()),
    }
}

/// The id that follows from a permanent link alone; none for ids that follow from more.
pub fn permanent(ids: Ids, url: &Url) -> Option<String> {
    match ids {
        Ids::Tag => None,
        Ids::Permalink | Ids::Hugo | Ids::Zola => Some(url.to_string()),
        Ids::JekyllFeed => {
            let url = url.as_str();
            Some(url.strip_suffix(".html").or(url.strip_suffix('/')).unwrap_or(url).to_owned())
        }
    }
}

/// An id as an IRI: itself where it is one; a UUID as `urn:uuid:` (RFC 9562, section 4); `None` for anything else.
pub fn iri(id: &str) -> Option<Cow<'_, str>> {
    if is_absolute_iri(id) {
        return Some(id.into());
    }
    is_uuid(id).then(|| format!("urn:uuid:{}", id.to_ascii_lowercase()).into())
}

/// RFC 3987, section 2.2, as far as it matters: a scheme, something behind it, and nothing that an IRI may not hold.
pub fn is_absolute_iri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !rest.is_empty()
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}

/// As RFC 9562 writes one, in capitals too.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Percent-encodes what the specific part of a tag may not hold (RFC 4151, section 2.1: `pchar`, `/` and `?`).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) {
            encoded.push(byte as char);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
