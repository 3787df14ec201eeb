//! An export's rows, one after another: a million of them take no more room than one.

use super::json::Entries;
use super::{Columns, Field, Origin, Person, Record};
use crate::post::Problem;
use crate::subscriber::Choices;
use chrono::{DateTime, Utc};
use std::io::BufRead;

/// Why a file cannot be read as a list.
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
    #[error("{path}:{line}: {message}\n  help: export it again, as CSV in UTF-8 or as JSON")]
    Broken {
        /// Which file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
}

/// What a row of a file comes to.
#[derive(Debug)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// Who it is, or why nobody is taken.
    pub person: Result<Person, Problem>,
}

/// Where a row stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a table: the line, from 1.
    Line(u64),
    /// In JSON: how many stand before it, and one.
    Entry(u64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Entry(number) => write!(f, "entry {number}"),
        }
    }
}

impl Place {
    fn problem(self, path: &str, message: String, help: &str) -> Problem {
        let (line, message) = match self {
            Place::Line(line) => (u32::try_from(line).ok(), message),
            Place::Entry(number) => (None, format!("entry {number}: {message}")),
        };
        Problem { path: path.to_owned(), line, column: None, message, help: help.to_owned() }
    }
}

/// A row before it is judged; or what is wrong with it whatever it says, and what to do.
pub(super) type Found<'a> = Result<&'a Record<'a>, (String, &'static str)>;

/// What is done with each row. An error ends the reading.
pub(super) type Take<'a, E> = dyn FnMut(Place, Found<'_>) -> Result<(), E> + 'a;

/// Hands over the rows of a file: CSV, the same between tabs or semicolons, a JSON array, or JSON objects one after another.
/// `topics` are those that readers may choose here.
pub fn read<E: From<ReadError>>(
    source: impl BufRead,
    path: &str,
    topics: &Choices,
    now: DateTime<Utc>,
    take: &mut dyn FnMut(Entry) -> Result<(), E>,
) -> Result<Origin, E> {
    walk(source, path, &mut |place, found: Found<'_>| {
        let person = found.and_then(|record| record.person(topics, now));
        let person = person.map_err(|(message, help)| place.problem(path, message, help));
        take(Entry { place, person })
    })
}

/// Reads a file to its end, so that one that breaks off is refused before anybody is taken from it.
pub fn check(source: impl BufRead, path: &str) -> Result<Origin, ReadError> {
    walk(source, path, &mut |_, _| Ok(()))
}

fn walk<E: From<ReadError>>(mut source: impl BufRead, path: &str, take: &mut Take<'_, E>) -> Result<Origin, E> {
    let form = |message: String, help| ReadError::Form { path: path.to_owned(), message, help };
    let start = source.fill_buf().map_err(|e| form(format!("it cannot be read ({e})"), "check its permissions"))?;
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
                Some(b'[' | b'{') => Entries::new(path, take).read(source),
                _ if start.starts_with(b"sep=") && start.len() > 5 => {
                    // Excel's word for it.
                    let sign = start[4];
                    source.skip_until(b'\n').map_err(|e| form(e.to_string(), "export it again"))?;
                    table(source, path, sign, take)
                }
                _ => {
                    let line: Vec<u8> = start.iter().copied().take_while(|byte| *byte != b'\n').collect();
                    table(source, path, delimiter(&line), take)
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

pub(super) fn no_email(path: &str) -> ReadError {
    ReadError::Form {
        path: path.to_owned(),
        message: "no column holds addresses".to_owned(),
        help: "the first line names the columns; call that of the addresses `email`",
    }
}

/// Better no import than one of those who left.
pub(super) fn understood(names: &[String], path: &str) -> Result<(), ReadError> {
    Columns::not_understood(names).map_or(Ok(()), |name| {
        Err(ReadError::Form {
            path: path.to_owned(),
            message: format!("the column {name:?} may say who must not be mailed, and nobody knows how"),
            help: "call it `unsubscribed` or `bounced` with yes and no, or make it a `status`; or delete it",
        })
    })
}

/// What is said of a row that has fewer cells than the heading.
fn too_short(cells: usize, columns: usize, is_last: bool) -> (String, &'static str) {
    match is_last {
        true => (
            format!("the last row has {cells} of {columns} columns: the file seems to be cut off here"),
            "export the list again, and see that it ends with the person who comes last",
        ),
        false => (
            format!("the row has {cells} of {columns} columns, and may leave out that they left"),
            "export the list again, or write the commas that are missing",
        ),
    }
}

fn table<E: From<ReadError>>(
    source: impl BufRead,
    path: &str,
    delimiter: u8,
    take: &mut Take<'_, E>,
) -> Result<Origin, E> {
    let broken = |error: csv::Error| ReadError::Broken {
        path: path.to_owned(),
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
    understood(&names, path)?;
    if names.iter().any(|name| name.contains('\r')) {
        return Err(ReadError::Form {
            path: path.to_owned(),
            message: "its lines end as on a Macintosh of old".to_owned(),
            help: "save it with line ends of today, for example with `tr '\\r' '\\n'`",
        }
        .into());
    }
    let columns = Columns::of(&names).by_file(path);
    if !columns.has(Field::Email) {
        return Err(no_email(path).into());
    }
    let mut row = csv::StringRecord::new();
    // What is said of it depends on whether another row follows.
    let mut short = None;
    while reader.read_record(&mut row).map_err(broken)? {
        if row.iter().all(str::is_empty) {
            continue;
        }
        let line = row.position().map_or(1, csv::Position::line);
        if let Some((line, cells)) = short.take() {
            take(Place::Line(line), Err(too_short(cells, names.len(), false)))?;
        }
        if row.len() < names.len() {
            short = Some((line, row.len()));
            continue;
        }
        let record = Record { columns: &columns, cells: &|at| row.get(at) };
        if record.is_unclosed() {
            return Err(ReadError::Broken {
                path: path.to_owned(),
                line,
                message: "a quote is opened here and not closed, so that the lines below are part of it".to_owned(),
            }
            .into());
        }
        take(Place::Line(line), Ok(&record))?;
    }
    if let Some((line, cells)) = short {
        take(Place::Line(line), Err(too_short(cells, names.len(), true)))?;
    }
    Ok(columns.origin)
}
