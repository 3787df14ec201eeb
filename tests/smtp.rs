//! A session of ours against servers that do everything wrong: dialogues as files, and the sink's faults.

use crate::support::pipe::{self, Pipe};
use crate::support::sink::{Security, Settings, Sink};
use postrider::delivery::route::{Route, Server, Tls};
use postrider::message::{Envelope, Message};
use postrider::reply::{Fault, Outcome, Refusal, Sent, Stage};
use postrider::transport::{Configuration, Job, NotReady, Offered, Options, Password, Session, Timeouts, Transport};
use rcgen::IsCa;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

const BODY: &str = "Message-ID: <1@example.org>\r\nSubject: x\r\n\r\n.a dot\r\nbody\r\n";

fn message(to: &str, bytes: &[u8]) -> Message {
    let address = |text: &str| text.parse().expect("an address");
    Message { envelope: Envelope { from: address("bounces@example.org"), to: address(to) }, bytes: bytes.to_vec() }
}

fn all(limit: Duration) -> Timeouts {
    Timeouts { connect: limit, greeting: limit, command: limit, data: limit, body: limit, dot: limit, quit: limit }
}

fn open(route: &str, folder: &Path, password: Option<&str>, timeouts: Timeouts) -> Session {
    let route: Route = route.parse().expect(route);
    let password = password.map(Password::new);
    let options = Options { root: folder, password, helo: Some("me.example".into()), timeouts };
    Transport::open(&route, options).expect("it opens").session()
}

fn send(session: &mut Session, message: &Message) -> Result<Sent, Configuration> {
    session.send(&job(message))
}

fn job(message: &Message) -> Job<'_> {
    Job { edition: "weekly/2026-11-23", delivery: "d1", message }
}

// ---- dialogues

/// A file of `tests/corpus/smtp`: how to connect, what the server says and must hear, what comes of it on our side.
///
/// Above the first `---`: comments, and `key: value` settings (`tls`, `ca`, `login`, `limit` in milliseconds, `to`, `octets`). Then the server:
/// `S: ` says a line, `s: ` some octets, `C: ` hears exactly this line, `C: (message)` hears the message, `TLS` begins TLS,
/// `close` hangs up, `reset` does it with an error, `hang` waits till we do, `gone` hears us do it without a word, `next` takes the
/// next connection, `mark` lets an `await` go on, `await` waits for a `mark` of ours. Below the second
/// `---` what is done, and its whole result; `ahead` is whether the next envelope is on its way.
struct Dialogue {
    settings: Vec<(String, String)>,
    server: Vec<String>,
    client: Vec<String>,
}

impl Dialogue {
    fn read(text: &str) -> Self {
        let mut parts =
            text.split("\n---\n").map(|part| part.lines().filter(|line| !line.is_empty() && !line.starts_with('#')));
        let settings = parts.next().expect("settings").map(|line| line.split_once(": ").expect(line));
        let settings = settings.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let lines =
            |part: Option<_>| -> Vec<String> { Iterator::map(part.expect("three parts"), str::to_string).collect() };
        Dialogue { settings, server: lines(parts.next()), client: lines(parts.next()) }
    }

    fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn message(&self) -> Message {
        let mut bytes = BODY.as_bytes().to_vec();
        if let Some(octets) = self.setting("octets") {
            bytes.extend("0123456\r\n".repeat(octets.parse::<usize>().expect("a number") / 9).bytes());
        }
        message(self.setting("to").unwrap_or("ada@example.net"), &bytes)
    }
}

/// What one side tells the other, beside the connection.
type Marks = (Sender<()>, Receiver<()>);

/// Plays the server's part; what the client said otherwise than written is the error.
fn play(dialogue: &Dialogue, listener: &TcpListener, folder: &Path, (mark, marked): Marks) -> io::Result<()> {
    let tls = pipe::server_config(folder);
    let mut pipe = Pipe::new(listener.accept()?.0);
    for line in &dialogue.server {
        let heard = |said: Option<String>, wanted: &str| match said {
            Some(said) if said == wanted => Ok(()),
            said => Err(io::Error::other(format!("wanted {wanted:?}, heard {said:?}"))),
        };
        match line.split_once(": ") {
            Some(("S", text)) => pipe.say(&[unescaped(text), b"\r\n".to_vec()].concat())?,
            Some(("s", text)) => pipe.say(&unescaped(text))?,
            Some(("C", "(message)")) if pipe.body(usize::MAX)? == Some(dialogue.message().bytes) => {}
            Some(("C", text)) => heard(pipe.line()?, text)?,
            _ => match line.as_str() {
                "TLS" => pipe.start_tls(&tls)?,
                // A refused handshake is what such a dialogue is about.
                "TLS refused" => drop(pipe.start_tls(&tls)),
                "close" => pipe.close(),
                "reset" => pipe.reset(),
                "hang" => while pipe.line()?.is_some() {},
                "gone" => match pipe.line()? {
                    None => {}
                    said => return Err(io::Error::other(format!("wanted the end, heard {said:?}"))),
                },
                "next" => pipe = Pipe::new(listener.accept()?.0),
                "mark" => mark.send(()).map_err(io::Error::other)?,
                "await" => marked.recv().map_err(io::Error::other)?,
                _ => panic!("{line}"),
            },
        }
    }
    Ok(())
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        out.extend_from_slice(part[2..].replace("(long)", &"x".repeat(20_000)).as_bytes());
    }
    out
}

/// Plays our part and writes down what came of it.
fn act(dialogue: &Dialogue, port: u16, folder: &Path, (mark, marked): Marks) -> Vec<String> {
    let (user, password) = match dialogue.setting("login").map(|login| login.split_once(' ').expect("user password")) {
        Some((user, password)) => (format!("{user}@"), Some(password)),
        None => (String::new(), None),
    };
    let ca = if dialogue.setting("ca").is_some() { "&ca=cert.pem" } else { "" };
    let route = match dialogue.setting("tls").unwrap_or("none") {
        "implicit" => format!("smtps://{user}127.0.0.1:{port}?{ca}"),
        tls => format!("smtp://{user}127.0.0.1:{port}?tls={tls}{ca}"),
    };
    let mut limits = all(Duration::from_secs(20));
    for limit in dialogue.setting("limit").into_iter().flat_map(|limits| limits.split(", ")) {
        let (step, milliseconds) = limit.split_once(' ').expect("step milliseconds");
        let limit = match step {
            "greeting" => &mut limits.greeting,
            "command" => &mut limits.command,
            "data" => &mut limits.data,
            "body" => &mut limits.body,
            "dot" => &mut limits.dot,
            "quit" => &mut limits.quit,
            _ => panic!("{step}"),
        };
        *limit = Duration::from_millis(milliseconds.parse().expect("a number"));
    }
    let (mut session, message) = (Some(open(&route, folder, password, limits)), dialogue.message());
    let mut said = Vec::new();
    for line in &dialogue.client {
        let verb = line.split(':').next().unwrap_or_default();
        said.push(match (verb, &mut session) {
            ("ready", Some(session)) => format!("ready: {}", readiness(session.ready())),
            ("send", Some(session)) => format!("send: {}", sent(send(session, &message))),
            ("offer", Some(session)) => format!("offer: {}", offered(session.offer(&job(&message)))),
            ("deliver", Some(session)) => format!("deliver: {}", sent(session.deliver(&job(&message), None))),
            // With another message of the same kind behind it.
            ("deliver and offer", Some(session)) => {
                format!("deliver and offer: {}", sent(session.deliver(&job(&message), Some(&job(&message)))))
            }
            ("ahead", Some(session)) => format!("ahead: {}", session.has_offered()),
            ("mark", _) => {
                mark.send(()).map_or_else(|_| "mark: the server stopped before".into(), |()| "mark".to_string())
            }
            ("await", _) => marked
                .recv()
                .map(|()| "await".to_string())
                .unwrap_or_else(|_| "await: the server stopped before".into()),
            ("quit", session) => {
                session.take().expect("once").quit();
                "quit".into()
            }
            _ => panic!("{line}"),
        });
    }
    said.into_iter().map(|line| line.replace(&format!("127.0.0.1:{port}"), "SERVER")).collect()
}

fn readiness(result: Result<(), NotReady>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(NotReady::Unreachable(why)) => format!("unreachable: {why}"),
        Err(busy @ NotReady::Busy { .. }) => format!("busy: {busy}"),
        Err(NotReady::Configuration(why)) => format!("configuration at {:?}: {why}", why.stage),
    }
}

fn offered(result: Result<Offered, Configuration>) -> String {
    match result {
        Ok(Offered::Wanted) => "wanted".into(),
        Ok(Offered::Ended(ended)) => sent(Ok(ended)),
        Ok(Offered::Stale(ended)) => format!("stale: {}", sent(Ok(ended))),
        Err(why) => sent(Err(why)),
    }
}

fn sent(result: Result<Sent, Configuration>) -> String {
    match result {
        Ok(Sent { stage, reply, outcome }) => format!("{outcome:?} at {stage:?}: {reply}"),
        Err(why) => format!("configuration at {:?}: {why}", why.stage),
    }
}

/// Plays one file on both sides; what went otherwise than written.
fn run(file: &Path, folder: &Path) -> Vec<String> {
    let dialogue = Dialogue::read(&fs::read_to_string(file).expect("a dialogue"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let ((to_us, from_server), (to_server, from_us)) = (channel(), channel());
    let (said, played) = thread::scope(|scope| {
        let dialogue = &dialogue;
        let server = scope.spawn(move || play(dialogue, &listener, folder, (to_us, from_us)));
        let said = act(dialogue, port, folder, (to_server, from_server));
        // A server that still waits for another connection would wait for ever.
        drop(TcpStream::connect(("127.0.0.1", port)));
        (said, server.join().expect("no panic"))
    });
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let differs = dialogue.client.iter().zip(&said).filter(|(wanted, said)| wanted != said);
    let differs = differs.map(|(wanted, said)| format!("{name}:\n  wanted {wanted}\n  got    {said}"));
    played.err().map(|why| format!("{name}: the server: {why}")).into_iter().chain(differs).collect()
}

#[test]
fn every_dialogue_goes_as_written() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/smtp");
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 50, "{files:?}");
    let folder = tempfile::tempdir().unwrap();
    pipe::write_certificate(folder.path(), &["localhost", "127.0.0.1"], IsCa::NoCa);
    // At once: most of the time is waiting for time-outs.
    let wrong: Vec<String> = thread::scope(|scope| {
        let folder = folder.path();
        let runs: Vec<_> = files.iter().map(|file| scope.spawn(move || run(file, folder))).collect();
        runs.into_iter().flat_map(|run| run.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

// ---- the sink

fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

#[test]
fn every_fault_is_told_apart_and_the_session_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let limits = Timeouts { dot: Duration::from_millis(1500), ..all(Duration::from_secs(10)) };
    let mut session = open(&format!("smtp://127.0.0.1:{}", sink.port()), folder.path(), None, limits);
    let deferred = |stage, fault| (stage, Outcome::Deferred(fault));
    let refused = |refusal| (Stage::Rcpt, Outcome::Refused(refusal));
    let (accepted, lost) = ((Stage::Dot, Outcome::Accepted), (Stage::Dot, Outcome::Unknown));
    for (to, expected) in [
        ("ok", accepted),
        ("450-2", deferred(Stage::Rcpt, Fault::Recipient)),
        ("450-2", deferred(Stage::Rcpt, Fault::Recipient)),
        ("450-2", accepted),
        ("grey", deferred(Stage::Rcpt, Fault::Greylisted)),
        ("grey", accepted),
        ("451data", deferred(Stage::Dot, Fault::Recipient)),
        ("550", refused(Refusal::Other)),
        ("5.1.1", refused(Refusal::Hard)),
        ("5.2.2+tag", refused(Refusal::Mailbox)),
        ("5.7.1", refused(Refusal::Policy)),
        ("4.2.2", deferred(Stage::Rcpt, Fault::Recipient)),
        ("552size", refused(Refusal::Mailbox)),
        ("multiline", refused(Refusal::Hard)),
        ("garbage", deferred(Stage::Rcpt, Fault::Connection)),
        ("421rcpt", deferred(Stage::Rcpt, Fault::Connection)),
        ("421data", deferred(Stage::Dot, Fault::Connection)),
        ("dropdata", lost),
        ("dropafter", lost),
        ("slowdata-1", accepted),
        ("slowdata-30000", lost),
        ("ok+again", accepted),
    ] {
        session.ready().unwrap_or_else(|e| panic!("{to}: {e}"));
        let sent = send(&mut session, &message(&format!("{to}@example.net"), BODY.as_bytes())).unwrap();
        assert_eq!((sent.stage, sent.outcome), expected, "{to}: {}", sent.reply);
    }
    session.quit();
    let taken: Vec<_> = sink.accepted().into_iter().map(|line| line.rcpt.replace("@example.net", "")).collect();
    assert_eq!(taken, ["ok", "450-2", "grey", "dropafter", "slowdata-1", "slowdata-30000", "ok+again"]);
}

#[test]
fn the_sink_runs_as_another_process_and_writes_down_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::elsewhere(&Settings::in_folder(folder.path()));
    let mut session = open(&format!("smtp://127.0.0.1:{}", sink.port()), folder.path(), None, Timeouts::default());
    for _ in 0..2 {
        session.ready().unwrap();
        let sent = send(&mut session, &message("dropafter@example.net", BODY.as_bytes())).unwrap();
        assert_eq!(sent.outcome, Outcome::Unknown);
    }
    let taken = sink.accepted();
    assert_eq!(taken.len(), 2, "kept, though nobody was told");
    for line in taken {
        assert_eq!(
            (line.message_id.as_str(), line.sha256.as_str()),
            ("<1@example.org>", sha256(BODY.as_bytes()).as_str())
        );
    }
}

#[test]
fn tls_and_login_work_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    pipe::write_certificate(folder.path(), &["localhost", "127.0.0.1"], IsCa::NoCa);
    for (tls, scheme) in [(Security::StartTls, "smtp"), (Security::Implicit, "smtps")] {
        for mechanisms in ["PLAIN LOGIN", "LOGIN"] {
            let login = Some(("ada@example.org".into(), "geheim ö".into(), mechanisms.into()));
            let sink = Sink::here(Settings { tls, login, size: 10_000_000, ..Settings::in_folder(folder.path()) });
            let route = format!("{scheme}://ada@example.org@localhost:{}?tls=required&ca=cert.pem", sink.port());
            let mut session = open(&route, folder.path(), Some("geheim ö"), Timeouts::default());
            session.ready().unwrap();
            // Large enough for many TLS records, and beyond what the sockets of both sides hold.
            let large = [BODY.as_bytes(), &b"0123456\r\n".repeat(900_000)].concat();
            let sent = send(&mut session, &message("ok@example.net", &large)).unwrap();
            assert_eq!(sent.outcome, Outcome::Accepted, "{}", sent.reply);
            assert_eq!(sink.accepted().last().unwrap().sha256, sha256(&large));
            session.quit();
            let mut session = open(&route, folder.path(), Some("wrong"), Timeouts::default());
            let refused = session.ready().unwrap_err().to_string();
            assert!(refused.contains("535 5.7.8 bad credentials") && !refused.contains("wrong"), "{refused}");
        }
    }
}

/// 0.0.0.0 is this machine and does not say so.
#[test]
fn a_password_goes_to_another_machine_over_tls_alone() {
    let folder = tempfile::tempdir().unwrap();
    pipe::write_certificate(folder.path(), &["localhost", "0.0.0.0"], IsCa::NoCa);
    let login = Some(("ada".into(), "geheim".into(), "PLAIN".into()));
    for tls in [Security::Implicit, Security::Clear] {
        let sink = Sink::here(Settings { tls, login: login.clone(), ..Settings::in_folder(folder.path()) });
        let route = format!("smtps://ada@0.0.0.0:{}?ca=cert.pem", sink.port());
        if tls == Security::Implicit {
            open(&route, folder.path(), Some("geheim"), Timeouts::default()).ready().unwrap();
            continue;
        }
        // No configuration can say so.
        let Ok(Route::Smtp(server)) = route.parse() else { panic!("{route}") };
        let route = Route::Smtp(Server { tls: Tls::None, ca: None, ..server });
        let password = Some(Password::new("geheim"));
        let options = Options { root: folder.path(), password, helo: None, timeouts: Timeouts::default() };
        let said = Transport::open(&route, options).unwrap().session().ready().unwrap_err().to_string();
        assert!(said.contains("the password is not sent to smtp://0.0.0.0:"), "{said}");
    }
}

#[test]
fn a_certificate_is_believed_when_the_ca_file_holds_it_and_its_name_is_right() {
    let ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for (names, is_ca, expected) in [
        (["localhost", "127.0.0.1"], IsCa::NoCa, None),
        // As `openssl req -x509` makes them.
        (["localhost", "127.0.0.1"], ca, None),
        (["mx.example", "localhost"], IsCa::NoCa, Some("is for another name than 127.0.0.1")),
        (["mx.example", "localhost"], ca, Some("is for another name than 127.0.0.1")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        pipe::write_certificate(folder.path(), &names, is_ca);
        let sink = Sink::here(Settings { tls: Security::Implicit, ..Settings::in_folder(folder.path()) });
        let named = format!("smtps://127.0.0.1:{}?ca=cert.pem", sink.port());
        let ready = open(&named, folder.path(), None, Timeouts::default()).ready().map_err(|e| e.to_string());
        match (ready, expected) {
            (Ok(()), None) => {}
            (Err(said), Some(expected)) if said.contains(expected) => {}
            (other, _) => panic!("{names:?}: {other:?}"),
        }
        // Without being named it is nobody's.
        let unnamed = format!("smtps://127.0.0.1:{}", sink.port());
        let said =
            open(&unnamed, folder.path(), None, Timeouts::default()).ready().expect_err("not trusted").to_string();
        assert!(said.contains("?ca="), "{said}");
    }
}

/// Each session on its own thread, each connection lost now and then: what was accepted is in the sink's ledger exactly
/// once, what is in doubt once for each doubt at most, and nothing is there that was neither.
#[test]
fn nothing_is_lost_or_doubled_unseen_over_connections_that_break() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::elsewhere(&Settings { drop: 0.05, latency: 1, ..Settings::in_folder(folder.path()) });
    let route: Route = format!("smtp://127.0.0.1:{}", sink.port()).parse().unwrap();
    let options = Options { root: folder.path(), password: None, helo: None, timeouts: all(Duration::from_secs(10)) };
    let transport = Transport::open(&route, options).unwrap();
    assert_eq!(transport.name(), route.name());
    let outcomes: Vec<(String, Outcome)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let mut session = transport.session();
                scope.spawn(move || {
                    let mut outcomes = Vec::new();
                    for i in 0..40 {
                        let message = message(&format!("r{n}-{i}@example.net"), BODY.as_bytes());
                        loop {
                            if session.ready().is_err() {
                                continue;
                            }
                            let sent = send(&mut session, &message).unwrap();
                            outcomes.push((message.envelope.to.as_str().to_string(), sent.outcome));
                            if sent.outcome == Outcome::Accepted {
                                break;
                            }
                        }
                    }
                    session.quit();
                    outcomes
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let ledger = sink.accepted();
    for (to, _) in outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Accepted) {
        let doubts = outcomes.iter().filter(|(other, outcome)| other == to && *outcome == Outcome::Unknown).count();
        let taken = ledger.iter().filter(|line| line.rcpt == *to).count();
        assert!((1..=1 + doubts).contains(&taken), "{to}: taken {taken} times, {doubts} in doubt");
    }
    assert!(
        outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Deferred(Fault::Connection)),
        "connections did break"
    );
    assert!(ledger.iter().any(|line| line.session > 4), "and were made anew");
}
