//! Folder names of feeds: readable in any script, without anything that a URL, a disk or a shell takes for more than a
//! letter. A name says by itself which slug it has, so that no other name can ever move its feed.

use super::xml;
use aws_lc_rs::digest::{SHA256, digest};
use unicode_normalization::UnicodeNormalization;

/// Octets of a slug before its mark at most: most disks hold names of 255.
const LONGEST: usize = 120;

/// What two spellings of one tag have in common: what differs only in case or in how its accents are encoded is one.
fn key(name: &str) -> String {
    let lower: String = xml::line(name).to_lowercase();
    lower.nfc().collect()
}

/// The folder of the feed of that tag, category, author, language or section.
///
/// Letters, digits, `-` and dots within stand for themselves, `_` for a space. A name that holds anything else ends in
/// `~` and eight digits of its own hash, and no other does: `c++` is `c-plus-plus~…`, `c plus plus` is `c_plus_plus`.
pub(super) fn slug(name: &str) -> String {
    let key = key(name);
    let mut readable = String::new();
    for c in key.chars() {
        match c {
            ' ' => readable.push('_'),
            '-' | '.' => readable.push(c),
            c if c.is_alphanumeric() || !c.is_ascii() && !is_invisible(c) => readable.push(c),
            '+' => readable += "-plus",
            '#' => readable += "-sharp",
            '&' => readable += "-and",
            _ => readable.push('-'),
        }
    }
    let readable = readable.replace("_-", "_").replace("__", "_");
    let mut readable = readable.trim_matches(['-', '.', '_']);
    if let Some((end, _)) = readable.char_indices().find(|(at, c)| at + c.len_utf8() > LONGEST) {
        readable = &readable[..end];
    }
    if readable.replace('_', " ") == key && !readable.is_empty() {
        return readable.to_owned();
    }
    // Generators pass over folders that begin with `~`.
    let readable = if readable.is_empty() { "sign" } else { readable };
    let digest = digest(&SHA256, key.as_bytes());
    format!("{readable}~{}", data_encoding::HEXLOWER.encode(&digest.as_ref()[..4]))
}

/// White space, marks of direction and whatever else shows nothing: two names that look the same need different slugs.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slugs_can_be_read() {
        for (name, expected) in [
            ("Rust", "rust"),
            ("machine learning", "machine_learning"),
            ("machine-learning", "machine-learning"),
            ("日本", "日本"),
            ("Größe", "größe"),
            ("हिन्दी", "हिन्दी"),
            ("🎉", "🎉"),
            ("node.js", "node.js"),
            ("C", "c"),
            ("C Sharp", "c_sharp"),
            ("c++", "c-plus-plus~81cf1a7d"),
            ("c#", "c-sharp~5ed9d8b7"),
            ("c-sharp", "c-sharp"),
            (".net", "net~00000000"),
            ("..", "sign~00000000"),
            ("a/b", "a-b~00000000"),
            ("a_b", "a-b~00000000"),
            ("50% & more", "50-_and_more~00000000"),
        ] {
            let slug = slug(name);
            let shape = |slug: &str| slug.split('~').next().unwrap_or_default().to_owned();
            assert_eq!((shape(&slug), slug.contains('~')), (shape(expected), expected.contains('~')), "{name}: {slug}");
        }
    }

    #[test]
    fn what_differs_only_in_case_or_encoding_is_one() {
        for (one, other) in [("Rust", "RUST"), ("É", "e\u{301}"), (" a  b ", "A b")] {
            assert_eq!(slug(one), slug(other));
        }
    }

    #[test]
    fn the_longest_name_has_a_file_name() {
        let (long, longer) = (slug(&"日本語 ".repeat(200)), slug(&"日本語 ".repeat(201)));
        assert!(long.len() < 200 && long.starts_with("日本語_日本語"), "{long}");
        assert_ne!(long, longer);
    }

    proptest! {
        #[test]
        fn distinct_names_have_distinct_slugs(one in "[a-cA-C+#&_. ~/-]{1,6}|\\PC{1,8}", other in "[a-cA-C+#&_. ~/-]{1,6}|\\PC{1,8}") {
            prop_assert_eq!(slug(&one) == slug(&other), key(&one) == key(&other), "{} {}", slug(&one), slug(&other));
        }

        #[test]
        fn a_slug_is_one_folder_and_no_more(name in any::<String>()) {
            let slug = slug(&name);
            prop_assert!(!slug.is_empty() && slug.len() < 200 && !slug.starts_with('.') && !slug.ends_with('.'));
            prop_assert!(slug.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"/\\%?#:*\"<>|&+".contains(c)), "{}", slug);
        }
    }
}
