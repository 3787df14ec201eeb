//! Jekyll's own filters, beside the standard ones.

use super::Facts;
use crate::post::permalink::{Mode, slugify};
use crate::post::{date, markdown};
use chrono::{DateTime, FixedOffset};
use liquid_core::model::{ScalarCow, Value, ValueView};
use liquid_core::parser::{Filter, FilterArguments, FilterReflection, ParameterReflection, ParseFilter};
use liquid_core::{Expression, Result, Runtime};
use std::fmt;
use std::sync::Arc;

/// A value and its arguments in, a value out.
type Function = fn(&Facts, &dyn ValueView, &[Value]) -> Value;

/// The filters by name.
pub(super) const TABLE: &[(&str, Function)] = &[
    ("relative_url", |facts, input, _| Value::scalar(facts.relative_url(&text(input)))),
    ("absolute_url", |facts, input, _| Value::scalar(facts.absolute_url(&text(input)))),
    ("strip_index", |_, input, _| {
        let url = text(input);
        Value::scalar(url.strip_suffix("index.html").unwrap_or(&url).to_owned())
    }),
    ("date", |facts, input, arguments| match (facts.date(input), arguments.first()) {
        (Some(date), Some(format)) => match formatted(date, &text(format)) {
            Some(date) => Value::scalar(date),
            None => input.to_value(),
        },
        _ => input.to_value(),
    }),
    ("date_to_xmlschema", |facts, input, _| {
        facts.date(input).map_or(input.to_value(), |d| Value::scalar(d.to_rfc3339()))
    }),
    ("date_to_rfc822", |facts, input, _| facts.date(input).map_or(input.to_value(), |d| Value::scalar(d.to_rfc2822()))),
    ("date_to_string", |facts, input, _| with_format(facts, input, "%d %b %Y")),
    ("date_to_long_string", |facts, input, _| with_format(facts, input, "%d %B %Y")),
    ("markdownify", |_, input, _| Value::scalar(markdown::to_html_plain(&text(input)))),
    ("smartify", |_, input, _| Value::scalar(text(input))),
    ("xml_escape", |_, input, _| Value::scalar(escaped(&text(input)))),
    ("cgi_escape", |_, input, _| Value::scalar(encoded(&text(input)))),
    ("uri_escape", |facts, input, _| {
        let escaped = facts.base.join(&text(input)).map(|url| url.path().to_owned());
        escaped.map_or(input.to_value(), Value::scalar)
    }),
    ("slugify", |_, input, arguments| {
        let mode =
            if arguments.first().is_some_and(|mode| text(mode) == "pretty") { Mode::Pretty } else { Mode::Default };
        Value::scalar(slugify(&text(input), mode, false))
    }),
    ("normalize_whitespace", |_, input, _| Value::scalar(text(input).split_whitespace().collect::<Vec<_>>().join(" "))),
    ("number_of_words", |_, input, _| {
        Value::scalar(i64::try_from(text(input).split_whitespace().count()).unwrap_or(i64::MAX))
    }),
    ("jsonify", |_, input, _| Value::scalar(serde_json::to_string(&input.to_value()).unwrap_or_default())),
    ("inspect", |_, input, _| Value::scalar(text(input))),
    ("to_integer", |_, input, _| Value::scalar(text(input).trim().parse::<f64>().map_or(0, |number| number as i64))),
    ("array_to_sentence_string", |_, input, arguments| {
        let last = arguments.first().map_or("and".to_owned(), text_of);
        let items: Vec<String> = input.as_array().map(|a| a.values().map(text).collect()).unwrap_or_default();
        Value::scalar(match items.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, two] => format!("{one} {last} {two}"),
            [first @ .., end] => format!("{}, {last} {end}", first.join(", ")),
        })
    }),
];

fn text(value: &dyn ValueView) -> String {
    value.to_kstr().into_string()
}

fn text_of(value: &Value) -> String {
    text(value)
}

fn with_format(facts: &Facts, input: &dyn ValueView, format: &str) -> Value {
    facts.date(input).and_then(|date| formatted(date, format)).map_or_else(|| input.to_value(), Value::scalar)
}

/// `strftime`; `None` for a format that does not exist.
fn formatted(date: DateTime<FixedOffset>, format: &str) -> Option<String> {
    use chrono::format::{Item, StrftimeItems};
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    let valid = !items.contains(&Item::Error);
    valid.then(|| date.format_with_items(items.into_iter()).to_string())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Facts {
    fn date(&self, input: &dyn ValueView) -> Option<DateTime<FixedOffset>> {
        match text(input).trim() {
            // A build must not change because time passes.
            "now" | "today" => Some(self.time),
            said => date::parse(said, self.zone, date::Naive::Utc),
        }
    }
}

/// One of [`TABLE`], as the parser wants it.
#[derive(Clone)]
pub(super) struct Plugin {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) facts: Arc<Facts>,
}

impl ParseFilter for Plugin {
    fn parse(&self, arguments: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        Ok(Box::new(Call { plugin: self.clone(), arguments: arguments.positional.collect() }))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self
    }
}

impl FilterReflection for Plugin {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        ""
    }

    fn positional_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }
}

/// A use of a filter.
struct Call {
    plugin: Plugin,
    arguments: Vec<Expression>,
}

impl Filter for Call {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let value =
            |argument: &Expression| argument.try_evaluate(runtime).map_or(Value::Nil, |value| value.into_owned());
        let arguments: Vec<Value> = self.arguments.iter().map(value).collect();
        Ok((self.plugin.function)(&self.plugin.facts, input, &arguments))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plugin.name)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plugin.name)
    }
}

/// Looks up the variable that its input names, in the scope it stands in; nothing where there is none.
#[derive(Clone, Debug)]
pub(super) struct Lookup;

impl ParseFilter for Lookup {
    fn parse(&self, _: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        Ok(Box::new(self.clone()))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self
    }
}

impl FilterReflection for Lookup {
    fn name(&self) -> &str {
        super::scan::GET
    }

    fn description(&self) -> &str {
        ""
    }

    fn positional_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }
}

impl Filter for Lookup {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let path = text(input);
        let path: Vec<ScalarCow<'_>> = path.split('.').map(|part| ScalarCow::new(part.to_owned())).collect();
        Ok(runtime.try_get(&path).map_or(Value::Nil, |value| value.into_owned()))
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
