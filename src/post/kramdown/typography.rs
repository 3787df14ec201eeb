//! Quotation marks, dashes and ellipses as kramdown sets them (its `smart_quotes.rb` and `typographic_symbol.rb`), also where a
//! person would set them otherwise.

/// Closing punctuation behind an opening mark: kramdown's `SQ_PUNCT`.
const PUNCTUATION: &str = "!\"#$%'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Where a run of text may look back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::post) enum Before {
    /// What stands before it is no text: the beginning of a block, code, the end of emphasis.
    Nothing,
    /// A line of the same paragraph ended.
    LineEnd,
    /// Its first character was escaped, and is literal.
    Escape,
}

/// The text `source[start..end]`, set. What follows it in the source decides, too.
pub(in crate::post) fn set(source: &str, start: usize, end: usize, before: Before) -> String {
    let mut out = String::with_capacity(end - start);
    // From here on, characters may be looked back at; what a mark or a dash was made of may not.
    let mut free = match before {
        Before::LineEnd => start.saturating_sub(1),
        Before::Nothing | Before::Escape => start,
    };
    let mut at = start;
    if before == Before::Escape
        && let Some(first) = source[start..end].chars().next()
    {
        out.push(first);
        at += first.len_utf8();
        free = at;
    }
    while let Some(found) = source[at..end].find(['"', '\'', '-', '.', '<', '>']) {
        out.push_str(&source[at..at + found]);
        at += found;
        let rest = &source[at..end];
        if let Some((symbol, length)) = symbol(rest, out.ends_with(' ') && at > free) {
            if symbol == "\u{a0}»" {
                out.pop();
            }
            out.push_str(symbol);
            at += length;
            free = at;
        } else if rest.starts_with(['"', '\'']) {
            let last = source[free..at].chars().next_back().filter(|last| *last != '\\');
            let (marks, length) = quote(last, &source[at..]);
            // A second mark may stand behind the text's end only where it is no text.
            let length = length.min(rest.len());
            out.extend(marks.chars().take(length));
            at += length;
            free = at;
        } else {
            out.push_str(&rest[..1]);
            at += 1;
        }
    }
    out.push_str(&source[at..end]);
    out
}

/// A dash, an ellipsis or a guillemet at the head of `rest`.
fn symbol(rest: &str, after_blank: bool) -> Option<(&'static str, usize)> {
    let table: &[(&str, &'static str)] =
        &[("---", "—"), ("--", "–"), ("...", "…"), ("<< ", "«\u{a0}"), ("<<", "«"), (">>", "»")];
    let (typed, set) = table.iter().find(|(typed, _)| rest.starts_with(typed))?;
    Some((if *typed == ">>" && after_blank { "\u{a0}»" } else { set }, typed.len()))
}

/// The mark or marks at the head of `rest`, behind the character `last`; kramdown's `SQ_RULES` in their order.
fn quote(last: Option<char>, rest: &str) -> (&'static str, usize) {
    let double = rest.starts_with('"');
    let (left, right) = if double { ("“", "”") } else { ("‘", "’") };
    let mut next = rest[1..].chars();
    let [first, second, third] = std::array::from_fn(|_| next.next());
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    // Word boundaries know every script, `\w` does not.
    let is_any_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_space = |c: Option<char>| c.is_none_or(|c| c.is_ascii_whitespace());
    let pair = matches!((double, first), (true, Some('\'')) | (false, Some('"'))) && is_word(second);
    let decade = !double && is_digit(first) && is_digit(second) && third == Some('s');
    let Some(last) = last else {
        let emphasis = matches!(first, Some('*' | '_')) && !is_space(second);
        let punctuation = first.is_some_and(|c| PUNCTUATION.contains(c))
            && !(second == Some('.') && third == Some('.'))
            && is_any_word(first) == is_any_word(second);
        return if emphasis {
            (left, 1)
        } else if punctuation {
            (right, 1)
        } else if pair {
            (if double { "“‘" } else { "‘“" }, 2)
        } else if decade {
            ("’", 1)
        } else if is_space(first) || first == Some('s') && !is_any_word(second) {
            (right, 1)
        } else {
            (left, 1)
        };
    };
    if last.is_ascii_whitespace() {
        if pair {
            return (if double { "“‘" } else { "‘“" }, 2);
        }
        return (if decade { "’" } else { left }, 1);
    }
    (if matches!(last, '\\' | '[' | '{' | '(' | '-') { left } else { right }, 1)
}

fn is_digit(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_kramdown_sets_it() {
        // Each was run through kramdown 2.4.0.
        for (typed, expected) in [
            ("\"a\" 'b' it's", "“a” ‘b’ it’s"),
            ("the '80s, in '05", "the ’80s, in ‘05"),
            ("\"'a' b\"", "“‘a’ b”"),
            ("(\"a\") [\"b\"]", "(“a”) [“b”]"),
            ("a -- b --- c...", "a – b — c…"),
            ("<< a >> b>>c", "«\u{a0}a\u{a0}» b»c"),
            ("with \"-\" done", "with “-“ done"),
            ("a \"", "a “"),
        ] {
            assert_eq!(set(typed, 0, typed.len(), Before::Nothing), expected, "{typed}");
        }
        assert_eq!(set("\\\"a\"", 1, 4, Before::Escape), "\"a”");
        assert_eq!(set("`x`'s", 3, 5, Before::Nothing), "’s");
    }
}
