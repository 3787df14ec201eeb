//! An SMTP server that behaves well but for what a script says: at which stage of which message it does what instead.

use super::pipe::Pipe;
use super::sink::Security;
use data_encoding::BASE64;
use rustls::ServerConfig;
use std::collections::HashSet;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What a script can name. Those before MAIL, and QUIT, are of a connection; the others of a reader's message.
pub(crate) const STAGES: &[&str] = &[
    "connect",
    "handshake",
    "greeting",
    "ehlo",
    "starttls",
    "tls-ehlo",
    "auth",
    "mail",
    "rcpt",
    "data",
    "body",
    "middle",
    "end",
    "dot",
    "after",
    "rset",
    "quit",
];

/// Whether a stage is of a connection, not of a message.
pub(crate) fn is_of_connection(stage: &str) -> bool {
    stage == "quit"
        || STAGES.iter().position(|known| *known == stage) < STAGES.iter().position(|known| *known == "mail")
}

/// One departure from good behaviour.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) stage: String,
    /// Of which connection or reader, from 1.
    pub(crate) of: usize,
    /// Every time, and not only the first.
    pub(crate) always: bool,
    pub(crate) does: Vec<Act>,
}

impl Fault {
    /// Whether the client waits for nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.does.iter().any(|act| matches!(act, Act::Hang))
    }
}

/// What is done instead.
#[derive(Debug)]
pub(crate) enum Act {
    /// These octets, in one segment with those of the act before.
    Say(Vec<u8>),
    /// Each octet in a segment of its own.
    Split(Vec<u8>),
    /// The message counts as taken.
    Keep,
    Close,
    Reset,
    /// Not a word more, and not an octet read.
    Hang,
}

pub(crate) struct Server<'a> {
    pub(crate) faults: &'a [Fault],
    pub(crate) tls: Security,
    pub(crate) config: &'a Arc<ServerConfig>,
    pub(crate) pipelining: bool,
    /// The mechanism of AUTH that it asks for.
    pub(crate) login: Option<&'a str>,
    struck: Mutex<HashSet<usize>>,
    copies: Mutex<Vec<(String, Vec<u8>)>>,
    connections: AtomicUsize,
    over: Gate,
}

/// Closed until the round is over.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    seen: AtomicBool,
}

impl<'a> Server<'a> {
    pub(crate) fn new(
        faults: &'a [Fault],
        tls: Security,
        config: &'a Arc<ServerConfig>,
        pipelining: bool,
        login: Option<&'a str>,
    ) -> Self {
        let (struck, copies, connections, over) =
            (Mutex::default(), Mutex::default(), AtomicUsize::new(0), Gate::default());
        Server { faults, tls, config, pipelining, login, struck, copies, connections, over }
    }

    /// Serves until [`end`](Self::end).
    pub(crate) fn serve(&self, listener: &TcpListener) {
        self.over.shut();
        thread::scope(|scope| {
            for stream in listener.incoming() {
                if self.over.is_open() {
                    return;
                }
                let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let pipe = Pipe::new(stream.expect("a connection"));
                scope.spawn(move || {
                    let mut talk =
                        Talk { server: self, pipe, connection: number, reader: 0, to: None, size: 0, private: false };
                    // A client that hangs up, or was hung up on, is what the script is about.
                    let _ = talk.run();
                    talk.pipe.close();
                });
            }
        });
    }

    /// What still hangs goes, and nobody new is let in.
    pub(crate) fn end(&self, port: u16) {
        self.over.open();
        drop(TcpStream::connect(("127.0.0.1", port)));
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What it took so far: recipient and message.
    pub(crate) fn copies(&self) -> Vec<(String, Vec<u8>)> {
        self.copies.lock().expect("no thread panics with it").clone()
    }

    /// Whether every fault has struck.
    pub(crate) fn has_struck(&self) -> bool {
        self.struck.lock().expect("no thread panics with it").len()
            == self.faults.iter().filter(|fault| fault.stage != "connect").count()
    }

    /// The fault that is due there.
    fn due(&self, stage: &str, number: usize) -> Option<&'a Fault> {
        let mut struck = self.struck.lock().expect("no thread panics with it");
        let is_due = |(index, fault): &(usize, &Fault)| {
            fault.stage == stage && fault.of == number && (fault.always || !struck.contains(index))
        };
        let (index, fault) = self.faults.iter().enumerate().find(is_due)?;
        struck.insert(index);
        Some(fault)
    }
}

impl Gate {
    fn shut(&self) {
        self.seen.store(false, Ordering::SeqCst);
        *self.open.lock().expect("no thread panics with it") = false;
    }

    fn open(&self) {
        self.seen.store(true, Ordering::SeqCst);
        *self.open.lock().expect("no thread panics with it") = true;
        self.opened.notify_all();
    }

    fn is_open(&self) -> bool {
        self.seen.load(Ordering::SeqCst)
    }

    fn wait(&self) {
        let open = self.open.lock().expect("no thread panics with it");
        drop(self.opened.wait_while(open, |open| !*open).expect("no thread panics with it"));
    }
}

struct Talk<'a, 'b> {
    server: &'b Server<'a>,
    pipe: Pipe,
    connection: usize,
    /// Whose message it is, from 1: MAIL FROM names the delivery.
    reader: usize,
    to: Option<String>,
    size: usize,
    private: bool,
}

impl Talk<'_, '_> {
    fn run(&mut self) -> io::Result<()> {
        if self.server.tls == Security::Implicit {
            self.handshake()?;
        }
        self.answer("greeting", "220 mx.test ESMTP")?;
        let mut known = self.server.login.is_none();
        let mut from = false;
        while let Some(line) = self.pipe.line()? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "EHLO" => self.hello()?,
                "STARTTLS" if self.server.tls == Security::StartTls && !self.private => {
                    if self.answer("starttls", "220 2.0.0 go ahead")?.starts_with(b"220") {
                        self.handshake()?;
                    }
                }
                "AUTH" => known = self.log_in(rest)?,
                "MAIL" if !known => self.say("530 5.7.0 authentication required")?,
                "MAIL" if from => self.say("503 5.5.1 one at a time")?,
                "MAIL" => {
                    self.reader = number_after(rest, "+d");
                    self.size = number_after(rest, "SIZE=");
                    from = self.answer("mail", "250 2.1.0 ok")?.starts_with(b"2");
                }
                "RCPT" if !from => self.say("503 5.5.1 MAIL first")?,
                "RCPT" => {
                    let taken = self.answer("rcpt", "250 2.1.5 ok")?.starts_with(b"2");
                    self.to = rest.split(['<', '>']).nth(1).filter(|_| taken).map(str::to_owned);
                }
                "DATA" => {
                    let good = if self.to.is_some() { "354 go ahead" } else { "503 5.5.1 no recipient" };
                    if self.answer("data", good)?.starts_with(b"354") {
                        from = false;
                        self.body()?;
                    }
                }
                "RSET" => {
                    (from, self.to) = (false, None);
                    self.answer("rset", "250 2.0.0 ok").map(drop)?;
                }
                "QUIT" => return self.answer("quit", "221 2.0.0 bye").map(drop),
                _ => self.say("500 5.5.1 what?")?,
            }
        }
        Ok(())
    }

    fn hello(&mut self) -> io::Result<()> {
        let mut lines = vec!["mx.test", "SIZE 0", "8BITMIME", "ENHANCEDSTATUSCODES"];
        lines.extend(self.server.pipelining.then_some("PIPELINING"));
        lines.extend((self.server.tls == Security::StartTls && !self.private).then_some("STARTTLS"));
        let auth = self.server.login.map(|mechanism| format!("AUTH {mechanism}"));
        lines.extend(auth.as_deref());
        let last = lines.pop().expect("some");
        let reply: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        let stage = if self.private && self.server.tls == Security::StartTls { "tls-ehlo" } else { "ehlo" };
        self.answer(stage, &format!("{reply}250 {last}")).map(drop)
    }

    fn handshake(&mut self) -> io::Result<()> {
        if let Some(fault) = self.server.due("handshake", self.connection) {
            // Behind a STARTTLS the server's first octets must not come before the client's.
            self.pipe.octets(1)?;
            self.act(&fault.does)?;
        }
        self.pipe.start_tls(self.server.config)?;
        self.private = true;
        Ok(())
    }

    fn log_in(&mut self, how: &str) -> io::Result<bool> {
        if how == "LOGIN" {
            for (prompt, wanted) in [("VXNlcm5hbWU6", "ada"), ("UGFzc3dvcmQ6", "secret")] {
                self.say(&format!("334 {prompt}"))?;
                if self.pipe.line()? != Some(BASE64.encode(wanted.as_bytes())) {
                    return self.say("535 5.7.8 no").map(|()| false);
                }
            }
        } else if how.strip_prefix("PLAIN ") != Some(&BASE64.encode(b"\0ada\0secret")) {
            return self.say("535 5.7.8 no").map(|()| false);
        }
        Ok(self.answer("auth", "235 2.7.0 ok")?.starts_with(b"235"))
    }

    fn body(&mut self) -> io::Result<()> {
        for (stage, octets) in [("body", 1), ("middle", self.size / 2), ("end", self.size)] {
            if let Some(fault) = self.server.due(stage, self.reader) {
                self.pipe.octets(octets)?;
                self.act(&fault.does)?;
            }
        }
        let Some(body) = self.pipe.body(usize::MAX)? else { return Err(io::ErrorKind::ConnectionAborted.into()) };
        let to = self.to.take();
        let keep = |to: Option<String>| {
            let copy = (to.expect("a recipient"), body);
            self.server.copies.lock().expect("no thread panics with it").push(copy);
        };
        match (self.server.due("dot", self.reader), &to) {
            (Some(fault), _) => {
                if fault.does.iter().any(|act| matches!(act, Act::Keep)) {
                    keep(to);
                }
                self.act(&fault.does)?;
            }
            (None, None) => self.say("554 5.5.1 no recipient")?,
            (None, Some(_)) => {
                keep(to);
                // One segment with what comes after, if something does.
                let taken = b"250 2.0.0 taken\r\n".to_vec();
                match self.server.due("after", self.reader) {
                    None => self.pipe.say(&taken)?,
                    Some(fault) => {
                        self.act_after(taken, &fault.does)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What is due there, else what is good; says what was said. An error ends the connection.
    fn answer(&mut self, stage: &str, good: &str) -> io::Result<Vec<u8>> {
        let number = if is_of_connection(stage) { self.connection } else { self.reader };
        match self.server.due(stage, number) {
            Some(fault) => self.act(&fault.does),
            None => {
                self.say(good)?;
                Ok(good.into())
            }
        }
    }

    fn act(&mut self, acts: &[Act]) -> io::Result<Vec<u8>> {
        self.act_after(Vec::new(), acts)
    }

    fn act_after(&mut self, mut unsaid: Vec<u8>, acts: &[Act]) -> io::Result<Vec<u8>> {
        let mut said = unsaid.clone();
        for act in acts {
            if let Act::Say(octets) = act {
                unsaid.extend_from_slice(octets);
                said.extend_from_slice(octets);
                continue;
            }
            self.pipe.say(&std::mem::take(&mut unsaid))?;
            match act {
                Act::Say(_) | Act::Keep => {}
                Act::Split(octets) => {
                    octets.iter().try_for_each(|octet| self.pipe.say(&[*octet]))?;
                    said.extend_from_slice(octets);
                }
                Act::Close => self.pipe.close(),
                Act::Reset => self.pipe.reset(),
                Act::Hang => self.server.over.wait(),
            }
            if matches!(act, Act::Close | Act::Reset | Act::Hang) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        self.pipe.say(&unsaid)?;
        Ok(said)
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.pipe.say(format!("{reply}\r\n").as_bytes())
    }
}

/// The number behind these words; 0 where there is none.
fn number_after(text: &str, words: &str) -> usize {
    let digits = text.split(words).nth(1).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}
