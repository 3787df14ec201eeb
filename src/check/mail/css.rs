//! CSS, as far as a judge of mails must know it: what is declared, under which selectors and at-rules. Promises to end on any input.

/// Something that a style says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// `property: value`, both in lower case.
    Declaration(String, String),
    /// `@name prelude`, in lower case.
    At(String, String),
    /// What stands before a block, in lower case.
    Selector(String),
}

/// The declarations of a `style` attribute.
pub(super) fn declarations(style: &str) -> Vec<Said> {
    let mut said = Vec::new();
    for part in split(style, ';') {
        declaration(part, &mut said);
    }
    said
}

/// All that a style sheet says, from the top.
pub(super) fn sheet(text: &str) -> Vec<Said> {
    let mut said = Vec::new();
    block(&without_comments(text), &mut said, Inside::Sheet, 0);
    said
}

/// What a block may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Sheet,
    Rule,
}

fn block(mut rest: &str, said: &mut Vec<Said>, inside: Inside, depth: usize) {
    while !rest.trim().is_empty() && depth < 20 {
        let end = position(rest, &[';', '{']).unwrap_or(rest.len());
        let head = rest[..end].trim();
        let opens = rest[end..].starts_with('{');
        let after = rest.get(end + 1..).unwrap_or_default();
        let (body, next) = if opens { closing(after) } else { ("", after) };
        if let Some(at) = head.strip_prefix('@') {
            let name = at.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
            said.push(Said::At(name.to_ascii_lowercase(), at[name.len()..].trim().to_ascii_lowercase()));
            if opens {
                let declares = matches!(&*name.to_ascii_lowercase(), "font-face" | "page");
                block(body, said, if declares { Inside::Rule } else { inside }, depth + 1);
            }
        } else if opens {
            if inside == Inside::Rule {
                said.push(Said::Selector(
                    format!("& {}", head.trim_start_matches('&').trim_start()).to_ascii_lowercase(),
                ));
            } else if !head.is_empty() {
                said.push(Said::Selector(head.to_ascii_lowercase()));
            }
            block(body, said, Inside::Rule, depth + 1);
        } else if inside == Inside::Rule {
            declaration(head, said);
        }
        rest = next;
    }
}

fn declaration(text: &str, said: &mut Vec<Said>) {
    if let Some((property, value)) = text.split_once(':') {
        let property = property.trim().to_ascii_lowercase();
        if !property.is_empty() && !property.contains(char::is_whitespace) {
            said.push(Said::Declaration(property, value.trim().to_ascii_lowercase()));
        }
    }
}

/// What stands up to the brace that closes, and what comes after it.
fn closing(text: &str) -> (&str, &str) {
    let mut open = 0_usize;
    let mut from = 0;
    while let Some(found) = position(&text[from..], &['{', '}']) {
        let at = from + found;
        match (text.as_bytes()[at], open) {
            (b'{', _) => open += 1,
            (_, 0) => return (&text[..at], &text[at + 1..]),
            _ => open -= 1,
        }
        from = at + 1;
    }
    (text, "")
}

/// Where one of `wanted` stands first, outside of strings and parentheses.
fn position(text: &str, wanted: &[char]) -> Option<usize> {
    let mut quote = None;
    let mut parentheses = 0_usize;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => parentheses += 1,
            (None, ')') => parentheses = parentheses.saturating_sub(1),
            (None, c) if parentheses == 0 && wanted.contains(&c) => return Some(at),
            // One that is not closed swallows no more than its declaration.
            (None, '{' | '}') => parentheses = 0,
            _ => {}
        }
        None
    })
}

fn split(text: &str, by: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = position(text, &[by]);
        rest = end.map(|end| &text[end + by.len_utf8()..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace("<!--", "").replace("-->", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: Vec<Said>) -> Vec<String> {
        let of = |said: Said| match said {
            Said::Declaration(property, value) => format!("{property}: {value}"),
            Said::At(name, prelude) => format!("@{name} {prelude}"),
            Said::Selector(selector) => selector,
        };
        said.into_iter().map(of).collect()
    }

    #[test]
    fn sheets_are_taken_apart() {
        let text = "@import url(a;b.css); /* p { x: y } */ P > a:hover, .b { COLOR: Red; background: url(\"a;}b\") }\n\
                    @media (max-width: 639px) { .c { width: 100% } } @font-face { font-family: 'A;B' }\n\
                    .card { color: red; &:hover { color: blue } em { top: 0 } }";
        assert_eq!(
            shown(sheet(text)),
            [
                "@import url(a;b.css)",
                "p > a:hover, .b",
                "color: red",
                "background: url(\"a;}b\")",
                "@media (max-width: 639px)",
                ".c",
                "width: 100%",
                "@font-face ",
                "font-family: 'a;b'",
                ".card",
                "color: red",
                "& :hover",
                "color: blue",
                "& em",
                "top: 0",
            ]
        );
        assert_eq!(
            shown(declarations("color:red;;x; background: url('a;b')")),
            ["color: red", "background: url('a;b')"]
        );
    }

    #[test]
    fn broken_sheets_end() {
        for text in ["{", "}", "a {", "a { b: (", "@", "@media {{{", "a { b: \"", "/*", "} a { b: c }", ";;{}{}"] {
            sheet(text);
            declarations(text);
        }
        let deep = "a{".repeat(100_000);
        sheet(&deep);
    }
}
