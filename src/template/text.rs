//! Plain text for people: on one line, in columns, and in which direction it runs.

use crate::html::columns;

/// The width of the text part, in columns.
pub const COLUMNS: usize = 72;

/// `text` on one line of at most `max` characters: white space collapsed; control characters, and those that turn the
/// direction of what follows (a title must not rearrange the line it stands in), dropped; cut at a word where one ends near.
pub fn one_line(text: &str, max: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !unseen(*c)).collect();
    shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "), max)
}

/// `text`, or as many of its words as fit into `max` characters with an ellipsis.
pub fn shorten(text: &str, max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let room = text[..end].char_indices().last().map_or(0, |(last, _)| last);
    let head = &text[..room];
    // A word longer than a third of the line is cut in the middle: better than losing it all.
    let cut = head.rfind(' ').filter(|space| *space > room / 3 * 2).unwrap_or(room);
    let head =
        head[..cut].trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '-' | '–' | '—'));
    format!("{head}…")
}

/// Whether a character is a control, a bidi control (Unicode 5.1 to 6.3) or a mark that shows nothing and means nothing in one line.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// `text` in lines of at most `width` columns. Line ends stay. A word that is too long is broken, a URL never.
pub fn wrap(text: &str, width: usize) -> String {
    let width = width.max(1);
    let mut out = String::with_capacity(text.len() + text.len() / width + 1);
    for (n, line) in text.lines().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let mut column = 0;
        for word in line.split_whitespace() {
            let length = columns::of(word);
            if column > 0 && column + 1 + length > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            if length <= width || word.contains("://") || word.starts_with("mailto:") {
                out.push_str(word);
                column += length;
                continue;
            }
            // No spaces at all: Chinese, Japanese, Thai, or a long identifier.
            for c in word.chars() {
                let wide = columns::of_char(c);
                if column > 0 && column + wide > width {
                    out.push('\n');
                    column = 0;
                }
                out.push(c);
                column += wide;
            }
        }
    }
    out
}

/// `rtl` for a language that is written from right to left, else `ltr`: the value of HTML's `dir`.
pub fn direction(language: &str) -> &'static str {
    let mut subtags = language.split(['-', '_']);
    let primary = subtags.next().unwrap_or_default().to_ascii_lowercase();
    let script = subtags.next().filter(|s| s.len() == 4).map(str::to_ascii_lowercase);
    let rtl = match script.as_deref() {
        Some("arab" | "hebr" | "syrc" | "thaa" | "nkoo" | "adlm" | "rohg") => true,
        Some(_) => false,
        None => matches!(
            primary.as_str(),
            "ar" | "ckb" | "dv" | "fa" | "he" | "iw" | "nqo" | "ps" | "sd" | "syr" | "ug" | "ur" | "yi"
        ),
    };
    if rtl { "rtl" } else { "ltr" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_line_has_no_controls_and_ends_at_a_word() {
        assert_eq!(one_line(" A\r\nBcc: x@y\t\u{202E}z\u{0} ", 150), "A Bcc: x@y z");
        assert_eq!(one_line("Eels, otters, and the long way home", 20), "Eels, otters, and…");
        assert_eq!(one_line(&"x".repeat(200), 10), "xxxxxxxxx…");
    }

    #[test]
    fn words_wrap_and_urls_do_not_break() {
        assert_eq!(wrap("one two three", 7), "one two\nthree");
        assert_eq!(wrap("see https://example.org/a/long/path now", 10), "see\nhttps://example.org/a/long/path\nnow");
        assert_eq!(wrap("漢字漢字漢", 4), "漢字\n漢字\n漢");
        assert_eq!(wrap("a\n\nb", 10), "a\n\nb");
    }

    #[test]
    fn the_script_decides_before_the_language() {
        for (language, expected) in
            [("en", "ltr"), ("ar-EG", "rtl"), ("HE", "rtl"), ("az-Arab", "rtl"), ("ar-Latn", "ltr"), ("", "ltr")]
        {
            assert_eq!(direction(language), expected, "{language}");
        }
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_bounds(text in "\\PC{0,300}", max in 2usize..160) {
            let line = one_line(&text, max);
            prop_assert!(line.chars().count() <= max && !line.contains('\n'));
            prop_assert!(wrap(&text.replace("://", ""), max).lines().all(|l| columns::of(l) <= max || l.contains("mailto:")));
        }
    }
}
