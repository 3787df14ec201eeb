//! Blocks and phrases of an author's own that nothing shows, since no template has one of that name.

use super::{Excerpt, Finding, Severity};
use crate::template::{EMBEDDED, words};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks in `sources` that no template above them has, and phrases that no template asks for.
pub(super) fn findings(sources: &BTreeMap<String, String>) -> Vec<Finding> {
    sources
        .iter()
        .flat_map(|(name, source)| match name.ends_with(".toml") {
            true => phrases(name, source, sources),
            false => blocks(name, source, sources),
        })
        .collect()
}

fn blocks(name: &str, source: &str, sources: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut known = BTreeSet::new();
    let mut above = extended(source).map(str::to_owned);
    // As many steps as there are templates: who extends himself is told elsewhere.
    for _ in 0..EMBEDDED.len() + sources.len() {
        let Some(parent) = above else { break };
        let Some(text) = text_of(&parent, sources) else { break };
        known.extend(named_blocks(text).map(|(block, _)| block));
        above = extended(text).map(str::to_owned);
    }
    if known.is_empty() {
        return Vec::new();
    }
    let unknown = named_blocks(source).filter(|(block, _)| !known.contains(block));
    let finding = |(block, line): (&str, usize)| {
        let all = known.iter().copied().collect::<Vec<_>>().join(", ");
        let finding = Finding::new(
            &format!("templates/{name}"),
            u32::try_from(line).ok(),
            Severity::Warning,
            format!("The block `{block}` is shown nowhere: the template that this one extends has none of that name"),
            &format!("there are {all}"),
        );
        Finding { shown: source.lines().nth(line - 1).map(Excerpt::start), ..finding }
    };
    // A block within one that is known stands where that does.
    unknown.filter(|(block, _)| !is_within(block, source, &known)).map(finding).collect()
}

/// Whether a block stands inside another that is known.
fn is_within(block: &str, source: &str, known: &BTreeSet<&str>) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(source).map(|(tag, _)| tag) {
        match tag.split_once(char::is_whitespace).map_or((tag, ""), |(word, rest)| (word, rest.trim())) {
            ("block", name) if name == block => return open.iter().any(|outer| known.contains(outer)),
            ("block", name) => open.push(name),
            ("endblock", _) => drop(open.pop()),
            _ => {}
        }
    }
    false
}

fn phrases(name: &str, source: &str, sources: &BTreeMap<String, String>) -> Vec<Finding> {
    let table = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let known: BTreeSet<String> =
        words::EMBEDDED.iter().flat_map(|(_, text)| table(text).into_iter()).map(|(key, _)| key).collect();
    let own: Vec<&String> = sources.iter().filter(|(name, _)| !name.ends_with(".toml")).map(|(_, text)| text).collect();
    // Templates of one's own may ask for phrases of one's own.
    let asked_for =
        |key: &str| own.iter().any(|text| text.contains(&format!("\"{key}\"")) || text.contains(&format!("'{key}'")));
    let unknown = table(source).into_iter().map(|(key, _)| key).filter(|key| !known.contains(key) && !asked_for(key));
    let finding = |key: String| {
        let line = source.lines().position(|line| line.trim_start_matches('[').trim_start().starts_with(&key));
        let finding = Finding::new(
            &format!("templates/{name}"),
            line.and_then(|at| u32::try_from(at + 1).ok()),
            Severity::Warning,
            format!("No template asks for the phrase `{key}`"),
            "`postrider templates show strings/en.toml` has every phrase",
        );
        Finding { shown: line.and_then(|at| source.lines().nth(at)).map(Excerpt::start), ..finding }
    };
    unknown.map(finding).collect()
}

/// The source of a template that another extends.
fn text_of<'a>(name: &str, sources: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let built_in = |name: &str| EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    match name.strip_prefix("default/") {
        Some(name) => built_in(name),
        None => sources.get(name).map(String::as_str).or_else(|| built_in(name)),
    }
}

fn extended(source: &str) -> Option<&str> {
    tags(source).find_map(|(tag, _)| Some(tag.strip_prefix("extends")?.trim().trim_matches(['"', '\''])))
}

fn named_blocks(source: &str) -> impl Iterator<Item = (&str, usize)> {
    tags(source).filter_map(|(tag, line)| Some((tag.strip_prefix("block ")?.split_whitespace().next()?, line)))
}

/// What stands in each `{% … %}`, with its line from 1.
fn tags(source: &str) -> impl Iterator<Item = (&str, usize)> {
    source.match_indices("{%").filter_map(move |(at, _)| {
        let inside = &source[at + 2..at + 2 + source[at + 2..].find("%}")?];
        let line = source[..at].matches('\n').count() + 1;
        Some((inside.trim_matches(['-', '+']).trim(), line))
    })
}
