//! Hugo: sections and bundles, languages in folders and suffixes, and rules for dates.

mod path;

use super::reading::{Calendar, Facts, Reading};
use crate::post::date::{self, Naive};
use crate::post::front_matter::{Yaml, set};
use crate::post::permalink::encode;
use crate::post::summary::{self, Length};
use chrono::{DateTime, FixedOffset, NaiveDateTime};
use chrono_tz::Tz;
use path::Tokens;
use url::Url;

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
    ugly_sections: Vec<String>,
    keeps_case: bool,
    without_accents: bool,
    show_expired: bool,
    /// Folders with an `_index` of their own, below the site's.
    sections: Vec<String>,
    summaries: Summaries,
    /// Keys that say when a post was published, in order.
    dates: Vec<String>,
    updates: Vec<String>,
    expiries: Vec<String>,
    publications: Vec<String>,
}

/// Where summaries end that nobody ends.
#[derive(Clone, Copy, Debug)]
pub struct Summaries {
    words: usize,
    /// Whether Chinese, Japanese and Korean are found out, and their letters counted.
    finds_cjk: bool,
}

impl Summaries {
    /// Of a page with that front matter and body.
    pub fn length(self, front: &Yaml, body: &str) -> Length {
        let by_letters = match self.finds_cjk {
            true => body.chars().any(is_cjk),
            false => front.get("iscjklanguage").and_then(Yaml::truth) == Some(true),
        };
        Length { words: self.words, by_letters }
    }
}

/// Han, Hangul, Hiragana, Katakana.
fn is_cjk(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{2fd5}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{3131}'..='\u{318e}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}')
}

/// A language of the site.
#[derive(Clone, Debug)]
struct Language {
    /// As in file names and URLs.
    code: String,
    /// BCP 47.
    tag: String,
    content: Option<String>,
    /// Where it is served, if it has a host of its own.
    base: Option<Url>,
    /// Whether its pages are made.
    enabled: bool,
}

/// Where a file stands: what is left of its path, and in which language.
struct Place<'a> {
    /// Its language's folder of sources.
    root: &'a str,
    folders: Vec<&'a str>,
    /// Its name without extension and language.
    name: &'a str,
    language: Option<&'a Language>,
    bundle: bool,
}

/// A configuration with what it says of the default language over what it says of all.
pub fn in_default_language(mut all: Yaml) -> Yaml {
    let code = all.get("defaultcontentlanguage").and_then(Yaml::text).unwrap_or("en").to_lowercase();
    let languages = all.get("languages").map(Yaml::entries).unwrap_or_default();
    let own =
        languages.iter().find(|(known, _)| known.eq_ignore_ascii_case(&code)).map(|(_, own)| own.entries().to_vec());
    if let Yaml::Map(entries) = &mut all {
        for (key, value) in own.unwrap_or_default() {
            let before = entries.iter_mut().find(|(known, _)| *known == key).map(|(_, value)| value);
            match (before, value) {
                (Some(Yaml::Map(before)), Yaml::Map(more)) => {
                    more.into_iter().for_each(|(key, value)| set(before, key, value));
                }
                // Its sources are found by the languages.
                (_, value) if key != "contentdir" => set(entries, key, value),
                _ => {}
            }
        }
    }
    all
}

impl Hugo {
    /// Takes what it knows from a configuration with lower-case keys.
    pub fn from_config(all: &Yaml) -> Self {
        let text = |key: &str| all.get(key).and_then(Yaml::text).map(str::to_owned);
        let truth = |key: &str| all.get(key).and_then(Yaml::truth).unwrap_or(false);
        let default_language = text("defaultcontentlanguage").unwrap_or_else(|| "en".into()).to_lowercase();
        let disabled = super::words(all.get("disablelanguages"));
        let languages = all.get("languages").map(Yaml::entries).unwrap_or_default();
        let language = |(code, entry): &(String, Yaml)| Language {
            code: code.to_lowercase(),
            tag: entry.get("languagecode").and_then(Yaml::text).unwrap_or(code).to_owned(),
            content: entry.get("contentdir").and_then(Yaml::text).map(|dir| dir.trim_matches('/').to_owned()),
            base: entry.get("baseurl").and_then(Yaml::text).and_then(|base| Url::parse(base).ok()),
            enabled: entry.get("disabled").and_then(Yaml::truth) != Some(true)
                && !disabled.iter().any(|off| off.eq_ignore_ascii_case(code)),
        };
        Hugo {
            content: text("contentdir").unwrap_or_else(|| "content".into()).trim_matches('/').to_owned(),
            languages: languages.iter().map(language).collect(),
            default_language,
            default_in_subdir: truth("defaultcontentlanguageinsubdir"),
            permalinks: permalinks(all.get("permalinks")),
            ugly: truth("uglyurls"),
            ugly_sections: all.get("uglyurls").map(ugly_sections).unwrap_or_default(),
            sections: Vec::new(),
            summaries: Summaries {
                words: text("summarylength").and_then(|said| said.parse().ok()).unwrap_or(70),
                finds_cjk: truth("hascjklanguage"),
            },
            keeps_case: truth("disablepathtolower"),
            without_accents: truth("removepathaccents"),
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
            below(dir).map(|rest| (dir, rest, Some(language)))
        });
        let (root, path, mut language) = of_language
            .or_else(|| below(&self.content).map(|rest| (&*self.content, rest, None)))
            .unwrap_or_else(|| ("", site_path.split_once("content/").map_or(site_path, |(_, rest)| rest), None));
        let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let mut name = stem;
        if let Some((before, suffix)) = stem.rsplit_once('.')
            && let Some(known) = self.languages.iter().find(|known| known.code.eq_ignore_ascii_case(suffix))
        {
            (name, language) = (before, Some(known));
        }
        let folders = folders.split('/').filter(|folder| !folder.is_empty()).collect();
        let language = language.or_else(|| self.languages.iter().find(|known| known.code == self.default_language));
        Place { root, folders, name, language, bundle: name == "index" }
    }

    /// The folder of a language in URLs.
    fn prefix(&self, language: Option<&Language>) -> String {
        let code = language.map_or(&*self.default_language, |language| &*language.code);
        // Languages with hosts of their own need no folders.
        let hosts = self.languages.iter().any(|language| language.base.is_some());
        let shown = code != self.default_language || self.default_in_subdir;
        if shown && !hosts { format!("/{code}") } else { String::new() }
    }
}

/// What Hugo says of a page that is no section's own.
pub(super) fn facts(hugo: &Hugo, reading: &mut Reading<'_>) -> Result<Facts, &'static str> {
    let place = hugo.place(reading.file.site_path);
    if place.language.is_some_and(|language| !language.enabled) {
        return Err("language off");
    }
    let build = reading.front.get("build").or_else(|| reading.front.get("_build"));
    let says = |key, values: &[&str]| {
        let said = build.and_then(|build| build.get(key)).and_then(Yaml::text);
        said.is_some_and(|said| values.contains(&said))
    };
    if reading.says("headless", true)
        || says("list", &["never", "false", "local"])
        || says("render", &["never", "false"])
    {
        return Err("not listed");
    }
    let zone = reading.context.site.timezone;
    let calendar = Calendar { zone, naive: Naive::Site, keeps_zone: true };
    let named = if place.bundle { place.folders.last().copied().unwrap_or_default() } else { place.name };
    let of_name = dated(named).and_then(|name| name.moment(zone));
    let moment = |keys: &[String], reading: &mut Reading<'_>| {
        keys.iter().find_map(|key| match key.as_str() {
            ":filename" => of_name.map(|date| (date, true)),
            key => read(reading, key, calendar).map(|date| (date, false)),
        })
    };
    let when = |keys: &[String], reading: &mut Reading<'_>| moment(keys, reading).map(|(date, _)| date);
    // Hugo itself would show the year 1 where only the name has a date.
    let said = moment(&hugo.dates, reading);
    let published = said.map(|(date, _)| date).or(of_name).ok_or("no date")?;
    let released = when(&hugo.publications, reading).unwrap_or(published);
    if reading.is_future(released) || reading.is_future(published) {
        return Err("future");
    }
    let expiry = when(&hugo.expiries, reading).filter(|_| !hugo.show_expired);
    if expiry.is_some_and(|expiry| expiry <= reading.context.now) {
        return Err("expired");
    }
    reading.lasting = expiry.is_none() && released == published;
    let updated = when(&hugo.updates, reading);
    // The name gives a slug where it gives the date.
    let of_file = said.filter(|(_, by_name)| *by_name).and_then(|_| dated(named)).map(|name| name.rest);
    let of_file = of_file.filter(|rest| !rest.is_empty());
    let slug = reading.text("slug").or(of_file).map(str::to_owned);
    let title = super::plain::title(&reading.front);
    let (parents, name) = match place.bundle {
        true => (&place.folders[..place.folders.len().saturating_sub(1)], named),
        false => (&place.folders[..], place.name),
    };
    let categories = super::each_once(list(reading.front.get("categories").or_else(|| reading.front.get("category"))));
    let prefix = hugo.prefix(place.language);
    let tokens = Tokens {
        date: published,
        folders: parents,
        sections: hugo.sections_of(place.root, parents),
        title: title.as_deref().unwrap_or(name),
        slug: slug.as_deref(),
        name,
    };
    let path = match (reading.text("url"), reading.configured(published, slug.as_deref().unwrap_or(name), &categories))
    {
        (None, Some(path)) => format!("{prefix}{path}"),
        (url, _) => hugo.page(&prefix, url, &tokens),
    };
    let path = encode(&path);
    let path = match place.language.and_then(|language| language.base.as_ref()) {
        Some(base) => format!("{}{path}", base.as_str().trim_end_matches('/')),
        None => path,
    };
    let work = reading
        .text("translationkey")
        .map_or_else(|| [parents, &[place.name, named]].concat().join("/"), str::to_owned);
    let language = place.language.map(|language| language.tag.clone());
    Ok(Facts {
        work: Some(work),
        published,
        updated,
        slug: slug.unwrap_or_else(|| name.to_owned()),
        path,
        categories,
        tags: list(reading.front.get("tags").or_else(|| reading.front.get("tag"))),
        language: language.or_else(|| reading.first(&["lang", "language", "locale"])),
        summary: summary(reading),
        title,
    })
}

impl Hugo {
    /// How many of a page's folders are sections: the first, and those with an `_index`.
    fn sections_of(&self, root: &str, folders: &[&str]) -> usize {
        let is_section = |count: &usize| {
            let folder = format!("{root}/{}", folders[..*count].join("/"));
            *count == 1 || self.sections.contains(&folder)
        };
        (1..=folders.len()).rev().find(is_section).unwrap_or(0)
    }

    /// Where summaries end that nobody ends.
    pub(crate) fn summaries(&self) -> Summaries {
        self.summaries
    }

    /// Takes a folder that has an `_index` of its own, below the site's.
    pub(crate) fn add_section(&mut self, folder: String) {
        self.sections.push(folder);
    }

    /// Folders that hold its sources, below the site's.
    pub fn contents(&self) -> Vec<&str> {
        let of_languages = self.languages.iter().filter_map(|language| language.content.as_deref());
        std::iter::once(&*self.content).chain(of_languages).collect()
    }
}

/// The author's own summary, unless the text says where its summary ends.
fn summary(reading: &Reading<'_>) -> Option<String> {
    let said = reading.text("summary").filter(|_| !reading.source.body.contains(summary::MARK))?;
    Some(crate::post::markdown::to_html_plain(said))
}

/// A key's date. Hugo also takes seconds since 1970.
fn read(reading: &mut Reading<'_>, key: &str, calendar: Calendar) -> Option<DateTime<FixedOffset>> {
    let said = reading.text(key).filter(|said| !said.trim().is_empty())?.trim();
    let seconds = said.parse().ok().filter(|_| (9..=11).contains(&said.len()) && !said.starts_with(['+', '-']));
    if let Some(seconds) = seconds {
        return DateTime::from_timestamp(seconds, 0).map(|moment| moment.fixed_offset());
    }
    reading.date(key, calendar)
}

/// A name that begins with a day.
struct Dated<'a> {
    day: &'a str,
    /// `-10-11-12`
    clock: Option<&'a str>,
    rest: &'a str,
}

/// `2024-02-05-slug`, `2024-02-05_slug`, `2024-02-05-10-11-12-slug`
fn dated(name: &str) -> Option<Dated<'_>> {
    let (day, mut rest) = date::at_head(name)?;
    let clock = rest.get(..9).filter(|clock| {
        clock.bytes().enumerate().all(|(at, byte)| if at % 3 == 0 { byte == b'-' } else { byte.is_ascii_digit() })
    });
    if clock.is_some() {
        rest = &rest[9..];
    }
    Some(Dated { day, clock, rest: rest.trim_start_matches([' ', '-', '_']) })
}

impl Dated<'_> {
    fn moment(&self, zone: Tz) -> Option<DateTime<FixedOffset>> {
        match self.clock {
            Some(clock) => {
                let moment = NaiveDateTime::parse_from_str(&format!("{}{clock}", self.day), "%Y-%m-%d-%H-%M-%S");
                moment.ok().map(|moment| date::local(moment, zone))
            }
            None => date::of_file_name(&format!("{}-", self.day), zone),
        }
    }
}

/// Lists as they are; one text is one name.
fn list(yaml: Option<&Yaml>) -> Vec<String> {
    match yaml {
        Some(one @ Yaml::Scalar(..)) => one.text().map(str::to_owned).into_iter().collect(),
        other => super::words(other),
    }
}

/// Sections whose URLs are ugly, where that is said by section.
fn ugly_sections(yaml: &Yaml) -> Vec<String> {
    yaml.entries().iter().filter(|(_, value)| value.truth() == Some(true)).map(|(key, _)| key.clone()).collect()
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
