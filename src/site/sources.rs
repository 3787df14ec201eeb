//! What lies beside the posts: `_includes`, `_data`.

use crate::post::front_matter::{self, Yaml};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files of `_includes` and `_data` beyond this are left out.
const MAX_FILE: u64 = 1024 * 1024;
/// All of them together.
const MAX_TOTAL: u64 = 16 * 1024 * 1024;
/// What the name of a file or folder counts for in that.
const ENTRY: u64 = 256;

/// People by key: `_data/authors.yml` in Jekyll and Eleventy, `data/authors/ada.toml` in Hugo, `blog/authors.yml` in
/// Docusaurus; nothing where there is none.
pub(super) fn people(folders: &[PathBuf]) -> Yaml {
    let mut people = Vec::new();
    for folder in folders.iter().flat_map(|folder| [folder.join("_data"), folder.join("data"), folder.clone()]) {
        let mut texts = BTreeMap::new();
        for stem in ["authors", "author", "people"] {
            for ending in ["yml", "yaml", "json", "toml"] {
                let name = format!("{stem}.{ending}");
                let place = folder.join(&name);
                let moderate = std::fs::metadata(&place).is_ok_and(|facts| facts.is_file() && facts.len() <= MAX_FILE);
                if let Some(text) = moderate.then(|| std::fs::read_to_string(&place).ok()).flatten() {
                    texts.insert(name, text);
                }
            }
        }
        for (name, text) in texts {
            match front_matter::parse_named(&name, &text) {
                Ok(Yaml::List(items)) => people.extend(items.into_iter().flat_map(keyed)),
                Ok(Yaml::Map(entries)) => people.extend(entries),
                _ => {}
            }
        }
        let mut texts = BTreeMap::new();
        if !folder.ends_with("_data") && !folder.ends_with("data") {
            continue;
        }
        gather(&folder.join("authors"), "", 0, &mut MAX_TOTAL.clone(), &mut texts);
        for (name, text) in texts {
            let Some((stem, "yml" | "yaml" | "json" | "toml")) = name.rsplit_once('.') else { continue };
            if let Ok(person @ Yaml::Map(_)) = front_matter::parse_named(&name, &text) {
                people.push((stem.to_owned(), person));
            }
        }
    }
    Yaml::Map(people)
}

/// A person of a list under each name that posts may use.
fn keyed(person: Yaml) -> Vec<(String, Yaml)> {
    let keys = ["key", "id", "username", "login", "slug", "handle", "nickname", "short_name", "name"];
    let named = keys.iter().filter_map(|key| person.get(key).and_then(Yaml::text));
    named.map(|name| (name.to_owned(), person.clone())).collect()
}

/// The texts of `_includes` by their path below it.
pub(super) fn includes(source: &Path) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    gather(&source.join("_includes"), "", 8, &mut MAX_TOTAL.clone(), &mut texts);
    texts
}

/// The YAML and JSON files of `_data` by name, folders as maps.
pub(super) fn data(source: &Path) -> Yaml {
    let mut texts = BTreeMap::new();
    gather(&source.join("_data"), "", 8, &mut MAX_TOTAL.clone(), &mut texts);
    let mut data = Yaml::Map(Vec::new());
    for (path, text) in texts {
        let Some((stem, extension)) = path.rsplit_once('.') else { continue };
        // JSON is YAML.
        if !matches!(extension, "yml" | "yaml" | "json") {
            continue;
        }
        let Ok(value) = front_matter::parse_file(&text) else { continue };
        let mut place = &mut data;
        for part in stem.split('/') {
            let Yaml::Map(entries) = place else { break };
            let at = entries.iter().position(|(key, _)| key == part).unwrap_or_else(|| {
                entries.push((part.to_owned(), Yaml::Map(Vec::new())));
                entries.len() - 1
            });
            place = &mut entries[at].1;
        }
        *place = value;
    }
    data
}

fn gather(folder: &Path, below: &str, depth: usize, left: &mut u64, texts: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut places: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    places.sort();
    for place in places {
        // A link to the root of the disk has no end.
        *left = left.saturating_sub(ENTRY);
        if *left == 0 {
            return;
        }
        let Some(name) = place.file_name().and_then(|name| name.to_str()) else { continue };
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let Ok(kind) = std::fs::metadata(&place) else { continue };
        if kind.is_dir() && depth > 0 {
            gather(&place, &path, depth - 1, left, texts);
        } else if kind.is_file() && kind.len() <= MAX_FILE.min(*left) {
            *left -= kind.len();
            if let Ok(text) = std::fs::read_to_string(&place) {
                texts.insert(path, text);
            }
        }
    }
}
