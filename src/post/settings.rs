//! The `[posts]` table: where the posts are and how they are read.

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// `[posts]` in the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folders that hold posts, at any depth; relative to the configuration file.
    #[serde(deserialize_with = "one_or_more")]
    pub dir: Vec<PathBuf>,
    /// How front matter, paths and tags are read.
    pub dialect: Dialect,
    /// The folder of the generator's own configuration; default: the nearest from `dir` upwards.
    pub site: Option<PathBuf>,
    /// How a post's URL is made; default: the generator's own.
    pub permalink: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { dir: vec!["posts".into()], dialect: Dialect::Auto, site: None, permalink: None }
    }
}

/// Whose rules posts follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Found out from names and folders.
    #[default]
    Auto,
    /// Jekyll's: dates in file names, Liquid in bodies.
    Jekyll,
    /// Markdown files with a date in the front matter.
    Plain,
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "auto" => Ok(Dialect::Auto),
            "jekyll" => Ok(Dialect::Jekyll),
            "plain" => Ok(Dialect::Plain),
            "hugo" | "zola" | "eleventy" | "pelican" | "hexo" => Err(de::Error::custom(format!(
                "the dialect `{name}` is not read yet; `plain` reads Markdown files with a YAML front matter that says `date`"
            ))),
            _ => Err(de::Error::custom(format!("there is no dialect `{name}`; write `auto`, `jekyll` or `plain`"))),
        }
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    struct Paths;
    impl<'de> Visitor<'de> for Paths {
        type Value = Vec<PathBuf>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a folder or a list of folders")
        }

        fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
            Ok(vec![value.into()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut paths = Vec::new();
            while let Some(path) = seq.next_element::<String>()? {
                paths.push(path.into());
            }
            if paths.is_empty() { Err(de::Error::custom("name at least one folder")) } else { Ok(paths) }
        }
    }
    deserializer.deserialize_any(Paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let settings: Settings = toml::from_str("dir = ['a', 'b']\ndialect = 'jekyll'").expect("valid");
        assert_eq!(settings.dir, [PathBuf::from("a"), "b".into()]);
        assert_eq!(settings.dialect, Dialect::Jekyll);
        let settings: Settings = toml::from_str("dir = 'a'").expect("valid");
        assert_eq!(settings, Settings { dir: vec!["a".into()], ..Settings::default() });
        let error = toml::from_str::<Settings>("dialect = 'hugo'").expect_err("not yet").to_string();
        assert!(error.contains("not read yet"), "{error}");
        assert!(toml::from_str::<Settings>("directory = 'a'").is_err());
        assert!(toml::from_str::<Settings>("dir = []").is_err());
    }
}
