//! What lies beside the posts: the generator's configuration, `_includes`, `_data`.

use super::{Error, Generator};
use crate::post::front_matter::{self, Yaml};
use crate::post::settings::Settings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files of `_includes` and `_data` beyond this are left out.
const MAX_FILE: u64 = 1024 * 1024;
/// All of them together.
const MAX_TOTAL: u64 = 16 * 1024 * 1024;

const CONFIGURATIONS: [&str; 2] = ["_config.yml", "_config.yaml"];

/// The folder of the generator's own configuration: as set, else the nearest from the first posts' folder upwards, but not
/// above `root`, the folder of ours. Without one, the posts' folder itself if it holds `_posts`, else `root`.
pub(super) fn site_folder(settings: &Settings, root: &Path) -> Result<PathBuf, Error> {
    if let Some(site) = &settings.site {
        let folder = root.join(site);
        return if folder.is_dir() { Ok(folder) } else { Err(Error::NoFolder(folder)) };
    }
    let top = root.canonicalize().map_err(|error| Error::Unreadable(root.to_path_buf(), error))?;
    let first = settings.dir.first().map_or_else(|| root.to_path_buf(), |dir| root.join(dir));
    let start = first.canonicalize().map_err(|_| Error::NoFolder(first.clone()))?;
    for folder in start.ancestors() {
        if CONFIGURATIONS.iter().any(|name| folder.join(name).is_file()) {
            return Ok(folder.to_path_buf());
        }
        if top.starts_with(folder) {
            break;
        }
    }
    // Jekyll runs without a configuration, too: its sources are what holds `_posts`.
    let posts = start.ancestors().find(|folder| folder.ends_with("_posts")).and_then(Path::parent);
    Ok(posts.map_or(
        if start.starts_with(&top) && !start.join("_posts").is_dir() { top } else { start.clone() },
        Path::to_path_buf,
    ))
}

/// Reads `_config.yml` of a folder.
pub(super) fn generator(folder: &Path) -> Result<Generator, Error> {
    let Some(path) = CONFIGURATIONS.iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
        return Ok(Generator::default());
    };
    let text = std::fs::read_to_string(&path).map_err(|error| Error::Unreadable(path.clone(), error))?;
    match front_matter::parse_file(&text) {
        Ok(yaml) => Ok(Generator::from_yaml(yaml)),
        Err(error) => Err(Error::Generator { path, line: error.line, message: error.message, help: error.help }),
    }
}

/// `_data/authors.yml`; nothing where there is none.
pub(super) fn people(source: &Path) -> Yaml {
    ["authors.yml", "authors.yaml", "author.yml"]
        .iter()
        .find_map(|name| std::fs::read_to_string(source.join("_data").join(name)).ok())
        .and_then(|text| front_matter::parse_file(&text).ok())
        .unwrap_or(Yaml::Null)
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
