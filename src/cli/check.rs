//! `postrider check`: findings, each with its place, its line and what to do.

pub(super) mod mails;
mod world;

use super::arguments::Global;
use super::cycle::Cycle;
use super::setup::Setup;
use super::{Exit, say};
use crate::check::mail::{Mail, Origin};
use crate::check::{self, Finding, Severity};
use crate::clock::Clock;
use crate::http;
use crate::post::harmless;
use anyhow::{Result, anyhow, bail};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// So many findings of one kind are shown.
const MOST_ALIKE: usize = 10;

/// `postrider check`
pub(super) fn run(global: &Global, files: &[PathBuf]) -> Result<Exit> {
    let (feeds, files): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|file| is_feed(file));
    let (letters, files): (Vec<&PathBuf>, Vec<&PathBuf>) = files.into_iter().partition(|file| is_mail(file));
    let mut found = Vec::new();
    let mut summaries = Vec::new();
    for feed in &feeds {
        let judged = judge(global, &feed.to_string_lossy())?;
        let entries = if judged.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", judged.entries) };
        summaries.push(format!("{}: {}, {entries}; {}", feed.display(), judged.kind, counted(&judged.findings)));
        found.extend(judged.findings);
    }
    for letter in &letters {
        let judged = judge_mail(&letter.to_string_lossy())?;
        summaries.push(format!("{}: {}", letter.display(), counted(&judged)));
        found.extend(judged);
    }
    // Whoever asks about a feed or a mail need have no blog here.
    if (feeds.is_empty() && letters.is_empty()) || !files.is_empty() {
        let setup = Setup::load(global)?;
        let cycle = Cycle::anew(global, &setup)?;
        let Cycle { blog, generator, .. } = &cycle;
        let overrides = setup.overrides()?;
        let root = &setup.config.root;
        let only: Vec<String> = files.iter().map(|file| below(file, root)).collect();
        if let Some(stranger) = only.iter().find(|path| !check::holds(blog, path)) {
            bail!(
                "{stranger} is no post of this blog, and neither a feed nor a mail\n  help: name files or folders of posts, feeds (.xml, .json or an address) and mails (.eml)"
            );
        }
        let mut of_posts = check::posts(blog, generator, root, &only);
        if only.is_empty() {
            of_posts.extend(check::templates(&overrides));
            of_posts.extend(check::exposed(&setup.config, generator));
            of_posts.extend(check::reached(&setup.config));
            of_posts.extend(check::named_feeds(&setup.config, blog));
        }
        summaries.push(format!("{} published; {}", say::count(blog.posts.len(), "post"), counted(&of_posts)));
        if only.is_empty() {
            let mut judged = mails::judge(&cycle, &overrides);
            // What was said of a post's line need not be said of the mail that holds it.
            let place = |finding: &Finding| (finding.path.clone(), finding.line, finding.column);
            let told: HashSet<_> = of_posts.iter().filter(|finding| finding.line.is_some()).map(place).collect();
            judged.findings.retain(|finding| !told.contains(&place(finding)));
            if judged.mails > 0 || !judged.findings.is_empty() {
                summaries.push(format!("{} to come; {}", say::count(judged.mails, "mail"), counted(&judged.findings)));
            }
            of_posts.extend(judged.findings);
            let digests = world::digests(&cycle);
            let Cycle { site, store, .. } = cycle;
            drop(store);
            let outside = world::judge(&setup, &site.url, &digests, judged.largest)?;
            if outside.asked || !outside.findings.is_empty() {
                let what = if outside.asked {
                    "the DNS, the server, the pages and the store"
                } else {
                    "the way out and the store"
                };
                summaries.push(format!("{what}; {}", counted(&outside.findings)));
            }
            of_posts.extend(outside.findings);
        }
        found.extend(of_posts);
    }
    if global.json {
        say::json(&serde_json::json!({ "findings": found }))?;
    } else if !global.quiet {
        show_all(global, &found);
        summaries.iter().for_each(say::line);
    }
    let sound = found.iter().all(|finding| finding.severity == Severity::Note);
    Ok(if global.strict && !sound { Exit::Problems } else { Exit::Done })
}

fn is_feed(file: &Path) -> bool {
    !file.is_dir() && file.to_str().is_some_and(check::feed::is_feed)
}

fn is_mail(file: &Path) -> bool {
    !file.is_dir() && file.to_str().is_some_and(check::mail::is_mail)
}

/// Judges a mail from a file.
fn judge_mail(name: &str) -> Result<Vec<Finding>> {
    let bytes = read(name)?;
    Ok(check::mail::findings(&Mail { bytes: &bytes, origin: Origin::File(name) }))
}

fn read(name: &str) -> Result<Vec<u8>> {
    std::fs::read(name).map_err(|error| anyhow!("{name} cannot be read: {error}\n  help: check the name"))
}

/// Judges a feed from a file or an address.
fn judge(global: &Global, name: &str) -> Result<check::feed::Judged> {
    let now = global.now.map_or_else(Clock::system, Clock::starting_at).now();
    if http::is_address(name) {
        let document = http::get(name)?;
        return Ok(check::feed::judge(name, &document.bytes, Some(&document.url), now));
    }
    Ok(check::feed::judge(name, &read(name)?, None, now))
}

/// A file as findings name it: relative to the configuration's folder.
fn below(file: &Path, root: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (file, root) = (real(file), real(root));
    file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/")
}

/// Of one kind, which have one remedy, the first; with `-v` all.
fn show_all(global: &Global, found: &[Finding]) {
    let most = if global.verbose > 0 { usize::MAX } else { MOST_ALIKE };
    let mut kinds: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for finding in found {
        let seen = kinds.entry((finding.severity, finding.help.as_str())).or_default();
        *seen += 1;
        if *seen <= most {
            show(finding);
        }
    }
    for ((severity, help), seen) in kinds.into_iter().filter(|(_, seen)| *seen > most) {
        say::line(format!("{} more, as those above; -v shows them", say::count(seen - most, word(severity))));
        say::line(format!("  help: {help}"));
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn show(finding: &Finding) {
    let severity = word(finding.severity);
    let mut place = harmless(&finding.path);
    for number in [finding.line, finding.column].into_iter().flatten() {
        place.push_str(&format!(":{number}"));
    }
    say::line(format!("{place}: {severity}: {}", finding.message));
    if let Some(shown) = &finding.shown {
        say::line(format!("  | {}", shown.text));
        if finding.column.is_some() {
            say::line(format!("  | {}^", " ".repeat(shown.before)));
        }
    }
    say::line(format!("  help: {}", finding.help));
    if let Some(url) = &finding.url {
        say::line(format!("  see {url}"));
    }
}

fn counted(found: &[Finding]) -> String {
    let of = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let severities = [Severity::Error, Severity::Warning, Severity::Note];
    let counts: Vec<String> =
        severities.into_iter().filter(|s| of(*s) > 0).map(|s| say::count(of(s), word(s))).collect();
    if counts.is_empty() { "nothing to complain of".to_owned() } else { counts.join(", ") }
}
