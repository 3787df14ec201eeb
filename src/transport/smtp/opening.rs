//! How a connection begins: TCP, the greeting, EHLO, TLS, the login. No recipient is at stake yet.

use super::connection::{Connection, Stopped, TOO_MUCH, no_reply, silence};
use super::wire::{Stream, Wire};
use super::words::{not_ready, seconds};
use super::{Login, Smtp, Timeouts, tls};
use crate::delivery::route::{Server, Tls};
use crate::reply::{Reply, Stage};
use crate::transport::{Configuration, NotReady};
use data_encoding::BASE64;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Ehlo, Starttls};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// A whole mail and the next one's envelope fit in, so that they leave in one piece.
const SEND_BUFFER: u32 = 256 * 1024;

/// What the server said it can do, in its last reply to EHLO.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub(super) starttls: bool,
    pub(super) pipelining: bool,
    pub(super) smtputf8: bool,
    pub(super) eight_bit: bool,
    /// SIZE (RFC 1870): `Some(0)` without a limit.
    pub(super) size: Option<usize>,
    /// The mechanisms of AUTH, upper case.
    pub(super) auth: Vec<String>,
}

impl Connection {
    pub(super) async fn open(smtp: &Smtp, addresses: &[SocketAddr]) -> Result<Self, NotReady> {
        let (server, limits) = (&smtp.server, &smtp.timeouts);
        let tcp = connect(server, addresses, limits).await?;
        let stream = match (&smtp.trust, server.tls) {
            (Some(trust), Tls::Implicit) => handshake(trust, server, tcp, limits).await?,
            _ => Stream::Plain(tcp),
        };
        let mut connection =
            Self::greet(smtp, Wire::new(stream)).await.map_err(|stopped| not_ready(server, stopped))?;
        if let (Some(trust), Tls::Required) = (&smtp.trust, server.tls) {
            connection.start_tls(smtp, trust).await?;
        }
        if let Some(login) = &smtp.login {
            connection.log_in(server, login, limits).await?;
        }
        if !connection.is_sound() {
            return Err(NotReady::Unreachable(format!("{server} is out of step: {TOO_MUCH}")));
        }
        Ok(connection)
    }

    /// lettre reads the greeting and says EHLO in one call; what was heard and written tells the two apart.
    async fn greet(smtp: &Smtp, wire: Wire) -> Result<Self, Stopped> {
        let limit = smtp.timeouts.greeting.max(smtp.timeouts.command);
        let opened =
            timeout(limit, AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &smtp.helo)).await;
        let stage = if wire.written() == 0 { Stage::Greeting } else { Stage::Ehlo };
        let too_much = wire.was_interrupted() || wire.has_more();
        let heard = wire.heard();
        let (greeting, used) = Reply::read(&heard).ok().flatten().unwrap_or((Reply::silence(""), 0));
        if greeting.code >= 400 {
            return Err((Stage::Greeting, greeting));
        }
        match (opened, Reply::read(&heard[used..])) {
            (Ok(Ok(_)), _) if too_much => Err((stage, Reply::silence(TOO_MUCH))),
            (Ok(Ok(lettre)), Ok(Some((ehlo, _)))) if ehlo.code / 100 == 2 => {
                let offers = Offers::read(&heard[used..]);
                Ok(Connection::new(lettre, wire, offers))
            }
            (_, Ok(Some((ehlo, _)))) if ehlo.code >= 400 => Err((Stage::Ehlo, ehlo)),
            (Ok(opened), _) => Err((stage, Reply::silence(&silence(&wire, &heard, opened.err())))),
            (Err(_), _) => Err((stage, Reply::silence(&no_reply(limit)))),
        }
    }

    async fn start_tls(&mut self, smtp: &Smtp, trust: &tls::Trust) -> Result<(), NotReady> {
        let (server, limits) = (&smtp.server, &smtp.timeouts);
        let stop = |sentence| NotReady::Configuration(Configuration { stage: Stage::StartTls, sentence });
        if !self.offers.starttls {
            return Err(stop(format!(
                "{server} does not offer STARTTLS, so nothing was sent over it (somebody on the way may have taken the offer out); use \
                 smtps:// or another port, or, if the way there is safe, ?tls=none in mail.transport"
            )));
        }
        self.step(Stage::StartTls, limits.command, Starttls, 2).await.map_err(|stopped| not_ready(server, stopped))?;
        // What was said before the handshake may be anybody's, and must not pass for what is said in it (CVE-2011-0411).
        if self.wire.has_more() {
            return Err(stop(format!(
                "{server} went on talking in the clear after STARTTLS; somebody may be meddling with the connection"
            )));
        }
        let Some(tcp) = self.wire.take_plain() else {
            return Err(NotReady::Unreachable(format!("{server} was lost before TLS began")));
        };
        let stream = handshake(trust, server, tcp, limits).await?;
        self.wire.put(stream);
        let hello = self.step(Stage::Ehlo, limits.command, Ehlo::new(smtp.helo.clone()), 2).await;
        // What was offered in the clear is void (RFC 3207 section 4.2).
        self.offers = Offers::read(&hello.map_err(|stopped| not_ready(server, stopped))?);
        Ok(())
    }

    async fn log_in(&mut self, server: &Server, login: &Login, limits: &Timeouts) -> Result<(), NotReady> {
        let stop = |sentence| NotReady::Configuration(Configuration { stage: Stage::Auth, sentence });
        if server.tls == Tls::None && !server.is_loopback() {
            return Err(stop(format!(
                "the password is not sent to {server} in the clear; remove tls=none from mail.transport"
            )));
        }
        let (user, password) = (login.user.as_str(), login.password.reveal());
        let encoded = |text: &str| BASE64.encode(text.as_bytes());
        let offered = |name: &str| self.offers.auth.iter().any(|mechanism| mechanism == name);
        let commands = if offered("PLAIN") {
            vec![(format!("AUTH PLAIN {}\r\n", encoded(&format!("\0{user}\0{password}"))), 2)] // RFC 4616
        } else if offered("LOGIN") {
            // No RFC; the prompts differ from server to server, the order does not.
            vec![
                ("AUTH LOGIN\r\n".into(), 3),
                (format!("{}\r\n", encoded(user)), 3),
                (format!("{}\r\n", encoded(password)), 2),
            ]
        } else if self.offers.auth.is_empty() {
            return Err(stop(format!(
                "{server} offers no login here, but mail.transport names a user; check the port (587 is for logins, 25 often is not), or \
                 remove the user"
            )));
        } else {
            let offers = self.offers.auth.join(", ");
            return Err(stop(format!(
                "{server} offers only {offers} to log in, we know PLAIN and LOGIN; ask for a password for SMTP"
            )));
        };
        for (command, wanted) in commands {
            let said = self.step(Stage::Auth, limits.command, command, wanted).await;
            said.map_err(|(stage, reply)| not_ready(server, (stage, without(reply, user, password))))?;
        }
        Ok(())
    }
}

impl Offers {
    /// The lines of a reply to EHLO; the first is a greeting.
    fn read(reply: &[u8]) -> Self {
        let mut offers = Offers::default();
        for line in String::from_utf8_lossy(reply).lines().skip(1) {
            // `AUTH=LOGIN` is how servers spoke before RFC 2554, and some still say both.
            let line = line.get(4..).unwrap_or_default().replace('=', " ").to_ascii_uppercase();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("PIPELINING") => offers.pipelining = true,
                Some("SMTPUTF8") => offers.smtputf8 = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SIZE") => offers.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
                Some("AUTH") => offers.auth.extend(words.map(String::from)),
                _ => {}
            }
        }
        offers
    }
}

/// What a server says of a login may repeat it; no secret leaves us that way either.
fn without(mut reply: Reply, user: &str, password: &str) -> Reply {
    let encoded = |text: &str| BASE64.encode(text.as_bytes());
    for secret in [encoded(&format!("\0{user}\0{password}")), encoded(password), password.to_owned()] {
        if !secret.is_empty() {
            reply.text = reply.text.replace(&secret, "…");
        }
    }
    reply
}

async fn connect(server: &Server, addresses: &[SocketAddr], limits: &Timeouts) -> Result<TcpStream, NotReady> {
    let mut problem = "it has no address".to_string();
    for address in addresses {
        match timeout(limits.connect, dial(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(why)) => problem = why.to_string(),
            Err(_) => problem = format!("no answer within {}", seconds(limits.connect)),
        }
    }
    Err(NotReady::Unreachable(format!("{server} cannot be reached: {problem}")))
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Where the system gives less, a body leaves in more pieces; that is no reason to give up.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    // Without it the last piece of a body waits 40 ms for the acknowledgement of the one before.
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

async fn handshake(trust: &tls::Trust, server: &Server, tcp: TcpStream, limits: &Timeouts) -> Result<Stream, NotReady> {
    match timeout(limits.connect, trust.handshake(tcp)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(why)) => Err(tls::not_ready(server, &why)),
        Err(_) => Err(NotReady::Unreachable(format!(
            "{server} did not finish the TLS handshake within {} (smtps:// is for port 465, smtp:// for 587 and 25)",
            seconds(limits.connect)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_the_server_repeats_is_not_said() {
        let said = "no AUTH PLAIN AHVzZXJ4AHMzY3IzdFBX s3cr3tPW for userx czNjcjN0UFc=";
        let reply = without(Reply::new(535, [said]), "userx", "s3cr3tPW");
        assert_eq!(reply.text, "no AUTH PLAIN … … for userx …");
        assert_eq!(without(Reply::new(535, ["no"]), "userx", "").text, "no");
    }

    #[test]
    fn offers_are_read_in_any_dress() {
        let offers = Offers::read(
            b"250-mx SIZE 5 STARTTLS\r\n250-size 100\r\n250-AUTH=LOGIN\r\n250-AUTH plain\r\n250 SMTPUTF8\r\n",
        );
        assert_eq!((offers.size, offers.starttls, offers.smtputf8, offers.eight_bit), (Some(100), false, true, false));
        assert_eq!(offers.auth, ["LOGIN", "PLAIN"]);
        assert_eq!(Offers::read(b"250-mx\r\n250 SIZE\r\n").size, Some(0));
        assert_eq!(Offers::read(b"250-mx\r\n250 SIZE 99999999999999999999999\r\n").size, Some(0));
    }
}
