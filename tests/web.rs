//! The page behind the unsubscribe link, and the built files, asked over a real connection.

use crate::support::edition::{monday, row};
use crate::support::web::Served;
use postrider::random::Random;
use postrider::token::Purpose;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A server, and the token by which Ada leaves.
fn with_ada() -> (Served, String) {
    let served = Served::new();
    let random = Random::seeded(1);
    served.store().add_subscriber(&row("ada@example.org"), "cli", &random, monday()).unwrap();
    let id = served.find("ada@example.org").unwrap().id;
    let token = served.keyring.sign(Purpose::Unsubscribe, &id);
    (served, token)
}

#[test]
fn a_get_shows_a_button_and_changes_nothing() {
    let (served, token) = with_ada();
    for method in ["GET", "HEAD"] {
        let page = served.ask(method, &format!("/unsubscribe/{token}"), "", "");
        assert_eq!(page.status, 200);
        let policy = page.field("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !page.head.contains("set-cookie"), "{page:?}");
        assert_eq!(served.status("ada@example.org"), "active");
    }
    let page = served.get(&format!("/unsubscribe/{token}")).body;
    assert!(page.contains("<button type=\"submit\">Unsubscribe</button>"), "{page}");
    assert!(
        page.contains("Field &lt;Notes&gt;") && page.contains("a…@e….org") && !page.contains("ada@example.org"),
        "{page}"
    );
}

#[test]
fn one_click_unsubscribes_with_either_body_and_again_without_complaint() {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let multipart = "Content-Type: multipart/form-data; boundary=b\r\n";
    let parts = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (headers, body) in [(form, "List-Unsubscribe=One-Click"), (multipart, parts), ("", "")] {
        let (served, token) = with_ada();
        for _ in 0..2 {
            let page = served.ask("POST", &format!("/unsubscribe/{token}"), headers, body);
            assert!(page.status == 200 && page.body.contains("You are unsubscribed"), "{page:?}");
            assert!(!page.head.contains("set-cookie") && page.field("location").is_none());
            assert_eq!(served.status("ada@example.org"), "unsubscribed");
        }
        // The question after it may be answered, in words of ours.
        for (reason, noted) in [("content", 1), ("content", 1), ("<b>typed</b>", 1)] {
            let page = served.post(&format!("/unsubscribe/{token}/reason"), &[("reason", reason)]);
            assert!(page.status == 200 && page.body.contains("Thank you"), "{page:?}");
            assert_eq!(served.dump().matches("Text(\"reason\")").count(), noted);
        }
    }
}

#[test]
fn what_we_did_not_sign_leads_nowhere() {
    let (served, token) = with_ada();
    let forged = format!("{}aaaaaaaaaaaaaaaa", &token[..16]);
    for path in [
        format!("/unsubscribe/{forged}"),
        "/unsubscribe/".into(),
        "/unsubscribe/%00%ff".into(),
        format!("/unsubscribe/{forged}/reason"),
        format!("/confirm/{token}"),
        format!("/change/{token}"),
        format!("/preferences/{token}"),
        "/x".into(),
    ] {
        for method in ["GET", "POST", "PUT"] {
            let page = served.ask(method, &path, "", "");
            assert!((400..500).contains(&page.status), "{method} {path}: {page:?}");
            assert!(page.body.contains("<h1>"), "{method} {path}: a page with a sentence: {page:?}");
        }
    }
    assert_eq!(served.status("ada@example.org"), "active");
}

#[test]
fn it_says_that_it_is_well_and_how_things_stand() {
    let (served, _) = with_ada();
    let well = served.get("/healthz");
    assert!(well.status == 200 && well.body == "ok\n", "{well:?}");
    assert!(served.get("/robots.txt").body.contains("Disallow: /unsubscribe/"));
    served.subscribe("new@example.org");
    let metrics = served.get("/metrics").body;
    for line in [
        "postrider_subscribers{status=\"active\"} 1",
        "postrider_subscribers{status=\"pending\"} 1",
        "postrider_letters_waiting 1",
        "postrider_http_requests_total{route=\"/healthz\",code=\"200\"} 1",
        "postrider_http_requests_total{route=\"/subscribe\",code=\"200\"} 1",
    ] {
        assert!(metrics.lines().any(|said| said == line), "{line}: {metrics}");
    }
    // Behind a proxy that nobody named, everybody looks like us.
    assert_eq!(served.ask("GET", "/metrics", "X-Forwarded-For: 203.0.113.9\r\n", "").status, 404);
}

/// As if it had been written years ago.
fn date(file: &Path) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
}

#[test]
fn built_files_are_served_as_a_static_host_serves_them() {
    let served = Served::new();
    let public = served.path("public");
    fs::create_dir_all(public.join("editions/weekly/1")).unwrap();
    fs::create_dir_all(public.join("tag/a b")).unwrap();
    let feed = "<feed/>".repeat(1000);
    fs::write(public.join("atom.xml"), &feed).unwrap();
    date(&public.join("atom.xml"));
    fs::write(public.join("tag/a b/rss.xml"), "<rss/>").unwrap();
    fs::write(public.join("editions/weekly/1/index.html"), "<h1>1</h1>").unwrap();
    fs::write(public.join("secret.txt"), "s").unwrap();
    let whole = served.get("/atom.xml");
    assert_eq!((whole.status, whole.body.as_str()), (200, feed.as_str()));
    assert_eq!(whole.field("content-type"), Some("application/atom+xml; charset=utf-8"));
    assert_eq!(whole.field("access-control-allow-origin"), Some("*"));
    let (tag, date) = (whole.field("etag").unwrap(), whole.field("last-modified").unwrap());
    for known in
        [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {date}\r\n"), "If-None-Match: *\r\n".into()]
    {
        let not = served.ask("GET", "/atom.xml", &known, "");
        assert_eq!((not.status, not.body.as_str()), (304, ""), "{known}");
    }
    let zipped = served.ask("GET", "/atom.xml", "Accept-Encoding: gzip\r\n", "");
    assert_eq!(zipped.field("content-encoding"), Some("gzip"));
    let length: usize = zipped.field("content-length").unwrap().parse().unwrap();
    assert!(length < 300 && zipped.field("etag") != Some(tag), "{length}");
    let head = served.ask("HEAD", "/atom.xml", "", "");
    assert_eq!((head.status, head.body.as_str(), head.field("content-length")), (200, "", Some("7000")));
    // Another form of the same, and a file that changed, have other tags.
    fs::write(public.join("atom.xml"), "<feed>new</feed>").unwrap();
    let changed = served.ask("GET", "/atom.xml", &format!("If-None-Match: {tag}\r\n"), "");
    assert_eq!((changed.status, changed.body.as_str()), (200, "<feed>new</feed>"));
    assert_eq!(served.get("/tag/a%20b/rss.xml").status, 200);
    assert_eq!(served.get("/editions/weekly/1/").field("content-type"), Some("text/html; charset=utf-8"));
    for path in [
        "/secret.txt",
        "/../store.db",
        "/editions/../../store.db",
        "/editions/%2e%2e/%2e%2e/store.db",
        "/%2e%2e/rss.xml",
    ] {
        let page = served.get(path);
        assert!(page.status == 404 && page.body.contains("<h1>"), "{path}: {page:?}");
    }
    let folder = served.get("/editions/weekly/1");
    assert_eq!((folder.status, folder.field("location")), (308, Some("1/")));
}

#[test]
fn a_file_of_the_same_length_and_date_is_another_one() {
    let served = Served::new();
    let file = served.path("public/rss.xml");
    fs::create_dir_all(served.path("public")).unwrap();
    let mut tags = Vec::new();
    let mut date_told = String::new();
    for n in 0..9 {
        let (text, beside) = (format!("<rss>{n}</rss>"), served.path("public/.new"));
        // As `build` replaces it.
        fs::write(&beside, &text).unwrap();
        date(&beside);
        fs::rename(&beside, &file).unwrap();
        let known = tags.join(", ");
        let fields = if n == 0 { String::new() } else { format!("If-None-Match: {known}\r\n") };
        let page = served.ask("GET", "/rss.xml", &fields, "");
        assert_eq!((page.status, page.body.as_str()), (200, text.as_str()));
        date_told = page.field("last-modified").unwrap().to_owned();
        tags.push(page.field("etag").unwrap().to_owned());
        assert!(tags[n].starts_with('"'), "a strong one");
    }
    let asked = |fields: &str| served.ask("GET", "/rss.xml", fields, "").status;
    let last = &tags[8];
    assert_eq!(asked(&format!("If-None-Match: \"other\", {last}\r\n")), 304);
    assert_eq!(asked(&format!("If-None-Match: W/{last}\r\n")), 304, "as proxies hand it on");
    assert_eq!(asked(&format!("If-None-Match: {}\r\n", tags[7])), 200);
    // A date is good where it is ours, no earlier one and no later one.
    assert_eq!(asked(&format!("If-Modified-Since: {date_told}\r\n")), 304);
    assert_eq!(asked("If-Modified-Since: Sun, 01 Jan 2051 00:00:00 GMT\r\n"), 200);
    assert_eq!(asked("If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT\r\n"), 200);
}
