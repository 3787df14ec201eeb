//! A way to a server that takes its time: every segment is handed on half a round trip after it came, in both directions,
//! in order. Nothing limits how much is under way, so segments do not wait for each other. Opening a connection takes no time.

use crate::Failure;
use postrider::clock::{Clock, Stopwatch};
use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use std::{process, thread};

/// How it is started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// The server's port on loopback
    #[arg(long)]
    pub(crate) to: u16,
    /// There and back, in milliseconds
    #[arg(long, default_value_t = 20)]
    pub(crate) round_trip: u64,
}

impl Settings {
    /// The words that start it.
    pub(crate) fn words(&self) -> Vec<String> {
        ["serve-delay", "--to", &self.to.to_string(), "--round-trip", &self.round_trip.to_string()]
            .map(str::to_owned)
            .to_vec()
    }
}

/// Prints its port and runs until standard input ends.
pub(crate) fn serve(settings: &Settings) -> Result<(), Failure> {
    let wrong = |why: io::Error| format!("the delay cannot listen: {why}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(wrong)?;
    let port = listener.local_addr().map_err(wrong)?.port();
    let mut out = io::stdout().lock();
    writeln!(out, "{port}").and_then(|()| out.flush()).map_err(wrong)?;
    thread::spawn(|| {
        for _ in io::stdin().lock().lines().map_while(Result::ok) {}
        process::exit(0);
    });
    let half = Duration::from_millis(settings.round_trip) / 2;
    let watch = Clock::system().stopwatch();
    loop {
        let (near, _) = listener.accept().map_err(wrong)?;
        if let Err(why) = join(near, settings.to, half, watch) {
            return Err(format!("the delay cannot reach port {}: {why}", settings.to));
        }
    }
}

fn join(near: TcpStream, to: u16, half: Duration, watch: Stopwatch) -> io::Result<()> {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let (sender, receiver) = channel();
        thread::spawn(move || take(from, &sender, half, watch));
        thread::spawn(move || hand_on(to, &receiver, watch));
    }
    Ok(())
}

/// A segment, and when it is due on the watch.
type Segment = (Duration, Vec<u8>);

fn take(mut from: TcpStream, sender: &Sender<Segment>, half: Duration, watch: Stopwatch) {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        // An empty segment is the end, or the connection broke, which is the end too.
        let read = from.read(&mut buffer).unwrap_or(0);
        let sent = sender.send((watch.elapsed() + half, buffer[..read].to_vec()));
        if read == 0 || sent.is_err() {
            return;
        }
    }
}

fn hand_on(mut to: TcpStream, receiver: &Receiver<Segment>, watch: Stopwatch) {
    for (due, segment) in receiver {
        thread::sleep(due.saturating_sub(watch.elapsed()));
        if segment.is_empty() || to.write_all(&segment).is_err() {
            // The other side may have gone already.
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}
