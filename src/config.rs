//! config.toml: gathers the settings of all nouns. Unknown keys are errors with their line and the nearest known key.

pub mod hooks;
pub mod store;
pub mod ways;
pub mod web;

pub use store::Store;
pub use ways::WayOut;
pub use web::{Hooks, Web};

use crate::template::theme;
use crate::{bounce, delivery, edition, feed, message, post, subscriber};
use chrono_tz::Tz;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use url::Url;

/// The whole configuration, as written. Paths are relative to [`Config::root`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[site]`; what it leaves out the generator's own configuration may give.
    #[serde(default)]
    pub site: SiteTable,
    /// `[posts]`
    #[serde(default)]
    pub posts: post::Settings,
    /// `[feeds]`
    #[serde(default)]
    pub feeds: feed::Settings,
    /// `[[feed]]`, in order.
    #[serde(default, rename = "feed")]
    pub named_feeds: Vec<feed::Named>,
    /// `[mail]`
    pub mail: Option<message::Settings>,
    /// `[delivery]`
    #[serde(default)]
    pub delivery: delivery::Settings,
    /// `[[relay]]`, in order.
    #[serde(default, rename = "relay")]
    pub relays: Vec<delivery::relay::Settings>,
    /// `[[digest]]`, in order.
    #[serde(default, rename = "digest")]
    pub digests: Vec<edition::Settings>,
    /// `[theme]`
    #[serde(default)]
    pub theme: theme::Settings,
    /// `[subscribers]`
    #[serde(default)]
    pub subscribers: subscriber::Settings,
    /// `[subscribe]`
    #[serde(default)]
    pub subscribe: subscriber::asking::Settings,
    /// `[inbox]`
    pub inbox: Option<bounce::Inbox>,
    /// `[bounces]`
    #[serde(default)]
    pub bounces: bounce::Settings,
    /// `[web]`
    #[serde(default)]
    pub web: Web,
    /// `[hooks]`
    pub hooks: Option<hooks::Hooks>,
    /// `[store]`
    #[serde(default)]
    pub store: Store,
    /// Where the file lies.
    #[serde(skip)]
    pub path: PathBuf,
    /// The folder that relative paths start from.
    #[serde(skip)]
    pub root: PathBuf,
}

/// `[site]`, every part optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteTable {
    /// The title.
    pub title: Option<String>,
    /// Where it is served.
    pub url: Option<Url>,
    /// One sentence.
    pub description: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// IANA.
    pub timezone: Option<Tz>,
    /// Who writes it.
    pub author: Option<post::Person>,
}

/// Why a configuration cannot be used: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something at a line of the file.
    #[error("{path}:{line}: {message}")]
    At {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// Something about the file as a whole.
    #[error("{path}: {message}")]
    Whole {
        /// The file.
        path: String,
        /// What is wrong, and the remedy.
        message: String,
    },
}

impl Config {
    /// Reads the text of a configuration file. `lookup` resolves `${NAME}`; a name that it does not know stays as it is until
    /// the setting is used, see [`resolved`].
    pub fn parse(text: &str, path: &Path, lookup: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let shown = path.display().to_string();
        let expanded = expand(text.trim_start_matches('\u{FEFF}'), lookup);
        let table: toml::Table = toml::from_str(&expanded).map_err(|e| at(&shown, &expanded, &e))?;
        if !["feeds", "mail", "posts"].iter().any(|key| table.contains_key(*key)) {
            return Err(Error::Whole { path: shown, message: not_ours(&table) });
        }
        let mut config: Config = toml::from_str(&expanded).map_err(|e| at(&shown, &expanded, &e))?;
        config.root = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        config.path = path.to_owned();
        config
            .check()
            .and_then(|()| config.check_relays(&table))
            .map_err(|message| Error::Whole { path: shown, message })?;
        Ok(config)
    }

    /// Relations between settings, which no type can hold.
    fn check(&self) -> Result<(), String> {
        for (at, digest) in self.digests.iter().enumerate() {
            if self.digests[..at].iter().any(|d| d.name == digest.name) {
                return Err(format!(
                    "two [[digest]] tables are named {:?}; give each its own name",
                    digest.name.as_str()
                ));
            }
            if digest.max_posts == 0 {
                return Err(format!("digest {:?}: max_posts is 0; leave it out for 20", digest.name.as_str()));
            }
        }
        if !self.digests.is_empty() && self.mail.is_none() {
            return Err("there is a [[digest]] but no [mail]; add a [mail] table with `from`".to_owned());
        }
        if self.bounces.limit == 0 {
            return Err("bounces.limit is 0; use 1 or more, or leave it out for 5".to_owned());
        }
        self.store.check()?;
        self.theme.check()?;
        if let Some(mail) = &self.mail {
            mail.check_dkim().map_err(|e| e.to_string())?;
        }
        if !(1..=200).contains(&self.delivery.connections) {
            return Err(format!("delivery.connections is {}; use 1 to 200", self.delivery.connections));
        }
        if self.feeds.limit == 0 {
            return Err("feeds.limit is 0; use 1 or more, or leave it out for 20".to_owned());
        }
        for (at, named) in self.named_feeds.iter().enumerate() {
            let name = named.name.as_str();
            if self.named_feeds[..at].iter().any(|other| other.name == named.name) {
                return Err(format!("two [[feed]] tables are named {name:?}; give each its own name"));
            }
            if named.limit == Some(0) {
                return Err(format!("feed {name:?}: limit is 0; use 1 or more, or leave it out for that of [feeds]"));
            }
        }
        if let Some(hub) = self.feeds.hub.as_ref().filter(|hub| !matches!(hub.scheme(), "http" | "https")) {
            return Err(format!(
                "feeds.hub begins with {:?}; use the https:// address that the hub names",
                hub.scheme()
            ));
        }
        if let Some(url) = self.web.public_url.as_ref().filter(|u| !matches!(u.scheme(), "http" | "https")) {
            return Err(format!("web.public_url begins with {:?}; use https://", url.scheme()));
        }
        self.subscribe.check()
    }

    /// The site, from `[site]` and, for what that leaves out, from the generator's own configuration.
    pub fn site(&self, generator: SiteTable) -> Result<post::Site, Error> {
        let missing = |key: &str, example: &str| Error::Whole {
            path: self.path.display().to_string(),
            message: format!(
                "site.{key} is missing, and the site's own configuration does not give it\n  help: add {key} = {example:?} to [site]"
            ),
        };
        let own = self.site.clone();
        let mut url = own.url.or(generator.url).ok_or_else(|| missing("url", "https://example.org/"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(missing("url", "https://example.org/"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(post::Site {
            title: own
                .title
                .or(generator.title)
                .filter(|t| !t.trim().is_empty())
                .ok_or_else(|| missing("title", "Field Notes"))?,
            url,
            description: own.description.or(generator.description),
            language: own.language.or(generator.language).unwrap_or_else(|| "en".to_owned()),
            timezone: own.timezone.or(generator.timezone).unwrap_or(Tz::UTC),
            author: own.author.or(generator.author),
        })
    }

    /// A path of the configuration, from the folder of the file.
    pub fn path_of(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// Where the links of letters lead nobody: neither a page that the world reaches is configured, nor a mailbox that takes the
    /// answers. What is wrong, and what to do.
    pub fn unreachable(&self) -> Option<(String, &'static str)> {
        let reached = self.mail.is_none() || self.web.public_url.is_some() || self.inbox.is_some();
        let what =
            format!("where `serve` asks people, its links lead to {}, which they cannot reach", self.web.address());
        (!reached).then_some((what, "set `public_url` in [web] to the address by which the world reaches `serve`"))
    }

    /// The digests that a reader without a choice gets: those that say `default`, else the first.
    pub fn default_digests(&self) -> Vec<&str> {
        let said: Vec<_> = self.digests.iter().filter(|d| d.default).map(|d| d.name.as_str()).collect();
        match said.is_empty() {
            true => self.digests.first().map(|d| d.name.as_str()).into_iter().collect(),
            false => said,
        }
    }
}

/// A setting's text where it is used: an error that names the variable where `${NAME}` is still in it.
pub fn resolved<'a>(text: &'a str, key: &str) -> Result<&'a str, String> {
    match holes(text).next() {
        None => Ok(text),
        Some((_, name)) => {
            Err(format!("{key} holds ${{{name}}}, and the environment has no {name}; set it, or write the value"))
        }
    }
}

/// An argument of the command line that may hold `${NAME}`: what is written out there, every user of the machine can read.
pub fn looked_up(text: &str, what: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (range, name) in holes(text) {
        let value = lookup(name);
        let value = value.ok_or_else(|| format!("{what} holds ${{{name}}}, and the environment has no {name}"))?;
        out.push_str(&text[rest..range.start]);
        out.push_str(&value);
        rest = range.end;
    }
    out.push_str(&text[rest..]);
    Ok(out)
}

/// Puts the values of `${NAME}` in, escaped for a TOML string, before anything is parsed, so that lines stay what they are.
fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (range, name) in holes(text) {
        let Some(value) = lookup(name) else { continue };
        out.push_str(&text[rest..range.start]);
        for c in value.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
                c => out.push(c),
            }
        }
        rest = range.end;
    }
    out.push_str(&text[rest..]);
    out
}

fn holes(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    text.match_indices("${").filter_map(|(at, _)| {
        let name = &text[at + 2..at + 2 + text[at + 2..].find('}')?];
        let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        good.then(|| (at..at + 2 + name.len() + 1, name))
    })
}

fn not_ours(table: &toml::Table) -> String {
    let whose = if table.contains_key("base_url") {
        "It looks like Zola's."
    } else if table.keys().any(|k| k.eq_ignore_ascii_case("baseURL")) {
        "It looks like Hugo's."
    } else {
        "Ours has [posts], [feeds] or [mail]."
    };
    format!(
        "this is not a configuration of Postrider. {whose}\n  help: put ours into postrider.toml, or name it with --config"
    )
}

fn at(path: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    Error::At { path: path.to_owned(), line, message: explain(error.message()) }
}

/// serde's words in ours; for an unknown key, with the nearest known one.
fn explain(message: &str) -> String {
    // chrono's, which reads days alone here.
    if ["input is out of range", "input contains invalid characters", "premature end of input"].contains(&message) {
        return "this is not a day\n  help: write it as \"2026-11-23\"".to_owned();
    }
    if message == "invalid type: map, expected a sequence" {
        return "there may be several tables of this kind\n  help: write it in double brackets, such as [[digest]]"
            .to_owned();
    }
    let numbers = [
        ("expected a nonzero u16", "expected a number from 1 to 65535"),
        ("expected u16", "expected a number from 0 to 65535"),
    ];
    if let Some((theirs, ours)) = numbers.iter().find(|(theirs, _)| message.ends_with(theirs)) {
        return message.replace(theirs, ours);
    }
    let Some(rest) = message.strip_prefix("unknown field `") else { return message.to_owned() };
    let Some((key, known)) = rest.split_once('`') else { return message.to_owned() };
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    match known.iter().min_by_key(|k| distance(key, k)).filter(|k| distance(key, k) <= 3) {
        Some(nearest) => format!("the key `{key}` is not known\n  help: did you mean `{nearest}`?"),
        None => format!("the key `{key}` is not known\n  help: known here are {}", known.join(", ")),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let substitute = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Error> {
        Config::parse(text, Path::new("blog/config.toml"), |name| (name == "PASS").then(|| "a\"b\\c".to_owned()))
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_the_nearest() {
        let error = parse("[site]\ntitle = \"x\"\n[feeds]\nlimti = 3\n").unwrap_err().to_string();
        assert_eq!(error, "blog/config.toml:4: the key `limti` is not known\n  help: did you mean `limit`?");
    }

    #[test]
    fn what_a_type_expects_is_said_in_words() {
        let relay = "[posts]\n[[relay]]\nname = 'a'\ntransport = 'smtp://localhost'\n";
        for (lines, line, said) in [
            ("priority = -1", 5, "invalid value: integer `-1`, expected a number from 0 to 65535"),
            ("weight = 0", 5, "invalid value: integer `0`, expected a number from 1 to 65535"),
            (
                "warm_up = { since = \"2026-13-01\", first_day = 1 }",
                5,
                "this is not a day\n  help: write it as \"2026-11-23\"",
            ),
            (
                "warm_up = { since = \"soon\", first_day = 1 }",
                5,
                "this is not a day\n  help: write it as \"2026-11-23\"",
            ),
        ] {
            let error = parse(&format!("{relay}{lines}\n")).unwrap_err().to_string();
            assert_eq!(error, format!("blog/config.toml:{line}: {said}"));
        }
        let error = parse("[posts]\n[relay]\nname = 'a'\n").unwrap_err().to_string();
        assert!(error.starts_with("blog/config.toml:2: there may be several tables of this kind\n"), "{error}");
    }

    #[test]
    fn a_variable_is_put_in_escaped_and_a_missing_one_is_an_error_where_it_is_used() {
        let config =
            parse("[mail]\nfrom = \"a@example.org\"\npassword = \"${PASS}\"\n[subscribers]\nsecret = \"${NONE}\"")
                .unwrap();
        assert_eq!(config.mail.unwrap().password.as_deref(), Some("a\"b\\c"));
        let error = resolved(&config.subscribers.secret[0], "subscribers.secret").unwrap_err();
        assert_eq!(
            error,
            "subscribers.secret holds ${NONE}, and the environment has no NONE; set it, or write the value"
        );
    }

    #[test]
    fn a_generators_own_file_is_told_from_ours() {
        assert!(parse("base_url = \"https://x.org\"").unwrap_err().to_string().contains("Zola's"));
        assert!(parse("baseURL = \"https://x.org\"").unwrap_err().to_string().contains("Hugo's"));
    }

    #[test]
    fn what_types_cannot_hold_is_checked() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert!(error("[posts]\n[[digest]]\nname = \"a\"\nschedule = \"0 9 * * MON\"").contains("no [mail]"));
        assert!(error("[posts]\n[[digest]]\nname = \"A b\"\nschedule = \"0 9 * * MON\"").contains("config.toml:3: "));
        assert!(error("[posts]\n[[digest]]\nname = \"a\"\nschedule = \"0 9 31 2 *\"").contains("config.toml:4: "));
        assert!(error("[posts]\n[[feed]]\nname = \"a\"\n[[feed]]\nname = \"a\"").contains("two [[feed]] tables"));
        assert!(error("[posts]\n[[feed]]\nname = \"a\"\nlimit = 0").contains("feed \"a\": limit is 0"));
        assert!(error("[posts]\n[[feed]]\nname = \"tag\"").contains("config.toml:3: \"tag\" cannot name a feed"));
    }

    #[test]
    fn a_hub_is_reached_over_http() {
        assert!(parse("[feeds]\nhub = 'https://hub.example/'").is_ok());
        let error = parse("[feeds]\nhub = 'mailto:a@b.example'").unwrap_err().to_string();
        assert!(error.contains("feeds.hub begins with \"mailto\""), "{error}");
    }

    #[test]
    fn a_theme_that_cannot_be_read_is_refused() {
        let error = parse("[posts]\n[theme]\ntext = \"#999999\"").unwrap_err().to_string();
        assert!(
            error.starts_with("blog/config.toml: theme.text #999999 on theme.background #f4f1ea has a contrast of")
        );
        let error = parse("[posts]\n[theme]\naccent = \"red\"").unwrap_err().to_string();
        assert!(error.starts_with("blog/config.toml:3: \"red\" is no colour"), "{error}");
    }

    #[test]
    fn the_site_is_ours_over_the_generators() {
        let config = parse("[site]\nurl = \"https://example.org/blog\"\n[posts]\n").unwrap();
        let site = config.site(SiteTable {
            title: Some("T".into()),
            url: Url::parse("https://x.org").ok(),
            ..Default::default()
        });
        assert_eq!(site.unwrap().url.as_str(), "https://example.org/blog/");
        assert!(
            config
                .site(SiteTable::default())
                .unwrap_err()
                .to_string()
                .contains("add title = \"Field Notes\" to [site]")
        );
    }
}
