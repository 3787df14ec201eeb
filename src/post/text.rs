//! Plain text from what authors write in front matter: titles, names, summaries.

use super::markdown;

/// Elements that are markup in a title. Anything else between angle brackets is text: `Vec<T>`.
const ELEMENTS: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "br", "cite", "code", "del", "dfn", "div", "em", "font", "h1", "h2", "h3",
    "hr", "i", "img", "ins", "kbd", "mark", "p", "q", "s", "samp", "script", "small", "span", "strike", "strong",
    "sub", "sup", "time", "tt", "u", "var", "wbr",
];

/// One line of plain text: tags and code ticks taken out, entities decoded, white space collapsed, no control characters
/// and none that turn the text around.
pub fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['`', '<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match rest.as_bytes()[0] {
            b'`' => code(rest).map(|(content, length)| {
                out.push_str(content);
                length
            }),
            b'<' => tag(rest),
            _ => reference(rest).map(|(text, length)| {
                out.push_str(&text);
                length
            }),
        };
        let length = taken.unwrap_or_else(|| {
            out.push_str(&rest[..1]);
            1
        });
        rest = &rest[length..];
    }
    out.push_str(rest);
    let out: String = out.chars().filter(|c| !is_unwanted(*c)).collect();
    // A no-break space is wanted where it stands.
    let words = out.split(|c: char| c.is_whitespace() && c != '\u{a0}').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").trim_matches('\u{a0}').to_owned()
}

/// Cut after a word, with `…`, to at most `limit` characters.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let end = text.char_indices().nth(limit.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let cut = &text[..end];
    let word = if text[end..].starts_with(' ') { cut } else { cut.rsplit_once(' ').map_or(cut, |(words, _)| words) };
    // Scripts without blanks have no better place than the limit itself.
    let word = if word.chars().count() * 2 < limit { cut } else { word };
    format!("{}…", word.trim_end_matches([' ', ',', ';', ':', '.', '–', '—']))
}

/// Controls, the directional overrides and isolates, and a byte order mark in the middle.
fn is_unwanted(c: char) -> bool {
    c.is_control() && !c.is_whitespace() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What stands between ticks, and how long it is with them.
fn code(text: &str) -> Option<(&str, usize)> {
    let ticks = text.bytes().take_while(|b| *b == b'`').count();
    let inside = &text[ticks..];
    let end = inside.find(&text[..ticks])?;
    Some((inside[..end].trim(), ticks + end + ticks))
}

/// The length of a tag of a known element.
fn tag(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (name, after) = name.split_at(length);
    let known = ELEMENTS.iter().any(|element| element.eq_ignore_ascii_case(name));
    let ended = after.starts_with(['>', ' ', '/', '\t', '\n']);
    let end = after.find(['>', '<'])?;
    (known && ended && after[end..].starts_with('>')).then(|| text.len() - after.len() + end + 1)
}

/// The text of a character reference, and its length.
fn reference(text: &str) -> Option<(String, usize)> {
    let length = text.bytes().skip(1).take(32).position(|b| !(b.is_ascii_alphanumeric() || b == b'#'))? + 1;
    if text.as_bytes().get(length) != Some(&b';') {
        return None;
    }
    markdown::entity(&text[..=length]).map(|decoded| (decoded, length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_plain() {
        for (source, expected) in [
            ("“ Python Meetup Nov 7th for atUtexas”", "“ Python Meetup Nov 7th for atUtexas”"),
            ("Vec<T> & co, a < b > c", "Vec<T> & co, a < b > c"),
            ("The <em>best</em> <a href='x'>one</a>", "The best one"),
            ("`Vec<i>` and ``a ` b``", "Vec<i> and a ` b"),
            ("S&atilde;o &amp; &lt;b&gt; &nosuch; AT&T", "São & <b> &nosuch; AT&T"),
            ("  a\n b\t c  ", "a b c"),
            ("a\u{202e}b\u{8}c\u{feff}", "abc"),
            ("Ruby\u{a0}!", "Ruby\u{a0}!"),
            ("It\\'s", "It\\'s"),
            ("`", "`"),
            ("a <b", "a <b"),
        ] {
            assert_eq!(plain(source), expected, "{source:?}");
        }
    }

    #[test]
    fn long_text_is_cut_at_a_word() {
        assert_eq!(shorten("one two three", 20), "one two three");
        assert_eq!(shorten("one two three", 10), "one two…");
        assert_eq!(shorten("one two, three", 9), "one two…");
        assert_eq!(shorten("一二三四五六七", 4), "一二三…");
    }
}
