//! The pass over a source, line by line, that takes out what only kramdown knows.

use super::attributes::{self, Attributes, Definitions};
use super::html::{Ends, Tag};
use super::lists::{Lists, Marker, indentation};
use super::spans::{MAX_SPAN, boundary_before, escaped};
use super::{Flavour, Kind, Note, PIECE, Piece, Place, Prepared};
use std::collections::HashSet;
use std::fmt::Write;

pub(super) struct Scanner<'s> {
    pub(super) source: &'s str,
    pub(super) flavour: Flavour,
    pub(super) done: Prepared,
    definitions: Definitions,
    pub(super) lists: Lists,
    /// The character and length of the fence that is open, and the blanks that its lines need before them.
    pub(super) fence: Option<(u8, usize, usize)>,
    /// Up to here there is no table.
    pub(super) no_table: usize,
    pub(super) after_blank: bool,
    /// The line before is a paragraph's.
    pub(super) in_paragraph: bool,
    /// The marker of a list item was just written: a block begins beside it.
    pub(super) at_marker: bool,
    pub(super) ends: Ends,
    /// What was searched for in vain and is not there further down either.
    absent: HashSet<&'static str>,
    pub(super) depth: usize,
    /// Where emphasis ends that is written as HTML, its end tag, and how much that stands for.
    pub(super) emphasis: Vec<(usize, &'static str, usize)>,
    /// Up to here, one asterisk, or two, are not closed.
    pub(super) unclosed: [usize; 2],
    /// Names of link definitions, where a link may name one behind a blank.
    pub(super) links: HashSet<String>,
}

impl<'s> Scanner<'s> {
    pub(super) fn new(source: &'s str, flavour: Flavour) -> Self {
        let spaced = flavour == Flavour::Kramdown && (source.contains("] [") || source.contains("]\n["));
        let links = if spaced { source.lines().filter_map(link_name).collect() } else { HashSet::new() };
        Scanner {
            source,
            flavour,
            done: Prepared { text: String::with_capacity(source.len() + 64), ..Prepared::default() },
            definitions: Definitions::new(),
            lists: Lists::default(),
            fence: None,
            no_table: 0,
            after_blank: true,
            in_paragraph: false,
            at_marker: false,
            ends: Ends::default(),
            absent: HashSet::new(),
            depth: 0,
            emphasis: Vec::new(),
            unclosed: [0; 2],
            links,
        }
    }

    pub(super) fn end(self) -> (Prepared, Definitions) {
        (self.done, self.definitions)
    }

    /// Reads a part of the source, from the beginning of a line.
    pub(super) fn run(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let end = self.source[at..to].find('\n').map_or(to, |end| at + end + 1);
            at = self.line(at, end, to).max(at + 1);
            while !self.source.is_char_boundary(at) {
                at += 1;
            }
        }
    }

    /// Reads a line, and what begins on it; where the next one begins.
    fn line(&mut self, at: usize, end: usize, to: usize) -> usize {
        let source = self.source;
        let line = &source[at..end];
        if line.trim().is_empty() {
            self.done.text.push_str(line);
            self.after_blank = true;
            self.in_paragraph = false;
            return end;
        }
        let quoted = quote_length(line);
        let (prefix, rest) = line.split_at(quoted);
        let (indent, bytes) = indentation(rest);
        let bare = rest[bytes..].trim_end();
        if let Some((byte, length, needed)) = self.fence {
            let _ = write!(self.done.text, "{:needed$}", "");
            if fence_mark(bare).is_some_and(|(other, longer, alone)| alone && other == byte && longer >= length) {
                self.fence = None;
            }
            self.done.text.push_str(line);
            self.after_blank = false;
            return end;
        }
        let after_blank = std::mem::replace(&mut self.after_blank, false);
        let in_paragraph = std::mem::replace(&mut self.in_paragraph, false);
        let boundary = after_blank || !in_paragraph;
        let list_content = if indent >= self.lists.content() { self.lists.content() } else { 0 };
        let is_code = indent >= list_content + 4 && boundary && quoted == 0;
        // In a list, it may belong to an item.
        let is_other = bare.starts_with("{:") || Marker::of(rest).is_some();
        if is_code && (self.lists.is_empty() || !is_other) {
            self.done.text.push_str(line);
            return end;
        }
        if let Some((byte, length, _)) = fence_mark(bare) {
            let kramdown = self.flavour == Flavour::Kramdown && quoted == 0;
            let needed = if kramdown { self.lists.text(indent, after_blank, true) } else { 0 };
            let _ = write!(self.done.text, "{:needed$}", "");
            self.fence = Some((byte, length, needed));
            self.done.text.push_str(line);
            return end;
        }
        if bare.starts_with("{:")
            && let Some(next) = self.extension(at + quoted + bytes, end, to, prefix, indent, after_blank)
        {
            return next;
        }
        if bare == "^" && self.flavour == Flavour::Kramdown {
            self.lists.end();
            self.block(prefix, String::new());
            return end;
        }
        if let Some((name, meaning)) = abbreviation(bare) {
            self.done.abbreviations.push((name.to_owned(), meaning.to_owned()));
            self.after_blank = after_blank;
            return end;
        }
        if bare.starts_with("$$")
            && boundary
            && let Some(next) = self.formula(at + quoted + bytes, to, &line[..quoted + bytes])
        {
            return next;
        }
        if bare.starts_with('<')
            && let Some(next) = self.element(at + quoted + bytes, to, &line[..quoted + bytes])
        {
            return next;
        }
        if quoted == 0
            && let Some(marker) = Marker::of(rest)
        {
            return self.item(at, end, marker, after_blank, in_paragraph);
        }
        if self.flavour == Flavour::Kramdown
            && quoted == 0
            && boundary
            && bare.contains('|')
            && let Some(next) = self.table(at, to, bytes)
        {
            return next;
        }
        if self.flavour == Flavour::Kramdown {
            let (indent, is_block) =
                if quoted > 0 { (indentation(line).0, true) } else { (indent, bare.starts_with("# ")) };
            let needed = self.lists.text(indent, after_blank, is_block);
            let _ = write!(self.done.text, "{:needed$}", "");
        }
        if self.flavour == Flavour::Kramdown {
            if let Some(name) = self.heading_id(at, end, to) {
                let attributes = Attributes { id: Some(name.2.to_owned()), ..Attributes::default() };
                let begin = self.done.text.len();
                self.done.notes.push(Note { at: begin, place: Place::Below, attributes });
                self.spans(at, at + name.0, to);
                self.done.text.push('\n');
                return end;
            }
            if bare.starts_with(':') && !bare[1..].starts_with([' ', '\t']) {
                // The parser takes it for a definition.
                let head = at + quoted + bytes;
                self.done.text.push_str(&source[at..head]);
                self.done.text.push_str("\\:");
                self.in_paragraph = true;
                return self.spans(head + 1, end, to);
            }
            if starts_like_other_list(bare) {
                // CommonMark's `1)` is no list here.
                let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
                let head = at + quoted + bytes + digits;
                self.done.text.push_str(&source[at..head]);
                self.done.text.push('\\');
                self.in_paragraph = true;
                return self.spans(head, end, to);
            }
        }
        self.in_paragraph = !bare.starts_with('#');
        self.spans(at, end, to)
    }

    /// The head of a list item.
    fn item(&mut self, at: usize, end: usize, marker: Marker, after_blank: bool, in_paragraph: bool) -> usize {
        let source = self.source;
        let line = &source[at..end];
        let bytes = indentation(line).1;
        if self.flavour == Flavour::Kramdown {
            if in_paragraph && self.lists.is_empty() && marker.ordered && !marker.first {
                // CommonMark lets only the number 1 end a paragraph.
                self.done.text.push('\n');
            }
            let needed = self.lists.item(marker, after_blank);
            let _ = write!(self.done.text, "{:needed$}", "");
        } else {
            self.lists.item(marker, true);
        }
        self.done.text.push_str(&line[..bytes]);
        match (self.flavour, marker.ordered) {
            (Flavour::Kramdown, false) => self.done.text.push('*'),
            _ => self.done.text.push_str(&line[bytes..bytes + marker.length]),
        }
        let mut text = at + bytes + marker.length;
        let behind = &source[text..end];
        let list = behind.trim_start();
        if let Some(length) = attributes::length(list) {
            let attributes = Attributes::parse(&list[2..length - 1]);
            self.done.notes.push(Note { at: self.done.text.len(), place: Place::Item, attributes });
            self.done.text.push_str(&behind[..behind.len() - list.len()]);
            text = end - list.len() + length;
            text += source[text..end].len() - source[text..end].trim_start_matches([' ', '\t']).len();
        }
        self.in_paragraph = true;
        // An item's text may begin with what begins a line.
        let (indent, skipped) = indentation(&source[text..end]);
        if indent <= 4 && source[text + skipped..end].starts_with('<') {
            let blanks = " ".repeat(marker.content);
            if let Some(tag) = Tag::at(&source[text + skipped..]).filter(|tag| tag.is_block() && !tag.empty)
                && self.flavour == Flavour::Kramdown
                && self.ends.of(&tag.name, &source[text + skipped + tag.length..]).is_some()
            {
                self.done.text.push(' ');
                self.at_marker = true;
                if let Some(next) = self.element(text + skipped, source.len(), &blanks) {
                    return next;
                }
                self.at_marker = false;
            }
        }
        self.spans(text, end, source.len())
    }

    /// A line that begins with `{:`. What it is not is text.
    fn extension(
        &mut self,
        at: usize,
        end: usize,
        to: usize,
        prefix: &str,
        indent: usize,
        after_blank: bool,
    ) -> Option<usize> {
        let source = self.source;
        let bare = source[at..end].trim_end();
        if let Some(rest) = bare.strip_prefix("{::") {
            let close = rest.find('}')?;
            if close + 1 != rest.len() && !rest.starts_with("comment") && !rest.starts_with("nomarkdown") {
                return None;
            }
            let name = &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())];
            if rest[..close].ends_with('/') {
                self.after_blank = true;
                return Some(end);
            }
            let name = match name {
                "comment" => "comment",
                "nomarkdown" => "nomarkdown",
                _ => "options",
            };
            let body = at + 3 + close + 1;
            let Some((inner, outer)) = self.stop(name, body, to) else {
                self.after_blank = after_blank;
                return Some(end);
            };
            if name == "nomarkdown" {
                self.block("", source[body..inner].to_owned());
            }
            let next = source[outer..to].find('\n').map_or(to, |end| outer + end + 1);
            if source[outer..next].trim().is_empty() {
                self.after_blank = true;
                return Some(next);
            }
            self.in_paragraph = true;
            return Some(self.spans(outer, next, to));
        }
        if bare.starts_with("{:/") {
            // What it would close is not open.
            return bare.ends_with('}').then_some(end);
        }
        // `{:name: .a}` defines a list.
        if let Some((name, list)) = bare[2..].strip_suffix('}').and_then(|inside| inside.split_once(':'))
            && !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && attributes::length(bare) == Some(bare.len())
        {
            self.definitions.entry(name.to_owned()).or_default().add(&Attributes::parse(list));
            self.after_blank = after_blank;
            return Some(end);
        }
        let mut rest = bare;
        let mut list = Attributes::default();
        while let Some(length) = attributes::length(rest) {
            list.add(&Attributes::parse(&rest[2..length - 1]));
            rest = rest[length..].trim_start();
        }
        if !rest.is_empty() || bare.is_empty() {
            return None;
        }
        let within = indent > 0 && !self.lists.is_empty() && indent >= self.lists.content().min(2);
        let place = if after_blank { Place::Below } else { Place::Above { within } };
        self.done.notes.push(Note { at: self.done.text.len(), place, attributes: list });
        // The block above ends here; the one below begins.
        let _ = writeln!(self.done.text, "{}", prefix.trim_end());
        self.after_blank = true;
        Some(end)
    }

    /// Where `{:/name}` or `{:/}` begins and ends.
    pub(super) fn stop(&mut self, name: &'static str, from: usize, to: usize) -> Option<(usize, usize)> {
        if self.absent.contains(name) {
            return None;
        }
        let mut at = from;
        while let Some(found) = self.source[at..to].find("{:/").map(|found| at + found) {
            let rest = &self.source[found + 3..to];
            if let Some(rest) = rest.strip_prefix(name).unwrap_or(rest).strip_prefix('}') {
                return Some((found, to - rest.len()));
            }
            at = found + 3;
        }
        self.absent.insert(name);
        None
    }

    /// A formula that is a block of its own.
    fn formula(&mut self, at: usize, to: usize, before: &str) -> Option<usize> {
        let inside = at + 2;
        if self.absent.contains("$$") {
            return None;
        }
        let window = boundary_before(self.source, (inside + MAX_SPAN).min(to));
        let Some(close) = self.source[inside..window].find("$$").map(|close| inside + close) else {
            if window == to {
                self.absent.insert("$$");
            }
            return None;
        };
        let behind = close + 2;
        let next = self.source[behind..to].find('\n').map_or(to, |end| behind + end + 1);
        if close == inside || !self.source[behind..next].trim().is_empty() {
            return None;
        }
        let html = format!("<p>{}</p>", escaped(&self.source[at..behind]));
        self.block(before, html);
        Some(next)
    }

    /// The length of a heading without its `{#id}`, whether it is underlined, and the id.
    fn heading_id(&self, at: usize, end: usize, to: usize) -> Option<(usize, bool, &'s str)> {
        let source = self.source;
        let line = source[at..end].trim_end();
        let inside = line.strip_suffix('}')?;
        let (text, id) = inside.rsplit_once("{#")?;
        let name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
        if id.is_empty() || !id.chars().all(name) || text.trim().is_empty() {
            return None;
        }
        let hashes = text.trim_start().trim_start_matches('#');
        let is_atx = hashes.len() < text.trim_start().len() && hashes.starts_with([' ', '\t']);
        let under = source[end..to].lines().next().unwrap_or_default().trim_end();
        let is_setext = under.len() > 1 && (under.bytes().all(|b| b == b'=') || under.bytes().all(|b| b == b'-'));
        (is_atx || is_setext).then_some((text.trim_end().len(), is_setext, id))
    }

    /// Begins a block, behind what indents or quotes it.
    pub(super) fn apart(&mut self, before: &str) {
        if !std::mem::take(&mut self.at_marker) {
            let _ = write!(self.done.text, "{}\n{before}", before.trim_end());
        }
    }

    /// HTML as a block of its own, behind what indents it.
    pub(super) fn block(&mut self, before: &str, html: String) {
        self.apart(before);
        self.piece(html, Kind::Block);
        let _ = write!(self.done.text, "\n{}\n", before.trim_end());
        self.after_blank = true;
    }

    pub(super) fn piece(&mut self, html: String, kind: Kind) {
        let _ = write!(self.done.text, "{}{}{}", PIECE.0, self.done.pieces.len(), PIECE.1);
        self.done.pieces.push(Piece { html, kind });
    }
}

/// `> > ` at the head of a line.
fn quote_length(line: &str) -> usize {
    let mut at = 0;
    loop {
        let blanks = line[at..].bytes().take_while(|b| *b == b' ').count();
        if blanks > 3 || !line[at + blanks..].starts_with('>') {
            return at;
        }
        at += blanks + 1;
        if line[at..].starts_with(' ') {
            at += 1;
        }
    }
}

/// The character and length of a fence, and whether nothing follows it.
fn fence_mark(line: &str) -> Option<(u8, usize, bool)> {
    let byte = *line.as_bytes().first()?;
    let length = line.bytes().take_while(|b| *b == byte).count();
    let is_mark = matches!(byte, b'`' | b'~') && length >= 3 && !(byte == b'`' && line[length..].contains('`'));
    is_mark.then_some((byte, length, line.len() == length))
}

/// `*[HTML]: Hypertext Markup Language`
fn abbreviation(line: &str) -> Option<(&str, &str)> {
    let (name, meaning) = line.strip_prefix("*[")?.split_once("]:")?;
    (!name.is_empty()).then(|| (name, meaning.trim()))
}

/// `1) `
fn starts_like_other_list(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (1..=9).contains(&digits) && line[digits..].starts_with(')')
}

/// The name that a link definition gives, in lower case.
fn link_name(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix('[')?;
    let (name, target) = rest.split_once("]:")?;
    (!name.starts_with('^') && !target.trim().is_empty()).then(|| name.to_lowercase())
}
