//! SMTP replies (RFC 5321 section 4.2, RFC 3463): how they are read. [`outcome`] says what they mean.
//!
//! Reading is lenient where servers are sloppy (bare line feeds, a bare code, octets that are not UTF-8, codes that no
//! RFC lists) and strict where a mistake would lose mail: what is no reply is never taken for one.

use std::fmt;
use std::str::FromStr;

mod meaning;
mod tables;

pub use meaning::{Verdict, by_words, outcome};

/// How much of the server's words is kept, in characters.
const MAX_TEXT: usize = 500;

/// Where in the dialogue something was said or went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// TCP and, for `smtps`, TLS.
    Connect,
    /// The server's 220.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, up to its 354.
    Data,
    /// The body, before its final dot has left.
    Body,
    /// After the final dot left: the one stage in which silence is ambiguous.
    Dot,
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub u8, pub u16, pub u16);

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits; 0 where the server said nothing (a lost connection, a time-out), then `text` says what happened.
    pub code: u16,
    /// The enhanced status, where one is given.
    pub status: Option<Status>,
    /// The words, lines joined by a space, without control characters, at most 500 characters.
    pub text: String,
}

/// What came of one try to hand over one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where the answer fell.
    pub stage: Stage,
    /// The server's words, or ours where it said nothing.
    pub reply: Reply,
    /// What it means.
    pub outcome: Outcome,
}

impl Sent {
    /// Whether the connection is at its end, or of no more use: 421 (RFC 5321 section 3.8) whatever else it means, or a reply
    /// that never came.
    pub fn ends_connection(&self) -> bool {
        self.reply.code == 421 || matches!(self.outcome, Outcome::Unknown | Outcome::Deferred(Fault::Connection))
    }
}

/// What a reply means for a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took the message.
    Accepted,
    /// Not now; try later.
    Deferred(Fault),
    /// Never.
    Refused(Refusal),
    /// The final dot left and no reply came: the message may have been taken.
    Unknown,
}

/// Whose fault a deferral is. Whether the connection ended, too, is said by [`Sent::ends_connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The recipient's, or the message's: the next one may go through.
    Recipient,
    /// Nobody's: the server wants to see the same message again after some minutes (RFC 6647).
    Greylisted,
    /// Ours: too much, too fast, or from a name too new (4.7.x, 4.5.3). Says nothing about the recipient; the pace is halved.
    Throttled,
    /// The connection's or the server's (421, a lost connection before the final dot): says nothing about the recipient.
    Connection,
}

/// Why a message is refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The address does not exist (5.1.1, 5.1.2, 5.1.3, 5.1.10, 5.2.1): suppressed at once.
    Hard,
    /// Full, too big (5.2.2, 5.3.4, 552): counted against the address.
    Mailbox,
    /// Policy, reputation, block lists (5.7.x): counted against the address; many in a row are the sender's fault.
    Policy,
    /// A filter's verdict on this message: spam, a virus, a link (5.6.x, and 5.7.x whose words say so).
    Content,
    /// The sender's set-up: SPF, DKIM, DMARC, a From that the account may not use, relaying (5.1.7, 5.1.8, 5.7.20 to
    /// 5.7.30): never the reader's fault.
    Sender,
    /// Anything else.
    Other,
}

/// The octets are not an SMTP reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the server sent is not an SMTP reply")]
pub struct NotAReply;

impl Reply {
    /// A reply from its code and its lines without the codes.
    pub fn new<'a>(code: u16, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut status, mut text) = (None, String::new());
        for line in lines {
            let (found, words) = split_status(line.trim());
            // Every line may repeat the status; once is enough for a reader.
            let words = if found.is_some() && found == status { words } else { line.trim() };
            status = status.or(found);
            if !text.is_empty() && !words.is_empty() {
                text.push(' ');
            }
            text.extend(words.chars().map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c }));
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_TEXT).collect();
        Reply { code, status, text }
    }

    /// Where the server said nothing: our own words for what happened.
    pub fn silence(text: &str) -> Self {
        Reply { status: None, ..Reply::new(0, [text]) }
    }

    /// The first reply in what was received so far, and how many octets it takes; `None` while its last line is not there.
    ///
    /// # Errors
    /// [`NotAReply`] when a line does not begin with a code of 2xx to 5xx, or the code changes from line to line.
    pub fn read(received: &[u8]) -> Result<Option<(Self, usize)>, NotAReply> {
        let (mut used, mut code, mut lines) = (0, None, Vec::new());
        while let Some(end) = received[used..].iter().position(|b| *b == b'\n') {
            let line = received[used..used + end].trim_ascii_end();
            used += end + 1;
            let (this, last, words) = split_code(line)?;
            if code.is_some_and(|code| code != this) {
                return Err(NotAReply);
            }
            code = Some(this);
            lines.push(String::from_utf8_lossy(words).into_owned());
            if last {
                return Ok(Some((Reply::new(this, lines.iter().map(String::as_str)), used)));
            }
        }
        Ok(None)
    }

    /// Whether the server took what it was told (2xx), or wants more of it (3xx).
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

/// Turns the direction of what a terminal shows (Unicode, UAX 9): nobody's reply needs it, and it can make a line read as another.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The code of one line, whether the line is the reply's last, and its words.
fn split_code(line: &[u8]) -> Result<(u16, bool, &[u8]), NotAReply> {
    let (digits, rest) = line.split_at_checked(3).ok_or(NotAReply)?;
    let code: u16 = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).ok_or(NotAReply)?;
    if !(200..600).contains(&code) {
        return Err(NotAReply);
    }
    match rest.split_first() {
        None => Ok((code, true, rest)), // RFC 5321 section 4.2: the text may be missing, and the space with it
        Some((b' ' | b'\t', words)) => Ok((code, true, words)),
        Some((b'-', words)) => Ok((code, false, words)),
        Some(_) => Err(NotAReply),
    }
}

/// The enhanced status at the beginning of a line, and the words after it.
fn split_status(line: &str) -> (Option<Status>, &str) {
    let end = line.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(line.len());
    let (head, words) = line.split_at(end);
    match head.trim_end_matches('.').parse() {
        Ok(status) => (Some(status), words.trim_start_matches([' ', ':', '-'])),
        Err(_) => (None, line),
    }
}

/// The text is not an enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code; they look like 5.1.1")]
pub struct NotAStatus;

impl FromStr for Status {
    type Err = NotAStatus;
    /// RFC 3463 section 2: class 2, 4 or 5; subject and detail of one to three digits.
    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let mut parts = text.split('.');
        let mut number = |longest: usize| {
            let part =
                parts.next().filter(|p| (1..=longest).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|p| p.parse::<u16>().ok()).ok_or(NotAStatus)
        };
        let (class, subject, detail) = (number(1)?, number(3)?, number(3)?);
        match (class, parts.next()) {
            (2, None) => Ok(Status(2, subject, detail)),
            (4, None) => Ok(Status(4, subject, detail)),
            (5, None) => Ok(Status(5, subject, detail)),
            _ => Err(NotAStatus),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The server's own words with their code; for silence, ours.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => f.write_str(&self.text),
            code if self.text.is_empty() => write!(f, "{code}"),
            code => write!(f, "{code} {}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(received: &[u8]) -> Reply {
        let (reply, used) = Reply::read(received).unwrap().expect("complete");
        assert_eq!(used, received.len());
        reply
    }

    #[test]
    fn lines_are_joined_and_a_repeated_status_is_said_once() {
        let reply = read(b"550-5.1.1 The email account that you tried to\r\n550-5.1.1 reach does\x07 not exist.\r\n550 5.1.1  See x\r\n");
        assert_eq!(reply.status, Some(Status(5, 1, 1)));
        assert_eq!(reply.text, "5.1.1 The email account that you tried to reach does not exist. See x");
        assert_eq!(reply.to_string(), format!("550 {}", reply.text));
    }

    #[test]
    fn the_status_may_stand_in_any_line_but_only_at_its_beginning() {
        assert_eq!(read(b"550-go away\r\n550 5.7.1: blocked\r\n").status, Some(Status(5, 7, 1)));
        assert_eq!(read(b"550 sorry (#5.1.1)\r\n").status, None);
        assert_eq!(read(b"550 192.0.2.1 is listed\r\n").status, None);
        assert_eq!(read(b"550 5.1.1. no\r\n").status, Some(Status(5, 1, 1)));
        assert_eq!(read(b"550 5.1.1234 no\r\n").status, None);
        assert_eq!(read(b"550 6.1.1 no\r\n").status, None);
    }

    #[test]
    fn nothing_turns_the_direction_of_a_line() {
        assert_eq!(read("550 a\u{202E}b\u{2069}c\r\n".as_bytes()).text, "a b c");
    }

    #[test]
    fn sloppy_servers_are_understood() {
        assert_eq!(read(b"250\r\n"), Reply { code: 250, status: None, text: String::new() });
        assert_eq!(read(b"250 ok\n").text, "ok");
        assert_eq!(read(b"571 refus\xe9\r\n").text, "refus\u{fffd}");
        assert_eq!(read(format!("550 {}\r\n", "x".repeat(900)).as_bytes()).text.len(), MAX_TEXT);
    }

    #[test]
    fn what_is_no_reply_is_never_taken_for_one() {
        for bad in [
            &b"\x01\x02 not smtp\r\n"[..],
            b"25\r\n",
            b"2500 x\r\n",
            b"250-a\r\n251 b\r\n",
            b"\r\n",
            b"150 x\r\n",
            b"+50 x\r\n",
        ] {
            assert_eq!(Reply::read(bad), Err(NotAReply), "{bad:?}");
        }
        for unfinished in [&b""[..], b"250", b"250 ok", b"250-a\r\n250", b"250-a\r\n"] {
            assert_eq!(Reply::read(unfinished), Ok(None), "{unfinished:?}");
        }
        assert_eq!(Reply::read(b"250 a\r\n421 b\r\n").unwrap().unwrap().1, 7);
    }

    #[test]
    fn a_status_has_a_class_a_subject_and_a_detail() {
        for (text, status) in [("5.1.1", Status(5, 1, 1)), ("4.7.650", Status(4, 7, 650)), ("2.0.0", Status(2, 0, 0))] {
            assert_eq!(text.parse(), Ok(status));
            assert_eq!(status.to_string(), text);
        }
        for wrong in ["", "5", "5.1", "5.1.1.1", "3.1.1", "55.1.1", "5.1000.1", "5.1.1000", "5..1", "5.1.x", "5.+1.1"] {
            assert_eq!(wrong.parse::<Status>(), Err(NotAStatus), "{wrong}");
        }
    }

    #[test]
    fn a_reply_is_shown_with_its_code_and_silence_without() {
        assert_eq!(Reply::new(550, ["5.1.1 no", "5.1.1", " really "]).to_string(), "550 5.1.1 no really");
        assert_eq!(Reply::new(550, [""]).to_string(), "550");
        let silence = Reply::silence("4.4.2 the connection broke");
        assert_eq!((silence.to_string(), silence.code, silence.status), ("4.4.2 the connection broke".into(), 0, None));
        assert!([200, 250, 354, 399].iter().all(|code| Reply::new(*code, [""]).is_positive()));
        assert!([0, 199, 400, 421, 550].iter().all(|code| !Reply::new(*code, [""]).is_positive()));
    }

    #[test]
    fn whether_the_connection_ended_is_told_beside_what_the_reply_means() {
        let ends =
            |code, outcome| Sent { stage: Stage::Dot, reply: Reply::new(code, ["x"]), outcome }.ends_connection();
        for outcome in [Fault::Throttled, Fault::Greylisted, Fault::Recipient].map(Outcome::Deferred) {
            assert!(ends(421, outcome) && !ends(451, outcome), "{outcome:?}");
        }
        assert!(ends(0, Outcome::Unknown) && ends(250, Outcome::Deferred(Fault::Connection)));
        assert!(!ends(250, Outcome::Accepted) && !ends(550, Outcome::Refused(Refusal::Policy)));
    }
}
