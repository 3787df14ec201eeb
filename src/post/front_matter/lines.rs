//! YAML of plain `key: value` lines, which nearly all front matter is. Promises: what is read here is what the crate would
//! read, at a tenth of its cost; whatever is not surely that simple is left to it.

use super::{Kind, Yaml};

/// Reads lines of keys with scalars, flow lists and block lists of scalars; `None` for all other YAML.
pub(super) fn read(text: &str) -> Option<Yaml> {
    let mut entries: Vec<(String, Yaml)> = Vec::new();
    // The items of the last key, and how far they are indented.
    let mut items: Option<(Vec<Yaml>, Option<usize>)> = None;
    for line in text.lines() {
        if line.bytes().any(|byte| byte < b' ' || byte == 0x7f) || !line.is_ascii() && line.chars().any(is_special) {
            return None;
        }
        let line = line.trim_end_matches(' ');
        let inner = line.trim_start_matches(' ');
        let indent = line.len() - inner.len();
        if inner.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(item) = inner.strip_prefix("- ") {
            let (items, first) = items.as_mut()?;
            if *first.get_or_insert(indent) != indent {
                return None;
            }
            items.push(scalar(item.trim_start_matches(' '))?);
            continue;
        }
        finish(&mut entries, items.take());
        let (key, value) = line.split_once(':')?;
        let named = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let begins = key.bytes().next()?;
        if indent > 0 || !named || !(begins.is_ascii_alphabetic() || begins == b'_') || !is_text(key) {
            return None;
        }
        let value = match value.strip_prefix(' ') {
            Some(value) => value.trim_start_matches(' '),
            None if value.is_empty() => "",
            None => return None,
        };
        let value = match value.as_bytes() {
            [] => {
                items = Some((Vec::new(), None));
                Yaml::Null
            }
            [b'[', inner @ .., b']'] => flow(str::from_utf8(inner).ok()?)?,
            _ => scalar(value)?,
        };
        // Of two the last counts, which is for others to settle.
        if entries.iter().any(|(known, _)| known == key) {
            return None;
        }
        entries.push((key.to_owned(), value));
    }
    finish(&mut entries, items);
    (!entries.is_empty()).then_some(Yaml::Map(entries))
}

/// Line breaks that are none in other languages, byte order marks, C1 controls, what YAML cannot hold.
fn is_special(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Gives the last key its items, if it has some.
fn finish(entries: &mut [(String, Yaml)], items: Option<(Vec<Yaml>, Option<usize>)>) {
    if let Some((items, Some(_))) = items
        && let Some((_, value)) = entries.last_mut()
    {
        *value = Yaml::List(items);
    }
}

/// What stands between `[` and `]`.
fn flow(inner: &str) -> Option<Yaml> {
    if inner.trim_matches(' ').is_empty() {
        return Some(Yaml::List(Vec::new()));
    }
    let simple = |item: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | '+');
        item.starts_with(['"', '\'']) || item.chars().all(plain)
    };
    let items = inner.split(',').map(|item| item.trim_matches(' '));
    items.map(|item| simple(item).then(|| scalar(item))?).collect::<Option<_>>().map(Yaml::List)
}

fn scalar(value: &str) -> Option<Yaml> {
    let text = |text: &str| Some(Yaml::Scalar(text.to_owned(), Kind::Text));
    match value.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.iter().any(|byte| matches!(byte, b'"' | b'\\')) => {
            text(&value[1..value.len() - 1])
        }
        [b'\'', inner @ .., b'\''] if !inner.contains(&b'\'') => text(&value[1..value.len() - 1]),
        [first, ..] if value.contains(": ") || value.contains(" #") || value.ends_with(':') || *first == b'"' => None,
        [b'a'..=b'z' | b'A'..=b'Z', ..] => match value {
            "true" | "false" => Some(Yaml::Scalar(value.to_owned(), Kind::Bool)),
            _ if is_text(value) => text(value),
            _ => None,
        },
        [b'/' | b'(' | b'<' | b'$' | b'_' | 0x80..=0xff, ..] => text(value),
        [b'0'..=b'9', ..] => number(value),
        _ => None,
    }
}

/// Whether a word means itself, and neither nothing nor a truth value.
fn is_text(word: &str) -> bool {
    !["null", "true", "false"].iter().any(|special| word.eq_ignore_ascii_case(special))
}

/// What begins with a digit: a whole number, or a date, or words.
fn number(value: &str) -> Option<Yaml> {
    let kind = match value.as_bytes() {
        [b'1'..=b'9', rest @ ..] if rest.len() < 18 && rest.iter().all(u8::is_ascii_digit) => Kind::Integer,
        bytes if bytes.contains(&b' ') => Kind::Text,
        [y @ .., _, _] if y.len() > 7 && y[..4].iter().all(u8::is_ascii_digit) && y[4] == b'-' && y[7] == b'-' => {
            Kind::Text
        }
        _ => return None,
    };
    Some(Yaml::Scalar(value.to_owned(), kind))
}
