//! TOML front matter, as Hugo and Zola have it between `+++`.

use super::{Error, Kind, Yaml};
use ::toml::de::{DeTable, DeValue};

/// Reads TOML that begins on `first_line` of its file.
pub(super) fn read(text: &str, first_line: u32) -> Result<Yaml, Error> {
    match DeTable::parse(text) {
        Ok(table) => Ok(entries(table.into_inner())),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            // The crate may point at the line's end; that is still the line.
            let before = text.get(..at).unwrap_or_default();
            let line = before.bytes().filter(|b| *b == b'\n').count();
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Err(Error {
                line: first_line + u32::try_from(line).unwrap_or(0),
                column: u32::try_from(column).ok(),
                message: format!("The front matter is not valid TOML: {}", error.message().replace('\n', "; ")),
                help: help(text.lines().nth(line).unwrap_or_default()),
            })
        }
    }
}

fn help(line: &str) -> String {
    match line.split_once('=') {
        None if line.contains(':') => {
            "TOML wants `key = \"value\"`; `key: value` is YAML, between lines of `---`".into()
        }
        Some((key, value)) if !value.trim().starts_with(['"', '\'', '[', '{']) => {
            format!("put the value in quotes: {} = \"{}\"", key.trim(), value.trim().trim_matches('"'))
        }
        _ => "check the quotes and brackets of this line; each key may stand once".into(),
    }
}

fn entries(table: DeTable<'_>) -> Yaml {
    let mut entries: Vec<_> =
        table.into_iter().map(|(key, value)| (key.span().start, key.into_inner().into_owned(), value)).collect();
    // As written: the table itself is sorted by name.
    entries.sort_by_key(|(place, ..)| *place);
    Yaml::Map(entries.into_iter().map(|(_, key, value)| (key, convert(value.into_inner()))).collect())
}

fn convert(value: DeValue<'_>) -> Yaml {
    match value {
        DeValue::String(text) => Yaml::Scalar(text.into_owned(), Kind::Text),
        DeValue::Integer(number) => Yaml::Scalar(number.to_string(), Kind::Integer),
        DeValue::Float(number) => Yaml::Scalar(number.to_string(), Kind::Float),
        DeValue::Boolean(truth) => Yaml::Scalar(truth.to_string(), Kind::Bool),
        DeValue::Datetime(date) => Yaml::Scalar(date.to_string(), Kind::Text),
        DeValue::Array(items) => Yaml::List(items.into_iter().map(|item| convert(item.into_inner())).collect()),
        DeValue::Table(table) => entries(table),
    }
}
