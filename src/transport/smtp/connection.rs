//! The dialogue (RFC 5321 section 3), command by command over lettre's connection: the stage is always known, every step
//! has its time-out, and a connection that lost step (a time-out, a reply that does not fit, 421) is never used again.

use super::Timeouts;
use super::opening::Offers;
use super::wire::Wire;
use super::words::{is_hang_up, seconds};
use crate::reply::{NotAReply, Reply, Stage};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Quit, Rset};
use lettre::transport::smtp::response::Response;
use std::error::Error as _;
use std::fmt::{self, Display};
use std::io;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// One connection, greeted and, where that is asked for, encrypted and logged in.
pub(super) struct Connection {
    pub(super) lettre: AsyncSmtpConnection,
    pub(super) wire: Wire,
    pub(super) offers: Offers,
    /// Envelopes offered so far.
    pub(super) messages: u32,
    pub(super) state: State,
    /// Replies that are still owed to what was written.
    pub(super) expected: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is pending.
    Sound,
    /// The next message's envelope was written ahead; its replies are not read yet.
    Ahead,
    /// The server waits for a body.
    Body,
    /// A refusal left a transaction open: RSET before the next.
    Refused,
    /// Not to be used again.
    Broken,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("messages", &self.messages)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A server that does this is out of step.
pub(super) const TOO_MUCH: &str = "the server said more than it was asked";

/// Where and how a step ended otherwise than hoped for.
pub(super) type Stopped = (Stage, Reply);

impl Connection {
    pub(super) fn new(lettre: AsyncSmtpConnection, wire: Wire, offers: Offers) -> Self {
        Connection { lettre, wire, offers, messages: 0, state: State::Sound, expected: 0 }
    }

    /// Readies the connection for the next message; `None` where a new one is needed.
    pub(super) async fn go_on(mut self, limits: &Timeouts) -> Option<Self> {
        match self.state {
            State::Ahead => return Some(self),
            // A body that was offered and not sent: only the end of the connection tells the server so.
            State::Broken | State::Body => return None,
            State::Sound | State::Refused => {}
        }
        if !self.wire.is_quiet().await {
            return None;
        }
        if self.is_used_up() {
            self.quit(limits).await;
            return None;
        }
        // With PIPELINING it travels with the next envelope.
        if self.state == State::Refused && !self.offers.pipelining {
            self.state = State::Sound;
            self.step(Stage::Mail, limits.command, Rset, 2).await.ok()?;
        }
        (self.state != State::Broken).then_some(self)
    }

    /// Whether the connection can be used again, once [`go_on`](Self::go_on) agrees.
    pub(super) fn is_sound(&self) -> bool {
        self.state != State::Broken
    }

    /// Whether an envelope was written ahead.
    pub(super) fn has_offered(&self) -> bool {
        self.state == State::Ahead
    }

    /// RFC 1870 section 3: 0 is no limit.
    pub(super) fn largest(&self) -> Option<usize> {
        self.offers.size.filter(|size| *size > 0)
    }

    pub(super) async fn quit(mut self, limits: &Timeouts) {
        // In the middle of something QUIT would be taken for a line of a body.
        if matches!(self.state, State::Sound | State::Refused) {
            // The answer changes nothing, and servers are known to hang up instead.
            let _ = timeout(limits.quit, self.lettre.command(Quit)).await;
        }
    }

    /// One command whose reply must begin with the digit `wanted`; the reply's lines as they came.
    pub(super) async fn step(
        &mut self,
        stage: Stage,
        limit: Duration,
        command: impl Display,
        wanted: u16,
    ) -> Result<Vec<u8>, Stopped> {
        self.wire.heard();
        self.expected = 1;
        let read = timeout(limit, self.lettre.command(command)).await;
        let (reply, lines) = self.judge(read, limit).map_err(|lost| (stage, lost))?;
        match reply.code {
            code if code / 100 == wanted => Ok(lines),
            400.. => Err((stage, reply)),
            _ => Err((stage, self.out_of_step(&reply))),
        }
    }

    /// Reads one reply; where there is none, what happened instead.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Reply, Reply> {
        let read = timeout(limit, self.lettre.read_response()).await;
        self.judge(read, limit).map(|(reply, _)| reply)
    }

    /// What was heard counts, not what lettre made of it; its error serves where nothing was.
    fn judge(
        &mut self,
        read: Result<Result<Response, lettre::transport::smtp::Error>, Elapsed>,
        limit: Duration,
    ) -> Result<(Reply, Vec<u8>), Reply> {
        let heard = self.wire.heard();
        if let Ok(Some((reply, used))) = Reply::read(&heard) {
            self.expected = self.expected.saturating_sub(1);
            let more = used < heard.len() || (self.expected == 0 && self.wire.has_more());
            if reply.code == 421 || more {
                self.state = State::Broken;
            }
            return Ok((reply, heard));
        }
        let words = match read {
            Ok(read) => silence(&self.wire, &heard, read.err()),
            Err(_) => no_reply(limit),
        };
        Err(self.lost(&words))
    }

    pub(super) fn lost(&mut self, words: &str) -> Reply {
        self.state = State::Broken;
        Reply::silence(words)
    }

    pub(super) fn out_of_step(&mut self, reply: &Reply) -> Reply {
        self.lost(&format!("the server's reply does not fit: {reply}"))
    }
}

pub(super) fn silence(wire: &Wire, heard: &[u8], error: Option<lettre::transport::smtp::Error>) -> String {
    if Reply::read(heard).is_err() {
        return NotAReply.to_string();
    }
    let cause = error.as_ref().and_then(|error| error.source());
    match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(why) if !is_hang_up(why) => format!("the connection broke: {why}"),
        None if !wire.has_ended() => NotAReply.to_string(),
        _ => "the server closed the connection without a reply".into(),
    }
}

pub(super) fn no_reply(limit: Duration) -> String {
    format!("no reply within {}", seconds(limit))
}
