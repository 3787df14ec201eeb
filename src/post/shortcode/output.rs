//! The Markdown that is being written. It knows where a line stands, so that markup of its own neither swallows the text
//! around it nor falls out of the list or quotation that holds it.

/// How far back a line is looked at.
const LOOK_BACK: usize = 2048;

#[derive(Default)]
pub(super) struct Output {
    text: String,
    /// Whether the blanks that follow in the source would indent a line.
    skip_blanks: bool,
}

impl Output {
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn text(&mut self, mut text: &str) {
        if self.skip_blanks {
            text = text.trim_start_matches([' ', '\t']);
            self.skip_blanks = text.is_empty();
        }
        self.text.push_str(text);
    }

    /// Writes into code. Nothing at all would leave only the marks of a code span.
    pub(super) fn code(&mut self, text: &str) {
        let text = text.replace("{{", "{ {").replace("{%", "{ %");
        self.text(if text.trim().is_empty() { "…" } else { &text });
    }

    /// To be called where a tag was: what stood on its two sides must not form another one.
    pub(super) fn seam(&mut self) {
        if self.text.ends_with('{') {
            self.text.pop();
            self.text.push_str("&#123;");
        }
    }

    /// Writes markup on a line of its own; within the paragraph where it is only a paragraph itself, or stands in something
    /// that cannot be parted. `rest` is what follows in the source.
    pub(super) fn block(&mut self, html: &str, rest: &str) {
        let (prefix, line) = self.container();
        if !line.is_empty() {
            let bare = html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>"));
            if bare.is_some()
                || line.starts_with('#')
                || line.contains(['|', '[', '<', '`'])
                || line.len() > LOOK_BACK / 2
            {
                self.text(bare.unwrap_or(html));
                return;
            }
            let blank = prefix.trim_end();
            self.text.push_str(&format!("\n{blank}\n{prefix}"));
        }
        self.text(html);
        self.end_block(&prefix, rest);
    }

    /// Whether nothing of a line is written but what begins a list item or a quotation.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.container().1.is_empty()
    }

    /// A body of Markdown between two pieces of markup.
    pub(super) fn around(&mut self, before: &str, body: &str, after: &str, rest: &str) {
        let (prefix, line) = self.container();
        let blank = prefix.trim_end();
        if !line.is_empty() {
            if line.starts_with('#') || line.contains(['|', '[', '<', '`']) {
                self.text(&format!("{before}{}{after}", body.trim()));
                return;
            }
            self.text.push_str(&format!("\n{blank}\n{prefix}"));
        }
        let body = body.trim_start_matches(['\r', '\n']).trim_end();
        self.text(&format!("{before}\n{blank}\n"));
        if !body.starts_with([' ', '>', '\t']) {
            self.text.push_str(&prefix);
        }
        self.text.push_str(&format!("{body}\n{blank}\n{prefix}{after}"));
        self.end_block(&prefix, rest);
    }

    /// A block of markup goes on to the next blank line.
    fn end_block(&mut self, prefix: &str, rest: &str) {
        let blank = prefix.trim_end();
        let rest = rest.trim_start_matches([' ', '\t', '\r']);
        match rest.strip_prefix('\n') {
            None if rest.is_empty() => {}
            None => {
                self.text.push_str(&format!("\n{blank}\n{prefix}"));
                self.skip_blanks = true;
            }
            Some(next) => {
                let next = next.trim_start_matches([' ', '\t', '\r', '>']);
                if !next.is_empty() && !next.starts_with('\n') {
                    self.text.push_str(&format!("\n{blank}"));
                }
            }
        }
    }

    /// What the lines of the same list item or quotation begin with, and what of the line is written already.
    fn container(&self) -> (String, &str) {
        let line = self.line();
        let line = line.strip_prefix('\n').unwrap_or(line);
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
                        break;
                    }
                    prefix.push_str(&" ".repeat(digits + 1));
                    rest = &rest[digits + 1..];
                    continue;
                }
                _ => break,
            }
            rest = after;
        }
        (prefix, rest)
    }

    /// The line that is being written, with the line end before it; of a long one its end.
    fn line(&self) -> &str {
        let mut from = self.text.len().saturating_sub(LOOK_BACK);
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        let tail = &self.text[from..];
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
