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
            let Some(found) = source[at..end].find(['`', '$', '{', '\\', ']', '<', '*']).map(|found| at + found) else {
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
                    b'<' => self.guillemet(rest),
                    b'*' => self.stars(found, &source[found..end]),
                    _ => self.link(rest),
                };
        }
        at
    }

    fn copy(&mut self, rest: &str, length: usize) -> usize {
        self.done.text.push_str(&rest[..length]);
        length
    }

    /// Emphasis that CommonMark does not see, or sees elsewhere, because a letter stands outside its mark and a punctuation mark
    /// inside: `**「a」**b`. Written as HTML; other emphasis is the parser's.
    fn stars(&mut self, at: usize, line: &str) -> usize {
        let count = line.bytes().take_while(|b| *b == b'*').count();
        while self.emphasis.pop_if(|(close, ..)| *close < at).is_some() {}
        if let Some((_, tag, length)) = self.emphasis.pop_if(|(close, ..)| *close == at) {
            self.done.text.push_str(tag);
            return length;
        }
        let inside = &line[count..];
        if self.flavour == Flavour::CommonMark || count > 2 || inside.starts_with(char::is_whitespace) {
            return self.copy(line, count);
        }
        // What this line closes nowhere, it does not close further on either.
        if at < self.unclosed[count - 1] {
            return self.copy(line, count);
        }
        let Some(close) = closing(inside, count) else {
            self.unclosed[count - 1] = at + line.len();
            return self.copy(line, count);
        };
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_mark = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric() && !c.is_whitespace());
        let behind = &inside[close + count..];
        let odd = is_letter(self.source[..at].chars().next_back()) && is_mark(inside.chars().next())
            || is_mark(inside[..close].chars().next_back()) && is_letter(behind.chars().next())
            || attributes::length(behind).is_some_and(|length| is_letter(behind[length..].chars().next()));
        if !odd {
            // Its end is none's beginning.
            self.emphasis.push((at + count + close, if count == 2 { "**" } else { "*" }, count));
            return self.copy(line, count);
        }
        let list = attributes::length(behind);
        let html = list.map_or_else(String::new, |length| Attributes::parse(&behind[2..length - 1]).html());
        let (name, tag) = if count == 2 { ("strong", "</strong>") } else { ("em", "</em>") };
        self.done.text.push_str(&format!("<{name}{html}>"));
        self.emphasis.push((at + count + close, tag, count + list.unwrap_or(0)));
        count
    }

    /// `<<`, before the parser takes what follows for a tag.
    fn guillemet(&mut self, rest: &str) -> usize {
        if self.flavour == Flavour::CommonMark || !rest.starts_with("<<") || rest.starts_with("<<<") {
            return self.copy(rest, 1);
        }
        self.done.text.push('«');
        if !rest.starts_with("<< ") {
            return 2;
        }
        self.done.text.push('\u{a0}');
        3
    }

    /// A code span, or ticks that open none.
    fn code(&mut self, rest: &str) -> usize {
        let ticks = rest.bytes().take_while(|b| *b == b'`').count();
        let window = paragraph(&rest[ticks..]);
        if self.flavour == Flavour::Kramdown {
            let after_blank = self.done.text.ends_with(char::is_whitespace);
            if ticks == 1 && after_blank && window.starts_with(char::is_whitespace) {
                self.done.text.push_str("\\`");
                return 1;
            }
            // To the next ticks, be they more than these.
            if let Some(length) = window.find(&rest[..ticks]).filter(|length| *length > 0)
                && window[length + ticks..].starts_with('`')
            {
                let code = &window[..length];
                self.piece(format!("<code>{}</code>", escaped(code.trim())), Kind::Inline);
                return ticks + length + ticks;
            }
        }
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
                c if c.is_whitespace() => return target[at + c.len_utf8()..].starts_with(['"', '\'']),
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

/// Where emphasis is closed that so many asterisks opened: not in code, and not behind a blank.
fn closing(inside: &str, count: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = inside[at..].find(['*', '`', '\\']).map(|found| at + found) {
        let byte = inside.as_bytes()[found];
        if byte == b'\\' {
            at = found + 1 + inside[found + 1..].chars().next().map_or(0, char::len_utf8);
            continue;
        }
        let run = inside[found..].bytes().take_while(|b| *b == byte).count();
        at = found + run;
        if byte == b'`' {
            at += inside[at..].find(&inside[found..found + run]).map_or(0, |end| end + run);
        } else if run == count && found > 0 && !inside[..found].ends_with(char::is_whitespace) {
            return Some(found);
        }
    }
    None
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
