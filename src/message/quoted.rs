//! Quoted-printable (RFC 2045 section 6.7): text with holes in it, encoded once.

use quoted_printable::{InputMode, Options, ParseMode};

/// One less than allowed, so that a soft line break fits behind any line.
const WIDTH: usize = 75;

/// The text in quoted-printable, every line end as CRLF.
pub fn encode(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    let options = Options::default().input_mode(InputMode::Text).line_length_limit(WIDTH);
    quoted_printable::encode_with_options(text, options)
}

/// The text in quoted-printable with `hole` wherever `marker` stood, on a line of its own between two soft line breaks:
/// what is put there, itself encoded, joins its neighbours when a reader decodes it.
pub fn encode_around(text: &str, marker: char, hole: char) -> String {
    let between = format!("=\r\n{hole}=\r\n");
    text.split(marker).map(encode).collect::<Vec<_>>().join(&between)
}

/// What a reader sees; for tests and for texts of our own making.
pub fn decode(encoded: &str) -> Option<String> {
    quoted_printable::decode(encoded, ParseMode::Strict).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_spliced_is_read_whole(before in any::<String>(), after in any::<String>(), value in "[ -~]{0,200}") {
            let encoded = encode_around(&format!("{before}\u{1}{after}").replace("\r", ""), '\u{1}', '\u{2}');
            let spliced = encoded.replace('\u{2}', &encode(&value));
            prop_assert!(spliced.split("\r\n").all(|line| line.len() <= 76));
            prop_assert!(spliced.bytes().all(|b| matches!(b, b'\t' | b'\r' | b'\n' | b' '..=b'~')));
            let expected = format!("{before}\u{1}{after}").replace("\r", "").replace('\u{1}', &value).replace('\n', "\r\n");
            prop_assert_eq!(decode(&spliced), Some(expected));
        }
    }
}
