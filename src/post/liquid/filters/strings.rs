//! Texts.

use super::values::{escaped, inspected, json, shown};
use super::{Function, Use};
use crate::post::kramdown::{Before, set};
use crate::post::liquid::spend;
use crate::post::markdown;
use crate::post::permalink::{Mode, slugify};
use data_encoding::{BASE64, BASE64URL};
use liquid_core::model::{Value, ValueView};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("markdownify", |this| {
        let text = this.text();
        if spend(this.runtime, 16 * text.len()).is_err() {
            this.overgrown.set(true);
            return Value::Nil;
        }
        Value::scalar(markdown::to_html(&text, ""))
    }),
    ("smartify", |this| {
        let text = this.text();
        Value::scalar(set(&text, 0, text.len(), Before::Nothing))
    }),
    // Stylesheets mean nothing to a reader of a feed.
    ("sassify", |_| Value::scalar("")),
    ("scssify", |_| Value::scalar("")),
    ("slugify", slug),
    ("normalize_whitespace", |this| Value::scalar(this.text().split_whitespace().collect::<Vec<_>>().join(" "))),
    ("number_of_words", |this| Value::scalar(words(&this.text(), this.argument(0).as_deref()))),
    ("jsonify", |this| Value::scalar(json(this.shared, this.input))),
    ("inspect", |this| Value::scalar(escaped(&inspected(this.shared, this.input)))),
    ("replace_last", |this| Value::scalar(last_replaced(this, this.argument(1).unwrap_or_default()))),
    ("remove_last", |this| Value::scalar(last_replaced(this, String::new()))),
    ("base64_encode", |this| Value::scalar(BASE64.encode(this.text().as_bytes()))),
    ("base64_url_safe_encode", |this| Value::scalar(BASE64URL.encode(this.text().as_bytes()))),
    ("base64_decode", |this| plain(BASE64.decode(this.text().as_bytes()).ok())),
    ("base64_url_safe_decode", |this| plain(BASE64URL.decode(this.text().as_bytes()).ok())),
    ("append", |this| joined(this, &this.text(), &this.argument(0).unwrap_or_default())),
    ("prepend", |this| joined(this, &this.argument(0).unwrap_or_default(), &this.text())),
    ("replace", |this| {
        let (text, what) = (this.text(), this.argument(0).unwrap_or_default());
        let by = this.argument(1).unwrap_or_default();
        let size = text.len().saturating_add(text.matches(&what).count().saturating_mul(by.len()));
        if this.fits(size) { Value::scalar(text.replace(&what, &by)) } else { Value::Nil }
    }),
    ("join", |this| {
        let glue = this.argument(0).unwrap_or_else(|| " ".to_owned());
        let Some(items) = this.items() else { return Value::scalar(this.text()) };
        let items: Vec<String> = items.iter().map(|item| shown(this.shared, item)).collect();
        let size = items.iter().map(String::len).sum::<usize>().saturating_add(items.len().saturating_mul(glue.len()));
        if this.fits(size) { Value::scalar(items.join(&glue)) } else { Value::Nil }
    }),
    ("split", |this| {
        let text = this.text();
        let separator = this.argument(0).unwrap_or_default();
        let mut parts: Vec<&str> = match separator.as_str() {
            " " => text.split_whitespace().collect(),
            "" => text.split("").filter(|part| !part.is_empty()).collect(),
            separator => text.split(separator).collect(),
        };
        if !this.fits(parts.len().saturating_mul(16)) {
            return Value::Nil;
        }
        // Ruby's leaves out the empty ones at the end.
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        Value::Array(parts.into_iter().map(|part| Value::scalar(part.to_owned())).collect())
    }),
    ("default", |this| {
        let allows_false = this.keywords.iter().any(|(name, value)| name == "allow_false" && value.to_kstr() == "true");
        let is_false = this.input.type_name() == "boolean" && this.text() == "false";
        let is_empty = match (this.input.as_array(), this.input.as_object()) {
            (Some(list), _) => list.size() == 0,
            (_, Some(map)) => map.size() == 0,
            _ => this.input.is_nil() || this.text().is_empty(),
        };
        let stays = if is_false { allows_false } else { !is_empty };
        if stays { this.input.to_value() } else { this.arguments.first().cloned().unwrap_or_default() }
    }),
];

fn joined(this: &Use<'_>, first: &str, second: &str) -> Value {
    if this.fits(first.len() + second.len()) { Value::scalar(format!("{first}{second}")) } else { Value::Nil }
}

fn plain(bytes: Option<Vec<u8>>) -> Value {
    bytes.map_or(Value::Nil, |bytes| Value::scalar(String::from_utf8_lossy(&bytes).into_owned()))
}

fn last_replaced(this: &Use<'_>, by: String) -> String {
    let text = this.text();
    let what = this.argument(0).unwrap_or_default();
    match text.rfind(&what).filter(|_| !what.is_empty()) {
        Some(at) => format!("{}{by}{}", &text[..at], &text[at + what.len()..]),
        None => text,
    }
}

/// Jekyll's modes of making a slug.
fn slug(this: &Use<'_>) -> Value {
    let text = this.text();
    let lower = |text: &str| text.to_lowercase();
    Value::scalar(match this.argument(0).as_deref() {
        Some("none") => lower(&text),
        Some("raw") => lower(&text.split_whitespace().collect::<Vec<_>>().join("-")),
        Some("pretty") => slugify(&text, Mode::Pretty, false),
        Some("ascii") => lower(&hyphened(&text, |c| c.is_ascii_alphanumeric())),
        Some("latin") => slugify(&text.chars().map(unaccented).collect::<String>(), Mode::Default, false),
        _ => slugify(&text, Mode::Default, false),
    })
}

fn hyphened(text: &str, keeps: fn(char) -> bool) -> String {
    text.split(|c| !keeps(c)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A Latin letter without its accent.
fn unaccented(c: char) -> char {
    const PAIRS: &str = "ÀAÁAÂAÃAÄAÅAÇCÈEÉEÊEËEÌIÍIÎIÏIÑNÒOÓOÔOÕOÖOØOÙUÚUÛUÜUÝYàaáaâaãaäaåaçcèeéeêeëeìiíiîiïiñnòoóoôoõoöoøoùuúuûuüuýyÿyāaăaąaćcčcďdēeęeěeğgīiıiłlńnňnōoőořrśsşsšsťtūuůuűuźzżzžz";
    let mut pairs = PAIRS.chars();
    while let (Some(accented), Some(bare)) = (pairs.next(), pairs.next()) {
        if accented == c {
            return bare;
        }
    }
    c
}

fn words(text: &str, mode: Option<&str>) -> i64 {
    let is_cjk = |c: char| {
        matches!(c, '\u{2e80}'..='\u{2fdf}' | '\u{3005}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
    };
    let signs = text.chars().filter(|c| is_cjk(*c)).count();
    let count = match mode {
        Some("cjk") | Some("auto") if mode == Some("cjk") || signs > 0 => {
            signs + text.split(|c: char| c.is_whitespace() || is_cjk(c)).filter(|word| !word.is_empty()).count()
        }
        _ => text.split_whitespace().count(),
    };
    i64::try_from(count).unwrap_or(i64::MAX)
}
