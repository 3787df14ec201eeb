//! `adopt`: for each folder of `tests/corpus/adopt`, a blog and the feed that its old generator made, what is said of it stands in
//! `expected.txt`, and as a document in `expected.json`; and the ids that `build` then writes are the old ones. With
//! `UPDATE_CORPUS=1` the expectations are written, to be read critically.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/adopt")
}

fn postrider(blog: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postrider"))
        .current_dir(blog)
        .args(arguments)
        .args(["--now", "2026-06-01T12:00:00Z"])
        .output()
        .expect("it runs")
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder to write to");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => fs::write(target, fs::read(&path).expect("a file")).expect("writable"),
        }
    }
}

/// A blog of the corpus in a folder of its own.
fn blog(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder to write to");
    copy(&corpus().join(name), folder.path());
    folder
}

/// The old feed of a blog of the corpus: the one file that is a feed.
fn old_feed(blog: &Path) -> String {
    let names = fs::read_dir(blog).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .find(|name| name != "expected.json" && [".xml", ".json"].iter().any(|end| name.ends_with(end)))
        .expect("a feed")
}

fn ids(blog: &Path, file: &str) -> BTreeSet<String> {
    let bytes = fs::read(blog.join("public").join(file)).expect("a feed");
    let feed = postrider::feed::foreign::read(&bytes).expect("a feed");
    feed.entries.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn every_generators_feed_is_taken_over() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    let mut seen = 0;
    for entry in fs::read_dir(corpus()).expect("the corpus") {
        let original = entry.expect("readable").path();
        let name = original.file_name().expect("a name").to_string_lossy().into_owned();
        let blog = blog(&name);
        let feed = old_feed(blog.path());
        for (arguments, file) in
            [(&["adopt", "--dry-run", "--json"][..], "expected.json"), (&["adopt"], "expected.txt")]
        {
            let found = said(postrider(blog.path(), &[arguments, &[&feed]].concat()));
            if update {
                fs::write(original.join(file), &found).expect("writable");
            }
            assert_eq!(fs::read_to_string(original.join(file)).unwrap_or_default(), found, "{name}/{file}");
        }
        let document: Value =
            serde_json::from_str(&fs::read_to_string(original.join("expected.json")).expect("text")).expect("JSON");
        let adopted: BTreeSet<String> = document["matched"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|m| m["id"].as_str().expect("an id").to_owned())
            .collect();
        said(postrider(blog.path(), &["build"]));
        let same = match feed.ends_with(".json") {
            true => "feed.json",
            false if fs::read_to_string(blog.path().join(&feed)).expect("text").contains("<rss") => "rss.xml",
            false => "atom.xml",
        };
        assert!(ids(blog.path(), same).is_superset(&adopted), "{name}: {same}");
        assert!(ids(blog.path(), "feed.json").is_superset(&adopted), "{name}");
        // Once more changes nothing.
        let before = ids(blog.path(), "feed.json");
        let again = said(postrider(blog.path(), &["adopt", "--json", &feed]));
        let again: Value = serde_json::from_str(&again).expect("JSON");
        assert!(again["matched"].as_array().expect("a list").iter().all(|m| m["state"] == "known"), "{name}");
        said(postrider(blog.path(), &["build"]));
        assert_eq!(ids(blog.path(), "feed.json"), before, "{name}");
        seen += 1;
    }
    assert!(seen >= 7, "only {seen}");
}

#[test]
fn dates_of_change_come_along() {
    let blog = blog("hugo");
    let feed = "<feed xmlns='http://www.w3.org/2005/Atom'><id>x</id><title>F</title><entry><id>tag:old,1:snow</id><title>Snow</title>\
                <link href='https://example.org/posts/snow/'/><updated>2026-05-02T08:00:00Z</updated></entry></feed>";
    fs::write(blog.path().join("old.xml"), feed).expect("writable");
    said(postrider(blog.path(), &["adopt", "old.xml"]));
    said(postrider(blog.path(), &["build"]));
    let atom = fs::read_to_string(blog.path().join("public/atom.xml")).expect("a feed");
    let entry = atom.split("<entry>").find(|entry| entry.contains("tag:old,1:snow")).expect("the entry");
    assert!(entry.contains("<updated>2026-05-02T08:00:00+00:00</updated>"), "{entry}");
    assert!(entry.contains("<published>2026-04-20T09:00:00+01:00</published>"), "{entry}");
}

#[test]
fn what_our_readers_have_seen_is_not_changed() {
    let blog = blog("hugo");
    said(postrider(blog.path(), &["build"]));
    let before = ids(blog.path(), "rss.xml");
    let why = refused(postrider(blog.path(), &["adopt", "index.xml"]));
    assert!(why.contains("all 4 posts that the old feed has were published under ids of our own already"), "{why}");
    said(postrider(blog.path(), &["build"]));
    assert_eq!(ids(blog.path(), "rss.xml"), before);
    // A post that comes later can still be given its old id.
    fs::write(blog.path().join("content/posts/late.md"), "+++\ntitle = 'Late'\ndate = 2026-01-01\n+++\nx\n")
        .expect("writable");
    let feed = fs::read_to_string(blog.path().join("index.xml")).expect("text");
    let item = "<item><title>Late</title><link>https://example.org/posts/late/</link><guid isPermaLink='false'>9</guid></item></channel>";
    fs::write(blog.path().join("index.xml"), feed.replace("</channel>", item)).expect("writable");
    let done = said(postrider(blog.path(), &["adopt", "index.xml"]));
    assert!(done.contains("4 posts stay under the id under which we have published them"), "{done}");
    assert!(done.contains("content/posts/late.md  by address  9\n"), "{done}");
    said(postrider(blog.path(), &["build"]));
    assert!(ids(blog.path(), "rss.xml").contains("9"));
}

#[test]
fn what_cannot_be_right_is_refused_and_leaves_nothing() {
    let blog = blog("hugo");
    let write = |name: &str, text: &str| fs::write(blog.path().join(name), text).expect("writable");
    write("page.xml", "<!DOCTYPE html><html></html>");
    write("other.xml", "<rss version='2.0'><channel><item><title>Else</title><guid>1</guid></item></channel></rss>");
    let whole = fs::read_to_string(blog.path().join("index.xml")).expect("the old feed");
    write("cut.xml", &whole[..whole.rfind("</item>").expect("an item")]);
    for (feed, words) in [
        ("cut.xml", "cut.xml: it ends before `</rss>`: entries may be missing"),
        ("page.xml", "page.xml: it is a web page, not a feed"),
        ("other.xml", "none of the 1 entries is one of the 5 posts"),
        ("missing.xml", "missing.xml cannot be read"),
        ("http://127.0.0.1:9/feed.xml", "http://127.0.0.1:9/feed.xml was not fetched"),
    ] {
        let why = refused(postrider(blog.path(), &["adopt", feed]));
        assert!(why.contains(words) && why.contains("help: "), "{why}");
    }
    said(postrider(blog.path(), &["adopt", "index.xml", "--dry-run"]));
    assert!(!blog.path().join("public").exists() && !blog.path().join("postrider.db").exists());
}

#[test]
fn a_flood_is_stopped() {
    let blog = blog("hugo");
    for day in 1..=12 {
        let post = format!("+++\ntitle = 'Day {day}'\ndate = 2026-04-{day:02}\n+++\nx\n");
        fs::write(blog.path().join(format!("content/posts/day-{day}.md")), post).expect("writable");
    }
    let why = refused(postrider(blog.path(), &["adopt", "index.xml"]));
    assert!(
        why.contains("12 old posts would appear as new to readers of the old feed") && why.contains("feeds.limit = 4"),
        "{why}"
    );
    let plan = said(postrider(blog.path(), &["adopt", "index.xml", "--dry-run"]));
    assert!(plan.contains("13 posts are not in the old feed"), "{plan}");
    said(postrider(blog.path(), &["adopt", "index.xml", "--accept-new"]));
}

// ---- over HTTP

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A server on loopback that knows these paths; for as long as the test runs.
fn serve(answers: impl FnOnce(&str) -> BTreeMap<String, Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = Arc::new(answers(&base));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                let Some(Ok(request)) = lines.next() else { return };
                for line in lines.map_while(Result::ok) {
                    if line.is_empty() {
                        break;
                    }
                }
                let path = request.split(' ').nth(1).unwrap_or_default();
                let nothing = (404, vec![], Vec::new());
                let (status, headers, body) = answers.get(path).unwrap_or(&nothing);
                let mut head =
                    format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                let _ = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
            });
        }
    });
    base
}

/// RFC 1952, in one stored block (RFC 1951 section 3.2.4).
fn gzip(body: &[u8]) -> Vec<u8> {
    let crc = !body.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)))
    });
    let length = u16::try_from(body.len()).expect("small");
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    packed.extend_from_slice(body);
    packed.extend([crc.to_le_bytes(), u32::from(length).to_le_bytes()].concat());
    packed
}

fn page(slug: &str, older: &str) -> Vec<u8> {
    format!(
        "<feed xmlns='http://www.w3.org/2005/Atom'>{older}<entry><id>tag:old,1:{slug}</id><title>x</title>\
         <link href='https://example.org/posts/{slug}/'/><updated>2026-05-02T08:00:00Z</updated></entry></feed>"
    )
    .into_bytes()
}

#[test]
fn a_feed_is_fetched_with_its_older_pages() {
    let base = serve(|base| {
        let found = |body: Vec<u8>| (200, vec![], body);
        BTreeMap::from([
            ("/feed.xml".to_owned(), (301, vec![("Location", "/new/feed.xml".to_owned())], Vec::new())),
            ("/new/feed.xml".to_owned(), found(page("snow", "<link rel='prev-archive' href='2.xml'/><link rel='next' href='/none'/>"))),
            ("/new/2.xml".to_owned(), {
                let body = page("herons", &format!("<link rel='prev-archive' href='{base}/new/1.xml'/>"));
                (200, vec![("Content-Encoding", "gzip".to_owned())], gzip(&body))
            }),
            // It names itself again: the end.
            ("/new/1.xml".to_owned(), found(page("tea-and-biscuits", "<link rel='prev-archive' href='2.xml'/>"))),
            ("/feed.json".to_owned(), found(br#"{"version": "https://jsonfeed.org/version/1.1", "title": "x", "next_url": "/2.json", "items": []}"#.to_vec())),
            ("/2.json".to_owned(), found(br#"{"version": "https://jsonfeed.org/version/1.1", "title": "x", "items": [{"id": "17", "url": "https://example.org/posts/swifts/"}]}"#.to_vec())),
        ])
    });
    let blog = blog("hugo");
    let feeds = [format!("{base}/feed.xml"), format!("{base}/feed.json")];
    let done = said(postrider(blog.path(), &["adopt", "--json", &feeds[0], &feeds[1]]));
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!(
        (&done["feeds"][0]["pages"], &done["feeds"][1]["pages"]),
        (&Value::from(3), &Value::from(2)),
        "{done:#}"
    );
    said(postrider(blog.path(), &["build"]));
    let ids = ids(blog.path(), "feed.json");
    for id in ["tag:old,1:snow", "tag:old,1:herons", "tag:old,1:tea-and-biscuits", "17"] {
        assert!(ids.contains(id), "{id}: {ids:?}");
    }
    assert_eq!(done["redirects"][0]["to"], "https://example.org/atom.xml");
    assert_eq!(done["redirects"][0]["from"], feeds[0]);
}

#[test]
fn what_the_web_answers_instead_is_told() {
    let base = serve(|_| {
        let loops = (302, vec![("Location", "/loop".to_owned())], Vec::new());
        let huge = (200, vec![("Content-Encoding", "gzip".to_owned())], b"not packed".to_vec());
        BTreeMap::from([
            ("/loop".to_owned(), loops),
            ("/broken".to_owned(), huge),
            ("/large".to_owned(), (200, vec![], vec![b' '; 33 << 20])),
            ("/page".to_owned(), (200, vec![], b"<html></html>".to_vec())),
            ("/down".to_owned(), (503, vec![], Vec::new())),
        ])
    });
    let blog = blog("hugo");
    for (path, words) in [
        ("/missing", "there is nothing at this address"),
        ("/loop", "it is redirected more than 10 times"),
        ("/broken", "cannot be unpacked"),
        ("/large", "it is larger than 32 MB"),
        ("/page", "it is a web page, not a feed"),
        ("/down", "the server failed with 503"),
    ] {
        let why = refused(postrider(blog.path(), &["adopt", &format!("{base}{path}")]));
        assert!(why.contains(words) && why.contains("help: "), "{path}: {why}");
    }
}
