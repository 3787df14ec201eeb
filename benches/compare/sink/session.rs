//! One connection's dialogue. A message is gathered whole in one buffer, so the final dot is found and the body is hashed
//! without regard to how it was cut into segments; dots are never unstuffed, equal bodies are equal on the wire too.

use super::tally::Tally;
use memchr::memmem;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::ready;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const DOT: &[u8] = b"\r\n.\r\n";
/// The buffer's first size: several messages of the usual size in one read.
const ROOM: usize = 256 * 1024;
/// A message beyond it is no newsletter.
const MOST: usize = 64 * 1024 * 1024;

/// What EHLO offers beside SIZE, 8BITMIME and SMTPUTF8.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) pipelining: bool,
    pub(super) starttls: bool,
}

/// Why a dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// QUIT, or the other side hung up.
    Quit,
    /// The rest is inside TLS.
    StartTls,
}

enum State {
    Command,
    /// The body began at `head`; the final dot is in none of the octets before this one.
    Body(usize),
}

pub(super) struct Session<S> {
    stream: S,
    offer: Offer,
    tally: Arc<Mutex<Tally>>,
    buffer: Vec<u8>,
    /// What is not yet understood stands in `buffer[head..tail]`.
    head: usize,
    tail: usize,
    state: State,
    /// Replies not yet written; they leave together (RFC 2920, section 3.2).
    replies: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn new(stream: S, offer: Offer, tally: Arc<Mutex<Tally>>) -> Self {
        let buffer = vec![0; ROOM];
        Session { stream, offer, tally, buffer, head: 0, tail: 0, state: State::Command, replies: Vec::new() }
    }

    /// From the greeting on.
    pub(super) async fn greet(mut self) -> io::Result<(End, S)> {
        self.replies.extend_from_slice(b"220 sink.test ESMTP\r\n");
        self.listen().await
    }

    /// Without a greeting, as after STARTTLS.
    pub(super) async fn listen(mut self) -> io::Result<(End, S)> {
        loop {
            let end = self.understand();
            self.write().await?;
            if let Some(end) = end {
                return Ok((end, self.stream));
            }
            if self.read().await? == 0 {
                return Ok((End::Quit, self.stream));
            }
        }
    }

    /// Goes on until more is needed, or the dialogue ends.
    fn understand(&mut self) -> Option<End> {
        loop {
            match self.state {
                State::Body(seen) => {
                    let body = &self.buffer[self.head..self.tail];
                    // An empty body has no line end of its own before the dot.
                    let end = if body.starts_with(&DOT[2..]) {
                        Some((0, DOT.len() - 2))
                    } else {
                        let from = seen.saturating_sub(DOT.len() - 1);
                        memmem::find(&body[from..], DOT).map(|at| (from + at + 2, from + at + DOT.len()))
                    };
                    let Some((message, all)) = end else {
                        self.state = State::Body(body.len());
                        return None;
                    };
                    self.tally.lock().unwrap_or_else(PoisonError::into_inner).take(&body[..message]);
                    self.head += all;
                    self.state = State::Command;
                    self.replies.extend_from_slice(b"250 2.0.0 taken\r\n");
                }
                State::Command => {
                    let line = &self.buffer[self.head..self.tail];
                    let end = memchr::memchr(b'\n', line)?;
                    let mut verb = [0; 4];
                    let length = end.min(4);
                    verb[..length].copy_from_slice(&line[..length]);
                    verb.make_ascii_uppercase();
                    self.head += end + 1;
                    if let Some(end) = self.command(&verb) {
                        return Some(end);
                    }
                }
            }
        }
    }

    fn command(&mut self, verb: &[u8; 4]) -> Option<End> {
        let reply: &[u8] = match verb {
            b"EHLO" => {
                self.replies.extend_from_slice(b"250-sink.test\r\n250-SIZE 67108864\r\n250-8BITMIME\r\n");
                if self.offer.pipelining {
                    self.replies.extend_from_slice(b"250-PIPELINING\r\n");
                }
                if self.offer.starttls {
                    self.replies.extend_from_slice(b"250-STARTTLS\r\n");
                }
                b"250 SMTPUTF8\r\n"
            }
            b"MAIL" => {
                self.tally.lock().unwrap_or_else(PoisonError::into_inner).mail();
                b"250 2.1.0 ok\r\n"
            }
            b"DATA" => {
                self.state = State::Body(0);
                b"354 go on\r\n"
            }
            b"STAR" if self.offer.starttls => {
                self.replies.extend_from_slice(b"220 2.0.0 go on\r\n");
                return Some(End::StartTls);
            }
            b"QUIT" => {
                self.replies.extend_from_slice(b"221 2.0.0 bye\r\n");
                return Some(End::Quit);
            }
            b"HELO" | b"RCPT" | b"RSET" | b"NOOP" => b"250 2.0.0 ok\r\n",
            _ => b"502 5.5.1 not here\r\n",
        };
        self.replies.extend_from_slice(reply);
        None
    }

    /// Reads what is there, as much as there is room for.
    async fn read(&mut self) -> io::Result<usize> {
        if self.head == self.tail {
            (self.head, self.tail) = (0, 0);
        } else if self.tail == self.buffer.len() {
            self.make_room()?;
        }
        let (stream, buffer, tail) = (&mut self.stream, &mut self.buffer, &mut self.tail);
        poll_fn(|context| {
            let mut room = ReadBuf::new(&mut buffer[*tail..]);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut room))?;
            let read = room.filled().len();
            *tail += read;
            std::task::Poll::Ready(Ok(read))
        })
        .await
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.head > 0 {
            self.buffer.copy_within(self.head..self.tail, 0);
            self.tail -= self.head;
            self.head = 0;
        } else if self.buffer.len() < MOST {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else {
            return Err(io::Error::other("a message over 64 MiB"));
        }
        Ok(())
    }

    async fn write(&mut self) -> io::Result<()> {
        let (stream, replies) = (&mut self.stream, &mut self.replies);
        if replies.is_empty() {
            return Ok(());
        }
        let mut written = 0;
        poll_fn(|context| {
            while written < replies.len() {
                written += ready!(Pin::new(&mut *stream).poll_write(context, &replies[written..]))?;
            }
            Pin::new(&mut *stream).poll_flush(context)
        })
        .await?;
        self.replies.clear();
        Ok(())
    }
}
