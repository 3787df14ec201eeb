//! Where a post's beginning ends: for Jekyll at its separator, which is a blank line unless somebody set another (its
//! `excerpt.rb`); for other generators at a mark of the author.

use super::kramdown::Flavour;
use super::markdown;
use std::borrow::Cow;

/// What stands in comments that mark the end of a beginning, without blanks. Other comments that begin so mark nothing:
/// `<!--more-splits-more-fees-->`.
const MARKS: &[&str] = &["more", "readmore", "break", "endexcerpt", "PELICAN_END_SUMMARY", "truncate"];
/// What marks that it begins only here.
const OPENINGS: &[&str] = &["startexcerpt", "PELICAN_BEGIN_SUMMARY"];

/// Words of a beginning that nobody marked.
const WORDS: usize = 50;

/// The excerpt of a Jekyll post, rendered; `None` where it is the whole text. The first separator that is given counts, and an
/// empty one turns excerpts off.
pub fn of(source: &str, is_markdown: bool, separators: &[Option<&str>], prefix: &str) -> Option<String> {
    let separator = separators.iter().flatten().next().copied();
    if let Some(separator) = separator.filter(|separator| *separator != "\\n\\n") {
        if separator.trim().is_empty() && !separator.contains("\n\n") {
            return None;
        }
        let spelt_otherwise = || inside_comment(separator).and_then(|mark| find_mark(source, &[mark]));
        let (end, _) = source.find(separator).map(|at| (at, at)).or_else(spelt_otherwise)?;
        return Some(rendered(source, 0, end, is_markdown, Flavour::Kramdown, prefix));
    }
    let text = source.trim_start_matches(['\n', ' ']);
    let begin = source.len() - text.len();
    let first =
        text.find("\n\n").map(|end| rendered(source, begin, begin + end, is_markdown, Flavour::Kramdown, prefix));
    // A heading or a picture alone tells nobody what the post says.
    match first {
        Some(first) if speaks(&first) => Some(first),
        Some(_) if is_markdown => markdown::first_paragraph(source),
        Some(_) => first_html_paragraph(source),
        None if !is_markdown => first_html_paragraph(source),
        None => None,
    }
}

/// The beginning that the author of a CommonMark post ended, by a separator that is set or by a mark, rendered; `None` without one.
pub fn marked(source: &str, is_markdown: bool, separators: &[Option<&str>], prefix: &str) -> Option<String> {
    let set = separators.iter().flatten().filter(|separator| !separator.trim().is_empty());
    let (begin, end) = match set.filter_map(|separator| source.find(separator)).min() {
        Some(end) => (0, end),
        None => {
            let (end, _) = find_mark(source, MARKS)?;
            (find_mark(&source[..end], OPENINGS).map_or(0, |(_, behind)| behind), end)
        }
    };
    Some(rendered(source, begin, end, is_markdown, Flavour::CommonMark, prefix))
}

/// The first words of a plain text, to the end of a sentence where one ends among them.
pub fn beginning(text: &str) -> Cow<'_, str> {
    let mut end = 0;
    let mut sentence = 0;
    let mut count = 0;
    for word in text.split_whitespace() {
        if count == WORDS {
            break;
        }
        count += 1;
        end = word.as_ptr() as usize - text.as_ptr() as usize + word.len();
        let bare = word.trim_end_matches(['"', '\'', ')', '”', '’', '»']);
        if bare.ends_with(['.', '!', '?', '…', '。', '！', '？']) && count * 4 >= WORDS {
            sentence = end;
        }
    }
    if text[end..].trim().is_empty() {
        return text.trim_end().into();
    }
    if sentence > 0 {
        text[..sentence].into()
    } else {
        format!("{}…", text[..end].trim_end_matches([',', ';', ':'])).into()
    }
}

/// A part of a text with the links that are defined below it; without footnotes, which belong to the whole.
pub(super) fn rendered(
    source: &str,
    begin: usize,
    end: usize,
    is_markdown: bool,
    flavour: Flavour,
    prefix: &str,
) -> String {
    let head = &source[begin..end];
    if !is_markdown {
        return head.to_owned();
    }
    let mut text = without_notes(head);
    text.push_str("\n\n");
    for line in source[end..].lines() {
        if definition(line).is_some_and(|name| holds(head, name)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    markdown::to_html_as(flavour, &text, prefix)
}

/// The name in brackets that a line defines.
fn definition(line: &str) -> Option<&str> {
    let bare = line.trim_start_matches(' ');
    let (name, target) = bare.split_once("]:")?;
    let is_one = line.len() - bare.len() < 4 && name.starts_with('[') && !name.starts_with("[^") && !target.is_empty();
    is_one.then_some(&bare[..=name.len()])
}

/// Whether a text names a link, in whatever case.
fn holds(text: &str, name: &str) -> bool {
    text.contains(name) || text.to_lowercase().contains(&name.to_lowercase())
}

/// The words of a comment, without blanks.
fn inside_comment(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    (!inside.is_empty()).then_some(inside)
}

/// Where the first comment begins and ends that holds one of the words and nothing else.
fn find_mark(source: &str, words: &[&str]) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(open) = source[at..].find("<!--").map(|open| at + open) {
        let end = source[open + 4..].find("-->").map(|end| open + 4 + end + 3)?;
        let said: String = source[open + 4..end - 3].split_whitespace().collect();
        let is_mark =
            |word: &&str| said.len() < 80 && word.split_whitespace().collect::<String>().eq_ignore_ascii_case(&said);
        if words.iter().any(is_mark) {
            return Some((open, end));
        }
        at = end;
    }
    None
}

fn without_notes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[^") {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let length = mark.find([']', '\n', ' ']).filter(|end| mark[*end..].starts_with(']'));
        match length {
            Some(end) => rest = &mark[end + 1..],
            None => {
                out.push_str("[^");
                rest = &mark[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Whether HTML says something beside headings and code.
fn speaks(html: &str) -> bool {
    let mut silent: Option<&str> = None;
    let mut rest = html;
    loop {
        let Some(at) = rest.find('<') else { return silent.is_none() && has_words(rest) };
        if silent.is_none() && has_words(&rest[..at]) {
            return true;
        }
        let Some(length) = rest[at..].find('>') else { return false };
        let tag = &rest[at + 1..at + length];
        match silent {
            Some(name) if tag.strip_prefix('/') == Some(name) => silent = None,
            None => {
                let name = &tag[..tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len())];
                if matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre" | "script" | "style") {
                    silent = Some(name);
                }
            }
            Some(_) => {}
        }
        rest = &rest[at + length + 1..];
    }
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

fn first_html_paragraph(source: &str) -> Option<String> {
    let mut at = 0;
    while let Some(start) = ["<p>", "<p "].iter().filter_map(|tag| source[at..].find(tag)).min().map(|start| at + start)
    {
        let end = source[start..].find("</p>").map(|end| start + end + 4)?;
        if speaks(&source[start..end]) {
            return Some(source[start..end].to_owned());
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jekyll_ends_at_the_first_blank_line() {
        let html = of("\nThe [x] one[^1]\ngoes.\n\nTwo\n\n[x]: /y\n[z]: /z\n[^1]: n\n", true, &[], "p");
        assert_eq!(html.as_deref(), Some("<p>The <a href=\"/y\">x</a> one\ngoes.</p>\n"));
        let html = of("# T\n\n![](x.png)\n\n`x`\nTwo *e*\n\n", true, &[None, None], "p");
        assert_eq!(html.as_deref(), Some("<p><code>x</code>\nTwo <em>e</em></p>\n"));
        assert_eq!(of("One", true, &[], "p"), None);
        assert_eq!(of("# T\n\n- a\n- b\n\nc", true, &[], "p").as_deref(), Some("<p>c</p>\n"));
    }

    #[test]
    fn a_separator_counts_if_it_is_set() {
        let text = "One\n\nTwo<!--more-->\n\nThree\n";
        assert_eq!(of(text, true, &[None, Some("<!-- more -->")], "p").as_deref(), Some("<p>One</p>\n<p>Two</p>\n"));
        assert_eq!(of(text, true, &[Some(""), Some("<!-- more -->")], "p"), None);
        assert_eq!(of(text, true, &[Some("xx")], "p"), None);
        assert_eq!(of(text, true, &[], "p").as_deref(), Some("<p>One</p>\n"));
    }

    #[test]
    fn marks_of_other_generators() {
        for mark in [
            "<!--more-->",
            "<!-- more -->",
            "<!--MORE -->",
            "<!-- read more -->",
            "<!--break-->",
            "<!-- PELICAN_END_SUMMARY -->",
        ] {
            let text = format!("a\n\nb\n\n{mark}\n\nc");
            assert_eq!(marked(&text, true, &[], "p").as_deref(), Some("<p>a</p>\n<p>b</p>\n"), "{mark}");
        }
        let text = "x\n<!-- start excerpt -->\nthe *start*\n<!-- end excerpt -->\nrest";
        assert_eq!(marked(text, true, &[], "p").as_deref(), Some("<p>the <em>start</em></p>\n"));
        assert_eq!(marked("a\n<!--more-splits-more-fees-->\nb", true, &[], "p"), None);
        assert_eq!(marked("a <!-- ", true, &[], "p"), None);
        assert_eq!(marked("a <!--> b <!---> c", true, &[], "p"), None);
        let set = marked("a\n\nb xx c\n\n<!--more-->", true, &[None, Some("xx")], "p");
        assert_eq!(set.as_deref(), Some("<p>a</p>\n<p>b</p>\n"));
        assert_eq!(marked("a\n\nb", true, &[], "p"), None);
    }

    #[test]
    fn fifty_words_end_with_a_sentence() {
        assert_eq!(beginning("One two. Three."), "One two. Three.");
        let long = "Word ".repeat(20) + "end. " + &"more ".repeat(60);
        assert!(beginning(&long).ends_with("Word end."), "{}", beginning(&long));
        assert!(beginning(&"word ".repeat(60)).ends_with("word…"));
        assert_eq!(beginning(&"word ".repeat(60)).split(' ').count(), 50);
    }
}
