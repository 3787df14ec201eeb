//! The page behind the unsubscribe link, asked over a real connection.

use postrider::address::EmailAddress;
use postrider::clock::Clock;
use postrider::post::Site;
use postrider::random::Random;
use postrider::store::{Mode, Place, Store};
use postrider::subscriber::file::Rows;
use postrider::template::Templates;
use postrider::token::Purpose;
use postrider::web::{self, Web};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A server on loopback with one subscriber, for as long as it lives.
struct Served {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    store: PathBuf,
    token: String,
    _folder: tempfile::TempDir,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Store::open(&Place::File(path.clone()), Mode::Create).unwrap();
        let random = Random::seeded(1);
        let row = Rows::open(&b"email\nada@example.org\n"[..], "list.csv").unwrap().next().unwrap().unwrap().unwrap();
        store.add_subscriber(&row, "cli", &random, Clock::system().now()).unwrap();
        let id = store.find_subscriber(&ada(), &random).unwrap().unwrap().id;
        let keyring = store.keyring(&[], &random).unwrap();
        let token = keyring.sign(Purpose::Unsubscribe, &id);
        let site = Site {
            title: "Field <Notes>".into(),
            url: "https://example.org/".parse().unwrap(),
            description: None,
            language: "en".into(),
            timezone: chrono_tz::UTC,
            author: None,
        };
        let web =
            Web { store, keyring, templates: Templates::embedded(), site, clock: Clock::system(), random, hooks: None };
        let listener = web::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || web::serve(web, listener, &stopped).unwrap());
        Served { address, stop, thread: Some(thread), store: path, token, _folder: folder }
    }

    /// The status line and everything after it.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: news\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer[9..12].parse().unwrap(), answer)
    }

    fn status(&self) -> String {
        let store = Store::open(&Place::File(self.store.clone()), Mode::MustExist).unwrap();
        store.find_subscriber(&ada(), &Random::seeded(2)).unwrap().unwrap().row.status.to_string()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ada() -> EmailAddress {
    "ada@example.org".parse().unwrap()
}

#[test]
fn a_get_shows_a_button_and_changes_nothing() {
    let served = Served::new();
    let (status, page) = served.ask("GET", &format!("/unsubscribe/{}", served.token), "", "");
    assert_eq!(status, 200);
    assert!(page.contains("<button type=\"submit\">Unsubscribe</button>"), "{page}");
    assert!(
        page.contains("Field &lt;Notes&gt;") && page.contains("a…@e….org") && !page.contains("ada@example.org"),
        "{page}"
    );
    assert!(page.contains("content-security-policy: default-src 'none'") && !page.contains("set-cookie"), "{page}");
    assert_eq!(served.status(), "active");
}

#[test]
fn one_click_unsubscribes_with_either_body_and_again_without_complaint() {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let multipart = "Content-Type: multipart/form-data; boundary=b\r\n";
    let parts = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (headers, body) in [(form, "List-Unsubscribe=One-Click"), (multipart, parts), ("", "")] {
        let served = Served::new();
        for _ in 0..2 {
            let (status, page) = served.ask("POST", &format!("/unsubscribe/{}", served.token), headers, body);
            assert!(status == 200 && page.contains("You are unsubscribed"), "{page}");
            assert_eq!(served.status(), "unsubscribed");
        }
    }
}

#[test]
fn what_we_did_not_sign_leads_nowhere() {
    let served = Served::new();
    let forged = format!("{}aaaaaaaaaaaaaaaa", &served.token[..16]);
    for path in [
        format!("/unsubscribe/{forged}"),
        "/unsubscribe/".into(),
        "/unsubscribe/%00%ff".into(),
        "/".into(),
        "/x".into(),
    ] {
        for method in ["GET", "POST"] {
            let (status, _) = served.ask(method, &path, "", "");
            assert!((400..500).contains(&status), "{method} {path}: {status}");
        }
    }
    assert_eq!(served.status(), "active");
}

#[test]
fn it_says_that_it_is_well() {
    let (status, answer) = Served::new().ask("GET", "/healthz", "", "");
    assert!(status == 200 && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}
