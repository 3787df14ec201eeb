//! One thread's connection, without a trace of async above: a small runtime of its own drives it, one call at a time.

use super::Smtp;
use super::connection::Connection;
use crate::message::Message;
use crate::reply::{Fault, Outcome, Reply, Sent, Stage};
use crate::transport::{Configuration, NotReady, Offered, Over};
use std::io;
use std::net::ToSocketAddrs;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// How often a wait asks whether it is over.
const ASK: Duration = Duration::from_millis(100);
const GIVEN_UP: &str = "it was given up before the server answered";

/// A connection that is opened when it is needed, kept from message to message, and never used again once it broke.
#[derive(Debug)]
pub struct Session {
    smtp: Arc<Smtp>,
    connection: Option<Connection>,
    state: State,
    // After the connection, which must be dropped first.
    runtime: Option<Runtime>,
}

/// What may be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `ready`: a transaction may be open.
    Used,
    /// `offer`.
    Ready,
    /// `deliver`.
    Offered,
}

impl Session {
    pub(in crate::transport) fn new(smtp: Arc<Smtp>) -> Self {
        Session { smtp, connection: None, state: State::Used, runtime: None }
    }

    pub(in crate::transport) fn ready(&mut self, over: Over<'_>) -> Result<(), NotReady> {
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            none => none.insert(
                new_runtime().map_err(|why| NotReady::Unreachable(format!("no connection can be opened: {why}")))?,
            ),
        };
        let limits = &self.smtp.timeouts;
        if let Some(connection) = self.connection.take() {
            self.connection = runtime.block_on(unless(over, connection.go_on(limits))).flatten();
        }
        if self.connection.is_none() {
            let server = &self.smtp.server;
            // Resolved on this thread, which is free to wait; tokio would do it on another that outlives a time-out.
            let addresses = (server.host.as_str(), server.port).to_socket_addrs();
            let addresses: Vec<_> =
                addresses.map_err(|why| NotReady::Unreachable(format!("{server} cannot be found: {why}")))?.collect();
            let opened = runtime.block_on(unless(over, Connection::open(&self.smtp, &addresses)));
            self.connection = Some(opened.unwrap_or_else(|| Err(NotReady::Unreachable(GIVEN_UP.to_owned())))?);
        }
        self.state = State::Ready;
        Ok(())
    }

    pub(in crate::transport) fn offer(&mut self, message: &Message, over: Over<'_>) -> Result<Offered, Configuration> {
        let state = std::mem::replace(&mut self.state, State::Used);
        let (Some(runtime), Some(connection), State::Ready) = (&self.runtime, &mut self.connection, state) else {
            return Ok(Offered::Ended(unready("the connection to the server was not made ready")));
        };
        let offered = runtime.block_on(unless(over, connection.offer(message, &self.smtp)));
        let Some(offered) = offered else {
            self.connection = None;
            return Ok(Offered::Stale(unready(GIVEN_UP)));
        };
        match offered {
            Ok(Offered::Wanted) => self.state = State::Offered,
            _ if !connection.is_sound() => self.connection = None,
            _ => {}
        }
        offered
    }

    pub(in crate::transport) fn deliver(&mut self, message: &Message, next: Option<&Message>) -> Sent {
        let state = std::mem::replace(&mut self.state, State::Used);
        let (Some(runtime), Some(connection), State::Offered) = (&self.runtime, &mut self.connection, state) else {
            return unready("the connection to the server was not made ready");
        };
        let sent = runtime.block_on(connection.deliver(message, next, &self.smtp));
        if !connection.is_sound() {
            self.connection = None;
        }
        sent
    }

    pub(in crate::transport) fn has_offered(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::has_offered)
    }

    /// The octets of the largest message that the server says it takes.
    pub(in crate::transport) fn largest(&self) -> Option<usize> {
        self.connection.as_ref().and_then(Connection::largest)
    }

    pub(in crate::transport) fn quit(mut self) {
        if let (Some(runtime), Some(connection)) = (&self.runtime, self.connection.take()) {
            runtime.block_on(connection.quit(&self.smtp.timeouts));
        }
    }
}

fn unready(words: &str) -> Sent {
    let reply = Reply::silence(words);
    Sent { stage: Stage::Connect, reply, outcome: Outcome::Deferred(Fault::Connection) }
}

/// Nothing where `over` says so before the work is done.
async fn unless<T>(over: Over<'_>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    loop {
        match timeout(ASK, &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if over() => return None,
            Err(_) => {}
        }
    }
}

fn new_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}
