//! What is known of an element of a mail only when it ends: that it is empty, or wider than a phone.

use super::columns;
use super::markup::{self, Token};

/// Cells of a table that are wider than that together, in pixels, run over the side of a phone: 320, less what stands around them.
const PHONE: usize = 240;
/// A column of text at 16 pixels, as wide as its letters are on average.
const CHARACTER: usize = 8;
/// What stands beside each cell.
const GAP: usize = 12;

/// Whether nothing is to be seen of it: no word, no picture.
pub(super) fn is_empty(markup: &str) -> bool {
    !markup.contains("<img")
        && markup::tokens(markup)
            .all(|token| !matches!(token, Token::Text(text) if !markup::unescape(text).trim().is_empty()))
}

/// Whether the content of a table cannot be made as narrow as a phone: its longest words stand side by side.
pub(super) fn is_wide(table: &str) -> bool {
    let mut widths: Vec<usize> = Vec::new();
    let mut column = 0;
    for token in markup::tokens(table) {
        match token {
            Token::Start(tag) if tag.name == "tr" => column = 0,
            Token::Start(tag) if matches!(tag.name, "th" | "td") => {
                let across = tag.attribute("colspan").and_then(|said| said.parse().ok()).unwrap_or(1);
                column += 1;
                widths.resize(widths.len().max(column), 0);
                // One that spans others takes their room.
                column += usize::min(across, 50).saturating_sub(1);
            }
            Token::Text(text) => {
                let text = markup::unescape(text);
                let longest =
                    text.split(char::is_whitespace).flat_map(|word| word.split_inclusive('-')).map(columns::of).max();
                if let Some(width) = column.checked_sub(1).and_then(|at| widths.get_mut(at)) {
                    *width = (*width).max(longest.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    widths.iter().map(|width| width * CHARACTER + GAP).sum::<usize>() > PHONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_measured_by_their_longest_words() {
        let row = |cells: &[&str]| {
            format!("<tr>{}</tr>", cells.iter().map(|cell| format!("<td>{cell}</td>")).collect::<String>())
        };
        assert!(!is_wide(&row(&["a few short words that wrap well", "2026", "well &amp; good"])));
        assert!(is_wide(&row(&["demonstration", "explanation", "visualisation"])));
        assert!(is_wide(&row(&["1"; 20])));
        assert!(!is_wide(&format!("{}{}", row(&["demonstration"]), row(&["explanation"]))));
        assert!(!is_wide("<tr><td colspan=\"99999999\">a</td></tr>") && !is_wide("no table"));
    }

    #[test]
    fn blanks_are_nothing() {
        for nothing in ["", " \n", "<strong>&nbsp;</strong>", "<span title=\"a\"></span>"] {
            assert!(is_empty(nothing), "{nothing}");
        }
        assert!(!is_empty("<em>a</em>") && !is_empty("<img src=\"a\">"));
    }
}
