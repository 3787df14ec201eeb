//! What mail providers tell by HTTP, asked over real connections: heard with their proof, refused without, and known when it comes again.

use crate::support::web::CONFIG;
use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use postrider::bounce;
use postrider::clock::Clock;
use postrider::config::{Config, Hooks as Settings};
use postrider::random::Random;
use postrider::store::{Mode, Place, Store};
use postrider::subscribe::desk::Desk;
use postrider::subscriber::file::Rows;
use postrider::template::Templates;
use postrider::web::webhooks::Hooks;
use postrider::web::{self, Web};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const ADA: &str = "ada@example.net";
const BOB: &str = "bob@example.com";
const KEY: &str = "key-0123456789abcdef";
const PASSWORD: &str = "a password of Postmark's";
/// Within the hours in which Mailgun tries.
const NOW: &str = "2026-11-23T12:30:00Z";

struct Served {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    store: PathBuf,
    /// What was fetched.
    fetched: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

fn corpus(name: &str) -> String {
    let path = format!("{}/tests/corpus/inbox/hooks/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

impl Served {
    fn new() -> Self {
        let all = Settings {
            ses_topics: vec!["arn:aws:sns:eu-west-1:123456789012:bounces".to_owned()],
            mailgun_signing_key: Some(KEY.to_owned()),
            postmark_password: Some(PASSWORD.to_owned()),
        };
        Served::with(all)
    }

    fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let place = Place::File(path.clone());
        let store = Store::open(&place, Mode::Create).unwrap();
        let random = Random::seeded(1);
        let clock = Clock::starting_at(NOW.parse().unwrap());
        for row in Rows::open(format!("email\n{ADA}\n{BOB}\n").as_bytes(), "list.csv").unwrap() {
            store.add_subscriber(&row.unwrap().unwrap(), "cli", &random, clock.now()).unwrap();
        }
        let keyring = store.keyring(&[], &random).unwrap();
        let fetched = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&fetched);
        let hooks = Hooks {
            store: Store::open(&place, Mode::MustExist).unwrap(),
            keyring: keyring.clone(),
            settings,
            bounces: bounce::Settings::default(),
            probe: None,
            clock,
            random: Random::seeded(2),
            fetch: Box::new(move |url| {
                known.lock().unwrap().push(url.to_owned());
                Ok(corpus("certificate.pem").into_bytes())
            }),
        };
        let config = Config::parse(CONFIG, &folder.path().join("config.toml"), |_| None).unwrap();
        let site = config.site(config.site.clone()).unwrap();
        let mut web = Web::new(Desk::new(config, site, store, keyring, Templates::embedded(), random), clock);
        web.hooks = Some(Arc::new(hooks));
        let listener = web::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || web::serve(web, listener, &stopped).unwrap());
        Served { address, stop, thread: Some(thread), store: path, fetched, _folder: folder }
    }

    /// The status of the answer.
    fn post(&self, path: &str, headers: &str, body: &str) -> u16 {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: news\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].parse().unwrap()
    }

    fn suppressed(&self, address: &str) -> Option<String> {
        let store = Store::open(&Place::File(self.store.clone()), Mode::MustExist).unwrap();
        store.suppression(&address.parse().unwrap(), &Random::seeded(3)).unwrap()
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

#[test]
fn amazon_is_heard_with_its_signature() {
    let served = Served::new();
    let bounce = corpus("ses-bounce.json");
    for (what, changed) in [
        ("another message", bounce.replace(ADA, BOB)),
        ("another topic", bounce.replace(":bounces", ":others")),
        ("a certificate elsewhere", bounce.replace("https://sns.eu-west-1.amazonaws.com/S", "https://sns.example/S")),
        ("the other version", bounce.replace("\"SignatureVersion\": \"1\"", "\"SignatureVersion\": \"2\"")),
        ("no version", bounce.replace("\"SignatureVersion\": \"1\"", "\"SignatureVersion\": \"3\"")),
    ] {
        assert_ne!(changed, bounce, "{what}");
        assert_eq!(served.post("/hooks/ses", "", &changed), 403, "{what}");
    }
    assert_eq!((served.suppressed(ADA), served.suppressed(BOB)), (None, None));
    assert_eq!(served.post("/hooks/ses", "", &bounce), 200);
    assert_eq!(served.suppressed(ADA).as_deref(), Some("bounce"));
    assert_eq!(served.post("/hooks/ses", "", &corpus("ses-full.json")), 200);
    assert_eq!(served.suppressed(BOB), None);
    assert_eq!(served.post("/hooks/ses", "", &corpus("ses-complaint.json")), 200);
    assert_eq!(served.suppressed(BOB).as_deref(), Some("complaint"));
    assert_eq!(served.post("/hooks/ses", "", "{}"), 400);
    assert_eq!(served.post("/hooks/ses", "", "x"), 400);
}

#[test]
fn a_subscription_is_confirmed_where_it_is_ours() {
    let served = Served::new();
    let confirm = corpus("ses-confirm.json");
    assert_eq!(served.post("/hooks/ses", "", &confirm.replace(":bounces", ":others")), 403);
    assert!(served.fetched.lock().unwrap().is_empty());
    assert_eq!(served.post("/hooks/ses", "", &confirm), 200);
    let confirmed: Value = serde_json::from_str(&confirm).unwrap();
    assert_eq!(served.fetched.lock().unwrap().last().map(String::as_str), confirmed["SubscribeURL"].as_str());
}

fn signed(name: &str, key: &str, at: &str, token: &str) -> String {
    let at = chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp().to_string();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), format!("{at}{token}").as_bytes());
    corpus(name).replace("TIMESTAMP", &at).replace("TOKEN", token).replace("SIGNATURE", &HEXLOWER.encode(mac.as_ref()))
}

#[test]
fn mailgun_is_heard_with_its_signature_once_and_not_long_after() {
    let served = Served::new();
    let failed = |key, at, token| signed("mailgun-failed.json", key, at, token);
    assert_eq!(served.post("/hooks/mailgun", "", &failed("another key", NOW, "t1")), 403);
    assert_eq!(served.post("/hooks/mailgun", "", &failed(KEY, "2026-11-22T12:30:00Z", "t1")), 403);
    assert_eq!(served.suppressed(ADA), None);
    assert_eq!(served.post("/hooks/mailgun", "", &failed(KEY, NOW, "t1")), 200);
    assert_eq!(served.suppressed(ADA).as_deref(), Some("bounce"));
    // The signature does not cover what is said: under a token that was used nothing more is believed.
    let again = failed(KEY, NOW, "t1").replace(ADA, BOB);
    assert_eq!(served.post("/hooks/mailgun", "", &again), 200);
    assert_eq!(served.suppressed(BOB), None);
    assert_eq!(served.post("/hooks/mailgun", "", &signed("mailgun-complained.json", KEY, NOW, "t2")), 200);
    assert_eq!(served.suppressed(BOB).as_deref(), Some("complaint"));
}

#[test]
fn postmark_is_heard_with_its_password_in_either_place() {
    let served = Served::new();
    let bounce = corpus("postmark-bounce.json");
    let basic =
        |password: &str| format!("Authorization: Basic {}\r\n", BASE64.encode(format!("user:{password}").as_bytes()));
    assert_eq!(served.post("/hooks/postmark", "", &bounce), 403);
    assert_eq!(served.post("/hooks/postmark", &basic("wrong"), &bounce), 403);
    assert_eq!(served.post("/hooks/postmark/wrong", "", &bounce), 403);
    assert_eq!(served.suppressed(ADA), None);
    assert_eq!(served.post("/hooks/postmark", &basic(PASSWORD), &bounce), 200);
    assert_eq!(served.suppressed(ADA).as_deref(), Some("bounce"));
    let path = format!("/hooks/postmark/{}", PASSWORD.replace(' ', "%20"));
    assert_eq!(served.post(&path, "", &corpus("postmark-change.json")), 200);
    let store = Store::open(&Place::File(served.store.clone()), Mode::MustExist).unwrap();
    let bob = store.find_subscriber(&BOB.parse().unwrap(), &Random::seeded(3)).unwrap().unwrap();
    assert_eq!(bob.row.status.to_string(), "unsubscribed");
    assert_eq!(served.post(&path, "", &corpus("postmark-complaint.json")), 200);
    assert_eq!(served.suppressed(BOB).as_deref(), Some("complaint"));
}

#[test]
fn who_is_not_configured_is_not_there() {
    let served = Served::with(Settings::default());
    assert_eq!(served.post("/hooks/ses", "", &corpus("ses-bounce.json")), 404);
    assert_eq!(served.post("/hooks/mailgun", "", &signed("mailgun-failed.json", KEY, NOW, "t")), 404);
    assert_eq!(served.post("/hooks/postmark", "", &json!({"RecordType": "Bounce"}).to_string()), 404);
    assert_eq!(served.suppressed(ADA), None);
}
