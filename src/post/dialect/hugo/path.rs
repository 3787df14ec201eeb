//! Where Hugo serves a page: sanitised paths, `permalinks`, `url`, ugly URLs.

use super::Hugo;
use crate::post::front_matter::Yaml;
use crate::post::permalink;
use chrono::{DateTime, Datelike, FixedOffset};

/// What a permalink is made of.
pub(super) struct Tokens<'a> {
    pub(super) date: DateTime<FixedOffset>,
    /// The folders that the page lies in; of a bundle, without its own.
    pub(super) folders: &'a [&'a str],
    /// How many of them are its sections.
    pub(super) sections: usize,
    pub(super) title: &'a str,
    pub(super) slug: Option<&'a str>,
    pub(super) name: &'a str,
}

impl Hugo {
    /// The path of a page, not yet encoded. `prefix` is its language's folder.
    pub(super) fn page(&self, prefix: &str, url: Option<&str>, tokens: &Tokens<'_>) -> String {
        let section = tokens.folders.first().copied().unwrap_or_default();
        let ugly = self.ugly || self.ugly_sections.iter().any(|known| known.eq_ignore_ascii_case(section));
        if let Some(url) = url {
            let url = self.filled(url, tokens);
            return match url.starts_with('/') {
                true => own(&url),
                false => own(&format!("{prefix}/{url}")),
            };
        }
        let template = self.permalinks.iter().find(|(key, _)| key.trim_matches('/').eq_ignore_ascii_case(section));
        if let Some((_, template)) = template {
            // Hugo takes what it has filled in for a query's text.
            let path = self.sanitised(&self.filled(template, tokens).replace('+', " "));
            return finished(&format!("{prefix}/{path}"), ugly);
        }
        let last = tokens.slug.unwrap_or(tokens.name);
        let path = self.sanitised(&[&tokens.folders.join("/"), last].join("/"));
        finished(&format!("{prefix}/{path}"), ugly)
    }

    /// The path, encoded, of the page of a term of the taxonomy `tags` or `categories`, where the configuration leaves no doubt.
    pub(crate) fn term_page(&self, all: &Yaml, taxonomy: &str, name: &str) -> Option<String> {
        let known = all.get("taxonomies").map(Yaml::entries);
        let made = known.is_none_or(|known| known.iter().any(|(_, plural)| plural.text() == Some(taxonomy)));
        let off = ["taxonomy", "term", "taxonomyterm"].iter().any(|kind| is_disabled(all, kind));
        let usual = made && !off && !name.contains('/') && all.at(&["permalinks", "term"]).is_none();
        usual.then(|| self.listing(&format!("{taxonomy}/{name}"), taxonomy)).flatten()
    }

    /// The path, encoded, of the page of a section.
    pub(crate) fn section_page(&self, all: &Yaml, section: &str) -> Option<String> {
        let usual = !is_disabled(all, "section") && all.at(&["permalinks", "section"]).is_none();
        usual.then(|| self.listing(section, section)).flatten()
    }

    /// None where the site has ways of its own.
    fn listing(&self, path: &str, folder: &str) -> Option<String> {
        let own = self.permalinks.iter().any(|(key, _)| key.trim_matches('/').eq_ignore_ascii_case(folder));
        let usual = !own && !self.ugly && self.ugly_sections.is_empty();
        let path = self.sanitised(path);
        // A name of signs alone has no page.
        let usual = usual && !path.ends_with('/');
        usual.then(|| permalink::encode(&finished(&format!("{}/{path}", self.prefix(None)), false)))
    }

    /// A path as Hugo makes it: letters, marks and digits of any script, hyphens for blanks, lower case.
    fn sanitised(&self, text: &str) -> String {
        let text = if self.without_accents { unaccented(text) } else { text.to_owned() };
        let mut made = String::with_capacity(text.len());
        let (mut wanted, mut was_hyphen) = (false, false);
        for (at, c) in text.char_indices() {
            let escape =
                || text.as_bytes().get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
            let kept = c.is_alphanumeric()
                || crate::post::permalink::is_mark(c)
                || "./\\_#+~-@".contains(c)
                || c == '%' && escape();
            if kept {
                was_hyphen = c == '-';
                if std::mem::take(&mut wanted) && !was_hyphen {
                    made.push('-');
                }
                made.push(c);
            } else if !made.is_empty() && !was_hyphen && c.is_whitespace() {
                wanted = true;
            }
        }
        if self.keeps_case { made } else { made.chars().map(lower).collect() }
    }

    /// A template's path. Tokens are `:year`, `:sections`, `:slug` and so on.
    fn filled(&self, template: &str, tokens: &Tokens<'_>) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(':') {
            filled.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let length = after.bytes().take_while(|b| b.is_ascii_lowercase()).count();
            let (name, mut tail) = after.split_at(length);
            let mut slice = None;
            if name == "sections"
                && let Some((inside, behind)) = tail.strip_prefix('[').and_then(|tail| tail.split_once(']'))
            {
                slice = Some(inside);
                tail = behind;
            }
            match self.token(name, slice, tokens) {
                Some(value) => {
                    filled.push_str(&value);
                    rest = tail;
                }
                None => {
                    filled.push(':');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn token(&self, name: &str, slice: Option<&str>, tokens: &Tokens<'_>) -> Option<String> {
        let date = tokens.date;
        let clean = |text: &str| self.sanitised(text);
        let sections = &tokens.folders[..tokens.sections];
        Some(match name {
            "year" => date.year().to_string(),
            "month" => format!("{:02}", date.month()),
            "monthname" => date.format("%B").to_string(),
            "day" => format!("{:02}", date.day()),
            "weekday" => date.weekday().num_days_from_sunday().to_string(),
            "weekdayname" => date.format("%A").to_string(),
            "yearday" => date.ordinal().to_string(),
            "section" => clean(sections.first().copied().unwrap_or_default()),
            "sections" => sliced(sections, slice)?.iter().map(|part| clean(part)).collect::<Vec<_>>().join("/"),
            "title" => clean(tokens.title),
            "slug" => clean(tokens.slug.unwrap_or(tokens.title)),
            "filename" | "contentbasename" => clean(tokens.name),
            "slugorfilename" | "slugorcontentbasename" => clean(tokens.slug.unwrap_or(tokens.name)),
            _ => return None,
        })
    }
}

/// `[1:]`, `[:2]`, `[0]`, `[last]`: some of the folders.
fn is_disabled(all: &Yaml, kind: &str) -> bool {
    super::super::words(all.get("disablekinds")).iter().any(|off| off.eq_ignore_ascii_case(kind))
}

fn sliced<'a>(folders: &'a [&'a str], slice: Option<&str>) -> Option<&'a [&'a str]> {
    let Some(slice) = slice else { return Some(folders) };
    let place = |text: &str, without: usize| match text {
        "" => Some(without),
        "last" => Some(folders.len().saturating_sub(1)),
        number => number.parse().ok(),
    };
    let (from, to) = match slice.split_once(':') {
        Some((from, to)) => (place(from, 0)?, place(to, folders.len())?),
        None => (place(slice, 0)?, place(slice, 0)? + 1),
    };
    Some(folders.get(from..to.min(folders.len())).unwrap_or_default())
}

/// A page's path ends in `/`, unless URLs are ugly.
fn finished(path: &str, ugly: bool) -> String {
    let path = path.trim_end_matches('/');
    if ugly { format!("{path}.html") } else { format!("{path}/") }
}

/// What a page says itself may also name a file.
fn own(path: &str) -> String {
    if path.ends_with('/') || path.contains('.') { path.to_owned() } else { format!("{path}/") }
}

/// As Go does it: one letter for one letter.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Letters without their accents; letters that have a stroke or are two in one stay.
fn unaccented(text: &str) -> String {
    let bare = |c: char| {
        let accented = matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && !"ÐðØøĐđĦħıŁłŦŧŊŋẞƀ".contains(c);
        let letter = slug::slugify(c.to_string());
        match accented && letter.len() == 1 {
            true if c.is_uppercase() => letter.to_uppercase(),
            true => letter,
            false => c.to_string(),
        }
    };
    text.chars().filter(|c| !crate::post::permalink::is_mark(*c)).map(bare).collect()
}
