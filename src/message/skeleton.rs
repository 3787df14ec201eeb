//! One message for many readers: everything that is the same for all, encoded once, and holes for the rest.
//!
//! A hole is a control character, which neither a header field nor quoted-printable can hold. The same skeleton and the same
//! person give the same bytes (P2).

use super::header::{date, label, mailbox, unstructured};
use super::letter::Kind;
use super::list::{List, TOKEN};
use super::quoted::{encode, encode_around};
use super::{Error, Settings};
use crate::address::Mailbox;
use crate::edition::compose::{Composition, UNSUBSCRIBE_LINK};
use crate::random::base32;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

/// A whole message, headers and body, with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton {
    text: String,
    /// Where the holes are, so that a splice copies and does not search.
    holes: Vec<usize>,
}

/// What fills the holes: all of it is stored with the delivery, so a resend is the same message.
#[derive(Clone, Copy, Debug)]
pub struct Personal<'a> {
    /// The delivery's id: the left side of Message-ID.
    pub delivery: &'a str,
    /// The recipient.
    pub to: &'a Mailbox,
    /// When the message was first made ready.
    pub date: DateTime<Utc>,
    /// The reader's token for leaving; letters, digits and `.`, `_`, `-`, `~` alone.
    pub token: &'a str,
    /// The token of a letter's own link, of the same characters; empty where there is none.
    pub action: &'a str,
}

/// Stands in what is composed of a letter where its own link goes.
pub const ACTION_LINK: &str = "POSTRIDER-ACTION-LINK";

/// The token inside a header field.
const HEADER_TOKEN: char = TOKEN;
/// The token inside a body, on a line of its own.
const BODY_TOKEN: char = '\u{2}';
/// The whole To field.
const TO: char = '\u{3}';
/// The value of Date.
const DATE: char = '\u{4}';
/// The left side of Message-ID.
const DELIVERY: char = '\u{5}';
/// The token of a letter's own link.
const ACTION: char = '\u{6}';

/// Makes the message of one variant. `edition` is the edition's id; with the variant's content it decides the boundary.
pub fn skeleton(settings: &Settings, list: &List, composition: &Composition, edition: &str) -> Result<Skeleton, Error> {
    let text = body(&composition.text, "text", list)?;
    let html = body(&composition.html, "HTML", list)?;
    let domain = settings.from.address.domain();
    let mut fields = list.id.clone();
    fields.push_str(&ways_to_leave(list));
    // RFC 3834 section 5; the other two are what keeps older programs and Exchange from answering.
    fields
        .push_str("Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\n");
    fields.push_str(&format!("Feedback-ID: {}\r\n", feedback_id(edition, &list.label, domain)));
    Ok(whole(settings, &composition.subject, &fields, edition, (&text, &html)))
}

/// A letter's own link, and where its token goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionLink {
    /// Before the token, and behind it.
    Signed(String, String),
    /// The same for everybody.
    Plain(String),
    /// There is none.
    None,
}

impl ActionLink {
    /// Whether it opens a mail.
    pub fn is_mail(&self) -> bool {
        matches!(self, ActionLink::Signed(link, _) | ActionLink::Plain(link) if link.starts_with("mailto:"))
    }
}

/// Makes the message of a letter. It names no list: it is no edition of one.
pub fn letter(
    settings: &Settings,
    list: &List,
    composition: &Composition,
    kind: Kind,
    link: &ActionLink,
) -> Result<Skeleton, Error> {
    let own_link = match link {
        ActionLink::Signed(before, after) => format!("{before}{ACTION}{after}"),
        ActionLink::Plain(link) => link.clone(),
        ActionLink::None => String::new(),
    };
    let part = |content: &str, part: &'static str| {
        let content = printable(content);
        match kind.can_be_left() {
            true if !content.contains(UNSUBSCRIBE_LINK) => return Err(Error::NoUnsubscribe { part }),
            _ if *link != ActionLink::None && !content.contains(ACTION_LINK) => return Err(Error::NoAction { part }),
            _ => {}
        }
        let content = content.replace(UNSUBSCRIBE_LINK, list.link()).replace(ACTION_LINK, &own_link);
        let pieces: Vec<String> = content.split(ACTION).map(|piece| encode_around(piece, TOKEN, BODY_TOKEN)).collect();
        Ok(pieces.join(&format!("=\r\n{ACTION}=\r\n")))
    };
    let (text, html) = (part(&composition.text, "text")?, part(&composition.html, "HTML")?);
    let domain = settings.from.address.domain();
    let mut fields = if kind.can_be_left() { ways_to_leave(list) } else { String::new() };
    fields.push_str("Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\n");
    fields.push_str(&format!("Feedback-ID: {}\r\n", feedback_id(kind.as_str(), "letter", domain)));
    Ok(whole(settings, &composition.subject, &fields, kind.as_str(), (&text, &html)))
}

/// RFC 2369 and, where there is an https link, RFC 8058.
fn ways_to_leave(list: &List) -> String {
    match &list.https {
        Some(https) => format!(
            "List-Unsubscribe: <{https}>,\r\n <{}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            list.mailto
        ),
        None => format!("List-Unsubscribe: <{}>\r\n", list.mailto),
    }
}

/// The fields that every message has, those of its own, and both parts.
fn whole(settings: &Settings, subject: &str, fields: &str, occasion: &str, (text, html): (&str, &str)) -> Skeleton {
    let boundary = boundary(&[occasion, subject, text, html]);
    let domain = settings.from.address.domain();
    let mut out = mailbox("From", &settings.from);
    out.push(TO);
    if let Some(reply_to) = &settings.reply_to {
        out.push_str(&mailbox("Reply-To", reply_to));
    }
    out.push_str(&unstructured("Subject", subject));
    out.push_str(&format!("Date: {DATE}\r\n"));
    out.push_str(&format!("Message-ID: <{DELIVERY}@{domain}>\r\n"));
    out.push_str("MIME-Version: 1.0\r\n");
    out.push_str(&format!("Content-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n"));
    out.push_str(fields);
    for (kind, part) in [("plain", text), ("html", html)] {
        out.push_str(&format!("\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"));
        out.push_str(&format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{part}"));
    }
    out.push_str(&format!("\r\n--{boundary}--\r\n"));
    Skeleton::new(out)
}

/// No control character but line ends and tabs means anything in a mail, and holes are control characters.
fn printable(content: &str) -> String {
    content.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// One part in quoted-printable, its unsubscribe links with the reader's token as a hole.
fn body(content: &str, part: &'static str, list: &List) -> Result<String, Error> {
    let content = printable(content);
    if !content.contains(UNSUBSCRIBE_LINK) {
        return Err(Error::NoUnsubscribe { part });
    }
    Ok(encode_around(&content.replace(UNSUBSCRIBE_LINK, list.link()), TOKEN, BODY_TOKEN))
}

/// `=_` cannot occur in quoted-printable, so no line of a part can be mistaken for it.
fn boundary(parts: &[&str]) -> String {
    let sum = digest(&SHA256, parts.join("\0").as_bytes());
    format!("=_{}", base32(&sum.as_ref()[..20]))
}

/// Gmail's postmaster tools group complaints by these four; the last names the sender in 5 to 15 characters and never changes.
fn feedback_id(occasion: &str, list: &str, domain: &str) -> String {
    let mut sender = label(domain, 15);
    if sender.len() < 5 {
        sender.push_str("-mail");
    }
    format!("{}:{}:postrider:{sender}", label(occasion, 30), label(list, 20))
}

impl Skeleton {
    fn new(text: String) -> Self {
        let holes =
            text.match_indices([HEADER_TOKEN, BODY_TOKEN, TO, DATE, DELIVERY, ACTION]).map(|(at, _)| at).collect();
        Skeleton { text, holes }
    }

    /// The finished message of one delivery: CRLF line ends only, no dot-stuffing, not signed.
    pub fn splice(&self, p: &Personal) -> Vec<u8> {
        self.splice_into(Vec::new(), p)
    }

    /// The same in a buffer that has served before: half a million times a minute, giving it back to the system costs more than
    /// filling it.
    pub fn splice_into(&self, mut out: Vec<u8>, p: &Personal) -> Vec<u8> {
        let (delivery, token) = (kept(p.delivery), kept(p.token));
        let text = self.text.as_bytes();
        out.clear();
        out.reserve(text.len() + 512);
        let mut from = 0;
        for &hole in &self.holes {
            out.extend_from_slice(&text[from..hole]);
            match char::from(text[hole]) {
                HEADER_TOKEN => out.extend_from_slice(token.as_bytes()),
                BODY_TOKEN => out.extend_from_slice(encode(&token).as_bytes()),
                ACTION => out.extend_from_slice(encode(&kept(p.action)).as_bytes()),
                TO => out.extend_from_slice(mailbox("To", p.to).as_bytes()),
                DATE => out.extend_from_slice(date(&p.date).as_bytes()),
                _ => out.extend_from_slice(delivery.as_bytes()),
            }
            from = hole + 1;
        }
        out.extend_from_slice(&text[from..]);
        out
    }

    /// The text that the store keeps.
    pub fn to_stored(&self) -> &str {
        &self.text
    }

    /// What [`Skeleton::to_stored`] gave of an edition.
    pub fn from_stored(text: &str) -> Result<Self, Error> {
        match text.contains(BODY_TOKEN) {
            true => Skeleton::letter_from_stored(text),
            false => Err(Error::Damaged { what: "it has no place for the unsubscribe link".to_owned() }),
        }
    }

    /// The same of a letter, which not everybody can leave who gets it.
    pub fn letter_from_stored(text: &str) -> Result<Self, Error> {
        let damaged = |what: &str| Err(Error::Damaged { what: what.to_owned() });
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return damaged("its header does not end") };
        for (hole, field) in [(TO, "recipient"), (DATE, "date"), (DELIVERY, "id")] {
            if head.matches(hole).count() != 1 || body.contains(hole) {
                return damaged(&format!("it has not one place for the {field}"));
            }
        }
        if body.contains(BODY_TOKEN) != head.contains(HEADER_TOKEN) {
            return damaged("it has no place for the unsubscribe link");
        }
        Ok(Skeleton::new(text.to_owned()))
    }
}

/// Ids and tokens are of our own making; what they cannot hold must not reach a header field either way.
fn kept(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~')).collect()
}

#[cfg(test)]
mod tests {
    use super::super::quoted::decode;
    use super::*;
    use crate::edition::compose::sample::Case;
    use crate::template::Templates;
    use proptest::prelude::*;

    const TOKEN_VALUE: &str = "u1-mfrggzdfmztwq2lknnwg23tp-nbswy3dpeb3w64tmmqqq";

    fn settings() -> Settings {
        toml::from_str("from = 'Field Notes <news@example.org>'").unwrap()
    }

    fn list(settings: &Settings) -> List {
        List::new("Field Notes", "weekly", settings, None, Some(&"https://news.example.org".parse().unwrap()))
    }

    fn composition(subject: &str, body: &str) -> Composition {
        Composition {
            subject: subject.to_owned(),
            preheader: String::new(),
            html: format!("<p>{body}</p><a href=\"{UNSUBSCRIBE_LINK}\">x</a>"),
            text: format!("{body} {UNSUBSCRIBE_LINK}\n"),
        }
    }

    fn personal(to: &Mailbox) -> Personal<'_> {
        let date = DateTime::from_timestamp(1_795_446_000, 0).unwrap();
        Personal { delivery: "mfrggzdfmztwq2lk", to, date, token: TOKEN_VALUE, action: "" }
    }

    /// The names of the header fields, and the decoded bodies: a reader of its own, so that the writer is not its own judge.
    fn read(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let text = std::str::from_utf8(bytes).expect("ASCII, or UTF-8 where an address needs it");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a bare CR or LF");
        assert!(text.ends_with("--\r\n"));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let fields: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with(' ')).collect();
        let names = fields.iter().map(|line| line.split_once(": ").expect(line).0.to_owned()).collect();
        let boundary = head.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = format!("\r\n{body}");
        let parts: Vec<&str> = body.split(&format!("\r\n--{boundary}")).collect();
        assert_eq!((parts.len(), parts[3]), (4, "--\r\n"), "two parts and an end");
        let bodies = parts[1..3].iter().map(|part| part.split_once("\r\n\r\n").unwrap().1);
        let decoded = bodies.map(|body| {
            assert!(body.split("\r\n").all(|line| line.len() <= 76));
            decode(body).unwrap()
        });
        (names, decoded.collect())
    }

    #[test]
    fn whole_mails() {
        for name in crate::edition::compose::sample::CASES {
            let case = Case::read(name);
            let settings: Settings = toml::from_str(&case.mail).unwrap();
            let list =
                List::new(&case.site.title, &case.digest, &settings, case.inbox.as_ref(), case.public_url.as_ref());
            let composition = case.compose(&Templates::embedded(), settings.postal_address.as_deref()).unwrap();
            let skeleton = skeleton(&settings, &list, &composition, &format!("{}/2026-11-23", case.digest)).unwrap();
            assert_eq!(Skeleton::from_stored(skeleton.to_stored()), Ok(skeleton.clone()));
            let to = Mailbox { name: Some("Zoë Example".into()), address: "zoe@example.net".parse().unwrap() };
            let bytes = skeleton.splice(&personal(&to));
            assert_eq!(bytes, skeleton.splice(&personal(&to)), "the same input, the same bytes");
            let (_, bodies) = read(&bytes);
            assert!(bodies.iter().all(|body| body.contains(TOKEN_VALUE)));
            insta::with_settings!({ snapshot_path => "../../tests/corpus/digest", prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(name, String::from_utf8(bytes).unwrap().replace("\r\n", "\n"));
            });
        }
    }

    #[test]
    fn what_the_store_lost_is_noticed() {
        let settings = settings();
        let whole = skeleton(&settings, &list(&settings), &composition("s", "b"), "weekly/2026-11-23").unwrap();
        for lost in [TO, DATE, DELIVERY, HEADER_TOKEN, BODY_TOKEN] {
            let error = Skeleton::from_stored(&whole.to_stored().replace(lost, "")).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "{lost:?}");
        }
        assert!(Skeleton::from_stored("").is_err());
        let mut silent = composition("s", "b");
        silent.text = "no way out".into();
        assert_eq!(skeleton(&settings, &list(&settings), &silent, "e"), Err(Error::NoUnsubscribe { part: "text" }));
    }

    #[test]
    fn a_link_that_is_not_https_is_not_one_click() {
        let settings = settings();
        let list = List::new("Field Notes", "weekly", &settings, None, Some(&"http://127.0.0.1:8025".parse().unwrap()));
        let made = skeleton(&settings, &list, &composition("s", "b"), "weekly/2026-11-23").unwrap();
        assert!(!made.to_stored().contains("List-Unsubscribe-Post"));
        assert!(made.to_stored().contains("List-Unsubscribe: <mailto:news@example.org?subject=unsubscribe%20"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn nothing_anybody_wrote_breaks_a_message(
            subject in any::<String>(),
            body in any::<String>(),
            name in any::<String>(),
            site in any::<String>(),
            digest in any::<String>(),
        ) {
            let mut settings = settings();
            settings.from.name = Some(site.clone());
            let list = List::new(&site, &digest, &settings, None, Some(&"https://news.example.org".parse().unwrap()));
            let made = skeleton(&settings, &list, &composition(&subject, &body), &format!("{digest}/2026-11-23")).unwrap();
            let to = Mailbox { name: Some(name), address: "ada@example.net".parse().unwrap() };
            let (names, bodies) = read(&made.splice(&personal(&to)));
            prop_assert_eq!(names, [
                "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "List-Id", "List-Unsubscribe",
                "List-Unsubscribe-Post", "Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "Feedback-ID",
            ]);
            let seen: String = body.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
            let seen = seen.replace('\n', "\r\n");
            let link = format!("https://news.example.org/unsubscribe/{TOKEN_VALUE}");
            prop_assert_eq!(&bodies[0], &format!("{seen} {link}\r\n"));
            prop_assert_eq!(&bodies[1], &format!("<p>{seen}</p><a href=\"{link}\">x</a>"));
        }
    }
}
