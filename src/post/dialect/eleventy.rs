//! Eleventy: dates in front matter or file names, URLs by folder and file, data of a folder in JSON beside it.

use super::jekyll;
use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::{Kind, Yaml};
use crate::post::permalink::{self, encode};
use crate::post::text;
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;
use std::borrow::Cow;

/// Words in the place of a date, which a checkout or an edit changes.
const WORDS: &[&str] = &["last modified", "created", "git last modified", "git created"];

/// What the configuration's source says, as far as it can be read without running it: `input`, `output`,
/// `markdownTemplateEngine`.
pub fn configuration(source: &str) -> Yaml {
    let said = |key: &str| {
        source.split(key).skip(1).find_map(|after| {
            let value = after.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?.trim_start();
            match value.chars().next()? {
                quote @ ('"' | '\'' | '`') => value[1..].split(quote).next().map(str::to_owned),
                _ => value.starts_with("false").then(|| "false".to_owned()),
            }
        })
    };
    let called = |setter: &str| {
        let (_, after) = source.split_once(setter)?;
        let quote = after.trim_start().chars().next()?;
        after.trim_start()[quote.len_utf8()..].split(quote).next().map(str::to_owned)
    };
    let entry = |key: &str, said: Option<String>| Some((key.to_owned(), Yaml::Scalar(said?, Kind::Text)));
    let input = entry("input", said("input").or_else(|| called("setInputDirectory(")));
    let output = entry("output", said("output").or_else(|| called("setOutputDirectory(")));
    let engine = entry("markdownTemplateEngine", said("markdownTemplateEngine"));
    Yaml::Map(input.into_iter().chain(output).chain(engine).collect())
}

/// The folder of the sources, below the site's, by its [`configuration()`]; empty where it is the site's itself.
pub fn input(configuration: &Yaml) -> String {
    let input = configuration.get("input").and_then(Yaml::text).unwrap_or_default();
    let input = input.trim_start_matches("./").trim_matches('/');
    if input == "." { String::new() } else { input.to_owned() }
}

/// Whether a body's tags are run: the file's own word goes before the site's.
pub(super) fn is_run(front: &Yaml, configuration: &Yaml, markdown: bool) -> bool {
    match front.get("templateEngineOverride").and_then(Yaml::text) {
        Some(engines) => engines.contains("njk") || engines.contains("liquid"),
        None => !markdown || configuration.get("markdownTemplateEngine").and_then(Yaml::truth) != Some(false),
    }
}

/// What Nunjucks calls otherwise than Liquid, in Liquid's words; no line moves.
pub fn as_liquid(body: &str) -> Cow<'_, str> {
    if !body.contains("{%") && !body.contains("{#") {
        return body.into();
    }
    let mut made = String::with_capacity(body.len());
    let mut rest = body;
    let opens = |text: &str| {
        let mut braces = text.match_indices('{').map(|(at, _)| at);
        braces.find(|at| text[*at..].starts_with("{%") || text[*at..].starts_with("{# "))
    };
    while let Some(at) = opens(rest) {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with("{%") { "%}" } else { "#}" };
        let Some(length) = rest[2..].find(end).map(|end| end + 4) else { break };
        let (tag, after) = rest.split_at(length);
        rest = after;
        if end == "#}" {
            made.extend(tag.chars().filter(|c| *c == '\n'));
            continue;
        }
        let inside = tag[2..tag.len() - 2].trim_matches('-').trim();
        let (name, arguments) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        let name = match name {
            "raw" => {
                let closing = rest.find("endraw").unwrap_or(rest.len());
                made.push_str(tag);
                made.push_str(&rest[..closing]);
                rest = &rest[closing..];
                continue;
            }
            "verbatim" => "raw",
            "endverbatim" => "endraw",
            "set" if arguments.contains('=') => "assign",
            "set" => "capture",
            "endset" => "endcapture",
            "elif" | "elseif" => "elsif",
            _ => {
                made.push_str(tag);
                continue;
            }
        };
        made.push_str(&tag.replacen(inside, &format!("{name} {arguments}"), 1));
    }
    made.push_str(rest);
    made.into()
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
    // URLs keep the date of a name, slugs do not.
    let (last, slug) = match slug {
        "index" => parts.pop().map_or(("", "index"), |folder| (folder, dated(folder).map_or(folder, |(_, rest)| rest))),
        slug => (stem, slug),
    };
    let own_slug = reading.text("slug").map(str::to_owned);
    let categories = super::plain::categories(&reading.front);
    let own = reading.own_permalink.clone().or_else(|| reading.first(&["permalink"]));
    let configured = reading.configured(published, slug, &categories);
    let template = own.as_deref().filter(|own| own.contains("{{") || own.contains("{%"));
    let filled = template.map(|template| filled(template, &reading.front, slug, published));
    if filled == Some(None) && configured.is_none() {
        let said = template.unwrap_or_default();
        let message = format!("The permalink `{}` cannot be filled here", text::shorten(said, 60));
        let help =
            "write the post's own `permalink`, or set `permalink` in [posts]: the post is linked by its file's path";
        reading.problem(reading.line_of("permalink"), message, help);
    }
    let own = filled.unwrap_or(own);
    let path = match (own, configured) {
        (Some(own), _) => own.strip_suffix("index.html").map(str::to_owned).unwrap_or(own),
        (None, Some(path)) => path,
        (None, None) => {
            parts.push(last);
            let path = parts.join("/");
            if path.is_empty() { "/".to_owned() } else { format!("/{path}/") }
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
        tags: tags(reading),
        language: reading.first(&["lang", "language", "locale"]),
        summary: jekyll::summary(reading),
    })
}

/// Its own and those of its folders; not the names that are there to make collections.
fn tags(reading: &Reading<'_>) -> Vec<String> {
    let list = |value: &Yaml| match value {
        Yaml::List(_) => super::words(Some(value)),
        one => one.text().unwrap_or_default().split(',').map(|tag| tag.trim().to_owned()).collect(),
    };
    let folders = reading.context.generator.tags_of_folders(reading.file.site_path);
    let all = folders.into_iter().chain(reading.front.get("tags")).flat_map(list);
    all.filter(|tag| !matches!(&**tag, "all" | "nav" | "post" | "posts")).collect()
}

/// A permalink's template, where all that stands in it is known: front matter, `page.fileSlug`, `page.date`.
fn filled(template: &str, front: &Yaml, slug: &str, date: DateTime<FixedOffset>) -> Option<String> {
    let mut made = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        made.push_str(before);
        let (chain, behind) = after.split_once("}}")?;
        let mut filters = chain.split('|').map(str::trim);
        let name = filters.next()?.trim_matches('-').trim();
        let name = name.strip_prefix("page.").unwrap_or(name);
        let mut value = match name {
            "fileSlug" => slug.to_owned(),
            "date" => date.to_rfc3339(),
            key => front.get(key)?.text()?.to_owned(),
        };
        for filter in filters {
            let (filter, argument) = filter.split_once([':', '(']).unwrap_or((filter, ""));
            value = match filter.trim() {
                "slug" | "slugify" => permalink::slugify(&value, permalink::Mode::Default, false),
                "url" | "safe" | "trim" => value,
                "downcase" | "lower" => value.to_lowercase(),
                "date" if name == "date" => {
                    let format = argument.trim_matches([' ', ')', '"', '\'']);
                    let known = |letter: &str| letter.starts_with(['Y', 'm', 'd', 'y', 'H', 'M', 'j']);
                    format.split('%').skip(1).all(known).then(|| date.format(format).to_string())?
                }
                _ => return None,
            };
        }
        made.push_str(&value);
        rest = behind;
    }
    made.push_str(rest);
    (!made.contains("{%")).then_some(made)
}

/// `title`, or what the navigation calls the page.
fn title(front: &Yaml) -> Option<String> {
    let navigation = |key| front.at(&["eleventyNavigation", key]).and_then(Yaml::text).map(str::to_owned);
    super::plain::title(front).or_else(|| navigation("title")).or_else(|| navigation("key"))
}

/// `2024-02-05-slug`: the date, and the rest.
fn dated(name: &str) -> Option<(&str, &str)> {
    let (day, rest) = date::at_head(name)?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    (!rest.is_empty()).then_some((day, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nunjucks_as_liquid() {
        for (nunjucks, liquid) in [
            ("{% set a = 1 %}{{ a }}", "{% assign a = 1 %}{{ a }}"),
            ("{%- set a -%}x{% endset %}", "{%- capture a -%}x{% endcapture  %}"),
            ("{% if a %}{% elif b %}{% endif %}", "{% if a %}{% elsif b %}{% endif %}"),
            ("a{# b\nc #}d {#id}", "a\nd {#id}"),
            ("{% raw %}{% set a = 1 %}{% endraw %}{% set", "{% raw %}{% set a = 1 %}{% endraw %}{% set"),
            ("{%}{% x", "{%}{% x"),
        ] {
            assert_eq!(as_liquid(nunjucks), liquid);
        }
    }

    #[test]
    fn what_a_configuration_says() {
        let read = |source: &str| {
            let all = configuration(source);
            (input(&all), is_run(&Yaml::Null, &all, true))
        };
        assert_eq!(read("return { dir: { input: \"./src/\" } }"), ("src".to_owned(), true));
        assert_eq!(read("{ 'input': '.', markdownTemplateEngine: false }"), (String::new(), false));
        assert_eq!(read("config.setInputDirectory(\"views\")").0, "views");
        assert_eq!(read("").0, "");
    }
}
