//! SMTP (RFC 5321): one [`session::Session`] per thread, each one connection that is kept from message to message.
//!
//! `session` is the synchronous face, `opening` how a connection begins, `transaction` one message, `connection` what both are made
//! of, `wire` the stream beneath lettre's connection, `tls` the trust, `words` the sentences. lettre's own transport and pool are not used: they close the connection at every refusal, ask NOOP before every
//! message, and cannot say whether a failure came before or after the final dot.

use crate::delivery::route::{Server, Tls};
use crate::transport::{Error, Options, Password};
use lettre::transport::smtp::extension::ClientId;
use std::time::Duration;

mod connection;
mod opening;
pub mod session;
pub mod tls;
mod transaction;
mod wire;
mod words;

/// How long to wait for the server at each step. The defaults are those of RFC 5321 section 4.5.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP, for each address the host has; and the TLS handshake.
    pub connect: Duration,
    /// The 220, and the reply to the first EHLO with it, where `command` is not longer.
    pub greeting: Duration,
    /// EHLO after STARTTLS, STARTTLS, AUTH, MAIL, RCPT, RSET.
    pub command: Duration,
    /// The 354 after DATA.
    pub data: Duration,
    /// Writing the body.
    pub body: Duration,
    /// The reply after the final dot: the server may be delivering, and a client that gives up gets the mail sent twice.
    pub dot: Duration,
    /// The reply to QUIT, which nothing depends on.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Timeouts {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            body: minutes(3),
            dot: minutes(10),
            quit: Duration::from_secs(3),
        }
    }
}

impl Timeouts {
    /// Where another server would take what this one leaves waiting: until a body is sent nothing is in doubt, and it need not be
    /// waited for as long as for the only one.
    pub fn among_several() -> Self {
        let minute = Duration::from_secs(60);
        Timeouts { greeting: minute, command: minute, data: minute, ..Timeouts::default() }
    }
}

/// A server, and all that is needed to talk to it.
#[derive(Debug)]
pub struct Smtp {
    server: Server,
    name: String,
    helo: ClientId,
    login: Option<Login>,
    trust: Option<tls::Trust>,
    timeouts: Timeouts,
}

/// For AUTH.
#[derive(Debug)]
struct Login {
    user: String,
    password: Password,
}

impl Smtp {
    pub(super) fn open(server: &Server, options: Options<'_>) -> Result<Self, Error> {
        let name = server.to_string();
        let login = match (&server.user, options.password) {
            (None, _) => None,
            (Some(_), None) => return Err(Error::NoPassword { server: name }),
            (Some(user), Some(password)) => Some(Login { user: user.clone(), password }),
        };
        let trust = match server.tls {
            Tls::None => None,
            Tls::Implicit | Tls::Required => Some(tls::Trust::open(server, options.root)?),
        };
        let helo = match options.helo {
            None => ClientId::default(),
            Some(name) if is_host_name(&name) => ClientId::Domain(name),
            Some(_) => return Err(Error::Helo),
        };
        Ok(Smtp { server: server.clone(), name, helo, login, trust, timeouts: options.timeouts })
    }

    /// `smtp://host:port`, as the ledger calls it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b))
}
