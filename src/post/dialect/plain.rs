//! A plain folder: Markdown files whose front matter says when they were published. Also those of generators that nobody
//! here knows by name: their keys are tried.

use super::jekyll::{self, Name};
use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink;

/// Where other generators write the date of a post: Astro, Cobalt, Docusaurus, Ghost.
const DATES: &[&str] = &["date", "pubDate", "published_date", "publishDate", "published_at", "created"];
const UPDATES: &[&str] =
    &["updated", "lastmod", "last_modified_at", "modified", "updatedDate", "last_update", "updated_at"];

/// What can be said of a file that follows nobody's rules.
pub(super) fn facts(reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    let name = jekyll::name(reading.file_name()).unwrap_or_else(|| name(reading.file.path));
    let zone = reading.context.site.timezone;
    let calendar = Calendar { zone, naive: Naive::Site, keeps_zone: false };
    let named = name.date.and_then(|date| date::of_file_name(&format!("{date}-"), zone));
    let published = reading.first_date(DATES, calendar).or(named).ok_or("no date")?;
    if reading.is_future(published) {
        return Err("future");
    }
    let updated = reading.first_date(UPDATES, calendar);
    let slug = reading.text("slug").unwrap_or(name.slug).to_owned();
    let categories = categories(&reading.front);
    let template = reading.own_permalink.as_deref().or_else(|| reading.context.permalink.map(permalink::style));
    let template = template.or_else(|| reading.context.generator.permalink.as_deref().map(permalink::style));
    let path = reading.filled(template.unwrap_or(permalink::DEFAULT), published, &slug, &categories);
    Ok(Facts {
        work: None,
        title: title(&reading.front),
        published,
        updated,
        slug,
        path,
        categories,
        tags: tags(&reading.front),
        language: reading.first(&["lang", "language", "locale"]),
        summary: jekyll::summary(reading),
    })
}

/// `title`; else what ends in it, for some sites show `title` elsewhere and call the post's own otherwise.
pub(super) fn title(front: &Yaml) -> Option<String> {
    let named = |(key, value): &(String, Yaml)| match key.to_lowercase().as_str() {
        "subtitle" => None,
        key if key.ends_with("title") => value.text().map(str::to_owned),
        _ => None,
    };
    let own = front.get("title").and_then(Yaml::text).map(str::to_owned);
    own.or_else(|| front.entries().iter().find_map(named))
}

/// The slug of a file: its name without the extension; of `index.md`, its folder's.
pub(super) fn name(path: &str) -> Name<'_> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let folder = folder.rsplit('/').next().unwrap_or_default();
    Name { date: None, slug: if stem == "index" && !folder.is_empty() { folder } else { stem } }
}

/// What the front matter names, each once.
pub(super) fn categories(front: &Yaml) -> Vec<String> {
    let mut categories = list(front.get("categories"));
    categories.extend(list(front.get("category")));
    super::each_once(categories)
}

/// A list; or names between commas.
pub(super) fn tags(front: &Yaml) -> Vec<String> {
    list(front.get("tags").or_else(|| front.get("tag")))
}

/// A list's items; of one text, what stands between commas, or its words.
pub(super) fn list(yaml: Option<&Yaml>) -> Vec<String> {
    match yaml.map(|yaml| (yaml, yaml.text())) {
        Some((_, Some(text))) if text.contains(',') => {
            text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        }
        Some((yaml, _)) => super::words(Some(yaml)),
        None => Vec::new(),
    }
}
