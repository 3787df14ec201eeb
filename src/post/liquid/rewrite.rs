//! Jekyll's Liquid as the engine understands it: what differs between Ruby's and the crate's is written otherwise before it is
//! parsed.

use super::scan::{CODE, CODE_BODY, EACH, EACH_OF, GET, Knowledge, SHOW, TICK};
use std::borrow::Cow;

/// Takes out filters that nobody knows, so that the value passes (as Ruby's Liquid does).
pub(super) fn known_filters_only<'a>(inside: &'a str, knowledge: &impl Knowledge) -> Cow<'a, str> {
    if !inside.contains('|') {
        return inside.into();
    }
    let mut kept = String::with_capacity(inside.len());
    for (number, piece) in split_outside_quotes(inside, '|').into_iter().enumerate() {
        let name = piece.trim_start();
        let name = &name[..name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len())];
        if number == 0 {
            kept.push_str(piece);
        } else if knowledge.has_filter(name) {
            kept.push('|');
            // `| escape:` is a filter without arguments.
            kept.push_str(piece.trim_end().trim_end_matches(':'));
        }
    }
    kept.into()
}

/// `a.b | filter` as `"a.b" | __get | filter`: inside a loop the crate fails on what is not there, our filter does not.
pub(super) fn looked_up(chain: &str) -> Cow<'_, str> {
    let (variable, filters) = chain.split_at(chain.find('|').unwrap_or(chain.len()));
    let variable = variable.trim();
    if is_path(variable) { format!("\"{variable}\" | {GET} {filters}").into() } else { chain.into() }
}

/// An output, its value shown as Ruby shows it.
pub(super) fn output(inside: &str, knowledge: &impl Knowledge) -> String {
    format!("{{{{ {} | {SHOW} }}}}", looked_up(&known_filters_only(inside, knowledge)))
}

/// The head of a loop: what it goes through is made before, for maps have an order, and limits beyond the end add nothing.
pub(super) fn each(arguments: &str, index: usize) -> String {
    let plain = || format!("{{% for {arguments} %}}");
    let mut words = arguments.trim().splitn(3, char::is_whitespace).map(str::trim);
    let (Some(variable), Some("in"), Some(rest)) = (words.next(), words.next(), words.next()) else { return plain() };
    if rest.starts_with('(') {
        return plain();
    }
    let spaced = rest.replace(':', ": ").replace(',', " ");
    let mut words = spaced.split_whitespace();
    let Some(list) = words.next() else { return plain() };
    let (mut offset, mut limit, mut reversed) = ("nil", "nil", false);
    while let Some(word) = words.next() {
        match word.trim_end_matches(':') {
            "limit" => limit = words.next().filter(|word| *word != ":").or_else(|| words.next()).unwrap_or("nil"),
            "offset" => offset = words.next().filter(|word| *word != ":").or_else(|| words.next()).unwrap_or("nil"),
            "reversed" => reversed = true,
            _ => {}
        }
    }
    let offset = if offset == "continue" { "nil" } else { offset };
    // Not looked up by a filter of its own: all posts would be copied for a loop through three.
    let list = match is_path(list) {
        true => format!("\"{list}\" | {EACH_OF}"),
        false => format!("{list} | {EACH}"),
    };
    format!(
        "{{% assign __list{index} = {list}: {offset}, {limit}, {reversed} %}}{{% for {variable} in __list{index} %}}"
    )
}

/// `a.b`
fn is_path(variable: &str) -> bool {
    variable.contains('.')
        && variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && variable.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The tag that counts a loop's rounds; its body is so long.
pub(super) fn tick(length: usize) -> String {
    format!("{{% {TICK} {length} %}}")
}

/// The parts of a condition, each with the word that joins it to what follows.
pub(super) fn conditions(expression: &str) -> Vec<(&'static str, &str)> {
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut quote = None;
    for (at, c) in expression.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {
                for (word, join) in [(" and ", "and"), (" or ", "or")] {
                    if at >= begin && expression[at..].starts_with(word) {
                        parts.push((join, &expression[begin..at]));
                        begin = at + word.len();
                    }
                }
            }
        }
    }
    parts.push(("", &expression[begin..]));
    parts
}

/// A condition in Ruby's reading, from right to left, as the crate understands it: `a and b or c` is `a and b or a and c`.
pub(super) fn right_to_left(condition: &str) -> Cow<'_, str> {
    let parts = conditions(condition);
    let joins = |join| parts.iter().any(|(other, _)| *other == join);
    if !joins("and") || !joins("or") || parts.len() > 16 {
        return condition.into();
    }
    let mut terms: Vec<Vec<&str>> = Vec::new();
    for (join, part) in parts.iter().rev() {
        match *join {
            "and" => terms.iter_mut().for_each(|term| term.insert(0, part)),
            _ => terms.insert(0, vec![part]),
        }
    }
    terms.iter().map(|term| term.join(" and ")).collect::<Vec<_>>().join(" or ").into()
}

/// Splits, but not inside quotation marks.
pub(super) fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quote = None;
    text.split(|c: char| match quote {
        Some(open) => {
            if c == open {
                quote = None;
            }
            false
        }
        None if c == '"' || c == '\'' => {
            quote = Some(c);
            false
        }
        None => c == separator,
    })
    .collect()
}

/// An include, its arguments packed into one string: its own tag reads them, for Jekyll's syntax is not Liquid's.
pub(super) fn include(tag: &str, arguments: &str) -> String {
    let packed: String = arguments
        .trim()
        .chars()
        .map(|c| match c {
            '"' => CODE,
            '\'' => CODE_BODY,
            c => c,
        })
        .collect();
    format!("{{% {tag} \"{packed}\" %}}")
}

/// Undoes the packing of [`include()`].
pub(super) fn unpack(packed: &str) -> String {
    packed.replace(CODE, "\"").replace(CODE_BODY, "'")
}
