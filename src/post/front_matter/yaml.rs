//! YAML, in the one place that names a YAML crate. Promises: scalars keep their source text, the last of duplicate keys
//! wins, `<<` is merged, and hostile input ends in an error soon.

use super::{Error, Kind, Yaml, lines};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A site's own configuration may be longer.
const MAX_CONFIGURATION_BYTES: usize = 1024 * 1024;
/// Flow collections inside each other.
const MAX_NESTING: usize = 100;

/// Reads a configuration or data file, from line 1.
pub fn parse_file(text: &str) -> Result<Yaml, Error> {
    if text.len() > MAX_CONFIGURATION_BYTES {
        let message = "The file is longer than 1 MiB".to_owned();
        return Err(Error { line: 1, column: None, message, help: "keep it shorter".into() });
    }
    read(text.strip_prefix('\u{feff}').unwrap_or(text), 1)
}

/// Reads YAML that begins on `first_line` of its file.
pub(super) fn read(text: &str, first_line: u32) -> Result<Yaml, Error> {
    lines::read(text).map_or_else(|| by_crate(text, first_line), Ok)
}

/// The same for any YAML.
pub(super) fn by_crate(text: &str, first_line: u32) -> Result<Yaml, Error> {
    check_characters(text, first_line)?;
    check_nesting(text, first_line)?;
    if text.trim().is_empty() {
        return Ok(Yaml::Null);
    }
    let wrong = |error: serde_yaml::Error| explain(&error, text, first_line);
    // Twice: the crate tells a scalar's source text only to who asks for text, and fails who asks it of a list.
    let shape = Seed(None).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(wrong)?;
    let yaml = Seed(Some(&shape)).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(wrong)?;
    Ok(settle(yaml))
}

/// The first character that YAML cannot hold, with its line: the crate's own error names none.
fn check_characters(text: &str, first_line: u32) -> Result<(), Error> {
    for (line, content) in (first_line..).zip(text.split('\n')) {
        let bad = content.chars().find(|c| match c {
            '\t' | '\r' | '\u{85}' => false,
            c => c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'),
        });
        if let Some(bad) = bad {
            let column = content.chars().position(|c| c == bad).and_then(|at| u32::try_from(at + 1).ok());
            return Err(Error {
                line,
                column,
                message: format!("The front matter holds the control character U+{:04X}", u32::from(bad)),
                help: "delete it; an editor that shows invisible characters finds it".into(),
            });
        }
    }
    Ok(())
}

/// Brackets inside brackets, roughly counted.
fn check_nesting(text: &str, first_line: u32) -> Result<(), Error> {
    let mut depth = 0_usize;
    for (line, content) in (first_line..).zip(text.split('\n')) {
        for byte in content.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth > MAX_NESTING {
            let message = format!("More than {MAX_NESTING} brackets are open");
            return Err(Error { line, column: None, message, help: "close them, or put the value in quotes".into() });
        }
    }
    Ok(())
}

/// The lines of a file before a line as YAML counts them: there, more characters end one.
fn lines_before(text: &str, breaks: usize) -> usize {
    let mut characters = text.chars().peekable();
    let (mut seen, mut lines) = (0, 0);
    while seen < breaks {
        let Some(c) = characters.next() else { break };
        let ends = matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
        seen += usize::from(ends || c == '\r' && characters.peek() != Some(&'\n'));
        lines += usize::from(c == '\n');
    }
    lines
}

/// The crate's error in our words, on the right line.
fn explain(error: &serde_yaml::Error, text: &str, first_line: u32) -> Error {
    let raw = error.to_string();
    let at = error.location().map_or(0, |location| lines_before(text, location.line().saturating_sub(1)));
    let line = first_line + u32::try_from(at).unwrap_or(0);
    let content = text.lines().nth(at).unwrap_or_default().trim();
    let reason = raw.split(" at line ").next().unwrap_or(&raw);
    let value = content.split_once(':').map_or(content, |(_, value)| value.trim());
    let help = if reason.contains("repetition limit") {
        "write the repeated values out instead of `*` aliases".to_owned()
    } else if reason.contains("mapping values are not allowed") {
        match content.split_once(':') {
            Some((key, value)) => {
                format!("put the value in quotes: {}: '{}'", key.trim(), value.trim().replace('\'', "''"))
            }
            None => "put the value in quotes".to_owned(),
        }
    } else if text.lines().nth(at).is_some_and(|line| line.starts_with('\t')) || reason.contains("tab") {
        "indent with blanks, not with a tab".to_owned()
    } else if value.starts_with(['@', '`', '%', '*', '&', '!', '|', '>']) {
        format!("a value that starts with `{}` needs quotes", value.chars().next().unwrap_or(' '))
    } else if value.starts_with(['"', '\'']) {
        "the quotes must enclose the whole value; double those that are part of it".to_owned()
    } else if !content.contains(':') {
        "write `key: value`, with a blank after the colon".to_owned()
    } else {
        "check the quotes, brackets and indentation around this line".to_owned()
    };
    let column = error.location().and_then(|location| u32::try_from(location.column()).ok()).filter(|at| *at > 0);
    Error { line, column, message: format!("The front matter is not valid YAML: {reason}"), help }
}

/// Last of duplicates wins; `<<` is merged below the map's own keys.
fn settle(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::List(items) => Yaml::List(items.into_iter().map(settle).collect()),
        Yaml::Map(entries) => {
            let mut settled: Vec<(String, Yaml)> = Vec::with_capacity(entries.len());
            let mut places = std::collections::HashMap::new();
            let mut merged = Vec::new();
            for (key, value) in entries {
                let value = settle(value);
                if key == "<<" {
                    match value {
                        Yaml::Map(entries) => merged.extend(entries),
                        Yaml::List(maps) => {
                            for map in maps {
                                if let Yaml::Map(entries) = map {
                                    merged.extend(entries);
                                }
                            }
                        }
                        _ => {}
                    }
                } else if let Some(&place) = places.get(&key) {
                    let place: usize = place;
                    settled[place].1 = value;
                } else {
                    places.insert(key.clone(), settled.len());
                    settled.push((key, value));
                }
            }
            for (key, value) in merged {
                if !places.contains_key(&key) {
                    places.insert(key.clone(), settled.len());
                    settled.push((key, value));
                }
            }
            Yaml::Map(settled)
        }
        other => other,
    }
}

/// Builds a [`Yaml`]; with the shape of a first reading, scalars are asked for as text.
#[derive(Clone, Copy)]
struct Seed<'s>(Option<&'s Yaml>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Yaml;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        match self.0 {
            Some(Yaml::Scalar(_, kind)) => {
                deserializer.deserialize_str(TextVisitor).map(|text| Yaml::Scalar(text, *kind))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string(), Kind::Bool))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string(), Kind::Integer))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string(), Kind::Integer))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string(), Kind::Integer))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string(), Kind::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_string(), Kind::Float))
    }

    fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.to_owned(), Kind::Text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        loop {
            let shape = match self.0 {
                Some(Yaml::List(shapes)) => shapes.get(items.len()),
                _ => None,
            };
            match seq.next_element_seed(Seed(shape))? {
                Some(item) => items.push(item),
                None => return Ok(Yaml::List(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let shape = match self.0 {
                Some(Yaml::Map(shapes)) => shapes.get(entries.len()).map(|(_, shape)| shape),
                _ => None,
            };
            let value = map.next_value_seed(Seed(shape))?;
            entries.push((key, value));
        }
        Ok(Yaml::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Yaml, A::Error> {
        Err(A::Error::custom("a tag like `!name` is not allowed"))
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }
}
