//! Mails on an IMAP server (RFC 9051, and RFC 3501 before it), moved there with MOVE, or COPY and `\Deleted` where there is none. What is
//! fetched stays unseen (`BODY.PEEK`), and nothing is expunged but what we marked ourselves (UID EXPUNGE, RFC 4315).
//!
//! A small runtime of its own drives the connection, one call at a time: above, nothing is async.

use super::source::{Security, Server};
use super::{Error, Item, LONGEST, Place};
use crate::transport::smtp::tls;
use async_imap::{Client, Session};
use rustls_pki_types::ServerName;
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;
use std::future::Future;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The patience with one answer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Imap {
    name: String,
    session: Session<Stream>,
    waiting: VecDeque<u32>,
    can: Abilities,
    /// Folders that are there, by the name that we gave them and the server's.
    folders: Vec<(String, String)>,
    // After the session, which must be dropped first.
    runtime: Runtime,
}

/// What the server can do beyond the least.
#[derive(Clone, Copy, Debug)]
struct Abilities {
    moving: bool,
    expunging: bool,
}

/// The connection, protected or not.
#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Imap {
    pub(super) fn open(server: &Server, root: &Path, password: Option<&str>) -> Result<Imap, Error> {
        let name = server.to_string();
        let wrong = |why: String| Error::Server { server: name.clone(), why };
        let password = password.ok_or_else(|| wrong("there is no password\n  help: set inbox.password".to_owned()))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| wrong(e.to_string()))?;
        // Resolved on this thread, which is free to wait.
        let addresses: Vec<_> = (server.host.as_str(), server.port)
            .to_socket_addrs()
            .map_err(|e| wrong(format!("cannot be found: {e}")))?
            .collect();
        let connected = runtime.block_on(in_time(connect(server, root, &addresses, password)));
        let (mut session, capabilities) = connected.map_err(wrong)?;
        let found = runtime.block_on(in_time(async {
            session.select(&server.folder).await.map_err(|e| format!("the mailbox cannot be opened: {e}"))?;
            session.uid_search("UNDELETED").await.map_err(said)
        }));
        // In their order of arrival.
        let waiting: BTreeSet<u32> = found.map_err(wrong)?.into_iter().collect();
        Ok(Imap {
            name,
            session,
            waiting: waiting.into_iter().collect(),
            can: capabilities,
            folders: Vec::new(),
            runtime,
        })
    }

    pub(super) fn next_mail(&mut self) -> Result<Option<Item>, Error> {
        while let Some(uid) = self.waiting.pop_front() {
            let session = &mut self.session;
            let fetched = self.runtime.block_on(in_time(async {
                use futures_util::TryStreamExt;
                let query = format!("(UID BODY.PEEK[]<0.{LONGEST}>)");
                let mails = session.uid_fetch(uid.to_string(), query).await.map_err(said)?;
                let mails: Vec<_> = mails.try_collect().await.map_err(said)?;
                Ok(mails.iter().filter(|mail| mail.uid == Some(uid)).find_map(|mail| mail.body().map(<[u8]>::to_vec)))
            }));
            let fetched = fetched.map_err(|why| Error::Server { server: self.name.clone(), why })?;
            // None: another program has moved it.
            if let Some(bytes) = fetched {
                return Ok(Some(Item { name: format!("uid {uid}"), bytes, place: Place::Uid(uid) }));
            }
        }
        Ok(None)
    }

    pub(super) fn dispose(&mut self, uid: u32, keep: Option<&str>) -> Result<(), Error> {
        let folder = keep.map(|folder| self.folder(folder)).transpose()?;
        let (session, can) = (&mut self.session, self.can);
        let moved = self.runtime.block_on(in_time(async {
            let uid = uid.to_string();
            match folder {
                Some(folder) if can.moving => return session.uid_mv(&uid, &folder).await.map_err(said),
                Some(folder) => session.uid_copy(&uid, &folder).await.map_err(said)?,
                None => {}
            }
            use futures_util::TryStreamExt;
            let flags = session.uid_store(&uid, "+FLAGS.SILENT (\\Deleted)").await.map_err(said)?;
            let _: Vec<_> = flags.try_collect().await.map_err(said)?;
            if can.expunging {
                let expunged = session.uid_expunge(&uid).await.map_err(said)?;
                let _: Vec<_> = expunged.try_collect().await.map_err(said)?;
            }
            Ok(())
        }));
        moved.map_err(|why| Error::Server { server: self.name.clone(), why })
    }

    /// The folder by the server's name, made where it is not there. Some servers have every folder below INBOX.
    fn folder(&mut self, folder: &str) -> Result<String, Error> {
        if let Some((_, name)) = self.folders.iter().find(|(known, _)| known == folder) {
            return Ok(name.clone());
        }
        let session = &mut self.session;
        let made = self.runtime.block_on(in_time(async {
            use futures_util::TryStreamExt;
            let mut why = String::new();
            for name in [folder.to_owned(), format!("INBOX.{folder}"), folder.replace('.', "-")] {
                let there: Vec<_> = match session.list(Some(""), Some(&name)).await {
                    Ok(found) => found.try_collect().await.map_err(said)?,
                    Err(error) => return Err(said(error)),
                };
                if !there.is_empty() {
                    return Ok(name);
                }
                match session.create(&name).await {
                    Ok(()) => return Ok(name),
                    Err(error) => why = said(error),
                }
            }
            Err(format!("the folder {folder} cannot be made: {why}"))
        }));
        let name = made.map_err(|why| Error::Server { server: self.name.clone(), why })?;
        self.folders.push((folder.to_owned(), name.clone()));
        Ok(name)
    }

    pub(super) fn close(mut self) {
        let session = &mut self.session;
        // Whatever it answers: all is done.
        let _ = self.runtime.block_on(in_time(async { session.logout().await.map_err(said) }));
    }
}

async fn connect(
    server: &Server,
    root: &Path,
    addresses: &[std::net::SocketAddr],
    password: &str,
) -> Result<(Session<Stream>, Abilities), String> {
    let tcp = TcpStream::connect(addresses).await.map_err(|e| format!("cannot be reached: {e}"))?;
    let tcp = match server.security {
        Security::Implicit => Stream::Tls(Box::new(handshake(server, root, tcp).await?)),
        Security::StartTls | Security::Clear => Stream::Clear(tcp),
    };
    let mut client = Client::new(tcp);
    greeting(&mut client).await?;
    if server.security == Security::StartTls {
        client.run_command_and_check_ok("STARTTLS", None).await.map_err(|e| format!("STARTTLS was refused: {e}"))?;
        let Stream::Clear(tcp) = client.into_inner() else { return Err("TLS was begun twice".to_owned()) };
        client = Client::new(Stream::Tls(Box::new(handshake(server, root, tcp).await?)));
    }
    let session = client.login(&server.user, password).await;
    let mut session = session.map_err(|(why, _)| {
        format!("the login was refused: {why}\n  help: check the user in inbox.source and inbox.password; some providers want a password made for the program")
    })?;
    let known = session.capabilities().await.map_err(said)?;
    let can = Abilities { moving: known.has_str("MOVE"), expunging: known.has_str("UIDPLUS") };
    Ok((session, can))
}

async fn greeting(client: &mut Client<Stream>) -> Result<(), String> {
    match client.read_response().await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("the server hung up at once".to_owned()),
        Err(error) => Err(format!("the server does not greet: {error}; imaps:// is for port 993, imap:// for 143")),
    }
}

async fn handshake(server: &Server, root: &Path, tcp: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let ca = server.ca.as_ref().map(|file| root.join(file));
    let config = tls::client_config(ca.as_deref()).map_err(|e| e.to_string())?;
    let name = ServerName::try_from(server.host.clone()).map_err(|_| "its name can be on no certificate".to_owned())?;
    let shaken = TlsConnector::from(config).connect(name, tcp).await;
    shaken.map_err(|e| {
        format!("TLS failed: {e}\n  help: if the certificate is your own, name it in inbox.source: ?ca=FILE.pem")
    })
}

async fn in_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err("the server did not answer for a minute".to_owned()))
}

fn said(error: impl Display) -> String {
    error.to_string()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
