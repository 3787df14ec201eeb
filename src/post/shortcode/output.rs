//! The Markdown that is being written. It knows where a line stands, so that markup of its own neither swallows the text
//! around it nor falls out of the list or quotation that holds it.

/// How far back a line is looked at.
const LOOK_BACK: usize = 2048;

#[derive(Default)]
pub(super) struct Output(String);

impl Output {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// To be called where a tag was: what stood on its two sides must not form another one.
    pub(super) fn seam(&mut self) {
        if self.0.ends_with('{') {
            self.0.pop();
            self.0.push_str("&#123;");
        }
    }

    /// Writes markup on a line of its own where a line begins, else within the paragraph, as the generator would. `rest` is
    /// what follows in the source.
    pub(super) fn block(&mut self, html: &str, rest: &str) {
        let Some(prefix) = self.prefix() else {
            // A paragraph within a paragraph would end it.
            let bare = html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>"));
            self.0.push_str(bare.unwrap_or(html));
            return;
        };
        self.0.push_str(html);
        self.end_block(&prefix, rest);
    }

    /// Whether nothing of a line is written but what begins a list item or a quotation.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.prefix().is_some()
    }

    /// A body of Markdown between two pieces of markup.
    pub(super) fn around(&mut self, before: &str, body: &str, after: &str, rest: &str) {
        let Some(prefix) = self.prefix() else {
            // Within a paragraph a body of one line stays there; a longer one ends the paragraph.
            if !body.trim().contains('\n') {
                self.0.push_str(before);
                self.0.push_str(body.trim());
                self.0.push_str(after);
                return;
            }
            self.0.push_str("\n\n");
            self.around(before, body, after, rest);
            return;
        };
        let blank = prefix.trim_end();
        let body = body.trim_start_matches(['\r', '\n']).trim_end();
        self.0.push_str(&format!("{before}\n{blank}\n"));
        if !body.starts_with([' ', '>', '\t']) {
            self.0.push_str(&prefix);
        }
        self.0.push_str(&format!("{body}\n{blank}\n{prefix}{after}"));
        self.end_block(&prefix, rest);
    }

    /// A block of markup goes on to the next blank line.
    fn end_block(&mut self, prefix: &str, rest: &str) {
        let blank = prefix.trim_end();
        let rest = rest.trim_start_matches([' ', '\t', '\r']);
        match rest.strip_prefix('\n') {
            None if rest.is_empty() => {}
            None => self.0.push_str(&format!("\n{blank}\n{prefix}")),
            Some(next) => {
                let next = next.trim_start_matches([' ', '\t', '\r', '>']);
                if !next.is_empty() && !next.starts_with('\n') {
                    self.0.push_str(&format!("\n{blank}"));
                }
            }
        }
    }

    /// What the lines of the same list item or quotation begin with; nothing within a line of text.
    fn prefix(&self) -> Option<String> {
        let line = self.line();
        let line = line.strip_prefix('\n').or_else(|| (line.len() == self.0.len()).then_some(line))?;
        let mut prefix = String::new();
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match c {
                ' ' | '\t' | '>' => prefix.push(c),
                '-' | '*' | '+' if after.starts_with([' ', '\t']) => prefix.push(' '),
                '0'..='9' => {
                    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    let marker = rest[digits..].starts_with(['.', ')']) && rest[digits + 1..].starts_with(' ');
                    if !marker || digits > 9 {
                        return None;
                    }
                    prefix.push_str(&" ".repeat(digits + 1));
                    rest = &rest[digits + 1..];
                    continue;
                }
                _ => return None,
            }
            rest = after;
        }
        Some(prefix)
    }

    /// The line that is being written, with the line end before it; of a long one its end.
    fn line(&self) -> &str {
        let mut from = self.0.len().saturating_sub(LOOK_BACK);
        while !self.0.is_char_boundary(from) {
            from += 1;
        }
        let tail = &self.0[from..];
        &tail[tail.rfind('\n').unwrap_or(0)..]
    }

    /// Whether a tag of HTML or the target of a link is being written: there an address may stand, and no markup.
    pub(super) fn is_within_markup(&self) -> bool {
        let line = self.line();
        if line.ends_with("](") || line.ends_with("](<") {
            return true;
        }
        let open = line.rfind('<').filter(|open| !line[*open..].contains('>'));
        open.is_some_and(|open| line[open + 1..].starts_with(|c: char| c.is_ascii_alphabetic()))
            || line.rfind("](").is_some_and(|open| !line[open..].contains([')', ' ']))
    }
}
