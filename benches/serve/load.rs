//! The other end: readers of feeds, people who subscribe, who say nothing or half of something, and nonsense. In a process of its own, which
//! prints one line of JSON at its end.

use crate::Failure;
use postrider::clock::{Clock, Stopwatch};
use postrider::random::Random;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

/// What is asked, of whom, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Where the server listens on loopback
    #[arg(long)]
    pub(crate) port: u16,
    #[arg(long, value_enum)]
    pub(crate) kind: Kind,
    /// For so long
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u64,
    /// Connections at a time; of nonsense, requests
    #[arg(long, default_value_t = 32)]
    pub(crate) count: usize,
    /// Further fields of the request
    #[arg(long, default_value = "")]
    pub(crate) fields: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// `GET /rss.xml`, again and again on the same connections
    Feed,
    /// `POST /subscribe`, each with another address, from another network
    Subscribe,
    /// Connections that say nothing, or half a header, or an octet a second; each that is hung up on comes again after five seconds
    Idle,
    /// Requests that are broken in one way or more, each on a connection of its own
    Nonsense,
}

impl Settings {
    /// The words that start it.
    pub(crate) fn words(&self) -> Vec<String> {
        let Settings { port, kind, seconds, count, fields } = self;
        let kind = format!("{kind:?}").to_lowercase();
        let words = ["load", "--port", &port.to_string(), "--kind", &kind, "--seconds", &seconds.to_string()];
        let more = ["--count", &count.to_string(), &format!("--fields={fields}")];
        words.iter().chain(&more).map(|word| (*word).to_string()).collect()
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Answers by status; 0 where there was none.
    pub(crate) answers: BTreeMap<u16, u64>,
    pub(crate) seconds: f64,
    /// Milliseconds until an answer was there: the median, one of a hundred, the worst.
    pub(crate) waits: [f64; 3],
    /// Connections opened.
    pub(crate) opened: u64,
}

impl Report {
    pub(crate) fn of(waits: &mut [f64]) -> [f64; 3] {
        waits.sort_by(f64::total_cmp);
        let at =
            |share: f64| waits.get(((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1))).copied();
        if waits.is_empty() { [0.0; 3] } else { [0.5, 0.99, 1.0].map(|share| at(share).unwrap_or_default()) }
    }
}

/// What its connections share.
struct Run {
    settings: Settings,
    watch: Stopwatch,
    opened: AtomicU64,
    asked: AtomicU64,
}

/// One connection's answers, with what they took in milliseconds.
type Answers = Vec<(u16, f64)>;

/// Asks as it is told to, and reports.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| why.to_string())?;
    let report = LocalSet::new().block_on(&runtime, all(settings.clone()));
    let line = serde_json::to_string(&report).map_err(|why| why.to_string())?;
    io::Write::write_all(&mut io::stdout(), format!("{line}\n").as_bytes()).map_err(|why| why.to_string())
}

async fn all(settings: Settings) -> Report {
    let watch = Clock::system().stopwatch();
    let run = Rc::new(Run { settings, watch, opened: AtomicU64::new(0), asked: AtomicU64::new(0) });
    let connections = if run.settings.kind == Kind::Nonsense { 8 } else { run.settings.count };
    let each = |number| {
        let run = Rc::clone(&run);
        tokio::task::spawn_local(async move {
            match run.settings.kind {
                Kind::Feed | Kind::Subscribe => ask(&run).await,
                Kind::Idle => idle(&run, number).await,
                Kind::Nonsense => nonsense(&run, number).await,
            }
        })
    };
    let tasks: Vec<_> = (0..connections).map(each).collect();
    let mut report = Report::default();
    let mut waits = Vec::new();
    for task in tasks {
        for (status, wait) in task.await.unwrap_or_default() {
            *report.answers.entry(status).or_default() += 1;
            waits.push(wait);
        }
    }
    report.seconds = run.watch.elapsed().as_secs_f64();
    report.opened = run.opened.load(Ordering::Relaxed);
    report.waits = Report::of(&mut waits);
    report
}

impl Run {
    async fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.settings.port)).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn is_over(&self) -> bool {
        self.watch.elapsed() >= Duration::from_secs(self.settings.seconds)
    }

    /// The next request.
    fn request(&self) -> String {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let fields = &self.settings.fields;
        let fields = fields.split(';').filter(|field| !field.is_empty()).map(|field| format!("{}\r\n", field.trim()));
        let fields: String = fields.collect();
        if self.settings.kind == Kind::Feed {
            return format!("GET /rss.xml HTTP/1.1\r\nHost: news.example.org\r\n{fields}\r\n");
        }
        let body = format!("email=reader{number}.{}%40example.org&digest=weekly", std::process::id());
        let network = format!("10.{}.{}.9", number / 250 % 250, number % 250);
        format!(
            "POST /subscribe HTTP/1.1\r\nHost: news.example.org\r\nOrigin: https://example.org\r\nX-Forwarded-For: {network}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{fields}\r\n{body}",
            body.len()
        )
    }
}

async fn ask(run: &Run) -> Answers {
    let mut answers = Answers::new();
    while !run.is_over() {
        let Ok(stream) = run.open().await else {
            answers.push((0, 0.0));
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        while !run.is_over() {
            let begun = run.watch.elapsed();
            let asked = timeout(Duration::from_secs(30), exchange(&stream, run.request().as_bytes())).await;
            let status = asked.ok().and_then(Result::ok).unwrap_or(0);
            answers.push((status, (run.watch.elapsed() - begun).as_secs_f64() * 1e3));
            if status == 0 {
                break;
            }
        }
    }
    answers
}

async fn idle(run: &Run, number: usize) -> Answers {
    // Not all in the same moment.
    sleep(Duration::from_micros(200 * number as u64)).await;
    while !run.is_over() {
        if let Ok(stream) = run.open().await {
            let left = Duration::from_secs(run.settings.seconds).saturating_sub(run.watch.elapsed());
            let _ = timeout(left, hold(&stream, number)).await;
        }
        sleep(Duration::from_secs(5)).await;
    }
    Answers::new()
}

/// Until the server hangs up.
async fn hold(stream: &TcpStream, number: usize) -> io::Result<()> {
    match number % 4 {
        0 => {}
        1 => write(stream, b"GET /rss.xml HTTP/1.1\r\nHost: a\r\nX-Half: ").await?,
        2 => write(stream, b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nemail=").await?,
        _ => {
            write(stream, b"GET /rss.xml HTTP/1.1\r\nX-Slow: ").await?;
            loop {
                sleep(Duration::from_secs(1)).await;
                write(stream, b"a").await?;
            }
        }
    }
    while read(stream, &mut Vec::new()).await? > 0 {}
    Ok(())
}

async fn nonsense(run: &Run, number: usize) -> Answers {
    let random = Random::seeded(number as u64);
    let below = |most: usize| u32::from_le_bytes(random.bytes::<4>()) as usize % most.max(1);
    let body = "email=broken%40example.org&digest=weekly&stamp=aaaa";
    let seeds = [
        "GET /rss.xml HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=1\r\nIf-None-Match: \"a\", W/\"b\"\r\n\r\n".to_owned(),
        "GET /editions/weekly/1/?a=b%20c HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Mon, 30 Nov 2026 00:00:00 GMT\r\n\r\n".to_owned(),
        "GET /confirm/abcdefgh.12.klmnopqrst HTTP/1.1\r\nHost: a\r\nAccept-Language: de;q=0.5\r\n\r\n".to_owned(),
        format!(
            "POST /subscribe HTTP/1.1\r\nHost: a\r\nOrigin: https://example.org\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        ),
        "POST /unsubscribe/abcdefgh HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n5\r\n--b\r\n\r\n0\r\n\r\n"
            .to_owned(),
    ];
    let mut answers = Answers::new();
    while run.asked.fetch_add(1, Ordering::Relaxed) < run.settings.count as u64 {
        let mut octets = seeds[below(seeds.len())].clone().into_bytes();
        for _ in 0..=below(4) {
            let at = below(octets.len());
            match below(5) {
                0 => octets.truncate(at),
                1 => drop(octets.splice(at..at, random.bytes::<7>())),
                2 => drop(octets.splice(at..at, *b"%00%ff../\r\n\r\n")),
                3 => drop(octets.drain(at..(at + below(20)).min(octets.len()))),
                _ => octets.extend(octets.clone()),
            }
        }
        let begun = run.watch.elapsed();
        let one = async {
            let stream = run.open().await?;
            write(&stream, &octets).await?;
            let mut heard = Vec::new();
            // It waits for more, or hangs up.
            let _ = timeout(Duration::from_millis(50), async {
                while read(&stream, &mut heard).await? > 0 {}
                io::Result::Ok(())
            })
            .await;
            Ok::<_, io::Error>(status_of(&heard).unwrap_or(0))
        };
        let status = one.await.unwrap_or(0);
        answers.push((status, (run.watch.elapsed() - begun).as_secs_f64() * 1e3));
    }
    answers
}

fn status_of(answer: &[u8]) -> Option<u16> {
    str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

/// One request, and all of its answer.
async fn exchange(stream: &TcpStream, request: &[u8]) -> io::Result<u16> {
    write(stream, request).await?;
    let mut heard = Vec::new();
    loop {
        if read(stream, &mut heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&heard[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
        let status = status_of(&heard).ok_or(io::ErrorKind::InvalidData)?;
        let length = if status == 304 { 0 } else { length.unwrap_or(0) };
        while heard.len() < end + 4 + length {
            if read(stream, &mut heard).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok(status);
    }
}

async fn write(stream: &TcpStream, mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        match stream.try_write(octets) {
            Ok(written) => octets = &octets[written..],
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

async fn read(stream: &TcpStream, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(count) => {
                into.extend(&buffer[..count]);
                return Ok(count);
            }
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Err(why) => return Err(why),
        }
    }
}
