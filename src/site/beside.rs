//! What lies beside the configuration and the posts: edited templates, what is said at the head of an edition, the subscribers' list.

use crate::edition::compose::Introduction;
use crate::html;
use crate::post::front_matter::{self, Fences, Yaml};
use crate::post::{Problem, markdown};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use url::Url;

/// Longer files are no templates.
const MAX_BYTES: u64 = 1 << 20;
/// Deeper folders hold none.
const MAX_DEPTH: usize = 4;

/// What lies in the templates' folder and is ours: `….html.j2`, `….txt.j2`, `….css.j2` and `strings/….toml`, by name. A generator's own templates may
/// lie in the same folder. No folder, no overrides.
pub fn overrides(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    gather(folder, "", MAX_DEPTH, &mut found)?;
    Ok(found)
}

fn gather(folder: &Path, below: &str, depth: usize, found: &mut BTreeMap<String, String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", folder.display()))),
    };
    for entry in entries {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let name = format!("{below}{file}");
        let is_template = [".html.j2", ".txt.j2", ".css.j2"].iter().any(|ending| name.ends_with(ending));
        let is_words = below == "strings/" && name.ends_with(".toml");
        if path.is_dir() && depth > 1 {
            gather(&path, &format!("{name}/"), depth - 1, found)?;
        } else if is_template || is_words {
            let wrong = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
            if path.metadata().map_err(wrong)?.len() > MAX_BYTES {
                return Err(wrong(io::Error::other("a template is not longer than 1 MiB")));
            }
            found.insert(name, std::fs::read_to_string(&path).map_err(wrong)?);
        }
    }
    Ok(())
}

/// Where the author introduces an edition, below a folder of posts.
pub fn introduction_file(folder: &Path, digest: &str, day: &str) -> PathBuf {
    folder.join("_editions").join(digest).join(format!("{day}.md"))
}

/// What the author says of an edition, in the first of the folders of posts that has a file for it: below its front matter, which may
/// say `subject` and `preheader`.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn introduction(
    folders: &[PathBuf],
    root: &Path,
    digest: &str,
    day: &str,
    site: &Url,
) -> Result<Introduction, Problem> {
    for folder in folders {
        let below = introduction_file(folder, digest, day);
        let path = below.to_string_lossy().into_owned();
        let problem = |message: String, help: &str| Problem {
            path: path.clone(),
            line: None,
            column: None,
            message,
            help: help.to_owned(),
        };
        let place = root.join(&below);
        match std::fs::metadata(&place) {
            // A pipe would be waited for.
            Ok(facts) if !facts.is_file() => return Err(problem("The introduction is no file".into(), "take it away")),
            Ok(facts) if facts.len() > MAX_BYTES => {
                return Err(problem("The introduction is longer than 1 MiB".into(), "shorten it"));
            }
            _ => {}
        }
        match std::fs::read_to_string(place) {
            Ok(text) => {
                let source = front_matter::split(&text, Fences::Any);
                let front = front_matter::parse(&source).map_err(|error| Problem {
                    path: path.clone(),
                    line: Some(error.line),
                    column: error.column,
                    message: error.message,
                    help: error.help,
                })?;
                let said = |key| front.get(key).and_then(Yaml::text).map(str::to_owned);
                let html = html::clean(&markdown::to_html(source.body, "intro"), site);
                return Ok(Introduction {
                    html: Some(html).filter(|html| !html.is_empty()),
                    subject: said("subject"),
                    preheader: said("preheader"),
                });
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => {
                let message = format!("The introduction cannot be read: {e}");
                return Err(problem(message, "save it as UTF-8, and check its permissions"));
            }
        }
    }
    Ok(Introduction::default())
}

/// The list, to be read row by row; in a word why it cannot be.
pub fn open_list(path: &Path) -> Result<BufReader<File>, String> {
    let file = File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "the file is not there".to_owned(),
        _ => e.to_string(),
    })?;
    match file.metadata() {
        Ok(facts) if facts.is_dir() => Err("it is a folder".to_owned()),
        Ok(facts) if facts.len() == 0 => Err("the file is empty".to_owned()),
        Ok(_) => Ok(BufReader::new(file)),
        Err(e) => Err(e.to_string()),
    }
}
