//! Where Hugo's summaries end: at its mark, else with the sentence in which its number of words is reached.

use super::excerpt::rendered;
use super::kramdown::Flavour;

/// The only mark that Hugo knows.
pub const MARK: &str = "<!--more-->";

/// Where Hugo ends a summary that nobody ends.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// `summaryLength`
    pub words: usize,
    /// Whether letters are counted where words have no blanks between them.
    pub by_letters: bool,
}

/// The summary of a text, rendered: up to its mark, else the first words of all the text `html`, to the end of a sentence.
pub fn of(source: &str, html: &str, is_markdown: bool, length: Length, prefix: &str) -> String {
    if let Some(end) = source.find(MARK) {
        return rendered(source, 0, end, is_markdown, Flavour::CommonMark, prefix);
    }
    let text = plain(html);
    let words = match length.by_letters {
        true => first_letters(&text, length.words),
        false => first_words(&text, length.words).to_owned(),
    };
    format!("<p>{}</p>", words.trim())
}

/// The text of HTML, still encoded, one line a paragraph.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    let mut push = |piece: &str| {
        for c in piece.chars() {
            let c = if c == '\n' { ' ' } else { c };
            if !(c.is_whitespace() && text.ends_with(char::is_whitespace)) {
                text.push(c);
            }
        }
    };
    while let Some(at) = rest.find('<') {
        push(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find('>').map_or(rest.len(), |end| end + 1);
        let (tag, after) = rest.split_at(end);
        if tag.starts_with("</p>") || tag.starts_with("<br") {
            push("\u{2029}");
        }
        rest = match tag {
            // A note's number and the note are no part of the sentence.
            tag if tag.starts_with("<sup") && after.starts_with("<a ") => {
                after.split_once("</sup>").map_or(after, |(_, rest)| rest)
            }
            tag if tag.starts_with("<div class=\"footnote") => {
                after.split_once("</div>").map_or(after, |(_, rest)| rest)
            }
            _ => after,
        };
    }
    push(rest);
    text.replace('\u{2029}', "\n")
}

/// So many blanks, and on to the end of a sentence.
fn first_words(text: &str, count: usize) -> &str {
    let last = text.char_indices().filter(|(_, c)| c.is_whitespace()).take(count.max(1)).last();
    let Some((last, _)) = last else { return text };
    let end = text[last..].find(['.', '?', '!', '"', '\n']);
    end.map_or(text, |end| &text[..=last + end])
}

/// Words of ASCII count once, others by their letters.
fn first_letters(text: &str, count: usize) -> String {
    let mut left = count;
    let mut taken: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if left == 0 {
            break;
        }
        let letters = if word.is_ascii() { 1 } else { word.chars().count() };
        let end = word.char_indices().nth(left).map_or(word.len(), |(at, _)| at);
        taken.push(if letters > left { &word[..end] } else { word });
        left = left.saturating_sub(letters);
    }
    taken.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_sentence_that_is_long_enough() {
        let of = |html: &str, words| of("", html, true, Length { words, by_letters: false }, "");
        assert_eq!(of("<p>One two. Three four. Five.</p>\n", 3), "<p>One two. Three four.</p>");
        assert_eq!(of("<p>One two</p>\n<p>three <b>four</b></p>\n", 1), "<p>One two</p>");
        assert_eq!(of("<p>One &amp; <sup><a href=\"#n\">1</a></sup>two</p>", 70), "<p>One &amp; two</p>");
        assert_eq!(of("", 70), "<p></p>");
        let letters = super::of("", "<p>漢字 かな ab</p>", true, Length { words: 3, by_letters: true }, "");
        assert_eq!(letters, "<p>漢字 か</p>");
        let marked =
            super::of("a\n\n<!-- more -->\n\nb<!--more-->c", "", true, Length { words: 1, by_letters: false }, "");
        assert!(marked.contains("<p>b</p>") && !marked.contains('c'), "{marked}");
    }
}
