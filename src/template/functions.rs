//! What a template can call: words in the reader's language, dates, beginnings, addresses, reading times.

use super::text;
use super::words::Words;
use crate::html;
use chrono::{DateTime, FixedOffset};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use std::sync::Arc;
use url::Url;

/// Words a minute: what most people read of prose.
const WORDS: usize = 220;
/// Characters a minute, where words are not parted by spaces.
const CHARACTERS: usize = 450;

/// What rendering with these depends on.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) words: Arc<Words>,
    /// The reader's language.
    pub(super) language: String,
    /// Where relative addresses start from.
    pub(super) site: Option<Url>,
}

/// Adds the filters and functions, for readers of one language.
pub(super) fn install(environment: &mut Environment<'static>, voice: &Voice) {
    environment.add_filter("wrap", |text: &str| text::wrap(text, text::COLUMNS));
    environment.add_filter("excerpt", excerpt);
    let said = voice.clone();
    environment.add_function("t", move |key: &str, values: Kwargs| phrase(&said, key, &values));
    let said = voice.clone();
    environment.add_function("spoken", move |around: Option<&str>| foreign(&said, around));
    let said = voice.clone();
    environment.add_function("arrow", move || match text::direction(said.words.spoken(&said.language)) {
        "rtl" => "←",
        _ => "→",
    });
    let said = voice.clone();
    environment.add_filter("date", move |date: &str, language: Option<&str>, more: Kwargs| -> Result<String, Error> {
        let parsed: Result<DateTime<FixedOffset>, _> = date.parse();
        let parsed = parsed.map_err(|_| {
            let what = format!("{date:?} is no moment; `date` takes `post.published` or `edition.published`");
            Error::new(ErrorKind::InvalidOperation, what)
        })?;
        let format: Option<String> = more.get("format")?;
        more.assert_all_used()?;
        Ok(said.words.date(language.unwrap_or(&said.language), &parsed, format.as_deref()))
    });
    let said = voice.clone();
    environment.add_filter("absolute", move |address: &str| match &said.site {
        Some(site) => site.join(address).map_or_else(|_| address.to_owned(), String::from),
        None => address.to_owned(),
    });
    let said = voice.clone();
    environment.add_filter("reading_time", move |value: &Value| {
        let minutes = match (value.as_usize(), value.as_str()) {
            (Some(minutes), _) => minutes,
            (None, text) => minutes(text.unwrap_or_default()),
        };
        let values = [("n".to_owned(), minutes.to_string())];
        said.words.phrase(&said.language, "reading_time", &values).unwrap_or_default()
    });
}

/// How many minutes a text takes to read, at least one.
pub fn minutes(text: &str) -> usize {
    // Scripts without spaces between words, from CJK's radicals to its compatibility forms.
    let is_dense =
        |c: &char| matches!(u32::from(*c), 0x2E80..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF);
    let dense = text.chars().filter(is_dense).count();
    let words = text.split(|c: char| c.is_whitespace() || is_dense(&c)).filter(|word| !word.is_empty()).count();
    ((words * CHARACTERS + dense * WORDS).div_ceil(WORDS * CHARACTERS)).max(1)
}

/// The first words: of markup (`post.html|safe|excerpt(200)`) its text.
fn excerpt(value: &Value, characters: usize) -> String {
    let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let plain = match value.is_safe() {
        true => {
            let nowhere = Url::parse("https://localhost/").expect("a URL");
            html::clean(&said, &nowhere).to_words()
        }
        false => said,
    };
    text::one_line(&plain, characters.max(1))
}

/// A phrase with its values. Where one is markup, the phrase becomes markup, and all else is escaped.
fn phrase(voice: &Voice, key: &str, values: &Kwargs) -> Result<Value, Error> {
    let mut given = Vec::new();
    let mut markup = false;
    for name in values.args() {
        let value: Value = values.get(name)?;
        markup |= value.is_safe();
        given.push((name.to_owned(), value));
    }
    // Markers that no text holds keep values apart from the phrase, which is escaped around them.
    let marked: Vec<(String, String)> = given
        .iter()
        .enumerate()
        .map(|(at, (name, value))| match markup {
            true if name != "n" => (name.clone(), format!("\u{1}{at}\u{1}")),
            _ => (name.clone(), value.to_string()),
        })
        .collect();
    let Some(said) = voice.words.phrase(&voice.language, key, &marked) else {
        let what =
            format!("there is no phrase {key:?}; `postrider templates show strings/en.toml` shows all there are");
        return Err(Error::new(ErrorKind::UndefinedError, what));
    };
    if !markup {
        return Ok(Value::from(said));
    }
    let mut out = html::escape(&said);
    for (at, (_, value)) in given.iter().enumerate() {
        let value = if value.is_safe() { value.to_string() } else { html::escape(&value.to_string()) };
        out = out.replace(&format!("\u{1}{at}\u{1}"), &value);
    }
    Ok(Value::from_safe_string(out))
}

/// Attributes for an element that holds our words, where those around it are in another language; without one, in the reader's.
fn foreign(voice: &Voice, around: Option<&str>) -> Value {
    let spoken = voice.words.spoken(&voice.language);
    Value::from_safe_string(match around.unwrap_or(&voice.language) {
        around if around == spoken => String::new(),
        _ => format!(" lang=\"{spoken}\" dir=\"{}\"", text::direction(spoken)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(name: &str, source: &str, language: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        let site = Url::parse("https://example.org/blog/").ok();
        let voice = Voice { words: Arc::new(Words::embedded()), language: language.to_owned(), site };
        install(&mut environment, &voice);
        environment.render_named_str(name, source, ()).map_err(|e| e.to_string())
    }

    #[test]
    fn each_says_what_it_should() {
        for (language, source, expected) in [
            ("de", "{{ '2026-11-22T18:30:00-06:00'|date }}", "22. November 2026"),
            ("de", "{{ '2026-11-22T18:30:00-06:00'|date('fr') }}", "22 novembre 2026"),
            ("de", "{{ '2026-11-22T18:30:00-06:00'|date(format='{day}.{number}.') }}", "22.11."),
            ("en", "{{ 'One two three four five'|excerpt(12) }}", "One two…"),
            ("en", "{{ '<p>One <b>two</b> three four</p>'|safe|excerpt(12) }}", "One two…"),
            ("en", "{{ 'a <b> c'|excerpt(12) }}", "a &lt;b&gt; c"),
            ("en", "{{ '/a'|absolute }} {{ 'b'|absolute }}", "https://example.org/a https://example.org/blog/b"),
            ("en", "{{ 'a word'|reading_time }}, {{ 3|reading_time }}", "1 minute, 3 minutes"),
            ("ar", "{{ t('more_on_site', n=2) }}", "مقالتان أخريان على الموقع"),
            (
                "en",
                "{{ t('because', site='<b>', digest='d') }}",
                "You get this mail because you subscribed to &lt;b&gt; (d).",
            ),
            (
                "en",
                "{{ t('because', site='<b>'|safe, digest='&') }}",
                "You get this mail because you subscribed to <b> (&amp;).",
            ),
            ("fi", "<p{{ spoken() }}>", "<p lang=\"en\" dir=\"ltr\">"),
            ("de", "<p{{ spoken() }}>", "<p>"),
            ("he", "<p{{ spoken('en') }}>{{ arrow() }}", "<p lang=\"he\" dir=\"rtl\">←"),
        ] {
            let rendered = render("x.html.j2", source, language).map(|said| said.replace("&#x2f;", "/"));
            assert_eq!(rendered.as_deref(), Ok(expected), "{source}");
        }
        assert!(render("x.txt.j2", "{{ t('nothing') }}", "de").unwrap_err().contains("shows all there are"));
        assert!(render("x.txt.j2", "{{ 'today'|date }}", "de").unwrap_err().contains("is no moment"));
    }

    #[test]
    fn reading_takes_time_in_every_script() {
        assert_eq!((minutes(""), minutes("word"), minutes(&"word ".repeat(660))), (1, 1, 3));
        assert_eq!(minutes(&"漢".repeat(900)), 2);
    }
}
