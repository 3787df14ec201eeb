//! YAML front matter as Jekyll delimits it, and the one place that names a YAML crate. Promises: scalars keep their source
//! text, the last of duplicate keys wins, `<<` is merged, and hostile input ends in an error soon.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// More front matter than this is refused: the scanner below is quadratic on some input.
const MAX_BYTES: usize = 64 * 1024;
/// A site's own configuration may be longer.
const MAX_CONFIGURATION_BYTES: usize = 1024 * 1024;
/// Flow collections inside each other.
const MAX_NESTING: usize = 100;

/// A YAML value. Maps keep their order and hold each key once.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    /// Nothing, or `~`.
    Null,
    /// A scalar: its source text (unquoted, unescaped), whatever YAML takes it for.
    Scalar(String, Kind),
    /// A sequence.
    List(Vec<Yaml>),
    /// A mapping; keys as text.
    Map(Vec<(String, Yaml)>),
}

/// What YAML 1.2 takes a scalar for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `false`.
    Bool,
    /// A whole number.
    Integer,
    /// Another number.
    Float,
    /// Everything else, and everything in quotes.
    Text,
}

impl Yaml {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        match self {
            Yaml::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[(String, Yaml)] {
        match self {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a scalar, trimmed; `None` where nothing is left.
    pub fn text(&self) -> Option<&str> {
        match self {
            Yaml::Scalar(text, _) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A truth value by YAML 1.1, as Jekyll reads it: also `yes`, `no`, `on`, `off`.
    pub fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// Whether anything is said.
    pub fn is_null(&self) -> bool {
        matches!(self, Yaml::Null)
    }
}

/// Why front matter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line in the file, from 1.
    pub line: u32,
    /// What is wrong, as a sentence without a final full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// A file in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// What stands between the delimiters; `None` without front matter.
    pub front_matter: Option<&'a str>,
    /// All below it.
    pub body: &'a str,
    /// The line of the file on which the body begins, from 1.
    pub body_line: u32,
}

/// Parts a file by Jekyll's rule, `\A(---\s*\n.*?\n?)^((---|\.\.\.)\s*$\n?)`: it starts with `---` (after a byte order mark),
/// and the next line that is `---` or `...` and blanks closes it. Line ends are `\n` or `\r\n`, also mixed.
pub fn split(file: &str) -> Source<'_> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let whole = Source { front_matter: None, body: file, body_line: 1 };
    let mut at = 0;
    let mut start = 0;
    for (number, line) in (1_u32..).zip(file.split_inclusive('\n')) {
        let end = at + line.len();
        let bare = line.trim_end();
        if number == 1 {
            if bare != "---" || !line.ends_with('\n') {
                return whole;
            }
            start = end;
        } else if bare == "---" || bare == "..." {
            return Source { front_matter: Some(&file[start..at]), body: &file[end..], body_line: number + 1 };
        }
        at = end;
    }
    whole
}

/// What is wrong with a file without front matter that was meant to have some: it is not closed, not at the top, or TOML.
pub fn meant(file: &str) -> Option<Error> {
    let is_key = |line: &str| {
        line.split_once(':').is_some_and(|(key, _)| {
            !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        })
    };
    let mut lines = (1_u32..).zip(file.lines()).skip_while(|(_, line)| line.trim().is_empty());
    let (line, first) = lines.next()?;
    let (_, second) = lines.next()?;
    let dashes = first.trim_end();
    if dashes == "+++" && second.contains('=') {
        return Some(Error {
            line,
            message: "The front matter is TOML, which Hugo and Zola write and is not read yet".into(),
            help: "write it as YAML: `key: value` lines between two lines of `---`".into(),
        });
    }
    if dashes.len() < 3 || dashes.bytes().any(|b| b != b'-') || !is_key(second) {
        return None;
    }
    let help = "write `---` alone on the first line of the file, and again on the line after the last key";
    Some(if line > 1 {
        Error { line, message: "The front matter does not begin on the first line".into(), help: help.into() }
    } else if dashes.len() > 3 {
        Error { line, message: "The front matter begins with more than three dashes".into(), help: help.into() }
    } else {
        Error { line, message: "The front matter is never closed".into(), help: help.into() }
    })
}

/// Reads front matter that begins on line 2 of its file. Nothing at all is an empty map.
pub fn parse(front_matter: &str) -> Result<Yaml, Error> {
    if front_matter.len() > MAX_BYTES {
        return Err(Error {
            line: 1,
            message: format!("The front matter is {} KiB long", front_matter.len() / 1024),
            help: "keep it under 64 KiB, or check that `---` closes it".into(),
        });
    }
    let yaml = read(front_matter, 2)?;
    match yaml {
        Yaml::Map(_) => Ok(yaml),
        Yaml::Null => Ok(Yaml::Map(Vec::new())),
        _ => Err(Error {
            line: 2,
            message: "The front matter is not a list of `key: value` lines".into(),
            help: "write `title: …` with a blank after the colon, one key a line".into(),
        }),
    }
}

/// Reads a configuration or data file, from line 1.
pub fn parse_file(text: &str) -> Result<Yaml, Error> {
    if text.len() > MAX_CONFIGURATION_BYTES {
        let message = "The file is longer than 1 MiB".to_owned();
        return Err(Error { line: 1, message, help: "keep it shorter".into() });
    }
    read(text.strip_prefix('\u{feff}').unwrap_or(text), 1)
}

fn read(text: &str, first_line: u32) -> Result<Yaml, Error> {
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
            return Err(Error {
                line,
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
            return Err(Error { line, message, help: "close them, or put the value in quotes".into() });
        }
    }
    Ok(())
}

/// The crate's error in our words, on the right line.
fn explain(error: &serde_yaml::Error, text: &str, first_line: u32) -> Error {
    let raw = error.to_string();
    let at = error.location().map_or(0, |location| location.line().saturating_sub(1));
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
    Error { line, message: format!("The front matter is not valid YAML: {reason}"), help }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn title(front_matter: &str) -> String {
        match parse(front_matter) {
            Ok(yaml) => yaml.get("title").and_then(Yaml::text).unwrap_or("-").to_owned(),
            Err(error) => format!("{}: {} ({})", error.line, error.message, error.help),
        }
    }

    #[test]
    fn scalars_keep_their_source() {
        for text in ["1.10", "2014-03-01", "yes", "0755", "12:30:45", "1e3", "1_000", "true", ".5", "0x1F", "“ a b”"]
        {
            assert_eq!(title(&format!("title: {text}\n")), text);
        }
        assert_eq!(title("title: ~\n"), "-");
        assert_eq!(title("title: >\n  two\n  lines\n"), "two lines");
        assert_eq!(title("title: 'it''s'\n"), "it's");
        assert_eq!(title("title: C# and F#\n"), "C# and F#");
        assert_eq!(title("title: 123456789012345678901234567890\n"), "123456789012345678901234567890");
    }

    #[test]
    fn the_last_of_duplicates_wins_at_every_depth() {
        assert_eq!(title("title: a\ntitle: b\n"), "b");
        let yaml = parse("a: {b: 1, b: [2], b: 3}\n").expect("valid");
        assert_eq!(yaml.get("a").and_then(|a| a.get("b")).and_then(Yaml::text), Some("3"));
    }

    #[test]
    fn aliases_and_merges_are_resolved() {
        let yaml = parse("base: &base {title: x, lang: de}\nimage: &i /a.png\ncover: *i\n<<: *base\nlang: en\n")
            .expect("valid");
        assert_eq!(yaml.get("title").and_then(Yaml::text), Some("x"));
        assert_eq!(yaml.get("lang").and_then(Yaml::text), Some("en"));
        assert_eq!(yaml.get("cover").and_then(Yaml::text), Some("/a.png"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..10 {
            let alias = vec![format!("*a{}", i - 1); 10].join(",");
            bomb += &format!("a{i}: &a{i} [{alias}]\n");
        }
        let error = parse(&bomb).expect_err("a bomb");
        assert!(error.message.contains("repetition limit"), "{error:?}");
        assert!(parse(&format!("a: {}", "[".repeat(60_000))).is_err());
        assert!(parse(&"a: b\n".repeat(20_000)).is_err());
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        assert_eq!(
            title("layout: post\ntitle: Foo: bar\n"),
            "3: The front matter is not valid YAML: mapping values are not allowed in this context \
             (put the value in quotes: title: 'Foo: bar')"
        );
        assert_eq!(
            title("a: b\n\u{8}c: d\n"),
            "3: The front matter holds the control character U+0008 (delete it; an editor that shows invisible characters finds it)"
        );
        for (source, line) in [
            ("title: @x\n", "2:"),
            ("title: \"a\" b\n", "2:"),
            ("a:\n\tb: c\n", "3:"),
            ("- a\n", "2:"),
            ("title:x\n", "2:"),
        ] {
            assert!(title(source).starts_with(line), "{source:?}: {}", title(source));
        }
    }

    #[test]
    fn files_are_parted_as_jekyll_does() {
        let parts = |file: &'static str| {
            let source = split(file);
            (source.front_matter, source.body, source.body_line)
        };
        assert_eq!(parts("---\na: b\n---\nbody\n"), (Some("a: b\n"), "body\n", 4));
        assert_eq!(parts("\u{feff}---  \r\na: b\r\n...\r\nbody"), (Some("a: b\r\n"), "body", 4));
        assert_eq!(parts("---\n---\n"), (Some(""), "", 3));
        assert_eq!(parts("---\na: b\n---"), (Some("a: b\n"), "", 4));
        assert_eq!(parts(""), (None, "", 1));
        for none in ["\n---\na: b\n---\n", "----\na: b\n----\n", "---\na: b\n", "+++\na = 1\n+++\n", "---"] {
            assert_eq!(parts(none), (None, none, 1));
        }
    }
}
