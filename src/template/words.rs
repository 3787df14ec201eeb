//! The words of the templates in the reader's language, from files that anyone can add to: `templates/strings/<language>.toml`.

use super::plural;
use chrono::{DateTime, Datelike, FixedOffset};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Every embedded file of words: its name and source.
pub const EMBEDDED: [(&str, &str); 9] = [
    ("strings/ar.toml", include_str!("../../templates/strings/ar.toml")),
    ("strings/de.toml", include_str!("../../templates/strings/de.toml")),
    ("strings/en.toml", include_str!("../../templates/strings/en.toml")),
    ("strings/es.toml", include_str!("../../templates/strings/es.toml")),
    ("strings/fr.toml", include_str!("../../templates/strings/fr.toml")),
    ("strings/he.toml", include_str!("../../templates/strings/he.toml")),
    ("strings/ja.toml", include_str!("../../templates/strings/ja.toml")),
    ("strings/pt.toml", include_str!("../../templates/strings/pt.toml")),
    ("strings/zh.toml", include_str!("../../templates/strings/zh.toml")),
];

/// What speaks where nothing else does.
const LAST_RESORT: &str = "en";

/// A file of words.
#[derive(Clone, Debug, Deserialize)]
struct Language {
    #[serde(default)]
    date: Option<Date>,
    #[serde(flatten)]
    phrases: BTreeMap<String, Phrase>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Date {
    /// With `{day}`, `{month}`, `{number}` (of the month) and `{year}`.
    format: String,
    /// How the first of a month is written, where it is not `1`.
    first: Option<String>,
    /// In the form that stands in a date.
    months: [String; 12],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Phrase {
    Plain(String),
    Plural(BTreeMap<String, String>),
}

/// All files of words.
#[derive(Clone, Debug)]
pub struct Words(BTreeMap<String, Language>);

/// What is wrong with a file of words: its line, if one is to blame, and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl Words {
    /// The embedded ones.
    pub fn embedded() -> Self {
        let mut words = Words(BTreeMap::new());
        for (name, source) in EMBEDDED {
            words.add(name, source).expect("the embedded words are sound");
        }
        words
    }

    /// Adds a file by name and source. What it says goes before what was there of its language; the rest stays.
    pub fn add(&mut self, name: &str, source: &str) -> Result<(), Fault> {
        let tag = name.trim_start_matches("strings/").trim_end_matches(".toml").to_ascii_lowercase().replace('_', "-");
        let language: Language = toml::from_str(source).map_err(|e| Fault {
            line: e.span().map(|span| source[..span.start.min(source.len())].matches('\n').count() + 1),
            what: e.message().to_owned(),
        })?;
        for (key, phrase) in &language.phrases {
            let line = source.lines().position(|line| line.trim_start_matches('[').starts_with(key.as_str()));
            let fault = |what: String| Fault { line: line.map(|at| at + 1), what };
            let wanted = plural::categories(&tag);
            if let Phrase::Plural(forms) = phrase {
                if let Some(form) = forms.keys().find(|form| !wanted.contains(&form.as_str())) {
                    let what =
                        format!("`{key}` has a form `{form}`, which {tag} does not use; it uses {}", wanted.join(", "));
                    return Err(fault(what));
                }
                if let Some(form) = wanted.iter().find(|form| !forms.contains_key(**form)) {
                    return Err(fault(format!("`{key}` lacks the form `{form}`; {tag} uses {}", wanted.join(", "))));
                }
            }
        }
        match self.0.get_mut(&tag) {
            Some(known) => {
                known.date = language.date.or(known.date.take());
                known.phrases.extend(language.phrases);
            }
            None => drop(self.0.insert(tag, language)),
        }
        Ok(())
    }

    /// What speaks for a language, by its tag: `de` for `de-AT`. `None` where there are no words of it.
    pub fn file(&self, language: &str) -> Option<&str> {
        self.files(language).next().map(|(tag, _)| tag.as_str())
    }

    /// The language in which a reader of `language` is spoken to: its own where there are words of it, else English.
    pub fn spoken<'a>(&self, language: &'a str) -> &'a str {
        match self.files(language).next() {
            Some(_) => language,
            None => LAST_RESORT,
        }
    }

    /// A phrase with `{name}` filled in; `n` chooses the form. `None` where no language has it.
    pub fn phrase(&self, language: &str, key: &str, values: &[(String, String)]) -> Option<String> {
        let number = values.iter().find(|(name, _)| name == "n").and_then(|(_, n)| n.parse::<u64>().ok());
        let in_english = self.0.get_key_value(LAST_RESORT);
        let (tag, phrase) = self
            .files(language)
            .chain(in_english)
            .find_map(|(tag, words)| words.phrases.get(key).map(|phrase| (tag, phrase)))?;
        let template = match phrase {
            Phrase::Plain(phrase) => phrase,
            // Where the file speaks for a region too, the region's own rule holds.
            Phrase::Plural(forms) => {
                let rule = if language.to_ascii_lowercase().starts_with(tag.as_str()) { language } else { tag };
                let form = plural::category(rule, number.unwrap_or(0));
                forms.get(form).or_else(|| forms.get("other"))?
            }
        };
        Some(filled(template, values))
    }

    /// A day as it is written in that language, by `format` or as its words say.
    pub fn date(&self, language: &str, date: &DateTime<FixedOffset>, format: Option<&str>) -> String {
        let dates = self.files(language).chain(self.0.get_key_value(LAST_RESORT));
        let Some(words) = dates.into_iter().find_map(|(_, words)| words.date.as_ref()) else {
            return date.format("%Y-%m-%d").to_string();
        };
        let day = words.first.clone().filter(|_| date.day() == 1).unwrap_or_else(|| date.day().to_string());
        let values = [
            ("day", day),
            ("month", words.months[date.month0() as usize].clone()),
            ("number", date.month().to_string()),
            ("year", date.year().to_string()),
        ];
        filled(format.unwrap_or(&words.format), &values.map(|(name, value)| (name.to_owned(), value)))
    }

    /// The languages there are words of, each with its own name for itself.
    pub fn languages(&self) -> Vec<(&str, String)> {
        self.0.keys().map(|tag| (tag.as_str(), self.phrase(tag, "language_name", &[]).unwrap_or_default())).collect()
    }

    /// The keys of the phrases.
    pub fn keys(&self) -> Vec<&str> {
        self.0.get(LAST_RESORT).map(|words| words.phrases.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// What speaks for a language, the most particular first: `pt-BR` by `pt-br`, then `pt`.
    fn files(&self, language: &str) -> impl Iterator<Item = (&String, &Language)> {
        let whole = language.to_ascii_lowercase().replace('_', "-");
        let cuts: Vec<usize> = whole.match_indices('-').map(|(at, _)| at).chain([whole.len()]).collect();
        cuts.into_iter().rev().filter_map(move |end| self.0.get_key_value(&whole[..end]))
    }
}

/// Fills `{name}` in, once: a value that holds braces stays as it is.
fn filled(template: &str, values: &[(String, String)]) -> String {
    let mut out = String::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let hole = rest.find('}').and_then(|end| {
            let (_, value) = values.iter().find(|(name, _)| *name == rest[1..end])?;
            Some((value, end + 1))
        });
        let (said, length) = hole.map_or(("{", 1), |(value, length)| (value.as_str(), length));
        out.push_str(said);
        rest = &rest[length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(n: u64) -> Vec<(String, String)> {
        vec![("n".to_owned(), n.to_string())]
    }

    #[test]
    fn every_language_says_everything() {
        let words = Words::embedded();
        for (tag, language) in &words.0 {
            let keys: Vec<&str> = language.phrases.keys().map(String::as_str).collect();
            assert_eq!(keys, words.keys(), "{tag}");
            assert!(language.date.is_some(), "{tag}");
            for (key, phrase) in &language.phrases {
                let english = format!("{:?}", words.0["en"].phrases[key]);
                // A form for one or two may say the number in words.
                let other = match phrase {
                    Phrase::Plain(phrase) => phrase,
                    Phrase::Plural(forms) => &forms["other"],
                };
                for hole in ["{n}", "{site}", "{digest}", "{titles}", "{address}", "{date}"] {
                    assert_eq!(other.contains(hole), english.contains(hole), "{tag}: {key}: {hole}");
                }
            }
        }
    }

    #[test]
    fn a_region_speaks_its_language_and_a_stranger_english() {
        let words = Words::embedded();
        assert_eq!((words.spoken("de-AT"), words.spoken("PT_br"), words.spoken("tlh")), ("de-AT", "PT_br", "en"));
        assert_eq!(words.phrase("de-AT", "unsubscribe", &[]).as_deref(), Some("Abbestellen"));
        assert_eq!(words.phrase("tlh", "unsubscribe", &[]).as_deref(), Some("Unsubscribe"));
        assert_eq!(words.phrase("de", "unheard_of", &[]), None);
        assert_eq!(words.phrase("ar", "reading_time", &n(2)).as_deref(), Some("دقيقتان"));
        assert_eq!(words.phrase("ar", "reading_time", &n(3)).as_deref(), Some("3 دقائق"));
        assert_eq!(words.phrase("fr", "reading_time", &n(0)).as_deref(), Some("0 minute"));
    }

    #[test]
    fn a_file_of_ones_own_goes_before_and_leaves_the_rest() {
        let mut words = Words::embedded();
        words.add("strings/de-AT.toml", "read_on = 'Weiter, bittschön'").unwrap();
        assert_eq!(words.phrase("de-AT", "read_on", &[]).as_deref(), Some("Weiter, bittschön"));
        assert_eq!(words.phrase("de-AT", "unsubscribe", &[]).as_deref(), Some("Abbestellen"));
        assert_eq!(words.phrase("de", "read_on", &[]).as_deref(), Some("Weiterlesen"));
        words.add("strings/fi.toml", "unsubscribe = 'Peruuta'").unwrap();
        assert_eq!(words.phrase("fi", "unsubscribe", &[]).as_deref(), Some("Peruuta"));
        assert_eq!(words.phrase("fi", "read_on", &[]).as_deref(), Some("Read on"));
    }

    #[test]
    fn what_is_wrong_with_a_file_has_a_line() {
        let mut words = Words::embedded();
        let fault = words.add("strings/ar.toml", "a = 'x'\n[reading_time]\nother = '{n}'").unwrap_err();
        assert_eq!(fault.line, Some(2));
        assert_eq!(fault.what, "`reading_time` lacks the form `zero`; ar uses zero, one, two, few, many, other");
        let fault = words.add("strings/de.toml", "[reading_time]\none = 'x'\nfew = 'x'\nother = 'x'").unwrap_err();
        assert!(fault.what.contains("a form `few`, which de does not use"), "{}", fault.what);
        assert_eq!(words.add("strings/de.toml", "a = 'x'\nb = ").unwrap_err().line, Some(2));
    }

    #[test]
    fn days_are_written_as_people_write_them() {
        let words = Words::embedded();
        let day: DateTime<FixedOffset> = "2026-11-01T09:00:00+01:00".parse().unwrap();
        for (language, expected) in [
            ("en", "1 November 2026"),
            ("de", "1. November 2026"),
            ("fr-CA", "1er novembre 2026"),
            ("es", "1 de noviembre de 2026"),
            ("ja", "2026年11月1日"),
            ("ar", "1 نوفمبر 2026"),
            ("he", "1 בנובמבר 2026"),
            ("fi", "1 November 2026"),
        ] {
            assert_eq!(words.date(language, &day, None), expected);
        }
        assert_eq!(words.date("de", &day, Some("{day}.{number}.")), "1.11.");
    }

    #[test]
    fn values_are_put_in_once() {
        let values = [("a".to_owned(), "{b}".to_owned()), ("b".to_owned(), "x".to_owned())];
        assert_eq!(filled("{a} {b} {c} {", &values), "{b} x {c} {");
    }
}
