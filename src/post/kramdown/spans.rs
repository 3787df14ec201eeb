//! The part of the pass that goes through the text of a line: code spans, formulas, attribute lists, link targets.

use super::attributes::{self, Attributes};
use super::scan::Scanner;
use super::{Flavour, Kind, Note, PIECE, Place};

/// How far the end of a code span or a formula is searched.
pub(super) const MAX_SPAN: usize = 8 * 1024;

/// A longer link target is none.
const MAX_TARGET: usize = 2048;

impl Scanner<'_> {
    /// Text from `at` at least to `end`, the end of its line; a span may take more of its paragraph. Where it ends.
    pub(super) fn spans(&mut self, at: usize, end: usize, to: usize) -> usize {
        let source = self.source;
        let mut at = at;
        while at < end {
            let Some(found) = source[at..end].find(['`', '$', '{', '\\', ']']).map(|found| at + found) else {
                self.done.text.push_str(&source[at..end]);
                return end;
            };
            self.done.text.push_str(&source[at..found]);
            let rest = &source[found..to];
            at = found
                + match rest.as_bytes()[0] {
                    b'\\' => self.copy(rest, 1 + rest[1..].chars().next().map_or(0, char::len_utf8)),
                    b'`' => self.code(rest),
                    b'$' => self.inline_formula(rest, found + 2 > end),
                    b'{' => self.braces(found, rest),
                    _ => self.link(rest),
                };
        }
        at
    }

    fn copy(&mut self, rest: &str, length: usize) -> usize {
        self.done.text.push_str(&rest[..length]);
        length
    }

    /// A code span, or ticks that open none.
    fn code(&mut self, rest: &str) -> usize {
        let ticks = rest.bytes().take_while(|b| *b == b'`').count();
        let window = paragraph(&rest[ticks..]);
        let mut from = 0;
        while let Some(found) = window[from..].find('`').map(|found| from + found) {
            let closing = window[found..].bytes().take_while(|b| *b == b'`').count();
            if closing == ticks {
                return self.copy(rest, ticks + found + closing);
            }
            from = found + closing;
        }
        self.copy(rest, ticks)
    }

    fn inline_formula(&mut self, rest: &str, beyond: bool) -> usize {
        let Some(inside) = rest.strip_prefix("$$").filter(|_| !beyond) else { return self.copy(rest, 1) };
        match paragraph(inside).find("$$") {
            Some(length) if length > 0 => {
                self.piece(escaped(&rest[..length + 4]), Kind::Inline);
                length + 4
            }
            _ => self.copy(rest, 2),
        }
    }

    /// `{: …}` behind an element among text, and extensions.
    fn braces(&mut self, at: usize, rest: &str) -> usize {
        for name in ["comment", "nomarkdown"] {
            let Some(inside) = rest.strip_prefix("{::").and_then(|rest| rest.strip_prefix(name)) else { continue };
            let Some(open) = inside.find('}') else { continue };
            let body = at + 3 + name.len() + open + 1;
            let Some((inner, outer)) = self.stop(name, body, self.source.len()) else { continue };
            if name == "nomarkdown" {
                self.piece(self.source[body..inner].to_owned(), Kind::Inline);
            }
            return outer - at;
        }
        let Some(length) = attributes::length(rest) else { return self.copy(rest, 1) };
        let inside = &rest[2..length - 1];
        if self.done.text.ends_with([')', ']', '*', '_', '`', '>', '~']) && !self.source[..at].ends_with([' ', '\n']) {
            let attributes = Attributes::parse(inside);
            self.done.notes.push(Note { at: self.done.text.len(), place: Place::Span, attributes });
            return length;
        }
        // Behind text, kramdown shows it; whoever wrote a class meant none to read it.
        if inside.starts_with([' ', '.', '#']) { length } else { self.copy(rest, 1) }
    }

    /// The end of a link's text: its target may hold what CommonMark allows in none.
    fn link(&mut self, rest: &str) -> usize {
        if self.flavour == Flavour::CommonMark {
            return self.copy(rest, 1);
        }
        if let Some(name) = rest.strip_prefix("] [").or_else(|| rest.strip_prefix("]\n["))
            && let Some(end) = name.find(']').filter(|end| *end < 200)
            && self.links.contains(&name[..end].to_lowercase())
        {
            self.done.text.push_str("][");
            return 3;
        }
        let Some(target) = rest.strip_prefix("](").filter(|target| !target.starts_with('<')) else {
            return self.copy(rest, 1);
        };
        let target = paragraph(&target[..boundary_before(target, MAX_TARGET.min(target.len()))]);
        let mut open = 1_usize;
        let end = target.char_indices().find(|(at, c)| {
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                c if c.is_whitespace() => return target[at + 1..].starts_with(['"', '\'']),
                _ => {}
            }
            open == 0
        });
        let Some((end, _)) = end else { return self.copy(rest, 1) };
        let address = &target[..end];
        let trimmed = address.trim();
        // Without a bracket before it, it is text.
        let line = &self.done.text[boundary_before(&self.done.text, self.done.text.len().saturating_sub(MAX_TARGET))..];
        let odd = trimmed.contains([' ', '\\', '\n', '\t', '<']);
        if !odd || trimmed.contains(PIECE.0) || !line.contains('[') {
            return self.copy(rest, 2 + end);
        }
        self.done.text.push_str("](<");
        for c in trimmed.chars() {
            match c {
                '\\' => self.done.text.push_str("\\\\"),
                '<' => self.done.text.push_str("%3C"),
                '>' => self.done.text.push_str("%3E"),
                '\n' => self.done.text.push(' '),
                c => self.done.text.push(c),
            }
        }
        self.done.text.push('>');
        2 + end
    }
}

/// As far as a span may reach: to the next blank line.
fn paragraph(text: &str) -> &str {
    let text = &text[..boundary_before(text, MAX_SPAN.min(text.len()))];
    &text[..text.find("\n\n").unwrap_or(text.len())]
}

pub(super) fn boundary_before(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
