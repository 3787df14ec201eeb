//! Ways out: bytes in, [`Sent`] out.
//!
//! | transport | for | in doubt after a crash |
//! |---|---|---|
//! | [`smtp`] | a mail account or an MTA | yes, one delivery per connection |
//! | [`outbox`] | rehearsals: a directory of `.eml` files | never |
//! | [`sendmail`] | machines whose MTA has no port | yes |
//! | [`memory`] | tests | never |
//!
//! A closed enum, not a trait: these are all there are. A [`Session`] is used by one thread at a time and talks in three
//! steps: [`Session::ready`] does all that concerns no recipient, [`Session::offer`] asks whether the server wants this message,
//! [`Session::deliver`] hands it over. The caller commits its intent before the third, and always learns how far it came.

use crate::delivery::route::Route;
use crate::message::Message;
use crate::reply::{Reply, Sent, Stage};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod memory;
pub mod outbox;
pub mod relay;
pub mod sendmail;
pub mod smtp;

pub use relay::Relay;
pub use smtp::Timeouts;

/// A secret that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// What a route does not say itself.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The folder of the configuration file, for relative paths.
    pub root: &'a Path,
    /// For AUTH, where the route names a user.
    pub password: Option<Password>,
    /// What to call ourselves at EHLO; the machine's host name where it is `None`.
    pub helo: Option<String>,
    /// How long to wait for the server.
    pub timeouts: Timeouts,
}

/// A way out, opened.
#[derive(Clone, Debug)]
pub enum Transport {
    /// A directory of `.eml` files.
    Outbox(Arc<outbox::Outbox>),
    /// An SMTP server.
    Smtp(Arc<smtp::Smtp>),
    /// The local MTA's command.
    Sendmail(Arc<sendmail::Sendmail>),
    /// Kept in memory, for tests.
    Memory(Arc<memory::Memory>),
}

/// One thread's hold on a [`Transport`]: at most one connection.
#[derive(Debug)]
pub enum Session {
    /// Writes files.
    Outbox(Arc<outbox::Outbox>),
    /// Holds one connection.
    Smtp(Box<smtp::session::Session>),
    /// Runs the command.
    Sendmail(Arc<sendmail::Sendmail>),
    /// Remembers.
    Memory(Arc<memory::Memory>),
}

/// One message to hand over.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The edition or occasion (`weekly/2026-11-23`, `confirm/2`).
    pub edition: &'a str,
    /// The delivery's id.
    pub delivery: &'a str,
    /// What goes out.
    pub message: &'a Message,
}

/// What became of an offer. The message has not left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It may be delivered now.
    Wanted,
    /// The server does not take it, for this reason.
    Ended(Sent),
    /// The connection had served before and has come to its end; this was said of it. Nobody was at stake: make ready again, and
    /// offer again.
    Stale(Sent),
}

/// A transport could not be opened. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A user, but no password.
    #[error("mail.transport names a user for {server}, but mail.password is not set")]
    NoPassword {
        /// The server, without the user.
        server: String,
    },
    /// The `ca=` file.
    #[error("{}, named by ca=, {why}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The host can be no certificate's name.
    #[error("no certificate can be issued for {server}; write the server's full name in mail.transport")]
    ServerName {
        /// The server.
        server: String,
    },
    /// What we call ourselves.
    #[error("the name to say at EHLO is not a host name")]
    Helo,
    /// The sendmail program.
    #[error("{}, named by mail.transport, {why}", path.display())]
    Sendmail {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What a server says of itself before anything is offered to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The octets of the largest message that it takes (RFC 1870), where it says so.
    pub size: Option<usize>,
}

/// Asked now and then while a server keeps us waiting and no recipient is at stake: whether to give up.
pub type Over<'a> = &'a dyn Fn() -> bool;

/// Why a session cannot send now. No recipient is concerned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// No connection, or one that broke: try again later.
    #[error("{0}")]
    Unreachable(String),
    /// The server asks to come back later (421, 4xx).
    #[error("{server} asks to come back later: {reply}")]
    Busy {
        /// The server.
        server: String,
        /// What it said.
        reply: Reply,
    },
    /// No retry mends it.
    #[error(transparent)]
    Configuration(#[from] Configuration),
}

/// Wrong for every delivery alike, so the run stops before it burns a recipient: what, the server's words, the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Configuration {
    /// Where it showed.
    pub stage: Stage,
    /// The sentence for the person.
    pub sentence: String,
}

impl Transport {
    /// Opens the way out that `route` names. Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the settings or the files they name.
    pub fn open(route: &Route, options: Options<'_>) -> Result<Self, Error> {
        match route {
            Route::Outbox(folder) => Ok(Transport::Outbox(Arc::new(outbox::Outbox::new(options.root.join(folder))))),
            Route::Sendmail(path) => {
                Ok(Transport::Sendmail(Arc::new(sendmail::Sendmail::open(path, options.timeouts.dot)?)))
            }
            Route::Smtp(server) => Ok(Transport::Smtp(Arc::new(smtp::Smtp::open(server, options)?))),
        }
    }

    /// A transport that keeps what it is given.
    pub fn memory() -> (Self, Arc<memory::Memory>) {
        let memory = Arc::new(memory::Memory::default());
        (Transport::Memory(memory.clone()), memory)
    }

    /// A session for one thread. Connects to nothing yet.
    pub fn session(&self) -> Session {
        match self {
            Transport::Outbox(outbox) => Session::Outbox(outbox.clone()),
            Transport::Smtp(smtp) => Session::Smtp(Box::new(smtp::session::Session::new(smtp.clone()))),
            Transport::Sendmail(sendmail) => Session::Sendmail(sendmail.clone()),
            Transport::Memory(memory) => Session::Memory(memory.clone()),
        }
    }

    /// Connects, logs in and takes leave, as before a message, but offers none. Given up soon after `over` says so.
    ///
    /// # Errors
    /// [`NotReady`]: what would keep a run from sending.
    pub fn probe(&self, over: Over<'_>) -> Result<Probe, NotReady> {
        let mut session = self.session();
        session.ready_unless(over)?;
        let size = match &session {
            Session::Smtp(session) => session.largest(),
            Session::Outbox(_) | Session::Sendmail(_) | Session::Memory(_) => None,
        };
        session.quit();
        Ok(Probe { size })
    }

    /// How the ledger calls it, as [`Route::name`] does.
    pub fn name(&self) -> &str {
        match self {
            Transport::Outbox(_) => "outbox",
            Transport::Smtp(smtp) => smtp.name(),
            Transport::Sendmail(_) => "sendmail",
            Transport::Memory(_) => "memory",
        }
    }
}

impl Session {
    /// Does what must be done before a message can be offered and concerns no recipient: connect, greet, STARTTLS, AUTH;
    /// clear up after a refusal; notice that the server closed an idle connection, and connect again.
    ///
    /// # Errors
    /// [`NotReady`]; the next call tries again from the start.
    pub fn ready(&mut self) -> Result<(), NotReady> {
        self.ready_unless(&|| false)
    }

    /// The same, given up soon after `over` says so.
    ///
    /// # Errors
    /// [`NotReady`]; the next call tries again from the start.
    pub fn ready_unless(&mut self, over: Over<'_>) -> Result<(), NotReady> {
        match self {
            Session::Outbox(outbox) => Ok(outbox.ready()?),
            Session::Smtp(session) => session.ready(over),
            Session::Sendmail(_) | Session::Memory(_) => Ok(()),
        }
    }

    /// Asks whether one message is wanted. Without a [`ready`](Self::ready) before it, it is not. Of a message that was `next` in
    /// [`deliver`](Self::deliver) it must be asked before any other.
    ///
    /// # Errors
    /// [`Configuration`]: the message is not taken, and none would be.
    pub fn offer(&mut self, job: &Job<'_>) -> Result<Offered, Configuration> {
        self.offer_unless(job, &|| false)
    }

    /// The same, given up soon after `over` says so; the connection is [`Offered::Stale`] then.
    ///
    /// # Errors
    /// [`Configuration`]: the message is not taken, and none would be.
    pub fn offer_unless(&mut self, job: &Job<'_>, over: Over<'_>) -> Result<Offered, Configuration> {
        match self {
            Session::Smtp(session) => session.offer(job.message, over),
            Session::Outbox(_) | Session::Sendmail(_) | Session::Memory(_) => Ok(Offered::Wanted),
        }
    }

    /// Whether `next` was offered along with the last message.
    pub fn has_offered(&self) -> bool {
        match self {
            Session::Smtp(session) => session.has_offered(),
            Session::Outbox(_) | Session::Sendmail(_) | Session::Memory(_) => false,
        }
    }

    /// Hands over the message that was wanted and says what became of it. `next`, where it is known already, may be offered along
    /// with it. A wanted message that is not to be delivered after all is withdrawn by [`ready`](Self::ready).
    ///
    /// # Errors
    /// [`Configuration`]: the message was not taken, and none would be.
    pub fn deliver(&mut self, job: &Job<'_>, next: Option<&Job<'_>>) -> Result<Sent, Configuration> {
        match self {
            Session::Outbox(outbox) => outbox.send(job),
            Session::Smtp(session) => Ok(session.deliver(job.message, next.map(|next| next.message))),
            Session::Sendmail(sendmail) => sendmail.send(job.message),
            Session::Memory(memory) => Ok(memory.send(job)),
        }
    }

    /// Offers and delivers one message that no ledger knows.
    ///
    /// # Errors
    /// [`Configuration`]: the message was not taken, and none would be.
    pub fn send(&mut self, job: &Job<'_>) -> Result<Sent, Configuration> {
        match self.offer(job)? {
            Offered::Wanted => self.deliver(job, None),
            Offered::Ended(sent) | Offered::Stale(sent) => Ok(sent),
        }
    }

    /// Takes leave. Waits a few seconds at most.
    pub fn quit(self) {
        if let Session::Smtp(session) = self {
            session.quit();
        }
    }
}

impl Password {
    /// Takes a password out of sight.
    pub fn new(password: impl Into<String>) -> Self {
        Password(password.into())
    }

    fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(route: &str, root: &Path, password: Option<&str>) -> Result<Transport, Error> {
        let password = password.map(Password::new);
        Transport::open(
            &route.parse().expect(route),
            Options { root, password, helo: None, timeouts: Timeouts::default() },
        )
    }

    #[test]
    fn what_cannot_work_is_said_at_once() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("empty.pem"), "").unwrap();
        fs::write(root.path().join("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        for (route, sentence) in [
            (
                "smtp://ada@mx.example.org",
                "mail.transport names a user for smtp://mx.example.org:587, but mail.password is not set",
            ),
            ("smtps://mx.example.org?ca=none.pem", "none.pem, named by ca=, cannot be read: "),
            ("smtps://mx.example.org?ca=empty.pem", "empty.pem, named by ca=, holds no certificate; "),
            ("smtps://mx.example.org?ca=bad.pem", "bad.pem, named by ca=, holds a certificate that cannot be used: "),
            ("sendmail:/nowhere/sendmail", "/nowhere/sendmail, named by mail.transport, cannot be run: "),
            ("sendmail:/", "/, named by mail.transport, is not a program"),
        ] {
            let said = open(route, root.path(), None).expect_err(route).to_string();
            assert!(said.contains(sentence), "{route}: {said}");
        }
    }

    #[test]
    fn names_are_the_routes_and_no_secret_shows() {
        let root = tempfile::tempdir().unwrap();
        for route in ["outbox:out", "smtp://ada@mx.example.org:25", "smtps://[2001:db8::1]", "sendmail:/bin/sh"] {
            let transport = open(route, root.path(), Some("secret")).unwrap();
            assert_eq!(transport.name(), route.parse::<Route>().unwrap().name());
            assert!(!format!("{transport:?} {:?}", transport.session()).contains("secret"));
        }
        assert_eq!(format!("{:?}", Password::new("secret")), "Password(…)");
    }

    #[test]
    fn what_we_call_ourselves_is_a_host_name() {
        let long = "x".repeat(254);
        for (helo, fits) in [
            ("me.example", true),
            ("my-host_1.example", true),
            ("[IPv6:2001:db8::1]", true),
            (&long[..253], true),
            (&long, false),
            ("", false),
            ("me example", false),
            ("me\r\nQUIT", false),
        ] {
            let route = "smtp://localhost".parse().unwrap();
            let options = Options {
                root: Path::new("."),
                password: None,
                helo: Some(helo.into()),
                timeouts: Timeouts::default(),
            };
            let opened = Transport::open(&route, options).map(drop);
            assert_eq!(opened, if fits { Ok(()) } else { Err(Error::Helo) }, "{helo:?}");
        }
    }

    #[test]
    fn memory_remembers_in_order() {
        let (transport, memory) = Transport::memory();
        let envelope =
            crate::message::Envelope { from: "a@x.org".parse().unwrap(), to: "ada@example.net".parse().unwrap() };
        let message = Message { envelope, bytes: b"x".to_vec() };
        let mut session = transport.session();
        for delivery in ["d1", "d2"] {
            session.ready().unwrap();
            let sent = session.send(&Job { edition: "weekly/1", delivery, message: &message }).unwrap();
            assert_eq!(sent.outcome, crate::reply::Outcome::Accepted);
        }
        assert_eq!(format!("{:?}", memory.taken()), "[weekly/1/d1 to a…@e….net, weekly/1/d2 to a…@e….net]");
    }
}
