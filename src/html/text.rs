//! Plain text from clean markup: lines that a person would have written in a mail.

use super::columns::{self, Table};
use super::markup::{self, Tag, Token};

/// Deeper quotes and lists are not indented further, so that a line keeps room for words.
const MAX_INDENTS: usize = 8;

/// The words alone, on one line: of the text, or where there is none, of the headings.
pub(super) fn words(html: &str) -> String {
    let text = collect_words(html, |name| is_unspoken(name) || is_heading(name));
    if text.is_empty() { collect_words(html, is_unspoken) } else { text }
}

fn collect_words(html: &str, is_hidden: fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut hidden = 0_usize;
    for token in markup::tokens(html) {
        let name = match token {
            Token::Text(piece) => {
                if hidden == 0 {
                    text.push_str(&markup::unescape(piece));
                }
                continue;
            }
            Token::Start(tag) => {
                hidden += usize::from(is_hidden(tag.name));
                tag.name
            }
            Token::End(name) => {
                hidden = hidden.saturating_sub(usize::from(is_hidden(name)));
                name
            }
        };
        if is_block(name) || name == "br" {
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text with its lists, quotes, code and links.
pub(super) fn with_links(html: &str, width: usize) -> String {
    let mut page = Page { width, ..Page::default() };
    for token in markup::tokens(html) {
        match token {
            Token::Text(text) => page.text(&markup::unescape(text)),
            Token::Start(tag) => page.start(&tag),
            Token::End(name) => page.end(name),
        }
    }
    page.line_break();
    page.references();
    page.out.trim_matches('\n').to_owned() + if page.out.trim().is_empty() { "" } else { "\n" }
}

/// An open quote, list or list item.
struct Indent {
    /// What its first line starts with, until it was written.
    first: Option<String>,
    /// What each further line starts with.
    rest: String,
}

#[derive(Default)]
struct Page {
    width: usize,
    out: String,
    line: String,
    /// Columns of `line`.
    length: usize,
    /// White space is due before the next word.
    space: bool,
    /// A blank line is due before the next one, inside that many indents.
    blank: Option<usize>,
    indents: Vec<Indent>,
    /// Open lists: the next number, `None` in a bulleted one.
    lists: Vec<Option<u64>>,
    /// Open links: target, and their text so far.
    links: Vec<(String, String)>,
    /// Open `sup`: a link in it is a footnote's number.
    raised: usize,
    preformatted: usize,
    hidden: usize,
    /// Targets of links, in the order of their numbers.
    targets: Vec<String>,
    /// Open tables; of one in another only the words are kept.
    tables: Vec<Table>,
}

impl Page {
    fn text(&mut self, text: &str) {
        if self.hidden > 0 {
            return;
        }
        if let Some((_, said)) = self.links.last_mut() {
            said.push_str(text);
            if self.raised > 0 {
                let mark = format!("({})", text.trim().trim_matches(['[', ']']));
                self.space = false;
                self.word(&mark);
                return;
            }
        }
        if self.preformatted > 0 && self.tables.is_empty() {
            let mut lines = text.split('\n');
            self.line.push_str(lines.next().unwrap_or_default());
            for line in lines {
                self.write_line(true);
                self.line.push_str(line);
            }
            return;
        }
        // A no-break space is a character of its word.
        let is_space = |c: char| c.is_whitespace() && c != '\u{a0}';
        self.space |= text.starts_with(is_space);
        let mut words = text.split(is_space).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            self.word(word);
            self.space = words.peek().is_some() || text.ends_with(is_space);
        }
    }

    fn word(&mut self, word: &str) {
        if let Some(table) = self.tables.last_mut() {
            if let Some(cell) = table.cell() {
                if self.space && !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(word);
            }
            self.space = false;
            return;
        }
        let length = columns::of(word);
        let prefix: usize = self.indents.iter().take(MAX_INDENTS).map(|indent| indent.rest.chars().count()).sum();
        let room = self.width.saturating_sub(prefix).max(20);
        if self.width > 0 && length + self.length > room && word.chars().any(|c| columns::of_char(c) == 2) {
            return self.characters(word, room);
        }
        if self.space && self.length > 0 {
            if self.width > 0 && self.length + 1 + length > room {
                self.write_line(false);
            } else {
                self.line.push(' ');
                self.length += 1;
            }
        }
        self.space = false;
        self.line.push_str(word);
        self.length += length;
    }

    /// A word of square characters, which breaks between any two of them.
    fn characters(&mut self, word: &str, room: usize) {
        if std::mem::take(&mut self.space) && self.length > 0 {
            self.line.push(' ');
            self.length += 1;
        }
        let mut square = true;
        for c in word.chars() {
            let width = columns::of_char(c);
            let breaks = (square || width == 2) && columns::may_begin(c);
            if self.length > 0 && self.length + width > room && breaks {
                self.write_line(false);
            }
            self.line.push(c);
            self.length += width;
            square = width == 2;
        }
    }

    /// A link's number, which does not part from the word before it.
    fn mark(&mut self, mark: &str) {
        let last = self.line.rfind(' ').filter(|_| self.tables.is_empty() && self.space && self.width > 0);
        let prefix: usize = self.indents.iter().take(MAX_INDENTS).map(|indent| indent.rest.chars().count()).sum();
        if let Some(at) = last.filter(|_| prefix + self.length + 1 + mark.len() > self.width) {
            let word = self.line.split_off(at);
            self.write_line(false);
            self.word(word.trim_start());
            self.space = true;
        }
        self.word(mark);
    }

    /// The number of a link's target.
    fn number(&mut self, target: &str) -> usize {
        let known = self.targets.iter().position(|known| known == target);
        known.unwrap_or_else(|| {
            self.targets.push(target.to_owned());
            self.targets.len() - 1
        }) + 1
    }

    /// Where the numbered links lead.
    fn references(&mut self) {
        let targets = std::mem::take(&mut self.targets);
        if !targets.is_empty() {
            self.separate();
        }
        for (at, target) in targets.iter().enumerate() {
            self.line = format!("[{}] {target}", at + 1);
            self.write_line(false);
        }
    }

    /// A heading has a line under it, as long as its last one.
    fn end_heading(&mut self) {
        let length = self.length;
        self.write_line(false);
        if length > 0 && self.indents.is_empty() {
            self.line = "-".repeat(length);
            self.write_line(false);
        }
        self.separate();
    }

    /// A table is set when it is whole, since the widths of its columns are known only then.
    fn end_table(&mut self) {
        let Some(table) = self.tables.pop() else { return };
        if !self.tables.is_empty() {
            // Of a table in a cell, the words.
            for word in table.lines(0).join(" ").split_whitespace() {
                self.space = true;
                self.word(word);
            }
            return;
        }
        let prefix: usize = self.indents.iter().take(MAX_INDENTS).map(|indent| indent.rest.chars().count()).sum();
        self.separate();
        for line in table.lines(self.width.saturating_sub(prefix)) {
            match self.width > 0 && columns::of(&line) > self.width {
                true => self.text(&line),
                false => self.line = line,
            }
            self.write_line(false);
        }
        self.separate();
    }

    /// Ends the line, if there is one; `even_empty` lines are those of code.
    fn write_line(&mut self, even_empty: bool) {
        let line = std::mem::take(&mut self.line);
        self.length = 0;
        self.space = false;
        if line.trim().is_empty() && !even_empty {
            return;
        }
        let mut prefix = String::new();
        if let Some(depth) = self.blank.take()
            && !self.out.is_empty()
        {
            let quote: String = self
                .indents
                .iter()
                .take(depth.min(MAX_INDENTS))
                .filter(|i| i.first.is_none())
                .map(|i| &*i.rest)
                .collect();
            self.out.push_str(quote.trim_end());
            self.out.push('\n');
        }
        for indent in self.indents.iter_mut().take(MAX_INDENTS) {
            match indent.first.take() {
                Some(first) => prefix.push_str(&first),
                None => prefix.push_str(&indent.rest),
            }
        }
        let whole = prefix + line.trim_end();
        self.out.push_str(whole.trim_end());
        self.out.push('\n');
    }

    fn line_break(&mut self) {
        self.write_line(false);
    }

    fn paragraph(&mut self) {
        self.write_line(false);
        self.separate();
    }

    fn separate(&mut self) {
        let depth = self.indents.len();
        self.blank = Some(self.blank.map_or(depth, |blank| blank.min(depth)));
    }

    fn start(&mut self, tag: &Tag<'_>) {
        // In a cell, what would begin a line parts words.
        if !self.tables.is_empty() && (is_block(tag.name) || tag.name == "br") && !is_of_table(tag.name) {
            self.space = true;
            return;
        }
        match tag.name {
            "br" => self.write_line(self.preformatted > 0),
            "hr" => {
                self.paragraph();
                self.text("----");
                self.paragraph();
            }
            "img" => {
                if let Some(alt) = tag.attribute("alt").filter(|alt| !alt.trim().is_empty()) {
                    self.text(&format!("[{}]", alt.trim()));
                }
            }
            "sup" => self.raised += 1,
            "a" if self.raised > 0 => self.links.push((String::new(), String::new())),
            "a" => {
                let target = tag.attribute("href").unwrap_or_default();
                self.links.push((target, String::new()));
            }
            "audio" | "video" => {
                if let Some(target) = tag.attribute("src") {
                    self.text(&format!(" <{target}> "));
                }
            }
            "source" => {
                if let Some(target) = tag.attribute("src") {
                    self.text(&format!(" <{target}> "));
                }
            }
            "blockquote" => {
                self.paragraph();
                self.indents.push(Indent { first: None, rest: "> ".into() });
            }
            "ul" | "ol" => {
                let nested = !self.lists.is_empty();
                self.write_line(false);
                if !nested {
                    self.separate();
                }
                let start = tag.attribute("start").and_then(|start| start.trim().parse().ok()).unwrap_or(1);
                self.lists.push((tag.name == "ol").then_some(start));
            }
            "li" => {
                self.write_line(false);
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ => "* ".to_owned(),
                };
                let rest = " ".repeat(mark.len());
                self.indents.push(Indent { first: Some(mark), rest });
            }
            "dd" => {
                self.write_line(false);
                self.indents.push(Indent { first: None, rest: "    ".into() });
            }
            "pre" => {
                self.paragraph();
                self.preformatted += 1;
                self.indents.push(Indent { first: None, rest: "    ".into() });
            }
            "table" => {
                if self.tables.is_empty() {
                    self.paragraph();
                }
                self.tables.push(Table::default());
            }
            "tr" => self.tables.last_mut().into_iter().for_each(Table::begin_row),
            "td" | "th" => {
                let is_head = tag.name == "th";
                self.tables.last_mut().into_iter().for_each(|table| table.begin_cell(is_head));
            }
            "thead" | "tbody" | "tfoot" | "dt" | "figcaption" | "summary" | "caption" => self.write_line(false),
            name if is_unspoken(name) => self.hidden += 1,
            name if is_block(name) => self.start_block(),
            _ => {}
        }
    }

    /// A paragraph right after a list mark stays on its line.
    fn start_block(&mut self) {
        let at_mark = self.line.is_empty() && self.indents.last().is_some_and(|indent| indent.first.is_some());
        self.write_line(false);
        if !at_mark {
            self.separate();
        }
    }

    fn end(&mut self, name: &str) {
        if !self.tables.is_empty() && is_block(name) && !is_of_table(name) {
            self.space = true;
            return;
        }
        match name {
            "sup" => self.raised = self.raised.saturating_sub(1),
            "a" => {
                if let Some((target, said)) = self.links.pop()
                    && worth_showing(&target, &said)
                {
                    let number = self.number(&target);
                    self.space |= !said.is_empty();
                    self.mark(&format!("[{number}]"));
                }
            }
            "blockquote" => {
                self.write_line(false);
                self.indents.pop();
                self.separate();
            }
            "ul" | "ol" => {
                self.write_line(false);
                self.lists.pop();
                if self.lists.is_empty() {
                    self.separate();
                }
            }
            "li" | "dd" => {
                self.write_line(false);
                self.indents.pop();
                self.blank = None;
            }
            "pre" => {
                self.write_line(false);
                self.preformatted = self.preformatted.saturating_sub(1);
                self.indents.pop();
                self.separate();
            }
            "td" | "th" => self.space = true,
            "table" => self.end_table(),
            "thead" | "tbody" | "tfoot" | "tr" | "dt" | "figcaption" | "summary" | "caption" => self.write_line(false),
            name if is_unspoken(name) => self.hidden = self.hidden.saturating_sub(1),
            name if is_heading(name) && self.tables.is_empty() => self.end_heading(),
            name if is_block(name) => self.paragraph(),
            _ => {}
        }
    }
}

/// A target that says more than the link's text does.
fn worth_showing(target: &str, said: &str) -> bool {
    let said = said.trim();
    let bare =
        |url: &str| url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/').to_owned();
    !target.is_empty() && bare(target) != bare(said) && target.strip_prefix("mailto:") != Some(said)
}

/// Markup beside the text: a formula's source, subtitles of a player.
fn is_unspoken(name: &str) -> bool {
    matches!(name, "annotation" | "rp")
}

fn is_of_table(name: &str) -> bool {
    matches!(name, "table" | "tr" | "td" | "th")
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "figcaption"
            | "figure"
            | "footer"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "li"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "th"
            | "thead"
            | "tr"
            | "ul"
    )
}

#[cfg(test)]
mod tests {
    fn text(html: &str, width: usize) -> String {
        crate::html::clean(html, &"https://a.example/p".parse().expect("a URL")).to_text(width)
    }

    #[test]
    fn a_page_reads_like_a_letter() {
        let html = "<h2>Title</h2><p>One <a href=/x>link</a> and <a href=https://b.example>b.example</a>,<br>a line.</p>\
                    <ul><li>a<ul><li>b</li></ul></li><li><p>c</p><p>d</p></li></ul><ol start=9><li>e</li><li>f</li></ol>\
                    <blockquote><p>g</p><p>h</p></blockquote><pre><code>i {\n  j\n\n}</code></pre>\
                    <table><thead><tr><th>k</th><th>l</th></tr></thead><tr><td>m</td><td>n</td></tr></table>\
                    <p>o<sup><a href=#1>1</a></sup> <img src=i.png alt=Picture></p><hr><dl><dt>p</dt><dd>q</dd></dl>";
        let expected = "Title\n-----\n\nOne link [1] and b.example,\na line.\n\n* a\n  * b\n* c\n\n  d\n\n9. e\n10. f\n\n\
                        > g\n>\n> h\n\n    i {\n      j\n\n    }\n\nk   l\n-   -\nm   n\n\no(1) [Picture]\n\n----\n\np\n    q\n\n[1] https://a.example/x\n";
        assert_eq!(text(html, 0), expected);
    }

    #[test]
    fn lines_are_wrapped_between_words_only() {
        assert_eq!(text("<p>one two three four five</p>", 20), "one two three four\nfive\n");
        assert_eq!(
            text("<blockquote><p>one two three four five six</p></blockquote>", 24),
            "> one two three four\n> five six\n"
        );
        assert_eq!(
            text("<p>a&nbsp;b <a href=/very/long/path/without/a/place/to/break>x</a></p>", 20),
            "a\u{a0}b x [1]\n\n[1] https://a.example/very/long/path/without/a/place/to/break\n"
        );
        assert_eq!(text("", 20), "");
        assert_eq!(text("<p> </p>", 20), "");
    }

    #[test]
    fn tables_stand_in_columns_where_they_fit() {
        let table = "<table><tr><th>Week</th><th>Eels seen</th></tr><tr><td>46</td><td><p>none <a href=/n>yet</a></p></td></tr>\
                     <tr><td>漢字</td><td>x</td></tr></table><p>After</p>";
        let link = "\n\n[1] https://a.example/n\n";
        assert_eq!(
            text(table, 40),
            format!("Week   Eels seen\n----   ------------\n46     none yet [1]\n漢字   x\n\nAfter{link}")
        );
        let narrow = "<table><tr><td>one two three four</td><td>five six seven eight</td></tr></table>";
        assert_eq!(text(narrow, 30), "one two three four | five six\nseven eight\n");
        assert_eq!(text("<table><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>", 30), "a b\n");
        assert_eq!(text("<ul><li>a<table><tr><td>b</td></tr></table></li><li>c</li></ul>", 30), "* a\n\n  b\n* c\n");
    }

    #[test]
    fn square_characters_break_anywhere_but_before_what_closes() {
        assert_eq!(text("<p>漢字漢字漢字漢字漢字，漢字</p>", 20), "漢字漢字漢字漢字漢字，\n漢字\n");
        assert_eq!(text("<p>See 漢字漢字漢字漢字漢字漢字 now</p>", 20), "See 漢字漢字漢字漢字\n漢字漢字 now\n");
    }

    #[test]
    fn a_links_number_stays_with_its_word() {
        let html = "<p>one two three <a href=/a>four</a> five</p>";
        assert_eq!(text(html, 20), "one two three\nfour [1] five\n\n[1] https://a.example/a\n");
    }

    #[test]
    fn a_link_has_one_number_wherever_it_stands() {
        let html = "<p><a href=/a>one</a>, <a href=/b>two</a>, <a href=/a>one again</a></p>";
        assert_eq!(
            text(html, 72),
            "one [1], two [2], one again [1]\n\n[1] https://a.example/a\n[2] https://a.example/b\n"
        );
    }

    #[test]
    fn words_are_the_texts() {
        let clean = |html| crate::html::clean(html, &"https://a.example/p".parse().expect("a URL"));
        assert_eq!(clean("<h1>T</h1><p>a<br>b</p><p><b>c</b>d</p>").to_words(), "a b cd");
        assert_eq!(clean("<h1>T</h1>").to_words(), "T");
        assert!(clean("<p> <span></span></p>").is_empty());
        assert!(!clean("<img src=a.png>").is_empty());
    }
}
