//! DKIM signatures (RFC 6376) over the finished bytes of a message, one for each key, relaxed/relaxed.
//!
//! Every receiver reads RSA (rsa-sha256, RFC 8301); Ed25519 (RFC 8463) stands beside it for those that read it too. The body is
//! hashed once for all keys. There is no `l=`, under which anybody may append text, and no `x=`, since old mails are read again.
//! `t=` is a parameter: the same message and moment give the same bytes (P2).

pub mod canonical;
pub mod key;
mod make;

use aws_lc_rs::digest::{Context, SHA256};
use canonical::Field;
use chrono::{DateTime, Utc};
use data_encoding::BASE64;

pub use key::{Algorithm, Key, KeyError};
pub use make::{make, strings};

/// Fields that are signed as often as they stand there, and listed once more: one that somebody adds on the way makes the
/// signature void (RFC 6376 section 8.15). Whoever could add a From or a Subject could write the mail that a reader sees, and
/// RFC 8058 section 4 wants the two for leaving covered.
const OVERSIGNED: [&str; 11] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// Fields that are signed as often as they stand there. What mail servers write themselves (Received, Return-Path) is in
/// neither list.
const SIGNED: [&str; 10] = [
    "Message-ID",
    "List-Id",
    "List-Help",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Auto-Submitted",
    "Precedence",
    "Feedback-ID",
];

/// RFC 5322 section 2.1.1: what a line should not exceed.
const LINE: usize = 78;

/// Why a message cannot be signed. Ours always can: it is a mistake of the program or a broken key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// RFC 5322 section 2.1.
    #[error("the message cannot be signed: its header is not fields and an empty line")]
    Header,
    /// RFC 6376 section 5.4: From must be signed.
    #[error("the message cannot be signed: it has no From")]
    From,
    /// SMTP servers change such a line end, and with it what was signed (RFC 6376 section 5.3).
    #[error("the message cannot be signed: a CR or a LF stands alone in it")]
    LineEnd,
    /// The cryptography refused.
    #[error("the message cannot be signed with the key of {name}: try `openssl pkey -check` on it")]
    Key {
        /// `selector._domainkey.domain`.
        name: String,
    },
}

/// The keys that sign. Threads share it by reference.
#[derive(Debug, Default)]
pub struct Signer {
    keys: Vec<Key>,
}

impl Signer {
    /// Signs nothing.
    pub fn none() -> Self {
        Signer::default()
    }

    /// Signs with all of these: RSA on top, else in their order.
    pub fn new(mut keys: Vec<Key>) -> Self {
        keys.sort_by_key(|key| key.algorithm() != key::Algorithm::Rsa);
        Signer { keys }
    }

    /// Whether it signs nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The whole message, its signatures before it. `message` has CRLF line ends only and is not dot-stuffed; `at` becomes `t=`.
    /// Fails on what is no message; see [`Error`].
    pub fn sign(&self, message: Vec<u8>, at: DateTime<Utc>) -> Result<Vec<u8>, Error> {
        if self.keys.is_empty() {
            return Ok(message);
        }
        let (head, body) = canonical::split(&message)?;
        let fields = canonical::fields(head)?;
        let mut body_hash = Context::new(&SHA256);
        canonical::body(body, |octets| body_hash.update(octets))?;
        let body_hash = BASE64.encode(body_hash.finish().as_ref());
        let (names, signed) = cover(&fields)?;
        // The same for every key; each adds its own field to a copy.
        let mut header = Context::new(&SHA256);
        header.update(&signed);

        let mut out = Vec::with_capacity(message.len() + self.keys.len() * 1280);
        for key in &self.keys {
            let mut signature = begin(key, &names, &body_hash, at);
            let mut hash = header.clone();
            hash.update(&signature.as_canonical());
            let value = key.sign(&hash.finish()).map_err(|_| Error::Key { name: key.name() })?;
            signature.base64(&BASE64.encode(&value));
            out.extend_from_slice(signature.text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&message);
        Ok(out)
    }
}

/// The names for `h=`, and the fields that they stand for in canonical form. Of several with one name the lowest comes first
/// (RFC 6376 section 5.4.2).
fn cover(fields: &[Field]) -> Result<(Vec<&'static str>, Vec<u8>), Error> {
    let mut names = Vec::with_capacity(32);
    let mut signed = Vec::with_capacity(2048);
    for name in OVERSIGNED.into_iter().chain(SIGNED) {
        for field in fields.iter().rev().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes())) {
            names.push(name);
            canonical::field(field, &mut signed);
            signed.extend_from_slice(b"\r\n");
        }
        if name == "From" && names.is_empty() {
            return Err(Error::From);
        }
        if OVERSIGNED.contains(&name) {
            names.push(name);
        }
    }
    Ok((names, signed))
}

/// The field up to `b=`.
fn begin(key: &Key, names: &[&str], body_hash: &str, at: DateTime<Utc>) -> Folded {
    let mut field = Folded::new("DKIM-Signature:");
    field.word("v=1;");
    field.word(&format!("a={};", key.algorithm().as_str()));
    field.word("c=relaxed/relaxed;");
    field.word(&format!("d={};", key.domain().as_str()));
    field.word(&format!("s={};", key.selector().as_str()));
    field.word(&format!("t={};", at.timestamp()));
    for (at, name) in names.iter().enumerate() {
        match (at, at + 1 == names.len()) {
            (0, _) => field.word(&format!("h={name}:")),
            (_, false) => field.glued(&format!("{name}:")),
            (_, true) => field.glued(&format!("{name};")),
        }
    }
    field.word(&format!("bh={body_hash};"));
    field.word("b=");
    field
}

/// A header field that is written word by word and folded where its tags allow it (RFC 6376 section 3.2).
struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    fn new(name: &str) -> Self {
        let mut text = String::with_capacity(1280);
        text.push_str(name);
        Folded { column: name.len(), text }
    }

    /// A word and the white space before it.
    fn word(&mut self, word: &str) {
        match self.column + 1 + word.len() > LINE {
            true => self.fold(),
            false => self.push(" "),
        }
        self.push(word);
    }

    /// A word right behind the last one where there is room.
    fn glued(&mut self, word: &str) {
        if self.column + word.len() > LINE {
            self.fold();
        }
        self.push(word);
    }

    /// Base64 may be folded anywhere.
    fn base64(&mut self, mut rest: &str) {
        while !rest.is_empty() {
            if self.column == LINE {
                self.fold();
            }
            let (line, next) = rest.split_at(rest.len().min(LINE - self.column));
            self.push(line);
            rest = next;
        }
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n ");
        self.column = 1;
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }

    /// What of it is signed: with an empty `b=`, without a line end (RFC 6376 section 3.7).
    fn as_canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len());
        if let Some((name, value)) = self.text.split_once(':') {
            canonical::field(&Field { name: name.as_bytes(), value: value.as_bytes() }, &mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(head: &str) -> String {
        cover(&canonical::fields(head.as_bytes()).unwrap()).unwrap().0.join(":")
    }

    #[test]
    fn what_readers_see_is_listed_once_more_than_it_is_there() {
        assert_eq!(
            covered("From: a\r\nTo: b\r\nReceived: x\r\nX-Other: y\r\n"),
            "From:From:To:To:Cc:Subject:Date:Reply-To:MIME-Version:Content-Type:Content-Transfer-Encoding:List-Unsubscribe:List-Unsubscribe-Post"
        );
        let ours = "From: a\r\nTo: b\r\nSubject: c\r\nDate: d\r\nMessage-ID: e\r\nMIME-Version: 1.0\r\nContent-Type: f\r\n\
            List-Id: g\r\nList-Unsubscribe: h\r\nList-Unsubscribe-Post: i\r\nAuto-Submitted: j\r\nPrecedence: k\r\n\
            X-Auto-Response-Suppress: l\r\nFeedback-ID: m\r\nreply-to: n\r\n";
        assert_eq!(
            covered(ours),
            "From:From:To:To:Cc:Subject:Subject:Date:Date:Reply-To:Reply-To:MIME-Version:MIME-Version:\
             Content-Type:Content-Type:Content-Transfer-Encoding:List-Unsubscribe:List-Unsubscribe:\
             List-Unsubscribe-Post:List-Unsubscribe-Post:Message-ID:List-Id:Auto-Submitted:Precedence:Feedback-ID"
        );
    }

    #[test]
    fn of_several_fields_the_lowest_comes_first() {
        let fields = canonical::fields(b"From: one\r\nfrom : two\r\n").unwrap();
        assert_eq!(cover(&fields).unwrap().1, b"from:two\r\nfrom:one\r\n");
    }

    #[test]
    fn every_line_fits() {
        let mut field = Folded::new("DKIM-Signature:");
        for length in [3, 60, 1, 76, 77, 2] {
            field.word(&"w".repeat(length));
            field.glued(&"g".repeat(length));
        }
        field.base64(&"b".repeat(400));
        assert!(field.text.split("\r\n").all(|line| line.len() <= LINE), "{}", field.text);
        assert!(
            field.text.split("\r\n").skip(1).all(|line| line.starts_with(' ') && line.trim() != ""),
            "{}",
            field.text
        );
    }

    #[test]
    fn without_a_key_nothing_is_changed_or_asked() {
        assert_eq!(Signer::none().sign(b"no message".to_vec(), DateTime::UNIX_EPOCH), Ok(b"no message".to_vec()));
    }
}
