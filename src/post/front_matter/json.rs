//! JSON front matter: an object at the head of the file.

use super::{Error, Kind, Parts, Yaml, newlines, set};
use serde_json::{Deserializer, Value};
use std::borrow::Cow;

/// Hexo's: members without braces, up to a line `;;;`.
pub(super) fn unbraced(text: &str) -> Option<Parts<'_>> {
    let mut at = 0;
    for (number, line) in (1_u32..).zip(text.split_inclusive('\n')) {
        let end = at + line.len();
        if line.trim_end() == ";;;" {
            return Some(Parts { before: 0, front_matter: &text[..at], through: number, body: &text[end..] });
        }
        at = end;
    }
    None
}

/// The object at the head of the text, if one is there.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    let mut values = Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    values.next()?.ok()?;
    let (front_matter, body) = text.split_at(values.byte_offset());
    // Hexo closes it with a line of its own.
    let body = body.trim_start_matches([' ', '\t', '\r']);
    let body = body.trim_start().strip_prefix(";;;").unwrap_or(body);
    let body = body.strip_prefix("\r\n").or_else(|| body.strip_prefix('\n')).unwrap_or(body);
    let through = newlines(&text[..text.len() - body.len()]);
    Some(Parts { before: 0, front_matter, through, body })
}

/// Reads JSON that begins on `first_line` of its file.
pub(super) fn read(text: &str, first_line: u32) -> Result<Yaml, Error> {
    let braced: Cow<'_, str> =
        if text.trim_start().starts_with('{') { text.into() } else { format!("{{{text}}}").into() };
    let value: Value = serde_json::from_str(&braced).map_err(|error| Error {
        line: first_line + u32::try_from(error.line().saturating_sub(1)).unwrap_or(0),
        column: u32::try_from(error.column()).ok().filter(|column| *column > 0),
        message: format!("The front matter is not valid JSON: {}", words(&error)),
        help: "check the quotes, commas and braces around this place".into(),
    })?;
    Ok(convert(value))
}

/// What the crate says, without its place.
fn words(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.split(" at line ").next().unwrap_or(&said).to_owned()
}

fn convert(value: Value) -> Yaml {
    match value {
        Value::Null => Yaml::Null,
        Value::Bool(truth) => Yaml::Scalar(truth.to_string(), Kind::Bool),
        Value::Number(number) => {
            let kind = if number.is_f64() { Kind::Float } else { Kind::Integer };
            Yaml::Scalar(number.to_string(), kind)
        }
        Value::String(text) => Yaml::Scalar(text, Kind::Text),
        Value::Array(items) => Yaml::List(items.into_iter().map(convert).collect()),
        Value::Object(members) => {
            let mut entries = Vec::with_capacity(members.len());
            for (key, value) in members {
                set(&mut entries, key, convert(value));
            }
            Yaml::Map(entries)
        }
    }
}
