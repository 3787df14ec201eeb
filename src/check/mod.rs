//! Looks for what would go wrong, before anybody is mailed. Promises: changes nothing, and every finding says where it is and
//! what to do.

pub mod feed;
pub mod mail;

mod posts;

use crate::post::Problem;
use crate::post::generator::Generator;
use crate::site::Blog;
use crate::template::{self, Templates};
use serde::Serialize;
use std::collections::BTreeMap;
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

/// Everything about edited templates: their names and sources. Each is rendered with samples.
pub fn templates(sources: &BTreeMap<String, String>) -> Vec<Finding> {
    let of_error = |error: template::Error| match error {
        template::Error::Broken { name, line, shown, what, help } => {
            let line = line.and_then(|line| u32::try_from(line).ok());
            let message = format!("The template cannot be rendered: {what}");
            Finding { shown, ..Finding::new(&format!("templates/{name}"), line, Severity::Error, message, &help) }
        }
        template::Error::NoUnsubscribe { name } => {
            let name = to_blame(&name, sources);
            // Where the foot was replaced, it went with it.
            let foot = sources
                .get(&name)
                .and_then(|source| source.lines().zip(1..).find(|(line, _)| line.contains("block footer")));
            let message = "The template does not show {{ links.unsubscribe }}".to_owned();
            let help = "add the link; a digest without it may not be sent";
            let line = foot.map(|(_, line)| line);
            let found = Finding::new(&format!("templates/{name}"), line, Severity::Error, message, help);
            Finding { shown: foot.map(|(text, _)| text.to_owned()), ..found }
        }
        template::Error::Css { name, what } => Finding::new(
            &format!("templates/{name}"),
            None,
            Severity::Error,
            format!("The styles of the template cannot be inlined: {what}"),
            "look at its <style>",
        ),
    };
    let templates = match Templates::with_overrides(sources.clone()) {
        Ok(templates) => templates,
        Err(error) => return unparsed(sources.clone(), error).into_iter().map(of_error).collect(),
    };
    let mut found: Vec<Finding> = templates.check().into_iter().map(of_error).collect();
    found.extend(templates.unused(sources).map(|name| {
        Finding::new(
            &format!("templates/{name}"),
            None,
            Severity::Warning,
            "No mail and no page uses this template".to_owned(),
            "`postrider templates list` names those that can be replaced",
        )
    }));
    found.sort();
    found.dedup();
    found
}

/// What cannot be parsed, every file of it: `error` is the first.
fn unparsed(mut sources: BTreeMap<String, String>, error: template::Error) -> Vec<template::Error> {
    let mut errors = vec![error];
    while let Some(template::Error::Broken { name, .. }) = errors.last() {
        if sources.remove(name).is_none() {
            break;
        }
        match Templates::with_overrides(sources.clone()) {
            Ok(_) => break,
            Err(error) => errors.push(error),
        }
    }
    errors
}

/// The edited file that made a template what it is: itself, else what it extends.
fn to_blame(name: &str, sources: &BTreeMap<String, String>) -> String {
    let ending = &name[name.find('.').unwrap_or(0)..];
    let files = [name.to_owned(), format!("mail/base{ending}"), format!("digest/body{ending}")];
    files.into_iter().find(|file| sources.contains_key(file)).unwrap_or_else(|| name.to_owned())
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
