//! Sections of Hugo and Zola: which folders are one, and what they and the configuration give the pages below them.

use crate::post::front_matter::{self, Fences, Yaml};
use crate::post::generator::{Defaults, Generator, Rules};
use std::path::Path;

/// Deeper folders are no sections.
const MAX_DEPTH: usize = 12;
/// An `_index` beyond this says nothing.
const MAX_BYTES: u64 = 256 * 1024;

/// Gives a generator what Hugo's `cascade` says, in the configuration and in each `_index`, and its sections; of Zola's the
/// drafts, which take their pages with them.
pub(super) fn gather(generator: &mut Generator) {
    if !matches!(generator.rules, Rules::Hugo(_) | Rules::Zola(_)) {
        return;
    }
    let mut found = Found { zola: matches!(generator.rules, Rules::Zola(_)), ..Found::default() };
    for source in &generator.sources {
        if let Some(cascade) = generator.all.get("cascade").filter(|_| !found.zola) {
            found.cascade(cascade, source, source);
        }
        found.folder(&generator.folder.join(source), source, source, MAX_DEPTH);
    }
    generator.defaults.append(&mut found.defaults);
    if let Rules::Hugo(hugo) = &mut generator.rules {
        found.sections.into_iter().for_each(|section| hugo.add_section(section));
    }
}

#[derive(Default)]
struct Found {
    zola: bool,
    defaults: Vec<Defaults>,
    sections: Vec<String>,
}

impl Found {
    /// `below` is the folder's path below the site's, `root` that of the sources that it belongs to.
    fn folder(&mut self, folder: &Path, below: &str, root: &str, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_index = name.starts_with("_index.");
            let may_be_folder = entry.file_type().is_ok_and(|kind| !kind.is_file());
            if !is_index && !may_be_folder {
                continue;
            }
            let Ok(facts) = std::fs::metadata(entry.path()) else { continue };
            if facts.is_dir() && depth > 0 && !name.starts_with('.') {
                self.folder(&entry.path(), &format!("{below}/{name}"), root, depth - 1);
            } else if facts.is_file() && is_index {
                self.sections.push(below.to_owned());
                // Those of another language give nothing to this one.
                if name.matches('.').count() == 1 && facts.len() <= MAX_BYTES {
                    self.index(&entry.path(), below, root);
                }
            }
        }
    }

    fn index(&mut self, path: &Path, below: &str, root: &str) {
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let source = front_matter::split(&text, Fences::Any);
        let Ok(front) = front_matter::parse(&source) else { return };
        if self.zola {
            let draft = front.entries().iter().filter(|(key, value)| key == "draft" && value.truth() == Some(true));
            let values: Vec<_> = draft.cloned().collect();
            if !values.is_empty() {
                self.defaults.push(Defaults { path: below.to_owned(), kind: String::new(), pattern: None, values });
            }
        } else if let Some(cascade) = front.lower_case_keys().get("cascade") {
            self.cascade(cascade, below, root);
        }
    }

    /// A cascade, or a list of them, each perhaps for some pages only.
    fn cascade(&mut self, cascade: &Yaml, below: &str, root: &str) {
        let all = match cascade {
            Yaml::List(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        for one in all {
            let one = one.clone().lower_case_keys();
            let target = one.get("_target").or_else(|| one.get("target"));
            let said = |key| target.and_then(|target| target.get(key)).and_then(Yaml::text);
            // Only pages are posts, and only what is built for readers counts.
            let elsewhere = said("kind").is_some_and(|kind| kind != "page" && kind != "*")
                || said("environment").is_some_and(|environment| environment != "production");
            if elsewhere {
                continue;
            }
            let values = one.get("params").map(Yaml::entries).unwrap_or_default().iter().chain(one.entries());
            let values = values.filter(|(key, _)| !matches!(&**key, "_target" | "target" | "params")).cloned();
            let pattern = said("path").map(|path| path.to_lowercase());
            // A pattern is of the path below the sources.
            let pattern = pattern.map(|pattern| (root.to_owned(), pattern));
            self.defaults.push(Defaults {
                path: below.to_owned(),
                kind: String::new(),
                pattern,
                values: values.collect(),
            });
        }
    }
}
