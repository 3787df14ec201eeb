//! A mail taken apart: its fields, what it says to people, what it says to machines, and the mail that it returns.

use encoding_rs::ISO_2022_JP;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// A mail, taken apart.
#[derive(Default)]
pub(super) struct Parts {
    /// Field names in lower case, values on one line, in their order.
    fields: Vec<(String, String)>,
    /// The first address in From, whatever it looks like.
    pub(super) from: Option<String>,
    /// Decoded, on one line.
    pub(super) subject: String,
    /// The sentences, up to where the returned mail begins.
    pub(super) text: String,
    /// Parts for machines about delivery (RFC 3464).
    pub(super) reports: Vec<String>,
    /// The part for machines about a complaint (RFC 5965).
    pub(super) feedback: Option<String>,
    /// The mail that comes back.
    pub(super) returned: Option<Returned>,
}

/// What is left of the mail of which another speaks: fields of its header, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    fields: Vec<(String, String)>,
}

impl Returned {
    /// The first field of that name, given in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        value(&self.fields, name)
    }
}

/// Lines after which the returned mail follows, in lower case, without what stands around them.
const RETURNED: &[&str] = &[
    "below this line is a copy of the message", // qmail, Yahoo
    "enclosed is a copy of the message",        // netqmail
    "this is a copy of the message",            // Exim
    "this is a copy of your message",           // Exim
    "original message follows",                 // IMail, Yahoo
    "the original message follows",             // Courier
    "original message headers",                 // Exchange Online
    "original message header",                  // Exchange
    "message headers follow",                   // DragonFly
    "message text follows",                     // SmartList's kin
    "below is a copy of the original message",  // OpenSMTPD
    "copy of the message header",               // MX Logic
    "header of the original message",           // 1&1
    "original message -----",                   // Gmail
    "original message as follows",
    "unsent message follows", // Sendmail of old
    "unsent message below",
    "returned message follows",
    "original message below",
    "your original message",
    "ursprüngliche nachricht",
    "message d'origine",
    "message original",
    "mensaje original",
    "mensagem original",
    "messaggio originale",
    "исходное сообщение",
    "元のメッセージ",
];

/// Fields with which the header of a returned mail begins that nothing announces.
const HEADER: &[&str] =
    &["received: ", "return-path: ", "dkim-signature: ", "x-received: ", "x-originating-ip: ", "delivered-to: "];

/// A mail holds only so many mails and parts within each other; one with more is cut where it goes too far, so that reading it stays
/// a matter of its length.
const NESTED: usize = 48;

/// The bytes up to where they nest too deep.
pub(super) fn bounded(bytes: &[u8]) -> &[u8] {
    let opens =
        |at: usize, words: &[u8]| bytes.get(at..at + words.len()).is_some_and(|w| w.eq_ignore_ascii_case(words));
    let mut nested =
        memchr::memchr2_iter(b'm', b'M', bytes).filter(|at| opens(*at, b"message/") || opens(*at, b"multipart/"));
    nested.nth(NESTED).map_or(bytes, |cut| &bytes[..cut])
}

impl Parts {
    pub(super) fn of(bytes: &[u8]) -> Parts {
        let Some(message) = MessageParser::default().parse(bytes) else {
            return Parts { text: readable(bytes), ..Parts::default() };
        };
        let mut parts = Parts {
            fields: fields(message.headers_raw()),
            from: message.from().and_then(Address::first).and_then(|from| from.address()).map(str::to_owned),
            subject: one_line(message.subject().unwrap_or_default()),
            ..Parts::default()
        };
        let (mut text, mut html) = (String::new(), String::new());
        for part in &message.parts {
            parts.sort(part, &mut text, &mut html);
        }
        if text.trim().is_empty() {
            text = html;
        }
        if text.trim().is_empty() && parts.reports.is_empty() {
            // Parts that cannot be told apart: some servers write MIME by hand.
            let body = message.parts.first().map_or(0, |part| part.offset_body as usize);
            let by_hand = readable(bytes.get(body..).unwrap_or_default());
            let said = |line: &&str| !line.starts_with("--") && !line.to_ascii_lowercase().starts_with("content-");
            text = by_hand.lines().filter(said).collect::<Vec<_>>().join("\n");
        }
        parts.cut(&text);
        parts
    }

    fn sort(&mut self, part: &MessagePart<'_>, text: &mut String, html: &mut String) {
        let kind = part.content_type().map(|kind| {
            let subtype = kind.subtype().unwrap_or_default();
            format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase()
        });
        let kind = kind.as_deref().unwrap_or("text/plain");
        match (kind, &part.body) {
            ("message/delivery-status" | "message/global-delivery-status", body) => self.reports.push(content(body)),
            ("message/feedback-report", body) => self.feedback = Some(content(body)),
            ("text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers", body) => {
                self.returned.get_or_insert_with(|| Returned { fields: header(&content(body)) });
            }
            (_, PartType::Message(inner)) => self.keep(inner),
            ("message/rfc822" | "message/global", body) => {
                self.returned.get_or_insert_with(|| Returned { fields: header(&content(body)) });
            }
            (_, PartType::Text(plain)) => {
                text.push_str(&japanese(plain));
                text.push('\n');
            }
            (_, PartType::Html(markup)) => {
                html.push_str(&mail_parser::decoders::html::html_to_text(markup));
                html.push('\n');
            }
            _ => {}
        }
    }

    fn keep(&mut self, inner: &Message<'_>) {
        self.returned.get_or_insert_with(|| Returned { fields: fields(inner.headers_raw()) });
    }

    /// What people read ends where the returned mail begins.
    fn cut(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n");
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let lower = line.trim().to_lowercase();
            let announced = RETURNED.iter().any(|words| lower.contains(words)) && lower.chars().count() < 100;
            // Not in the first lines: a report may begin with fields of its own.
            let begins = at > 40 && HEADER.iter().any(|field| lower.starts_with(field)) && !line.starts_with(' ');
            if announced || begins {
                let rest = &text[if announced { at + line.len() } else { at }..];
                if self.returned.is_none() {
                    let fields = header(rest.trim_start_matches(|c: char| c.is_whitespace() || c == '-' || c == '='));
                    self.returned = (!fields.is_empty()).then_some(Returned { fields });
                }
                // Its own fields for machines may follow what it quotes.
                self.text = text[..at].to_owned();
                return;
            }
            at += line.len();
        }
        self.text = text;
    }

    /// The first field of that name, given in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        value(&self.fields, name)
    }

    /// Where the mail was sent and delivered to: every address in the fields that say so, and in what the servers on its way noted.
    pub(super) fn delivered_to(&self) -> Vec<String> {
        let named = [
            "to",
            "delivered-to",
            "x-original-to",
            "envelope-to",
            "x-envelope-to",
            "x-rcpt-to",
            "x-delivered-to",
            "apparently-to",
            "resent-to",
            "cc",
        ];
        let mut found = Vec::new();
        for (name, value) in &self.fields {
            if named.contains(&name.as_str()) {
                found.extend(addresses(value).map(str::to_owned));
            } else if name == "received"
                && let Some((_, after)) = value.split_once(" for ")
            {
                found.extend(addresses(after).take(1).map(str::to_owned));
            }
        }
        // Postfix names there whom the mail came from: us.
        let senders = self.reports.iter().flat_map(|report| header(report));
        found.extend(
            senders
                .filter(|(name, _)| name == "x-postfix-sender")
                .flat_map(|(_, value)| addresses(&value).map(str::to_owned).collect::<Vec<_>>()),
        );
        if let Some(path) = self.returned.as_ref().and_then(|returned| returned.field("return-path")) {
            found.extend(addresses(path).map(str::to_owned));
        }
        let mut known = std::collections::HashSet::new();
        found.retain(|address| known.insert(address.to_lowercase()));
        found.truncate(100);
        found
    }
}

/// All that looks like an address in a line. A domain is ASCII there, so that a sentence in any script may go on behind it.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let edge = |c: char| c.is_whitespace() || "<>()[],;:\"'".contains(c);
    text.split(edge).filter_map(|word| {
        let word = word.trim_start_matches(['.', '*', '`', '«', '»']);
        let at = word.find('@').filter(|at| *at > 0)?;
        let domain = &word[at + 1..];
        let end =
            domain.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_')).unwrap_or(domain.len());
        let domain = domain[..end].trim_end_matches(['.', '-', '_']);
        (!domain.is_empty()).then(|| &word[..at + 1 + domain.len()])
    })
}

/// Header fields, or the fields of a report: names in lower case, folded lines joined, up to the first empty line.
pub(super) fn header(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            break;
        }
        let name = line.split_once(':').filter(|(name, _)| is_name(name));
        match (line.starts_with([' ', '\t']), name, fields.last_mut()) {
            (false, Some((name, value)), _) => fields.push((name.trim_end().to_ascii_lowercase(), one_line(value))),
            (true, _, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {}
        }
    }
    fields
}

fn is_name(text: &str) -> bool {
    let text = text.trim_end();
    !text.is_empty() && text.len() < 80 && text.bytes().all(|b| b.is_ascii_graphic())
}

fn fields<'a>(raw: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    raw.map(|(name, value)| (name.to_ascii_lowercase(), one_line(value))).collect()
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

fn content(body: &PartType<'_>) -> String {
    match body {
        PartType::Text(text) | PartType::Html(text) => japanese(text),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => readable(bytes),
        PartType::Message(message) => readable(&message.raw_message),
        PartType::Multipart(_) => String::new(),
    }
}

fn readable(bytes: &[u8]) -> String {
    japanese(&String::from_utf8_lossy(bytes)).replace("\r\n", "\n")
}

/// ISO-2022-JP is the one encoding that tells of itself, and that reports are written in without saying so.
fn japanese(text: &str) -> String {
    match text.contains("\u{1b}$") {
        true => ISO_2022_JP.decode_without_bom_handling(text.as_bytes()).0.into_owned(),
        false => text.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
