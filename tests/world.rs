//! What `check` finds in the world around the configuration: a DNS, an SMTP server and a site on loopback.

use crate::support::dns::Zone;
use crate::support::sink::{Settings, Sink};
use crate::support::site::{NOON, Plan, Ran, Site, readers};
use crate::support::web::Served;
use postrider::dns::{Answers, Dns, Exchange, PATIENCE, Question, Silence};
use postrider::transport::{Options, Probe, Timeouts, Transport};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

fn ask(zone: &Zone, patience: Duration, questions: &[Question]) -> Answers {
    let dns = Dns::open(Some(zone.address), patience).expect("it opens");
    let mut answers = Answers::default();
    dns.ask(questions.iter().cloned().collect(), &mut answers);
    answers
}

#[test]
fn what_is_not_there_is_told_from_a_server_that_does_not_answer() {
    let long = "v=DKIM1; p=".to_owned() + &"A".repeat(400);
    let zone = Zone::serve(&format!(
        "a.test TXT {long}\na.test MX 20 MX2.a.test\na.test MX 10 mx1.a.test\nmx1.a.test A 192.0.2.1\n\
         mx1.a.test AAAA 2001:db8::1\nnull.test MX 0 .\nbroken.test SERVFAIL\nsilent.test SILENT"
    ));
    let txt = |name: &str| Question::Txt(name.to_owned());
    let mx = |name: &str| Question::Mx(name.to_owned());
    let names = ["a.test", "mx1.a.test", "test", "none.test", "broken.test", "no..name"];
    let mut questions: Vec<Question> = names.into_iter().map(txt).collect();
    questions.extend([mx("a.test"), mx("null.test"), mx("none.test"), Question::Host("mx1.a.test".to_owned())]);
    let answers = ask(&zone, PATIENCE, &questions);
    let said = |name: &str| answers.txt[name].clone();
    assert_eq!(said("a.test"), Ok(vec![long]));
    for nothing in ["mx1.a.test", "test", "none.test", "no..name"] {
        assert_eq!(said(nothing), Ok(Vec::new()), "{nothing}");
    }
    assert_eq!(answers.nowhere.iter().collect::<Vec<_>>(), ["no..name", "none.test"]);
    assert_eq!(said("broken.test"), Err(Silence("the server says Server Failure".to_owned())));
    assert_eq!(answers.silent().into_keys().collect::<Vec<_>>(), ["broken.test"]);
    let impatient = ask(&zone, Duration::from_millis(1), &[txt("silent.test")]);
    assert_eq!(impatient.txt["silent.test"], Err(Silence("no answer in time".to_owned())));
    let exchange = |preference, host: &str| Exchange { preference, host: host.to_owned() };
    assert_eq!(answers.mx["a.test"], Ok(vec![exchange(10, "mx1.a.test"), exchange(20, "mx2.a.test")]));
    assert_eq!(answers.mx["null.test"], Ok(vec![exchange(0, ".")]));
    assert_eq!(answers.mx["none.test"], Ok(Vec::new()));
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().expect("an address"));
    assert_eq!(answers.host["mx1.a.test"], Ok(addresses.to_vec()));
    assert!(questions.iter().all(|question| answers.has(question)) && !answers.has(&mx("b.test")));
    assert!(zone.asked().iter().all(|asked| !asked.contains("local")), "a search list was used: {:?}", zone.asked());
}

#[test]
fn a_server_is_left_before_any_envelope() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let route = format!("smtp://{}", listener.local_addr().expect("bound")).parse().expect("a route");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(b"220 mx.test\r\n").expect("somebody listens");
        let mut heard = Vec::new();
        for line in BufReader::new(stream.try_clone().expect("a socket")).lines() {
            let line = line.expect("text");
            let verb = line.split(' ').next().unwrap_or_default().to_owned();
            let reply: &[u8] = match verb.as_str() {
                "EHLO" => b"250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1234\r\n",
                _ => b"221 bye\r\n",
            };
            // Whoever took leave need not wait for the answer.
            let _ = stream.write_all(reply);
            heard.push(verb);
        }
        heard
    });
    let options = Options {
        root: Path::new("."),
        password: None,
        helo: Some("me.test".to_owned()),
        timeouts: Timeouts::default(),
    };
    let probed = Transport::open(&route, options).expect("it opens").probe(&|| false);
    assert_eq!(probed, Ok(Probe { size: Some(1234) }));
    assert_eq!(server.join().expect("no panic"), ["EHLO", "QUIT"]);
}

// ---- the whole command

const CONFIG: &str = r#"
[site]
title = "Field Notes"
url = "https://example.org/"

[posts]
dir = "posts"

[feeds]
dir = "public"

[mail]
from = "Field Notes <news@example.org>"
transport = "TRANSPORT"
password = "secret"
bounces = "bounces@example.org"

[[mail.dkim]]
domain = "example.org"
selector = "s1"
key = "s1.pem"

[delivery]
rates = ["RATE"]

[[digest]]
name = "weekly"
schedule = "0 9 * * MON"
since = "2026-11-01"

[subscribers]
file = "subscribers.csv"

[web]
public_url = "PAGES"
"#;

/// What differs from world to world.
struct Around<'a> {
    zone: &'a Zone,
    sink: &'a Sink,
    rate: &'a str,
    pages: &'a str,
}

/// The findings about the world of a site with ten readers there. Holds that nothing was changed and nobody was mailed.
fn found(around: &Around<'_>) -> String {
    let site = Site::new(Plan::to(around.sink), &readers(10));
    let transport = format!("smtp://ada@127.0.0.1:{}", around.sink.port());
    let config = CONFIG.replace("TRANSPORT", &transport).replace("RATE", around.rate).replace("PAGES", around.pages);
    site.write("config.toml", &config);
    site.write("s1.pem", include_str!("corpus/keys/rsa-2048.pem"));
    fs::set_permissions(site.path("s1.pem"), fs::Permissions::from_mode(0o600)).expect("ours");
    assert_eq!(site.go(&["build"]).code, Some(0), "a store is made");
    let before = site.tree();
    let mut command = site.command(NOON, &["check", "--json"]);
    let ran = Ran::from(command.env("POSTRIDER_DNS", around.zone.address.to_string()).output().expect("it starts"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(site.tree(), before, "check changed something");
    assert_eq!((around.sink.connections(), around.sink.taken()), (1, 0));
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let of_world =
        |finding: &&serde_json::Value| finding["url"].as_str().is_some_and(|url| url.starts_with("docs/checking.md#"));
    let findings = told["findings"].as_array().expect("a list").iter().filter(of_world);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let shown = findings.map(|finding| {
        let line = finding["line"].as_u64().map_or(String::new(), |line| format!(":{line}"));
        let [path, severity, message, help, url] =
            ["path", "severity", "message", "help", "url"].map(|key| text(&finding[key]));
        format!("{path}{line}: {severity}: {message}\n  help: {help}\n  see {url}\n")
    });
    let ports = [around.sink.port().to_string(), around.pages.rsplit(':').next().expect("a port").to_owned()];
    let mut shown: String = shown.collect();
    if let Some((before, rest)) = shown.split_once("The next mail has ") {
        let (_, after) = rest.split_once(' ').expect("a number and its unit");
        shown = format!("{before}The next mail has SOME {after}");
    }
    ports.iter().fold(shown, |shown, port| shown.replace(port.as_str(), "PORT"))
}

fn sink(folder: &Path, password: &str, size: usize) -> Sink {
    let login = Some(("ada".to_owned(), password.to_owned(), "PLAIN".to_owned()));
    Sink::here(Settings { login, size, ..Settings::in_folder(folder) })
}

/// A web server that has one answer to everything.
fn pages(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// The record of the key that signs.
fn record() -> String {
    include_str!("corpus/keys/rsa-2048.expected").trim().to_owned()
}

#[test]
fn there_is_nothing_to_complain_of_in_a_good_world() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = Zone::serve(&format!(
        "example.org TXT v=spf1 ip4:192.0.2.1 include:relay.test -all\nrelay.test TXT v=spf1 ip4:127.0.0.1 ~all\n\
         example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n\
         1.2.0.192.in-addr.arpa PTR Mail.example.org.\nmail.example.org A 192.0.2.1\n\
         _dmarc.example.org TXT v=DMARC1; p=reject\ns1._domainkey.example.org TXT {}",
        record()
    ));
    let served = Served::new();
    let pages = format!("http://{}", served.address);
    let sink = sink(folder.path(), "secret", 1_000_000);
    assert_eq!(found(&Around { zone: &zone, sink: &sink, rate: "14/s", pages: &pages }), "");
}

#[test]
fn a_bad_world_is_told_with_every_place_and_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = Zone::serve(
        "example.org TXT v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 +all\n1.2.0.192.in-addr.arpa PTR host-1.isp.test\nhost-1.isp.test A 192.0.2.9\nexample.org MX 0 .\n_dmarc.example.org TXT v=DMARC1; p=none\n\
         s1._domainkey.example.org TXT v=DMARC1; p=AAAA",
    );
    let pages = pages(
        "HTTP/1.1 302 Found\r\nDate: Thu, 01 Jan 1998 00:00:00 GMT\r\nLocation: https://shop.test/\r\nContent-Length: 0\r\n\r\n",
    );
    let sink = sink(folder.path(), "another", 1_000_000);
    insta::assert_snapshot!("bad-world", found(&Around { zone: &zone, sink: &sink, rate: "1/d", pages: &pages }));
}

#[test]
fn what_cannot_be_asked_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = Zone::serve("example.org SERVFAIL\n_dmarc.example.org SERVFAIL\ns1._domainkey.example.org SERVFAIL");
    let pages = pages("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nshop");
    let sink = sink(folder.path(), "secret", 500);
    insta::assert_snapshot!("silent-world", found(&Around { zone: &zone, sink: &sink, rate: "14/s", pages: &pages }));
}

#[test]
fn a_domain_that_does_not_exist_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = Zone::serve("example.net A 192.0.2.1");
    let served = Served::new();
    let pages = format!("http://{}", served.address);
    let sink = sink(folder.path(), "secret", 1_000_000);
    insta::assert_snapshot!("no-domain", found(&Around { zone: &zone, sink: &sink, rate: "14/s", pages: &pages }));
}

#[test]
fn where_mails_are_left_in_a_folder_nothing_is_asked() {
    let zone = Zone::serve("");
    let site = Site::new(Plan::to_outbox(), &readers(1));
    let mut command = site.command(NOON, &["check"]);
    let ran = Ran::from(command.env("POSTRIDER_DNS", zone.address.to_string()).output().expect("it starts"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains("docs/checking.md") && !ran.out.contains("the store;"), "{}", ran.out);
    assert_eq!(zone.asked(), [""; 0]);
}

#[test]
fn who_cannot_be_asked_yet_is_not() {
    let (folder, zone) = (tempfile::tempdir().expect("a folder"), Zone::serve(""));
    let sink = sink(folder.path(), "secret", 1_000_000);
    let site = Site::new(Plan::to(&sink), &readers(1));
    let transport = format!("smtp://ada@127.0.0.1:{}", sink.port());
    let config = CONFIG.replace("TRANSPORT", &transport).replace("RATE", "14/s").replace("PAGES", "http://127.0.0.1:1");
    site.write("config.toml", &config.replace("\"secret\"", "\"${NO_SUCH_VARIABLE}\""));
    let mut command = site.command(NOON, &["check"]);
    let ran = Ran::from(command.env("POSTRIDER_DNS", zone.address.to_string()).output().expect("it starts"));
    for said in [
        "config.toml:15: note: mail.password holds ${NO_SUCH_VARIABLE}, and the environment has no NO_SUCH_VARIABLE",
        "config.toml:18: error: mail.dkim: the key ./s1.pem does not exist",
        "the way out and the store; 1 error, 1 note",
    ] {
        assert!(ran.out.contains(said), "{}", ran.out);
    }
    assert_eq!((zone.asked(), sink.connections()), (Vec::new(), 0));
}

#[test]
fn a_dns_server_is_named_by_its_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new(Plan::to(&sink(folder.path(), "secret", 1_000_000)), &readers(1));
    let mut command = site.command(NOON, &["check"]);
    let ran = Ran::from(command.env("POSTRIDER_DNS", "dns.test").output().expect("it starts"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = "POSTRIDER_DNS is \"dns.test\", which is not the address of a DNS server\n  help: write it like 9.9.9.9 or 127.0.0.1:5353";
    assert!(ran.err.contains(said), "{}", ran.err);
}
