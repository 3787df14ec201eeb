//! Header fields: folded (RFC 5322 section 2.2.3), encoded (RFC 2047), and deaf to whatever a title or a name holds.

use crate::address::Mailbox;
use crate::template::text::one_line;
use chrono::{DateTime, Utc};
use email_encoding::headers::{rfc2047, writer::EmailWriter};
use std::fmt::Write;

/// A word longer than this is encoded even where it is ASCII: a plain one cannot be folded.
const LONGEST_WORD: usize = 60;

/// A line with a name in quotes and the field's name before it stays below 78 octets.
const LONGEST_QUOTED: usize = 50;

/// What no mail program shows in full.
const LONGEST_NAME: usize = 120;

/// `NAME: text` and CRLF for a field that holds words (RFC 5322 section 2.2.1).
pub fn unstructured(name: &str, text: &str) -> String {
    let text = one_line(text, 900);
    let mut field = format!("{name}: ");
    let column = field.len();
    let mut writer = EmailWriter::new(&mut field, column, 0, false);
    // "=?" in a title would be taken for an encoded word of our own.
    let plain = text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && !text.contains("=?")
        && text.split(' ').all(|word| word.len() <= LONGEST_WORD);
    let written = if plain { writer.folding().write_str(&text) } else { rfc2047::encode(&text, &mut writer) };
    written.expect("a String takes everything");
    drop(writer);
    field.push_str("\r\n");
    field
}

/// `NAME: "Ada" <ada@example.org>` and CRLF (RFC 5322 section 3.4).
pub fn mailbox(name: &str, mailbox: &Mailbox) -> String {
    let mut field = format!("{name}: ");
    let shown = mailbox.name.as_deref().map(|n| one_line(n, LONGEST_NAME)).unwrap_or_default();
    if !shown.is_empty() {
        phrase(&mut field, &shown);
        let line = field.rsplit("\r\n").next().unwrap_or_default();
        field.push_str(if line.len() + mailbox.address.as_str().len() + 3 > 76 { "\r\n " } else { " " });
    }
    // Not percent- or otherwise encoded: an address beyond ASCII travels over SMTPUTF8 (RFC 6532).
    let _ = write!(field, "<{}>\r\n", mailbox.address.as_str());
    field
}

/// Appends a display name to the field so far: bare where it is atoms, quoted where it is short ASCII, encoded otherwise.
pub fn phrase(field: &mut String, name: &str) {
    let atoms = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_' | b'\'' | b'&' | b'+' | b'!');
    let fits = name.len() <= LONGEST_QUOTED && !name.contains("=?");
    if fits && name.bytes().all(atoms) {
        field.push_str(name);
    } else if fits && name.bytes().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\')) {
        field.push('"');
        field.push_str(name);
        field.push('"');
    } else {
        let column = field.len();
        let mut writer = EmailWriter::new(field, column, 0, false);
        rfc2047::encode(name, &mut writer).expect("a String takes everything");
    }
}

/// A moment as RFC 5322 section 3.3 writes it.
pub fn date(at: &DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// `text` as lower-case letters, digits and single hyphens: for labels that programs read. At most `max` octets, never empty.
pub fn label(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(max);
    let out = out.trim_end_matches('-');
    if out.is_empty() { "digest".to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unfold(field: &str) -> &str {
        field.strip_suffix("\r\n").unwrap()
    }

    #[test]
    fn plain_words_stay_plain_and_fold() {
        assert_eq!(unstructured("Subject", "Field Notes: eels"), "Subject: Field Notes: eels\r\n");
        let long = unstructured("Subject", &"word ".repeat(30));
        assert!(long.contains("\r\n word") && long.lines().all(|l| l.len() <= 78), "{long}");
    }

    #[test]
    fn what_looks_encoded_is_encoded() {
        assert!(!unstructured("Subject", "=?utf-8?q?Bank?=").contains("?q?"));
        assert_eq!(unstructured("Subject", "A\r\nBcc: x@example.org"), "Subject: A Bcc: x@example.org\r\n");
    }

    #[test]
    fn names_are_bare_quoted_or_encoded() {
        let with = |name: &str| {
            let address = "ada@example.org".parse().unwrap();
            mailbox("To", &Mailbox { name: (!name.is_empty()).then(|| name.to_owned()), address })
        };
        assert_eq!(with(""), "To: <ada@example.org>\r\n");
        assert_eq!(with("Ada Lovelace"), "To: Ada Lovelace <ada@example.org>\r\n");
        assert_eq!(with("Lovelace, A."), "To: \"Lovelace, A.\" <ada@example.org>\r\n");
        assert_eq!(with("Zoë"), "To: =?utf-8?b?Wm/Dqw==?= <ada@example.org>\r\n");
        assert_eq!(with("a\" <x@example.org>, \"b").matches('@').count(), 1);
    }

    #[test]
    fn labels_are_what_a_domain_allows() {
        for (text, expected) in
            [("weekly", "weekly"), ("Week ly!", "week-ly"), ("漢字", "digest"), ("a--b", "a-b"), ("abcdef", "abc")]
        {
            assert_eq!(label(text, if text == "abcdef" { 3 } else { 20 }), expected);
        }
    }

    /// What a mail program shows of an unstructured field.
    fn shown(field: &str) -> String {
        let value = unfold(field).split_once(": ").unwrap().1.replace("\r\n", "");
        if !value.starts_with("=?utf-8?b?") {
            return value;
        }
        let words = value.split(' ').map(|word| word.strip_prefix("=?utf-8?b?").unwrap().strip_suffix("?=").unwrap());
        // Each word decodes alone (RFC 2047 section 5), and the space between two of them is not shown.
        words.map(|word| String::from_utf8(data_encoding::BASE64.decode(word.as_bytes()).unwrap()).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_field(text in prop_oneof![any::<String>(), "[ -~]{0,200}", "([a-z]{1,70} ){0,9}"], repeat in 1usize..60) {
            prop_assert_eq!(shown(&unstructured("Subject", &text)), one_line(&text, 900));
            let text = text.repeat(repeat);
            let address: crate::address::EmailAddress = "ada@example.org".parse().unwrap();
            for field in [unstructured("Subject", &text), mailbox("To", &Mailbox { name: Some(text.clone()), address })] {
                let body = unfold(&field);
                prop_assert!(field.is_ascii(), "{field}");
                for (n, line) in body.split("\r\n").enumerate() {
                    prop_assert!(line.len() <= 78, "{} octets: {line}", line.len());
                    prop_assert!(n == 0 || line.starts_with(' '), "a new field: {line}");
                    prop_assert!(n == 0 || !line.trim().is_empty(), "an empty line");
                    prop_assert!(!line.contains(['\r', '\n', '\0']));
                }
            }
        }
    }
}
