//! Slugs and permalinks by Jekyll's rules. Promises: the same file name and front matter give the same URL as Jekyll's.

use chrono::{DateTime, Datelike, FixedOffset, Timelike};
use std::fmt::Write;

/// What Jekyll does without a `permalink`.
pub const DEFAULT: &str = "/:categories/:year/:month/:day/:title:output_ext";

/// What a permalink is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// When the post was published, in the site's zone.
    pub date: DateTime<FixedOffset>,
    /// From the file name or the front matter, as written.
    pub slug: &'a str,
    /// Its categories, in order.
    pub categories: &'a [String],
}

/// The template behind a style's name (`date`, `pretty`, `ordinal`, `weekdate`, `none`); another text is one itself.
pub fn style(permalink: &str) -> &str {
    match permalink {
        "date" => DEFAULT,
        "pretty" => "/:categories/:year/:month/:day/:title/",
        "ordinal" => "/:categories/:year/:y_day/:title:output_ext",
        "weekdate" => "/:categories/:year/W:week/:short_day/:title:output_ext",
        "none" => "/:categories/:title:output_ext",
        template => template,
    }
}

/// Fills a template: an absolute path, percent-encoded, without doubled slashes.
pub fn path(template: &str, parts: &Parts<'_>) -> String {
    let mut filled = String::from("/");
    let mut rest = template;
    while let Some(at) = rest.find(':') {
        filled.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let length = after.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
        let name = &after[..length];
        // `:year_:month`: the underscore belongs to the text.
        let found = placeholder(name, parts).map(|value| (value, length)).or_else(|| {
            let shorter = name.strip_suffix('_')?;
            placeholder(shorter, parts).map(|value| (value, length - 1))
        });
        match found {
            Some((value, length)) => {
                filled.push_str(&value);
                rest = &after[length..];
            }
            None => {
                filled.push(':');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    encode(&filled)
}

/// A path as a URL has it: no doubled slashes, nothing that leaves the site, everything encoded.
pub fn encode(path: &str) -> String {
    let mut cleaned = String::new();
    let trailing = path.ends_with('/');
    for part in path.split('/').filter(|part| !matches!(*part, "" | "." | "..")) {
        cleaned.push('/');
        for byte in part.bytes() {
            // RFC 3986, section 3.3: what a path may hold as it is. What is encoded already stays so.
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte) {
                cleaned.push(byte.into());
            } else {
                let _ = write!(cleaned, "%{byte:02X}");
            }
        }
    }
    if trailing || cleaned.is_empty() {
        cleaned.push('/');
    }
    cleaned
}

fn placeholder(name: &str, parts: &Parts<'_>) -> Option<String> {
    let date = parts.date;
    Some(match name {
        "year" => format!("{:04}", date.year()),
        "short_year" => format!("{:02}", date.year() % 100),
        "month" => format!("{:02}", date.month()),
        "i_month" => date.month().to_string(),
        "short_month" => date.format("%b").to_string(),
        "long_month" => date.format("%B").to_string(),
        "day" => format!("{:02}", date.day()),
        "i_day" => date.day().to_string(),
        "y_day" => format!("{:03}", date.ordinal()),
        "week" => format!("{:02}", date.iso_week().week()),
        "w_year" => date.iso_week().year().to_string(),
        "w_day" => date.weekday().number_from_monday().to_string(),
        "short_day" => date.format("%a").to_string(),
        "long_day" => date.format("%A").to_string(),
        "hour" => format!("{:02}", date.hour()),
        "minute" => format!("{:02}", date.minute()),
        "second" => format!("{:02}", date.second()),
        "title" | "name" | "basename" => slugify(parts.slug, Mode::Pretty, true),
        "slug" => slugify(parts.slug, Mode::Default, false),
        "categories" => {
            let mut seen = Vec::new();
            for category in parts.categories.iter().map(|category| category.to_lowercase()) {
                if !seen.contains(&category) {
                    seen.push(category);
                }
            }
            // A slash inside a category would be a folder of its own in Jekyll, too.
            seen.join("/")
        }
        "slugified_categories" => {
            let mut seen = Vec::new();
            for category in parts.categories.iter().map(|category| slugify(category, Mode::Default, false)) {
                if !seen.contains(&category) {
                    seen.push(category);
                }
            }
            seen.join("/")
        }
        "collection" => "posts".to_owned(),
        "output_ext" => ".html".to_owned(),
        _ => return None,
    })
}

/// Which characters a slug keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Letters, marks and digits of any script.
    Default,
    /// Also ``._~!$&'()+,;=@``.
    Pretty,
}

/// Jekyll's `slugify`: what is not kept becomes one hyphen; lower case unless `cased`.
pub fn slugify(text: &str, mode: Mode, cased: bool) -> String {
    let kept = |c: char| c.is_alphanumeric() || is_mark(c) || mode == Mode::Pretty && "._~!$&'()+,;=@".contains(c);
    let mut slug = String::with_capacity(text.len());
    for c in text.chars() {
        if kept(c) {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    if cased { slug.to_owned() } else { slug.to_lowercase() }
}

/// Combining marks of the scripts that blogs are written in; those that count as letters anyway are not all listed.
pub(crate) fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' | '\u{93a}'..='\u{94f}' | '\u{951}'..='\u{957}'
        | '\u{9bc}'..='\u{9cd}' | '\u{a3c}'..='\u{a4d}' | '\u{abc}'..='\u{acd}' | '\u{bbe}'..='\u{bcd}' | '\u{c3e}'..='\u{c4d}'
        | '\u{cbc}'..='\u{ccd}' | '\u{d3b}'..='\u{d4d}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{3099}'..='\u{309a}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// A title from a slug, as Jekyll makes one: its words, each with a capital.
pub fn title_of(slug: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
        first + &chars.as_str().to_lowercase()
    };
    slug.split('-').filter(|word| !word.is_empty()).map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(permalink: &str, slug: &str, categories: &[&str]) -> String {
        let date = DateTime::parse_from_rfc3339("2024-02-05T09:08:07+01:00").expect("a date");
        let categories: Vec<String> = categories.iter().map(|c| (*c).to_owned()).collect();
        path(style(permalink), &Parts { date, slug, categories: &categories })
    }

    #[test]
    fn styles_and_templates() {
        assert_eq!(url("date", "Hello-World", &["a", "B", "b"]), "/a/b/2024/02/05/Hello-World.html");
        assert_eq!(url("pretty", "x", &[]), "/2024/02/05/x/");
        assert_eq!(url("ordinal", "x", &[]), "/2024/036/x.html");
        assert_eq!(url("weekdate", "x", &[]), "/2024/W06/Mon/x.html");
        assert_eq!(url("none", "x", &["c d"]), "/c%20d/x.html");
        assert_eq!(url(":title", "x.md", &[]), "/x.md");
        assert_eq!(
            url("/blog/:short_year/:i_month/:i_day/:hour:minute:second/:slug", "A.B", &[]),
            "/blog/24/2/5/090807/a-b"
        );
        assert_eq!(url("/:year_:month/:unknown/:title/", "x", &[]), "/2024_02/:unknown/x/");
        assert_eq!(url("/:slugified_categories/:title", "x", &["C d", "é"]), "/c-d/%C3%A9/x");
        assert_eq!(url("/../a//b/./", "x", &[]), "/a/b/");
    }

    #[test]
    fn slugs() {
        assert_eq!(slugify("escape-+ %20[]", Mode::Pretty, true), "escape-+-20");
        assert_eq!(slugify("C'est ça — déjà", Mode::Default, false), "c-est-ça-déjà");
        assert_eq!(slugify("امنیت وب", Mode::Default, false), "امنیت-وب");
        assert_eq!(title_of("hello-WORLD--x"), "Hello World X");
    }
}
