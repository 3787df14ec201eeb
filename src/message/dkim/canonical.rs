//! The relaxed canonical forms of RFC 6376 section 3.4: what a signature still holds for when white space was changed on the way.

use super::Error;

/// One header field, as it is written: its name, and all behind the colon up to the line end, folds included.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// Octets that are looked at together: a piece that is canonical already goes on as it is, without a copy.
const PIECE: usize = 512;

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Header and body: the one with its last line end, the other without the empty line between them.
pub fn split(message: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let end = message.windows(4).position(|octets| octets == b"\r\n\r\n").ok_or(Error::Header)?;
    Ok((&message[..end + 2], &message[end + 4..]))
}

/// The fields of a header whose every line ends with CRLF.
pub fn fields(head: &[u8]) -> Result<Vec<Field<'_>>, Error> {
    if has_lone_line_end(head) {
        return Err(Error::LineEnd);
    }
    let mut fields = Vec::with_capacity(24);
    let mut start = 0;
    for (at, _) in head.iter().enumerate().filter(|(_, octet)| **octet == b'\n') {
        if head.get(at + 1).copied().is_some_and(is_space) {
            continue;
        }
        let field = &head[start..at - 1];
        let colon = field.iter().position(|octet| *octet == b':').ok_or(Error::Header)?;
        let name = field[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err(Error::Header);
        }
        fields.push(Field { name, value: &field[colon + 1..] });
        start = at + 1;
    }
    Ok(fields)
}

/// Appends the relaxed form of a field (section 3.4.2), without a line end.
pub fn field(field: &Field, out: &mut Vec<u8>) {
    out.extend(field.name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let begin = out.len();
    let mut space = false;
    for &octet in field.value {
        match octet {
            b'\r' | b'\n' => {}
            b' ' | b'\t' => space = true,
            _ => {
                if space && out.len() > begin {
                    out.push(b' ');
                }
                space = false;
                out.push(octet);
            }
        }
    }
}

/// Hands the relaxed form of a body (section 3.4.4) to `out`, piece by piece.
///
/// A million messages a run come by here, and nearly all octets of ours are canonical already. So a piece is first only looked at,
/// in a loop that compilers turn into vector instructions.
pub fn body(body: &[u8], mut out: impl FnMut(&[u8])) -> Result<(), Error> {
    let end = body.iter().rposition(|octet| !matches!(octet, b' ' | b'\t' | b'\r' | b'\n')).map_or(0, |last| last + 1);
    // What follows the text counts for nothing, but it travels.
    if has_lone_line_end(&body[end..]) {
        return Err(Error::LineEnd);
    }
    if end == 0 {
        return Ok(());
    }
    if body[0] == b'\n' {
        return Err(Error::LineEnd);
    }
    for start in (0..end).step_by(PIECE) {
        let stop = end.min(start + PIECE);
        let (piece, next) = (&body[start..stop], &body[start + 1..body.len().min(stop + 1)]);
        if is_canonical(piece, next) {
            out(piece);
            continue;
        }
        let mut kept = [0; PIECE];
        let mut length = 0;
        for (at, &octet) in piece.iter().enumerate() {
            // The last octet of the text is no white space, so it does not matter what follows it.
            let next = next.get(at).copied().unwrap_or(b'\r');
            if octet == b'\r' && next != b'\n' || octet != b'\r' && next == b'\n' {
                return Err(Error::LineEnd);
            }
            if is_space(octet) && (is_space(next) || next == b'\r') {
                continue;
            }
            kept[length] = if octet == b'\t' { b' ' } else { octet };
            length += 1;
        }
        out(&kept[..length]);
    }
    out(b"\r\n");
    Ok(())
}

/// Whether the relaxed form of a piece is the piece. `next` is the same one octet further on.
fn is_canonical(piece: &[u8], next: &[u8]) -> bool {
    let wrong = piece.iter().zip(next).fold(0, |wrong, (&octet, &next)| {
        let space = u8::from(octet == b' ') & (u8::from(next == b' ') | u8::from(next == b'\r'));
        let line_end = u8::from(octet == b'\r') ^ u8::from(next == b'\n');
        wrong | u8::from(octet == b'\t') | u8::from(next == b'\t') | space | line_end
    });
    wrong == 0
}

fn has_lone_line_end(text: &[u8]) -> bool {
    let mut before = 0;
    for &octet in text {
        if (before == b'\r') != (octet == b'\n') {
            return true;
        }
        before = octet;
    }
    before == b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relaxed(text: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        body(text, |octets| out.extend_from_slice(octets))?;
        Ok(out)
    }

    #[test]
    fn bodies() {
        for (text, expected) in [
            ("", ""),
            ("\r\n", ""),
            ("\r\n\r\n\r\n", ""),
            (" \t\r\n\t\r\n", ""),
            ("a", "a\r\n"),
            ("a\r\n", "a\r\n"),
            ("a\r\n\r\n\r\n", "a\r\n"),
            ("a\r\n \r\n\t \r\n", "a\r\n"),
            ("a \t\r\n", "a\r\n"),
            ("a \t", "a\r\n"),
            ("\r\n\r\na\r\n", "\r\n\r\na\r\n"),
            ("a\r\n \t\r\nb\r\n", "a\r\n\r\nb\r\n"),
            ("a\t \tb  c\r\n", "a b c\r\n"),
            ("\ta\r\n  b\r\n", " a\r\n b\r\n"),
            ("a\tb\r\n", "a b\r\n"),
            // RFC 6376 section 3.4.5.
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
        ] {
            assert_eq!(
                relaxed(text.as_bytes()).map(|out| String::from_utf8(out).unwrap()),
                Ok(expected.into()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn white_space_that_lies_across_two_pieces() {
        for shift in PIECE - 4..PIECE + 4 {
            for (between, expected) in [(" \t ", " "), ("  \r\n", "\r\n"), ("\t", " "), (" \r\n ", "\r\n ")] {
                let text = format!("{}{between}b\r\n", "a".repeat(shift));
                let expected = format!("{}{expected}b\r\n", "a".repeat(shift));
                assert_eq!(relaxed(text.as_bytes()), Ok(expected.into_bytes()), "{between:?} at {shift}");
            }
            for between in ["\r", "\n", "\n\r", "\r\r\n", " \n"] {
                let text = format!("{}{between}b\r\n", "a".repeat(shift));
                assert_eq!(relaxed(text.as_bytes()), Err(Error::LineEnd), "{between:?} at {shift}");
            }
        }
    }

    #[test]
    fn a_line_end_alone_is_refused_wherever_it_stands() {
        for text in ["\na\r\n", "a\n", "a\r", "a\r\n\n", "a\r\n\r", "\n", "\r", "a\rb", "a\nb", "a\r\r\n"] {
            assert_eq!(relaxed(text.as_bytes()), Err(Error::LineEnd), "{text:?}");
        }
        assert_eq!(fields(b"A: b\nC: d\r\n").unwrap_err(), Error::LineEnd);
    }

    #[test]
    fn header_fields() {
        // The first two are those of RFC 6376 section 3.4.5.
        for (text, expected) in [
            ("A: X\r\n", "a:X"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z"),
            ("SubJect:\r\n", "subject:"),
            ("Subject: \t \r\n", "subject:"),
            ("Subject:  a \t\r\n \r\n  b\t\r\n", "subject:a b"),
            ("Subject:a:b\r\n", "subject:a:b"),
        ] {
            let fields = fields(text.as_bytes()).unwrap();
            assert_eq!(fields.len(), 1, "{text:?}");
            let mut out = Vec::new();
            field(&fields[0], &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
        }
        for bad in ["no colon\r\n", ": no name\r\n", " begins with a fold: x\r\n"] {
            assert_eq!(fields(bad.as_bytes()).unwrap_err(), Error::Header, "{bad:?}");
        }
        assert_eq!(split(b"From: a\r\n").unwrap_err(), Error::Header);
        assert_eq!(split(b"A: b\r\n\r\n\r\nc").unwrap(), (&b"A: b\r\n"[..], &b"\r\nc"[..]));
    }

    /// Section 3.4.4, word for word.
    fn to_the_letter(text: &str) -> String {
        let mut lines: Vec<String> = text
            .split("\r\n")
            .map(|line| {
                let mut line = line.replace('\t', " ");
                while line.contains("  ") {
                    line = line.replace("  ", " ");
                }
                line.trim_end_matches(' ').to_owned()
            })
            .collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    proptest! {
        #[test]
        fn the_fast_way_is_the_rfcs(pieces in prop::collection::vec(prop::sample::select(vec![" ", "\t", "\r\n", "a", "é", "  ", "text"]), 0..1500)) {
            let text = pieces.concat();
            prop_assert_eq!(String::from_utf8(relaxed(text.as_bytes()).unwrap()).unwrap(), to_the_letter(&text));
        }
    }
}
