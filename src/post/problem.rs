//! Something wrong with an author's input: a place, a sentence, a remedy. Not an error of the run (P8).

use serde::Serialize;
use std::collections::HashMap;
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

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&harmless(&self.path))?;
        match self.line {
            Some(line) => write!(f, ":{line}: {}", self.message)?,
            None => write!(f, ": {}", self.message)?,
        }
        write!(f, "\n  help: {}", self.help)
    }
}

/// A file's name for people: what a terminal would obey, and what would look like another line, is written out.
pub fn harmless(name: &str) -> String {
    let written = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(written).collect()
}

/// What many posts share, a tag or an include that is not known, is told once, of the first, with their number.
pub fn gathered(problems: Vec<Problem>) -> Vec<Problem> {
    let mut told: Vec<Problem> = Vec::with_capacity(problems.len());
    let mut first: HashMap<String, (usize, usize)> = HashMap::new();
    for problem in problems {
        let shared = ["There is no Liquid tag `", "There is no shortcode `", "There is no tag `"]
            .iter()
            .any(|start| problem.message.starts_with(start))
            || problem.message.contains("` in _includes");
        if shared {
            let (posts, _) = first
                .entry(name_of(&problem.message).to_owned())
                .and_modify(|(posts, _)| *posts += 1)
                .or_insert((1, told.len()));
            if *posts > 1 {
                continue;
            }
        }
        told.push(problem);
    }
    for (message, (posts, index)) in first {
        if posts > 1 {
            told[index].message = format!("{message} (in {posts} posts, this is the first)");
        }
    }
    told
}

/// A message without its count.
fn name_of(message: &str) -> &str {
    match message.rsplit_once(" (") {
        Some((name, count)) if count.ends_with(" times)") => name,
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_posts_share_is_told_once() {
        let problem = |path: &str, message: &str| Problem {
            path: path.into(),
            line: Some(1),
            column: None,
            message: message.into(),
            help: "h".into(),
        };
        let told = gathered(vec![
            problem("a", "There is no Liquid tag `figure` here (4 times)"),
            problem("a", "The date `x` cannot be read"),
            problem("b", "There is no Liquid tag `figure` here"),
            problem("b", "The date `x` cannot be read"),
            problem("c", "There is no `a.html` in _includes (2 times)"),
        ]);
        let messages: Vec<(&str, &str)> = told.iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
        assert_eq!(
            messages,
            [
                ("a", "There is no Liquid tag `figure` here (in 2 posts, this is the first)"),
                ("a", "The date `x` cannot be read"),
                ("b", "The date `x` cannot be read"),
                ("c", "There is no `a.html` in _includes (2 times)"),
            ]
        );
    }
}
