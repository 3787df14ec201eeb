//! The bytes of a mail, taken apart: its header fields with their lines, and its two bodies, decoded.

use mail_parser::{HeaderValue, Message, MessageParser, PartType};

/// A mail, taken apart.
pub(super) struct Letter<'a> {
    /// As it came.
    pub(super) bytes: &'a [u8],
    message: Message<'a>,
    /// The HTML part, decoded, where there is one.
    pub(super) html: Option<String>,
    /// The text part, decoded, where there is one.
    pub(super) text: Option<String>,
}

/// A header field.
pub(super) struct Field {
    /// Its line in the mail, from 1.
    pub(super) line: u32,
    /// The field's first line, as it stands there.
    pub(super) shown: String,
    /// Its value, decoded, on one line.
    pub(super) value: String,
}

impl<'a> Letter<'a> {
    /// `None` for what is no mail: it has no header.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let message = MessageParser::default().parse(bytes).filter(|message| !message.headers().is_empty())?;
        let shown = |id: u32| !message.attachments.contains(&id);
        let parts = || message.parts.iter().zip(0_u32..).filter(|(_, id)| shown(*id)).map(|(part, _)| &part.body);
        let html = parts().find_map(|body| match body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        });
        let text = parts().find_map(|body| match body {
            PartType::Text(text) => Some(text.to_string()),
            _ => None,
        });
        Some(Letter { bytes, message, html, text })
    }

    /// The last field of that name, in lower case or not.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        let header = self.message.headers().iter().rfind(|header| header.name().eq_ignore_ascii_case(name))?;
        let (begin, end) = (header.offset_field() as usize, header.offset_end() as usize);
        let line = self.bytes.get(..begin)?.iter().filter(|byte| **byte == b'\n').count() + 1;
        let raw = String::from_utf8_lossy(self.bytes.get(begin..end)?).into_owned();
        let value = match header.value() {
            HeaderValue::Text(text) => text.to_string(),
            _ => raw.split_once(':').map_or("", |(_, value)| value).to_owned(),
        };
        Some(Field {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            shown: raw.lines().next().unwrap_or_default().to_owned(),
            value: value.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }

    /// What the field of that name says, decoded, if there is one.
    pub(super) fn says(&self, name: &str) -> Option<String> {
        self.field(name).map(|field| field.value)
    }

    /// The address in From.
    pub(super) fn from(&self) -> Option<&str> {
        self.message.from()?.first()?.address()
    }

    /// The address that answers go to.
    pub(super) fn reply_to(&self) -> Option<&str> {
        self.message.reply_to().or(self.message.from())?.first()?.address()
    }

    /// The longest line of the message, in octets without its end, with its number from 1.
    pub(super) fn longest_line(&self) -> (usize, u32) {
        let lines = self.bytes.split(|byte| *byte == b'\n').zip(1_u32..);
        let lengths = lines.map(|(line, number)| (line.strip_suffix(b"\r").unwrap_or(line).len(), number));
        lengths.max_by_key(|(length, number)| (*length, u32::MAX - number)).unwrap_or_default()
    }
}
