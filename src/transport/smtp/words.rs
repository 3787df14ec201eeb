//! Sentences for people: why a server cannot be used, what, in its own words, and what to do.

use crate::delivery::route::{Server, Tls};
use crate::reply::{Outcome, Reply, Stage, Verdict, outcome};
use crate::transport::{Configuration, NotReady};
use std::io;
use std::time::Duration;

use super::connection::Stopped;

/// A step before any recipient was named went wrong.
pub(super) fn not_ready(server: &Server, (stage, reply): Stopped) -> NotReady {
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
pub(super) fn refused(server: &Server, stage: Stage, reply: &Reply) -> Configuration {
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

/// Whether the other side left: how that is reported depends on what was on its way, and means the same.
pub(super) fn is_hang_up(why: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(why.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

pub(super) fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_the_remedy_that_fits() {
        let server = match "smtp://mx.example.org".parse() {
            Ok(crate::delivery::route::Route::Smtp(server)) => server,
            other => panic!("{other:?}"),
        };
        for (stage, code, remedy) in [
            (Stage::Auth, 534, "a password made for this program"),
            (Stage::Auth, 538, "a password made for this program"),
            (Stage::Auth, 535, "check the user in mail.transport and mail.password"),
            (Stage::Mail, 530, "it wants a login"),
            (Stage::Mail, 550, "may send as mail.from"),
            (Stage::StartTls, 554, "try another port, or smtps://"),
            (Stage::Greeting, 554, "whether it takes mail from this machine"),
        ] {
            let sentence = refused(&server, stage, &Reply::new(code, ["no"])).sentence;
            assert!(sentence.contains(remedy), "{sentence}");
        }
    }
}
