//! An export's rows, one after another: a million of them take no more room than one.

use super::{Columns, Origin, Person, Record};
use crate::post::Problem;
use crate::subscriber::Choices;
use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::io::BufRead;

/// Why a file cannot be read as a list. What was read of it before counts for nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not a form that is read.
    #[error("{path}: {message}\n  help: {help}")]
    Form {
        /// Which file.
        path: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: &'static str,
    },
    /// It breaks off, or is not what it seemed to be.
    #[error("{path}:{line}: {message}\n  help: nothing was taken from it; export it again, as CSV in UTF-8 or as JSON")]
    Broken {
        /// Which file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
}

/// What is done with each row: a person, or why there is none. An error ends the reading.
pub(super) type Take<'a, E> = dyn FnMut(Result<Person, Problem>) -> Result<(), E> + 'a;

/// Hands over the rows of a file: CSV, the same between tabs or semicolons, a JSON array, or JSON objects one after another.
/// `topics` are those that readers may choose here.
pub fn read<E: From<ReadError>>(
    mut source: impl BufRead,
    path: &str,
    topics: &Choices,
    now: DateTime<Utc>,
    take: &mut dyn FnMut(Result<Person, Problem>) -> Result<(), E>,
) -> Result<Origin, E> {
    let form = |message: String, help| ReadError::Form { path: path.to_owned(), message, help };
    let start = source.fill_buf().map_err(|e| form(format!("it cannot be read ({e})"), "check its permissions"))?;
    let list = List { path, topics, now };
    match start {
        [b'P', b'K', 3, 4, ..] => Err(form(
            "this is a ZIP archive, or a spreadsheet".to_owned(),
            "unpack it and import each of the files in it; save a spreadsheet as CSV",
        )
        .into()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err(form("the file is UTF-16".to_owned(), "save it as UTF-8, for example with `iconv -f utf-16 -t utf-8`")
                .into())
        }
        start => {
            let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
            match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'[' | b'{') => list.json(source, take),
                _ if start.starts_with(b"sep=") && start.len() > 5 => {
                    // Excel's word for it.
                    let sign = start[4];
                    source.skip_until(b'\n').map_err(|e| form(e.to_string(), "export it again"))?;
                    list.csv(source, sign, take)
                }
                _ => {
                    let line: Vec<u8> = start.iter().copied().take_while(|byte| *byte != b'\n').collect();
                    list.csv(source, delimiter(&line), take)
                }
            }
        }
    }
}

/// The sign that the first line has most of.
fn delimiter(line: &[u8]) -> u8 {
    let count = |sign: u8| line.iter().filter(|byte| **byte == sign).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}

struct List<'a> {
    path: &'a str,
    topics: &'a Choices,
    now: DateTime<Utc>,
}

impl List<'_> {
    fn no_email(&self) -> ReadError {
        ReadError::Form {
            path: self.path.to_owned(),
            message: "no column holds addresses".to_owned(),
            help: "the first line names the columns; call that of the addresses `email`",
        }
    }

    fn csv<E: From<ReadError>>(
        &self,
        source: impl BufRead,
        delimiter: u8,
        take: &mut Take<'_, E>,
    ) -> Result<Origin, E> {
        let broken = |error: csv::Error| ReadError::Broken {
            path: self.path.to_owned(),
            line: error.position().map_or(1, csv::Position::line),
            message: match error.kind() {
                csv::ErrorKind::Utf8 { .. } => "the line is not UTF-8 text".to_owned(),
                _ => error.to_string(),
            },
        };
        let mut builder = csv::ReaderBuilder::new();
        // Lines end at LF and the CR is trimmed: told that CRLF ends a line, the reader counts lines one short.
        builder.delimiter(delimiter).flexible(true).trim(csv::Trim::All).terminator(csv::Terminator::Any(b'\n'));
        let mut reader = builder.from_reader(source);
        let names: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::to_owned).collect();
        self.understood(&names)?;
        if names.iter().any(|name| name.contains('\r')) {
            return Err(ReadError::Form {
                path: self.path.to_owned(),
                message: "its lines end as on a Macintosh of old".to_owned(),
                help: "save it with line ends of today, for example with `tr '\\r' '\\n'`",
            }
            .into());
        }
        let columns = Columns::of(&names).by_file(self.path);
        if !columns.has(super::Field::Email) {
            return Err(self.no_email().into());
        }
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(broken)? {
            if row.iter().all(str::is_empty) {
                continue;
            }
            let line = row.position().map(|place| place.line() as u32);
            if row.len() < names.len() {
                let message =
                    format!("the row has {} of {} columns, and may leave out that they left", row.len(), names.len());
                take(Err(self.problem(line, message, "export the list again, or write the commas that are missing")))?;
                continue;
            }
            let record = Record { columns: &columns, cells: &|at| row.get(at) };
            if record.is_unclosed() {
                return Err(ReadError::Broken {
                    path: self.path.to_owned(),
                    line: u64::from(line.unwrap_or(1)),
                    message: "a quote is opened here and not closed, so that the lines below are part of it".to_owned(),
                }
                .into());
            }
            let person = record.person(self.topics, self.now);
            take(person.map_err(|(message, help)| self.problem(line, message, help)))?;
        }
        Ok(columns.origin)
    }

    /// Better no import than one of those who left.
    fn understood(&self, names: &[String]) -> Result<(), ReadError> {
        Columns::not_understood(names).map_or(Ok(()), |name| {
            Err(ReadError::Form {
                path: self.path.to_owned(),
                message: format!("the column {name:?} may say who must not be mailed, and nobody knows how"),
                help: "call it `unsubscribed` or `bounced` with yes and no, or make it a `status`; or delete it",
            })
        })
    }

    fn problem(&self, line: Option<u32>, message: String, help: &str) -> Problem {
        Problem { path: self.path.to_owned(), line, column: None, message, help: help.to_owned() }
    }

    fn json<E: From<ReadError>>(&self, source: impl BufRead, take: &mut Take<'_, E>) -> Result<Origin, E> {
        let mut entries = Entries { list: self, take, columns: None, count: 0, failed: None };
        let read = entries.all(source);
        let (failed, columns, count) = (entries.failed, entries.columns, entries.count);
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|error| ReadError::Broken {
            path: self.path.to_owned(),
            line: error.line() as u64,
            message: error.to_string(),
        })?;
        match columns {
            Some((_, columns)) => Ok(columns.origin),
            None if count == 0 => Err(ReadError::Form {
                path: self.path.to_owned(),
                message: "there is no list of people in it".to_owned(),
                help: "a list is an array of objects that have an `email`",
            }
            .into()),
            None => Err(self.no_email().into()),
        }
    }
}

/// The objects of a JSON file, taken as they come.
struct Entries<'a, 'b, E> {
    list: &'a List<'a>,
    take: &'a mut Take<'b, E>,
    /// Those of the last object that had some, and its keys.
    columns: Option<(Vec<String>, Columns)>,
    count: u64,
    failed: Option<E>,
}

impl<E> Entries<'_, '_, E> {
    fn all(&mut self, mut source: impl BufRead) -> Result<(), serde_json::Error> {
        skip_mark(&mut source)?;
        let is_array =
            source.fill_buf().map_err(serde_json::Error::io)?.iter().find(|byte| !byte.is_ascii_whitespace())
                == Some(&b'[');
        if is_array {
            let mut reader = serde_json::Deserializer::from_reader(source);
            (&mut *self).deserialize(&mut reader)?;
            return reader.end();
        }
        for object in serde_json::Deserializer::from_reader(source).into_iter::<Map<String, Value>>() {
            let object = object?;
            match list_in(&object) {
                Some(list) => list.iter().for_each(|entry| self.one(entry)),
                None => self.one(&Value::Object(object)),
            }
        }
        Ok(())
    }

    fn one(&mut self, entry: &Value) {
        self.count += 1;
        if self.failed.is_some() {
            return;
        }
        let number = self.count;
        let problem = |message: String, help: &str| self.list.problem(None, format!("entry {number}: {message}"), help);
        let taken = match entry {
            Value::Object(object) => {
                let names: Vec<String> = object.keys().cloned().collect();
                if self.columns.as_ref().is_none_or(|(last, _)| *last != names) {
                    let columns = Columns::of(&names);
                    self.columns = Some((names, columns));
                }
                let cells: Vec<String> = object.values().map(cell).collect();
                let columns = self.columns.as_ref().map(|(_, columns)| columns);
                columns.map(|columns| {
                    let record = Record { columns, cells: &|at| cells.get(at).map(String::as_str) };
                    record.person(self.list.topics, self.list.now).map_err(|(message, help)| problem(message, help))
                })
            }
            _ => Some(Err(problem("this is no object".to_owned(), "a person is an object that has an `email`"))),
        };
        if let Some(Err(error)) = taken.map(|taken| (self.take)(taken)) {
            self.failed = Some(error);
        }
    }
}

impl<'de, E> DeserializeSeed<'de> for &mut Entries<'_, '_, E> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, E> Visitor<'de> for &mut Entries<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of people")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Value>()? {
            self.one(&entry);
            if self.failed.is_some() {
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// The list that an answer of a program's API wraps: `{"data": {"results": […]}}`, `{"members": […]}`.
fn list_in(object: &Map<String, Value>) -> Option<&Vec<Value>> {
    if object.keys().any(|key| key.to_lowercase().contains("email")) {
        return None;
    }
    object.values().find_map(|value| match value {
        Value::Array(list) if list.iter().any(Value::is_object) => Some(list),
        Value::Object(inner) => list_in(inner),
        _ => None,
    })
}

/// As the cell of a table would hold it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// JSON has no place for a byte-order mark.
fn skip_mark(source: &mut impl BufRead) -> Result<(), serde_json::Error> {
    let marked = source.fill_buf().map_err(serde_json::Error::io)?.starts_with(b"\xef\xbb\xbf");
    source.consume(if marked { 3 } else { 0 });
    Ok(())
}
