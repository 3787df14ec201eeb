//! One message (RFC 5321 section 3.3): its envelope, which puts nobody at stake, and its body, which does.
//!
//! Where the server offers PIPELINING (RFC 2920) MAIL, RCPT and DATA leave in one write, and the next message's envelope leaves
//! behind this one's final dot: RFC 2920 section 3.1 names the end of a message as a command that others may follow. Its body
//! waits until the caller has committed to it.

use super::connection::{Connection, State, Stopped, TOO_MUCH, no_reply};
use super::words::{is_hang_up, refused, seconds};
use super::{Smtp, Timeouts};
use crate::message::Message;
use crate::reply::{Fault, Outcome, Refusal, Reply, Sent, Stage, Status, Verdict, outcome};
use crate::transport::{Configuration, Offered};
use memchr::memmem;
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::timeout;

/// After so many messages a connection is given up politely. Servers that count have other limits and say 421, which costs a
/// connection and nothing else.
const MAX_MESSAGES: u32 = 1000;
/// RFC 5321 section 4.1.4.
const BAD_SEQUENCE: u16 = 503;

impl Connection {
    /// Offers one message's envelope, or reads what became of it where it was written ahead.
    pub(super) async fn offer(&mut self, message: &Message, smtp: &Smtp) -> Result<Offered, Configuration> {
        let server = &smtp.server;
        if self.state != State::Ahead {
            if let Some(hindrance) = self.hindrance(message, smtp) {
                return hindrance;
            }
            self.messages += 1;
        }
        let said = if self.offers.pipelining {
            self.pipelined(message, &smtp.timeouts).await
        } else {
            self.one_by_one(message, &smtp.timeouts).await
        };
        let (stage, reply) = match said {
            Err(stopped) => stopped,
            // What comes behind the 354 unasked would be taken for the reply to the body.
            Ok(()) if self.state == State::Broken => (Stage::Data, self.lost(TOO_MUCH)),
            Ok(()) => {
                self.state = State::Body;
                return Ok(Offered::Wanted);
            }
        };
        self.leave_if_lost(&reply);
        if self.state == State::Sound {
            self.state = State::Refused;
        }
        // Nobody was at stake yet, and a connection that has served may just have been closed for its age.
        let gone = matches!(reply.code, 0 | 421 | BAD_SEQUENCE);
        match outcome(stage, &reply) {
            Verdict::Delivery(outcome) => {
                let sent = Sent { stage, reply, outcome };
                Ok(if gone && self.messages > 1 { Offered::Stale(sent) } else { Offered::Ended(sent) })
            }
            // On a connection of its own it is heard again, if it means the set-up.
            Verdict::Configuration if reply.code == BAD_SEQUENCE && self.messages > 1 => {
                Ok(Offered::Stale(Sent { stage, reply, outcome: Outcome::Deferred(Fault::Connection) }))
            }
            Verdict::Configuration => Err(refused(server, stage, &reply)),
        }
    }

    /// A server that has another idea of what came before is in no state to go on from.
    fn leave_if_lost(&mut self, reply: &Reply) {
        if reply.code == BAD_SEQUENCE {
            self.state = State::Broken;
        }
    }

    /// Sends the body of the message whose envelope was taken, and behind it `next`'s envelope.
    pub(super) async fn deliver(&mut self, message: &Message, next: Option<&Message>, smtp: &Smtp) -> Sent {
        let next =
            next.filter(|next| self.offers.pipelining && !self.is_used_up() && self.hindrance(next, smtp).is_none());
        let ahead = next.map(|next| self.envelope(next).concat()).unwrap_or_default();
        self.state = State::Sound;
        let (stage, reply) = match self.body(&message.bytes, &ahead, &smtp.timeouts).await {
            Err(stopped) => stopped,
            Ok(()) => {
                self.expected = if next.is_some() { 4 } else { 1 };
                let reply = self.reply(smtp.timeouts.dot).await;
                (Stage::Dot, reply.map_or_else(|lost| lost, |reply| self.fitting(reply)))
            }
        };
        self.leave_if_lost(&reply);
        if next.is_some() && self.state == State::Sound {
            self.messages += 1;
            self.state = State::Ahead;
        }
        match outcome(stage, &reply) {
            Verdict::Delivery(outcome) => Sent { stage, reply, outcome },
            Verdict::Configuration => unreachable!("said of no stage behind RCPT"),
        }
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.messages >= MAX_MESSAGES
    }

    /// What keeps a message from being offered to this server at all.
    fn hindrance(&self, message: &Message, smtp: &Smtp) -> Option<Result<Offered, Configuration>> {
        let (server, size) = (&smtp.server, message.bytes.len());
        if let Some(limit) = self.offers.size.filter(|limit| *limit > 0 && size > *limit) {
            let sentence = format!(
                "{server} takes messages of at most {limit} octets, and this one has {size}; shorten it (content = \"summary\")"
            );
            return Some(Err(Configuration { stage: Stage::Mail, sentence }));
        }
        if message.envelope.to.needs_smtputf8() && !self.offers.smtputf8 {
            let words = "the server cannot write to an address with letters beyond ASCII before its @ (it does not offer SMTPUTF8)";
            let reply = Reply { status: Some(Status(5, 6, 7)), ..Reply::silence(words) };
            let sent = Sent { stage: Stage::Mail, reply, outcome: Outcome::Refused(Refusal::Other) };
            return Some(Ok(Offered::Ended(sent)));
        }
        None
    }

    /// MAIL, RCPT and DATA.
    fn envelope(&self, message: &Message) -> [String; 3] {
        let (from, to) = (message.envelope.from.as_str(), message.envelope.to.as_str());
        let mut parameters = String::new();
        if self.offers.size.is_some() {
            parameters += &format!(" SIZE={}", message.bytes.len());
        }
        if message.envelope.from.needs_smtputf8() || message.envelope.to.needs_smtputf8() {
            parameters += " SMTPUTF8";
            // RFC 6531 section 3.6: it comes with 8BITMIME. Everything else we send has seven bits.
            parameters += if self.offers.eight_bit { " BODY=8BITMIME" } else { "" };
        }
        [format!("MAIL FROM:<{from}>{parameters}\r\n"), format!("RCPT TO:<{to}>\r\n"), "DATA\r\n".to_owned()]
    }

    async fn one_by_one(&mut self, message: &Message, limits: &Timeouts) -> Result<(), Stopped> {
        for (command, (stage, wanted, limit)) in self.envelope(message).into_iter().zip(steps(limits)) {
            self.step(stage, limit, command, wanted).await?;
            if self.state == State::Broken {
                return Err((stage, self.lost(TOO_MUCH)));
            }
        }
        Ok(())
    }

    /// The first reply that is no yes counts, but all are read, or the next message would take them for its own.
    async fn pipelined(&mut self, message: &Message, limits: &Timeouts) -> Result<(), Stopped> {
        let before = std::mem::replace(&mut self.state, State::Sound);
        if before != State::Ahead {
            let reset = if before == State::Refused { "RSET\r\n" } else { "" };
            let commands = reset.to_owned() + &self.envelope(message).concat();
            self.wire.heard();
            self.expected = if before == State::Refused { 4 } else { 3 };
            // Where it cannot be written, what the server said before it left may yet be read.
            if timeout(limits.command, self.wire.write_all(&[commands.as_bytes()])).await.is_err() {
                return Err((Stage::Mail, self.lost(&no_reply(limits.command))));
            }
        }
        if before == State::Refused {
            match self.reply(limits.command).await {
                Ok(reply) if reply.code / 100 == 2 => {}
                // Whatever the server is in the middle of, this message is not in it.
                Ok(reply) => return Err((Stage::Mail, self.out_of_step(&reply))),
                Err(lost) => return Err((Stage::Mail, lost)),
            }
        }
        let mut said = Ok(());
        for (stage, wanted, limit) in steps(limits) {
            let judged = match self.reply(limit).await {
                Ok(reply) if reply.code / 100 == wanted => Ok(reply),
                Ok(reply) if reply.code >= 400 => Err((stage, reply)),
                Ok(reply) => Err((stage, self.out_of_step(&reply))),
                Err(lost) => Err((stage, lost)),
            };
            match (judged, &said) {
                // RFC 2920 section 3.1: it wants a body though it takes no recipient. It gets the empty one.
                (Ok(_), Err(_)) if stage == Stage::Data => self.lone_dot(limits).await,
                (Err(stopped), Ok(())) => said = Err(stopped),
                _ => {}
            }
            if self.state == State::Broken {
                break;
            }
        }
        said
    }

    async fn lone_dot(&mut self, limits: &Timeouts) {
        self.expected = 1;
        let written = timeout(limits.command, self.wire.write_all(&[b".\r\n"])).await;
        if !matches!(written, Ok(Ok(()))) || self.reply(limits.dot).await.is_err() {
            self.state = State::Broken;
        }
    }

    /// Writes body and final dot, and what follows them, at once. Where not all of the body was taken, the dot did not leave.
    async fn body(&mut self, message: &[u8], ahead: &str, limits: &Timeouts) -> Result<(), Stopped> {
        // What was said since the 354, a farewell or none, is no reply to the body: it stays here, and nobody is in doubt.
        if !self.wire.is_quiet().await {
            let said = self.reply(limits.quit).await;
            self.state = State::Broken;
            return Err((Stage::Body, said.map_or_else(|lost| lost, |reply| self.refusing(reply))));
        }
        let body = stuffed(message);
        let dot = final_dot(&body);
        self.wire.heard();
        let why = match timeout(limits.body, self.wire.write_all(&[&body, dot, ahead.as_bytes()])).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) if is_hang_up(&why) => "the server closed the connection in the middle of the message".into(),
            Ok(Err(why)) => format!("the connection broke in the middle of the message: {why}"),
            Err(_) => format!("the server stopped reading in the middle of the message for {}", seconds(limits.body)),
        };
        let stage = reached(self.wire.written(), &body, dot);
        // A server that had enough says so before it hangs up.
        let last_words = self.reply(limits.quit).await;
        self.state = State::Broken;
        match last_words {
            Ok(reply) if reply.code >= 400 => Err((stage, reply)),
            _ => Err((stage, Reply::silence(&why))),
        }
    }

    /// A reply that can stand before it.
    fn refusing(&mut self, reply: Reply) -> Reply {
        if reply.code >= 400 { reply } else { self.out_of_step(&reply) }
    }

    /// A reply that can stand after the final dot.
    fn fitting(&mut self, reply: Reply) -> Reply {
        match reply.code / 100 {
            2 | 4 | 5 => reply,
            _ => self.out_of_step(&reply),
        }
    }
}

/// The steps of an envelope: where, the first digit of a yes, how long to wait for it.
fn steps(limits: &Timeouts) -> [(Stage, u16, Duration); 3] {
    [(Stage::Mail, 2, limits.command), (Stage::Rcpt, 2, limits.command), (Stage::Data, 3, limits.data)]
}

/// The body as DATA carries it (RFC 5321 section 4.5.2): a dot before each line that begins with one.
fn stuffed(bytes: &[u8]) -> Cow<'_, [u8]> {
    // After a bare line feed, too, should there ever be one: some servers take it for the end of a line.
    let mut dots = memmem::find_iter(bytes, b"\n.").peekable();
    if dots.peek().is_none() && !bytes.starts_with(b".") {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 64 + 8);
    if bytes.starts_with(b".") {
        out.push(b'.');
    }
    let mut from = 0;
    for at in dots {
        out.extend_from_slice(&bytes[from..=at]);
        out.push(b'.');
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    Cow::Owned(out)
}

/// What ends the body.
fn final_dot(body: &[u8]) -> &'static [u8] {
    if body.ends_with(b"\r\n") { b".\r\n" } else { b"\r\n.\r\n" }
}

/// How far a message came of which so many octets left, with what follows the dot: only behind the dot is it in doubt.
fn reached(written: usize, body: &[u8], dot: &[u8]) -> Stage {
    if written < body.len() + dot.len() { Stage::Body } else { Stage::Dot }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_doubt_from_its_final_dot_on() {
        let (body, dot) = (b"a line\r\n", final_dot(b"a line\r\n"));
        for (written, stage) in
            [(0, Stage::Body), (8, Stage::Body), (10, Stage::Body), (11, Stage::Dot), (99, Stage::Dot)]
        {
            assert_eq!(reached(written, body, dot), stage, "{written}");
        }
    }

    #[test]
    fn dots_are_doubled_and_the_last_stands_alone() {
        let wire = |bytes: &[u8]| {
            let body = stuffed(bytes);
            String::from_utf8([&body, final_dot(&body)].concat()).unwrap()
        };
        assert_eq!(wire(b"a\r\n.b\r\n..\r\n"), "a\r\n..b\r\n...\r\n.\r\n");
        assert_eq!(wire(b".\r\n"), "..\r\n.\r\n");
        assert_eq!(wire(b"a"), "a\r\n.\r\n");
        assert_eq!(wire(b"a\n.\r\n"), "a\n..\r\n.\r\n");
        assert_eq!(wire(b"a\r\n.\r\n.\r\n"), "a\r\n..\r\n..\r\n.\r\n");
        assert_eq!(wire(b""), "\r\n.\r\n");
    }
}
