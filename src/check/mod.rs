//! Looks for what would go wrong, before anybody is mailed. Promises: changes nothing, and every finding says where it is and
//! what to do.

mod posts;

use crate::post::Problem;
use crate::post::generator::Generator;
use crate::site::Blog;
use serde::Serialize;
use std::path::Path;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something is lost: a post is left out.
    Error,
    /// A reader would see something wrong.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, relative to the configuration's folder.
    pub path: String,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// The character in the line, from 1.
    pub column: Option<u32>,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, and why it matters, as a sentence without a final full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Where it is explained at length.
    pub url: Option<String>,
    /// The line itself, to be shown.
    #[serde(skip)]
    pub shown: Option<String>,
}

impl Finding {
    fn new(path: &str, line: Option<u32>, severity: Severity, message: String, help: &str) -> Self {
        let (path, help) = (path.to_owned(), help.to_owned());
        Finding { path, line, column: None, severity, message, help, url: None, shown: None }
    }

    fn of_problem(problem: Problem, severity: Severity) -> Self {
        let Problem { path, line, column, message, help } = problem;
        Finding { path, line, column, severity, message, help, url: None, shown: None }
    }
}

/// Everything about the posts, by file and line; of `only`, if some are named.
pub fn posts(blog: &Blog, generator: &Generator, root: &Path, only: &[String]) -> Vec<Finding> {
    let mut found = posts::findings(blog, generator, root);
    let wanted = |finding: &Finding| only.is_empty() || only.iter().any(|path| is_below(&finding.path, path));
    found.retain(wanted);
    found.sort();
    found.dedup();
    for finding in &mut found {
        let Some(line) = finding.line else { continue };
        let text = std::fs::read(root.join(&finding.path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        finding.shown = text.lines().nth(line.saturating_sub(1) as usize).map(str::to_owned);
    }
    found
}

fn is_below(path: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches("./").trim_end_matches('/');
    path == wanted || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}
