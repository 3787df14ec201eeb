//! `{% include file.html name="value" other=page.x %}`: a text of `_includes`, run with its own `include` variable.

use super::{Bounded, Ledger, Lenient, Shared, Trouble, language, link_to_post, rewrite, run, spend};
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
    pub(super) tag: &'static str,
    pub(super) shared: Arc<Shared>,
}

impl TagReflection for Include {
    fn tag(&self) -> &str {
        self.tag
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for Include {
    fn parse(&self, mut arguments: TagTokenIter<'_>, _: &Language) -> Result<Box<dyn Renderable>> {
        let packed = arguments.expect_next("a file is expected")?.expect_literal().into_result()?;
        let arguments = rewrite::unpack(&packed.to_kstr());
        let arguments = arguments.trim();
        let dynamic = arguments.split_once("}}").filter(|(name, _)| name.contains("{{"));
        let (file, arguments) = match dynamic {
            Some((name, rest)) => {
                let more = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (format!("{name}}}}}{}", &rest[..more]), &rest[more..])
            }
            None => {
                let (file, rest) = arguments.split_at(arguments.find(char::is_whitespace).unwrap_or(arguments.len()));
                (file.trim_matches(['"', '\'']).to_owned(), rest)
            }
        };
        let words = rewrite::split_outside_quotes(arguments, ' ').into_iter().filter(|word| !word.trim().is_empty());
        let mut parameters = Vec::new();
        let joined = words.collect::<Vec<_>>().join(" ").replace('\n', " ").replace(" =", "=").replace("= ", "=");
        for word in rewrite::split_outside_quotes(&joined, ' ') {
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
        Ok(Box::new(Inclusion { tag: self.tag, shared: self.shared.clone(), file, parameters }))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

/// One use of the tag.
struct Inclusion {
    tag: &'static str,
    shared: Arc<Shared>,
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
        // `{{ page.layout }}.html`
        let mut named = Bounded(Vec::new());
        if self.file.contains("{{") {
            run(&self.file, 1, &self.shared, &language(&self.shared), runtime, &mut named);
        }
        let named = String::from_utf8_lossy(&named.0).into_owned();
        let file = if self.file.contains("{{") { named.trim() } else { &self.file };
        let beside;
        let path = if self.tag == "include_relative" {
            let page = runtime.try_get(&["page".into(), "path".into()]).map(|path| path.to_kstr().into_string());
            let folder = page.as_deref().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
            beside = format!("{folder}/{file}");
            beside.trim_start_matches('/')
        } else {
            file
        };
        let Some(text) = self.shared.facts.includes.get(path) else {
            link_to_post(runtime, writer);
            let mut ledger = runtime.registers().get_mut::<Ledger>();
            let trouble = Trouble {
                line: ledger.line,
                message: match self.tag {
                    "include_relative" => format!("`{path}`, which is included, cannot be read here"),
                    _ => format!("There is no `{file}` in _includes"),
                },
                help: "readers find a link to the post in its place; add the file, or check `site` in [posts]".into(),
            };
            ledger.add(trouble);
            return Ok(());
        };
        spend(runtime, 64 + text.len())?;
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
            run(text, 1, &self.shared, &language(&self.shared), &scope, &mut out);
            writer.write_all(&out.0).map_err(|_| Error::with_msg("has grown beyond 8 MiB"))
        };
        runtime.registers().get_mut::<Ledger>().depth -= 1;
        outcome
    }
}
