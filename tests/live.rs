//! `require_live`: nothing is mailed before its posts are on the site; then everybody gets it once, and nobody is skipped.

use crate::support::database::every_store;
use crate::support::edition::{at, edition, freeze, monday, people};
use crate::support::site::{EDITION, NOON, Plan, Ran, Site, readers};
use postrider::http::Probe;
use postrider::random::Random;
use postrider::store::editions::{Changed, Frozen};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const POSTS: [&str; 2] = ["/2026/11/16/note.html", "/2026/11/20/note.html"];
/// Later than `late` allows, two days after the slot.
const WEDNESDAY: &str = "2026-11-25T12:00:00Z";
const NEXT_MONDAY: &str = "2026-11-30T12:00:00Z";

/// The site's server, on loopback: what it answers by path, else 404.
struct Server {
    answers: Arc<Mutex<BTreeMap<String, String>>>,
    address: String,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let answers: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let shared = Arc::clone(&answers);
        // It ends with the process; each connection is one question.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(&stream, &shared)));
        Server { answers, address }
    }

    fn set(&self, path: &str, answer: &str) {
        self.answers.lock().expect("no panic").insert(path.to_owned(), answer.to_owned());
    }

    fn publish(&self, paths: &[&str]) {
        paths.iter().for_each(|path| self.set(path, "200 OK"));
    }
}

fn answer(mut stream: &TcpStream, answers: &Mutex<BTreeMap<String, String>>) {
    let head: Vec<String> =
        BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let answer = answers.lock().expect("no panic").get(path).cloned().unwrap_or("404 Not Found".to_owned());
    let _ = write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// A site there with three readers whose mails are left in its folder; `lines` stand in its `[[digest]]`.
fn site(server: &Server, lines: &str) -> Site {
    let site = Site::new(Plan::to_outbox(), &readers(3));
    set(&site, server, lines);
    site
}

fn set(site: &Site, server: &Server, lines: &str) {
    site.write_config();
    let config = fs::read_to_string(site.path("config.toml")).expect("a configuration");
    let config = config.replace("https://example.org/", &format!("{}/", server.address));
    site.write("config.toml", &config.replace("[[digest]]\n", &format!("[[digest]]\n{lines}\n")));
}

fn run(site: &Site, now: &str, arguments: &[&str]) -> Ran {
    let ran = site.at(now, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    ran
}

/// How many mails each edition has left in the outbox.
fn mailed(site: &Site) -> BTreeMap<String, usize> {
    let Ok(digests) = fs::read_dir(site.path("outbox")) else { return BTreeMap::new() };
    let mut mailed = BTreeMap::new();
    for digest in digests.map(|entry| entry.expect("an entry")) {
        for edition in fs::read_dir(digest.path()).expect("editions").map(|entry| entry.expect("an entry")) {
            let name = format!("{}/{}", digest.file_name().display(), edition.file_name().display());
            mailed.insert(name, fs::read_dir(edition.path()).expect("mails").count());
        }
    }
    mailed
}

fn of(edition: &str, count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(edition.to_owned(), count)])
}

#[test]
fn an_edition_waits_for_its_posts_and_then_reaches_everybody_once() {
    let server = Server::start();
    let site = site(&server, "require_live = true");
    server.publish(&POSTS[..1]);
    let missing = format!("{}{}", server.address, POSTS[1]);
    for (command, now) in [("run", NOON), ("run", "2026-11-23T13:00:00Z"), ("status", NOON), ("plan", NOON)] {
        let ran = run(&site, now, &[command]);
        assert!(ran.out.contains(&format!("{EDITION}  waiting  ")), "{command}: {ran:?}");
        assert!(ran.out.contains(&format!("\n  waits for {missing} (the server answers 404)\n")), "{command}: {ran:?}");
        assert!(!ran.out.contains(POSTS[0]) && mailed(&site).is_empty(), "{command}: {ran:?}");
    }
    for command in ["status", "plan"] {
        let edition = site.json(NOON, &[command])["editions"][0].clone();
        let expected = serde_json::json!([{"url": missing, "said": "the server answers 404"}]);
        assert_eq!((&edition["awaits"], &edition["recipients"]), (&expected, &0.into()), "{command}");
    }
    assert!(!site.path("public/editions").exists(), "it is not released");
    // Who comes while it waits reads it, who leaves does not (P3).
    site.write_readers(&[&readers(4)[1..], &["late@sink.test".to_owned()]].concat());
    server.publish(&POSTS);
    let before = site.tree();
    let plan = run(&site, NOON, &["plan"]);
    assert!(plan.out.contains("4 would get it") && site.tree() == before, "{plan:?}");
    for now in ["2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"] {
        let ran = run(&site, now, &["run"]);
        assert!(!ran.out.contains("waits for"), "{ran:?}");
        assert_eq!(mailed(&site), of(EDITION, 4));
    }
    assert!(site.path("public/editions").join(EDITION).join("index.html").exists());
    assert_eq!(site.json(NOON, &["status"])["editions"][0].get("awaits"), None);
}

#[test]
fn posts_that_are_there_keep_nobody_waiting() {
    let server = Server::start();
    let site = site(&server, "require_live = true");
    server.publish(&["/moved.html", POSTS[1]]);
    server.set(POSTS[0], &format!("301 Moved Permanently\r\nLocation: {}/moved.html", server.address));
    let plan = run(&site, NOON, &["plan"]);
    assert!(plan.out.contains("3 would get it"), "{plan:?}");
    run(&site, NOON, &["run"]);
    assert_eq!(mailed(&site), of(EDITION, 3));
}

#[test]
fn with_approval_both_are_needed_in_either_order() {
    let server = Server::start();
    let site = site(&server, "require_live = true\napprove = true");
    let ran = run(&site, NOON, &["run"]);
    assert!(ran.out.contains(&format!("waits for `postrider approve {EDITION}`\n  waits for http://")), "{ran:?}");
    let approved = run(&site, NOON, &["approve", EDITION]);
    assert!(approved.out.starts_with(&format!("{EDITION}: approved; `postrider run` sends it")), "{approved:?}");
    assert!(approved.out.contains(&format!("{} (the server answers 404)", POSTS[0])), "{approved:?}");
    run(&site, NOON, &["run"]);
    assert!(mailed(&site).is_empty());
    server.publish(&POSTS);
    run(&site, NOON, &["run"]);
    assert_eq!(mailed(&site), of(EDITION, 3));

    let site = self::site(&server, "require_live = true\napprove = true");
    run(&site, NOON, &["run"]);
    // A person takes the time that a person takes.
    run(&site, WEDNESDAY, &["run"]);
    assert!(mailed(&site).is_empty(), "nobody approved it");
    let approved = run(&site, WEDNESDAY, &["approve", EDITION]);
    assert_eq!(approved.out, format!("{EDITION}: released to 3 readers; `postrider run` sends it\n"));
    run(&site, WEDNESDAY, &["run"]);
    assert_eq!(mailed(&site), of(EDITION, 3));
}

#[test]
fn a_person_can_send_it_anyway_or_not_require_it_any_more_or_cancel_it() {
    let server = Server::start();
    let site = site(&server, "require_live = true");
    run(&site, NOON, &["run"]);
    run(&site, NOON, &["approve", EDITION, "--anyway"]);
    assert!(site.path("public/editions").join(EDITION).join("index.html").exists());
    run(&site, NOON, &["run"]);
    assert_eq!(mailed(&site), of(EDITION, 3));

    let site = self::site(&server, "require_live = true");
    run(&site, NOON, &["run"]);
    set(&site, &server, "");
    run(&site, NOON, &["run"]);
    assert_eq!(mailed(&site), of(EDITION, 3));

    let site = self::site(&server, "require_live = true");
    run(&site, NOON, &["run"]);
    run(&site, NOON, &["cancel", EDITION]);
    server.publish(&POSTS);
    for now in [NOON, NEXT_MONDAY] {
        run(&site, now, &["run"]);
    }
    assert!(mailed(&site).is_empty(), "what was cancelled by hand does not come back");
}

#[test]
fn what_is_given_up_goes_with_the_next_edition() {
    for (late, given_up) in [("2d", WEDNESDAY), ("20d", NEXT_MONDAY)] {
        let server = Server::start();
        let site = site(&server, "require_live = true");
        let config = fs::read_to_string(site.path("config.toml")).expect("a configuration");
        site.write("config.toml", &config.replace("late = \"2d\"", &format!("late = \"{late}\"")));
        run(&site, NOON, &["run"]);
        server.publish(&POSTS);
        // Too late for this one, though its posts are there by now.
        let ran = run(&site, given_up, &["run"]);
        assert!(ran.err.contains(&format!("{EDITION} was given up")), "{late}: {ran:?}");
        let again = run(&site, NEXT_MONDAY, &["run"]);
        assert!(!again.err.contains("given up"), "{late}: {again:?}");
        assert_eq!(mailed(&site), of("weekly/2026-11-30", 3), "{late}");
        let editions = site.json(NEXT_MONDAY, &["status"])["editions"].clone();
        let told: Vec<_> =
            editions.as_array().expect("a list").iter().map(|e| (e["state"].as_str(), e["posts"].as_array())).collect();
        assert_eq!((told[0].0, told[0].1.map(Vec::len)), (Some("done"), Some(2)), "{late}: {editions}");
        assert_eq!((told[1].0, told[1].1.map(Vec::len)), (Some("cancelled"), Some(0)), "{late}: {editions}");
    }
}

#[test]
fn a_mail_per_post_waits_for_its_own_post_as_long_as_it_takes() {
    let server = Server::start();
    let site = site(&server, "require_live = true");
    let config = fs::read_to_string(site.path("config.toml")).expect("a configuration");
    site.write("config.toml", &config.replace("\"0 9 * * MON\"", "\"each\""));
    server.publish(&POSTS[1..]);
    run(&site, NOON, &["run"]);
    run(&site, NEXT_MONDAY, &["run"]);
    assert_eq!(mailed(&site), of("weekly/2026-11-20-note", 3));
    server.publish(&POSTS);
    run(&site, "2026-12-20T12:00:00Z", &["run"]);
    let both = ["weekly/2026-11-16-note", "weekly/2026-11-20-note"].map(|id| (id.to_owned(), 3));
    assert_eq!(mailed(&site), BTreeMap::from(both));
}

#[test]
fn a_post_that_moves_while_it_is_waited_for_is_mailed_with_its_new_address() {
    for schedule in ["each", "0 9 * * MON"] {
        let server = Server::start();
        let site = site(&server, "require_live = true");
        let config = fs::read_to_string(site.path("config.toml")).expect("a configuration");
        site.write("config.toml", &config.replace("0 9 * * MON", schedule));
        server.publish(&POSTS[1..]);
        run(&site, NOON, &["run"]);
        let file = |name: &str| site.path("posts").join(name);
        let posts = fs::read_dir(site.path("posts")).expect("posts").map(|entry| entry.expect("an entry").file_name());
        let old =
            posts.map(|name| name.display().to_string()).find(|name| name.contains("2026-11-16")).expect("a post");
        fs::rename(file(&old), file("2026-11-16-moved.md")).expect("writable");
        server.publish(&[&POSTS[0].replace("note", "moved")]);
        let ran = run(&site, "2026-11-23T13:00:00Z", &["run"]);
        assert!(ran.err.contains("was given up"), "{ran:?}");
        // Its slot is decided; a mail per post has none.
        let mails = || mailed(&site).into_values().sum::<usize>();
        assert_eq!(mails(), if schedule == "each" { 6 } else { 0 }, "{schedule}: {ran:?}");
        run(&site, NEXT_MONDAY, &["run"]);
        assert_eq!(mails(), if schedule == "each" { 6 } else { 3 }, "{schedule}");
    }
}

#[test]
fn nobody_gets_what_waits_for_a_digest_that_is_not_there_any_more() {
    let server = Server::start();
    let site = site(&server, "require_live = true");
    run(&site, NOON, &["run"]);
    let config = fs::read_to_string(site.path("config.toml")).expect("a configuration");
    site.write("config.toml", &config.replace("name = \"weekly\"", "name = \"letter\""));
    server.publish(&POSTS);
    run(&site, "2026-11-23T13:00:00Z", &["run"]);
    assert!(!mailed(&site).contains_key(EDITION));
    site.write("config.toml", &config);
    run(&site, "2026-11-23T14:00:00Z", &["run"]);
    assert_eq!(mailed(&site).get(EDITION), Some(&3));
}

#[test]
fn why_a_page_is_not_there_is_said_in_words() {
    let server = Server::start();
    server.set("/round", "302 Found\r\nLocation: /round");
    server.set("/fails", "503 Service Unavailable");
    let said = |url: &str| Probe::default().is_there(url).expect_err("it is not there");
    assert_eq!(said(&format!("{}/round", server.address)), "it is redirected too often");
    assert_eq!(said(&format!("{}/fails", server.address)), "the server answers 503");
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    assert!(said(&format!("http://127.0.0.1:{port}/")).contains("refused"));
}

#[test]
fn two_runs_release_once_and_nothing_is_released_that_was_given_up() {
    every_store(|base| {
        let store = base.open();
        people(&store, 3, &Random::system());
        freeze(&store, &edition("weekly/1", monday()));
        let waiting = |id: &str, slot: &str, approve| {
            let urls = ["https://a.example/1", "https://a.example/2"].map(str::to_owned);
            let frozen = Frozen { awaits: urls.into(), approve, ..edition(id, at(slot)) };
            store.freeze(&frozen, at(slot)).expect("frozen");
        };
        waiting("weekly/2", "2026-11-24T09:00:00Z", false);
        waiting("weekly/3", "2026-11-25T09:00:00Z", true);
        waiting("weekly/4", "2026-11-26T09:00:00Z", false);
        let now = at("2026-11-27T09:00:00Z");
        let all = store.awaiting().expect("a list");
        assert_eq!(all.iter().map(|w| w.edition.as_str()).collect::<Vec<_>>(), ["weekly/2", "weekly/3", "weekly/4"]);
        assert_eq!(all[0].urls, ["https://a.example/1", "https://a.example/2"]);
        assert_eq!((all[0].approved, all[1].approved), (all[0].slot, None));
        assert_eq!(store.release_live("weekly/2", true, now).expect("released"), Some(3));
        // Somebody who came in between does not get it from the second.
        store
            .import(&[crate::support::edition::row("z@example.org")], "import", &Random::system(), now)
            .expect("added");
        assert_eq!(store.release_live("weekly/2", true, now).expect("asked"), None);
        assert_eq!(store.release_live("weekly/3", true, now).expect("asked"), None, "nobody approved it");
        assert_eq!(store.approve("weekly/3", |_| true, now).expect("approved"), Changed::Awaits);
        store.heard("weekly/3", &[("https://a.example/1", ""), ("https://a.example/2", "no")]).expect("noted");
        let lacks = store.editions_named(["weekly/3"].into_iter()).expect("it is there")[0].awaits.clone();
        assert_eq!(lacks, [("https://a.example/2".to_owned(), Some("no".to_owned()))]);
        assert_eq!(store.release_live("weekly/3", true, now).expect("released"), Some(4));
        assert!(store.give_up("weekly/4").expect("given up") && !store.give_up("weekly/4").expect("once"));
        assert_eq!(store.release_live("weekly/4", true, now).expect("asked"), None);
        assert!(!store.give_up("weekly/3").expect("asked"), "it is open");
        let editions = store.editions(9).expect("a list");
        let states: BTreeSet<_> = editions.iter().map(|e| (e.id.as_str(), e.state.as_str())).collect();
        let expected = [("weekly/1", "open"), ("weekly/2", "open"), ("weekly/3", "open"), ("weekly/4", "cancelled")];
        assert_eq!(states, BTreeSet::from(expected));
    });
}
