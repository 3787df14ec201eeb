//! Where a post's beginning ends: at a mark of its author, else after its first paragraph.

use super::markdown;

/// Marks that blogs use. Jekyll knows only the configured one; nobody writes these by accident.
const MARKS: &[&str] = &["<!--more-->", "<!-- more -->", "<!-- more-->", "<!--more -->"];

/// The excerpt of a text, rendered; `None` where it is the whole text.
pub fn of(source: &str, is_markdown: bool, separators: &[Option<&str>], prefix: &str) -> Option<String> {
    let configured = separators.iter().flatten().copied().filter(|separator| !separator.trim().is_empty());
    let mark = configured.chain(MARKS.iter().copied()).filter_map(|mark| source.find(mark)).min();
    let Some(end) = mark else {
        return if is_markdown { markdown::first_paragraph(source) } else { first_html_paragraph(source) };
    };
    if !is_markdown {
        return Some(source[..end].to_owned());
    }
    // Links may be defined below the mark; notes stand there, too, but belong to the whole.
    let mut text = without_notes(&source[..end]);
    text.push_str("\n\n");
    for line in source[end..].lines().filter(|line| is_link_definition(line)) {
        text.push_str(line);
        text.push('\n');
    }
    Some(markdown::to_html(&text, prefix))
}

fn is_link_definition(line: &str) -> bool {
    let bare = line.trim_start();
    line.len() - bare.len() < 4 && bare.starts_with('[') && !bare.starts_with("[^") && bare.contains("]: ")
}

fn without_notes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[^") {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let length = mark.find([']', '\n', ' ']).filter(|end| mark[*end..].starts_with(']'));
        match length {
            Some(end) => rest = &mark[end + 1..],
            None => {
                out.push_str("[^");
                rest = &mark[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn first_html_paragraph(source: &str) -> Option<String> {
    let start = source.find("<p>").or_else(|| source.find("<p "))?;
    let end = source[start..].find("</p>")? + start + 4;
    Some(source[start..end].to_owned())
}
