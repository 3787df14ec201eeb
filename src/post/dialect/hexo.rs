//! Hexo: `source/_posts`, titles and dates also from file names, permalinks of its own.

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink::encode;
use chrono::{DateTime, FixedOffset};

/// What a site's configuration says, as far as it concerns posts.
#[derive(Clone, Debug)]
pub struct Hexo {
    permalink: String,
    /// How files are named: `:year-:month-:day-:title.md`.
    file_names: String,
    default_category: String,
    trailing_index: bool,
    trailing_html: bool,
}

impl Hexo {
    /// Takes what it knows from a configuration.
    pub fn from_config(all: &Yaml) -> Self {
        let text = |key: &str, default: &str| all.get(key).and_then(Yaml::text).unwrap_or(default).to_owned();
        let pretty = |key: &str| all.at(&["pretty_urls", key]).and_then(Yaml::truth).unwrap_or(true);
        Hexo {
            permalink: text("permalink", ":year/:month/:day/:title/"),
            file_names: text("new_post_name", ":title.md"),
            default_category: text("default_category", "uncategorized"),
            trailing_index: pretty("trailing_index"),
            trailing_html: pretty("trailing_html"),
        }
    }
}

/// What a file's name says by the configured pattern.
struct Name {
    date: Option<String>,
    title: String,
}

impl Hexo {
    /// Takes the name of a post, below `_posts` and without extension, apart.
    fn name(&self, path: &str) -> Name {
        let pattern = self.file_names.rsplit_once('.').map_or(&*self.file_names, |(pattern, _)| pattern);
        matched(pattern, path).unwrap_or_else(|| Name { date: None, title: slugged(path) })
    }
}

/// Reads `path` by a pattern of `:year`, `:month`, `:i_month`, `:day`, `:i_day`, `:title` and text between them.
fn matched(pattern: &str, path: &str) -> Option<Name> {
    let (mut year, mut month, mut day, mut title) = (None, None, None, None);
    let (mut pattern, mut path) = (pattern, path);
    while !pattern.is_empty() {
        let Some(after) = pattern.strip_prefix(':') else {
            let c = pattern.chars().next()?;
            path = path.strip_prefix(c)?;
            pattern = &pattern[c.len_utf8()..];
            continue;
        };
        let length = after.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
        let (name, rest) = after.split_at(length);
        pattern = rest;
        let digits = path.bytes().take_while(u8::is_ascii_digit).count();
        match name {
            "year" | "month" | "i_month" | "day" | "i_day" => {
                let taken = digits.min(if name == "year" { 4 } else { 2 });
                let (number, rest) = path.split_at(taken);
                let slot = match name {
                    "year" => &mut year,
                    "month" | "i_month" => &mut month,
                    _ => &mut day,
                };
                *slot = Some(number.parse::<u32>().ok()?);
                path = rest;
            }
            "title" => {
                let end = match rest.chars().next() {
                    Some(next) => path.rfind(next)?,
                    None => path.len(),
                };
                title = Some(path[..end].to_owned());
                path = &path[end..];
            }
            _ => return None,
        }
    }
    let date = match (year, month, day) {
        (Some(year), Some(month), Some(day)) => Some(format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    };
    path.is_empty().then_some(Name { date, title: title? })
}

/// What Hexo says of a file of `source/_posts`.
pub(super) fn facts(hexo: &Hexo, reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    let zone = reading.context.site.timezone;
    let calendar = Calendar { zone, naive: Naive::Site, keeps_zone: false };
    let below = reading.file.site_path.split_once("_posts/").map_or(reading.file.site_path, |(_, below)| below);
    let stem = below.rsplit_once('.').map_or(below, |(stem, _)| stem);
    let name = hexo.name(stem);
    let of_name = name.date.as_deref().and_then(|date| date::of_file_name(&format!("{date}-"), zone));
    // Hexo would take the time at which the file was made; a name that begins with a day is nearer to the truth.
    let of_any = super::jekyll::name(reading.file_name()).and_then(|name| name.date);
    let of_any = of_any.and_then(|date| date::of_file_name(&format!("{date}-"), zone));
    let published = reading.date("date", calendar).or(of_name).or(of_any).ok_or("no date")?;
    if reading.is_future(published) {
        return Err("future");
    }
    let updated = reading.date("updated", calendar);
    // Hexo's own goes before what the front matter calls so.
    let slug = name.title;
    let categories = super::each_once(names(reading.front.get("categories").or_else(|| reading.front.get("category"))));
    let own = reading.own_permalink.as_deref();
    let path = match (own, reading.configured(published, &slug, &categories)) {
        (Some(own), _) => own.to_owned(),
        (None, Some(path)) => path,
        (None, None) => {
            let category = categories.first().map_or(&*hexo.default_category, |category| &**category);
            let title = reading.text("title").map(slugged).unwrap_or_default();
            let last = slug.rsplit('/').next().unwrap_or(&slug);
            filled(
                &hexo.permalink,
                published,
                &[
                    ("title", &slug),
                    ("name", last),
                    ("post_title", &title),
                    ("category", category),
                    ("lang", reading.text("lang").unwrap_or(&reading.context.site.language)),
                    ("id", reading.text("id").unwrap_or_default()),
                ],
            )
        }
    };
    let path = path.strip_suffix("index.html").filter(|_| !hexo.trailing_index).unwrap_or(&path);
    let path = path.strip_suffix(".html").filter(|_| !hexo.trailing_html).unwrap_or(path);
    Ok(Facts {
        work: None,
        title: reading.first(&["title"]),
        published,
        updated,
        slug: slug.rsplit('/').next().unwrap_or(&slug).to_owned(),
        path: encode(&format!("/{path}")),
        categories,
        tags: names(reading.front.get("tags").or_else(|| reading.front.get("tag"))),
        language: reading.first(&["lang", "language"]),
        summary: reading.first(&["excerpt", "description", "summary"]),
    })
}

/// A list's items, lists inside it too; one text is one name.
fn names(yaml: Option<&Yaml>) -> Vec<String> {
    match yaml {
        Some(Yaml::List(items)) => items.iter().flat_map(|item| names(Some(item))).collect(),
        Some(one) => one.text().map(str::to_owned).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Hexo's own slugs: blanks and punctuation become hyphens, case stays.
fn slugged(text: &str) -> String {
    let mut made = String::new();
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || "~`!@#$%^&*()-_+=[]{}|\\;:\"'<>,.?/".contains(c) {
            if !made.ends_with('-') && !made.is_empty() {
                made.push('-');
            }
        } else {
            made.push(c);
        }
    }
    made.trim_end_matches('-').to_owned()
}

/// A permalink's template by Hexo's placeholders.
fn filled(template: &str, date: DateTime<FixedOffset>, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once(':') {
        filled.push_str(before);
        let length = after.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
        let (name, behind) = after.split_at(length);
        let format = match name {
            "year" => "%Y",
            "month" => "%m",
            "i_month" => "%-m",
            "day" => "%d",
            "i_day" => "%-d",
            "hour" => "%H",
            "minute" => "%M",
            "second" => "%S",
            "timestamp" => "%s",
            _ => "",
        };
        if format.is_empty() {
            match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.push_str(value),
                None => {
                    filled.push(':');
                    filled.push_str(name);
                }
            }
        } else {
            filled.push_str(&date.format(format).to_string());
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}
