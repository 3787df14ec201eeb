//! The filters: Jekyll's own, and those of the standard whose results in Ruby are others than the crate's.

mod dates;
mod lists;
mod numbers;
mod strings;
mod urls;
mod values;

pub(super) use values::shown;

use super::{MAX_OUTPUT, Shared, scan, spend};
use liquid_core::model::{ScalarCow, Value, ValueCow, ValueView};
use liquid_core::parser::{Filter, FilterArguments, FilterReflection, ParameterReflection, ParseFilter};
use liquid_core::{Error, Expression, Result, Runtime};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// A filter as it is used: its input, its arguments, and where it stands.
pub(in crate::post::liquid) struct Use<'a> {
    shared: &'a Arc<Shared>,
    runtime: &'a dyn Runtime,
    input: &'a dyn ValueView,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    overgrown: Cell<bool>,
}

impl Use<'_> {
    /// Whether a result of that size is allowed; else the filter fails. Asked before anything grows by more than it has.
    fn fits(&self, size: usize) -> bool {
        let fits = size <= MAX_OUTPUT;
        self.overgrown.set(self.overgrown.get() || !fits);
        fits
    }

    fn text(&self) -> String {
        values::text(self.input)
    }

    /// An argument as text.
    fn argument(&self, number: usize) -> Option<String> {
        self.arguments.get(number).filter(|value| !value.is_nil()).map(|value| values::text(value))
    }

    fn whole(&self, number: usize) -> Option<i64> {
        self.argument(number)?.trim().parse::<f64>().ok().map(|number| number as i64)
    }

    /// What the input names, in the scope where it stands.
    fn named(&self) -> Option<ValueCow<'_>> {
        let path = self.text();
        let path: Vec<ScalarCow<'_>> = path.split('.').map(|part| ScalarCow::new(part.to_owned())).collect();
        self.runtime.try_get(&path)
    }

    /// The input's items; what is no list is none.
    fn items(&self) -> Option<Vec<Value>> {
        let list = self.input.as_array()?;
        Some(list.values().map(ValueView::to_value).collect())
    }
}

pub(in crate::post::liquid) type Function = fn(&Use<'_>) -> Value;

/// The filters by name.
pub(super) fn table() -> impl Iterator<Item = &'static (&'static str, Function)> {
    strings::TABLE.iter().chain(numbers::TABLE).chain(lists::TABLE).chain(dates::TABLE).chain(urls::TABLE).chain(OWN)
}

/// Those that the scanner puts in.
const OWN: &[(&str, Function)] = &[
    (scan::GET, |this| this.named().map_or(Value::Nil, |value| value.into_owned())),
    (scan::SHOW, |this| {
        let shown = shown(this.shared, this.input);
        this.overgrown.set(spend(this.runtime, shown.len()).is_err());
        Value::scalar(shown)
    }),
    (scan::EACH, |this| lists::each(this, this.input)),
    (scan::EACH_OF, |this| {
        this.named().map_or_else(|| Value::Array(Vec::new()), |list| lists::each(this, list.as_view()))
    }),
];

/// One of [`table`], as the parser wants it.
#[derive(Clone)]
pub(super) struct Plugin {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) shared: Arc<Shared>,
}

impl ParseFilter for Plugin {
    fn parse(&self, arguments: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        let keywords = arguments.keyword.map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Box::new(Call { plugin: self.clone(), arguments: arguments.positional.collect(), keywords }))
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
    keywords: Vec<(String, Expression)>,
}

impl Filter for Call {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let value =
            |argument: &Expression| argument.try_evaluate(runtime).map_or(Value::Nil, |value| value.into_owned());
        let arguments: Vec<Value> = self.arguments.iter().map(value).collect();
        let cost =
            arguments.iter().map(|argument| values::size(argument)).fold(values::size(input), usize::saturating_add);
        spend(runtime, cost)?;
        let by_nothing = matches!(self.plugin.name, "divided_by" | "modulo");
        if by_nothing
            && arguments.first().is_none_or(|number| values::number(number).is_none_or(|number| number == 0.0))
        {
            return Err(Error::with_msg("divided by 0"));
        }
        let this = Use {
            shared: &self.plugin.shared,
            runtime,
            input,
            arguments,
            keywords: self.keywords.iter().map(|(name, argument)| (name.clone(), value(argument))).collect(),
            overgrown: Cell::new(false),
        };
        let result = (self.plugin.function)(&this);
        if this.overgrown.get() { Err(Error::with_msg("grows beyond 8 MiB")) } else { Ok(result) }
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
