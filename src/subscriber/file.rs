//! The list as a CSV file: a header, `email` required, `name`, `language`, `digests`, `tags` and `status` optional.

use super::{Choices, Status, clean_name};
use crate::address::EmailAddress;
use crate::post::Problem;
use std::io::Read;

/// One person, as a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where mail goes.
    pub address: EmailAddress,
    /// The name to show beside it.
    pub name: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// The digests chosen; empty for the default ones.
    pub digests: Choices,
    /// The topics chosen; empty for all.
    pub topics: Choices,
    /// `active`, `paused` or `unsubscribed`.
    pub status: Status,
}

const COLUMNS: [&str; 6] = ["email", "name", "language", "digests", "tags", "status"];

/// Why the file as a whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The header.
    #[error(
        "{path}:1: {message}\n  help: the first line names the columns; `email` is required; name, language, digests, tags and status are optional"
    )]
    Header {
        /// Which file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Not CSV at all.
    #[error(
        "{path}:{line}: {message}\n  help: write the file as comma-separated UTF-8 text, values that hold a comma in double quotes"
    )]
    Csv {
        /// Which file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
}

/// The rows of a CSV file, one after another, so that a long list never stands in memory. A row that cannot be understood is
/// a Problem with its line; the others go on.
pub struct Rows<R> {
    reader: csv::Reader<R>,
    columns: [Option<usize>; 6],
    record: csv::StringRecord,
    path: String,
}

impl<R: Read> Rows<R> {
    /// Reads the header. `path` is for messages.
    pub fn open(source: R, path: &str) -> Result<Self, FileError> {
        // Lines end at LF and the CR is trimmed: told that CRLF ends a line, the reader counts lines one short.
        let mut builder = csv::ReaderBuilder::new();
        builder.flexible(true).trim(csv::Trim::All).terminator(csv::Terminator::Any(b'\n'));
        let mut reader = builder.from_reader(source);
        let header = |message: String| FileError::Header { path: path.to_owned(), message };
        let names = reader.headers().map_err(|e| header(e.to_string()))?.clone();
        let mut columns = [None; 6];
        for (at, name) in names.iter().enumerate() {
            let name = name.trim_start_matches('\u{FEFF}').to_lowercase();
            // What `export` adds for people to read.
            if name == "labels" {
                continue;
            }
            let column = COLUMNS
                .iter()
                .position(|c| *c == name)
                .ok_or_else(|| header(format!("the column {name:?} is not known")))?;
            if columns[column].replace(at).is_some() {
                return Err(header(format!("the column {name:?} stands there twice")));
            }
        }
        match columns[0] {
            Some(_) => Ok(Rows { reader, columns, record: csv::StringRecord::new(), path: path.to_owned() }),
            None => Err(header("there is no column `email`".to_owned())),
        }
    }

    fn row(&self) -> Result<Row, Problem> {
        let cell =
            |column: usize| self.columns[column].and_then(|at| self.record.get(at)).map(str::trim).unwrap_or_default();
        let line = self.record.position().map(|p| p.line() as u32);
        let problem = |message: String, help: &str| Problem {
            path: self.path.clone(),
            line,
            column: None,
            message,
            help: help.to_owned(),
        };
        let address = EmailAddress::parse(cell(0))
            .map_err(|e| problem(e.to_string(), "correct the address or delete the row"))?;
        let status = match cell(5) {
            "" => Status::Active,
            text => text.parse().map_err(|e| problem(e, "leave the cell empty for active"))?,
        };
        if matches!(status, Status::Pending | Status::Absent) {
            return Err(problem(format!("a row cannot say {status}"), "use active, paused or unsubscribed"));
        }
        Ok(Row {
            address,
            name: clean_name(cell(1)),
            language: Some(cell(2).to_owned()).filter(|l| !l.is_empty()),
            digests: Choices::parse(cell(3)),
            topics: Choices::parse(cell(4)),
            status,
        })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Result<Row, Problem>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(false) => return None,
                Ok(true) if self.record.iter().all(str::is_empty) => {}
                Ok(true) => return Some(Ok(self.row())),
                Err(error) => {
                    let message = match error.kind() {
                        csv::ErrorKind::Utf8 { .. } => "the line is not UTF-8 text".to_owned(),
                        _ => error.to_string(),
                    };
                    let line = error.position().map_or(0, csv::Position::line);
                    return Some(Err(FileError::Csv { path: self.path.clone(), line, message }));
                }
            }
        }
    }
}

/// The names of the columns.
pub fn header() -> [&'static str; 6] {
    COLUMNS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_row_is_a_problem_with_its_line_and_the_others_go_on() {
        let text = "\u{FEFF}Email,name,tags\r\nada@example.org,\"Lovelace, Ada\",Rust;maths\r\nnobody,,\r\n\r\nbob@example.org\r\n";
        let rows: Vec<_> = Rows::open(text.as_bytes(), "list.csv").unwrap().map(Result::unwrap).collect();
        let ada = rows[0].as_ref().unwrap();
        assert_eq!((ada.name.as_deref(), ada.topics.as_str()), (Some("Lovelace, Ada"), ";maths;rust;"));
        let problem = rows[1].as_ref().unwrap_err();
        assert_eq!(
            problem.to_string(),
            "list.csv:3: the address has no @\n  help: correct the address or delete the row"
        );
        assert_eq!(rows[2].as_ref().unwrap().status, Status::Active);
    }

    #[test]
    fn the_header_is_checked() {
        let error =
            |text: &str| Rows::open(text.as_bytes(), "list.csv").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error("name\nAda\n").contains("list.csv:1: there is no column `email`"));
        assert!(error("email,nmae\n").contains("the column \"nmae\" is not known"));
        assert!(error("email,email\n").contains("stands there twice"));
        assert!(error("").contains("there is no column `email`"));
    }
}
