//! What the site's own generator is told in its configuration: best effort, all of it optional.

use super::Person;
use super::dialect::Dialect;
use super::dialect::hexo::Hexo;
use super::dialect::hugo::{self, Hugo};
use super::dialect::pelican::Pelican;
use super::dialect::zola::Zola;
use super::front_matter::Yaml;
use super::glob;
use chrono_tz::Tz;
use std::path::PathBuf;
use url::Url;

/// The generator of a site and its configuration, as far as it concerns posts.
#[derive(Clone, Debug)]
pub struct Generator {
    /// Whose rules its files follow, with what its configuration says of them.
    pub rules: Rules,
    /// Why it was taken for that generator, to go on "Hugo, for …".
    pub why: String,
    /// The folder of its configuration; without one, of the site.
    pub folder: PathBuf,
    /// The site's title.
    pub title: Option<String>,
    /// Where the site is served, `baseurl` included; ends in `/`.
    pub url: Option<Url>,
    /// The path below the host, `/blog`; empty where there is none.
    pub baseurl: String,
    /// One sentence about the site.
    pub description: Option<String>,
    /// Its language, BCP 47.
    pub language: Option<String>,
    /// Its zone, if it names one that exists.
    pub timezone: Option<Tz>,
    /// Style or template of permalinks, by Jekyll's placeholders.
    pub permalink: Option<String>,
    /// What ends an excerpt; `None` is the first paragraph, and where it is empty, there are no excerpts.
    pub excerpt_separator: Option<String>,
    /// Whether posts of the future are published.
    pub future: bool,
    /// Who writes the site.
    pub author: Option<Person>,
    /// Folders that hold its sources, below its own; empty where all of it does.
    pub sources: Vec<String>,
    /// Front matter that files have by their place.
    pub defaults: Vec<Defaults>,
    /// All of its configuration, for `site.…` in Liquid.
    pub all: Yaml,
}

/// A generator's rules with its settings.
#[derive(Clone, Debug)]
pub enum Rules {
    /// Jekyll's, whose settings are those of [`Generator`].
    Jekyll,
    /// Hugo's.
    Hugo(Hugo),
    /// Zola's.
    Zola(Zola),
    /// Eleventy's.
    Eleventy,
    /// Pelican's.
    Pelican(Pelican),
    /// Hexo's.
    Hexo(Hexo),
    /// Nobody's.
    Plain,
}

impl Rules {
    /// Whose they are.
    pub fn dialect(&self) -> Dialect {
        match self {
            Rules::Jekyll => Dialect::Jekyll,
            Rules::Hugo(_) => Dialect::Hugo,
            Rules::Zola(_) => Dialect::Zola,
            Rules::Eleventy => Dialect::Eleventy,
            Rules::Pelican(_) => Dialect::Pelican,
            Rules::Hexo(_) => Dialect::Hexo,
            Rules::Plain => Dialect::Plain,
        }
    }
}

/// Front matter that the files of a place have without saying it.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The folder it holds for; empty for all.
    pub path: String,
    /// `posts`, `drafts`, `pages`; empty for all.
    pub kind: String,
    /// Of which of the files: a folder, and a pattern of paths below it without their endings, which begin with `/`.
    pub pattern: Option<(String, String)>,
    /// The front matter.
    pub values: Vec<(String, Yaml)>,
}

impl Default for Generator {
    fn default() -> Self {
        Generator::new(Dialect::Plain, Yaml::Map(Vec::new()))
    }
}

/// Where a generator's configuration says what, each a path of keys; the first that is there counts.
struct Keys {
    title: &'static [&'static [&'static str]],
    url: &'static [&'static [&'static str]],
    description: &'static [&'static [&'static str]],
    language: &'static [&'static [&'static str]],
    author: &'static [&'static [&'static str]],
    future: &'static str,
}

const KEYS: Keys = Keys {
    title: &[&["title"], &["name"]],
    url: &[&["url"]],
    description: &[&["description"], &["subtitle"]],
    language: &[&["lang"], &["language"], &["locale"]],
    author: &[&["author"]],
    future: "future",
};
const HUGO_KEYS: Keys = Keys {
    title: &[&["title"]],
    url: &[&["baseurl"]],
    description: &[&["params", "description"], &["description"]],
    language: &[&["languagecode"], &["defaultcontentlanguage"]],
    author: &[&["params", "author"], &["author"]],
    future: "buildfuture",
};
const ZOLA_KEYS: Keys = Keys {
    title: &[&["title"]],
    url: &[&["base_url"]],
    description: &[&["description"]],
    language: &[&["default_language"]],
    author: &[&["author"], &["extra", "author"]],
    future: "",
};
const PELICAN_KEYS: Keys = Keys {
    title: &[&["SITENAME"]],
    url: &[&["SITEURL"]],
    description: &[&["SITESUBTITLE"]],
    language: &[&["DEFAULT_LANG"]],
    author: &[&["AUTHOR"]],
    future: "",
};

impl Generator {
    /// Takes what it knows from a configuration. Hugo's has lower-case keys, Pelican's is of
    /// [`pelican::assignments`](crate::post::dialect::pelican::assignments).
    pub fn new(dialect: Dialect, all: Yaml) -> Self {
        let all = if dialect == Dialect::Hugo { hugo::in_default_language(all) } else { all };
        let keys = match dialect {
            Dialect::Jekyll | Dialect::Hexo | Dialect::Eleventy | Dialect::Plain => KEYS,
            Dialect::Hugo => HUGO_KEYS,
            Dialect::Zola => ZOLA_KEYS,
            Dialect::Pelican => PELICAN_KEYS,
        };
        let one = |paths: &[&[&str]]| paths.iter().find_map(|path| all.at(path).filter(|value| !value.is_null()));
        let said = |paths: &[&[&str]]| {
            let value = one(paths)?;
            value.text().or_else(|| value.items().first()?.text()).map(str::to_owned)
        };
        let text = |key: &str| all.get(key).and_then(Yaml::text).map(str::to_owned);
        let below = text(if dialect == Dialect::Hexo { "root" } else { "baseurl" });
        let below = below.map(|base| base.trim_matches('/').to_owned()).filter(|base| !base.is_empty());
        let baseurl = match dialect {
            Dialect::Jekyll | Dialect::Hexo | Dialect::Plain => {
                below.map(|base| format!("/{base}")).unwrap_or_default()
            }
            _ => String::new(),
        };
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let rules = match dialect {
            Dialect::Jekyll => Rules::Jekyll,
            Dialect::Hugo => Rules::Hugo(Hugo::from_config(&all)),
            Dialect::Zola => Rules::Zola(Zola::from_config(&all)),
            Dialect::Eleventy => Rules::Eleventy,
            Dialect::Pelican => Rules::Pelican(Pelican::from_config(&all)),
            Dialect::Hexo => Rules::Hexo(Hexo::from_config(&all)),
            Dialect::Plain => Rules::Plain,
        };
        let sources = match &rules {
            Rules::Jekyll => text("source").filter(|source| source != ".").into_iter().collect(),
            Rules::Hugo(hugo) => hugo.contents().into_iter().map(str::to_owned).collect(),
            Rules::Zola(_) => vec!["content".to_owned()],
            Rules::Pelican(pelican) => vec![pelican.content().to_owned()],
            Rules::Hexo(_) => vec![text("source_dir").unwrap_or_else(|| "source".into())],
            Rules::Eleventy | Rules::Plain => Vec::new(),
        };
        Generator {
            title: said(keys.title).map(one_line),
            url: said(keys.url).and_then(|url| {
                // Hexo's `url` holds its `root`.
                let holds = dialect == Dialect::Hexo && url.trim_end_matches('/').ends_with(&baseurl);
                address(&url, if holds { "" } else { &baseurl })
            }),
            baseurl,
            description: said(keys.description).map(one_line),
            language: said(keys.language).and_then(|tag| language(&tag)),
            timezone: text("timezone").or_else(|| text("TIMEZONE")).and_then(|zone| zone.parse().ok()),
            // Jekyll's posts are one of its collections, whose own permalink goes before.
            permalink: ["collections", "posts", "permalink"]
                .iter()
                .try_fold(&all, |all, key| all.get(key))
                .and_then(Yaml::text)
                .map(str::to_owned)
                .or_else(|| text("permalink"))
                .filter(|_| matches!(rules, Rules::Jekyll | Rules::Plain)),
            excerpt_separator: match all.get("excerpt_separator") {
                Some(Yaml::Scalar(separator, _)) => Some(separator.clone()),
                _ => None,
            },
            future: all.get(keys.future).and_then(Yaml::truth).unwrap_or(false),
            author: one(keys.author).and_then(person),
            defaults: if matches!(rules, Rules::Jekyll | Rules::Plain) {
                defaults(all.get("defaults"))
            } else {
                Vec::new()
            },
            why: String::new(),
            folder: PathBuf::new(),
            sources,
            rules,
            all,
        }
    }

    /// The front matter that a post at `path` (below the site's source) has without saying it: the narrower scope wins.
    pub fn defaults_of(&self, path: &str) -> Vec<(&str, &Yaml)> {
        let mut scopes: Vec<&Defaults> = self.defaults.iter().filter(|scope| scope.holds_for(path)).collect();
        scopes.sort_by_key(|scope| (scope.path.len(), !scope.kind.is_empty()));
        let mut values: Vec<(&str, &Yaml)> = Vec::new();
        for (key, value) in scopes.iter().flat_map(|scope| &scope.values) {
            values.retain(|(known, _)| known != key);
            values.push((key, value));
        }
        values
    }
}

impl Generator {
    /// The folder at which the paths of its sources begin: Jekyll's `source`, else that of the site.
    pub fn source_folder(&self) -> PathBuf {
        match (&self.rules, self.sources.first()) {
            (Rules::Jekyll, Some(source)) => self.folder.join(source),
            _ => self.folder.clone(),
        }
    }

    /// What each folder of `path` says of `tags`, the widest first: Eleventy joins them.
    pub fn tags_of_folders(&self, path: &str) -> Vec<&Yaml> {
        let mut scopes: Vec<&Defaults> = self.defaults.iter().filter(|scope| scope.holds_for(path)).collect();
        scopes.sort_by_key(|scope| scope.path.len());
        let values = scopes.into_iter().flat_map(|scope| &scope.values);
        values.filter(|(key, _)| key == "tags").map(|(_, tags)| tags).collect()
    }
}

impl Defaults {
    fn holds_for(&self, path: &str) -> bool {
        let kind = matches!(&*self.kind, "" | "posts" | "post");
        let scope = self.path.trim_matches('/');
        let scope = scope.split('*').next().unwrap_or(scope).trim_end_matches('/');
        let inside =
            path.strip_prefix(scope).is_some_and(|rest| scope.is_empty() || rest.is_empty() || rest.starts_with('/'));
        let matched = self.pattern.as_ref().is_none_or(|(root, pattern)| {
            let below = path.strip_prefix(&**root).unwrap_or(path);
            let (folder, file) = below.rsplit_once('/').unwrap_or(("", below));
            let stem = file.split('.').next().unwrap_or(file);
            let page = if stem == "index" { folder.to_owned() } else { format!("{folder}/{stem}") };
            glob::matches(pattern, &page.to_lowercase())
        });
        kind && inside && matched
    }
}

/// A site's own address with what stands below it.
fn address(url: &str, baseurl: &str) -> Option<Url> {
    let url = if url.contains("://") { url.to_owned() } else { format!("https://{}", url.trim_start_matches('/')) };
    let url = Url::parse(&format!("{}{baseurl}/", url.trim_end_matches('/'))).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host().is_some()).then_some(url)
}

fn defaults(yaml: Option<&Yaml>) -> Vec<Defaults> {
    let Some(Yaml::List(entries)) = yaml else { return Vec::new() };
    let scope = |entry: &Yaml, key| {
        entry.get("scope").and_then(|scope| scope.get(key)).and_then(Yaml::text).unwrap_or_default().to_owned()
    };
    entries
        .iter()
        .map(|entry| Defaults {
            path: scope(entry, "path"),
            kind: scope(entry, "type"),
            pattern: None,
            values: entry.get("values").map(|values| values.entries().to_vec()).unwrap_or_default(),
        })
        .collect()
}

/// A language tag, `fa_IR` as `fa-IR`; `None` for what is none.
pub fn language(tag: &str) -> Option<String> {
    let tag = tag.trim().split('.').next().unwrap_or_default().replace('_', "-");
    let sound =
        tag.split('-').all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    (sound && tag.len() >= 2 && tag.as_bytes()[0].is_ascii_alphabetic()).then_some(tag)
}

/// Where a map says a person's name, the surest first.
const NAMES: &[&str] =
    &["name", "display_name", "display-name", "displayName", "full_name", "fullname", "title", "login", "username"];

/// `Name <address>` and `address (Name)`: the name, and the address. Of an address alone, what stands before its `@`.
fn name_and_email(text: &str) -> (&str, Option<&str>) {
    let is_address = |text: &str| !text.contains(char::is_whitespace) && text.find('@').is_some_and(|at| at > 0);
    let split = |inner: char, end: char| {
        let (before, after) = text.strip_suffix(end)?.rsplit_once(inner)?;
        Some((before.trim(), after.trim()))
    };
    match (split('<', '>'), split('(', ')')) {
        (Some((name, email)), _) if is_address(email) && !name.is_empty() => (name.trim_matches('"'), Some(email)),
        (_, Some((email, name))) if is_address(email) && !name.is_empty() => (name, Some(email)),
        _ => match text.split_once('@') {
            Some((name, domain)) if is_address(text) && domain.contains('.') => (name, Some(text)),
            _ => (text, None),
        },
    }
}

/// An author: a name, or a map with one.
pub fn person(yaml: &Yaml) -> Option<Person> {
    let plain = |text: &str| Some(super::text::plain(text)).filter(|text| !text.is_empty());
    match yaml {
        Yaml::Scalar(..) => {
            let (name, email) = name_and_email(yaml.text()?);
            Some(Person { name: plain(name)?, email: email.map(str::to_owned), url: None })
        }
        Yaml::Map(_) => {
            let field = |keys: &[&str]| keys.iter().find_map(|key| yaml.get(key).and_then(Yaml::text));
            let url = field(&["url", "uri", "website", "web", "homepage"]).and_then(|url| Url::parse(url).ok());
            Some(Person {
                name: plain(name_and_email(field(NAMES)?).0)?,
                email: field(&["email", "mail"]).filter(|email| email.contains('@')).map(str::to_owned),
                url: url.filter(|url| matches!(url.scheme(), "http" | "https")),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::front_matter;

    #[test]
    fn a_configuration_is_read() {
        let yaml = "title: A\nurl: https://a.example/\nbaseurl: /blog\nlang: fa_IR\ntimezone: Europe/Berlin\nfuture: yes\nauthor: {name: Ada, uri: 'https://a.example/ada'}\n\
                    defaults:\n- scope: {path: '', type: posts}\n  values: {permalink: /b/:title/, image: a}\n- scope: {path: x}\n  values: {image: b}\n- scope: {type: pages}\n  values: {image: c}\n";
        let generator = Generator::new(Dialect::Jekyll, front_matter::parse_file(yaml).expect("valid"));
        assert_eq!(generator.url.as_ref().map(Url::as_str), Some("https://a.example/blog/"));
        assert_eq!(generator.language.as_deref(), Some("fa-IR"));
        assert!(generator.future && generator.timezone.is_some());
        assert_eq!(
            generator.author.as_ref().and_then(|a| a.url.as_ref()).map(Url::as_str),
            Some("https://a.example/ada")
        );
        let image = |path| {
            let all = generator.defaults_of(path);
            all.iter().find(|(key, _)| *key == "image").and_then(|(_, value)| value.text()).map(str::to_owned)
        };
        assert_eq!(image("_posts/a.md").as_deref(), Some("a"));
        assert_eq!(image("x/_posts/a.md").as_deref(), Some("b"));
        assert_eq!(image("xy/_posts/a.md").as_deref(), Some("a"));
    }

    #[test]
    fn the_collection_of_posts_has_a_permalink_of_its_own() {
        let yaml = "permalink: /:title/\ncollections:\n  posts: {permalink: '/news/:title/', output: true}\n";
        let generator = Generator::new(Dialect::Jekyll, front_matter::parse_file(yaml).expect("valid"));
        assert_eq!(generator.permalink.as_deref(), Some("/news/:title/"));
    }

    #[test]
    fn languages() {
        assert_eq!(language("en_US.UTF-8").as_deref(), Some("en-US"));
        assert_eq!(language("english please"), None);
        assert_eq!(language(""), None);
    }
}
