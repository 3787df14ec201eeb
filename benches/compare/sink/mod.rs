//! A server that takes mail as fast as one thread can and counts it: messages, distinct Message-IDs, distinct bodies,
//! connections. Sixteen octets are kept of a message.
//!
//! It prints its port. Then a line `report` on standard input is answered with one line of JSON; `reset` starts the count
//! anew; the end of standard input ends it.

mod session;
mod tally;
mod tls;

use crate::Failure;
use session::{End, Offer, Session};
use std::io::{BufRead, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, process, thread};
use tally::Tally;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) use tally::Report;
pub(crate) use tls::write_certificate;

/// How a sink is started.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Settings {
    /// Where to listen on loopback; any free port where it is 0
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Do not offer PIPELINING
    #[arg(long)]
    pub(crate) no_pipelining: bool,
    /// A folder with cert.pem and key.pem: offer STARTTLS
    #[arg(long, value_name = "FOLDER")]
    pub(crate) certificate: Option<PathBuf>,
    /// TLS from the first octet, not by STARTTLS
    #[arg(long, requires = "certificate")]
    pub(crate) implicit: bool,
}

impl Settings {
    /// The words that start it.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec!["serve-sink".to_owned(), "--port".to_owned(), self.port.to_string()];
        words.extend(self.no_pipelining.then(|| "--no-pipelining".to_owned()));
        if let Some(folder) = &self.certificate {
            words.extend(["--certificate".to_owned(), folder.display().to_string()]);
        }
        words.extend(self.implicit.then(|| "--implicit".to_owned()));
        words
    }
}

/// Runs until standard input ends.
pub(crate) fn serve(settings: &Settings) -> Result<(), Failure> {
    let acceptor = settings.certificate.as_deref().map(tls::acceptor).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|why| format!("the sink cannot start: {why}"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await;
        let listener = listener.map_err(|why| format!("the sink cannot listen on port {}: {why}", settings.port))?;
        let port = listener.local_addr().map_err(|why| why.to_string())?.port();
        let tally = Arc::new(Mutex::new(Tally::default()));
        say(&port.to_string());
        thread::spawn({
            let tally = tally.clone();
            move || answer(&tally)
        });
        loop {
            let (stream, _) = listener.accept().await.map_err(|why| format!("the sink cannot accept: {why}"))?;
            tokio::spawn(connection(stream, settings.clone(), acceptor.clone(), tally.clone()));
        }
    })
}

async fn connection(
    stream: TcpStream,
    settings: Settings,
    acceptor: Option<TlsAcceptor>,
    tally: Arc<Mutex<Tally>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    tally.lock().unwrap_or_else(PoisonError::into_inner).connected();
    let offer = Offer { pipelining: !settings.no_pipelining, starttls: acceptor.is_some() && !settings.implicit };
    match acceptor {
        Some(acceptor) if settings.implicit => {
            Session::new(acceptor.accept(stream).await?, offer, tally).greet().await?;
        }
        Some(acceptor) => {
            let (end, stream) = Session::new(stream, offer, tally.clone()).greet().await?;
            if end == End::StartTls {
                let inside = Offer { starttls: false, ..offer };
                Session::new(acceptor.accept(stream).await?, inside, tally).listen().await?;
            }
        }
        None => {
            Session::new(stream, offer, tally).greet().await?;
        }
    }
    Ok(())
}

/// The side channel.
fn answer(tally: &Mutex<Tally>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match line.trim() {
            "report" => say(&serde_json::to_string(&tally.report()).unwrap_or_default()),
            "reset" => {
                *tally = Tally::default();
                say("reset");
            }
            _ => say("report or reset"),
        }
    }
    process::exit(0);
}

/// A line for whoever started us; who does not listen any more is no loss.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
