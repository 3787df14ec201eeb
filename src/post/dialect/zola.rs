//! Zola: TOML or YAML, pages in sections, dates in front matter or file names, slugs by its rules.

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink::encode;
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;

/// What a site's configuration says, as far as it concerns posts.
#[derive(Clone, Debug)]
pub struct Zola {
    default_language: String,
    /// Further languages, as in file names and URLs.
    languages: Vec<String>,
    /// How paths become slugs.
    paths: Slugs,
}

/// `slugify.paths`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slugs {
    /// ASCII letters, digits and hyphens.
    #[default]
    On,
    /// Only what no file system takes is replaced.
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
            Slugs::Safe => {
                let replaced: String = text
                    .trim()
                    .chars()
                    .map(|c| if c.is_whitespace() || "/?#[]@!$&'()*+,;=:\"<>\\^`{|}".contains(c) { '-' } else { c })
                    .collect();
                replaced.trim_matches(['.', '-']).to_owned()
            }
            Slugs::Off => text.to_owned(),
        }
    }
}

/// `2016-10-08_slug`, `2016-10-08-slug`: the date, and the rest.
fn dated(name: &str) -> Option<(&str, &str)> {
    let date = name.get(..10)?;
    let sound = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let rest = name[10..].trim_start().strip_prefix(['_', '-'])?.trim_start();
    (sound && !rest.is_empty()).then_some((date, rest))
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
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let (stem, language) = match stem.rsplit_once('.') {
        Some((before, suffix)) if zola.languages.iter().any(|known| known == suffix) => (before, Some(suffix)),
        Some((before, suffix)) if suffix == zola.default_language => (before, None),
        _ => (stem, None),
    };
    let named = if stem == "index" { folders.pop().unwrap_or_default() } else { stem };
    let (of_name, rest) = dated(named).map_or((None, named), |(date, rest)| (Some(date), rest));

    // A date without a zone is UTC, and so is midnight of a bare one.
    let calendar = Calendar { zone: Tz::UTC, naive: Naive::Utc, keeps_zone: true };
    let own_path = reading.text("path").map(str::to_owned);
    let of_name = of_name.and_then(|date| date::of_file_name(&format!("{date}-"), Tz::UTC));
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
        (Some(own), _) => format!("{prefix}/{}/", own.trim_matches('/')),
        (None, Some(path)) => format!("{prefix}{path}"),
        (None, None) => {
            let mut parts: Vec<String> = folders.iter().map(|folder| zola.slug(folder)).collect();
            parts.push(slug.clone());
            format!("{prefix}/{}/", parts.join("/"))
        }
    };
    Ok(Facts {
        work: None,
        title: super::plain::title(&reading.front),
        published,
        updated,
        slug,
        path: encode(&path),
        categories,
        tags: taxonomy(&reading.front, "tags"),
        language: language.map(str::to_owned),
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
