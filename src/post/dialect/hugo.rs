//! Hugo: sections and bundles, languages in folders and suffixes, permalinks by section, and rules for dates.

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::Yaml;
use crate::post::permalink::encode;
use chrono::{DateTime, Datelike, FixedOffset};

/// What a site's configuration says, as far as it concerns posts. Keys are lower case.
#[derive(Clone, Debug)]
pub struct Hugo {
    /// The folder of the sources, below the site's.
    content: String,
    languages: Vec<Language>,
    default_language: String,
    /// Whether the default language has a folder of its own in URLs, too.
    default_in_subdir: bool,
    /// Template by section.
    permalinks: Vec<(String, String)>,
    ugly: bool,
    keeps_case: bool,
    without_accents: bool,
    show_drafts: bool,
    show_expired: bool,
    /// Keys that say when a post was published, in order.
    dates: Vec<String>,
    updates: Vec<String>,
    expiries: Vec<String>,
    publications: Vec<String>,
}

/// A language of the site.
#[derive(Clone, Debug)]
struct Language {
    /// As in file names and URLs.
    code: String,
    /// BCP 47.
    tag: String,
    content: Option<String>,
}

/// Where a file stands: what is left of its path, and in which language.
struct Place<'a> {
    folders: Vec<&'a str>,
    /// Its name without extension and language.
    name: &'a str,
    language: Option<&'a Language>,
    bundle: bool,
}

impl Hugo {
    /// Takes what it knows from a configuration with lower-case keys.
    pub fn from_config(all: &Yaml) -> Self {
        let text = |key: &str| all.get(key).and_then(Yaml::text).map(str::to_owned);
        let truth = |key: &str| all.get(key).and_then(Yaml::truth).unwrap_or(false);
        let default_language = text("defaultcontentlanguage").unwrap_or_else(|| "en".into()).to_lowercase();
        let languages = all.get("languages").map(Yaml::entries).unwrap_or_default();
        let language = |(code, entry): &(String, Yaml)| Language {
            code: code.to_lowercase(),
            tag: entry.get("languagecode").and_then(Yaml::text).unwrap_or(code).to_owned(),
            content: entry.get("contentdir").and_then(Yaml::text).map(|dir| dir.trim_matches('/').to_owned()),
        };
        let enabled = |(_, entry): &&(String, Yaml)| entry.get("disabled").and_then(Yaml::truth) != Some(true);
        Hugo {
            content: text("contentdir").unwrap_or_else(|| "content".into()).trim_matches('/').to_owned(),
            languages: languages.iter().filter(enabled).map(language).collect(),
            default_language,
            default_in_subdir: truth("defaultcontentlanguageinsubdir"),
            permalinks: permalinks(all.get("permalinks")),
            ugly: truth("uglyurls"),
            keeps_case: truth("disablepathtolower"),
            without_accents: truth("removepathaccents"),
            show_drafts: truth("builddrafts"),
            show_expired: truth("buildexpired"),
            dates: rule(all, "date", &["date", "publishdate", "pubdate", "published", "lastmod", "modified"]),
            updates: rule(all, "lastmod", &["lastmod", "modified"]),
            expiries: rule(all, "expirydate", &["expirydate", "unpublishdate"]),
            publications: rule(all, "publishdate", &["publishdate", "pubdate", "published", "date"]),
        }
    }

    fn place<'a>(&'a self, site_path: &'a str) -> Place<'a> {
        let below = |dir: &str| site_path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/'));
        let of_language = self.languages.iter().find_map(|language| {
            let dir = language.content.as_deref()?;
            below(dir).map(|rest| (rest, Some(language)))
        });
        let (path, mut language) = of_language
            .or_else(|| below(&self.content).map(|rest| (rest, None)))
            .unwrap_or_else(|| (site_path.split_once("content/").map_or(site_path, |(_, rest)| rest), None));
        let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let mut name = stem;
        if let Some((before, suffix)) = stem.rsplit_once('.')
            && let Some(known) = self.languages.iter().find(|known| known.code.eq_ignore_ascii_case(suffix))
        {
            (name, language) = (before, Some(known));
        }
        let folders = folders.split('/').filter(|folder| !folder.is_empty()).collect();
        Place { folders, name, language, bundle: name == "index" }
    }

    /// The folder of a language in URLs.
    fn prefix(&self, language: Option<&Language>) -> String {
        let code = language.map_or(&*self.default_language, |language| &*language.code);
        let shown = self.languages.len() > 1 && (code != self.default_language || self.default_in_subdir);
        if shown || self.default_in_subdir { format!("/{code}") } else { String::new() }
    }

    /// A part of a path as Hugo makes it: letters, marks and digits of any script, hyphens for blanks, lower case.
    fn sanitised(&self, text: &str) -> String {
        let text = if self.without_accents { unaccented(text) } else { text.to_owned() };
        let mut made = String::with_capacity(text.len());
        let mut hyphen = false;
        for c in text.chars() {
            let kept = c.is_alphanumeric() || crate::post::permalink::is_mark(c) || "./\\_#+~%@".contains(c);
            if kept {
                if std::mem::take(&mut hyphen) {
                    made.push('-');
                }
                made.push(c);
            } else if !made.is_empty() && (c == '-' || c.is_whitespace()) {
                hyphen = true;
            }
        }
        if self.keeps_case { made } else { made.to_lowercase() }
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
        let clean = |text: &str| self.sanitised(text).replace('/', "-");
        Some(match name {
            "year" => date.year().to_string(),
            "month" => format!("{:02}", date.month()),
            "monthname" => date.format("%B").to_string(),
            "day" => format!("{:02}", date.day()),
            "weekday" => date.weekday().num_days_from_sunday().to_string(),
            "weekdayname" => date.format("%A").to_string(),
            "yearday" => date.ordinal().to_string(),
            "section" => clean(tokens.folders.first()?),
            "sections" => sliced(tokens.folders, slice)?.iter().map(|part| clean(part)).collect::<Vec<_>>().join("/"),
            "title" => clean(tokens.title),
            "slug" => clean(tokens.slug.unwrap_or(tokens.title)),
            "filename" | "contentbasename" => clean(tokens.name),
            "slugorfilename" | "slugorcontentbasename" => clean(tokens.slug.unwrap_or(tokens.name)),
            _ => return None,
        })
    }
}

/// What a permalink is made of.
struct Tokens<'a> {
    date: DateTime<FixedOffset>,
    folders: &'a [&'a str],
    title: &'a str,
    slug: Option<&'a str>,
    name: &'a str,
}

/// `[1:]`, `[:2]`, `[0]`, `[last]`: some of the folders.
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

/// What Hugo says of a page that is no section's own.
pub(super) fn facts(hugo: &Hugo, reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    let place = hugo.place(reading.file.site_path);
    let build = reading.front.get("build").or_else(|| reading.front.get("_build"));
    let never = |key| build.and_then(|build| build.get(key)).and_then(Yaml::text).is_some_and(|when| when == "never");
    if reading.says("headless", true) || never("list") || never("render") {
        return Err("not listed");
    }
    let zone = reading.context.site.timezone;
    let calendar = Calendar { zone, naive: Naive::Site, keeps_zone: true };
    let named = if place.bundle { place.folders.last().copied().unwrap_or_default() } else { place.name };
    let of_name = dated(named).and_then(|(date, _)| date::of_file_name(&format!("{date}-"), zone));
    let moment = |keys: &[String], reading: &mut Reading<'_>| {
        keys.iter().find_map(|key| match key.as_str() {
            ":filename" => of_name,
            key => reading.date(key, calendar),
        })
    };
    // Hugo itself would show the year 1 where only the name has a date.
    let published = moment(&hugo.dates, reading).or(of_name).ok_or("no date")?;
    let released = moment(&hugo.publications, reading).unwrap_or(published);
    if reading.is_future(released) || reading.is_future(published) {
        return Err("future");
    }
    if !hugo.show_expired && moment(&hugo.expiries, reading).is_some_and(|expiry| expiry <= reading.context.now) {
        return Err("expired");
    }
    let updated = moment(&hugo.updates, reading);
    let of_file = hugo.dates.iter().any(|key| key == ":filename").then(|| dated(named)).flatten();
    let slug = reading.text("slug").map(str::to_owned).or_else(|| of_file.map(|(_, slug)| slug.to_owned()));
    let title = super::plain::title(&reading.front);
    let (parents, name) = match place.bundle {
        true => (&place.folders[..place.folders.len().saturating_sub(1)], named),
        false => (&place.folders[..], place.name),
    };
    let categories = super::each_once(list(reading.front.get("categories").or_else(|| reading.front.get("category"))));
    let prefix = hugo.prefix(place.language);
    let path = match (reading.text("url"), reading.configured(published, slug.as_deref().unwrap_or(name), &categories))
    {
        (Some(url), _) => match url.strip_prefix('/') {
            Some(_) => url.to_owned(),
            None => format!("{prefix}/{url}"),
        },
        (None, Some(path)) => format!("{prefix}{path}"),
        (None, None) => {
            let tokens = Tokens {
                date: published,
                folders: parents,
                title: title.as_deref().unwrap_or(name),
                slug: slug.as_deref(),
                name,
            };
            let section = parents.first().copied().unwrap_or_default();
            let template = hugo.permalinks.iter().find(|(key, _)| key.eq_ignore_ascii_case(section));
            match template {
                Some((_, template)) => finished(&format!("{prefix}/{}", hugo.filled(template, &tokens)), hugo.ugly),
                None => {
                    let folders: Vec<String> = parents.iter().map(|folder| hugo.sanitised(folder)).collect();
                    let last = hugo.sanitised(slug.as_deref().unwrap_or(name));
                    finished(&format!("{prefix}/{}/{last}", folders.join("/")), hugo.ugly)
                }
            }
        }
    };
    let language = place.language.map(|language| language.tag.clone());
    Ok(Facts {
        published,
        updated,
        slug: slug.unwrap_or_else(|| name.to_owned()),
        path: encode(&path),
        categories,
        tags: list(reading.front.get("tags").or_else(|| reading.front.get("tag"))),
        language: language.or_else(|| reading.first(&["lang", "language", "locale"])),
        summary: reading.first(&["summary", "description"]),
        title,
    })
}

impl Hugo {
    /// Whether drafts are published.
    pub fn shows_drafts(&self) -> bool {
        self.show_drafts
    }

    /// Folders that hold its sources, below the site's.
    pub fn contents(&self) -> Vec<&str> {
        let of_languages = self.languages.iter().filter_map(|language| language.content.as_deref());
        std::iter::once(&*self.content).chain(of_languages).collect()
    }
}

/// `2024-02-05-slug`, `2024-02-05_slug`, `2024-02-05-10-11-12-slug`: the day, and the rest.
fn dated(name: &str) -> Option<(&str, &str)> {
    let date = name.get(..10)?;
    let sound = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let mut rest = &name[10..];
    let clock = rest.get(..9).is_some_and(|clock| {
        clock.bytes().enumerate().all(|(at, byte)| if at % 3 == 0 { byte == b'-' } else { byte.is_ascii_digit() })
    });
    if clock {
        rest = &rest[9..];
    }
    sound.then(|| (date, rest.trim_start_matches([' ', '-', '_'])))
}

/// A page's path ends in `/`, unless URLs are ugly or it names a file.
fn finished(path: &str, ugly: bool) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_file = [".html", ".htm", ".xml", ".json", ".txt"].iter().any(|ending| last.ends_with(ending));
    if path.ends_with('/') || is_file {
        path.to_owned()
    } else if ugly {
        format!("{path}.html")
    } else {
        format!("{path}/")
    }
}

/// Latin letters without their accents.
fn unaccented(text: &str) -> String {
    let bare = |c: char| match c {
        '\u{c0}'..='\u{24f}' if c.is_uppercase() => slug::slugify(c.to_string()).to_uppercase(),
        '\u{c0}'..='\u{24f}' => slug::slugify(c.to_string()),
        c => c.to_string(),
    };
    text.chars().map(bare).collect()
}

/// Lists as they are; one text is one name.
fn list(yaml: Option<&Yaml>) -> Vec<String> {
    match yaml {
        Some(one @ Yaml::Scalar(..)) => one.text().map(str::to_owned).into_iter().collect(),
        other => super::words(other),
    }
}

/// `[permalinks]`, also in the newer form by kind of page.
fn permalinks(yaml: Option<&Yaml>) -> Vec<(String, String)> {
    let Some(yaml) = yaml else { return Vec::new() };
    let own = |table: &Yaml| -> Vec<(String, String)> {
        let entries = table.entries().iter();
        entries.filter_map(|(key, value)| Some((key.clone(), value.text()?.to_owned()))).collect()
    };
    let mut all = yaml.get("page").map(own).unwrap_or_default();
    all.extend(own(yaml));
    all
}

/// `[frontmatter]`: the keys that say a date, `:default` filled in.
fn rule(all: &Yaml, name: &str, default: &[&str]) -> Vec<String> {
    let said = all.at(&["frontmatter", name]).map(|keys| super::words(Some(keys))).unwrap_or_default();
    if said.is_empty() {
        return default.iter().map(|key| (*key).to_owned()).collect();
    }
    let mut keys = Vec::new();
    for key in said {
        match key.to_lowercase().as_str() {
            ":default" => keys.extend(default.iter().map(|key| (*key).to_owned())),
            // What a checkout changes says nothing of a post.
            ":filemodtime" | ":git" => {}
            key => keys.push(key.to_owned()),
        }
    }
    keys
}
