//! A plain folder: Markdown files whose front matter says when they were published. Also those of generators that nobody
//! here knows by name: their keys are tried.

use super::jekyll::{self, Name};
use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink;
use std::borrow::Cow;

/// Blocks in blocks, at most.
const MAX_CONTAINERS: usize = 16;

/// Where other generators write the date of a post: Astro, Cobalt, Docusaurus, Ghost.
const DATES: &[&str] = &["date", "pubDate", "published_date", "publishDate", "published_at", "created"];
const UPDATES: &[&str] =
    &["updated", "lastmod", "last_modified_at", "modified", "updatedDate", "last_update", "updated_at"];

/// What can be said of a file that follows nobody's rules.
pub(super) fn facts(reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    let name = jekyll::name(reading.file_name()).unwrap_or_else(|| name(reading.file.path));
    let zone = reading.context.site.timezone;
    let calendar = Calendar { zone, naive: Naive::Site, keeps_zone: false };
    let named = name.date.map(str::to_owned).or_else(|| of_folders(reading.file.path));
    let named = named.and_then(|date| date::of_file_name(&format!("{date}-"), zone));
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

/// `2024/02/11/slug.md` and `2024-02-11/index.md` say a day, too.
fn of_folders(path: &str) -> Option<String> {
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    let dated = |folder: &&str| jekyll::name(&format!("{folder}-x.md")).and_then(|name| name.date.map(str::to_owned));
    folders.iter().rev().find_map(dated).or_else(|| {
        let is_number = |part: &str, length: usize| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        let mut days = folders.windows(3).rev();
        days.find(|day| is_number(day[0], 4) && is_number(day[1], 2) && is_number(day[2], 2)).map(|day| day.join("-"))
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
        // Docusaurus' may be maps.
        Some((Yaml::List(items), _)) => {
            let label = |item: &Yaml| item.text().or_else(|| item.get("label")?.text()).map(str::to_owned);
            items.iter().filter_map(label).collect()
        }
        Some((yaml, _)) => super::words(Some(yaml)),
        None => Vec::new(),
    }
}

/// `:::note[Title]` … `:::` as Docusaurus and VuePress have them, as a quotation below its title.
pub fn containers(body: &str) -> Cow<'_, str> {
    if !body.contains(":::") {
        return body.into();
    }
    let mut made = String::with_capacity(body.len() + 64);
    let mut open = 0_usize;
    let mut fence: Option<(char, usize)> = None;
    for line in body.split_inclusive('\n') {
        let bare = line.trim();
        let run = |c: char| bare.chars().take_while(|other| *other == c).count();
        if let Some(c) = bare.chars().next().filter(|c| matches!(c, '`' | '~') && run(*c) > 2) {
            fence = match fence {
                None => Some((c, run(c))),
                Some((opener, length)) if opener == c && run(c) >= length && run(c) == bare.len() => None,
                inside => inside,
            };
        }
        let colons = run(':');
        let said = bare[colons..].trim();
        if fence.is_some() || colons < 3 || line.starts_with("    ") {
            made.push_str(line);
        } else if said.is_empty() {
            if open > 0 {
                open -= 1;
                made.push_str("\n</blockquote>\n\n");
            }
        } else if said.starts_with(|c: char| c.is_ascii_alphabetic()) && open < MAX_CONTAINERS {
            let end = said.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(said.len());
            let (kind, title) = said.split_at(end);
            let title = title.trim().split_once('{').map_or(title.trim(), |(title, _)| title.trim());
            let title = title.strip_prefix('[').and_then(|title| title.strip_suffix(']')).unwrap_or(title);
            open += 1;
            let title = if title.is_empty() { super::permalink::title_of(kind) } else { title.to_owned() };
            made.push_str(&format!("\n<blockquote>\n\n**{title}**\n\n"));
        } else {
            made.push_str(line);
        }
    }
    for _ in 0..open {
        made.push_str("\n</blockquote>\n");
    }
    made.into()
}
