//! Markdown to HTML: CommonMark with the extensions that blogs use, and what kramdown adds taken out. The HTML is the
//! author's own, not yet clean.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Renders a post. `prefix` goes before footnote names, so that two posts on one page do not share ids.
pub fn to_html(source: &str, prefix: &str) -> String {
    let source = without_kramdown(source);
    let mut rendered = String::with_capacity(source.len() + source.len() / 2);
    // Notes come last, wherever they are written.
    let mut notes = Vec::new();
    let mut depth = 0_usize;
    let text = events(&source, prefix).filter_map(|event| {
        depth += usize::from(matches!(event, Event::Start(Tag::FootnoteDefinition(_))));
        let inside = depth > 0;
        depth -= usize::from(matches!(event, Event::End(TagEnd::FootnoteDefinition)) && inside);
        if inside {
            notes.push(event);
            None
        } else {
            Some(event)
        }
    });
    let text: Vec<_> = text.collect();
    html::push_html(&mut rendered, text.into_iter().chain(notes));
    aligned(rendered)
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

/// The first paragraph that has words, rendered; without footnote marks, for the notes are elsewhere.
pub fn first_paragraph(source: &str) -> Option<String> {
    let source = without_kramdown(source);
    let mut depth = 0_usize;
    let mut paragraph: Option<Vec<Event<'_>>> = None;
    for event in events(&source, "") {
        let opens = matches!(event, Event::Start(_));
        let closes = matches!(event, Event::End(_));
        if depth == 0 && matches!(event, Event::Start(Tag::Paragraph)) {
            paragraph = Some(Vec::new());
        }
        if let Some(collected) = &mut paragraph {
            let last = depth == 1 && matches!(event, Event::End(TagEnd::Paragraph));
            if !matches!(event, Event::FootnoteReference(_)) {
                collected.push(event);
            }
            if last {
                let spoken = |event: &Event<'_>| match event {
                    Event::Text(text) | Event::Code(text) => !text.trim().is_empty(),
                    _ => false,
                };
                if collected.iter().any(spoken) {
                    let mut rendered = String::new();
                    html::push_html(&mut rendered, collected.drain(..));
                    return Some(rendered);
                }
                paragraph = None;
            }
        }
        depth = (depth + usize::from(opens)).saturating_sub(usize::from(closes));
    }
    None
}

/// A line of Markdown without its paragraph, as `markdownify` is used on titles and captions.
pub fn to_html_plain(source: &str) -> String {
    let mut rendered = String::new();
    html::push_html(&mut rendered, Parser::new_ext(source, options()));
    rendered
}

/// The character or characters that `&name;` stands for.
pub fn entity(reference: &str) -> Option<String> {
    match Parser::new(reference).find(|event| matches!(event, Event::Text(_)))? {
        Event::Text(text) if *text != *reference => Some(text.into_string()),
        _ => None,
    }
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_SMART_PUNCTUATION
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM
}

fn events<'s>(source: &'s str, prefix: &'s str) -> impl Iterator<Item = Event<'s>> {
    let named = move |name: CowStr<'s>| CowStr::from(format!("{prefix}-{name}"));
    let mut within_word = false;
    Parser::new_ext(source, options()).map(move |event| {
        let closing = std::mem::replace(&mut within_word, ends_in_word(&event));
        match event {
            // A quotation mark right behind a word, code or a link closes; the parser, finding no partner, opens.
            Event::Text(text) if closing && matches!(&*text, "“" | "‘") => {
                Event::Text(if &*text == "“" { "”" } else { "’" }.into())
            }
            // A form's checkbox is no text, and forms do not pass the sanitiser.
            Event::TaskListMarker(done) => Event::Text(if done { "☑ " } else { "☐ " }.into()),
            Event::FootnoteReference(name) => Event::FootnoteReference(named(name)),
            Event::Start(Tag::FootnoteDefinition(name)) => Event::Start(Tag::FootnoteDefinition(named(name))),
            event => event,
        }
    })
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

/// Takes out kramdown's attribute lists (`{: .lead}`), tables of contents and extensions (`{::comment}`), outside code;
/// lets Markdown stand inside `<div markdown="1">`.
fn without_kramdown(source: &str) -> std::borrow::Cow<'_, str> {
    if !source.contains("{:") && !source.contains("markdown=") {
        return source.into();
    }
    let mut out = String::with_capacity(source.len());
    let mut fence: Option<(u8, usize)> = None;
    let mut comment = false;
    let mut lines = source.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if comment {
            comment = !bare.contains("{:/");
            continue;
        }
        let mark = fence_mark(bare);
        match (fence, mark) {
            (Some((byte, length)), Some((other, longer, true))) if byte == other && longer >= length => fence = None,
            (None, Some((byte, length, _))) => fence = Some((byte, length)),
            _ => {}
        }
        // Indented lines are code, unless they are of a list; an attribute list behind a link tells.
        let code = line.starts_with("    ") && !bare.starts_with("{:") && !bare.contains("){:");
        if fence.is_some() || mark.is_some() || code {
            out.push_str(line);
            continue;
        }
        if bare.starts_with("{::comment}") {
            comment = !bare.contains("{:/");
            continue;
        }
        // The item before `{:toc}` is replaced by the contents, which a feed has no use for.
        let is_item = bare.starts_with("* ") || bare.starts_with("- ") || bare.starts_with("1. ");
        if is_item && lines.peek().is_some_and(|next| next.trim().starts_with("{:toc")) {
            continue;
        }
        let stripped = without_attributes(line);
        if stripped.trim().is_empty() && !bare.is_empty() {
            continue;
        }
        if bare.starts_with('<') && stripped.contains("markdown=") {
            let opened = ["markdown=\"1\"", "markdown='1'", "markdown=1", "markdown=\"block\"", "markdown=\"span\""]
                .iter()
                .fold(stripped, |line, attribute| line.replace(attribute, ""));
            out.push_str(&opened);
            if bare.ends_with('>') {
                out.push('\n');
            }
            continue;
        }
        out.push_str(&stripped);
    }
    out.into()
}

/// The character and length of a fence, and whether nothing follows it.
fn fence_mark(line: &str) -> Option<(u8, usize, bool)> {
    let byte = *line.as_bytes().first()?;
    let length = line.bytes().take_while(|b| *b == byte).count();
    (matches!(byte, b'`' | b'~') && length >= 3).then_some((byte, length, line.len() == length))
}

/// A line without `{: …}` and `{::…}`, but not inside code spans.
fn without_attributes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['`', '{']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('`') {
            let length = rest.bytes().take_while(|b| *b == b'`').count();
            let (ticks, after) = rest.split_at(length);
            let end = after.find(ticks).map_or(length, |end| length + end + length);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some(end) = attribute_list(rest) {
            rest = &rest[end..];
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The length of an attribute list at the head of `text`. Elixir writes `{:name, value}`: that is none.
fn attribute_list(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{:")?;
    let inside = &inside[..inside.find(['}', '\n'])?];
    let end = 2 + inside.len() + 1;
    if inside.starts_with([':', '/']) {
        return text[end - 1..].starts_with('}').then_some(end);
    }
    let mut quoted = false;
    let outside: String = inside
        .chars()
        .filter(|c| {
            quoted ^= matches!(c, '"' | '\'');
            !quoted
        })
        .collect();
    let sound = |c: char| {
        c.is_alphanumeric() || c.is_whitespace() || matches!(c, '.' | '#' | '=' | '"' | '\'' | '-' | '_' | ':')
    };
    let said = !outside.trim().is_empty();
    (said && outside.chars().all(sound) && text[end - 1..].starts_with('}')).then_some(end)
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
        assert!(
            !html.contains("TOC") && !html.contains("no_toc") && !html.contains("right") && !html.contains("<p>x"),
            "{html}"
        );
        assert!(html.contains("<code>{: code}</code>") && html.contains("{: kept}"), "{html}");
        assert!(to_html("<div markdown=\"1\">\n*a*\n</div>\n", "p").contains("<em>a</em>"));
    }

    #[test]
    fn the_first_paragraph_has_words() {
        let html = first_paragraph("# T\n\n![](x.png)\n\nThe [x] one[^1].\n\nTwo\n\n[x]: /y\n[^1]: n\n");
        assert_eq!(html.as_deref(), Some("<p>The <a href=\"/y\">x</a> one.</p>\n"));
        assert_eq!(first_paragraph("# T\n\n- a\n"), None);
    }

    #[test]
    fn entities() {
        assert_eq!(entity("&eacute;").as_deref(), Some("é"));
        assert_eq!(entity("&#8217;").as_deref(), Some("’"));
        assert_eq!(entity("&nothing;"), None);
    }
}
