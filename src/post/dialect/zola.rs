//! Zola: TOML or YAML, pages in sections, dates in front matter or file names, slugs by its rules.

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::glob;
use crate::post::permalink::encode;
use chrono::{DateTime, FixedOffset, NaiveDate};
use chrono_tz::Tz;

/// What a site's configuration says, as far as it concerns posts.
#[derive(Clone, Debug)]
pub struct Zola {
    default_language: String,
    /// Further languages, as in file names and URLs.
    languages: Vec<String>,
    /// How paths become slugs.
    paths: Slugs,
    /// Whether the date of a file's name stays in its slug.
    keeps_dates: bool,
    /// `ignored_content`
    ignored: Vec<String>,
}

/// `slugify.paths`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slugs {
    /// ASCII letters, digits and hyphens.
    #[default]
    On,
    /// Only what some file systems do not take is left out.
    Safe,
    /// As written.
    Off,
}

impl Zola {
    /// Takes what it knows from a configuration.
    pub fn from_config(all: &Yaml) -> Self {
        let language = all.get("default_language").and_then(Yaml::text).unwrap_or("en");
        let languages = all.get("languages").map(Yaml::entries).unwrap_or_default();
        Zola {
            default_language: language.to_owned(),
            languages: languages.iter().map(|(code, _)| code.clone()).filter(|code| code != language).collect(),
            keeps_dates: all.at(&["slugify", "paths_keep_dates"]).and_then(Yaml::truth).unwrap_or(false),
            ignored: super::words(all.get("ignored_content")),
            paths: match all.at(&["slugify", "paths"]).and_then(Yaml::text) {
                Some("off") => Slugs::Off,
                Some("safe") => Slugs::Safe,
                _ => Slugs::On,
            },
        }
    }

    fn slug(&self, text: &str) -> String {
        match self.paths {
            Slugs::On => slug::slugify(text),
            Slugs::Safe => text.trim_end_matches([' ', '.']).replace(|c| "<>:\"/\\|?*".contains(c), ""),
            Slugs::Off => text.to_owned(),
        }
    }
}

impl Zola {
    /// Whether `ignored_content` names a file: by its path or its name, stars go through folders.
    fn ignores(&self, site_path: &str, file: &str) -> bool {
        let wide = |pattern: &str| pattern.replace("**", "*").replace('*', "**");
        self.ignored.iter().any(|pattern| {
            let pattern = wide(pattern);
            glob::matches(&pattern, site_path) || glob::matches(&pattern, file)
        })
    }
}

/// `2016-10-08_slug`, `2016-10-08-slug`, `2016-10-08T09:00:00Z-slug`, `2016-10-08`: the date, and the rest.
fn dated(name: &str) -> Option<(&str, Option<&str>)> {
    let (day, behind) = date::at_head(name)?;
    NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let clock = behind.starts_with('T').then(|| moment_length(name)).flatten();
    let (date, rest) = name.split_at(clock.unwrap_or(10));
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix(['_', '-']).filter(|rest| !rest.is_empty());
    Some((date, rest))
}

/// The length of an RFC 3339 timestamp at the head of a name.
fn moment_length(name: &str) -> Option<usize> {
    let fraction =
        name.get(19..)?.strip_prefix('.').map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    let zone = 19 + fraction;
    let end = if name.get(zone..)?.starts_with('Z') { zone + 1 } else { zone + 6 };
    DateTime::parse_from_rfc3339(name.get(..end)?).ok().map(|_| end)
}

/// What Zola says of a page that is no section's own.
pub(super) fn facts(zola: &Zola, reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    if reading.says("render", false) {
        return Err("not listed");
    }
    let site_path = reading.file.site_path;
    let path = site_path
        .strip_prefix("content/")
        .unwrap_or_else(|| site_path.split_once("/content/").map_or(site_path, |(_, below)| below));
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let mut folders: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty()).collect();
    if zola.ignores(site_path, file) {
        return Err("ignored");
    }
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    // The default language's own suffix stays in the name.
    let (stem, language) = match stem.split_once('.') {
        Some((before, suffix)) if zola.languages.iter().any(|known| known == suffix) => (before, Some(suffix)),
        _ => (stem, None),
    };
    let bundle = stem.split('.').next() == Some("index");
    let folder = if bundle { folders.pop().unwrap_or_default() } else { "" };
    let named = if stem == "index" { folder } else { stem };
    let (of_name, rest) = match dated(named) {
        Some((date, rest)) => (Some(date), rest.filter(|_| !zola.keeps_dates).unwrap_or(named)),
        None => (None, named),
    };
    let plain = stem.strip_suffix(&format!(".{}", zola.default_language)).unwrap_or(stem);
    let work = [&folders[..], &[folder, plain]].concat().join("/");

    // A date without a zone is UTC, and so is midnight of a bare one.
    let calendar = Calendar { zone: Tz::UTC, naive: Naive::Utc, keeps_zone: true };
    let own_path = reading.text("path").map(str::to_owned);
    let of_name = of_name.and_then(|date| date::parse_keeping(date, Tz::UTC, Naive::Utc));
    let of_path = own_path.as_deref().and_then(dated_path);
    let published = reading.date("date", calendar).or(of_name).or(of_path).ok_or("no date")?;
    if reading.is_future(published) {
        return Err("future");
    }
    let updated = reading.date("updated", calendar);
    let slug = reading.text("slug").map_or_else(|| zola.slug(rest), |slug| zola.slug(slug));
    let categories = super::each_once(taxonomy(&reading.front, "categories"));
    let prefix = language.map(|language| format!("/{language}")).unwrap_or_default();
    let path = match (&own_path, reading.configured(published, &slug, &categories)) {
        // It says its language itself.
        (Some(own), _) => format!("/{}/", own.trim().trim_matches('/')),
        (None, Some(path)) => format!("{prefix}{path}"),
        (None, None) => {
            // Folders are served as they are named.
            format!("{prefix}/{}/", [&folders[..], &[&*slug]].concat().join("/"))
        }
    };
    Ok(Facts {
        work: Some(work),
        title: super::plain::title(&reading.front),
        published,
        updated,
        slug,
        path: encode(&path),
        categories,
        tags: taxonomy(&reading.front, "tags"),
        language: Some(language.unwrap_or(&zola.default_language).to_owned()).filter(|_| !zola.languages.is_empty()),
        summary: reading.first(&["summary", "description"]),
    })
}

/// The day in `path = "2015/01/09/slug"`: some sites keep it there alone.
fn dated_path(path: &str) -> Option<DateTime<FixedOffset>> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let number = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    parts.windows(4).find_map(|window| match window {
        [year, month, day, _] if number(year, 4, 4) && number(month, 1, 2) && number(day, 1, 2) => {
            date::of_file_name(&format!("{year}-{month}-{day}-"), Tz::UTC)
        }
        _ => None,
    })
}

/// `[taxonomies]`, or the key itself as other generators have it.
fn taxonomy(front: &Yaml, name: &str) -> Vec<String> {
    let said = front.at(&["taxonomies", name]).or_else(|| front.get(name)).or_else(|| front.at(&["extra", name]));
    super::plain::list(said)
}
