//! An SMTP server that keeps a ledger of what it took and fails on request: the recipient's local part says how.
//!
//! | local part | what happens |
//! |---|---|
//! | `450-N` | 450 at RCPT the first N times |
//! | `grey` | 451 4.7.1 at RCPT the first time |
//! | `550`, `5.1.1`, `4.2.2`, … | that code or status at RCPT |
//! | `552size`, `multiline`, `garbage` | 552 5.3.4; a reply of several lines; no reply at all but noise, at RCPT |
//! | `echo`, `echo450` | a refusal, or 450 the first time, whose words hold the recipient's address, at RCPT |
//! | `421rcpt`, `421data` | 421 and hang up at RCPT, or after the final dot |
//! | `451data` | 451 after the final dot |
//! | `dropdata` | hangs up in the body; nothing kept |
//! | `dropafter` | kept, but hangs up before the 250: the duplicate trap |
//! | `slowdata-MS` | kept, and the 250 comes MS milliseconds later |
//!
//! Anything else is taken. What follows a `+` is not looked at. One line is appended to the ledger file for each
//! recipient, in one write, before the 250 to the final dot is sent: recipient, Message-ID, SHA-256 of the bytes, session.
//!
//! It can be told to wait at one [stage](Settings::hold) until [`Sink::go`], and to have no [patience](Settings::idle) then.

use super::pipe::{self, Pipe};
use data_encoding::{BASE64, HEXLOWER};
use postrider::random::Random;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use std::{env, process};

const VARIABLE: &str = "POSTRIDER_TEST_SINK";

/// How a sink behaves to everybody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Holds the ledger, and for TLS `cert.pem` and `key.pem`.
    pub(crate) folder: PathBuf,
    /// Where it listens: on loopback, unless networks of the test's own lead here.
    pub(crate) address: IpAddr,
    pub(crate) tls: Security,
    /// The user and password to ask for, offered as these mechanisms.
    pub(crate) login: Option<(String, String, String)>,
    /// Waits before each reply, in milliseconds.
    pub(crate) latency: u64,
    /// The chance to hang up at any command.
    pub(crate) drop: f64,
    pub(crate) seed: u64,
    /// Every session waits at this stage until [`Sink::go`]: before the reply to `ehlo`, `mail`, `rcpt` or `data`, before the
    /// `greeting`, before it reads the `body`, or, having taken the message, before its reply to the final `dot`.
    pub(crate) hold: Option<String>,
    /// Once it has waited there it says 421 and hangs up when it hears nothing for so many milliseconds; 0: never.
    pub(crate) idle: u64,
    /// The largest message, as it says at EHLO.
    pub(crate) size: usize,
    /// Whether it offers PIPELINING.
    pub(crate) pipelining: bool,
    /// How many messages a connection may bring, and how it ends when one more is offered.
    pub(crate) farewell: Option<(usize, Farewell)>,
    /// Whether it keeps a message and hangs up without a word.
    pub(crate) mute: bool,
    /// What it says at RCPT, whoever it is.
    pub(crate) refusal: Option<String>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Farewell {
    Says421,
    HangsUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Security {
    Clear,
    StartTls,
    Implicit,
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) rcpt: String,
    pub(crate) message_id: String,
    pub(crate) sha256: String,
    pub(crate) session: u64,
}

/// A running sink; it ends with its owner.
pub(crate) struct Sink {
    port: u16,
    ledger: PathBuf,
    place: Place,
}

enum Place {
    Here(Arc<AtomicBool>, Arc<State>),
    Elsewhere(Child),
}

struct State {
    settings: Settings,
    ledger: File,
    tls: Option<Arc<ServerConfig>>,
    tries: Mutex<HashMap<String, u32>>,
    sessions: AtomicU64,
    random: Random,
}

impl Settings {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Settings {
            folder: folder.into(),
            address: Ipv4Addr::LOCALHOST.into(),
            tls: Security::Clear,
            login: None,
            latency: 0,
            drop: 0.0,
            seed: 7,
            hold: None,
            idle: 0,
            size: 1_000_000,
            pipelining: true,
            farewell: None,
            mute: false,
            refusal: None,
        }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.join("sink.tsv")
    }
}

impl Sink {
    /// Runs on threads of this process.
    pub(crate) fn here(settings: Settings) -> Self {
        let (ledger, stop) = (settings.ledger(), Arc::new(AtomicBool::new(false)));
        let (listener, state) = open(settings);
        let port = listener.local_addr().expect("bound").port();
        let (stopped, served) = (stop.clone(), state.clone());
        thread::spawn(move || serve(&listener, &served, &stopped));
        Sink { port, ledger, place: Place::Here(stop, state) }
    }

    /// Runs as another process, which survives whatever happens to ours but its end.
    pub(crate) fn elsewhere(settings: &Settings) -> Self {
        let mut child = Command::new(env::current_exe().expect("a test binary"))
            .args(["--exact", "support::sink::as_a_process", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, serde_json::to_string(settings).expect("plain settings"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary runs");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        let port =
            said.lines().map_while(Result::ok).find_map(|line| line.split("sink on ").nth(1)?.trim().parse().ok());
        Sink { port: port.expect("the sink says its port"), ledger: settings.ledger(), place: Place::Elsewhere(child) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> u64 {
        match &self.place {
            Place::Here(_, state) => state.sessions.load(Ordering::SeqCst),
            Place::Elsewhere(_) => panic!("nobody knows of another process"),
        }
    }

    /// How many messages it took so far.
    pub(crate) fn taken(&self) -> usize {
        fs::read(&self.ledger).expect("the sink made it").iter().filter(|octet| **octet == b'\n').count()
    }

    /// How many sessions have come to the stage at which it waits, or, as `idle`, have lost its patience.
    pub(crate) fn reached(&self, stage: &str) -> usize {
        let stages = fs::read_to_string(self.ledger.with_file_name("stages")).unwrap_or_default();
        stages.lines().filter(|line| *line == stage).count()
    }

    /// Nobody waits at a stage any longer.
    pub(crate) fn go(&self) {
        fs::write(self.ledger.with_file_name("go"), "").expect("a folder to write to");
    }

    /// What it took so far, in order.
    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        let ledger = fs::read_to_string(&self.ledger).expect("the sink made it");
        let accepted = |line: &str| {
            let [rcpt, message_id, sha256, session] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let session = session.parse().expect("a number");
            Accepted { rcpt: rcpt.into(), message_id: message_id.into(), sha256: sha256.into(), session }
        };
        ledger.lines().map(accepted).collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        match &mut self.place {
            Place::Here(stop, _) => {
                stop.store(true, Ordering::SeqCst);
                // Wakes the listener; where that fails, there is none to wake.
                let _ = TcpStream::connect(("127.0.0.1", self.port));
            }
            Place::Elsewhere(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// Not a test of anything: the body of [`Sink::elsewhere`].
#[test]
fn as_a_process() {
    let Ok(settings) = env::var(VARIABLE) else { return };
    let (listener, state) = open(serde_json::from_str(&settings).expect("our own settings"));
    // Standard input ends when the parent does, however it ended.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    writeln!(io::stdout(), "\nsink on {}", listener.local_addr().expect("bound").port()).expect("a parent");
    serve(&listener, &state, &AtomicBool::new(false));
}

fn open(settings: Settings) -> (TcpListener, Arc<State>) {
    let ledger = OpenOptions::new().create(true).append(true).open(settings.ledger()).expect("a folder to write to");
    let tls = (settings.tls != Security::Clear).then(|| pipe::server_config(&settings.folder));
    let (tries, sessions, random) = (Mutex::default(), AtomicU64::new(0), Random::seeded(settings.seed));
    let listener = TcpListener::bind((settings.address, 0)).expect("a free port");
    (listener, Arc::new(State { settings, ledger, tls, tries, sessions, random }))
}

fn serve(listener: &TcpListener, state: &Arc<State>, stop: &AtomicBool) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let session = state.sessions.fetch_add(1, Ordering::SeqCst) + 1;
        let state = state.clone();
        thread::spawn(move || {
            let mut talk = Talk { pipe: Pipe::new(stream), state: &state, session, private: false, known: false };
            // A client that hangs up is none of our business.
            if let Err(error) = talk.run()
                && matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            {
                let _ = talk.say("421 4.4.2 nothing heard for too long");
                state.note("idle");
            }
            talk.pipe.close();
        });
    }
}

impl State {
    fn note(&self, stage: &str) {
        let path = self.settings.folder.join("stages");
        let file = OpenOptions::new().create(true).append(true).open(path);
        // Where the folder is gone, so is whoever would read it.
        let _ = file.and_then(|mut file| file.write_all(format!("{stage}\n").as_bytes()));
    }
}

struct Talk<'a> {
    pipe: Pipe,
    state: &'a State,
    session: u64,
    private: bool,
    known: bool,
}

impl Talk<'_> {
    fn run(&mut self) -> io::Result<()> {
        let state = self.state;
        if let (Some(config), Security::Implicit) = (&state.tls, state.settings.tls) {
            self.pipe.start_tls(config)?;
            self.private = true;
        }
        let (mut from, mut to, mut messages) = (None, None, 0);
        self.stage("greeting");
        self.say("220 sink.test ESMTP")?;
        while let Some(line) = self.pipe.line()? {
            if state.settings.drop > 0.0 && state.random.fraction() < state.settings.drop {
                return Ok(());
            }
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match (verb.to_ascii_uppercase().as_str(), &state.tls) {
                ("EHLO", _) => self.hello()?,
                ("STARTTLS", Some(config)) if !self.private => {
                    self.say("220 2.0.0 go ahead")?;
                    self.pipe.start_tls(config)?;
                    self.private = true;
                }
                ("AUTH", _) => self.log_in(rest)?,
                ("MAIL", _) if state.settings.login.is_some() && !self.known => {
                    self.say("530 5.7.0 authentication required")?
                }
                ("MAIL", _) if from.is_some() => self.say("503 5.5.1 one at a time")?,
                ("MAIL", _) if state.settings.farewell.is_some_and(|(most, _)| messages >= most) => {
                    let (_, farewell) = state.settings.farewell.expect("just seen");
                    return if farewell == Farewell::Says421 { self.say("421 4.3.2 that is enough") } else { Ok(()) };
                }
                ("MAIL", _) => {
                    messages += 1;
                    from = Some(rest.to_string());
                    self.stage("mail");
                    self.say("250 2.1.0 ok")?;
                }
                ("RCPT", _) if from.is_none() => self.say("503 5.5.1 MAIL first")?,
                ("RCPT", _) => {
                    let rcpt = rest.split(['<', '>']).nth(1).unwrap_or_default().to_string();
                    match self.fault(&rcpt) {
                        None => {
                            to = Some(rcpt);
                            self.stage("rcpt");
                            self.say("250 2.1.5 ok")?;
                        }
                        Some(reply) => {
                            self.say(&reply)?;
                            if reply.starts_with("421") {
                                return Ok(());
                            }
                        }
                    }
                }
                ("DATA", _) => match to.take() {
                    None => self.say("503 5.5.1 no recipient")?,
                    Some(rcpt) => {
                        from = None;
                        if !self.data(&rcpt)? {
                            return Ok(());
                        }
                    }
                },
                ("RSET", _) => {
                    (from, to) = (None, None);
                    self.say("250 2.0.0 ok")?;
                }
                ("QUIT", _) => return self.say("221 2.0.0 bye"),
                _ => self.say("500 5.5.1 what?")?,
            }
        }
        Ok(())
    }

    /// Waits here until [`Sink::go`] if it is told to, and from then on has no patience.
    fn stage(&mut self, stage: &str) {
        let Settings { folder, hold, idle, .. } = &self.state.settings;
        let go = folder.join("go");
        if hold.as_deref() == Some(stage) && !go.exists() {
            self.state.note(stage);
            while folder.exists() && !go.exists() {
                thread::sleep(Duration::from_millis(1));
            }
            self.pipe.patience(*idle);
        }
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        thread::sleep(Duration::from_millis(self.state.settings.latency));
        self.pipe.say(format!("{reply}\r\n").as_bytes())
    }

    fn hello(&mut self) -> io::Result<()> {
        self.stage("ehlo");
        let size = self.state.settings.size;
        let mut reply = format!("250-sink.test\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-SIZE {size}\r\n");
        if self.state.settings.pipelining {
            reply += "250-PIPELINING\r\n";
        }
        if self.state.settings.tls == Security::StartTls && !self.private {
            reply += "250-STARTTLS\r\n";
        }
        if let Some((.., mechanisms)) = &self.state.settings.login {
            reply += &format!("250-AUTH {mechanisms}\r\n");
        }
        self.say(&(reply + "250 ENHANCEDSTATUSCODES"))
    }

    fn log_in(&mut self, how: &str) -> io::Result<()> {
        let Some((user, password, _)) = self.state.settings.login.clone() else { return self.say("502 5.5.1 no") };
        let right = match how.split_once(' ') {
            Some(("PLAIN", answer)) => answer == BASE64.encode(format!("\0{user}\0{password}").as_bytes()),
            _ => {
                self.say("334 VXNlcm5hbWU6")?;
                let given = self.pipe.line()?;
                self.say("334 UGFzc3dvcmQ6")?;
                let answer = (given, self.pipe.line()?);
                answer == (Some(BASE64.encode(user.as_bytes())), Some(BASE64.encode(password.as_bytes())))
            }
        };
        self.known = right;
        self.say(if right { "235 2.7.0 ok" } else { "535 5.7.8 bad credentials" })
    }

    /// What goes wrong at RCPT, if anything.
    fn fault(&self, rcpt: &str) -> Option<String> {
        if let Some(refusal) = &self.state.settings.refusal {
            return Some(refusal.clone());
        }
        let fault = fault_of(rcpt);
        let mut tries = self.state.tries.lock().expect("no thread panics with it");
        let nth = tries.entry(rcpt.into()).and_modify(|n| *n += 1).or_insert(1);
        if let Some(times) = fault.strip_prefix("450-") {
            return (*nth <= times.parse().unwrap_or(1)).then(|| "450 4.2.0 try later".into());
        }
        match fault {
            "grey" => (*nth == 1).then(|| "451 4.7.1 greylisted, come back later".into()),
            "421rcpt" => Some("421 4.3.2 shutting down".into()),
            "550" => Some("550 no".into()),
            "echo" => Some(format!("550 5.2.1 <{rcpt}>: Recipient address rejected: {rcpt} is disabled")),
            "echo450" => (*nth == 1).then(|| format!("450 4.2.0 <{rcpt}>: Recipient address rejected: greylisted")),
            "552size" => Some("552 5.3.4 too big".into()),
            "multiline" => Some(
                "550-5.1.1 the mailbox you tried to reach\r\n550-5.1.1 does not exist\r\n550 5.1.1 see elsewhere"
                    .into(),
            ),
            "garbage" => Some("\x01\x02not smtp at all".into()),
            status if status.split('.').count() == 3 => match status.as_bytes() {
                [b'4', ..] => Some(format!("450 {status} as you wish")),
                [b'5', ..] => Some(format!("550 {status} as you wish")),
                _ => None,
            },
            _ => None,
        }
    }

    /// Takes a body; `false` where the connection ends with it.
    fn data(&mut self, rcpt: &str) -> io::Result<bool> {
        let fault = fault_of(rcpt);
        self.stage("data");
        self.say("354 go")?;
        self.stage("body");
        let most = if fault == "dropdata" { 512 } else { usize::MAX };
        let Some(body) = self.pipe.body(most)? else { return Ok(false) };
        match fault {
            "dropdata" => return Ok(false),
            "421data" => return self.say("421 4.3.0 closing").map(|()| false),
            "451data" => return self.say("451 4.3.0 local error").map(|()| true),
            _ => {}
        }
        let text = String::from_utf8_lossy(&body);
        let header = text
            .lines()
            .take_while(|line| !line.is_empty())
            .find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
        let id = header.and_then(|line| line.split_once(':')).map_or("-", |(_, id)| id.trim());
        let sha256 = HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
        (&self.state.ledger).write_all(format!("{rcpt}\t{id}\t{sha256}\t{}\n", self.session).as_bytes())?;
        if self.state.settings.mute || fault == "dropafter" {
            return Ok(false);
        }
        self.stage("dot");
        if let Some(delay) = fault.strip_prefix("slowdata-") {
            thread::sleep(Duration::from_millis(delay.parse().unwrap_or(0)));
        }
        self.say("250 2.0.0 taken").map(|()| true)
    }
}

fn fault_of(rcpt: &str) -> &str {
    let local = rcpt.split('@').next().unwrap_or_default();
    local.split('+').next().unwrap_or_default()
}
