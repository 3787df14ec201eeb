//! What kramdown has beyond CommonMark, made ready for a CommonMark parser: attribute lists, extensions, abbreviations, formulas
//! and blocks of HTML are taken out of the source and remembered with their places; lists are indented as kramdown nests them.
//! Promises: what is taken out comes back where it stood, code is not touched, and the work grows with the length of the text.

mod attributes;
mod elements;
mod html;
mod lists;
mod scan;
mod spans;
mod tables;
mod typography;

pub(super) use attributes::Attributes;
pub(super) use html::opens_raw;
pub(super) use typography::{Before, set};

use attributes::Definitions;
use std::fmt::Write;

/// Marks around the number of a piece in the prepared text. No post holds these characters, for its reader takes control
/// characters out.
pub(super) const PIECE: (char, char) = ('\u{1}', '\u{2}');
/// Marks around the number of an attribute list, in the HTML before the tag that it belongs to.
pub(super) const LIST: (char, char) = ('\u{3}', '\u{4}');

/// Whose Markdown it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// CommonMark; of kramdown only what is no text in any Markdown.
    CommonMark,
    /// As Jekyll reads it: kramdown with its GFM parser.
    Kramdown,
}

/// A source made ready.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Markdown without what only kramdown knows.
    pub(super) text: String,
    /// What stands in place of the numbers between [`PIECE`].
    pub(super) pieces: Vec<Piece>,
    /// The attribute lists, by place.
    pub(super) notes: Vec<Note>,
    /// Abbreviations and what they stand for, the longest first.
    pub(super) abbreviations: Vec<(String, String)>,
}

/// HTML that passes the parser by.
#[derive(Debug)]
pub(super) struct Piece {
    html: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Stands where paragraphs stand.
    Block,
    /// Opens an element that stands for the paragraph around it.
    Open,
    /// Closes one.
    Close,
    /// Stands among text.
    Inline,
}

/// An attribute list and where it belongs.
#[derive(Debug)]
pub(super) struct Note {
    /// A byte of the prepared text.
    pub(super) at: usize,
    /// What of that place it says something of.
    pub(super) place: Place,
    /// What it says.
    pub(super) attributes: Attributes,
}

/// Where an attribute list belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The element among text that ends here.
    Span,
    /// The block that ends here: the whole list, or what stands last in it.
    Above { within: bool },
    /// The block that begins here.
    Below,
    /// The list item in which this is.
    Item,
}

/// Makes a source ready.
pub(super) fn prepare(source: &str, flavour: Flavour) -> Prepared {
    let clean: String;
    let source = if source.contains(['\u{1}', '\u{2}', '\u{3}', '\u{4}']) {
        clean = source.replace(['\u{1}', '\u{2}', '\u{3}', '\u{4}'], "");
        &clean
    } else {
        source
    };
    let mut scanner = scan::Scanner::new(source, flavour);
    scanner.run(0, source.len());
    let (mut prepared, definitions) = scanner.end();
    resolve(&mut prepared, &definitions);
    prepared
}

fn resolve(prepared: &mut Prepared, definitions: &Definitions) {
    for note in &mut prepared.notes {
        note.attributes = note.attributes.resolved(definitions);
    }
    prepared.abbreviations.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    prepared.abbreviations.dedup_by(|(a, _), (b, _)| a == b);
}

/// Puts pieces and attribute lists into the HTML that was made of a prepared text.
pub(super) fn put_back(html: &str, pieces: &[Piece], lists: &[String]) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find([PIECE.0, LIST.0]) {
        out.push_str(&rest[..at]);
        let is_piece = rest[at..].starts_with(PIECE.0);
        let close = if is_piece { PIECE.1 } else { LIST.1 };
        let after = &rest[at + 1..];
        let Some((number, after)) = after.split_once(close) else {
            rest = after;
            continue;
        };
        rest = after;
        let Ok(number) = number.parse::<usize>() else { continue };
        if is_piece {
            let Some(piece) = pieces.get(number) else { continue };
            let opened = out.ends_with("<p>");
            let closed = rest.starts_with("</p>");
            match piece.kind {
                Kind::Block if opened && closed => {
                    out.truncate(out.len() - 3);
                    rest = &rest[4..];
                }
                Kind::Open if opened => out.truncate(out.len() - 3),
                Kind::Close if closed => rest = &rest[4..],
                _ => {}
            }
            out.push_str(&piece.html);
        } else if let Some(list) = lists.get(number) {
            // The tag comes next, perhaps behind a line end.
            let tag = rest.find('<').filter(|tag| rest[..*tag].trim().is_empty());
            let name = tag.map(|tag| {
                rest[tag + 1..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(rest.len(), |end| tag + 1 + end)
            });
            if let Some(name) = name {
                let _ = write!(out, "{}{list}", &rest[..name]);
                rest = &rest[name..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Whether a text of the prepared source says something, pieces included.
pub(super) fn says(text: &str, pieces: &[Piece]) -> bool {
    let mut rest = text;
    while let Some((before, piece)) = rest.split_once(PIECE.0) {
        if !before.trim().is_empty() {
            return true;
        }
        let Some((number, after)) = piece.split_once(PIECE.1) else { return true };
        let html = number.parse().ok().and_then(|number: usize| pieces.get(number)).map_or("", |piece| &piece.html);
        let lower = html.to_ascii_lowercase();
        let silent = ["<script", "<style", "<h1", "<h2", "<h3", "<pre", "<figure"]
            .iter()
            .any(|tag| lower.trim_start().starts_with(tag));
        let speaks = html
            .split('<')
            .any(|part| part.split_once('>').map_or(part, |(_, text)| text).chars().any(char::is_alphanumeric));
        if !silent && speaks {
            return true;
        }
        rest = after;
    }
    !rest.trim().is_empty()
}
