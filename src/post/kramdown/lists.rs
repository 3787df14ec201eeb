//! Lists as kramdown nests them. A line that goes on an item lazily may begin a list of the other kind inside it, and all bullets
//! are alike; CommonMark begins another list beside the first.

/// A list that is open.
#[derive(Clone, Copy, Debug)]
struct Level {
    ordered: bool,
    /// Where its items' text begins.
    content: usize,
    /// Blanks that were put before its items.
    shift: usize,
}

/// The lists in which a line stands.
#[derive(Debug, Default)]
pub(super) struct Lists {
    levels: Vec<Level>,
    /// Blanks that lines which lazily go on need before them.
    shift: usize,
}

/// The head of a list item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) ordered: bool,
    /// Its number, of an ordered one.
    pub(super) first: bool,
    /// How far it is indented.
    pub(super) indent: usize,
    /// How long it is: without the indentation, and without the blanks behind it.
    pub(super) length: usize,
    /// Where the text behind it begins, in columns.
    pub(super) content: usize,
}

/// Columns of white space at the head of a line, and bytes.
pub(super) fn indentation(line: &str) -> (usize, usize) {
    let mut columns = 0;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4 - columns % 4,
            _ => return (columns, at),
        }
    }
    (columns, line.len())
}

impl Marker {
    /// The marker at the head of a line.
    pub(super) fn of(line: &str) -> Option<Marker> {
        let (indent, bytes) = indentation(line);
        let rest = &line[bytes..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (ordered, length) = match rest.as_bytes().get(digits)? {
            b'*' | b'+' | b'-' if digits == 0 => (false, 1),
            b'.' if (1..=9).contains(&digits) => (true, digits + 1),
            _ => return None,
        };
        let behind = &rest[length..];
        let text = behind.trim_start_matches([' ', '\t']);
        if text.len() == behind.len() || text.trim_end().is_empty() || is_rule(rest) {
            return None;
        }
        let blanks = indentation(behind).0;
        let content = indent + length + if blanks > 4 { 1 } else { blanks };
        Some(Marker { ordered, first: rest[..digits].trim_start_matches('0') == "1", indent, length, content })
    }
}

/// `* * *`, `---`
fn is_rule(line: &str) -> bool {
    let mut marks = line.trim_end().chars().filter(|c| !matches!(c, ' ' | '\t'));
    let Some(mark @ ('*' | '-' | '_')) = marks.next() else { return false };
    let mut count = 1;
    for c in marks {
        if c != mark {
            return false;
        }
        count += 1;
    }
    count >= 3
}

impl Lists {
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Where the text of the innermost item begins.
    pub(super) fn content(&self) -> usize {
        self.levels.last().map_or(0, |level| level.content)
    }

    /// The blanks that an item's head needs before it to stand where kramdown puts it. `after_blank`: the line before it is blank.
    pub(super) fn item(&mut self, marker: Marker, after_blank: bool) -> usize {
        self.shift = 0;
        if after_blank {
            self.levels.retain(|level| level.content <= marker.indent);
            self.levels.push(Level { ordered: marker.ordered, content: marker.content, shift: 0 });
            return 0;
        }
        let beside = |level: &Level| marker.indent + level.shift < level.content;
        // Outwards: inside the first that it is indented into, beside the first of its kind; else it lazily goes on the last item.
        let found = self.levels.iter().enumerate().rev().find_map(|(at, level)| match beside(level) {
            false => Some(at + 1),
            true => (level.ordered == marker.ordered).then_some(at),
        });
        let above = found.unwrap_or(self.levels.len());
        self.levels.truncate(above);
        let needed = self.levels.last().map_or(0, |level| level.shift.max(level.content.saturating_sub(marker.indent)));
        self.shift = needed;
        self.levels.push(Level { ordered: marker.ordered, content: marker.content + needed, shift: needed });
        needed
    }

    /// The blanks that a line of text needs before it. `indent` columns it has; `is_block`: it would end CommonMark's item.
    pub(super) fn text(&mut self, indent: usize, after_blank: bool, is_block: bool) -> usize {
        if after_blank {
            self.shift = 0;
            while self.levels.last().is_some_and(|level| indent < level.content.min(4)) {
                self.levels.pop();
            }
        } else if is_block && indent < self.content() {
            return self.content() - indent;
        }
        if self.levels.is_empty() { 0 } else { self.shift }
    }

    /// No list goes on here.
    pub(super) fn end(&mut self) {
        self.levels.clear();
        self.shift = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers() {
        let content = |line| Marker::of(line).map(|marker| marker.content);
        assert_eq!(content("* a\n"), Some(2));
        assert_eq!(content("  10.  a"), Some(7));
        assert_eq!(content("-     code"), Some(2));
        for other in ["*a", "* * *", "- - -\n", "---", "1) a", "a", "*", "2024. ", "1234567890. a"] {
            assert_eq!(content(other), None, "{other}");
        }
    }
}
