//! Files of ours that the site's generator would publish along with the site.

use super::{Finding, Severity};
use crate::config::Config;
use crate::post::front_matter::Yaml;
use crate::post::generator::{Generator, Rules};
use crate::post::glob;
use std::path::{Path, PathBuf};

/// A file of the configuration that lies where Jekyll copies it into the site: readers' addresses and keys would be public.
/// Other generators copy nothing that they are not told to.
pub(super) fn findings(config: &Config, generator: &Generator) -> Vec<Finding> {
    if !matches!(generator.rules, Rules::Jekyll) {
        return Vec::new();
    }
    let real = |path: &Path| path.canonicalize().ok();
    let Some(source) = real(&generator.source_folder()) else { return Vec::new() };
    let exposed = |(severity, path): &(Severity, PathBuf)| {
        let below = real(path)?.strip_prefix(&source).ok()?.to_str()?.to_owned();
        is_copied(&below, generator).then_some((*severity, below))
    };
    let configuration = config.path.file_name().unwrap_or_default().to_string_lossy();
    ours(config)
        .iter()
        .filter_map(exposed)
        .map(|(severity, below)| {
            Finding::new(
                &configuration,
                None,
                severity,
                format!("Jekyll publishes {below} with the site"),
                &format!("add {below} to `exclude:` in _config.yml, or keep it in another folder"),
            )
        })
        .collect()
}

/// What nobody else should see, and the configuration, which may hold secrets.
fn ours(config: &Config) -> Vec<(Severity, PathBuf)> {
    let mut files = Vec::new();
    files.extend(config.subscribers.file.as_ref().map(|file| config.path_of(file)));
    files.extend(config.store.url.strip_prefix("sqlite:").map(|file| config.path_of(Path::new(file))));
    let outboxes = config.ways_out().into_iter().filter_map(|way| way.transport.strip_prefix("outbox:"));
    files.extend(outboxes.map(|folder| config.path_of(Path::new(folder))));
    if let Some(mail) = &config.mail {
        files.extend(mail.dkim.iter().map(|dkim| config.path_of(Path::new(&dkim.key))));
    }
    let mut ours = vec![(Severity::Note, config.path.clone())];
    ours.extend(files.into_iter().map(|file| (Severity::Error, file)));
    ours
}

/// Whether Jekyll copies a file at that path below its source (`EntryFilter` of Jekyll 4).
fn is_copied(path: &str, generator: &Generator) -> bool {
    let named = |key: &str| {
        let list = generator.all.get(key).map(Yaml::items).unwrap_or_default();
        let mut patterns = list.iter().filter_map(Yaml::text).map(|pattern| pattern.trim_matches('/'));
        patterns.any(|pattern| {
            path == pattern
                || path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('/'))
                || glob::matches(pattern, path)
        })
    };
    let special = path.split('/').any(|part| part.starts_with(['_', '.', '#', '~']) || part.ends_with('~'));
    named("include") || !special && !named("exclude")
}
