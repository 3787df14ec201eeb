//! Eleventy: dates in front matter or file names, URLs by folder and file, data of a folder in JSON beside it.

use super::jekyll;
use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink::encode;
use chrono_tz::Tz;

/// Words in the place of a date, which a checkout or an edit changes.
const WORDS: &[&str] = &["last modified", "created", "git last modified", "git created"];

/// The folder of the sources, below the site's, where the configuration's source says `input: "src"`; empty where it is
/// the site's itself.
pub fn input(configuration: &str) -> String {
    let said = configuration.split("input").skip(1).find_map(|after| {
        let value = after.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        value[1..].split(quote).next()
    });
    let input = said.unwrap_or_default().trim_start_matches("./").trim_matches('/');
    if input == "." { String::new() } else { input.to_owned() }
}

/// What Eleventy says of a template that is a post.
pub(super) fn facts(reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    if reading.says("eleventyExcludeFromCollections", true) || reading.own_permalink.as_deref() == Some("false") {
        return Err("not listed");
    }
    let calendar = Calendar { zone: Tz::UTC, naive: Naive::Utc, keeps_zone: true };
    let site_path = reading.file.site_path;
    let input = reading.context.generator.sources.first().map_or("", String::as_str);
    let below = site_path.strip_prefix(input).filter(|_| !input.is_empty());
    let path = below.and_then(|below| below.strip_prefix('/')).unwrap_or(site_path);
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut parts: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty()).collect();
    let of_name = parts.iter().chain([&stem]).rev().find_map(|part| dated(part));
    let slug = dated(stem).map_or(stem, |(_, rest)| rest);
    let of_name = of_name.and_then(|(date, _)| date::of_file_name(&format!("{date}-"), Tz::UTC));
    let published = match reading.text("date").map(str::to_lowercase) {
        Some(word) if WORDS.contains(&&*word) => {
            if of_name.is_none() {
                let message = format!("The date `{word}` changes with the file or its checkout");
                let help = "write the day, like 2026-11-23, or begin the file's name with it";
                reading.problem(reading.line_of("date"), message, help);
            }
            of_name
        }
        _ => reading.first_date(&["date", "pubDate"], calendar).or(of_name),
    };
    let published = published.ok_or("no date")?;
    if reading.is_future(published) {
        return Err("future");
    }
    let updated = reading.first_date(&["updated", "modified", "lastmod"], calendar);
    let slug = match slug {
        "index" => parts.pop().map_or("index", |folder| dated(folder).map_or(folder, |(_, rest)| rest)),
        slug => slug,
    };
    let own_slug = reading.text("slug").map(str::to_owned);
    let categories = super::plain::categories(&reading.front);
    // A template of its own language cannot be filled here.
    let own = reading.own_permalink.clone().or_else(|| reading.first(&["permalink"]));
    let own = own.filter(|own| !own.contains("{{") && !own.contains("{%"));
    let path = match (own, reading.configured(published, slug, &categories)) {
        (Some(own), _) => own.strip_suffix("index.html").map(str::to_owned).unwrap_or(own),
        (None, Some(path)) => path,
        (None, None) => {
            parts.push(slug);
            format!("/{}/", parts.join("/"))
        }
    };
    Ok(Facts {
        work: None,
        title: title(&reading.front),
        published,
        updated,
        slug: own_slug.unwrap_or_else(|| slug.to_owned()),
        path: encode(&path),
        categories,
        tags: super::plain::list(reading.front.get("tags")),
        language: reading.first(&["lang", "language", "locale"]),
        summary: jekyll::summary(reading),
    })
}

/// `title`, or what the navigation calls the page.
fn title(front: &Yaml) -> Option<String> {
    let navigation = |key| front.at(&["eleventyNavigation", key]).and_then(Yaml::text).map(str::to_owned);
    super::plain::title(front).or_else(|| navigation("title")).or_else(|| navigation("key"))
}

/// `2024-02-05-slug`: the date, and the rest.
fn dated(name: &str) -> Option<(&str, &str)> {
    let date = name.get(..10)?;
    let sound = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let rest = name[10..].strip_prefix('-').unwrap_or(&name[10..]);
    (sound && !rest.is_empty()).then_some((date, rest))
}
