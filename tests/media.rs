//! What a post offers beside its text, from its front matter and the files of its site to all three feeds.

use crate::support::site::{Plan, Site, readers};
use serde_json::{Value, json};
use std::fs;

#[test]
fn sound_beside_a_post_is_an_enclosure_with_its_true_length() {
    let site = Site::new(Plan::to_outbox(), &readers(1));
    fs::write(site.path("talk.mp3"), [0; 4321]).expect("a folder to write to");
    let post = "---\ntitle: A talk\naudio: {url: /talk.mp3, length: 99, duration: '2:05'}\n---\n[![CI](https://img.shields.io/x.png)](/ci) ![Hills](/hills.jpg)\n";
    site.write("posts/2026-11-21-talk.md", post);
    let ran = site.go(&["build"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let read = |name: &str| fs::read_to_string(site.path(name)).expect("a feed");

    let rss = read("public/rss.xml");
    let enclosure = "<enclosure url=\"https://example.org/talk.mp3\" length=\"4321\" type=\"audio/mpeg\"";
    assert_eq!(rss.matches("<enclosure").count(), 1);
    assert!(rss.contains(enclosure), "{rss}");
    assert!(rss.contains("<media:thumbnail url=\"https://example.org/hills.jpg\">"), "{rss}");
    let atom = read("public/atom.xml");
    assert!(atom.contains("rel=\"enclosure\" type=\"audio/mpeg\" length=\"4321\""), "{atom}");
    let feed: Value = serde_json::from_str(&read("public/feed.json")).expect("JSON");
    assert_eq!(feed["items"][0]["image"], "https://example.org/hills.jpg");
    assert_eq!(
        feed["items"][0]["attachments"],
        json!([{"url": "https://example.org/talk.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 4321, "duration_in_seconds": 125}])
    );
}
