//! Tags as they stand in a text, whatever the syntax: their arguments, which of them enclose a body, and where code is.

use pulldown_cmark::{Event, Options, Parser, Tag as Element};
use std::collections::HashMap;
use std::ops::Range;

/// A piece of a text.
#[derive(Debug)]
pub(super) enum Item<'s> {
    /// What the syntax does not concern.
    Text(Range<usize>),
    /// What the author escaped, or the generator leaves: it looks like the syntax and is text.
    Literal { text: String, start: usize },
    /// A tag.
    Tag(Tag<'s>),
    /// What was meant as a tag and is none; it is left out.
    Broken { what: String, help: &'static str, start: usize },
}

impl Item<'_> {
    pub(super) fn start(&self) -> usize {
        match self {
            Item::Text(range) => range.start,
            Item::Tag(tag) => tag.start,
            Item::Literal { start, .. } | Item::Broken { start, .. } => *start,
        }
    }
}

/// A tag.
#[derive(Clone, Debug)]
pub(super) struct Tag<'s> {
    pub(super) name: &'s str,
    /// What a closing tag and its opening one share.
    pub(super) key: &'s str,
    pub(super) arguments: Vec<Argument>,
    pub(super) role: Role,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a tag may enclose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A body, if a closing tag follows.
    Open,
    /// The end of a body.
    Close,
    /// Never a body.
    Whole,
}

/// An argument. A list is its values, each with the list's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: String,
}

impl<'s> Tag<'s> {
    /// The value of the first of these names that is given and not empty.
    pub(super) fn named(&self, names: &[&str]) -> Option<&str> {
        let given = |name: &str| {
            self.arguments.iter().find(|argument| {
                argument.name.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(name))
                    && !argument.value.trim().is_empty()
            })
        };
        names.iter().find_map(|name| given(name)).map(|argument| argument.value.trim())
    }

    /// The value without a name at a place, from 0.
    pub(super) fn positional(&self, place: usize) -> Option<&str> {
        let argument = self.arguments.iter().filter(|argument| argument.name.is_none()).nth(place)?;
        Some(argument.value.trim()).filter(|value| !value.is_empty())
    }

    /// Whichever is given.
    pub(super) fn value(&self, names: &[&str], place: usize) -> Option<&str> {
        self.named(names).or_else(|| self.positional(place))
    }

    /// The tag as written, if it is short.
    pub(super) fn source(&self, text: &'s str) -> String {
        super::shortened(&text[self.start..self.end])
    }
}

/// Which opening and closing tags belong together: for each item its partner. A tag that is never closed encloses nothing.
pub(super) fn pair(items: &[Item<'_>]) -> Vec<Option<usize>> {
    let mut partners = vec![None; items.len()];
    let mut open: Vec<usize> = Vec::new();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        let Item::Tag(tag) = item else { continue };
        match tag.role {
            Role::Whole => {}
            Role::Open => {
                places.entry(tag.key).or_default().push(open.len());
                open.push(at);
            }
            Role::Close => {
                let Some(place) = places.get_mut(tag.key).and_then(Vec::pop) else { continue };
                partners[open[place]] = Some(at);
                partners[at] = Some(open[place]);
                // What stands above was never closed.
                for between in open.drain(place..).skip(1) {
                    if let Item::Tag(between) = &items[between]
                        && let Some(places) = places.get_mut(between.key)
                    {
                        places.pop();
                    }
                }
            }
        }
    }
    partners
}

/// Where the code of a Markdown text is. Asked in order.
pub(super) struct Code {
    ranges: Vec<Range<usize>>,
    next: usize,
}

impl Code {
    pub(super) fn of(text: &str) -> Self {
        let mut ranges = Vec::new();
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            if matches!(event, Event::Code(_) | Event::Start(Element::CodeBlock(_))) {
                ranges.push(range);
            }
        }
        Code { ranges, next: 0 }
    }

    /// Whether a place is in code.
    pub(super) fn holds(&mut self, at: usize) -> bool {
        self.range_at(at).is_some()
    }

    /// The code that a place is in.
    pub(super) fn range_at(&mut self, at: usize) -> Option<Range<usize>> {
        while self.next > 0 && self.ranges.get(self.next - 1).is_some_and(|range| at < range.end) {
            self.next -= 1;
        }
        while self.ranges.get(self.next).is_some_and(|range| range.end <= at) {
            self.next += 1;
        }
        self.ranges.get(self.next).filter(|range| range.start <= at).cloned()
    }
}

/// What may be spent on tags that turn out to be none: without it, each could cost as much as the text is long.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn of(text: &str) -> Self {
        Budget(text.len().saturating_mul(16).saturating_add(64 * 1024))
    }

    pub(super) fn is_left(&self) -> bool {
        self.0 > 0
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}

/// Finds ends of tags; what was once found is not searched for again.
pub(super) struct Ends<'s> {
    text: &'s str,
    mark: &'static str,
    next: Option<usize>,
}

impl<'s> Ends<'s> {
    pub(super) fn new(text: &'s str, mark: &'static str) -> Self {
        Ends { text, mark, next: text.find(mark) }
    }

    /// The first at or after a place; asked for in order.
    pub(super) fn after(&mut self, place: usize) -> Option<usize> {
        if self.next.is_some_and(|next| next < place) {
            self.next = self.text[place..].find(self.mark).map(|at| place + at);
        }
        self.next
    }
}
