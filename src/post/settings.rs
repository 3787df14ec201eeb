//! The `[posts]` table: where the posts are and how they are read.

use super::dialect::Dialect;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::path::PathBuf;

/// `[posts]` in the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folders that hold posts, at any depth; relative to the configuration file.
    #[serde(deserialize_with = "one_or_more")]
    pub dir: Vec<PathBuf>,
    /// Whose rules posts follow; `None`, written `auto`, is found out from what lies there.
    #[serde(deserialize_with = "dialect")]
    pub dialect: Option<Dialect>,
    /// The folder of the generator's own configuration; default: the nearest from `dir` upwards.
    pub site: Option<PathBuf>,
    /// How a post's URL is made; default: the generator's own.
    pub permalink: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { dir: vec!["posts".into()], dialect: None, site: None, permalink: None }
    }
}

/// `auto`, or a dialect by name.
fn dialect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dialect>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name == "auto" {
        return Ok(None);
    }
    let known = Dialect::ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, dialect)| Some(*dialect)).ok_or_else(|| {
        let names: Vec<String> = Dialect::ALL.iter().map(|(name, _)| format!("`{name}`")).collect();
        de::Error::custom(format!("there is no dialect `{name}`; write `auto`, {}", names.join(", ")))
    })
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
        assert_eq!(settings.dialect, Some(Dialect::Jekyll));
        let settings: Settings = toml::from_str("dir = 'a'").expect("valid");
        assert_eq!(settings, Settings { dir: vec!["a".into()], ..Settings::default() });
        assert_eq!(toml::from_str::<Settings>("dialect = 'auto'").expect("valid").dialect, None);
        let error = toml::from_str::<Settings>("dialect = 'gatsby'").expect_err("not known").to_string();
        assert!(error.contains("write `auto`, `jekyll`, `hugo`"), "{error}");
        assert!(toml::from_str::<Settings>("directory = 'a'").is_err());
        assert!(toml::from_str::<Settings>("dir = []").is_err());
    }
}
