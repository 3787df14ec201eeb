//! Markdown to HTML: CommonMark with the extensions that blogs use, and for Jekyll's posts what kramdown makes otherwise. The
//! HTML is the author's own, not yet clean.

use super::kramdown::{self, Flavour, PIECE, Prepared};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::collections::HashMap;
use std::ops::Range;

mod notes;
mod text;

type Spanned<'s> = (Event<'s>, Range<usize>);

/// Renders a post. `prefix` goes before footnote names, so that two posts on one page do not share ids.
pub fn to_html(source: &str, prefix: &str) -> String {
    to_html_as(Flavour::Kramdown, source, prefix)
}

/// Renders a post of a blog that is written in that Markdown.
pub fn to_html_as(flavour: Flavour, source: &str, prefix: &str) -> String {
    let prepared = kramdown::prepare(source, flavour);
    let events: Vec<Spanned<'_>> = Parser::new_ext(&prepared.text, options(flavour)).into_offset_iter().collect();
    let (events, lists) = with_attributes(events, &prepared);
    let events = text::finish(events, &prepared, flavour);
    written(notes::gather(events, prefix, flavour), &prepared, &lists)
}

fn written<'s>(events: Vec<Event<'s>>, prepared: &'s Prepared, lists: &[String]) -> String {
    let mut rendered = String::with_capacity(prepared.text.len() + prepared.text.len() / 2);
    html::push_html(&mut rendered, events.into_iter());
    aligned(without_empty_heads(kramdown::put_back(&rendered, &prepared.pieces, lists)))
}

/// The first paragraph that has words, rendered; without footnote marks, for the notes are elsewhere.
pub fn first_paragraph(source: &str) -> Option<String> {
    let prepared = kramdown::prepare(source, Flavour::Kramdown);
    let events: Vec<Spanned<'_>> =
        Parser::new_ext(&prepared.text, options(Flavour::Kramdown)).into_offset_iter().collect();
    let mut depth = 0_usize;
    let mut paragraph: Option<Vec<Spanned<'_>>> = None;
    for (event, range) in events {
        let opens = matches!(event, Event::Start(_));
        let closes = matches!(event, Event::End(_));
        if depth == 0 && matches!(event, Event::Start(Tag::Paragraph)) {
            paragraph = Some(Vec::new());
        }
        if let Some(collected) = &mut paragraph {
            let last = depth == 1 && matches!(event, Event::End(TagEnd::Paragraph));
            if !matches!(event, Event::FootnoteReference(_)) {
                collected.push((event, range));
            }
            if last {
                let spoken = |(event, _): &Spanned<'_>| match event {
                    Event::Text(text) => kramdown::says(text, &prepared.pieces),
                    Event::Code(text) => !text.trim().is_empty(),
                    _ => false,
                };
                if collected.iter().any(spoken) {
                    let events = text::finish(std::mem::take(collected), &prepared, Flavour::Kramdown);
                    return Some(written(notes::gather(events, "", Flavour::Kramdown), &prepared, &[]));
                }
                paragraph = None;
            }
        }
        depth = (depth + usize::from(opens)).saturating_sub(usize::from(closes));
    }
    None
}

/// kramdown's tables need no head, the parser's do: an empty one goes.
fn without_empty_heads(html: String) -> String {
    let (open, close) = ("<thead><tr>", "</tr></thead>");
    if !html.contains("<thead><tr><th></th>") {
        return html;
    }
    let mut out = String::with_capacity(html.len());
    let mut rest = &*html;
    while let Some((before, head)) = rest.split_once(open) {
        out.push_str(before);
        let (cells, after) = head.split_once(close).unwrap_or((head, ""));
        if !cells.replace("<th></th>", "").is_empty() {
            out.extend([open, cells, close]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Table cells aligned by attribute: styles do not pass the sanitiser.
fn aligned(html: String) -> String {
    if !html.contains("style=\"text-align: ") {
        return html;
    }
    ["left", "center", "right"].iter().fold(html, |html, side| {
        let style = |cell| format!("<{cell} style=\"text-align: {side}\">");
        let align = |cell| format!("<{cell} align=\"{side}\">");
        html.replace(&style("td"), &align("td")).replace(&style("th"), &align("th"))
    })
}

/// A title, a caption or the like, that stands in no post's text.
pub fn to_html_plain(source: &str) -> String {
    to_html_as(Flavour::CommonMark, source, "")
}

/// The character or characters that `&name;` stands for.
pub fn entity(reference: &str) -> Option<String> {
    match Parser::new(reference).find(|event| matches!(event, Event::Text(_)))? {
        Event::Text(text) if *text != *reference => Some(text.into_string()),
        _ => None,
    }
}

fn options(flavour: Flavour) -> Options {
    let both = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_DEFINITION_LIST;
    match flavour {
        // Marks and heading ids are set as kramdown sets them.
        Flavour::Kramdown => both,
        Flavour::CommonMark => {
            both | Options::ENABLE_SMART_PUNCTUATION | Options::ENABLE_HEADING_ATTRIBUTES | Options::ENABLE_GFM
        }
    }
}

/// The events with a mark before each element that an attribute list belongs to, and the lists as HTML. A list that `{:toc}`
/// would replace by the table of contents is left out: its links lead into the page, which a reader of a feed does not see.
fn with_attributes<'s>(events: Vec<Spanned<'s>>, prepared: &Prepared) -> (Vec<Spanned<'s>>, Vec<String>) {
    if prepared.notes.is_empty() {
        return (events, Vec::new());
    }
    let targets = notes::targets(&prepared.text, &events, &prepared.notes);
    let mut lists: Vec<String> = Vec::new();
    let mut out = Vec::with_capacity(events.len() + targets.len());
    let mut dropping = 0_usize;
    let mut by_event: HashMap<usize, kramdown::Attributes> = HashMap::new();
    for (event, note) in targets {
        by_event.entry(event).or_default().add(&prepared.notes[note].attributes);
    }
    for (index, (mut event, range)) in events.into_iter().enumerate() {
        let opens = usize::from(matches!(event, Event::Start(_)));
        let closes = usize::from(matches!(event, Event::End(_)));
        if dropping > 0 {
            dropping = dropping + opens - closes;
            continue;
        }
        if let Some(attributes) = by_event.get_mut(&index) {
            if let Event::Start(Tag::Heading { id, .. }) = &mut event {
                *id = attributes.id.take().map(CowStr::from);
            }
            if matches!(event, Event::Start(Tag::List(_))) && attributes.references.iter().any(|name| name == "toc") {
                dropping = 1;
                continue;
            }
            let mark = CowStr::from(format!("{}{}{}", kramdown::LIST.0, lists.len(), kramdown::LIST.1));
            lists.push(attributes.html());
            out.push((Event::InlineHtml(mark), range.start..range.start));
        }
        out.push((event, range));
    }
    (out, lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_on() {
        let html = to_html(
            "# A {#b}\n\nSay \"`c`\", “Beyond\" and \"*e*\"\n\n- [x] done\n- [ ] open\n\n\"q\" -- ~~s~~ `\"c\"`[^n]\n\n| a |\n|---|\n| b |\n\n[^n]: note\n",
            "p",
        );
        for piece in [
            "“<code>c</code>”, “Beyond” and “<em>e</em>”",
            "<h1 id=\"b\">",
            "☑ done",
            "☐ open",
            "“q” – <del>s</del> <code>\"c\"</code>",
            "href=\"#p-n\"",
            "id=\"p-n\"",
            "<td>b</td>",
        ] {
            assert!(html.contains(piece), "{piece}: {html}");
        }
    }

    #[test]
    fn kramdown_leaves_no_trace() {
        assert!(to_html("- a\n\n      {:ok, 1}\n\n`{:x}` {:ok, 2}\n", "p").contains("{:ok, 2}"));
        let source = "* TOC\n{:toc}\n\n# H\n{: .no_toc}\n\nA ![i](x.png){: .right width=\"3\"} `{: code}`\n\n```\n{: kept}\n```\n{::comment}\nx\n{:/comment}\n";
        let html = to_html(source, "p");
        assert!(!html.contains("TOC") && !html.contains("{: .no_toc") && !html.contains("<p>x"), "{html}");
        assert!(
            html.contains("<h1 class=\"no_toc\" id=\"h\">") && html.contains("<img class=\"right\" width=\"3\" src="),
            "{html}"
        );
        assert!(html.contains("<code>{: code}</code>") && html.contains("{: kept}"), "{html}");
        assert!(to_html("<div markdown=\"1\">\n*a*\n</div>\n", "p").contains("<em>a</em>"));
    }

    #[test]
    fn what_kramdown_would_swallow_or_show_stays_whole() {
        let html = to_html("<div markdown=\"1\">*in*</div>\n\nAfter *this*.\n", "p");
        assert!(html.contains("<em>in</em>") && html.contains("<em>this</em>") && !html.contains("&lt;"), "{html}");
        let html = to_html("<div>\n\n*never* closed\n", "p");
        assert!(html.contains("<em>never</em>"), "{html}");
        assert!(!to_html("Text {: .class} here", "p").contains("{:"));
        assert_eq!(to_html("$$a_1 \\* b < c$$", "p"), "<p>$$a_1 \\* b &lt; c$$</p>\n");
        assert_eq!(to_html("**「a」**b **c。**d", "p"), "<p><strong>「a」</strong>b <strong>c。</strong>d</p>\n");
        let html = to_html_as(Flavour::CommonMark, "1) a\n\n<div>\n\n*b*\n\n</div>\n", "p");
        assert!(html.contains("<ol>") && html.contains("<em>b</em>"), "{html}");
    }

    #[test]
    fn entities() {
        assert_eq!(entity("&eacute;").as_deref(), Some("é"));
        assert_eq!(entity("&#8217;").as_deref(), Some("’"));
        assert_eq!(entity("&nothing;"), None);
    }
}
