//! What the big mail programs lack of HTML and CSS: the table `clients.tsv`, and what of a mail stands in it.

use super::css::{self, Said};
use super::page::Page;
use crate::check::Severity;
use std::sync::LazyLock;

const TABLE: &str = include_str!("clients.tsv");

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    kind: &'static str,
    what: &'static str,
    breaks: bool,
    name: &'static str,
    lacking: &'static str,
    effect: &'static str,
    help: &'static str,
}

static FEATURES: LazyLock<Vec<Feature>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut cells = line.split('\t');
            let mut cell = || cells.next().expect("seven cells");
            let (kind, what, weight, name) = (cell(), cell(), cell(), cell());
            Feature { kind, what, breaks: weight == "breaks", name, lacking: cell(), effect: cell(), help: cell() }
        })
        .collect()
});

/// A feature that a mail uses.
pub(super) struct Met {
    /// The feature.
    pub(super) feature: &'static Feature,
    /// As the mail has it.
    pub(super) shown: String,
    /// By which its place is found in a template: these, one after another, with nothing but blanks between them.
    pub(super) parts: Vec<String>,
}

impl Feature {
    /// Something that only the oldest of these programs lacks is worth no more than a note.
    pub(super) fn severity(&self) -> Severity {
        if self.breaks && self.lacking != "Outlook on Windows" { Severity::Warning } else { Severity::Note }
    }

    /// A sentence.
    pub(super) fn message(&self) -> String {
        let called = match self.kind {
            "element" => format!("The element <{}>", self.what),
            "attribute" => format!("The attribute `{}`", self.what),
            "function" => format!("`{}()`", self.what),
            "unit" => format!("The unit `{}`", self.what),
            "at-rule" => format!("`@{}`", self.what),
            "selector" if self.what == "&" => "A rule inside a rule".to_owned(),
            "image" => format!("A picture that is {}", kind_of_picture(self.what)),
            "link" => "A link to a place in the mail itself".to_owned(),
            _ => format!("`{}`", self.what.trim_end_matches('(')),
        };
        let programs = match self.lacking.rsplit_once(", ") {
            Some((others, last)) => format!("{others} and {last}"),
            None => self.lacking.to_owned(),
        };
        format!("{called} is not known to {programs}: {}", self.effect)
    }

    /// What to do.
    pub(super) fn help(&self) -> &'static str {
        self.help
    }

    /// Where it was measured.
    pub(super) fn url(&self) -> String {
        format!("https://www.caniemail.com/features/{}/", self.name)
    }
}

fn kind_of_picture(what: &str) -> String {
    match what {
        "data:" => "part of the mail's HTML (`data:`)".to_owned(),
        "webp" => "WebP".to_owned(),
        what => what.to_uppercase(),
    }
}

/// The row of a kind of picture (`svg`, `webp`, `data:`) or of links (`#`).
pub(super) fn feature(kind: &str, what: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.kind == kind && feature.what == what)
}

/// What of a mail is in the table, each feature once, in the order of the table; pictures and links are others' business.
pub(super) fn met(page: &Page) -> Vec<Met> {
    let mut met: Vec<(usize, Met)> = Vec::new();
    let mut meet = |feature: &'static Feature, shown: String, parts: Vec<String>| {
        let row = FEATURES.iter().position(|row| std::ptr::eq(row, feature)).unwrap_or(usize::MAX);
        if !met.iter().any(|(known, _)| *known == row) {
            met.push((row, Met { feature, shown, parts }));
        }
    };
    for element in &page.elements {
        if let Some(found) =
            feature("element", &element.name).filter(|_| element.name != "link" || loads_styles(element.get("rel")))
        {
            meet(found, element.shown(), vec![format!("<{}", element.name)]);
        }
        for (key, _) in &element.attributes {
            if let Some(found) = feature("attribute", key) {
                meet(found, element.shown(), vec![format!(" {key}")]);
            }
        }
        for said in element.get("style").map(css::declarations).unwrap_or_default() {
            of_style(&said, &mut meet);
        }
    }
    page.sheets.iter().for_each(|said| of_style(said, &mut meet));
    met.sort_by_key(|(row, _)| *row);
    met.into_iter().map(|(_, met)| met).collect()
}

fn loads_styles(rel: Option<&str>) -> bool {
    rel.is_some_and(|rel| rel.eq_ignore_ascii_case("stylesheet"))
}

fn of_style(said: &Said, meet: &mut impl FnMut(&'static Feature, String, Vec<String>)) {
    let all = |kind: &'static str| FEATURES.iter().filter(move |feature| feature.kind == kind);
    match said {
        Said::Declaration(property, value) => {
            let shown = format!("{property}: {value}");
            let parts = || vec![property.clone(), ":".to_owned()];
            // `margin-inline-start` has a row of its own beside `margin-inline`.
            let longest = all("property").filter(|row| is_of(property, row.what)).max_by_key(|row| row.what.len());
            if let Some(found) = longest.filter(|_| has_effect(property, value)) {
                meet(found, shown.clone(), parts());
            }
            for found in all("value") {
                let wanted = found.what.split_once(": ").is_some_and(|(of, what)| property == of && names(value, what));
                if wanted {
                    let value = value.split_whitespace().next().unwrap_or_default();
                    meet(found, shown.clone(), vec![property.clone(), ":".to_owned(), value.to_owned()]);
                }
            }
            for found in all("function").filter(|row| calls(value, row.what)) {
                meet(found, shown.clone(), vec![format!("{}(", found.what)]);
            }
            for found in all("unit") {
                if let Some(length) = measured_in(value, found.what) {
                    meet(found, shown.clone(), vec![length]);
                }
            }
        }
        Said::At(name, prelude) => {
            for found in all("at-rule").filter(|row| row.what == name) {
                meet(found, format!("@{name} {prelude}").trim_end().to_owned(), vec![format!("@{name}")]);
            }
            for found in all("media").filter(|row| name == "media" && prelude.contains(row.what)) {
                meet(found, format!("@media {prelude}"), vec![found.what.to_owned()]);
            }
        }
        Said::Selector(selector) => {
            for found in all("selector").filter(|row| selector.contains(row.what)) {
                let part = if found.what == "&" { selector.trim_start_matches("& ") } else { found.what };
                meet(found, selector.clone(), vec![part.to_owned()]);
            }
        }
    }
}

/// `grid-template-columns` is of `grid-template`.
fn is_of(property: &str, what: &str) -> bool {
    property == what
        || (what == "gap" && property.ends_with("-gap"))
        || property.strip_prefix(what).is_some_and(|rest| rest.starts_with('-'))
}

/// Whether a value does anything at all.
fn has_effect(property: &str, value: &str) -> bool {
    let value = value.trim_end_matches("!important").trim();
    let usual = ["none", "static", "visible", "normal", "auto", "initial", "inherit", "unset", "0", "0px"];
    let opaque = property == "opacity" && value == "1";
    !usual.contains(&value) && !opaque
}

/// `flex` and `inline-flex`, not `flexible`.
fn names(value: &str, what: &str) -> bool {
    value.split_whitespace().any(|word| word == what || word.strip_prefix("inline-") == Some(what))
}

/// Whether a function of that name is called.
fn calls(value: &str, name: &str) -> bool {
    let begins = |at: usize| !value[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    value.match_indices(name).any(|(at, _)| value[at + name.len()..].starts_with('(') && begins(at))
}

/// The first length in that unit, outside of addresses.
fn measured_in(value: &str, unit: &str) -> Option<String> {
    let words = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '/'));
    let number =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let mut lengths = words.filter(|word| word.strip_suffix(unit).is_some_and(number));
    lengths.next().filter(|_| !value.contains("url(")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::page;
    use super::*;

    fn met_in(html: &str) -> Vec<String> {
        met(&page::read(html)).into_iter().map(|met| format!("{}|{}", met.feature.name, met.parts.join(""))).collect()
    }

    #[test]
    fn the_table_is_whole() {
        for feature in FEATURES.iter() {
            assert!(!feature.lacking.is_empty() && !feature.help.is_empty(), "{feature:?}");
            assert!(!feature.help.ends_with('.') && !feature.effect.ends_with('.'), "{feature:?}");
        }
        let weights = TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').nth(2));
        assert!(weights.into_iter().all(|weight| matches!(weight, Some("breaks" | "weakens"))));
        assert!(FEATURES.len() > 100);
    }

    #[test]
    fn features_are_met_once_and_by_their_own_name() {
        let html = "<p style='display:inline-flex; margin-inline-start: 1REM; width: calc(100% - 2vw); position:static'>\
                    <a style='border-radius: 0; display: flex; opacity: 1; color: rgba(0,0,0,.5)' hidden>\
                    <link rel=icon href=x><style>.a:hover::before { content: '' } @media (prefers-color-scheme: dark) { p { min-width: min(1px, 2px) } }</style>";
        assert_eq!(
            met_in(html),
            [
                "html-hidden| hidden",
                "css-display-flex|display:inline-flex",
                "css-unit-calc|calc(",
                "css-function-min|min(",
                "css-rgba|rgba(",
                "css-unit-rem|1rem",
                "css-unit-vw|2vw",
                "css-min-width|min-width:",
                "css-margin-inline-start-end|margin-inline-start:",
                "css-at-media-prefers-color-scheme|prefers-color-scheme",
                "css-pseudo-class-hover|:hover",
                "css-pseudo-element-before|:before",
            ]
        );
        assert_eq!(met_in("<p style='background: url(a-2vw.png); color: #123; margin: 0 auto'>"), [""; 0]);
    }
}
