//! What the site's own generator is told in its configuration (`_config.yml`): best effort, all of it optional.

use super::Person;
use super::front_matter::Yaml;
use chrono_tz::Tz;
use url::Url;

/// The generator's configuration, as far as it concerns posts.
#[derive(Clone, Debug)]
pub struct Generator {
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
    /// Style or template of permalinks.
    pub permalink: Option<String>,
    /// What ends an excerpt; `None` is the first paragraph.
    pub excerpt_separator: Option<String>,
    /// Whether posts of the future are published.
    pub future: bool,
    /// Who writes the site.
    pub author: Option<Person>,
    /// The folder that holds the sources, relative to the configuration.
    pub source: Option<String>,
    /// Front matter that files have by their place.
    pub defaults: Vec<Defaults>,
    /// All of it, for `site.…` in Liquid.
    pub all: Yaml,
}

/// An entry of `defaults`.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The folder it holds for; empty for all.
    path: String,
    /// `posts`, `drafts`, `pages`; empty for all.
    kind: String,
    values: Vec<(String, Yaml)>,
}

impl Default for Generator {
    fn default() -> Self {
        Generator::from_yaml(Yaml::Map(Vec::new()))
    }
}

impl Generator {
    /// Takes what it knows from a configuration.
    pub fn from_yaml(all: Yaml) -> Self {
        let text = |key: &str| all.get(key).and_then(Yaml::text).map(str::to_owned);
        let baseurl = text("baseurl").map(|base| base.trim_matches('/').to_owned()).filter(|base| !base.is_empty());
        let baseurl = baseurl.map(|base| format!("/{base}")).unwrap_or_default();
        let url = text("url").and_then(|url| {
            let url = if url.contains("://") { url } else { format!("https://{}", url.trim_start_matches('/')) };
            let url = Url::parse(&format!("{}{baseurl}/", url.trim_end_matches('/'))).ok()?;
            matches!(url.scheme(), "http" | "https").then_some(url)
        });
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Generator {
            title: text("title").or_else(|| text("name")).map(one_line),
            url,
            baseurl,
            description: text("description").map(one_line),
            language: text("lang")
                .or_else(|| text("language"))
                .or_else(|| text("locale"))
                .and_then(|tag| language(&tag)),
            timezone: text("timezone").and_then(|zone| zone.parse().ok()),
            permalink: text("permalink"),
            excerpt_separator: match all.get("excerpt_separator") {
                Some(Yaml::Scalar(separator, _)) if !separator.trim().is_empty() => Some(separator.trim().to_owned()),
                _ => None,
            },
            future: all.get("future").and_then(Yaml::truth).unwrap_or(false),
            author: all.get("author").and_then(person),
            source: text("source").filter(|source| source != "."),
            defaults: defaults(all.get("defaults")),
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

impl Defaults {
    fn holds_for(&self, path: &str) -> bool {
        let kind = matches!(&*self.kind, "" | "posts" | "post");
        let scope = self.path.trim_matches('/');
        let scope = scope.split('*').next().unwrap_or(scope).trim_end_matches('/');
        let inside =
            path.strip_prefix(scope).is_some_and(|rest| scope.is_empty() || rest.is_empty() || rest.starts_with('/'));
        kind && inside
    }
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

/// An author: a name, or a map with one.
pub fn person(yaml: &Yaml) -> Option<Person> {
    let plain = |text: &str| Some(super::text::plain(text)).filter(|text| !text.is_empty());
    match yaml {
        Yaml::Scalar(..) => Some(Person { name: plain(yaml.text()?)?, ..Person::default() }),
        Yaml::Map(_) => {
            let field = |keys: &[&str]| keys.iter().find_map(|key| yaml.get(key).and_then(Yaml::text));
            let url = field(&["url", "uri", "website", "web", "homepage"]).and_then(|url| Url::parse(url).ok());
            Some(Person {
                name: plain(field(&["name", "display_name", "display-name", "title", "login"])?)?,
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
        let generator = Generator::from_yaml(front_matter::parse_file(yaml).expect("valid"));
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
    fn languages() {
        assert_eq!(language("en_US.UTF-8").as_deref(), Some("en-US"));
        assert_eq!(language("english please"), None);
        assert_eq!(language(""), None);
    }
}
