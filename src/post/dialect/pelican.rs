//! Pelican: `Key: value` lines, dates also in file names, categories by folder, articles at `slug.html`.

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::{Kind, Yaml};
use crate::post::permalink::encode;
use chrono::{DateTime, FixedOffset};
use url::Url;

/// What a site's configuration says, as far as it can be read without running it.
#[derive(Clone, Debug)]
pub struct Pelican {
    content: String,
    article_url: String,
    translated_url: String,
    folder_is_category: bool,
    default_category: String,
}

/// The assignments of plain values in `pelicanconf.py`: `SITENAME = 'a'`, `USE_FOLDER_AS_CATEGORY = True`.
pub fn assignments(source: &str) -> Yaml {
    let mut entries = Vec::new();
    for line in source.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim_end();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            continue;
        }
        let value = value.trim_start().trim_start_matches(['u', 'r']);
        let quoted = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = match quoted {
            Some(quote) => value[1..].split(quote).next().map(str::to_owned),
            None => Some(value.split(['#', ' ']).next().unwrap_or_default().to_owned())
                .filter(|value| matches!(value.as_str(), "True" | "False") || value.parse::<f64>().is_ok()),
        };
        if let Some(value) = value {
            crate::post::front_matter::set(&mut entries, name.to_owned(), Yaml::Scalar(value, Kind::Text));
        }
    }
    Yaml::Map(entries)
}

impl Pelican {
    /// Takes what it knows from [`assignments`].
    pub fn from_config(all: &Yaml) -> Self {
        let text = |key: &str, default: &str| all.get(key).and_then(Yaml::text).unwrap_or(default).to_owned();
        Pelican {
            content: text("PATH", "content").trim_matches(['/', '.']).to_owned(),
            article_url: text("ARTICLE_URL", "{slug}.html"),
            translated_url: text("ARTICLE_LANG_URL", "{slug}-{lang}.html"),
            folder_is_category: all.get("USE_FOLDER_AS_CATEGORY").and_then(Yaml::truth).unwrap_or(true),
            default_category: text("DEFAULT_CATEGORY", "misc"),
        }
    }

    /// The folder of the sources, below the site's.
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// A value on several lines as one text.
fn joined(value: &Yaml) -> Option<String> {
    let lines: Vec<&str> = value.text().into_iter().chain(value.items().iter().filter_map(Yaml::text)).collect();
    Some(lines.join(" ")).filter(|text| !text.is_empty())
}

/// Names between semicolons where there is one, else between commas.
fn tags(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::List(items) => items.iter().flat_map(tags).collect(),
        one => {
            let text = one.text().unwrap_or_default();
            text.split(if text.contains(';') { ';' } else { ',' }).map(|tag| tag.trim().to_owned()).collect()
        }
    }
}

/// What Pelican says of an article.
pub(super) fn facts(pelican: &Pelican, reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    if reading.text("status").is_some_and(|status| matches!(&*status.to_lowercase(), "hidden" | "skip")) {
        return Err("not listed");
    }
    let zone = reading.context.site.timezone;
    let calendar = Calendar { zone, naive: Naive::Site, keeps_zone: true };
    let site_path = reading.file.site_path;
    let below = site_path.strip_prefix(&*pelican.content).and_then(|below| below.strip_prefix('/'));
    let path = below.unwrap_or_else(|| site_path.split_once("content/").map_or(site_path, |(_, below)| below));
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let of_name = date::of_file_name(&format!("{stem}-"), zone);
    let published = reading.date("date", calendar).or(of_name).ok_or("no date")?;
    if reading.is_future(published) {
        return Err("future");
    }
    let updated = reading.date("modified", calendar);
    let title = reading.front.get("title").and_then(joined);
    let slug = reading.first(&["slug"]).unwrap_or_else(|| slug::slugify(title.as_deref().unwrap_or(stem)));
    let folder = folders.rsplit('/').next().unwrap_or_default();
    let category = match reading.first(&["category"]) {
        Some(category) => category,
        None if pelican.folder_is_category && !folder.is_empty() => folder.to_owned(),
        None => pelican.default_category.clone(),
    };
    let language = reading.first(&["lang", "language"]);
    let foreign = language.as_deref().filter(|language| !language.eq_ignore_ascii_case(&reading.context.site.language));
    let template = if foreign.is_some() { &pelican.translated_url } else { &pelican.article_url };
    let categories = super::each_once(vec![category.clone()]);
    let path = match (reading.first(&["url"]), reading.configured(published, &slug, &categories)) {
        (Some(own), _) => own,
        (None, Some(path)) => path,
        (None, None) => {
            let lang = foreign.unwrap_or(&reading.context.site.language);
            filled(template, published, &[("slug", &slug), ("lang", lang), ("category", &slug::slugify(&category))])
        }
    };
    Ok(Facts {
        work: None,
        title,
        published,
        updated,
        slug,
        path: encode(&format!("/{}", path.trim_start_matches('/'))),
        categories,
        tags: reading.front.get("tags").map(tags).unwrap_or_default(),
        language,
        summary: ["summary", "description"].iter().find_map(|key| joined(reading.front.get(key)?)),
    })
}

/// `{date:%Y}/{slug}.html`
fn filled(template: &str, date: DateTime<FixedOffset>, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else { break };
        match name.strip_prefix("date:") {
            Some(format) => filled.push_str(&strftime(date, format)),
            None => filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)),
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// The few letters that paths are made of.
fn strftime(date: DateTime<FixedOffset>, format: &str) -> String {
    let mut made = String::new();
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        match (c, c == '%') {
            (_, true) => match letters.next() {
                Some(letter @ ('Y' | 'm' | 'd' | 'y' | 'b' | 'B' | 'j' | 'H' | 'M' | 'S')) => {
                    made.push_str(&date.format(&format!("%{letter}")).to_string());
                }
                Some(other) => made.push(other),
                None => {}
            },
            (c, false) => made.push(c),
        }
    }
    made
}

/// A body with the links of Pelican resolved: `{filename}`, `|filename|`, `{static}`, `{attach}`, `{tag}` and their like. `path`
/// is the article's, `base` where the site is, `resolve` the address of an article by its path below the content. The
/// table of contents' mark and the languages above indented code are taken out.
pub fn resolved(body: &str, path: &str, base: &Url, resolve: &dyn Fn(&str) -> Option<String>) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder =
        folder.split_once("content/").map_or(if folder == "content" { "" } else { folder }, |(_, below)| below);
    let lines: Vec<&str> = body.lines().collect();
    let mut made = String::with_capacity(body.len());
    for (number, line) in lines.iter().enumerate() {
        let first = number == 0 || lines[number - 1].trim().is_empty();
        if line.trim() == "[TOC]" || first && is_language(line) {
            continue;
        }
        made.push_str(&links(line, folder, base, resolve));
        made.push('\n');
    }
    made
}

/// `:::python` or `#!python` as the first line of indented code.
fn is_language(line: &str) -> bool {
    let Some(code) = line.strip_prefix("    ").or_else(|| line.strip_prefix('\t')) else { return false };
    let name = code.trim_end().strip_prefix(":::").or_else(|| code.trim_end().strip_prefix("#!"));
    name.is_some_and(|name| !name.is_empty() && !name.contains(['/', ' ']) && !name.starts_with(':'))
}

const PLACES: &[&str] = &["filename", "static", "attach", "tag", "category", "author", "index"];

fn links(line: &str, folder: &str, base: &Url, resolve: &dyn Fn(&str) -> Option<String>) -> String {
    let mut made = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['{', '|']) {
        let (before, marked) = rest.split_at(at);
        made.push_str(before);
        let closing = if marked.starts_with('{') { '}' } else { '|' };
        let place = PLACES.iter().find_map(|place| {
            let after = marked[1..].strip_prefix(place)?.strip_prefix(closing)?;
            Some((*place, after))
        });
        let opening = made.chars().next_back();
        let is_target = matches!(opening, Some('(' | '"' | '\'' | '<')) || made.trim_end().ends_with("]:");
        let Some((place, after)) = place.filter(|_| is_target) else {
            made.push_str(&marked[..1]);
            rest = &marked[1..];
            continue;
        };
        let end = match opening {
            Some('(') => after.find([')', '"']),
            Some('<') => after.find('>'),
            Some(quote @ ('"' | '\'')) => after.find(quote),
            _ => after.find(char::is_whitespace),
        };
        let (target, behind) = after.split_at(end.unwrap_or(after.len()));
        let blank = target.len() - target.trim_end().len();
        made.push_str(&address(place, target.trim_end(), folder, base, resolve));
        made.push_str(&target[target.len() - blank..]);
        rest = behind;
    }
    made.push_str(rest);
    made
}

/// Where a link leads; what is not there leads to the file's own path below the site.
fn address(place: &str, target: &str, folder: &str, base: &Url, resolve: &dyn Fn(&str) -> Option<String>) -> String {
    let (path, more) = target.split_at(target.find(['#', '?']).unwrap_or(target.len()));
    let below = |path: &str| base.join(path).map_or_else(|_| path.to_owned(), String::from);
    match place {
        "index" => below("index.html"),
        // Such files are moved beside the article.
        "attach" if !path.starts_with('/') => format!("{}{more}", encode(path).trim_start_matches('/')),
        "tag" | "category" | "author" => below(&format!("{place}/{}.html", slug::slugify(path))),
        _ => {
            let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
            for part in path.split('/') {
                match part {
                    "" | "." => {}
                    ".." => {
                        parts.pop();
                    }
                    part => parts.push(part),
                }
            }
            parts.retain(|part| !part.is_empty());
            let path = parts.join("/");
            let article = resolve(&path).filter(|_| place == "filename");
            article.unwrap_or_else(|| below(encode(&path).trim_start_matches('/'))) + more
        }
    }
}
