//! The dialogue (RFC 5321 section 3), command by command over lettre's connection: the stage is always known, every step
//! has its time-out, and a connection that lost step (a time-out, a reply that does not fit, 421) is never used again.

use super::wire::{Stream, Wire};
use super::{Login, Smtp, Timeouts, tls};
use crate::delivery::route::{Server, Tls};
use crate::message::Message;
use crate::reply::{NotAReply, Outcome, Refusal, Reply, Sent, Stage, Status, Verdict, outcome};
use crate::transport::{Configuration, NotReady};
use data_encoding::BASE64;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Ehlo, Quit, Rset, Starttls};
use lettre::transport::smtp::response::Response;
use std::error::Error as _;
use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// After so many messages a connection is given up politely; servers that count have lower limits and say 421.
const MAX_MESSAGES: u32 = 1000;

/// One connection, greeted and, where that is asked for, encrypted and logged in.
pub(super) struct Connection {
    lettre: AsyncSmtpConnection,
    wire: Wire,
    offers: Offers,
    messages: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is pending.
    Sound,
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

/// What the server said it can do, in its last reply to EHLO.
#[derive(Debug, Default)]
struct Offers {
    starttls: bool,
    smtputf8: bool,
    eight_bit: bool,
    /// SIZE (RFC 1870): `Some(0)` without a limit.
    size: Option<usize>,
    /// The mechanisms of AUTH, upper case.
    auth: Vec<String>,
}

/// Where and how a step ended otherwise than hoped for.
type Stopped = (Stage, Reply);

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
        Ok(connection)
    }

    /// lettre reads the greeting and says EHLO in one call; what was heard and written tells the two apart.
    async fn greet(smtp: &Smtp, wire: Wire) -> Result<Self, Stopped> {
        let limit = smtp.timeouts.greeting + smtp.timeouts.command;
        let opened =
            timeout(limit, AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &smtp.helo)).await;
        let stage = if wire.written() == 0 { Stage::Greeting } else { Stage::Ehlo };
        let heard = wire.heard();
        let (greeting, used) = Reply::read(&heard).ok().flatten().unwrap_or((Reply::silence(""), 0));
        if greeting.code >= 400 {
            return Err((Stage::Greeting, greeting));
        }
        match (opened, Reply::read(&heard[used..])) {
            (Ok(Ok(lettre)), Ok(Some((ehlo, _)))) if ehlo.is_positive() => {
                let offers = Offers::read(&heard[used..]);
                Ok(Connection { lettre, wire, offers, messages: 0, state: State::Sound })
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
            self.step(Stage::Auth, limits.command, command, wanted)
                .await
                .map_err(|stopped| not_ready(server, stopped))?;
        }
        Ok(())
    }

    /// Readies the connection for the next message; `None` where a new one is needed.
    pub(super) async fn go_on(mut self, limits: &Timeouts) -> Option<Self> {
        if self.state == State::Broken || !self.wire.is_quiet().await {
            return None;
        }
        if self.messages >= MAX_MESSAGES {
            self.quit(limits).await;
            return None;
        }
        if self.state == State::Refused {
            self.state = State::Sound;
            self.step(Stage::Mail, limits.command, Rset, 2).await.ok()?;
        }
        (self.state == State::Sound).then_some(self)
    }

    /// One message. Whatever comes of it, [`is_sound`](Self::is_sound) says whether the connection can go on.
    pub(super) async fn hand_over(&mut self, message: &Message, smtp: &Smtp) -> Result<Sent, Configuration> {
        let (server, envelope) = (&smtp.server, &message.envelope);
        if let Some(limit) = self.offers.size.filter(|limit| *limit > 0 && message.bytes.len() > *limit) {
            let size = message.bytes.len();
            let sentence = format!(
                "{server} takes messages of at most {limit} octets, and this one has {size}; shorten it (content = \"summary\")"
            );
            return Err(Configuration { stage: Stage::Mail, sentence });
        }
        if envelope.to.needs_smtputf8() && !self.offers.smtputf8 {
            let words = "the server cannot write to an address with letters beyond ASCII before its @ (it does not offer SMTPUTF8)";
            let reply = Reply { status: Some(Status(5, 6, 7)), ..Reply::silence(words) };
            return Ok(Sent { stage: Stage::Mail, reply, outcome: Outcome::Refused(Refusal::Other) });
        }
        self.messages += 1;
        let (stage, reply) = match self.dialogue(message, &smtp.timeouts).await {
            Ok(reply) => (Stage::Dot, reply),
            Err(stopped) => stopped,
        };
        if self.state == State::Sound && reply.code >= 400 && stage < Stage::Body {
            self.state = State::Refused;
        }
        match outcome(stage, &reply) {
            Verdict::Delivery(outcome) => Ok(Sent { stage, reply, outcome }),
            Verdict::Configuration => Err(refused(server, stage, &reply)),
        }
    }

    /// Whether the connection can be used again, once [`go_on`](Self::go_on) agrees.
    pub(super) fn is_sound(&self) -> bool {
        self.state != State::Broken
    }

    pub(super) async fn quit(mut self, limits: &Timeouts) {
        // The answer changes nothing, and servers are known to hang up instead.
        let _ = timeout(limits.quit, self.lettre.command(Quit)).await;
    }

    async fn dialogue(&mut self, message: &Message, limits: &Timeouts) -> Result<Reply, Stopped> {
        let (from, to) = (message.envelope.from.as_str(), message.envelope.to.as_str());
        let parameters = self.parameters(message);
        self.step(Stage::Mail, limits.command, format!("MAIL FROM:<{from}>{parameters}\r\n"), 2).await?;
        self.step(Stage::Rcpt, limits.command, format!("RCPT TO:<{to}>\r\n"), 2).await?;
        self.step(Stage::Data, limits.data, Data, 3).await?;
        self.body(&on_the_wire(&message.bytes), limits).await?;
        let reply = self.reply(limits.dot).await.map_err(|lost| (Stage::Dot, lost))?;
        match reply.code / 100 {
            2 | 4 | 5 => Ok(reply),
            _ => Err((Stage::Dot, self.out_of_step(&reply))),
        }
    }

    fn parameters(&self, message: &Message) -> String {
        let mut parameters = String::new();
        if self.offers.size.is_some() {
            parameters += &format!(" SIZE={}", message.bytes.len());
        }
        if message.envelope.from.needs_smtputf8() || message.envelope.to.needs_smtputf8() {
            parameters += " SMTPUTF8";
            // RFC 6531 section 3.6: it comes with 8BITMIME. Everything else we send has seven bits.
            parameters += if self.offers.eight_bit { " BODY=8BITMIME" } else { "" };
        }
        parameters
    }

    /// Writes body and final dot at once. Where not all of it was taken, the dot did not leave.
    async fn body(&mut self, bytes: &[u8], limits: &Timeouts) -> Result<(), Stopped> {
        self.wire.heard();
        let why = match timeout(limits.body, self.wire.write_all(bytes)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) if is_hang_up(&why) => "the server closed the connection in the middle of the message".into(),
            Ok(Err(why)) => format!("the connection broke in the middle of the message: {why}"),
            Err(_) => format!("the server stopped reading in the middle of the message for {}", seconds(limits.body)),
        };
        let stage = if self.wire.written() < bytes.len() { Stage::Body } else { Stage::Dot };
        // A server that had enough says so before it hangs up.
        let last_words = self.reply(limits.quit).await;
        self.state = State::Broken;
        match last_words {
            Ok(reply) if reply.code >= 400 => Err((stage, reply)),
            _ => Err((stage, Reply::silence(&why))),
        }
    }

    /// One command whose reply must begin with the digit `wanted`; the reply's lines as they came.
    async fn step(
        &mut self,
        stage: Stage,
        limit: Duration,
        command: impl Display,
        wanted: u16,
    ) -> Result<Vec<u8>, Stopped> {
        self.wire.heard();
        let read = timeout(limit, self.lettre.command(command)).await;
        let (reply, lines) = self.judge(read, limit).map_err(|lost| (stage, lost))?;
        match reply.code {
            code if code / 100 == wanted => Ok(lines),
            400.. => Err((stage, reply)),
            _ => Err((stage, self.out_of_step(&reply))),
        }
    }

    /// Reads one reply; where there is none, what happened instead.
    async fn reply(&mut self, limit: Duration) -> Result<Reply, Reply> {
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
            if reply.code == 421 || used < heard.len() || self.wire.has_more() {
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

    fn lost(&mut self, words: &str) -> Reply {
        self.state = State::Broken;
        Reply::silence(words)
    }

    fn out_of_step(&mut self, reply: &Reply) -> Reply {
        self.lost(&format!("the server's reply does not fit: {reply}"))
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

async fn connect(server: &Server, addresses: &[SocketAddr], limits: &Timeouts) -> Result<TcpStream, NotReady> {
    let mut problem = "it has no address".to_string();
    for address in addresses {
        match timeout(limits.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it the last piece of a body waits 40 ms for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|why| NotReady::Unreachable(format!("{server}: {why}")))?;
                return Ok(stream);
            }
            Ok(Err(why)) => problem = why.to_string(),
            Err(_) => problem = format!("no answer within {}", seconds(limits.connect)),
        }
    }
    Err(NotReady::Unreachable(format!("{server} cannot be reached: {problem}")))
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

/// A step before any recipient was named went wrong.
fn not_ready(server: &Server, (stage, reply): Stopped) -> NotReady {
    match outcome(stage, &reply) {
        Verdict::Configuration => NotReady::Configuration(refused(server, stage, &reply)),
        Verdict::Delivery(Outcome::Deferred(_)) if reply.code != 0 => {
            NotReady::Busy { server: server.to_string(), reply }
        }
        Verdict::Delivery(_) if stage == Stage::Greeting && server.tls != Tls::Implicit => {
            NotReady::Unreachable(format!(
                "{server} was lost before its greeting: {reply} (a server that waits for TLS, often on port 465, needs smtps://)"
            ))
        }
        Verdict::Delivery(_) => NotReady::Unreachable(format!("{server} was lost at {}: {reply}", name_of(stage))),
    }
}

/// What, the server's words, the remedy.
fn refused(server: &Server, stage: Stage, reply: &Reply) -> Configuration {
    let remedy = match (stage, reply.code) {
        (Stage::Auth, 534 | 538) => {
            "ask the provider which kind of login it wants, often a password made for this program"
        }
        (Stage::Auth, _) => "check the user in mail.transport and mail.password",
        (Stage::Mail, 530) => {
            "it wants a login: name the user in mail.transport (smtp://user@host) and set mail.password"
        }
        (Stage::Mail, _) => "check that this account may send as mail.from, and as mail.bounces if that is set",
        (Stage::StartTls, _) => "try another port, or smtps://",
        _ => "check the server in mail.transport, and whether it takes mail from this machine",
    };
    Configuration { stage, sentence: format!("{server} refused {}: {reply}; {remedy}", name_of(stage)) }
}

fn name_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect | Stage::Greeting => "the connection",
        Stage::Ehlo => "EHLO",
        Stage::StartTls => "STARTTLS",
        Stage::Auth => "the login",
        Stage::Mail => "the sender (MAIL)",
        Stage::Rcpt => "the recipient (RCPT)",
        Stage::Data => "DATA",
        Stage::Body | Stage::Dot => "the message",
    }
}

/// The body as DATA carries it (RFC 5321 section 4.5.2): a dot before each line that begins with one, and the final dot.
fn on_the_wire(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 64 + 8);
    // After a bare line feed, too, should there ever be one: some servers take it for the end of a line.
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

fn silence(wire: &Wire, heard: &[u8], error: Option<lettre::transport::smtp::Error>) -> String {
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

/// Whether the other side left: how that is reported depends on what was on its way, and means the same.
fn is_hang_up(why: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(why.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

fn no_reply(limit: Duration) -> String {
    format!("no reply within {}", seconds(limit))
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_and_the_last_stands_alone() {
        let stuffed = |bytes: &[u8]| String::from_utf8(on_the_wire(bytes)).unwrap();
        assert_eq!(stuffed(b"a\r\n.b\r\n..\r\n"), "a\r\n..b\r\n...\r\n.\r\n");
        assert_eq!(stuffed(b".\r\n"), "..\r\n.\r\n");
        assert_eq!(stuffed(b"a"), "a\r\n.\r\n");
        assert_eq!(stuffed(b"a\n.\r\n"), "a\n..\r\n.\r\n");
        assert_eq!(stuffed(b""), "\r\n.\r\n");
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
