//! Names inside a post made its own, so that several posts can stand on one page, as readers and aggregators show them.

use super::markup::{self, Token};
use super::notes::is_named_as_one;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use url::Url;

/// Clean markup of the page at `page` whose ids begin with `mark`. Links to notes follow, and stay inside the post; readers that
/// open notes in place know them by `fn`. Other links to a place in the page lead to the site, where it has its own name.
pub(super) fn own(html: &str, mark: &str, page: &Url) -> Option<String> {
    if !html.contains(" id=\"") {
        return None;
    }
    // By how a URL of the page names them.
    let mut ids: HashMap<String, String> = HashMap::new();
    for token in markup::tokens(html) {
        if let Token::Start(tag) = token
            && let Some(id) = tag.attribute("id")
        {
            ids.insert(at(page, &id), id);
        }
    }
    let mut notes: HashSet<&str> = HashSet::new();
    for token in markup::tokens(html) {
        let Token::Start(tag) = token else { continue };
        let Some(id) = tag.attribute("href").and_then(|href| ids.get(&href)) else { continue };
        let class = tag.attribute("class").unwrap_or_default();
        if class.contains("footnote") || is_named_as_one(id) {
            notes.insert(id);
        }
    }
    let renamed = |id: &str| match notes.contains(id) {
        true => format!("fn-{mark}-{id}"),
        false => format!("{mark}-{id}"),
    };
    let mut out = String::with_capacity(html.len() + 24 * ids.len());
    for token in markup::tokens(html) {
        let tag = match token {
            Token::Text(text) => {
                out.push_str(text);
                continue;
            }
            Token::End(name) => {
                let _ = write!(out, "</{name}>");
                continue;
            }
            Token::Start(tag) => tag,
        };
        let note = || tag.attribute("href").and_then(|href| ids.get(&href)).filter(|id| notes.contains(id.as_str()));
        if !tag.source.contains(" id=\"") && !tag.source.contains(" headers=\"") && note().is_none() {
            out.push_str(tag.source);
            continue;
        }
        let _ = write!(out, "<{}", tag.name);
        for (name, value) in tag.attributes() {
            let plain = || tag.attribute(name).unwrap_or_default();
            let value = match name {
                "id" => markup::escape(&renamed(&plain())),
                "headers" => {
                    let names: Vec<String> = plain().split_ascii_whitespace().map(renamed).collect();
                    markup::escape(&names.join(" "))
                }
                "href" => match note() {
                    Some(id) => markup::escape(&at(page, &renamed(id))),
                    None => value.to_owned(),
                },
                _ => value.to_owned(),
            };
            let _ = write!(out, " {name}=\"{value}\"");
        }
        out.push('>');
    }
    Some(out)
}

/// A place in the page.
fn at(page: &Url, id: &str) -> String {
    let mut place = page.clone();
    place.set_fragment(Some(id));
    place.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::CleanHtml;
    use proptest::prelude::*;

    #[test]
    fn notes_and_headings_of_posts_do_not_meet() {
        let page: Url = "https://a.example/p/?x=1&y=2".parse().expect("a URL");
        let own = |html: &str| {
            let clean = crate::html::clean(html, &page);
            own(clean.as_str(), "p1", &page).unwrap_or(clean.as_str().to_owned())
        };
        assert_eq!(
            own("<h2 id=\"a&amp;b\">A</h2><p><a href=\"#a&amp;b\">up</a> <a href=\"#none\">x</a></p>"),
            "<h2 id=\"p1-a&amp;b\">A</h2><p><a href=\"https://a.example/p/?x=1&amp;y=2#a&amp;b\">up</a> <a href=\"https://a.example/p/?x=1&amp;y=2#none\">x</a></p>"
        );
        assert_eq!(
            own(
                "<sup id=\"r\"><a class=\"footnote\" href=\"#日本\">1</a></sup><li id=\"日本\">N <a class=\"reversefootnote\" href=\"#r\">↩</a></li>"
            ),
            "<sup id=\"fn-p1-r\"><a class=\"footnote\" href=\"https://a.example/p/?x=1&amp;y=2#fn-p1-%E6%97%A5%E6%9C%AC\">1</a></sup><li id=\"fn-p1-日本\">N <a class=\"reversefootnote\" href=\"https://a.example/p/?x=1&amp;y=2#fn-p1-r\">↩</a></li>"
        );
        assert_eq!(
            own("<table><tbody><tr><th id=\"a\">A</th><td headers=\"a b\">1</td></tr></tbody></table>"),
            "<table><tbody><tr><th id=\"p1-a\">A</th><td headers=\"p1-a p1-b\">1</td></tr></tbody></table>"
        );
        let plain = "<p>No <b>names</b></p>";
        assert_eq!(own(plain), plain);
    }
    /// Markup that is full of names and of links to them.
    fn markup() -> impl Strategy<Value = String> {
        let name =
            prop_oneof![Just("a".to_owned()), Just("fn:1".to_owned()), Just("日 &\"<>'".to_owned()), any::<String>()];
        let piece = (name, 0..4_u8).prop_map(|(name, kind)| {
            let name = markup::escape(&name);
            match kind {
                0 => format!("<h2 id=\"{name}\" title=\" id=&quot;x&quot;\">T</h2>"),
                1 => format!("<a class=\"footnote\" href=\"#{name}\" id=\"{name}\">1</a>"),
                2 => format!("<td headers=\"{name} b\">2</td> id=\"{name}\""),
                _ => format!("<img alt=\"{name}\" id={name}>"),
            }
        });
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn it_stays_clean_and_every_name_is_the_post_s_own(html in markup()) {
            let page: Url = "https://a.example/p/".parse().expect("a URL");
            let clean = crate::html::clean(&html, &page);
            let marked = clean.clone().with_ids_of("p1", &page);
            // The serialiser has other references for the same characters.
            let same = |html: &CleanHtml| {
                let html = html.as_str().replace("&nbsp;", "\u{a0}");
                html.replace("&lt;", "<").replace("&gt;", ">")
            };
            prop_assert_eq!(same(&crate::html::clean(marked.as_str(), &page)), same(&marked));
            prop_assert_eq!(marked.to_words(), clean.to_words());
            for token in markup::tokens(marked.as_str()) {
                let Token::Start(tag) = token else { continue };
                let id = tag.attribute("id");
                prop_assert!(id.is_none_or(|id| id.starts_with("p1-") || id.starts_with("fn-p1-")));
            }
        }
    }
}
