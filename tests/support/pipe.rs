//! The server's end of a connection: lines in, text out, TLS from any moment on; and a certificate for it.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::SockRef;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One connection, in the clear or not.
pub(crate) struct Pipe {
    stream: Stream,
    received: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    Gone,
}

impl Pipe {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        Pipe { stream: Stream::Plain(stream), received: Vec::new() }
    }

    /// How many milliseconds it waits for the client; 0: for ever.
    pub(crate) fn patience(&self, millis: u64) {
        if let Stream::Plain(stream) = &self.stream {
            let limit = (millis > 0).then(|| Duration::from_millis(millis));
            stream.set_read_timeout(limit).expect("a socket");
        }
    }

    /// Handshakes, and speaks TLS from here on.
    pub(crate) fn start_tls(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        let Stream::Plain(mut stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(connection, stream)));
        Ok(())
    }

    /// One line without its end; `None` at the end of the stream.
    pub(crate) fn line(&mut self) -> io::Result<Option<String>> {
        while !self.received.contains(&b'\n') {
            if !self.receive()? {
                return Ok(None);
            }
        }
        let end = self.received.iter().position(|b| *b == b'\n').expect("just seen");
        let line: Vec<u8> = self.received.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_string()))
    }

    /// The body of a DATA, dots undone, without the final one; `None` where the client went away, or `most` octets came first.
    pub(crate) fn body(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut seen = 0;
        loop {
            if self.received.starts_with(b".\r\n") {
                self.received.drain(..3);
                return Ok(Some(Vec::new()));
            }
            if let Some(at) = self.received[seen..].windows(5).position(|five| five == b"\r\n.\r\n") {
                let wire: Vec<u8> = self.received.drain(..seen + at + 5).collect();
                let mut body = Vec::with_capacity(wire.len());
                for line in wire[..wire.len() - 3].split_inclusive(|b| *b == b'\n') {
                    body.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                }
                return Ok(Some(body));
            }
            seen = self.received.len().saturating_sub(4);
            if self.received.len() > most || !self.receive()? {
                return Ok(None);
            }
        }
    }

    pub(crate) fn say(&mut self, text: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(text),
            Stream::Tls(stream) => stream.write_all(text).and_then(|()| stream.flush()),
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Hangs up without a word.
    pub(crate) fn close(&mut self) {
        let stream = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
            Stream::Gone => return,
        };
        // The other side may have been faster.
        let _ = stream.shutdown(Shutdown::Both);
        self.stream = Stream::Gone;
    }

    /// Hangs up so that the other side hears of an error (RST), and loses what it has not read yet.
    pub(crate) fn reset(&mut self) {
        let stream = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
            Stream::Gone => return,
        };
        SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        self.stream = Stream::Gone;
    }

    /// Takes so many octets, if the other side sends as many.
    pub(crate) fn octets(&mut self, count: usize) -> io::Result<()> {
        while self.received.len() < count && self.receive()? {}
        self.received.drain(..count.min(self.received.len()));
        Ok(())
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut space = [0; 16 * 1024];
        let n = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut space)?,
            Stream::Tls(stream) => stream.read(&mut space)?,
            Stream::Gone => 0,
        };
        self.received.extend_from_slice(&space[..n]);
        Ok(n > 0)
    }
}

/// Writes `cert.pem` and `key.pem` for `names` into `folder`; nobody but itself vouches for it.
pub(crate) fn write_certificate(folder: &Path, names: &[&str], is_ca: rcgen::IsCa) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    params.is_ca = is_ca;
    fs::write(folder.join("cert.pem"), params.self_signed(&key).expect("a certificate").pem())
        .expect("a folder to write to");
    fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a folder to write to");
}

/// The server's side of it.
pub(crate) fn server_config(folder: &Path) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).expect("cert.pem");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("key.pem");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    Arc::new(config)
}
