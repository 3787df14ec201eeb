//! One post in several languages: which of them stands for all in feeds and digests. Promises: what is not surely a
//! translation is a post of its own.

use chrono::NaiveDate;
use std::collections::HashMap;

/// What tells of a post whose translation it is.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// As [`Post::path`](super::Post::path).
    pub path: &'a str,
    /// Its language, where it is not the site's.
    pub language: Option<&'a str>,
    /// What it shares with its translations, where its generator says so.
    pub work: Option<&'a str>,
    /// The day of its publication, where the site shows it.
    pub day: NaiveDate,
    /// The slug in its URL.
    pub slug: &'a str,
}

/// Why versions belong together.
#[derive(PartialEq, Eq, Hash)]
enum Together<'a> {
    Said(&'a str),
    Alike(NaiveDate, &'a str),
}

/// For each version the path of the one that stands for it, if that is another: the one in the site's language, else the
/// first by path. Versions belong together when their generator says so; where it says nothing, when they share day and
/// slug and no two share a language.
pub fn originals(versions: &[Version<'_>], site: &str) -> Vec<Option<String>> {
    let language = |version: &Version<'_>| primary(version.language.unwrap_or(site));
    let mut groups: HashMap<Together<'_>, Vec<usize>> = HashMap::new();
    for (at, version) in versions.iter().enumerate() {
        let together = match version.work {
            Some(work) => Together::Said(work),
            None => Together::Alike(version.day, version.slug),
        };
        groups.entry(together).or_default().push(at);
    }
    let mut originals = vec![None; versions.len()];
    for (together, mut group) in groups {
        let mut languages: Vec<String> = group.iter().map(|at| language(&versions[*at])).collect();
        languages.sort();
        let apart = languages.windows(2).all(|pair| pair[0] != pair[1]);
        if group.len() < 2 || !apart && matches!(together, Together::Alike(..)) {
            continue;
        }
        group.sort_by_key(|at| (language(&versions[*at]) != primary(site), versions[*at].path));
        let (first, others) = (group[0], &group[1..]);
        for other in others.iter().filter(|other| language(&versions[**other]) != language(&versions[first])) {
            originals[*other] = Some(versions[first].path.to_owned());
        }
    }
    originals
}

/// The language of a tag without script and region.
fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version<'a>(path: &'a str, language: &'a str, work: &'a str) -> Version<'a> {
        let some = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        let day = NaiveDate::from_ymd_opt(2026, 11, 23).expect("a day");
        Version { path, language: some(language), work: some(work), day, slug: "slug" }
    }

    fn standing(versions: &[Version<'_>]) -> Vec<Option<String>> {
        originals(versions, "en-GB")
    }

    #[test]
    fn the_sites_language_stands_for_the_others() {
        let all = [version("a.de.md", "de", "a"), version("a.en.md", "en", "a"), version("a.fr.md", "fr", "a")];
        assert_eq!(standing(&all), [Some("a.en.md".into()), None, Some("a.en.md".into())]);
        let all = [version("a.fr.md", "fr-FR", "a"), version("a.de.md", "de", "a"), version("b.md", "", "b")];
        assert_eq!(standing(&all), [Some("a.de.md".into()), None, None]);
    }

    #[test]
    fn without_a_generators_word_day_slug_and_language_decide() {
        assert_eq!(standing(&[version("de/a", "de", ""), version("en/a", "", "")]), [Some("en/a".into()), None]);
        // Two of one language are two posts.
        let all = [version("de/a", "de", ""), version("en/a", "", ""), version("en/b", "en", "")];
        assert_eq!(standing(&all), [None, None, None]);
        let other = Version { slug: "other", ..version("de/a", "de", "") };
        assert_eq!(standing(&[other, version("en/a", "", "")]), [None, None]);
    }
}
