//! Tables as kramdown finds them: lines that all hold a bar, with or without a head, however their lines of dashes look.

use super::lists::indentation;
use super::scan::Scanner;
use std::fmt::Write;
use std::ops::Range;

/// What a line of a table is.
enum Row {
    Cells(Vec<Range<usize>>),
    /// A line of dashes, as the alignment of its columns.
    Dashes(String),
    /// A line of equals signs.
    Foot,
}

impl Scanner<'_> {
    /// A table that begins at `at`, written as the parser wants it; where it ends. `None` where there is none.
    pub(super) fn table(&mut self, at: usize, to: usize, bytes: usize) -> Option<usize> {
        if at < self.no_table {
            return None;
        }
        let source = self.source;
        let mut rows = Vec::new();
        let mut end = at;
        while end < to {
            let next = source[end..to].find('\n').map_or(to, |line| end + line + 1);
            let Some(row) = row(source, end, next) else { break };
            rows.push(row);
            end = next;
        }
        self.no_table = end;
        let behind = source[end..to].lines().next().unwrap_or_default().trim();
        let says = rows.iter().any(|row| matches!(row, Row::Cells(_)));
        if !(behind.is_empty() || behind == "^" || behind.starts_with("{:")) || !says {
            return None;
        }
        let columns =
            rows.iter().map(|row| if let Row::Cells(cells) = row { cells.len() } else { 1 }).max().unwrap_or(1);
        let indent = " ".repeat(indentation(&source[at..at + bytes]).0);
        let first = rows.iter().position(|row| matches!(row, Row::Cells(_))).unwrap_or(0);
        let head = match rows.get(first + 1) {
            Some(Row::Dashes(alignment)) => Some(alignment.clone()),
            _ => None,
        };
        // The parser wants a head. An empty one is taken out again.
        self.done.text.push('\n');
        if head.is_none() {
            let _ = writeln!(self.done.text, "{indent}|{}", " |".repeat(columns));
        }
        let mut written = false;
        for row in &rows {
            let Row::Cells(cells) = row else { continue };
            if !std::mem::replace(&mut written, true) && head.is_none() {
                let _ = writeln!(self.done.text, "{indent}|{}", "-|".repeat(columns));
            }
            let _ = write!(self.done.text, "{indent}|");
            for cell in cells {
                self.done.text.push(' ');
                let begin = self.done.text.len();
                self.spans(cell.start, cell.end, cell.end);
                let cell = self.done.text.split_off(begin);
                self.done.text.push_str(&without_bars(&cell));
                self.done.text.push_str(" |");
            }
            let _ = writeln!(self.done.text, "{}", " |".repeat(columns - cells.len()));
            if let Some(alignment) = head.as_deref().filter(|_| std::ptr::eq(row, &raw const rows[first])) {
                let missing = columns.saturating_sub(alignment.matches('|').count());
                let dashes: String = alignment.split_inclusive('|').take(columns).collect();
                let _ = writeln!(self.done.text, "{indent}|{dashes}{}", "-|".repeat(missing));
            }
        }
        self.done.text.push('\n');
        Some(end)
    }
}

/// What the line from `at` to `end` is in a table; `None` where it holds no bar.
fn row(source: &str, at: usize, end: usize) -> Option<Row> {
    let line = source[at..end].trim();
    let from = at + (source[at..end].len() - source[at..end].trim_start().len());
    let only = |marks: &str| line.chars().all(|c| marks.contains(c) || matches!(c, '|' | '+' | ':' | ' ' | '\t'));
    if line.contains('-') && only("-") && line.contains('|') {
        return Some(Row::Dashes(alignment(line)));
    }
    if line.contains('=') && only("=") && line.contains('|') {
        return Some(Row::Foot);
    }
    let mut cells = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    while let Some(found) = line[at..].find(['|', '\\', '`']).map(|found| at + found) {
        match line.as_bytes()[found] {
            b'|' => {
                cells.push(begin..found);
                begin = found + 1;
                at = begin;
            }
            b'`' => {
                let ticks = line[found..].bytes().take_while(|b| *b == b'`').count();
                let inside = &line[found + ticks..];
                at = found + ticks + inside.find(&line[found..found + ticks]).map_or(0, |close| close + ticks);
            }
            _ => at = found + 1 + line[found + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if cells.is_empty() || cells.len() > 100 {
        return None;
    }
    cells.push(begin..line.len());
    if line[cells[0].clone()].trim().is_empty() && line.starts_with('|') {
        cells.remove(0);
    }
    if cells.last().is_some_and(|last| line[last.clone()].trim().is_empty()) {
        cells.pop();
    }
    let trimmed = |cell: Range<usize>| {
        let text = &line[cell.clone()];
        let start = from + cell.start + (text.len() - text.trim_start().len());
        start..start + text.trim().len()
    };
    Some(Row::Cells(cells.into_iter().map(trimmed).collect()))
}

/// The alignments of a line of dashes, each column closed by a bar.
fn alignment(line: &str) -> String {
    let mut columns = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('-') {
        let left = rest[..at].ends_with(':');
        rest = rest[at..].trim_start_matches('-');
        let right = rest.starts_with(':');
        columns.push_str(match (left, right) {
            (true, true) => ":-:|",
            (true, false) => ":-|",
            (false, true) => "-:|",
            (false, false) => "-|",
        });
    }
    columns
}

/// A cell whose bars, in code, are escaped: the parser parts cells there, too.
fn without_bars(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut escaped = false;
    for c in cell.chars() {
        if c == '|' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}
