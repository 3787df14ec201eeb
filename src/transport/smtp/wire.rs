//! The stream beneath lettre's connection. It is ours for four reasons: TCP_NODELAY; what the server says is heard
//! whole, where lettre keeps only parts of it; what lettre cannot read (octets that are not UTF-8, a bare code, `571`,
//! a bare line feed, a long line) is put in order first; and TLS can begin in the middle with nothing left over from before.

use lettre::transport::smtp::client::AsyncTokioStream;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The longest line that is read. RFC 5321 allows 512 octets; what is longer than this never ends.
const MAX_LINE: usize = 16 * 1024;
/// How much of a line's words is handed to lettre, which gives up at 1,000.
const MAX_WORDS: usize = 400;

/// A handle on the stream. lettre's connection owns one, ours another; both are used by the same thread.
#[derive(Clone, Debug)]
pub(super) struct Wire(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    stream: Stream,
    /// Received, not yet looked at.
    raw: Vec<u8>,
    /// In order, for lettre.
    clean: Vec<u8>,
    /// The lines handed to lettre since [`Wire::heard`], as they came.
    heard: Vec<u8>,
    /// Octets the stream took since [`Wire::heard`].
    written: usize,
    /// Something was written since then while something else was there to be read.
    interrupted: bool,
    /// The server closed its side.
    ended: bool,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While the handshake has it, and after it failed.
    Gone,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        let (raw, clean, heard) = (Vec::new(), Vec::new(), Vec::new());
        Wire(Arc::new(Mutex::new(Line { stream, raw, clean, heard, written: 0, interrupted: false, ended: false })))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the server said since the last call.
    pub(super) fn heard(&self) -> Vec<u8> {
        let mut line = self.line();
        line.written = 0;
        line.interrupted = false;
        std::mem::take(&mut line.heard)
    }

    /// How many octets the stream took since [`heard`](Self::heard).
    pub(super) fn written(&self) -> usize {
        self.line().written
    }

    /// Whether more came than was asked for before we spoke again, since [`heard`](Self::heard).
    pub(super) fn was_interrupted(&self) -> bool {
        self.line().interrupted
    }

    /// Whether the server closed its side.
    pub(super) fn has_ended(&self) -> bool {
        self.line().ended
    }

    /// Whether more came than was asked for.
    pub(super) fn has_more(&self) -> bool {
        let line = self.line();
        !line.raw.is_empty() || !line.clean.is_empty()
    }

    /// Whether nothing came while nothing was expected: no farewell, no end of the stream.
    pub(super) async fn is_quiet(&self) -> bool {
        // The reactor learns what happened on the socket only when it is given a turn.
        tokio::task::yield_now().await;
        poll_fn(|cx| {
            let mut line = self.line();
            let quiet = line.raw.is_empty() && line.clean.is_empty() && line.poll_fill(cx).is_pending();
            Poll::Ready(quiet)
        })
        .await
    }

    /// Writes all pieces one behind the other, past lettre, which would write a body and its final dot apart and add an empty
    /// line.
    pub(super) async fn write_all(&self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let n = poll_fn(|cx| self.line().poll_write(cx, rest)).await?;
            if n == 0 && rest.iter().any(|piece| !piece.is_empty()) {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, n);
        }
        poll_fn(|cx| self.line().stream.poll_flush(cx)).await
    }

    /// The bare stream, for a TLS handshake; `None` where it is not bare.
    pub(super) fn take_plain(&self) -> Option<TcpStream> {
        let mut line = self.line();
        match std::mem::replace(&mut line.stream, Stream::Gone) {
            Stream::Plain(stream) => Some(stream),
            other => {
                line.stream = other;
                None
            }
        }
    }

    /// Goes on over `stream`.
    pub(super) fn put(&self, stream: Stream) {
        self.line().stream = stream;
    }
}

impl Line {
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let n = ready!(self.stream.poll_write(cx, pieces))?;
        self.written += n;
        self.interrupted |= !self.raw.is_empty();
        Poll::Ready(Ok(n))
    }

    /// Receives some octets; none means the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        match ready!(self.stream.poll_read(cx, &mut buffer)) {
            // TLS without its farewell: replies have their own end, so what is cut off shows.
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other?,
        }
        self.raw.extend_from_slice(buffer.filled());
        self.ended = buffer.filled().is_empty();
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Moves one line from `raw` to `heard` and, put in order, to `clean`. One, so that nothing waits unseen in lettre's buffer.
    fn next_line(&mut self) -> bool {
        let Some(end) = self.raw.iter().position(|b| *b == b'\n') else { return false };
        let line: Vec<u8> = self.raw.drain(..=end).collect();
        self.clean = in_order(&line);
        self.heard.extend_from_slice(&line);
        true
    }
}

/// A reply line as lettre can read it. What is no reply line stays none.
fn in_order(line: &[u8]) -> Vec<u8> {
    let line = line.trim_ascii_end();
    let mut out: Vec<u8> = line.iter().take(MAX_WORDS).map(|b| if b.is_ascii() { *b } else { b'?' }).collect();
    if let [b'2'..=b'5', category, b'0'..=b'9', ..] = &mut out[..]
        && category.is_ascii_digit()
    {
        // lettre knows the categories of the RFC, 0 to 5; some servers know 571.
        *category = (*category).min(b'5');
        match out.get_mut(3) {
            None => out.extend_from_slice(b" -"),
            Some(space @ b'\t') => *space = b' ',
            Some(_) => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = self.line();
        while line.clean.is_empty() && !line.next_line() {
            if line.raw.len() > MAX_LINE {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end")));
            }
            if ready!(line.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(())); // half a line is no line
            }
        }
        let n = line.clean.len().min(buffer.remaining());
        buffer.put_slice(&line.clean[..n]);
        line.clean.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line().stream.poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.line().stream {
            Stream::Plain(stream) => stream.peer_addr(),
            Stream::Tls(stream) => stream.get_ref().0.peer_addr(),
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn lines_are_put_in_order_for_lettre() {
        let clean = |line: &[u8]| String::from_utf8(in_order(line)).unwrap();
        assert_eq!(clean(b"250\r\n"), "250 -\r\n");
        assert_eq!(clean(b"250-ok\n"), "250-ok\r\n");
        assert_eq!(clean(b"571 refus\xe9\r\n"), "551 refus?\r\n");
        assert_eq!(clean(b"250\tok\r\n"), "250 ok\r\n");
        assert_eq!(clean(b"\r\n"), "\r\n");
        assert_eq!(clean(b"what?\r\n"), "what?\r\n");
        assert!(clean(&[b'2'; 5000]).len() < 1000);
    }
}
