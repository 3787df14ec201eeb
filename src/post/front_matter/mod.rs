//! Front matter: what an author says of a post, above it. Promises: whatever the format, scalars keep their source text,
//! and what cannot be read has a line.

mod header;
mod json;
mod lines;
mod toml;
mod yaml;

pub use yaml::parse_file;

/// More front matter than this is refused: a YAML scanner is quadratic on some input.
const MAX_BYTES: usize = 64 * 1024;

/// A value. Maps keep their order and hold each key once. Named after the format that has all that the others have.
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

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Yaml> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[(String, Yaml)] {
        match self {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Yaml] {
        match self {
            Yaml::List(items) => items,
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

    /// Whether nothing is said.
    pub fn is_null(&self) -> bool {
        matches!(self, Yaml::Null)
    }

    /// With every key in lower case, at every depth; of two that become one the last wins.
    #[must_use]
    pub fn lower_case_keys(self) -> Yaml {
        match self {
            Yaml::List(items) => Yaml::List(items.into_iter().map(Yaml::lower_case_keys).collect()),
            Yaml::Map(entries) => {
                let mut lower: Vec<(String, Yaml)> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    set(&mut lower, key.to_lowercase(), value.lower_case_keys());
                }
                Yaml::Map(lower)
            }
            other => other,
        }
    }
}

/// Puts an entry into a map's entries; it replaces the one of the same key.
pub fn set(entries: &mut Vec<(String, Yaml)>, key: String, value: Yaml) {
    match entries.iter_mut().find(|(known, _)| *known == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key, value)),
    }
}

/// Why front matter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line in the file, from 1.
    pub line: u32,
    /// The character in the line, from 1, where one is to blame.
    pub column: Option<u32>,
    /// What is wrong, as a sentence without a final full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// How a generator finds front matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fences {
    /// Jekyll: YAML, from the very first line, closed by `---` or `...`.
    Jekyll,
    /// Hugo, Zola, Eleventy: also TOML between `+++`, JSON in braces, and blank lines before it.
    Any,
    /// Hexo: the first `---` may be missing; JSON before `;;;`.
    Hexo,
    /// Pelican: `Key: value` lines up to the first blank one, without fences.
    Header,
}

/// What front matter is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Between `---`.
    Yaml,
    /// Between `+++`.
    Toml,
    /// In braces.
    Json,
    /// `Key: value` lines, as Python-Markdown's meta-data has them.
    Header,
}

/// A file in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// What stands between the delimiters; `None` without front matter.
    pub front_matter: Option<&'a str>,
    /// What it is written in.
    pub format: Format,
    /// The line of the file on which it begins, from 1.
    pub line: u32,
    /// All below it.
    pub body: &'a str,
    /// The line of the file on which the body begins, from 1.
    pub body_line: u32,
}

/// Parts a file. Line ends are `\n` or `\r\n`, also mixed; a byte order mark is no part of it.
pub fn split(file: &str, fences: Fences) -> Source<'_> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let whole = Source { front_matter: None, format: Format::Yaml, line: 1, body: file, body_line: 1 };
    let blank = match fences {
        Fences::Jekyll => 0,
        _ => file.len() - file.trim_start().len(),
    };
    let above = newlines(&file[..blank]);
    let found = match fences {
        // `\A(---\s*\n.*?\n?)^((---|\.\.\.)\s*$\n?)`
        Fences::Jekyll => fenced(file, &["---"], &["---", "..."]).map(|parts| (Format::Yaml, parts)),
        Fences::Any => any(&file[blank..]),
        Fences::Hexo => any(&file[blank..]).or_else(|| unopened(&file[blank..])),
        Fences::Header => fenced(&file[blank..], &["---"], &["---", "..."])
            .map(|parts| (Format::Yaml, parts))
            .or_else(|| header::split(&file[blank..]).map(|parts| (Format::Header, parts))),
    };
    match found {
        Some((format, Parts { before, front_matter, through, body })) => Source {
            front_matter: Some(front_matter),
            format,
            line: 1 + above + before,
            body,
            body_line: 1 + above + before + through,
        },
        None => whole,
    }
}

/// What was found: lines before the front matter, itself, its lines with the one that closes it, and what follows.
struct Parts<'a> {
    before: u32,
    front_matter: &'a str,
    through: u32,
    body: &'a str,
}

fn any(text: &str) -> Option<(Format, Parts<'_>)> {
    match text.as_bytes().first()? {
        b'+' => fenced(text, &["+++"], &["+++"]).map(|parts| (Format::Toml, parts)),
        b'{' => json::split(text).map(|parts| (Format::Json, parts)),
        b'-' => {
            // gray-matter's: the language behind the dashes.
            let format = match text.lines().next().unwrap_or_default().trim_end() {
                "---toml" => Format::Toml,
                "---json" => Format::Json,
                _ => Format::Yaml,
            };
            let opening = ["---", "---yaml", "---yml", "---toml", "---json"];
            fenced(text, &opening, &["---"]).map(|parts| (format, parts))
        }
        _ => None,
    }
}

fn fenced<'a>(text: &'a str, opening: &[&str], closing: &[&str]) -> Option<Parts<'a>> {
    let first = text.split_inclusive('\n').next()?;
    if !first.ends_with('\n') || !opening.contains(&first.trim_end()) {
        return None;
    }
    closed(text, first.len(), closing).map(|parts| Parts { before: 1, ..parts })
}

/// Hexo's front matter without its first line: it must begin with a key.
fn unopened(text: &str) -> Option<(Format, Parts<'_>)> {
    if text.starts_with('"') {
        return json::unbraced(text).map(|parts| (Format::Json, parts));
    }
    header::key(text.lines().next()?)?;
    let parts = closed(text, 0, &["---"])?;
    Some((Format::Yaml, parts))
}

/// What stands from `start` up to the first line that closes it.
fn closed<'a>(text: &'a str, start: usize, closing: &[&str]) -> Option<Parts<'a>> {
    let mut at = start;
    for (number, line) in (1_u32..).zip(text[start..].split_inclusive('\n')) {
        let end = at + line.len();
        if closing.contains(&line.trim_end()) {
            return Some(Parts { before: 0, front_matter: &text[start..at], through: number, body: &text[end..] });
        }
        at = end;
    }
    None
}

fn newlines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|b| *b == b'\n').count()).unwrap_or(u32::MAX)
}

/// What is wrong with a file without front matter that was meant to have some: it is not closed, not at the top, or in a
/// format that its generator does not read.
pub fn meant(file: &str) -> Option<Error> {
    let mut lines = (1_u32..).zip(file.lines()).skip_while(|(_, line)| line.trim().is_empty());
    let (line, first) = lines.next()?;
    let (_, second) = lines.next()?;
    let dashes = first.trim_end();
    let error = |message: &str, help: &str| {
        Some(Error { line, column: None, message: message.to_owned(), help: help.to_owned() })
    };
    if dashes == "+++" && second.contains('=') {
        return if file.lines().filter(|line| line.trim_end() == "+++").count() > 1 {
            error(
                "The front matter is TOML, which Jekyll does not read",
                "write it as YAML, `key: value` lines between two lines of `---`, or set `dialect` in [posts] to the blog's generator",
            )
        } else {
            error("The front matter is never closed", "write `+++` again on the line after the last key")
        };
    }
    if dashes.len() < 3 || dashes.bytes().any(|b| b != b'-') || header::key(second).is_none() {
        return None;
    }
    let help = "write `---` alone on the first line of the file, and again on the line after the last key";
    if line > 1 {
        error("The front matter does not begin on the first line", help)
    } else if dashes.len() > 3 {
        error("The front matter begins with more than three dashes", help)
    } else {
        error("The front matter is never closed", help)
    }
}

/// Reads front matter: always a map, empty where nothing is said.
///
/// # Errors
/// When it is too long, not in its format, or no map.
pub fn parse(source: &Source<'_>) -> Result<Yaml, Error> {
    let Some(text) = source.front_matter else { return Ok(Yaml::Map(Vec::new())) };
    if text.len() > MAX_BYTES {
        return Err(Error {
            line: 1,
            column: None,
            message: format!("The front matter is {} KiB long", text.len() / 1024),
            help: "keep it under 64 KiB, or check that its last line closes it".into(),
        });
    }
    let value = match source.format {
        Format::Yaml => yaml::read(text, source.line)?,
        Format::Toml => toml::read(text, source.line)?,
        Format::Json => json::read(text, source.line)?,
        Format::Header => header::read(text),
    };
    match value {
        Yaml::Map(_) => Ok(value),
        Yaml::Null => Ok(Yaml::Map(Vec::new())),
        _ => Err(Error {
            line: source.line,
            column: None,
            message: "The front matter is not a list of `key: value` lines".into(),
            help: "write `title: …` with a blank after the colon, one key a line".into(),
        }),
    }
}

/// Reads a configuration or data file by the ending of its name: TOML, or YAML, of which JSON is a part.
///
/// # Errors
/// As [`parse()`].
pub fn parse_named(name: &str, text: &str) -> Result<Yaml, Error> {
    match name.rsplit('.').next() {
        Some("toml") => toml::read(text.strip_prefix('\u{feff}').unwrap_or(text), 1),
        _ => parse_file(text),
    }
}

/// The line of the file on which a key of the front matter stands; the last, for that one counts.
pub fn line_of(source: &Source<'_>, key: &str) -> Option<u32> {
    let separator = if source.format == Format::Toml { '=' } else { ':' };
    let stands = |line: &str| {
        let line = if source.format == Format::Yaml { line } else { line.trim_start() };
        let line = line.strip_prefix('"').unwrap_or(line);
        let named = line.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key));
        named && line[key.len()..].trim_start_matches('"').trim_start().starts_with(separator)
    };
    let lines = (source.line..).zip(source.front_matter?.lines());
    lines.filter(|(_, line)| stands(line)).map(|(number, _)| number).last()
}

#[cfg(test)]
mod tests;
