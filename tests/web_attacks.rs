//! What those send who are no readers: nonsense, too much, too slowly, nothing at all. The server answers the others, and says 500
//! to nobody.

use crate::support::record;
use crate::support::web::{CONFIG, Served};
use postrider::random::Random;
use postrider::store::sql::Connection;
use postrider::web::server::Bounds;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn quick() -> Bounds {
    Bounds {
        connections: 16,
        header: Duration::from_millis(300),
        request: Duration::from_millis(300),
        ..Bounds::default()
    }
}

/// Everything that comes until the other end hangs up.
fn rest(mut stream: &TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn who_says_nothing_keeps_nobody_out() {
    let hour = Duration::from_secs(3600);
    let served = Served::bounded(Bounds { header: hour, request: hour, ..quick() });
    let mut idle = Vec::new();
    for n in 0..200 {
        let mut stream = TcpStream::connect(served.address).unwrap();
        match n % 3 {
            0 => stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").unwrap(),
            1 => stream.write_all(b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nemail").unwrap(),
            _ => {}
        }
        idle.push(stream);
        if n % 20 == 0 {
            assert_eq!(served.get("/healthz").status, 200, "behind {n} that say nothing");
        }
    }
    assert_eq!(served.get("/healthz").status, 200);
    // Those that waited longest have made room.
    assert_eq!(rest(&idle[2]), "");
}

/// A connection from that address of loopback.
fn connect_from(client: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

const ASKS: &[u8] = b"GET /robots.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn bodies_that_do_not_come_make_room_before_who_came_later() {
    let hour = Duration::from_secs(3600);
    let served = Served::bounded(Bounds { header: hour, request: hour, ..quick() });
    let slow = b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nemail";
    let bodies: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(served.address).unwrap();
            stream.write_all(slow).unwrap();
            stream
        })
        .collect();
    // Far away, its request comes after others have connected.
    let mut far = TcpStream::connect(served.address).unwrap();
    let _silent: Vec<TcpStream> = (0..15).map(|_| TcpStream::connect(served.address).unwrap()).collect();
    assert_eq!(rest(&bodies[15]), "", "the last of them has gone, too");
    far.write_all(ASKS).unwrap();
    assert!(rest(&far).starts_with("HTTP/1.1 200"));
}

#[test]
fn one_network_does_not_take_the_places_of_all() {
    let hour = Duration::from_secs(3600);
    let served = Served::bounded(Bounds { header: hour, request: hour, ..quick() });
    let mut lone = connect_from([127, 0, 7, 1], served.address);
    let crowd: Vec<TcpStream> = (0..100).map(|n| connect_from([127, 0, 0, n + 1], served.address)).collect();
    assert_eq!(rest(&crowd[80]), "");
    lone.write_all(ASKS).unwrap();
    assert!(rest(&lone).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_store_that_is_locked_keeps_no_file_waiting() {
    let hour = Duration::from_secs(3600);
    let served = Served::bounded(Bounds { for_store: 12, header: hour, request: hour, ..Bounds::default() });
    fs::create_dir_all(served.path("public")).unwrap();
    fs::write(served.path("public/atom.xml"), "<feed/>").unwrap();
    let mut lock = Connection::sqlite(&served.path("store.db")).unwrap();
    lock.batch("BEGIN IMMEDIATE").unwrap();
    let (tell, answers) = mpsc::channel();
    for n in 0..15 {
        let body = format!("email=reader{n}%40example.org&stamp={}", served.stamp());
        let mut stream = connect_from([127, 0, n, 1], served.address);
        let head = "POST /subscribe HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let tell = tell.clone();
        thread::spawn(move || tell.send(rest(&stream)[9..12].to_owned()));
    }
    // As many as may wait do; the others are told at once.
    assert_eq!([0; 3].map(|_| answers.recv().unwrap()), ["503", "503", "503"]);
    for path in ["/atom.xml", "/", "/robots.txt"] {
        assert_eq!(served.get(path).status, 200, "{path}");
    }
    for _ in 0..3 {
        let health = served.get("/healthz");
        assert!(health.status == 503 && health.body.contains("the store does not answer"), "{health:?}");
    }
    lock.batch("COMMIT").unwrap();
    assert_eq!([0; 12].map(|_| answers.recv().unwrap()), ["200"; 12]);
    assert_eq!((0..15).filter(|n| served.status(&format!("reader{n}@example.org")) == "pending").count(), 12);
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn who_is_slow_is_told_so_or_hung_up_on() {
    let served = Served::bounded(quick());
    for said in ["", "GET / HT", "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        let heard = rest(&stream);
        assert!(!heard.starts_with("HTTP/1.1 2") && !heard.starts_with("HTTP/1.1 5"), "{said:?}: {heard}");
    }
    // One that was answered and then says nothing more.
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(rest(&stream).ends_with("ok\n"));
    // A body that does not come.
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.write_all(b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nemail").unwrap();
    let heard = rest(&stream);
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("<h1>"), "{heard}");
}

#[test]
fn too_much_is_a_sentence() {
    let served = Served::new();
    let large = "x".repeat(20_000);
    for (path, kind, body) in [
        ("/subscribe", "application/x-www-form-urlencoded", format!("email={large}")),
        (
            "/subscribe",
            "multipart/form-data; boundary=b",
            format!("--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\n{large}\r\n--b--\r\n"),
        ),
        ("/preferences", "application/x-www-form-urlencoded", large.clone()),
        ("/subscribe", "multipart/form-data", large.clone()),
        ("/subscribe", "multipart/form-data; boundary=b", "--b\r\nno".to_owned()),
    ] {
        let page = served.ask("POST", path, &format!("Content-Type: {kind}\r\n"), &body);
        assert!(page.status == 400 && page.body.contains("cannot be understood"), "{kind}: {page:?}");
    }
    let header = served.ask("GET", "/", &format!("X-Large: {}\r\n", "x".repeat(100_000)), "");
    assert!((400..500).contains(&header.status), "{header:?}");
    assert_eq!(served.ask("GET", &format!("/{}", "a".repeat(20_000)), "", "").status, 404);
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn a_store_that_is_away_is_a_sentence() {
    let served = Served::new();
    let mut lock = Connection::sqlite(&served.path("store.db")).unwrap();
    lock.batch("ALTER TABLE subscribers RENAME TO away").unwrap();
    let page = served.subscribe("a@example.org");
    assert!(page.status == 503 && page.body.contains("try again in a minute"), "{page:?}");
    assert!(!page.body.contains("subscribers"), "nothing of the inside is shown: {page:?}");
}

/// One of these, whole or broken.
fn request(random: &Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let below = |most: usize| record::below(random, most);
    let mut octets = seeds[below(seeds.len())].clone();
    for _ in 0..below(6) {
        let at = below(octets.len());
        match below(6) {
            0 => octets[at] = random.bytes::<1>()[0],
            1 => octets.truncate(at),
            2 => drop(octets.splice(at..at, random.bytes::<9>())),
            3 => {
                let more = octets[at..].to_vec();
                octets.extend(more);
            }
            4 => drop(octets.splice(at..at, *b"%00%ff../\r\n\r\n")),
            _ => drop(octets.drain(at..(at + below(20)).min(octets.len()))),
        }
        if octets.is_empty() {
            break;
        }
    }
    octets
}

#[test]
fn no_nonsense_is_an_error_of_ours() {
    let served = Served::with(
        &CONFIG.replace("[web]\n", "[web]\nrequests = \"100000/h\"\nrequests_per_network = \"100000/h\"\n"),
    );
    served.subscribe("a@example.org");
    let link = served.link("confirm");
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for path in
        ["/", "/snippet", "/healthz", "/metrics", "/rss.xml", "/editions/", &link, "/preferences/x", "/unsubscribe/x"]
    {
        seeds.push(
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Language: de;q=0.5\r\nConnection: close\r\n\r\n").into(),
        );
    }
    let stamp = served.stamp();
    for path in ["/subscribe", "/preferences", &link, "/unsubscribe/x", "/unsubscribe/x/reason"] {
        let body = format!("email=b%40example.org&topic=birds&pause=2026-12-24&stamp={stamp}");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nOrigin: https://example.org\r\nConnection: close\r\n"
        );
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        seeds.push(format!("{head}{form}Content-Length: {}\r\n\r\n{body}", body.len()).into());
        let parts = "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nb@example.org\r\n--b--\r\n";
        let form = "Content-Type: multipart/form-data; boundary=b\r\n";
        seeds.push(format!("{head}{form}Content-Length: {}\r\n\r\n{parts}", parts.len()).into());
    }
    let random = record::seed("web");
    let count = 10_000;
    for n in 0..count {
        let sent = request(&random, &seeds);
        let mut stream = TcpStream::connect(served.address).unwrap();
        let _ = stream.write_all(&sent);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let heard = rest(&stream);
        let said = String::from_utf8_lossy(&sent);
        assert!(heard.is_empty() || heard.starts_with("HTTP/1."), "{n}: {said:?}: {heard}");
        assert!(!heard.starts_with("HTTP/1.1 5"), "{n}: {said:?}: {heard}");
    }
    assert_eq!(served.get("/healthz").status, 200);
    record::count("requests, most of them nonsense", count);
}
