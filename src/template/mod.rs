//! Templates: embedded, overridable by name, rendered with typed contexts, never able to hang or to reach a file.
//!
//! Names are paths: `digest/body.html.j2`. What ends in `.html.j2` is escaped, what ends in `.txt.j2` or `.css.j2` is not. An
//! override takes the place of the embedded template of that name, which stays there under `default/`: an override that begins
//! with `{% extends "default/digest/body.html.j2" %}` replaces single blocks. Any other name can be used by `include` and
//! `extends`. `strings/<language>.toml` holds the words of a language.

pub mod context;
mod functions;
pub mod plural;
pub mod text;
pub mod theme;
pub mod words;

pub use functions::minutes;

use context::{
    ConfirmPage, Digest, DonePage, EditionsPage, ErrorPage, FeedsPage, FormPage, LeftPage, Letter, PreferencesPage,
    UnsubscribePage,
};
use functions::Voice;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;
use words::Words;

/// The folders of the layouts; each has `subject.txt.j2`, `body.txt.j2` and `body.html.j2`.
pub const LAYOUTS: [&str; 4] = ["digest", "letter", "headlines", "full"];

/// Every embedded template: its name and source. `templates list`, `show` and `copy` read it.
pub const EMBEDDED: [(&str, &str); 50] = [
    ("change/body.html.j2", include_str!("../../templates/change/body.html.j2")),
    ("change/body.txt.j2", include_str!("../../templates/change/body.txt.j2")),
    ("change/subject.txt.j2", include_str!("../../templates/change/subject.txt.j2")),
    ("confirm/body.html.j2", include_str!("../../templates/confirm/body.html.j2")),
    ("confirm/body.txt.j2", include_str!("../../templates/confirm/body.txt.j2")),
    ("confirm/subject.txt.j2", include_str!("../../templates/confirm/subject.txt.j2")),
    ("digest/body.html.j2", include_str!("../../templates/digest/body.html.j2")),
    ("digest/body.txt.j2", include_str!("../../templates/digest/body.txt.j2")),
    ("digest/subject.txt.j2", include_str!("../../templates/digest/subject.txt.j2")),
    ("editions/entry.html.j2", include_str!("../../templates/editions/entry.html.j2")),
    ("editions/index.html.j2", include_str!("../../templates/editions/index.html.j2")),
    ("feeds/feed.css.j2", include_str!("../../templates/feeds/feed.css.j2")),
    ("feeds/index.html.j2", include_str!("../../templates/feeds/index.html.j2")),
    ("full/body.html.j2", include_str!("../../templates/full/body.html.j2")),
    ("full/body.txt.j2", include_str!("../../templates/full/body.txt.j2")),
    ("full/subject.txt.j2", include_str!("../../templates/full/subject.txt.j2")),
    ("headlines/body.html.j2", include_str!("../../templates/headlines/body.html.j2")),
    ("headlines/body.txt.j2", include_str!("../../templates/headlines/body.txt.j2")),
    ("headlines/subject.txt.j2", include_str!("../../templates/headlines/subject.txt.j2")),
    ("help/body.html.j2", include_str!("../../templates/help/body.html.j2")),
    ("help/body.txt.j2", include_str!("../../templates/help/body.txt.j2")),
    ("help/subject.txt.j2", include_str!("../../templates/help/subject.txt.j2")),
    ("letter/body.html.j2", include_str!("../../templates/letter/body.html.j2")),
    ("letter/body.txt.j2", include_str!("../../templates/letter/body.txt.j2")),
    ("letter/subject.txt.j2", include_str!("../../templates/letter/subject.txt.j2")),
    ("links/body.html.j2", include_str!("../../templates/links/body.html.j2")),
    ("links/body.txt.j2", include_str!("../../templates/links/body.txt.j2")),
    ("links/subject.txt.j2", include_str!("../../templates/links/subject.txt.j2")),
    ("mail/base.html.j2", include_str!("../../templates/mail/base.html.j2")),
    ("mail/base.txt.j2", include_str!("../../templates/mail/base.txt.j2")),
    ("mail/letter.html.j2", include_str!("../../templates/mail/letter.html.j2")),
    ("mail/letter.txt.j2", include_str!("../../templates/mail/letter.txt.j2")),
    ("mail/parts.html.j2", include_str!("../../templates/mail/parts.html.j2")),
    ("probe/body.html.j2", include_str!("../../templates/probe/body.html.j2")),
    ("probe/body.txt.j2", include_str!("../../templates/probe/body.txt.j2")),
    ("probe/subject.txt.j2", include_str!("../../templates/probe/subject.txt.j2")),
    ("web/confirm.html.j2", include_str!("../../templates/web/confirm.html.j2")),
    ("web/done.html.j2", include_str!("../../templates/web/done.html.j2")),
    ("web/error.html.j2", include_str!("../../templates/web/error.html.j2")),
    ("web/fields.html.j2", include_str!("../../templates/web/fields.html.j2")),
    ("web/left.html.j2", include_str!("../../templates/web/left.html.j2")),
    ("web/links.html.j2", include_str!("../../templates/web/links.html.j2")),
    ("web/page.html.j2", include_str!("../../templates/web/page.html.j2")),
    ("web/preferences.html.j2", include_str!("../../templates/web/preferences.html.j2")),
    ("web/snippet.html.j2", include_str!("../../templates/web/snippet.html.j2")),
    ("web/subscribe.html.j2", include_str!("../../templates/web/subscribe.html.j2")),
    ("web/unsubscribe.html.j2", include_str!("../../templates/web/unsubscribe.html.j2")),
    ("welcome/body.html.j2", include_str!("../../templates/welcome/body.html.j2")),
    ("welcome/body.txt.j2", include_str!("../../templates/welcome/body.txt.j2")),
    ("welcome/subject.txt.j2", include_str!("../../templates/welcome/subject.txt.j2")),
];

/// The folders of the letters; each has the same three files as a layout.
pub const LETTERS: [&str; 6] = ["confirm", "welcome", "change", "links", "help", "probe"];

/// Instructions a template may use up: a thousand times what the embedded ones need, a second at most.
const FUEL: u64 = 2_000_000;

/// Why nothing could be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template's own fault.
    #[error(
        "the template {name}{} cannot be rendered: {what}{}\n  help: {help}",
        line.map(|n| format!(", line {n},")).unwrap_or_default(),
        shown.as_ref().map(|text| format!("\n  | {text}")).unwrap_or_default()
    )]
    Broken {
        /// As in [`EMBEDDED`], or what the configuration calls it.
        name: String,
        /// Counted from 1.
        line: Option<usize>,
        /// The text of that line.
        shown: Option<String>,
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// A body must show the link by which a reader leaves.
    #[error(
        "the template {name} does not show {{{{ links.unsubscribe }}}}\n  help: add the link; a digest without it may not be sent"
    )]
    NoUnsubscribe {
        /// The template.
        name: String,
    },
    /// A letter must show the link that it is for.
    #[error(
        "the template {name} does not show {{{{ links.action }}}}\n  help: add the link; without it the letter asks for nothing"
    )]
    NoAction {
        /// The template.
        name: String,
    },
    /// The styles could not be written into the elements.
    #[error(
        "the styles of the template {name} cannot be inlined: {what}\n  help: look at the <style> of that template"
    )]
    Css {
        /// The template.
        name: String,
        /// What the inliner says.
        what: String,
    },
}

/// All templates, parsed.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    words: Arc<Words>,
    /// The names of the overrides.
    own: Vec<String>,
}

impl Templates {
    /// The embedded templates alone.
    pub fn embedded() -> Self {
        Templates::with_overrides(BTreeMap::new()).expect("the embedded templates parse")
    }

    /// The embedded templates, and over them those of a directory: path inside it → source.
    pub fn with_overrides(overrides: BTreeMap<String, String>) -> Result<Self, Error> {
        // A line that holds nothing but a block leaves nothing behind.
        let whitespace =
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("the usual delimiters");
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        environment.set_syntax(whitespace);
        for (name, source) in EMBEDDED {
            if !overrides.contains_key(name) {
                environment.add_template(name, source).map_err(|e| broken(name, &e))?;
            }
            let kept = format!("default/{name}");
            environment.add_template_owned(kept, source).map_err(|e| broken(name, &e))?;
        }
        let mut words = Words::embedded();
        let own = overrides.keys().cloned().collect();
        for (name, source) in overrides {
            if name.ends_with(".toml") {
                words.add(&name, &source).map_err(|fault| misspoken(&name, &source, fault))?;
            } else {
                environment.add_template_owned(name.clone(), source).map_err(|e| broken(&name, &e))?;
            }
        }
        Ok(Templates { environment, words: Arc::new(words), own })
    }

    /// The embedded templates alone, with pages of the program's own beside them that nobody replaces.
    pub fn of_program(pages: &[(&'static str, &'static str)]) -> Self {
        let mut templates = Templates::embedded();
        for (name, source) in pages {
            templates.environment.add_template(name, source).expect("the program's own pages parse");
        }
        templates
    }

    /// The words of all languages.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The names of the templates that are not the embedded ones.
    pub fn own(&self) -> &[String] {
        &self.own
    }

    /// Renders the template of that name.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, Error> {
        let context = Value::from(Serde(context));
        let environment = self.speaking(&context);
        environment.get_template(name).and_then(|t| t.render(context)).map_err(|e| broken(name, &e))
    }

    /// Renders a template that stands in the configuration, as plain text. `name` says where: `subject of the digest weekly`.
    pub fn render_source(&self, name: &str, source: &str, context: &impl Serialize) -> Result<String, Error> {
        let context = Value::from(Serde(context));
        let environment = self.speaking(&context);
        environment.render_named_str(name, source, context).map_err(|e| broken(name, &e))
    }

    /// The templates with the words of the context's `language`, else of its site's.
    fn speaking(&self, context: &Value) -> Environment<'static> {
        let site = context.get_attr("site").unwrap_or_default();
        let said = |of: &Value, key: &str| of.get_attr(key).ok().and_then(|value| value.as_str().map(str::to_owned));
        let language = said(context, "language").or_else(|| said(&site, "language")).unwrap_or_else(|| "en".to_owned());
        let site = said(&site, "url").and_then(|url| Url::parse(&url).ok());
        let mut environment = self.environment.clone();
        functions::install(&mut environment, &Voice { words: Arc::clone(&self.words), language, site });
        environment
    }

    /// Renders every template that the program uses with its samples, and says what failed: for those who edited one.
    pub fn check(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        for (name, _) in EMBEDDED {
            let body = name.contains("/body.");
            // Each with the link that it must show.
            let results: Vec<(String, Result<String, Error>)> = match name {
                // The frames of the others, and their parts: they are rendered with them.
                "web/page.html.j2"
                | "web/fields.html.j2"
                | "mail/base.html.j2"
                | "mail/base.txt.j2"
                | "mail/parts.html.j2"
                | "mail/letter.html.j2"
                | "mail/letter.txt.j2" => Vec::new(),
                "feeds/index.html.j2" | "feeds/feed.css.j2" => {
                    vec![(String::new(), self.render(name, &FeedsPage::sample()))]
                }
                "editions/index.html.j2" => vec![(String::new(), self.render(name, &EditionsPage::sample()))],
                "web/subscribe.html.j2" | "web/snippet.html.j2" | "web/links.html.j2" => {
                    vec![(String::new(), self.render(name, &FormPage::sample()))]
                }
                "web/confirm.html.j2" => vec![(String::new(), self.render(name, &ConfirmPage::sample()))],
                "web/preferences.html.j2" => vec![(String::new(), self.render(name, &PreferencesPage::sample()))],
                "web/unsubscribe.html.j2" => vec![(String::new(), self.render(name, &UnsubscribePage::sample()))],
                "web/left.html.j2" => vec![(String::new(), self.render(name, &LeftPage::sample()))],
                "web/done.html.j2" => vec![(String::new(), self.render(name, &DonePage::sample()))],
                "web/error.html.j2" => vec![(String::new(), self.render(name, &ErrorPage::sample()))],
                _ if LETTERS.iter().any(|kind| name.starts_with(&format!("{kind}/"))) => {
                    let links =
                        |sample: &Letter| sample.links.action.clone().filter(|_| body && !name.starts_with("probe/"));
                    let link = |sample: &Letter| links(sample).unwrap_or_default();
                    Letter::samples().iter().map(|sample| (link(sample), self.render(name, sample))).collect()
                }
                _ => {
                    let link = |sample: &Digest| if body { sample.links.unsubscribe.clone() } else { String::new() };
                    Digest::samples().iter().map(|sample| (link(sample), self.render(name, sample))).collect()
                }
            };
            for (link, result) in results {
                match result {
                    Ok(text) if !text.replace("&#x2f;", "/").contains(&link) => {
                        let name = name.to_owned();
                        let is_letter = LETTERS.iter().any(|kind| name.starts_with(&format!("{kind}/")));
                        errors.push(if is_letter { Error::NoAction { name } } else { Error::NoUnsubscribe { name } });
                        break;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        errors.push(error);
                        break;
                    }
                }
            }
        }
        errors
    }

    /// Files that replace nothing and that no other names: most likely misspelt. With the nearest name there is.
    pub fn unused<'a>(&'a self, sources: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a str> {
        let named = |name: &str| sources.values().any(|source| source.contains(name));
        self.own
            .iter()
            .map(String::as_str)
            .filter(|name| !name.ends_with(".toml") && !EMBEDDED.iter().any(|(known, _)| known == name))
            .filter(move |name| !named(name))
    }
}

fn misspoken(name: &str, source: &str, fault: words::Fault) -> Error {
    let shown = fault.line.and_then(|line| source.lines().nth(line - 1)).map(shown_line);
    Error::Broken {
        name: name.to_owned(),
        line: fault.line,
        shown,
        what: fault.what,
        help: "correct it; `postrider templates show strings/en.toml` shows every phrase there is".to_owned(),
    }
}

/// A line as a message can hold it.
fn shown_line(line: &str) -> String {
    text::one_line(line, 120)
}

fn broken(name: &str, error: &minijinja::Error) -> Error {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let help = match error.kind() {
        ErrorKind::UndefinedError => {
            "check the spelling of the name; `postrider templates show digest/body.html.j2` and its like show which there are"
        }
        ErrorKind::OutOfFuel => "a loop runs for too long; shorten it",
        ErrorKind::TemplateNotFound => "add a file of that name to the templates directory, or correct the name",
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest | ErrorKind::UnknownMethod => {
            "use one of minijinja's built-in filters and functions, or wrap, date, excerpt, absolute, reading_time and t"
        }
        _ => "correct it, or remove it: there is a built-in one",
    };
    // Where one template calls another, the one that is to blame.
    let mut cause = error;
    while let Some(deeper) =
        std::error::Error::source(cause).and_then(|source| source.downcast_ref::<minijinja::Error>())
    {
        cause = deeper;
    }
    let cause = if cause.line().is_some() { cause } else { error };
    let line = cause.line();
    let shown = cause.template_source().zip(line).and_then(|(source, line)| source.lines().nth(line.saturating_sub(1)));
    let (shown, help) = (shown.map(shown_line).filter(|text| !text.is_empty()), help.to_owned());
    let name = cause.name().unwrap_or(name).to_owned();
    let what = match std::ptr::eq(cause, error) {
        true => what,
        false => match cause.detail() {
            Some(detail) => format!("{}: {detail}", cause.kind()),
            None => cause.kind().to_string(),
        },
    };
    Error::Broken { name, line, shown, what, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_renders_with_its_sample() {
        let templates = Templates::embedded();
        let errors = templates.check();
        assert!(errors.is_empty(), "{errors:?}");
        for name in ["digest/body.html.j2", "digest/body.txt.j2"] {
            let rendered = templates.render(name, &Digest::sample()).unwrap();
            assert_eq!(rendered.contains("Tea & <tags>"), name.ends_with(".txt.j2"), "{name}");
        }
    }

    #[test]
    fn an_override_takes_the_place_of_the_embedded_one() {
        let own = BTreeMap::from([
            ("digest/subject.txt.j2".to_owned(), "{% include 'parts/x.txt.j2' %} & {{ posts|length }}".to_owned()),
            ("parts/x.txt.j2".to_owned(), "Ours".to_owned()),
        ]);
        let templates = Templates::with_overrides(own).unwrap();
        assert_eq!(templates.render("digest/subject.txt.j2", &Digest::sample()).unwrap(), "Ours & 2");
        let own = BTreeMap::from([("web/done.html.j2".to_owned(), "{{ name }}".to_owned())]);
        assert_eq!(Templates::with_overrides(own).unwrap().check().len(), 1);
    }

    #[test]
    fn an_override_can_replace_a_single_block() {
        let own = BTreeMap::from([
            (
                "mail/base.html.j2".to_owned(),
                "{% extends 'default/mail/base.html.j2' %}{% block footer %}<p>Ours</p>{{ super() }}{% endblock %}"
                    .to_owned(),
            ),
            (
                "letter/body.txt.j2".to_owned(),
                "{% extends 'default/letter/body.txt.j2' %}{% block post %}{{ post.title|upper }}{% endblock %}"
                    .to_owned(),
            ),
            ("strings/en.toml".to_owned(), "unsubscribe = 'Leave'".to_owned()),
            ("digest/bodi.html.j2".to_owned(), String::new()),
        ]);
        let templates = Templates::with_overrides(own.clone()).unwrap();
        assert!(templates.check().is_empty(), "{:?}", templates.check());
        for layout in LAYOUTS {
            let html = templates.render(&format!("{layout}/body.html.j2"), &Digest::sample()).unwrap();
            assert!(html.contains("<p>Ours</p>") && html.contains(">Leave</a>"), "{layout}: {html}");
        }
        let text = templates.render("letter/body.txt.j2", &Digest::sample()).unwrap();
        assert!(text.contains("THE EELS ARE BACK") && text.contains("Leave:"), "{text}");
        assert_eq!(templates.unused(&own).collect::<Vec<_>>(), ["digest/bodi.html.j2"]);
    }

    #[test]
    fn a_broken_template_is_named_with_line_and_remedy() {
        let said = |source: &str| {
            let own = BTreeMap::from([("digest/subject.txt.j2".to_owned(), source.to_owned())]);
            Templates::with_overrides(own)
                .and_then(|t| t.render("digest/subject.txt.j2", &Digest::sample()))
                .expect_err("broken")
                .to_string()
        };
        insta::assert_snapshot!(
            [
                said("one\n{{ site.titel }}"),
                said("{{ site.title"),
                said("{{ site.title|shout }}"),
                said("{% for a in range(9000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}"),
                said("{% include 'no/such.j2' %}"),
                said("{% include '/etc/passwd' %}"),
                said("{{ t('nothing') }}"),
                said("one\n{% include 'digest/body.txt.j2' %}{{ posts[0].titel }}"),
            ]
            .join("\n\n")
        );
    }
}
