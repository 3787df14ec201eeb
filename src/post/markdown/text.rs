//! The text of a post as kramdown sets it: marks and dashes, escapes, abbreviations, heading ids, and emphasis where CommonMark sees
//! none.

use super::{PIECE, Prepared, Spanned};
use crate::post::kramdown::{Before, Flavour, opens_raw, set};
use pulldown_cmark::{CowStr, Event, Tag, TagEnd};
use std::collections::HashMap;
use std::ops::Range;

/// What kramdown's GFM parser lets a backslash stand before.
const ESCAPABLE: &str = "\\.*_+`<>()[]{}#!:|\"'$=-~";

/// How far the end of an element among text is searched.
const MAX_ELEMENT: usize = 8 * 1024;

/// The events as they are to be rendered.
pub(super) fn finish<'s>(events: Vec<Spanned<'s>>, prepared: &'s Prepared, flavour: Flavour) -> Vec<Spanned<'s>> {
    let mut setter = Setter {
        source: &prepared.text,
        prepared,
        flavour,
        out: Vec::with_capacity(events.len()),
        before: Before::Nothing,
        told: 0,
        code: false,
        term: false,
        pictures: 0,
        raw: None,
        depth: 0,
        heading: None,
        ids: HashMap::new(),
        within_word: false,
        stars: Vec::new(),
    };
    let mut events = events.into_iter().peekable();
    let mut swapped: Vec<Range<usize>> = Vec::new();
    let is_stars = |text: &str| !text.is_empty() && text.bytes().all(|b| b == b'*');
    while let Some((mut event, mut range)) = events.next() {
        // The parser parts asterisks that it takes for text.
        while let (Event::Text(text), Some((Event::Text(next), behind))) = (&event, events.peek())
            && is_stars(text)
            && is_stars(next)
            && range.end == behind.start
        {
            event = Event::Text(format!("{text}{next}").into());
            range.end = behind.end;
            events.next();
        }
        // Of `***a***`, kramdown makes the outer one strong.
        let is_both =
            |outer: &Range<usize>, inner: &Range<usize>| outer.start + 1 == inner.start && inner.end + 1 == outer.end;
        if flavour == Flavour::Kramdown
            && matches!(event, Event::Start(Tag::Emphasis))
            && let Some((inner @ Event::Start(Tag::Strong), within)) = events.peek_mut()
            && is_both(&range, within)
        {
            *inner = Event::Start(Tag::Emphasis);
            event = Event::Start(Tag::Strong);
            swapped.push(range.clone());
        }
        if let Event::End(TagEnd::Strong | TagEnd::Emphasis) = event
            && let Some(outer) = swapped.last()
        {
            if *outer == range {
                event = Event::End(TagEnd::Strong);
                swapped.pop();
            } else if is_both(outer, &range) {
                event = Event::End(TagEnd::Emphasis);
            }
        }
        let told = if matches!(event, Event::Start(_)) { range.start } else { range.end };
        setter.event(event, range);
        setter.told = told;
    }
    setter.out
}

struct Setter<'s> {
    source: &'s str,
    prepared: &'s Prepared,
    flavour: Flavour,
    out: Vec<Spanned<'s>>,
    before: Before,
    /// Where the last event ended, or began to enclose others.
    told: usize,
    /// In a block of code.
    code: bool,
    /// In the terms of a definition.
    term: bool,
    /// In pictures inside each other: their text is no HTML.
    pictures: usize,
    /// In `<code>` and the like, written as HTML: its name, and where its text begins.
    raw: Option<(String, usize)>,
    depth: usize,
    /// A heading that is open: its place in `out`, and its text.
    heading: Option<(usize, String)>,
    ids: HashMap<String, usize>,
    /// What came last ends in a word (CommonMark's marks).
    within_word: bool,
    /// Asterisks that the parser took for text: place in `out`, how many, how deep, whether one may open and close there.
    stars: Vec<(usize, usize, usize, bool, bool)>,
}

impl<'s> Setter<'s> {
    fn event(&mut self, event: Event<'s>, range: Range<usize>) {
        let kramdown = self.flavour == Flavour::Kramdown;
        let closing = std::mem::replace(&mut self.within_word, ends_in_word(&event));
        if let Some((name, from)) = &self.raw {
            let from = *from;
            let closes = matches!(&event, Event::InlineHtml(tag) if is_end_of(tag, name));
            let leaves =
                matches!(&event, Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell));
            if !closes && !leaves {
                return;
            }
            self.raw = None;
            let end = if closes { range.start } else { self.source[from..range.end].trim_end().len() + from };
            let source = self.source;
            let text = &source[from..end.max(from)];
            self.said(text);
            self.push(Event::InlineHtml(text.into()), from..end.max(from));
        }
        match event {
            Event::Text(text) if self.code || self.pictures > 0 => self.push(Event::Text(text), range),
            Event::Text(text) => self.text(text, range, closing),
            // A form's checkbox is no text, and forms do not pass the sanitiser.
            Event::TaskListMarker(done) => self.push(Event::Text(if done { "☑ " } else { "☐ " }.into()), range),
            Event::Code(code) => {
                self.said(&code);
                self.push(Event::Code(code), range);
            }
            // Each line above a definition is a term.
            Event::SoftBreak if kramdown && self.term => {
                self.push(Event::End(TagEnd::DefinitionListTitle), range.clone());
                self.push(Event::Start(Tag::DefinitionListTitle), range);
            }
            Event::SoftBreak | Event::HardBreak => {
                self.said(" ");
                self.push(event, range);
                self.before = Before::LineEnd;
            }
            Event::InlineHtml(tag) => {
                self.raw = opens_raw(&tag).filter(|_| kramdown).map(|name| (name, range.end));
                // One that is never closed encloses nothing.
                self.raw.take_if(|(name, from)| !is_closed(&self.source[*from..], name));
                self.push(Event::InlineHtml(tag), range);
            }
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag, range),
            other => self.push(other, range),
        }
    }

    fn push(&mut self, event: Event<'s>, range: Range<usize>) {
        self.before = Before::Nothing;
        self.out.push((event, range));
    }

    fn start(&mut self, tag: Tag<'s>, range: Range<usize>) {
        self.depth += 1;
        match &tag {
            Tag::CodeBlock(_) => self.code = true,
            Tag::Image { .. } => self.pictures += 1,
            Tag::DefinitionListTitle => self.term = true,
            Tag::Heading { .. } => self.heading = Some((self.out.len(), String::new())),
            Tag::Paragraph | Tag::Item | Tag::TableCell => self.stars.clear(),
            _ => {}
        }
        if let Some(mark) = self.mark_that_stays(&tag.to_end(), &range) {
            self.push(Event::Text(mark.into()), range);
            return;
        }
        self.push(Event::Start(tag), range);
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        self.depth = self.depth.saturating_sub(1);
        match tag {
            TagEnd::CodeBlock => self.code = false,
            TagEnd::DefinitionListTitle => self.term = false,
            TagEnd::Image => self.pictures = self.pictures.saturating_sub(1),
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell => self.pair_stars(),
            _ => {}
        }
        if matches!(tag, TagEnd::Heading(_))
            && let Some((at, text)) = self.heading.take()
            && self.flavour == Flavour::Kramdown
            && let Some((Event::Start(Tag::Heading { id, .. }), _)) = self.out.get_mut(at)
            && id.is_none()
        {
            *id = heading_id(&text, &mut self.ids).map(CowStr::from);
        }
        if let Some(mark) = self.mark_that_stays(&tag, &range) {
            self.push(Event::Text(mark.into()), range);
            return;
        }
        self.push(Event::End(tag), range);
    }

    /// Of an element that is none to kramdown, the mark that stays text: `~a~`, and `_a__`, which half a mark would close.
    fn mark_that_stays(&self, tag: &TagEnd, range: &Range<usize>) -> Option<&'static str> {
        let element = self.source.get(range.clone()).filter(|_| self.flavour == Flavour::Kramdown)?;
        let behind = &self.source[range.end..];
        let half = |mark: char| element.starts_with(mark) && behind.starts_with(mark) && !behind[1..].starts_with(mark);
        match tag {
            TagEnd::Strikethrough if !element.starts_with("~~") => Some("~"),
            TagEnd::Emphasis if half('_') => Some("_"),
            _ => None,
        }
    }

    /// Remembers what a heading says.
    fn said(&mut self, text: &str) {
        if let Some((_, said)) = &mut self.heading {
            said.push_str(text);
        }
    }

    fn text(&mut self, text: CowStr<'s>, range: Range<usize>, closing: bool) {
        if self.flavour == Flavour::CommonMark {
            // A quotation mark right behind a word, code or a link closes; the parser, finding no partner, opens.
            let text = match &*text {
                "“" if closing => "”".into(),
                "‘" if closing => "’".into(),
                _ => text,
            };
            self.abbreviated(text, range);
            return;
        }
        let source = self.source.get(range.clone()).unwrap_or_default();
        if source != &*text {
            // An entity, decoded.
            self.said(&text);
            self.abbreviated(text, range);
            return;
        }
        // A backslash that no event tells of.
        let escaped = self.source[..range.start].ends_with('\\') && self.told < range.start;
        if !escaped && text.bytes().all(|b| b == b'*') && text.len() <= 2 && !text.is_empty() {
            let behind = self.source[range.end..].chars().next();
            let ahead = self.source[..range.start].chars().next_back();
            let opens = behind.is_some_and(|c| !c.is_whitespace());
            let closes = ahead.is_some_and(|c| !c.is_whitespace());
            self.stars.push((self.out.len(), text.len(), self.depth, opens, closes));
        }
        let before = if escaped { Before::Escape } else { self.before };
        let mut set = set(self.source, range.start, range.end, before);
        if escaped && !text.starts_with(|c| ESCAPABLE.contains(c)) {
            set.insert(0, '\\');
        }
        self.said(&set);
        self.abbreviated(if set == *text { text } else { set.into() }, range);
    }

    /// Pushes a text with its abbreviations marked.
    fn abbreviated(&mut self, text: CowStr<'s>, range: Range<usize>) {
        let known = &self.prepared.abbreviations;
        if known.is_empty() {
            self.push(Event::Text(text), range);
            return;
        }
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let mut kept = 0;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let found = known.iter().find(|(name, _)| {
                rest.starts_with(name.as_str())
                    && !is_word(text[..at].chars().next_back())
                    && !is_word(rest[name.len()..].chars().next())
            });
            let Some((name, meaning)) = found else {
                // To the beginning of the next word, or sign.
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            };
            if kept < at {
                self.push(Event::Text(text[kept..at].to_owned().into()), range.clone());
            }
            let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let title = if meaning.is_empty() { String::new() } else { format!(" title=\"{}\"", escape(meaning)) };
            self.push(Event::InlineHtml(format!("<abbr{title}>{}</abbr>", escape(name)).into()), range.clone());
            at += name.len();
            kept = at;
        }
        if kept < text.len() {
            self.push(Event::Text(text[kept..].to_owned().into()), range);
        }
    }

    /// Makes pairs of asterisks emphasis that CommonMark leaves as text, because a punctuation mark or a letter without blanks
    /// stands on the wrong side: `**「a」**b`.
    fn pair_stars(&mut self) {
        let mut open: Vec<(usize, usize, usize)> = Vec::new();
        for (at, length, depth, opens, closes) in std::mem::take(&mut self.stars) {
            let partner = open.iter().rposition(|(_, other, level)| *other == length && *level == depth);
            if let Some(partner) = partner.filter(|partner| closes && open[*partner].0 + 1 < at) {
                let (start, ..) = open[partner];
                open.truncate(partner);
                let (tag, end) =
                    if length == 2 { (Tag::Strong, TagEnd::Strong) } else { (Tag::Emphasis, TagEnd::Emphasis) };
                self.out[start].0 = Event::Start(tag);
                self.out[at].0 = Event::End(end);
            } else if opens {
                open.push((at, length, depth));
            }
        }
    }
}

/// An id as kramdown's GFM parser makes it: words in lower case, blanks as hyphens; a second one of that name is numbered.
fn heading_id(text: &str, seen: &mut HashMap<String, usize>) -> Option<String> {
    let mut id = String::new();
    let mut in_piece = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            c if c == PIECE.0 => in_piece = true,
            c if c == PIECE.1 => in_piece = false,
            _ if in_piece => {}
            ' ' | '\t' => id.push('-'),
            c if c.is_alphanumeric() || matches!(c, '_' | '-') || is_mark(c) => id.push(c),
            _ => {}
        }
    }
    let count = seen.entry(id.clone()).and_modify(|count| *count += 1).or_insert(0);
    if *count > 0 {
        id = format!("{id}-{count}");
    }
    (!id.is_empty()).then_some(id)
}

/// A sign that is set upon the letter before it.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{64b}'..='\u{652}' | '\u{670}' | '\u{94d}' | '\u{e47}'..='\u{e4e}'
        | '\u{20d0}'..='\u{20f0}' | '\u{3099}' | '\u{309a}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether an element is closed in the paragraph that goes on with `rest`.
fn is_closed(rest: &str, name: &str) -> bool {
    let near = (0..4).find_map(|less| rest.get(..MAX_ELEMENT - less)).unwrap_or(rest);
    let rest = &near[..near.find("\n\n").unwrap_or(near.len())];
    let mut tags = rest.match_indices("</").take(100);
    tags.any(|(at, _)| is_end_of(&rest[at..], name))
}

fn is_end_of(tag: &str, name: &str) -> bool {
    tag.starts_with("</") && tag.get(2..2 + name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn ends_in_word(event: &Event<'_>) -> bool {
    match event {
        Event::Text(text) => {
            text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '!' | '?' | ',' | '…' | ')' | '”'))
        }
        Event::Code(_) => true,
        Event::End(end) => {
            matches!(end, TagEnd::Link | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Image)
        }
        _ => false,
    }
}
