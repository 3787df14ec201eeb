//! The local MTA's `sendmail` command: `PATH -i -f FROM -- TO`, the message on standard input, the answer as an exit
//! code of sysexits.h. It queues, so a reply is the MTA's own and later refusals come back as bounces.

use super::{Configuration, Error};
use crate::message::Message;
use crate::reply::{Fault, Outcome, Refusal, Reply, Sent, Stage};
use std::env;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// How often a running command is asked whether it is done.
const POLL: Duration = Duration::from_millis(5);
/// How much of its complaints is read.
const MAX_WORDS: u64 = 4096;

/// The command.
#[derive(Debug)]
pub struct Sendmail {
    program: PathBuf,
    limit: Duration,
}

/// What an exit code means.
enum Exit {
    Outcome(Outcome),
    Configuration,
}

/// sysexits.h (4.3BSD). 69 is what wrappers return for refusals and for a server that is down alike: trying again does
/// no harm, and ends by itself.
const EXITS: &[(i32, &str, Exit)] = &[
    (0, "EX_OK", Exit::Outcome(Outcome::Accepted)),
    (64, "EX_USAGE", Exit::Configuration),
    (65, "EX_DATAERR", Exit::Outcome(Outcome::Refused(Refusal::Other))),
    (67, "EX_NOUSER", Exit::Outcome(Outcome::Refused(Refusal::Hard))),
    (68, "EX_NOHOST", Exit::Outcome(Outcome::Refused(Refusal::Other))),
    (69, "EX_UNAVAILABLE", Exit::Outcome(Outcome::Deferred(Fault::Recipient))),
    (70, "EX_SOFTWARE", Exit::Outcome(Outcome::Deferred(Fault::Connection))),
    (71, "EX_OSERR", Exit::Outcome(Outcome::Deferred(Fault::Connection))),
    (72, "EX_OSFILE", Exit::Configuration),
    (73, "EX_CANTCREAT", Exit::Outcome(Outcome::Deferred(Fault::Connection))),
    (74, "EX_IOERR", Exit::Outcome(Outcome::Deferred(Fault::Connection))),
    (75, "EX_TEMPFAIL", Exit::Outcome(Outcome::Deferred(Fault::Recipient))),
    (76, "EX_PROTOCOL", Exit::Outcome(Outcome::Deferred(Fault::Connection))),
    (77, "EX_NOPERM", Exit::Configuration),
    (78, "EX_CONFIG", Exit::Configuration),
];

impl Sendmail {
    pub(super) fn open(program: &Path, limit: Duration) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Sendmail { path: program.into(), why: why.into() };
        match program.metadata() {
            Err(why) => Err(wrong(&format!("cannot be run: {why}"))),
            Ok(found) if !found.is_file() => Err(wrong("is not a program")),
            Ok(_) => Ok(Sendmail { program: program.into(), limit }),
        }
    }

    pub(super) fn send(&self, message: &Message) -> Result<Sent, Configuration> {
        let name = self.program.display();
        let stop = |stage, why: String| Configuration { stage, sentence: format!("{name} {why}; see mail.transport") };
        let mut child =
            self.command(message).spawn().map_err(|why| stop(Stage::Connect, format!("cannot be run: {why}")))?;
        let words = listen(&mut child);
        let fed = feed(&mut child, local_line_ends(&message.bytes));
        let Some(status) = wait(&mut child, self.limit).map_err(|why| stop(Stage::Body, format!("is lost: {why}")))?
        else {
            let reply = Reply::silence(&format!("{name} did not end within {} s", self.limit.as_secs()));
            return Ok(Sent { stage: Stage::Dot, reply, outcome: Outcome::Unknown });
        };
        // The command has ended, so both are there but where a child of its own still holds the pipe.
        let words = words.recv_timeout(Duration::from_millis(200)).unwrap_or_default();
        let fed = fed.recv_timeout(Duration::from_millis(200)).unwrap_or(Err(io::ErrorKind::BrokenPipe.into()));
        let known = status.code().and_then(|code| EXITS.iter().find(|(known, ..)| *known == code));
        let said =
            format!("{name}: {}: {words}", known.map_or_else(|| status.to_string(), |(_, name, _)| (*name).into()));
        let sent = |stage, outcome| Ok(Sent { stage, reply: Reply::silence(&said), outcome });
        match (known, &fed) {
            // It left before it had read all of it and yet says all is well: it may have taken half a message.
            (Some((0, ..)), Err(_)) => sent(Stage::Dot, Outcome::Unknown),
            (Some((0, ..)), Ok(())) => {
                let reply = Reply::new(250, ["2.0.0 taken by sendmail"]);
                Ok(Sent { stage: Stage::Dot, reply, outcome: Outcome::Accepted })
            }
            (Some((_, _, Exit::Outcome(outcome))), _) => sent(Stage::Dot, *outcome),
            (Some((_, _, Exit::Configuration)), _) => Err(stop(Stage::Mail, format!("refuses to work: {said}"))),
            // Killed, or an exit code of nobody's: had it read the whole message, it may have queued it.
            (None, Ok(())) if status.code().is_none() => sent(Stage::Dot, Outcome::Unknown),
            (None, _) => sent(Stage::Body, Outcome::Deferred(Fault::Connection)),
        }
    }

    fn command(&self, message: &Message) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        command.args(["-i", "-f", message.envelope.from.as_str(), "--", message.envelope.to.as_str()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// Reads the complaints beside the work, so that a talkative command does not block.
fn listen(child: &mut Child) -> Receiver<String> {
    let (tell, told) = sync_channel(1);
    if let Some(pipe) = child.stderr.take() {
        thread::spawn(move || {
            let mut words = Vec::new();
            // Whatever came is better than nothing: the exit code decides, the words are for a person.
            let _ = pipe.take(MAX_WORDS).read_to_end(&mut words);
            let _ = tell.send(String::from_utf8_lossy(&words).split_whitespace().collect::<Vec<_>>().join(" "));
        });
    }
    told
}

/// Writes beside the work, so that a command that does not read cannot block us for ever.
fn feed(child: &mut Child, bytes: Vec<u8>) -> Receiver<io::Result<()>> {
    let (tell, told) = sync_channel(1);
    if let Some(mut pipe) = child.stdin.take() {
        thread::spawn(move || {
            let _ = tell.send(pipe.write_all(&bytes));
        });
    }
    told
}

/// Waits for the end, kills at the limit; `None` where it had to.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
        waited += POLL;
    }
}

/// A local command speaks the machine's own lines; with CRLF, Postfix and sendmail would deliver lines that end in CR CR LF.
fn local_line_ends(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => out.extend_from_slice(&[line, b"\n"].concat()),
            None => out.extend_from_slice(line),
        }
    }
    out
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::message::Envelope;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn send(script: &str) -> (Result<Sent, Configuration>, String) {
        send_within(script, b"Subject: x\r\n\r\n.\r\nbody\r\n", Duration::from_secs(20))
    }

    fn send_within(script: &str, bytes: &[u8], limit: Duration) -> (Result<Sent, Configuration>, String) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("sendmail");
        let script = format!("#!/bin/sh\nout={}\n{script}\n", folder.path().display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let address = |text: &str| text.parse().expect("an address");
        let envelope = Envelope { from: address("bounces@example.org"), to: address("ada@example.net") };
        let message = Message { envelope, bytes: bytes.to_vec() };
        let sent = loop {
            let sent = Sendmail::open(&program, limit).unwrap().send(&message);
            match &sent {
                // ETXTBSY: another test forked while the script was open for writing, and holds it for a moment.
                Err(stopped) if stopped.sentence.contains("os error 26") => {}
                _ => break sent,
            }
        };
        (sent, fs::read_to_string(folder.path().join("got")).unwrap_or_default())
    }

    #[test]
    fn the_message_goes_in_with_local_line_ends_and_the_envelope_as_arguments() {
        let (sent, got) = send(r#"{ echo "$@"; env | grep -c HOME; cat; } > "$out/got""#);
        assert_eq!(sent.unwrap().outcome, Outcome::Accepted);
        assert_eq!(got, "-i -f bounces@example.org -- ada@example.net\n0\nSubject: x\n\n.\nbody\n");
    }

    #[test]
    fn exit_codes_are_outcomes() {
        let outcome = |code: i32| {
            send(&format!("cat >/dev/null; echo said so >&2; exit {code}"))
                .0
                .map(|sent| (sent.outcome, sent.reply.text))
        };
        let (hard, words) = outcome(67).unwrap();
        assert_eq!(hard, Outcome::Refused(Refusal::Hard));
        assert!(words.ends_with("EX_NOUSER: said so"), "{words}");
        assert_eq!(outcome(75).unwrap().0, Outcome::Deferred(Fault::Recipient));
        assert_eq!(outcome(69).unwrap().0, Outcome::Deferred(Fault::Recipient));
        assert_eq!(outcome(1).unwrap().0, Outcome::Deferred(Fault::Connection));
        assert!(outcome(78).unwrap_err().sentence.contains("EX_CONFIG: said so"));
        assert_eq!(send("cat >/dev/null; kill -9 $$").0.unwrap().outcome, Outcome::Unknown);
    }
    #[test]
    fn what_may_have_been_taken_is_in_doubt() {
        let outcome = |(sent, _): (Result<Sent, Configuration>, String)| sent.map(|sent| (sent.stage, sent.outcome));
        let doubt = Ok((Stage::Dot, Outcome::Unknown));
        // More than a pipe holds, and it says that all is well.
        assert_eq!(outcome(send_within("exit 0", &[b'x'; 300_000], Duration::from_secs(20))), doubt);
        // It never says anything.
        let hangs = "cat >/dev/null; exec tail -f /dev/null";
        assert_eq!(outcome(send_within(hangs, b"x\r\n", Duration::from_millis(200))), doubt);
        // It left in the middle, and is not of this world.
        let lost = Ok((Stage::Body, Outcome::Deferred(Fault::Connection)));
        assert_eq!(outcome(send_within("kill -9 $$", &[b'x'; 300_000], Duration::from_secs(20))), lost);
    }
}
