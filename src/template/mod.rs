//! Templates: embedded, overridable by name, rendered with typed contexts, never able to hang or to reach a file.
//!
//! Names are paths: `digest/body.html.j2`. What ends in `.html.j2` is escaped, what ends in `.txt.j2` or `.css.j2` is not. An
//! override takes the place of the embedded template of that name; any other name can be used by `include` and `extends`.

pub mod context;
pub mod text;

use context::{Digest, DonePage, ErrorPage, FeedsPage, UnsubscribePage};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use std::collections::BTreeMap;

/// The subject of a digest that configures none.
pub const DEFAULT_SUBJECT: &str = include_str!("../../templates/digest/subject.txt.j2");

/// Every embedded template: its name and source. `templates list` and `templates copy` read it.
pub const EMBEDDED: [(&str, &str); 9] = [
    ("digest/subject.txt.j2", DEFAULT_SUBJECT),
    ("digest/body.txt.j2", include_str!("../../templates/digest/body.txt.j2")),
    ("digest/body.html.j2", include_str!("../../templates/digest/body.html.j2")),
    ("feeds/index.html.j2", include_str!("../../templates/feeds/index.html.j2")),
    ("feeds/feed.css.j2", include_str!("../../templates/feeds/feed.css.j2")),
    ("web/page.html.j2", include_str!("../../templates/web/page.html.j2")),
    ("web/unsubscribe.html.j2", include_str!("../../templates/web/unsubscribe.html.j2")),
    ("web/done.html.j2", include_str!("../../templates/web/done.html.j2")),
    ("web/error.html.j2", include_str!("../../templates/web/error.html.j2")),
];

/// Instructions a template may use up: a thousand times what the embedded ones need, a second at most.
const FUEL: u64 = 2_000_000;

/// Why nothing could be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template's own fault.
    #[error("the template {name}{} cannot be rendered: {what}\n  help: {help}", line.map(|n| format!(", line {n},")).unwrap_or_default())]
    Broken {
        /// As in [`EMBEDDED`], or what the configuration calls it.
        name: String,
        /// Counted from 1.
        line: Option<usize>,
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
        environment.add_filter("wrap", |text: &str| text::wrap(text, text::COLUMNS));
        for (name, source) in EMBEDDED {
            if !overrides.contains_key(name) {
                environment.add_template(name, source).map_err(|e| broken(name, &e))?;
            }
        }
        for (name, source) in overrides {
            environment.add_template_owned(name.clone(), source).map_err(|e| broken(&name, &e))?;
        }
        Ok(Templates { environment })
    }

    /// Renders the template of that name.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, Error> {
        self.environment.get_template(name).and_then(|t| t.render(Serde(context))).map_err(|e| broken(name, &e))
    }

    /// Renders a template that stands in the configuration, as plain text. `name` says where: `subject of the digest weekly`.
    pub fn render_source(&self, name: &str, source: &str, context: &impl Serialize) -> Result<String, Error> {
        self.environment.render_named_str(name, source, Serde(context)).map_err(|e| broken(name, &e))
    }

    /// Renders every template that the program uses with its sample, and says what failed: for those who edited one.
    pub fn check(&self) -> Vec<Error> {
        let render = |name: &str| match name {
            // The frame of the others: it is rendered with them.
            "web/page.html.j2" => Ok(String::new()),
            "feeds/index.html.j2" | "feeds/feed.css.j2" => self.render(name, &FeedsPage::sample()),
            "web/unsubscribe.html.j2" => self.render(name, &UnsubscribePage::sample()),
            "web/done.html.j2" => self.render(name, &DonePage::sample()),
            "web/error.html.j2" => self.render(name, &ErrorPage::sample()),
            _ => self.render(name, &Digest::sample()),
        };
        EMBEDDED.iter().filter_map(|(name, _)| render(name).err()).collect()
    }
}

fn broken(name: &str, error: &minijinja::Error) -> Error {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let help = match error.kind() {
        ErrorKind::UndefinedError => {
            "check the spelling of the name; the templates that come with the source, in `templates/`, use every name there is"
        }
        ErrorKind::OutOfFuel => "a loop runs for too long; shorten it",
        ErrorKind::TemplateNotFound => "add a file of that name to the templates directory, or correct the name",
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest | ErrorKind::UnknownMethod => {
            "use one of minijinja's built-in filters and functions, or wrap, which breaks text into lines of 72 columns"
        }
        _ => "correct it, or remove it: there is a built-in one",
    };
    Error::Broken { name: error.name().unwrap_or(name).to_owned(), line: error.line(), what, help: help.to_owned() }
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
            ]
            .join("\n\n")
        );
    }
}
