//! The archive of editions: what is on the site of what was mailed, and what is not.

use crate::support::database::every_store;
use crate::support::edition::{at, edition, freeze, monday};
use crate::support::site::{EDITION, Plan, Site, readers};
use postrider::store::editions::{Changed, Frozen};
use postrider::store::pages::{Listed, Page};
use std::fs;
use std::time::SystemTime;

const PAGE: &str = "public/editions/weekly/2026-11-23/index.html";
const INDEX: &str = "public/editions/index.html";
const FEEDS: [&str; 3] = ["public/editions/rss.xml", "public/editions/atom.xml", "public/editions/feed.json"];
/// The page, as the mail leads to it.
const ONLINE: &str = "https://example.org/editions/weekly/2026-11-23/";

/// A site with three readers whose mails are left in its folder; `lines` stand in its `[[digest]]`.
fn site(lines: &str) -> Site {
    let site = Site::new(Plan::to_outbox(), &readers(3));
    set(&site, lines);
    site
}

fn set(site: &Site, lines: &str) {
    site.write_config();
    let config = text(site, "config.toml");
    site.write("config.toml", &config.replace("[[digest]]\n", &format!("[[digest]]\n{lines}\n")));
}

fn text(site: &Site, name: &str) -> String {
    fs::read_to_string(site.path(name)).unwrap_or_else(|e| panic!("{name}: {e}")).replace("&#x2f;", "/")
}

fn is_there(site: &Site, name: &str) -> bool {
    site.path(name).exists()
}

fn run(site: &Site, arguments: &[&str]) -> String {
    let ran = site.go(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    ran.out
}

/// All that was mailed, decoded.
fn mails(site: &Site) -> Vec<String> {
    let folder = fs::read_dir(site.path("outbox").join(EDITION)).expect("mails");
    folder.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a mail")).collect()
}

#[test]
fn a_released_edition_is_on_the_site_and_its_mail_leads_there() {
    let site = site("");
    run(&site, &["build"]);
    assert!(!is_there(&site, "public/editions"), "nothing was released yet");
    run(&site, &["run"]);
    let page = text(&site, PAGE);
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"), "{page}");
    for wanted in [
        "<title>Field Notes: First snow</title>",
        "<link rel=\"canonical\" href=\"https://example.org/editions/weekly/2026-11-23/\">",
        "href=\"../../\"",
        "https://example.org/2026/11/20/note.html",
        "Herons on the river",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    for personal in ["nsubscribe", "sink.test", "mailto:", "You get this mail"] {
        assert!(!page.contains(personal), "{personal}: {page}");
    }
    let mails = mails(&site);
    assert_eq!(mails.len(), 3);
    for mail in &mails {
        let mail = mail.replace("=\r\n", "");
        assert_eq!(mail.matches("/editions/weekly/2026-11-23/").count(), 2, "once in each part: {mail}");
        assert!(mail.contains(&format!("Read online: {ONLINE}")), "{mail}");
    }
    let index = text(&site, INDEX);
    assert!(index.contains("href=\"weekly/2026-11-23/\"") && index.contains("Field Notes: First snow"), "{index}");
    assert!(index.contains("editions/atom.xml") && index.contains("23 November 2026"), "{index}");
    assert!(text(&site, "public/feeds/feeds.opml").contains("xmlUrl=\"https://example.org/editions/atom.xml\""));
    assert!(text(&site, "public/_headers").contains("\n/editions/feed.json\n"));
}

#[test]
fn the_feed_of_editions_is_as_valid_as_the_others() {
    let site = site("");
    run(&site, &["run"]);
    for feed in FEEDS {
        let judged = site.go(&["check", feed, "--strict"]);
        assert_eq!(judged.code, Some(0), "{feed}: {judged:?}");
        let feed = text(&site, feed).replace("\\/", "/");
        for wanted in [
            "tag:example.org,2026-11-23:editions/weekly/2026-11-23",
            ONLINE,
            "Field Notes – All editions",
            "Field Notes: First snow",
            "Herons on the river",
            "https://example.org/2026/11/20/note.html",
        ] {
            assert!(feed.contains(wanted), "{wanted}: {feed}");
        }
        assert!(!feed.contains("nsubscribe") && !feed.contains("Read online"), "{feed}");
    }
    // The id outlives a change of address; the page moves with the site.
    let config = text(&site, "config.toml").replace("https://example.org/", "https://example.net/notes/");
    site.write("config.toml", &config);
    run(&site, &["build"]);
    let atom = text(&site, FEEDS[1]);
    assert!(atom.contains("<id>tag:example.org,2026-11-23:editions/weekly/2026-11-23</id>"), "{atom}");
    assert!(atom.contains("https://example.net/notes/editions/weekly/2026-11-23/"), "{atom}");
}

#[test]
fn what_is_there_is_not_touched_and_what_is_missing_is_written_again() {
    let site = site("");
    run(&site, &["run"]);
    let files = [&[PAGE, INDEX][..], &FEEDS].concat();
    let state = || -> Vec<(Vec<u8>, SystemTime)> {
        let of = |name: &&str| {
            let path = site.path(name);
            (fs::read(&path).expect("bytes"), fs::metadata(&path).expect("a file").modified().expect("a time"))
        };
        files.iter().map(of).collect()
    };
    let before = state();
    run(&site, &["run"]);
    run(&site, &["build"]);
    assert_eq!(state(), before);
    // A page that is as long as it was is not even looked into: the store is not asked for it.
    let page = site.path(PAGE);
    let length = before[0].0.len();
    fs::write(&page, "x".repeat(length)).expect("writable");
    run(&site, &["build"]);
    assert_eq!(fs::read(&page).expect("bytes").len(), length);
    fs::write(&page, "half of i").expect("writable");
    for name in &files[1..] {
        fs::remove_file(site.path(name)).expect("it was there");
    }
    run(&site, &["build"]);
    let bytes = |state: Vec<(Vec<u8>, SystemTime)>| state.into_iter().map(|(bytes, _)| bytes).collect::<Vec<_>>();
    assert_eq!(bytes(state()), bytes(before));
}

#[test]
fn what_waits_has_no_page_until_it_is_approved() {
    let site = site("approve = true");
    run(&site, &["run"]);
    run(&site, &["build"]);
    assert!(!is_there(&site, "public/editions"));
    run(&site, &["approve", EDITION]);
    assert!(is_there(&site, PAGE) && is_there(&site, INDEX), "a worker may deliver at once");
    let frozen = fs::read(site.path(PAGE)).expect("a page");
    // What is frozen stays, whatever becomes of the posts, the theme and the templates (P3).
    site.write("posts/2026-11-20-note.md", "---\ntitle: Thaw\n---\nGone.\n");
    fs::create_dir_all(site.path("templates/mail")).expect("a folder");
    site.write("templates/mail/base.html.j2", "{{ links.unsubscribe }}");
    fs::remove_dir_all(site.path("public/editions")).expect("it was there");
    run(&site, &["build"]);
    assert_eq!(fs::read(site.path(PAGE)).expect("a page"), frozen);
}

#[test]
fn what_was_cancelled_stays_only_where_somebody_may_have_it() {
    let site = site("approve = true");
    run(&site, &["run"]);
    run(&site, &["cancel", EDITION]);
    run(&site, &["build"]);
    assert!(!is_there(&site, "public/editions"), "it was never released");

    let site = self::site("approve = true");
    run(&site, &["run"]);
    run(&site, &["approve", EDITION]);
    assert!(is_there(&site, PAGE));
    run(&site, &["cancel", EDITION]);
    assert!(!is_there(&site, PAGE), "nobody got it");
    assert!(!text(&site, INDEX).contains("First snow") && !text(&site, FEEDS[1]).contains("First snow"));
    run(&site, &["run"]);
    assert!(!is_there(&site, PAGE) && !is_there(&site, "outbox/weekly"));

    let site = self::site("");
    run(&site, &["run"]);
    let sql = "UPDATE deliveries SET state = 'queued' WHERE id = (SELECT MIN(id) FROM deliveries)";
    let mut store = postrider::store::sql::Connection::sqlite(&site.path("postrider.db")).expect("a store");
    store.batch(sql).expect("a delivery");
    store.batch("UPDATE editions SET state = 'open'").expect("an edition");
    drop(store);
    run(&site, &["cancel", EDITION]);
    run(&site, &["build"]);
    assert!(is_there(&site, PAGE) && text(&site, INDEX).contains("First snow"), "two have got it");
}

#[test]
fn a_digest_without_an_archive_has_neither_page_nor_link() {
    let site = site("archive = false");
    run(&site, &["run"]);
    assert!(!is_there(&site, "public/editions"));
    assert!(mails(&site).iter().all(|mail| !mail.contains("editions/")), "no link");
    assert!(!text(&site, "public/feeds/feeds.opml").contains("editions"));
    // Frozen without a page, it gets none.
    set(&site, "");
    run(&site, &["run"]);
    assert!(!is_there(&site, "public/editions"));
}

#[test]
fn who_turns_the_archive_off_may_delete_it() {
    let site = site("");
    run(&site, &["run"]);
    set(&site, "archive = false");
    fs::remove_dir_all(site.path("public/editions")).expect("it was there");
    run(&site, &["build"]);
    assert!(!is_there(&site, "public/editions"));
}

#[test]
fn a_part_of_the_site_that_has_that_name_stays() {
    let site = site("");
    fs::create_dir_all(site.path("public/editions")).expect("a folder");
    site.write(INDEX, "<h1>Old editions</h1>\n");
    site.write(FEEDS[1], "<feed/>");
    run(&site, &["run"]);
    assert_eq!((text(&site, INDEX), text(&site, FEEDS[1])), ("<h1>Old editions</h1>\n".into(), "<feed/>".into()));
    assert!(is_there(&site, PAGE) && !is_there(&site, FEEDS[0]), "the mail leads to the page");
    assert!(!text(&site, "public/feeds/feeds.opml").contains("editions"));
}

#[test]
fn what_feed_readers_show_is_clean() {
    let site = site("content = \"full\"");
    site.write("posts/_x.md", "");
    site.write(
        "posts/2026-11-21-odd.md",
        "---\ntitle: \"<b>Odd</b> & {{ links.unsubscribe }}\"\n---\n<script>alert(1)</script>\n\nA [gate](/gate/).\n",
    );
    run(&site, &["run"]);
    let atom = text(&site, FEEDS[1]);
    assert!(!atom.contains("script") && atom.contains("https://example.org/gate/"), "{atom}");
    let page = text(&site, PAGE);
    assert!(!page.contains("<script") && !page.contains("<b>Odd"), "{page}");
    assert!(page.contains("{{ links.unsubscribe }}"), "a title is text: {page}");
}

fn page(html: &str) -> Option<Page> {
    Some(Page {
        entry: "tag:example.org,2026-11-23:editions/x".to_owned(),
        date: "2026-11-23T09:00:00-06:00".parse().expect("a moment"),
        language: "de".to_owned(),
        summary: "Außerdem".to_owned(),
        html: html.to_owned(),
        content: "<p>x</p>".to_owned(),
    })
}

#[test]
fn pages_are_those_of_what_was_released_on_every_store() {
    every_store(|base| {
        let store = base.open();
        let ids = |pages: Vec<Listed>| pages.into_iter().map(|page| page.edition).collect::<Vec<_>>();
        // Frozen before there were pages.
        freeze(&store, &edition("weekly/1", monday()));
        assert_eq!(store.pages().expect("a list"), []);
        let with_page = |id: &str, slot: &str, approve| {
            let frozen = Frozen { page: page("<p>ä</p>"), approve, ..edition(id, at(slot)) };
            store.freeze(&frozen, at(slot)).expect("frozen");
        };
        with_page("weekly/2", "2026-11-24T09:00:00Z", false);
        with_page("weekly/3", "2026-11-25T09:00:00Z", true);
        with_page("weekly/4", "2026-11-26T09:00:00Z", false);
        assert_eq!(ids(store.pages().expect("a list")), ["weekly/4", "weekly/2"]);
        let approved = store.approve("weekly/3", |_| true, at("2026-11-27T09:00:00Z")).expect("approved");
        assert_eq!(approved, Changed::Done(0));
        let pages = store.pages().expect("a list");
        let Page { entry, date, language, summary, html, content } = page("<p>ä</p>").expect("a page");
        let expected = Listed {
            edition: "weekly/3".to_owned(),
            digest: "weekly".to_owned(),
            subject: "News".to_owned(),
            released: at("2026-11-27T09:00:00Z"),
            entry,
            date,
            language,
            summary,
            length: html.len() as u64,
            withdrawn: false,
        };
        assert_eq!(pages[0], expected, "newest first by when it was released");
        assert_eq!(
            (store.page_html("weekly/3").expect("html"), store.page_content("weekly/3").expect("content")),
            (html, content)
        );
        store.cancel("weekly/4").expect("cancelled");
        let withdrawn: Vec<_> = store.pages().expect("a list").into_iter().filter(|page| page.withdrawn).collect();
        assert_eq!(ids(withdrawn), ["weekly/4"]);
        assert!(store.page_html("weekly/1").is_err());
    });
}

#[test]
fn a_store_of_before_there_were_pages_goes_on() {
    every_store(|base| {
        freeze(&base.open(), &Frozen { approve: true, ..edition("weekly/1", monday()) });
        for sql in [
            "DROP TABLE pages",
            "DROP TABLE awaited",
            "ALTER TABLE editions DROP COLUMN approved",
            "ALTER TABLE feeds DROP COLUMN files",
            "DROP TABLE inbox",
            "DROP TABLE bounces",
            "DROP TABLE answers",
        ] {
            base.change(sql);
        }
        base.change("UPDATE meta SET value = '6' WHERE key = 'version'");
        let store = base.open();
        let waiting = store.editions(1).expect("a list").remove(0);
        assert_eq!((waiting.state.as_str(), waiting.approval, waiting.awaits), ("waiting", true, Vec::new()));
        assert_eq!(store.approve("weekly/1", |_| true, monday()).expect("approved"), Changed::Done(0));
        assert_eq!((store.pages().expect("a list"), store.awaiting().expect("a list")), (Vec::new(), Vec::new()));
    });
}
