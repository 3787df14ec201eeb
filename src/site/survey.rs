//! Finds out which generator a site is made with, and reads what it is told. Promises: configurations that are programs
//! are read, never run.

use super::habits::holds_markdown;
use super::{Error, branches};
use crate::post::dialect::{Dialect, eleventy, pelican};
use crate::post::front_matter::{self, Yaml, set};
use crate::post::generator::{Defaults, Generator};
use crate::post::settings::Settings;
use std::path::{Path, PathBuf};

/// Folders below the posts' that are searched for a configuration.
const MAX_DEPTH: usize = 3;
/// Posts that are looked into where there is no configuration.
const MAX_SAMPLES: usize = 40;
/// A configuration beyond this is none.
const MAX_BYTES: u64 = 1024 * 1024;

/// The site that the posts are of: as set, else what the nearest configuration from the first posts' folder upwards says,
/// but not above `root`, the folder of ours; else the nearest below; else what the posts look like.
///
/// # Errors
/// [`Error::Generator`] when its configuration is broken, [`Error::NoFolder`] when a folder that is set is missing.
pub(super) fn generator(settings: &Settings, root: &Path) -> Result<Generator, Error> {
    let wanted = settings.dialect;
    if let Some(site) = &settings.site {
        let folder = root.join(site);
        if !folder.is_dir() {
            return Err(Error::NoFolder(folder));
        }
        return match configured(&folder, wanted)? {
            Some(generator) => Ok(generator),
            None => Ok(bare(wanted, settings, root, folder)),
        };
    }
    let top = root.canonicalize().map_err(|error| Error::Unreadable(root.to_path_buf(), error))?;
    let first = settings.dir.first().map_or_else(|| root.to_path_buf(), |dir| root.join(dir));
    let start = first.canonicalize().map_err(|_| Error::NoFolder(first.clone()))?;
    for folder in start.ancestors() {
        if let Some(generator) = configured(folder, wanted)? {
            return Ok(generator);
        }
        if top.starts_with(folder) {
            break;
        }
    }
    if let Some(generator) = below(&start, wanted)? {
        return Ok(generator);
    }
    // Jekyll runs without a configuration, too: its sources are what holds `_posts`.
    let ends = ["_posts", "content"].into_iter().find_map(|name| {
        start.ancestors().take_while(|folder| !top.starts_with(folder)).find(|folder| folder.ends_with(name))
    });
    let folder = ends.and_then(Path::parent).map_or_else(
        || if start.starts_with(&top) && !start.join("_posts").is_dir() { top.clone() } else { start.clone() },
        Path::to_path_buf,
    );
    Ok(bare(wanted, settings, root, folder))
}

/// The first configuration in the folders below, level by level.
fn below(start: &Path, wanted: Option<Dialect>) -> Result<Option<Generator>, Error> {
    let mut level = vec![start.to_path_buf()];
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for folder in level {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let mut folders: Vec<PathBuf> = entries
                .filter_map(Result::ok)
                .filter(|entry| is_walked(&entry.file_name()) && is_folder(entry))
                .map(|entry| entry.path())
                .collect();
            folders.sort();
            for folder in folders.iter().take(200) {
                if let Some(generator) = configured(folder, wanted)? {
                    return Ok(Some(generator));
                }
            }
            next.extend(folders);
        }
        level = next;
    }
    Ok(None)
}

/// Whether it is a folder, or a link to one: the type comes with the name, without a look at each file.
fn is_folder(entry: &std::fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink() && entry.path().is_dir())
}

fn is_walked(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    !name.starts_with(['.', '_']) && !matches!(&*name, "node_modules" | "vendor" | "target" | "themes" | "public")
}

/// What the configuration in this very folder says, if one of a wanted generator is there.
fn configured(folder: &Path, wanted: Option<Dialect>) -> Result<Option<Generator>, Error> {
    let is_wanted = |dialect: Dialect| wanted.is_none_or(|wanted| wanted == dialect);
    for name in NAMES {
        let path = folder.join(name);
        let Some(text) = read(&path)? else { continue };
        let all = match *name {
            "pelicanconf.py" => pelican::assignments(&text),
            name if name.contains("eleventy") => eleventy::configuration(&text),
            name => match front_matter::parse_named(name, &text) {
                Ok(all) => all,
                // `config.toml` may be anybody's.
                Err(_) if name.starts_with("config.") => continue,
                Err(error) => {
                    let front_matter::Error { line, message, help, .. } = error;
                    return Err(Error::Generator { path, line, message, help });
                }
            },
        };
        let Some(mut dialect) = whose(folder, name, &all) else { continue };
        if !is_wanted(dialect) {
            continue;
        }
        let is_jekyll = dialect == Dialect::Jekyll && wanted.is_none();
        if is_jekyll && !holds_posts(folder, MAX_DEPTH + 2) && holds_texts(folder) {
            // Its facts hold, but Jekyll itself would find no post here. (A new site has none anywhere.)
            dialect = Dialect::Plain;
        }
        let all = if dialect == Dialect::Hugo { all.lower_case_keys() } else { all };
        let mut generator = Generator::new(dialect, all);
        generator.why = format!("`{name}` lies there");
        if dialect == Dialect::Eleventy {
            generator.sources.extend(Some(eleventy::input(&generator.all)).filter(|input| !input.is_empty()));
        }
        return Ok(Some(placed(generator, folder)));
    }
    // Hugo's configuration as a folder.
    let split = folder.join("config/_default");
    if is_wanted(Dialect::Hugo) && split.is_dir() {
        let mut generator = Generator::new(Dialect::Hugo, gathered(&split)?);
        generator.why = "`config/_default` lies there".into();
        return Ok(Some(placed(generator, folder)));
    }
    Ok(None)
}

/// Whether a folder `_posts` lies somewhere below.
fn holds_posts(folder: &Path, depth: usize) -> bool {
    if folder.join("_posts").is_dir() {
        return true;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let mut folders = entries
        .filter_map(Result::ok)
        .filter(|entry| is_walked(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_dir()));
    depth > 0 && folders.any(|entry| holds_posts(&entry.path(), depth - 1))
}

/// Whether Markdown lies in a folder below this one.
fn holds_texts(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let mut folders = entries.filter_map(Result::ok).filter(|entry| is_walked(&entry.file_name()) && is_folder(entry));
    folders.any(|entry| holds_markdown(&entry.path(), MAX_DEPTH))
}

/// Configurations, the surest first.
const NAMES: &[&str] = &[
    "hugo.toml",
    "hugo.yaml",
    "hugo.yml",
    "hugo.json",
    "zola.toml",
    "_config.yml",
    "_config.yaml",
    "_config.toml",
    "eleventy.config.js",
    "eleventy.config.mjs",
    "eleventy.config.cjs",
    "eleventy.config.ts",
    ".eleventy.js",
    "pelicanconf.py",
    "config.toml",
    "config.yaml",
    "config.yml",
    "config.json",
];

/// Whose configuration that is.
fn whose(folder: &Path, name: &str, all: &Yaml) -> Option<Dialect> {
    let has = |key: &str| all.entries().iter().any(|(known, _)| known.eq_ignore_ascii_case(key));
    match name {
        "zola.toml" => Some(Dialect::Zola),
        "pelicanconf.py" => Some(Dialect::Pelican),
        name if name.starts_with("hugo.") => Some(Dialect::Hugo),
        name if name.contains("eleventy") => Some(Dialect::Eleventy),
        name if name.starts_with("_config.") => {
            let hexo = ["new_post_name", "source_dir", "default_layout", "post_asset_folder", "filename_case"];
            let is_hexo = hexo.iter().any(|key| has(key))
                || folder.join("scaffolds").is_dir()
                || folder.join("source/_posts").is_dir() && !has("source") && !folder.join("_posts").is_dir();
            Some(if is_hexo { Dialect::Hexo } else { Dialect::Jekyll })
        }
        _ if has("base_url") => Some(Dialect::Zola),
        _ if has("baseurl") || has("languagecode") || has("defaultcontentlanguage") => Some(Dialect::Hugo),
        _ => None,
    }
}

/// All files of `config/_default`: one by the name of a table holds that table.
fn gathered(folder: &Path) -> Result<Yaml, Error> {
    let mut all = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| Error::Unreadable(folder.to_path_buf(), error))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let Some((stem, extension)) = name.rsplit_once('.') else { continue };
        if !matches!(extension, "toml" | "yaml" | "yml" | "json") {
            continue;
        }
        let Some(text) = read(&path)? else { continue };
        let read = front_matter::parse_named(&name, &text).map_err(|error| {
            let front_matter::Error { line, message, help, .. } = error;
            Error::Generator { path: path.clone(), line, message, help }
        })?;
        let Yaml::Map(entries) = read.lower_case_keys() else { continue };
        match stem {
            "config" | "hugo" => {
                for (key, value) in entries {
                    set(&mut all, key, value);
                }
            }
            // `params.de.toml` is of one language.
            table if table.contains('.') => {}
            table => {
                let inner = entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(table)).map(|(_, value)| value);
                let value = inner.cloned().unwrap_or(Yaml::Map(entries));
                set(&mut all, table.to_lowercase(), value);
            }
        }
    }
    Ok(Yaml::Map(all))
}

/// The text of a file of moderate size, if it is there.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() && facts.len() <= MAX_BYTES => {}
        _ => return Ok(None),
    }
    let bytes = std::fs::read(path).map_err(|error| Error::Unreadable(path.to_path_buf(), error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn placed(mut generator: Generator, folder: &Path) -> Generator {
    generator.folder = folder.to_path_buf();
    branches::gather(&mut generator);
    if matches!(generator.rules.dialect(), Dialect::Eleventy) {
        data_of_folders(folder, "", MAX_DEPTH + 1, &mut generator.defaults);
    }
    generator
}

/// Eleventy's data of a folder, where it is JSON: `blog/blog.json`, `blog/blog.11tydata.json`.
fn data_of_folders(folder: &Path, below: &str, depth: usize, found: &mut Vec<Defaults>) {
    let name = below.rsplit('/').next().unwrap_or_default();
    for ending in [".json", ".11tydata.json"] {
        let Ok(Some(text)) = read(&folder.join(format!("{name}{ending}"))) else { continue };
        if let Ok(Yaml::Map(values)) = front_matter::parse_file(&text)
            && !name.is_empty()
        {
            found.push(Defaults { path: below.to_owned(), kind: String::new(), pattern: None, values });
        }
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok).filter(|entry| depth > 0 && is_walked(&entry.file_name())) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_folder(&entry) {
            let below = if below.is_empty() { name } else { format!("{below}/{name}") };
            data_of_folders(&entry.path(), &below, depth - 1, found);
        }
    }
}

/// A site without a configuration, by what its posts look like.
fn bare(wanted: Option<Dialect>, settings: &Settings, root: &Path, folder: PathBuf) -> Generator {
    let mut samples = Samples::default();
    for dir in &settings.dir {
        samples.content |= dir.components().any(|part| part.as_os_str() == "content");
        samples.gather(&root.join(dir), MAX_DEPTH + 3);
    }
    let (dialect, why) = wanted.map_or_else(|| samples.verdict(), |dialect| (dialect, "[posts] says so".to_owned()));
    let mut generator = Generator::new(dialect, Yaml::Map(Vec::new()));
    generator.why = why;
    if matches!(dialect, Dialect::Hugo | Dialect::Zola | Dialect::Pelican) && !samples.content {
        // Such a site reads `content` alone; where there is none, what the settings name is its content.
        generator.sources = settings.dir.iter().map(|dir| below_site(&root.join(dir), &folder)).collect();
    }
    placed(generator, &folder)
}

/// A folder's path below the site's; empty, which is all of it, where it lies elsewhere.
fn below_site(dir: &Path, site: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let below = whole(dir).strip_prefix(whole(site)).map(Path::to_path_buf).unwrap_or_default();
    below.to_string_lossy().into_owned()
}

/// Signs that were seen in some of the posts.
#[derive(Default)]
struct Samples {
    seen: usize,
    posts_folder: bool,
    /// They lie below a folder `content`.
    content: bool,
    section_index: bool,
    toml: usize,
    zola: bool,
    eleventy: bool,
    header: usize,
    hugo: bool,
    nunjucks: bool,
}

impl Samples {
    fn gather(&mut self, folder: &Path, depth: usize) {
        self.content |= folder.ends_with("content");
        self.posts_folder |= folder.ends_with("_posts") || folder.join("_posts").is_dir();
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).map(|entry| (entry.file_name(), entry)).collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, entry) in entries {
            let name = name.to_str().unwrap_or_default();
            let place = folder.join(name);
            if is_folder(&entry) {
                if depth > 0 && (is_walked(name.as_ref()) || name == "_posts") {
                    self.gather(&place, depth - 1);
                }
            } else if name.contains(".11tydata.") {
                self.eleventy = true;
            } else if name.ends_with(".md") || name.ends_with(".markdown") {
                if self.seen == MAX_SAMPLES {
                    continue;
                }
                self.seen += 1;
                if let Ok(Some(text)) = read(&place) {
                    self.look_at(name, &text);
                }
            }
        }
    }

    fn look_at(&mut self, name: &str, text: &str) {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if name.starts_with("_index.") {
            self.section_index = true;
            self.zola |= ["sort_by", "paginate_by", "page_template", "insert_anchor_links"]
                .iter()
                .any(|key| text.lines().any(|line| line.trim_start().starts_with(key)));
        }
        if text.starts_with("+++") {
            self.toml += 1;
            self.zola |= text.contains("\n[taxonomies]") || text.contains("\n[extra]") || text.contains("](@/");
        } else if !text.starts_with("---") && !text.starts_with('{') {
            let first = text.lines().next().unwrap_or_default().to_lowercase();
            self.header += usize::from(first.starts_with("title:") || first.starts_with("date:"));
        }
        self.hugo |=
            text.contains("{{<") || text.contains("{{%") || text.starts_with('{') && text.contains("\"title\"");
        self.eleventy |= text.contains("\neleventy");
        self.nunjucks |= text.contains("{% ");
    }

    fn verdict(&self) -> (Dialect, String) {
        let say = |dialect, why: &str| (dialect, why.to_owned());
        if self.posts_folder {
            say(Dialect::Jekyll, "there is a folder `_posts`")
        } else if self.zola {
            say(Dialect::Zola, "its front matter has Zola's keys or links begin with `@/`")
        } else if self.toml * 2 > self.seen || self.hugo && (self.toml > 0 || self.section_index || self.content) {
            say(Dialect::Hugo, "posts hold shortcodes, or front matter between `+++`")
        } else if self.eleventy {
            say(Dialect::Eleventy, "there is data for Eleventy")
        } else if self.header * 2 > self.seen {
            say(Dialect::Pelican, "posts begin with `Key: value` lines without `---`")
        } else if self.section_index {
            say(Dialect::Hugo, "there are sections, `_index.md`")
        } else if self.nunjucks {
            say(Dialect::Eleventy, "posts hold tags, `{% … %}`, and there is no folder `_posts`")
        } else {
            say(Dialect::Plain, "nothing tells of a generator")
        }
    }
}
