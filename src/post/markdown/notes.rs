//! Where attribute lists belong, and footnotes at the end.

use super::Spanned;
use crate::post::kramdown::{Flavour, Note, Place};
use pulldown_cmark::{CowStr, Event, Tag, TagEnd};
use std::collections::HashMap;

/// For each attribute list the event that begins its element: (event, note). In one walk, for both are in order.
pub(super) fn targets(text: &str, events: &[Spanned<'_>], notes: &[Note]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut waiting = notes.iter().enumerate().peekable();
    // The blocks that are open, each with the last block that was closed in it.
    let mut open: Vec<(usize, Option<usize>)> = vec![(usize::MAX, None)];
    let mut spans: Vec<usize> = Vec::new();
    // The last block of text that was closed, wherever.
    let mut last_text = None;
    // Those that wait for the next block.
    let mut below: Vec<usize> = Vec::new();
    for (index, (event, range)) in events.iter().enumerate() {
        // Lists that stand before this event belong to what is past, or to what is open.
        while let Some((number, note)) = waiting.peek().copied() {
            let passed = match event {
                // A block's range may hold blank lines behind it.
                Event::End(end) if is_block_end(end) => text[..range.end].trim_end().len() > note.at,
                _ => range.start >= note.at && (note.place != Place::Item || range.start > note.at),
            };
            if note.place == Place::Span || !passed {
                break;
            }
            waiting.next();
            match note.place {
                Place::Above { within } => {
                    let last = open.last().and_then(|(_, last)| *last);
                    let target = if within { last_text.or(last) } else { last };
                    found.extend(target.map(|target| (target, number)));
                }
                Place::Below => below.push(number),
                Place::Item => {
                    let item =
                        open.iter().rev().find(|(at, _)| matches!(events.get(*at), Some((Event::Start(Tag::Item), _))));
                    found.extend(item.map(|(at, _)| (*at, number)));
                }
                Place::Span => {}
            }
        }
        match event {
            Event::Start(tag) if is_block(tag) => {
                found.extend(below.drain(..).map(|number| (index, number)));
                open.push((index, None));
            }
            Event::Start(_) => spans.push(index),
            Event::End(end) if is_block_end(end) => {
                if open.len() > 1
                    && let Some((start, _)) = open.pop()
                {
                    if let Some((_, last)) = open.last_mut() {
                        *last = Some(start);
                    }
                    let is_list = matches!(end, TagEnd::List(_) | TagEnd::DefinitionList | TagEnd::BlockQuote(_));
                    if !is_list {
                        last_text = Some(start);
                    }
                }
                spans.clear();
            }
            _ => {}
        }
        let closed = match event {
            Event::End(end) if !is_block_end(end) => spans.pop(),
            Event::Code(_) => Some(index),
            _ => None,
        };
        while let Some((number, note)) = waiting.peek().copied() {
            if note.place != Place::Span
                || range.end < note.at && !matches!(event, Event::End(end) if is_block_end(end))
            {
                break;
            }
            match closed {
                Some(start) if range.end == note.at => found.push((start, number)),
                // What encloses it goes on; one of its children may end there.
                _ if range.end >= note.at && range.start < note.at && !matches!(event, Event::End(_)) => break,
                _ if range.start < note.at => break,
                _ => {}
            }
            waiting.next();
        }
    }
    for (number, note) in waiting {
        if let (Place::Above { within }, Some((_, last))) = (note.place, open.last()) {
            let target = if within { last_text.or(*last) } else { *last };
            found.extend(target.map(|target| (target, number)));
        }
    }
    found
}

fn is_block(tag: &Tag<'_>) -> bool {
    is_block_end(&tag.to_end())
}

fn is_block_end(tag: &TagEnd) -> bool {
    !matches!(
        tag,
        TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::Image
            | TagEnd::Superscript
            | TagEnd::Subscript
    )
}

/// Footnotes in the order in which the text calls them, as a numbered list at the end; those that it never calls are left out.
pub(super) fn gather<'s>(events: Vec<Spanned<'s>>, prefix: &str, flavour: Flavour) -> Vec<Event<'s>> {
    let mut text = Vec::with_capacity(events.len());
    let mut notes: HashMap<CowStr<'s>, Vec<Event<'s>>> = HashMap::new();
    let mut within: Option<(CowStr<'s>, Vec<Event<'s>>)> = None;
    for (event, _) in events {
        match event {
            Event::Start(Tag::FootnoteDefinition(name)) => within = Some((name, Vec::new())),
            Event::End(TagEnd::FootnoteDefinition) => {
                if let Some((name, events)) = within.take() {
                    notes.insert(name, events);
                }
            }
            // Jekyll's lists begin at 1.
            Event::Start(Tag::List(Some(_))) if flavour == Flavour::Kramdown => {
                within.as_mut().map_or(&mut text, |(_, events)| events).push(Event::Start(Tag::List(Some(1))));
            }
            event => within.as_mut().map_or(&mut text, |(_, events)| events).push(event),
        }
    }
    if notes.is_empty() {
        return text;
    }
    let mut order: Vec<CowStr<'s>> = Vec::new();
    let mut calls: HashMap<CowStr<'s>, usize> = HashMap::new();
    let mut numbered = |event: Event<'s>, order: &mut Vec<CowStr<'s>>| match event {
        Event::FootnoteReference(name) => {
            let number = order.iter().position(|known| *known == name).unwrap_or_else(|| {
                order.push(name.clone());
                order.len() - 1
            });
            let call = calls.entry(name.clone()).and_modify(|calls| *calls += 1).or_insert(1);
            let id = if *call == 1 { String::new() } else { format!(" id=\"{prefix}-{}-{call}\"", escape(&name)) };
            let id = if *call == 1 { format!(" id=\"{prefix}-{}-ref\"", escape(&name)) } else { id };
            let html =
                format!("<sup{id}><a href=\"#{prefix}-{}\" class=\"footnote\">{}</a></sup>", escape(&name), number + 1);
            Event::InlineHtml(html.into())
        }
        event => event,
    };
    let mut out: Vec<Event<'s>> = text.into_iter().map(|event| numbered(event, &mut order)).collect();
    let mut list = Vec::new();
    let mut next = 0;
    // Notes may call others.
    while let Some(name) = order.get(next).cloned() {
        next += 1;
        let mut events: Vec<Event<'s>> =
            notes.remove(&name).unwrap_or_default().into_iter().map(|event| numbered(event, &mut order)).collect();
        let name = escape(&name);
        let back =
            Event::InlineHtml(format!(" <a href=\"#{prefix}-{name}-ref\" class=\"reversefootnote\">↩</a>").into());
        let end =
            if matches!(events.last(), Some(Event::End(TagEnd::Paragraph))) { events.len() - 1 } else { events.len() };
        events.insert(end, back);
        list.push(Event::Html(format!("<li id=\"{prefix}-{name}\">\n").into()));
        list.append(&mut events);
        list.push(Event::Html("</li>\n".into()));
    }
    if !list.is_empty() {
        out.push(Event::Html("<div class=\"footnotes\">\n<ol>\n".into()));
        out.append(&mut list);
        out.push(Event::Html("</ol>\n</div>\n".into()));
    }
    out
}

fn escape(name: &str) -> String {
    name.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}
