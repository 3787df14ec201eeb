//! How wide text is where every character has the same cell, as in a mail's text part; and tables set in such cells.

use unicode_width::UnicodeWidthChar;

/// The columns that a character takes: two in scripts of square characters, none for what is set above or below another
/// (Unicode Standard Annex 11).
pub fn of_char(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The columns that a text takes.
pub fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// Whether a line may break before a character that stands among square ones: not before what closes.
pub fn may_begin(c: char) -> bool {
    !"、。，．：；！？）」』】〕》〉”’…ー々〜".contains(c)
}

/// A table, cell by cell.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    headed: bool,
}

impl Table {
    pub(super) fn begin_row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn begin_cell(&mut self, is_head: bool) {
        self.headed |= is_head && self.rows.len() <= 1;
        if self.rows.is_empty() {
            self.begin_row();
        }
        if let Some(row) = self.rows.last_mut() {
            row.push(String::new());
        }
    }

    /// The cell that is written into, if one was begun.
    pub(super) fn cell(&mut self) -> Option<&mut String> {
        self.rows.last_mut()?.last_mut()
    }

    /// In columns where they fit into `width` (0: always); else each row as one line, its cells parted by ` | `.
    pub(super) fn lines(mut self, width: usize) -> Vec<String> {
        self.rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |at: usize| self.rows.iter().filter_map(|row| row.get(at)).map(|cell| of(cell)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count).map(widest).collect();
        let whole = widths.iter().sum::<usize>() + 3 * count.saturating_sub(1);
        if width > 0 && whole > width {
            return self.rows.iter().map(|row| row.join(" | ")).collect();
        }
        let set = |row: &Vec<String>| {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - of(cell))));
            padded.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = self.rows.iter().map(set).collect();
        if self.headed && lines.len() > 1 {
            lines.insert(1, widths.iter().map(|width| "-".repeat((*width).max(1))).collect::<Vec<_>>().join("   "));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_characters_take_two_columns_and_marks_none() {
        assert_eq!((of("abc"), of("漢字"), of("e\u{301}"), of("ﾊﾝｶｸ"), of("한")), (3, 4, 1, 4, 2));
    }
}
