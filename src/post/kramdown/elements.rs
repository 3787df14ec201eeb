//! Elements of HTML between Markdown: they pass the parser by, save for the Markdown that `markdown="1"` lets stand in them.

use super::html::{self, Inside, Tag};
use super::lists::indentation;
use super::scan::Scanner;
use super::{Flavour, Kind};
use std::fmt::Write;

/// Elements with Markdown inside each other.
const MAX_DEPTH: usize = 16;

impl Scanner<'_> {
    /// Elements of HTML that are blocks, and the rest of the line that they end on. Where that ends.
    pub(super) fn element(&mut self, at: usize, to: usize, before: &str) -> Option<usize> {
        let source = self.source;
        let mut outer = self.one_element(at, to, before)?;
        loop {
            self.after_blank = true;
            let next = source[outer..to].find('\n').map_or(to, |end| outer + end + 1);
            if source[outer..next].trim().is_empty() {
                return Some(next);
            }
            let text = outer + indentation(&source[outer..next]).1;
            self.done.text.push_str(before);
            if source[text..].starts_with('<') {
                self.at_marker = true;
                if let Some(end) = self.one_element(text, to, before) {
                    outer = end;
                    continue;
                }
                self.at_marker = false;
            }
            self.after_blank = false;
            self.in_paragraph = true;
            return Some(self.spans(text, next, to));
        }
    }

    /// An element of HTML that is a block. Where it ends.
    fn one_element(&mut self, at: usize, to: usize, before: &str) -> Option<usize> {
        let source = self.source;
        let tag = Tag::at(&source[at..to])?;
        let behind = at + tag.length;
        let (start, said) = html::markdown_attribute(&source[at..behind], tag.is_one_line());
        if self.flavour == Flavour::CommonMark && said.is_none() || !tag.is_block() && said.is_none() || tag.empty {
            return None;
        }
        let (inner, outer) = self.ends.of(&tag.name, &source[behind..to])?;
        let (inner, outer) = (behind + inner, behind + outer);
        if !tag.is_block() && source[behind..inner].contains('\n') {
            return None;
        }
        match said.unwrap_or(Inside::Text) {
            Inside::Text => self.raw(behind, outer, start, before),
            _ if self.depth >= MAX_DEPTH => self.block(before, source[at..outer].to_owned()),
            Inside::Spans => {
                self.apart(before);
                self.piece(start, Kind::Open);
                self.spans(behind, inner, inner);
                self.piece(source[inner..outer].to_owned(), Kind::Close);
                let _ = write!(self.done.text, "\n{}\n", before.trim_end());
            }
            Inside::Blocks => {
                self.depth += 1;
                self.block(before, start);
                let lists = std::mem::take(&mut self.lists);
                // From the beginning of the text's own line, or what of it the tag leaves.
                let text =
                    source[behind..inner].find('\n').filter(|end| source[behind..behind + end].trim().is_empty());
                let text = text.map_or(behind, |end| behind + end + 1);
                if text == behind {
                    self.done.text.push_str(before);
                    self.run(behind + indentation(&source[behind..inner]).1, inner);
                } else {
                    self.run(text, inner);
                }
                self.fence = None;
                self.lists = lists;
                self.done.text.push('\n');
                self.block(before, source[inner..outer].to_owned());
                self.depth -= 1;
            }
        }
        Some(outer)
    }

    /// An element as it is, save for elements in it that hold Markdown.
    fn raw(&mut self, behind: usize, outer: usize, start: String, before: &str) {
        let source = self.source;
        let mut from = behind;
        let mut kept = start;
        while let Some(found) = source[from..outer].find("markdown=").map(|found| from + found) {
            let open = source[from..found].rfind('<').map(|open| from + open);
            let tag = open.and_then(|open| Tag::at(&source[open..outer]).map(|tag| (open, tag)));
            let ours = tag.filter(|(open, tag)| open + tag.length > found && self.depth < MAX_DEPTH);
            let Some((open, tag)) = ours else {
                kept.push_str(&source[from..found + 9]);
                from = found + 9;
                continue;
            };
            kept.push_str(&source[from..open]);
            let inner_start = open + tag.length;
            let (start, said) = html::markdown_attribute(&source[open..inner_start], tag.is_one_line());
            let end = self.ends.of(&tag.name, &source[inner_start..outer]);
            let (Some((inner, end)), Some(inside @ (Inside::Blocks | Inside::Spans))) = (end, said) else {
                kept.push_str(&start);
                from = inner_start;
                continue;
            };
            kept.push_str(&start);
            self.block(before, std::mem::take(&mut kept));
            self.depth += 1;
            let lists = std::mem::take(&mut self.lists);
            if inside == Inside::Blocks {
                self.run(inner_start, inner_start + inner);
                self.done.text.push_str("\n\n");
            } else {
                self.piece(String::new(), Kind::Open);
                self.spans(inner_start, inner_start + inner, inner_start + inner);
                self.piece(String::new(), Kind::Close);
                self.done.text.push_str("\n\n");
            }
            self.lists = lists;
            self.depth -= 1;
            kept.push_str(&source[inner_start + inner..inner_start + end]);
            from = inner_start + end;
        }
        kept.push_str(&source[from..outer]);
        self.block(before, kept);
    }
}
