//! Jekyll: dates in file names, categories in folders, Liquid in bodies.

use super::Name;
use crate::post::front_matter::Yaml;

/// `2024-02-05-slug.ext` in its parts, by `(\d{2,4}-\d{1,2}-\d{1,2})-([^/]*)(\.[^.]+)$`; `None` for other names.
pub(super) fn name(file_name: &str) -> Option<Name<'_>> {
    let (stem, _) = file_name.rsplit_once('.')?;
    let mut rest = stem;
    for (least, most) in [(2, 4), (1, 2), (1, 2)] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(least..=most).contains(&digits) {
            return None;
        }
        rest = rest[digits..].strip_prefix('-')?;
    }
    Some(Name { date: Some(&stem[..stem.len() - rest.len() - 1]), slug: rest.trim_end_matches('.') })
}

/// Folders above `_posts`, then `categories`, then `category`: each once.
pub(super) fn categories(path: &str, front: &Yaml) -> Vec<String> {
    let mut categories: Vec<String> = Vec::new();
    let above = path.split_once("_posts/").or_else(|| path.split_once("_drafts/")).map_or("", |(above, _)| above);
    categories.extend(above.split('/').filter(|folder| !folder.is_empty()).map(str::to_owned));
    categories.extend(super::words(front.get("categories")));
    match front.get("category") {
        // One name, blanks and all.
        Some(one @ Yaml::Scalar(..)) => categories.extend(one.text().map(str::to_owned)),
        other => categories.extend(super::words(other)),
    }
    super::each_once(categories)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let parts = |file| name(file).map(|name| (name.date.unwrap_or_default().to_owned(), name.slug.to_owned()));
        let expected = |date: &str, slug: &str| Some((date.to_owned(), slug.to_owned()));
        assert_eq!(parts("2024-02-05-a-b.md"), expected("2024-02-05", "a-b"));
        assert_eq!(parts("24-2-5-x.md.md"), expected("24-2-5", "x.md"));
        assert_eq!(parts("2024-02-05-.md"), expected("2024-02-05", ""));
        for other in ["notes.md", "2024-02-a.md", "2024-02-05.md", "20245-02-05-x.md", "2024-02-05-x"] {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
