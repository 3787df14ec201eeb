//! What the program does with the text of a post, part by part: for mutated corpora here, and for the targets of `fuzz/`.
#![allow(dead_code, reason = "each target uses one of them")]

use postrider::html;
use postrider::post::date::{self, Naive};
use postrider::post::front_matter::{self, Fences, Yaml};
use postrider::post::kramdown::Flavour;
use postrider::post::liquid::{Engine, Facts, to_value};
use postrider::post::shortcode::{self, Syntax};
use postrider::post::{dialect, excerpt, markdown};
use std::collections::{BTreeMap, HashMap};
use url::Url;

/// Any fences, any format, and lines that lie in the file.
pub(crate) fn front_matter(text: &str) {
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX).saturating_add(2);
    for fences in [Fences::Jekyll, Fences::Any, Fences::Hexo, Fences::Header] {
        let source = front_matter::split(text, fences);
        assert!(source.line <= lines && source.body_line <= lines, "{source:?}");
        assert!(text.ends_with(source.body));
        match front_matter::parse(&source) {
            Ok(front) => {
                assert!(matches!(front, Yaml::Map(_)));
                let _ = front_matter::line_of(&source, "date");
            }
            Err(error) => assert!(error.line <= lines && !error.message.is_empty(), "{error:?}"),
        }
        let _ = front_matter::meant(source.body);
    }
}

/// Each line as a date.
pub(crate) fn date(text: &str) {
    let zone = "America/New_York".parse().expect("a zone");
    for line in text.lines().map(|line| line.split_once(": ").map_or(line, |(_, value)| value)) {
        for naive in [Naive::Utc, Naive::Site] {
            let _ = (date::parse(line, zone, naive), date::parse_keeping(line, zone, naive));
        }
        let _ = date::of_file_name(line, zone);
    }
}

/// As the body of a post of Jekyll and of Eleventy.
pub(crate) fn liquid(text: &str) {
    let target = url();
    let front = to_value(&Yaml::Map(vec![("title".to_owned(), Yaml::List(vec![Yaml::Null]))]));
    for bare_names in [false, true] {
        let facts = Facts {
            base: target.clone(),
            zone: "UTC".parse().expect("a zone"),
            time: "2026-11-23T12:00:00Z".parse().expect("a date"),
            posts: HashMap::new(),
            includes: BTreeMap::from([("a.html".to_owned(), text.to_owned())]),
            bare_names,
        };
        let body = dialect::eleventy::as_liquid(text);
        let _ = Engine::new(facts, &Yaml::Null, Box::new(Vec::new)).render(&body, 1, &front, &target);
    }
}

/// Markdown to clean HTML, to text, to words; its beginning.
pub(crate) fn markdown_to_html(text: &str) {
    let target = url();
    let text = dialect::plain::containers(text);
    for flavour in [Flavour::CommonMark, Flavour::Kramdown] {
        let clean = html::clean(&markdown::to_html_as(flavour, &text, "p"), &target);
        let again = html::clean(clean.as_str(), &target);
        assert!(!again.as_str().contains("<script"));
        let _ = (clean.to_text(78), clean.to_words(), html::mail::narrow(&clean));
    }
    let _ = (
        excerpt::marked(&text, true, &[], "p"),
        excerpt::of(&text, true, &[], "p"),
        excerpt::of(&text, false, &[], "p"),
    );
    let _ = dialect::pelican::resolved(&text, "content/a/b.md", &target, &|_| None);
}

/// The tags of Hugo, Zola and Hexo.
pub(crate) fn shortcode(text: &str) {
    let target = url();
    for syntax in [Syntax::Hugo, Syntax::Zola, Syntax::Hexo] {
        let facts = shortcode::Facts {
            target: &target,
            front: &Yaml::Null,
            params: &Yaml::Null,
            resolve: &|_| None,
            title_of: &|_| Some("<Title>".to_owned()),
        };
        let _ = shortcode::expand(text, 1, syntax, &facts);
    }
}

fn url() -> Url {
    "https://example.org/blog/a/".parse().expect("a URL")
}

/// Reads a mail that came back.
pub(crate) fn bounce(text: &str) {
    let mail = postrider::bounce::read(text.as_bytes());
    assert!(mail.recipients.len() <= 1000);
}
