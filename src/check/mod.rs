//! Looks for what would go wrong, before anybody is mailed. Promises: changes nothing, and every finding says where it is and
//! what to do.

pub mod feed;
pub mod mail;
pub mod world;

mod blocks;
mod exposed;
mod posts;

use crate::config::Config;
use crate::feed::Named;
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
    /// The file, relative to the configuration's folder; of a record in the DNS its name.
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
    pub shown: Option<Excerpt>,
}

/// What is shown of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excerpt {
    /// Of a long line, what stands around the place.
    pub text: String,
    /// How many characters of it stand before the place.
    pub before: usize,
}

/// So many characters of a line are shown.
const WIDTH: usize = 120;

impl Excerpt {
    /// Of the line with which `rest` begins; the place is `at` octets into it.
    pub fn of(rest: &str, at: usize) -> Self {
        let (before, behind) = rest.split_at_checked(at).unwrap_or(("", rest));
        let mut before: Vec<char> = before.chars().rev().take(WIDTH).collect();
        before.truncate(if before.len() < WIDTH { WIDTH } else { WIDTH / 2 });
        before.reverse();
        let line = behind.chars().take_while(|c| !matches!(c, '\n' | '\r'));
        let text = before.iter().copied().chain(line.take(WIDTH - before.len()));
        let text = text.map(|c| if c.is_control() { ' ' } else { c }).collect();
        Excerpt { text, before: before.len() }
    }

    /// Of a line, around the character that stands there, counted from 1; its beginning where none is named.
    pub fn around(line: &str, column: Option<u32>) -> Self {
        let place = column.and_then(|column| line.char_indices().nth(column.saturating_sub(1) as usize));
        Excerpt::of(line, place.map_or(0, |(at, _)| at))
    }

    /// The beginning of a line.
    pub fn start(line: &str) -> Self {
        Excerpt::of(line, 0)
    }
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
            let shown = shown.as_deref().map(Excerpt::start);
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
            Finding { shown: foot.map(|(text, _)| Excerpt::start(text)), ..found }
        }
        template::Error::NoAction { name } => Finding::new(
            &format!("templates/{name}"),
            None,
            Severity::Error,
            "The template does not show {{ links.action }}".to_owned(),
            "add the link; without it the letter asks for nothing",
        ),
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
    found.extend(blocks::findings(sources));
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

/// Files of ours that would be published with the site.
pub fn exposed(config: &Config, generator: &Generator) -> Vec<Finding> {
    exposed::findings(config, generator)
}

/// Whether `serve` would ask people by links that lead nobody anywhere.
pub fn reached(config: &Config) -> Option<Finding> {
    let configuration = config.path.file_name().unwrap_or_default().to_string_lossy();
    let (what, help) = config.unreachable()?;
    Some(Finding::new(&configuration, None, Severity::Note, what, help))
}

/// Feeds by name that hold nothing: mostly a name or a path is misspelt.
pub fn named_feeds(config: &Config, blog: &Blog) -> Vec<Finding> {
    let configuration = config.path.file_name().unwrap_or_default().to_string_lossy();
    let is_empty = |feed: &&Named| !blog.posts.iter().any(|post| post.in_feeds && feed.takes(post));
    let finding = |feed: &Named| {
        let message = format!("The feed {:?} holds no post", feed.name.as_str());
        let help =
            "check its tags and authors; its `path` begins at the configuration's folder, such as posts/birds/**";
        Finding::new(&configuration, None, Severity::Warning, message, help)
    };
    config.named_feeds.iter().filter(is_empty).map(finding).collect()
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
        let line = text.lines().nth(line.saturating_sub(1) as usize);
        finding.shown = line.map(|line| Excerpt::around(line, finding.column));
    }
    found
}

/// Whether a file was taken for a post, or a folder holds one.
pub fn holds(blog: &Blog, path: &str) -> bool {
    blog.posts.iter().any(|post| is_below(&post.path, path))
        || blog.unpublished().into_iter().any(|file| is_below(file, path))
}

fn is_below(path: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches("./").trim_end_matches('/');
    path == wanted || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}
