//! What an author says at the head of an edition: begun by `draft`, read when it is frozen.

use crate::support::site::{EDITION, NOON, Plan, Ran, Site, readers};
use std::fs;

const FILE: &str = "posts/_editions/weekly/2026-11-23.md";
const NEXT: &str = "posts/_editions/weekly/2026-11-30.md";
const FRIDAY: &str = "2026-11-20T12:00:00Z";

fn site() -> Site {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    fs::create_dir_all(site.path("posts/_editions/weekly")).expect("a folder");
    site
}

fn text(site: &Site, name: &str) -> String {
    fs::read_to_string(site.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn ran(site: &Site, now: &str, arguments: &[&str]) -> Ran {
    let ran = site.at(now, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    ran
}

/// The one mail of an edition.
fn mail(site: &Site, edition: &str) -> String {
    let mut mails = fs::read_dir(site.path("outbox").join(edition)).expect("a folder");
    let path = mails.next().expect("a mail").expect("an entry").path();
    fs::read_to_string(path).expect("a mail").replace("=\r\n", "")
}

#[test]
fn a_draft_shows_what_is_new_and_is_never_overwritten() {
    let site = site();
    let drafted = ran(&site, FRIDAY, &["draft", "weekly"]);
    assert_eq!(
        drafted.out,
        format!(
            "{FILE}: write below its front matter; 2 new posts so far. `postrider send weekly --to ADDRESS` shows you the mail\n"
        )
    );
    assert!(!site.path("postrider.db").exists() && !site.path("public").exists(), "it only looks");
    let file = text(&site, FILE);
    let expected = "---\n# The digest weekly of Monday, 23 November 2026 at 09:00 (UTC).\n\
        # Write its introduction below, in Markdown. As long as nothing stands there, the mail has none.\n\
        # These two go before what Postrider would write, once the # is gone:\n# subject: \"\"\n# preheader: \"\"\n#\n\
        # New so far:\n#   2026-11-20  First snow  (posts/2026-11-20-note.md)\n\
        #   2026-11-16  Herons on the river  (posts/2026-11-16-note.md)\n---\n\n";
    assert_eq!(file, expected);
    let again = site.at(FRIDAY, &["draft", "weekly"]);
    let expected = format!("error: {FILE} is there already\n  help: edit it, or move it away\n");
    assert_eq!((again.code, again.err), (Some(1), expected));
    assert_eq!(text(&site, FILE), file);

    // Untouched, it says nothing.
    ran(&site, NOON, &["run"]);
    let mail = mail(&site, EDITION);
    assert!(mail.contains("Subject: Field Notes: First snow\r\n"), "{mail}");
    assert!(!mail.contains("introduction") && !mail.contains("so far"), "{mail}");

    // The next one is of the next slot.
    let json = site.json(NOON, &["draft", "weekly"]);
    assert_eq!(json, serde_json::json!({ "path": NEXT }));
    assert!(text(&site, NEXT).contains("\n# No post is new so far.\n---\n"), "{}", text(&site, NEXT));
}

#[test]
fn a_draft_is_of_the_edition_that_is_due() {
    let site = site();
    ran(&site, NOON, &["draft", "weekly"]);
    assert!(text(&site, FILE).contains("First snow  (posts/2026-11-20-note.md)"), "{}", text(&site, FILE));
    let mut file = text(&site, FILE).replace("# subject: \"\"", "subject: \"Snow: at last\"");
    file = file.replace("# preheader: \"\"", "preheader: And herons");
    site.write(FILE, &format!("{file}A *wet* week.\n"));
    ran(&site, NOON, &["run"]);
    let mail = mail(&site, EDITION);
    assert!(mail.contains("Subject: Snow: at last\r\n") && mail.contains("A <em>wet</em> week."), "{mail}");
    assert!(mail.contains(">And herons<"), "{mail}");
    let page = text(&site, "public/editions/weekly/2026-11-23/index.html");
    assert!(page.contains("<title>Snow: at last – Field Notes</title>") && page.contains("And herons"), "{page}");
}

#[test]
fn a_digest_that_has_no_next_edition_has_no_draft() {
    let site = site();
    let config = text(&site, "config.toml");
    site.write("config.toml", &config.replace("\"0 9 * * MON\"", "\"each\""));
    let ran = site.at(FRIDAY, &["draft", "weekly"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            Some(1),
            "error: the digest \"weekly\" sends a mail per post, so it has no next edition to introduce\n  help: write `intro: …` into the front matter of the post\n"
        )
    );
    let ran = site.at(FRIDAY, &["draft", "daily"]);
    assert_eq!(ran.err, "error: there is no digest \"daily\"\n  help: there are: weekly\n");
}

#[test]
fn a_post_that_leads_may_introduce_the_edition() {
    for (front, said) in [
        ("intro: |\n  A [walk](/walk/) in the *snow*.\n", true),
        ("extra:\n  intro: A [walk](/walk/) in the *snow*.\n", true),
        ("intro: true\n", false),
    ] {
        let site = site();
        site.write("posts/2026-11-20-note.md", &format!("---\ntitle: First snow\n{front}---\nIt came.\n"));
        // Not of the one that does not lead.
        site.write("posts/2026-11-16-note.md", "---\ntitle: Herons\nintro: Grey and *still*.\n---\nThey stood.\n");
        // A draft that was not touched does not stand in the way.
        ran(&site, FRIDAY, &["draft", "weekly"]);
        ran(&site, NOON, &["run"]);
        let mail = mail(&site, EDITION);
        assert_eq!(mail.contains("in the <em>snow</em>."), said, "{front}: {mail}");
        assert!(!mail.contains("Grey and") && (!said || mail.contains("https://example.org/walk/")), "{mail}");
    }
}

#[test]
fn a_test_mail_shows_the_introduction_of_the_next_edition() {
    let site = site();
    site.write(FILE, "Dear friends of *herons*,\n");
    ran(&site, FRIDAY, &["send", "weekly", "--to", "ada@example.org"]);
    assert!(mail(&site, "test/weekly").contains("Dear friends of <em>herons</em>,"));
}

#[test]
fn what_cannot_be_understood_stops_the_edition_with_its_line() {
    let site = site();
    site.write(FILE, "---\nsubject: [\n---\nHello.\n");
    let ran = site.at(NOON, &["run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains(FILE) && ran.err.contains("help: "), "{ran:?}");
    assert!(!site.path("outbox/weekly").exists());
}
