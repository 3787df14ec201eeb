//! `postrider check`: findings, each with its place, its line and what to do.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::check::{self, Finding, Severity};
use crate::site;
use anyhow::Result;
use std::path::PathBuf;

/// `postrider check`
pub(super) fn run(global: &Global, files: &[PathBuf]) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let (site, generator) = setup.site()?;
    let overrides = setup.overrides()?;
    let root = &setup.config.root;
    let posts = &setup.config.posts;
    let blog = site::read(site::find(posts, &generator, root)?, posts, &site, &generator, root, &[], setup.clock.now());
    let only: Vec<String> = files.iter().map(|file| below(file, root)).collect();
    let mut found = check::posts(&blog, &generator, root, &only);
    if only.is_empty() {
        found.extend(check::templates(&overrides));
    }
    if global.json {
        say::json(&serde_json::json!({ "findings": found }))?;
    } else if !global.quiet {
        found.iter().for_each(show);
        say::line(summary(&found, blog.posts.len()));
    }
    let sound = found.iter().all(|finding| finding.severity == Severity::Note);
    Ok(if global.strict && !sound { Exit::Problems } else { Exit::Done })
}

/// A file as findings name it: relative to the configuration's folder.
fn below(file: &std::path::Path, root: &std::path::Path) -> String {
    let real = |path: &std::path::Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (file, root) = (real(file), real(root));
    file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/")
}

fn show(finding: &Finding) {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut place = finding.path.clone();
    for number in [finding.line, finding.column].into_iter().flatten() {
        place.push_str(&format!(":{number}"));
    }
    say::line(format!("{place}: {severity}: {}", finding.message));
    if let Some(shown) = &finding.shown {
        let start: String = shown.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
        say::line(format!("  | {start}"));
        if let Some(column) = finding.column.filter(|column| *column <= 120) {
            say::line(format!("  | {}^", " ".repeat(column.saturating_sub(1) as usize)));
        }
    }
    say::line(format!("  help: {}", finding.help));
}

fn summary(found: &[Finding], posts: usize) -> String {
    let of = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts: Vec<String> =
        counts.into_iter().filter(|(s, _)| of(*s) > 0).map(|(s, noun)| say::count(of(s) as i64, noun)).collect();
    let what = if counts.is_empty() { "nothing to complain of".to_owned() } else { counts.join(", ") };
    format!("{} published; {what}", say::count(posts as i64, "post"))
}
