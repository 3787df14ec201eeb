//! Something wrong with an author's input: a place, a sentence, a remedy. Not an error of the run (P8).

use serde::Serialize;
use std::fmt;

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, relative to the configuration file.
    pub path: String,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The character in the line, counted from 1, where one is to blame.
    #[serde(skip)]
    pub column: Option<u32>,
    /// What is wrong, as a sentence without a final full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message)?,
            None => write!(f, "{}: {}", self.path, self.message)?,
        }
        write!(f, "\n  help: {}", self.help)
    }
}
