//! Jekyll: dates in file names, categories in folders, Liquid in bodies.

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink;

/// What a file's name says.
pub(super) struct Name<'a> {
    pub(super) date: Option<&'a str>,
    pub(super) slug: &'a str,
}

/// What Jekyll says of a file of `_posts`.
pub(super) fn facts(reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    let name = name(reading.file_name()).unwrap_or_else(|| super::plain::name(reading.file.path));
    let zone = reading.context.site.timezone;
    // A full timestamp is UTC, a bare date or a file name local midnight; all are shown in the site's zone.
    let calendar = Calendar { zone, naive: Naive::Utc, keeps_zone: false };
    let named = name.date.and_then(|date| date::of_file_name(&format!("{date}-"), zone));
    let published = reading.date("date", calendar).or(named).ok_or("no date")?;
    if reading.is_future(published) {
        return Err("future");
    }
    let updated = reading.first_date(&["updated", "last_modified_at", "lastmod", "modified"], calendar);
    let slug = reading.text("slug").unwrap_or(name.slug).to_owned();
    let categories = categories(reading.file.site_path, &reading.front);
    // The post's own, ours, that of its place in the site, the site's.
    let own = reading.own_permalink.as_deref();
    let template = own.or_else(|| reading.context.permalink.map(permalink::style));
    let template = template.or_else(|| reading.text("permalink"));
    let template = template.or_else(|| reading.context.generator.permalink.as_deref().map(permalink::style));
    let path = reading.filled(template.unwrap_or(permalink::DEFAULT), published, &slug, &categories);
    Ok(Facts {
        work: None,
        title: reading.first(&["title"]).or_else(|| Some(permalink::title_of(name.slug))),
        published,
        updated,
        slug,
        path,
        categories,
        tags: tags(&reading.front),
        language: reading.first(&["lang", "language", "locale"]),
        summary: summary(reading),
    })
}

/// What the author says of the post. What holds Liquid is said by nobody before it is run.
pub(super) fn summary(reading: &Reading<'_>) -> Option<String> {
    ["excerpt", "description", "summary"].iter().find_map(|key| {
        let said = reading.text(key)?;
        (!said.contains("{{") && !said.contains("{%")).then(|| said.to_owned())
    })
}

/// `tag` is one name; `tags` a list, or words.
fn tags(front: &Yaml) -> Vec<String> {
    match front.get("tag") {
        Some(one @ Yaml::Scalar(..)) => one.text().map(str::to_owned).into_iter().collect(),
        Some(list @ Yaml::List(_)) => super::words(Some(list)),
        _ => super::words(front.get("tags")),
    }
}

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
