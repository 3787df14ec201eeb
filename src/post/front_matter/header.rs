//! `Key: value` lines above a post, as Pelican has them: the meta-data of Python-Markdown.

use super::{Kind, Parts, Yaml, newlines, set};

/// The key and the value of a line that has both.
pub(super) fn key(line: &str) -> Option<(&str, &str)> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let (key, value) = line.trim_start_matches(' ').split_once(':')?;
    let sound = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    // `https://…` is a first line of text, not a key.
    (indent < 4 && sound && !value.starts_with("//")).then(|| (key, value.trim()))
}

/// The lines up to the first blank one; `None` where the first is no key.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let more = end > 0 && (line.starts_with("    ") || line.starts_with('\t'));
        if line.trim().is_empty() || key(line).is_none() && !more {
            break;
        }
        end += line.len();
    }
    if end == 0 {
        return None;
    }
    let (front_matter, body) = text.split_at(end);
    Some(Parts { before: 0, front_matter, through: newlines(front_matter), body })
}

/// Keys in lower case. What is indented by four blanks goes on with the value above: several lines are a list.
pub(super) fn read(text: &str) -> Yaml {
    let mut entries: Vec<(String, Yaml)> = Vec::new();
    let scalar = |text: &str| Yaml::Scalar(text.to_owned(), Kind::Text);
    for line in text.lines() {
        match (key(line), entries.last_mut()) {
            (Some((key, value)), _) => set(&mut entries, key.to_lowercase(), scalar(value)),
            (None, Some((_, value))) => {
                let more = scalar(line.trim());
                match value {
                    Yaml::List(items) => items.push(more),
                    first => *first = Yaml::List(vec![first.clone(), more]),
                }
            }
            (None, None) => {}
        }
    }
    Yaml::Map(entries)
}
