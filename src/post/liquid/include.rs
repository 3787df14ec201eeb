//! `{% include file.html name="value" other=page.x %}`: a text of `_includes`, run with its own `include` variable.

use super::{Bounded, Facts, Ledger, Lenient, Trouble, language, link_to_post, run, scan};
use liquid_core::model::{Object, Value};
use liquid_core::parser::{Language, TagTokenIter, parse_variable};
use liquid_core::runtime::StackFrame;
use liquid_core::{Error, Expression, ParseTag, Renderable, Result, Runtime, TagReflection, ValueView};
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// Includes that include others.
const MAX_DEPTH: usize = 8;

#[derive(Clone)]
pub(super) struct Include {
    pub(super) facts: Arc<Facts>,
}

impl TagReflection for Include {
    fn tag(&self) -> &str {
        "include"
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for Include {
    fn parse(&self, mut arguments: TagTokenIter<'_>, _: &Language) -> Result<Box<dyn Renderable>> {
        let packed = arguments.expect_next("a file is expected")?.expect_literal().into_result()?;
        let arguments = scan::unpack(&packed.to_kstr());
        let mut words = scan::split_outside_quotes(&arguments, ' ').into_iter().filter(|word| !word.trim().is_empty());
        let file = words.next().unwrap_or_default().trim_matches(['"', '\'']).to_owned();
        let mut parameters = Vec::new();
        let joined = words.collect::<Vec<_>>().join(" ").replace('\n', " ").replace(" =", "=").replace("= ", "=");
        for word in scan::split_outside_quotes(&joined, ' ') {
            let Some((name, value)) = word.split_once('=') else { continue };
            let literal = value.strip_prefix(['"', '\'']).map(|value| value.strip_suffix(['"', '\'']).unwrap_or(value));
            let value = match literal {
                Some(text) => Expression::with_literal(text.to_owned()),
                None => match value.parse::<i64>() {
                    Ok(number) => Expression::with_literal(number),
                    Err(_) => match value {
                        "true" => Expression::with_literal(true),
                        "false" => Expression::with_literal(false),
                        value => Expression::Variable(parse_variable(value)?),
                    },
                },
            };
            parameters.push((name.trim().to_owned(), value));
        }
        Ok(Box::new(Inclusion { facts: self.facts.clone(), file, parameters }))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

/// One use of the tag.
struct Inclusion {
    facts: Arc<Facts>,
    file: String,
    parameters: Vec<(String, Expression)>,
}

impl fmt::Debug for Inclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "include {}", self.file)
    }
}

impl Renderable for Inclusion {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let Some(text) = self.facts.includes.get(&self.file) else {
            link_to_post(runtime, writer);
            let mut ledger = runtime.registers().get_mut::<Ledger>();
            let trouble = Trouble {
                line: ledger.line,
                message: format!("There is no `{}` in _includes", self.file),
                help: "readers find a link to the post in its place; add the file, or check `site` in [posts]".into(),
            };
            ledger.add(trouble);
            return Ok(());
        };
        let depth = {
            let mut ledger = runtime.registers().get_mut::<Ledger>();
            ledger.depth += 1;
            ledger.depth
        };
        let outcome = if depth > MAX_DEPTH {
            Err(Error::with_msg("includes itself too often"))
        } else {
            let value =
                |expression: &Expression| expression.try_evaluate(runtime).map_or(Value::Nil, |v| v.into_owned());
            let include: Object =
                self.parameters.iter().map(|(name, expression)| (name.clone().into(), value(expression))).collect();
            let mut frame = Object::new();
            frame.insert("include".into(), Value::Object(include));
            let scope = Lenient(StackFrame::new(runtime, frame));
            let mut out = Bounded(Vec::new());
            run(text, 1, &self.facts, &language(&self.facts), &scope, &mut out);
            writer.write_all(&out.0).map_err(|_| Error::with_msg("has grown beyond 8 MiB"))
        };
        runtime.registers().get_mut::<Ledger>().depth -= 1;
        outcome
    }
}
