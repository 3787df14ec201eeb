//! Whole feeds of nasty posts as snapshots, and what two independent readers make of them.

use super::*;
use crate::post::{Measured, Rare};
use chrono::TimeZone;
use chrono_tz::Tz;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const FORMATS: [Format; 3] = [Format::Rss, Format::Atom, Format::Json];

fn site() -> Site {
    Site {
        title: "Field\tNotes & \u{1}Co".to_owned(),
        url: Url::parse("https://example.org/blog/").unwrap(),
        description: Some("Letters <about> the\r\nfield & more".to_owned()),
        language: "en_US".to_owned(),
        timezone: Tz::UTC,
        author: Some(Person {
            name: "Ada Lovelace".to_owned(),
            email: Some("ada@example.org".to_owned()),
            url: Some(Url::parse("https://example.org/ada é").unwrap()),
        }),
    }
}

fn named(name: &str) -> Person {
    Person { name: name.to_owned(), ..Person::default() }
}

fn post(number: u32, title: &str) -> Post {
    let published = "2026-11-20T09:00:00.75-06:00".parse::<DateTime<FixedOffset>>().unwrap();
    Post {
        authors: site().author.into_iter().collect(),
        ..Post::new(
            format!("posts/{number}.md"),
            title.to_owned(),
            published - chrono::TimeDelta::days(i64::from(number)),
            number.to_string(),
            Url::parse(&format!("https://example.org/blog/{number}/")).unwrap(),
        )
    }
}

fn content(html: &str, summary: &str) -> Content {
    Content {
        html: CleanHtml::for_tests(html),
        excerpt: CleanHtml::default(),
        summary: summary.to_owned(),
        ..Content::default()
    }
}

fn pictured(html: &str, summary: &str) -> Content {
    let url = Url::parse("https://example.org/a b|c.png").unwrap();
    Content { image: Some(Image { url, alt: "A picture".to_owned(), measured: None }), ..content(html, summary) }
}

fn tag(number: u32) -> PostId {
    PostId(format!("tag:example.org,2026-11-20:{number}"))
}

/// What has broken feeds in the field.
fn nasty() -> Feed {
    let generics = Post {
        authors: [named("Grace & Co"), named(" \u{7}"), named("Zoë")].into(),
        categories: ["Rust", "C++ & <C#>"].into_iter().collect(),
        tags: ["rust", "日本", " "].into_iter().collect(),
        ..post(1, "`Vec<T>` & Co &amp; \"</title>\" ]]> '1 > 0'")
    };
    let controls = Post {
        link: Url::parse("https://example.org/blog/é b/?x=1&y=|#z").unwrap().into(),
        authors: Arc::default(),
        rare: Rare::in_language("he"),
        ..post(2, "שלום \u{202b}עולם\u{202c} 👩‍👩‍👧\r\nA\u{b}B\u{85}C\u{ffff} Quoi\u{a0}?")
    };
    let plain = post(3, "Plain");
    let link = PostId(plain.link.to_string());
    let later = Utc.with_ymd_and_hms(2026, 11, 21, 8, 30, 15).unwrap();
    let never = DateTime::UNIX_EPOCH;
    let entries = vec![
        Entry::new(
            tag(1),
            later,
            &generics,
            &pictured(
                "<!-- ]]> --><p>if (a[b[0]]>1 &amp;&amp; c) &lt;script&gt; ]]&gt; &amp;amp; &nbsp;</p>\r\n<pre><code>  let v: Vec&lt;T&gt;;\r\n</code></pre>",
                "A <b>bold</b> claim & \"more\": ]]> Vec<T>",
            ),
        ),
        Entry::new(
            tag(2),
            never,
            &controls,
            &content(
                "<p dir=\"rtl\">א\0\u{1}\u{8}\u{b}\u{c}\u{1b}\u{7f}\u{9d}\u{fdd0}\u{fffe} 😀 \u{1fffe}ב\rג</p>",
                "\u{1}\r\n",
            ),
        ),
        Entry::new(link, never, &plain, &content("<p>Plain.</p>\n", "Plain.")),
    ];
    Feed::new(&site(), entries)
}

fn address(format: Format) -> Url {
    Url::parse("https://example.org/blog/").unwrap().join(format.file_name()).unwrap()
}

fn written(feed: &Feed, format: Format, settings: &Settings) -> String {
    let bytes = write(feed, format, &address(format), settings).unwrap();
    reread(&bytes, format, feed).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn nasty_posts_make_clean_feeds() {
    for format in FORMATS {
        insta::assert_snapshot!(
            format!("nasty-{}", format.file_name()),
            written(&nasty(), format, &Settings::default())
        );
    }
}

#[test]
fn a_summary_stands_alone_where_that_is_wanted() {
    let settings =
        Settings { content: ContentKind::Summary, authority: Some("field.example".to_owned()), ..Settings::default() };
    for format in FORMATS {
        insta::assert_snapshot!(format!("summary-{}", format.file_name()), written(&nasty(), format, &settings));
    }
}

#[test]
fn a_site_that_says_little_and_has_no_posts_has_a_feed() {
    let site = Site { description: None, author: None, ..site() };
    let feed = Feed::new(&site, Vec::new());
    assert_eq!(feed.updated, DateTime::UNIX_EPOCH);
    for format in FORMATS {
        insta::assert_snapshot!(format!("empty-{}", format.file_name()), written(&feed, format, &Settings::default()));
    }
}

#[test]
fn another_reader_finds_the_same_in_all_formats() {
    let feed = nasty();
    let read = |format| {
        let text = written(&feed, format, &Settings::default());
        let parsed = feed_rs::parser::parse(text.as_bytes()).unwrap();
        let entries = parsed.entries.into_iter().map(|entry| {
            let body = entry.content.and_then(|content| content.body).unwrap();
            (
                entry.id,
                entry.title.unwrap().content,
                entry.links[0].href.clone(),
                entry.published,
                body.trim().to_owned(),
            )
        });
        entries.collect::<Vec<_>>()
    };
    let rss = read(Format::Rss);
    assert_eq!(rss, read(Format::Atom));
    assert_eq!(rss, read(Format::Json));
    let titles: Vec<_> = rss.iter().map(|entry| entry.1.as_str()).collect();
    assert_eq!(titles, feed.entries.iter().map(|entry| entry.title.as_str()).collect::<Vec<_>>());
}

#[test]
fn dates_are_of_the_post_and_never_of_the_run() {
    let feed = nasty();
    let times = |entry: &Entry| (entry.published.to_rfc3339(), entry.updated.to_rfc3339());
    assert_eq!(times(&feed.entries[0]), ("2026-11-19T09:00:00-06:00".into(), "2026-11-21T08:30:15+00:00".into()));
    assert_eq!(times(&feed.entries[1]), ("2026-11-18T09:00:00-06:00".into(), "2026-11-18T15:00:00+00:00".into()));
    assert_eq!(feed.updated, feed.entries[0].updated);

    // Amsterdam before 1937, and a year that no RFC 822 date can say.
    for (date, expected) in
        [("1936-06-01T12:00:00", "1936-06-01T10:40:28+00:00"), ("+12026-06-01T12:00:00", "+12026-06-01T10:40:28+00:00")]
    {
        let offset = FixedOffset::east_opt(4772).unwrap();
        let published = offset.from_local_datetime(&date.parse().unwrap()).unwrap();
        let old = Post { published, ..post(1, "Old") };
        let entry = Entry::new(tag(1), DateTime::UNIX_EPOCH, &old, &Content::default());
        assert_eq!(entry.published.to_rfc3339(), expected);
        let feed = Feed::new(&site(), vec![entry]);
        for format in FORMATS {
            let _ = write(&feed, format, &address(format), &Settings::default());
        }
    }
}

/// An entry with everything that can stand beside its text.
fn rich() -> Feed {
    let media = |url: &str, media_type: &str, length, seconds| Media {
        url: Url::parse(url).unwrap(),
        media_type: media_type.to_owned(),
        length,
        seconds,
    };
    let measured = Measured { length: 5120, media_type: "image/webp".to_owned(), size: Some((640, 480)) };
    let url = Url::parse("https://example.org/p.webp?a=1&b=2").unwrap();
    let image = Some(Image { url, alt: "Hills".to_owned(), measured: Some(measured) });
    let offered = vec![
        media("https://example.org/talk é.mp3?a=1&b=2", "audio/mpeg", Some(12_345_678), Some(3723)),
        media("https://cdn.example/slides", "application/pdf", None, None),
    ];
    let beside = Content { image: image.clone(), media: offered, ..content("<p>Words</p>", "Words") };
    let inside = Content { image, ..content("<p><img src=\"https://example.org/p.webp?a=1&amp;b=2\"></p>", "Words") };
    let unknown = Content { media: beside.media[1..].to_vec(), ..content("<p>Words</p>", "Words") };
    let entries = [beside, inside, unknown];
    let entries =
        (1..).zip(&entries).map(|(n, content)| Entry::new(tag(n), DateTime::UNIX_EPOCH, &post(n, "T"), content));
    Feed::new(&site(), entries.collect())
}

#[test]
fn a_podcast_says_what_directories_ask() {
    let podcast = "categories = ['science: nature', 'Technology']\nimage = 'https://example.org/cover é.jpg'\n\
                   email = 'ada@example.org'\ntype = 'serial'";
    let settings = Settings {
        podcast: Some(toml::from_str(podcast).unwrap()),
        content: ContentKind::Summary,
        ..Settings::default()
    };
    let rss = written(&rich(), Format::Rss, &settings);
    insta::assert_snapshot!("podcast-rss.xml", rss);
    reread(rss.as_bytes(), Format::Rss, &rich()).unwrap();
    feed_rs::parser::parse(rss.as_bytes()).unwrap();
    assert!(!written(&nasty(), Format::Rss, &settings).contains("itunes"), "nothing of it can be played");
}

#[test]
fn files_and_pictures_stand_beside_the_text_in_all_formats() {
    let feed = rich();
    let rss = written(&feed, Format::Rss, &Settings::default());
    let channel = ::rss::Channel::read_from(rss.as_bytes()).unwrap();
    let enclosures = channel.items.iter().map(|item| item.enclosure.clone().map(|e| (e.url, e.length, e.mime_type)));
    let owned = |url: &str, length: &str, kind: &str| Some((url.to_owned(), length.to_owned(), kind.to_owned()));
    assert_eq!(
        enclosures.collect::<Vec<_>>(),
        [
            owned("https://example.org/talk%20%C3%A9.mp3?a=1&b=2", "12345678", "audio/mpeg"),
            None,
            owned("https://cdn.example/slides", "0", "application/pdf"),
        ]
    );
    let pictures = |item: &::rss::Item, name: &str| {
        let named = item.extensions.get("media").and_then(|media| media.get(name));
        named.map(|found| found[0].attrs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "))
    };
    let (first, second) = (&channel.items[0], &channel.items[1]);
    let thumbnail = "height=480 url=https://example.org/p.webp?a=1&b=2 width=640";
    assert_eq!(pictures(first, "thumbnail").as_deref(), Some(thumbnail));
    let whole =
        "fileSize=5120 height=480 medium=image type=image/webp url=https://example.org/p.webp?a=1&b=2 width=640";
    assert_eq!(pictures(first, "content").as_deref(), Some(whole));
    assert_eq!(pictures(second, "thumbnail").as_deref(), Some(thumbnail));
    assert_eq!(pictures(second, "content"), None, "its text shows it");

    let summary = Settings { content: ContentKind::Summary, ..Settings::default() };
    let channel = ::rss::Channel::read_from(written(&feed, Format::Rss, &summary).as_bytes()).unwrap();
    assert_eq!(pictures(&channel.items[1], "content").as_deref(), Some(whole), "a summary does not");

    let atom = written(&feed, Format::Atom, &Settings::default()).parse::<atom_syndication::Feed>().unwrap();
    let enclosures: Vec<_> = atom.entries[0].links.iter().filter(|link| link.rel == "enclosure").collect();
    assert_eq!(enclosures.len(), 2);
    assert_eq!((enclosures[0].length.as_deref(), enclosures[1].length.as_deref()), (Some("12345678"), None));
    assert!(atom.entries[0].extensions["media"].contains_key("content"));

    let json: serde_json::Value = serde_json::from_str(&written(&feed, Format::Json, &Settings::default())).unwrap();
    assert_eq!(
        json["items"][0]["attachments"],
        serde_json::json!([
            {"url": "https://example.org/talk%20%C3%A9.mp3?a=1&b=2", "mime_type": "audio/mpeg", "size_in_bytes": 12_345_678, "duration_in_seconds": 3723},
            {"url": "https://cdn.example/slides", "mime_type": "application/pdf"},
        ])
    );
    assert_eq!(json["items"][1]["image"], "https://example.org/p.webp?a=1&b=2");
    assert_eq!(json["items"][1]["attachments"], serde_json::Value::Null);
}

#[test]
fn a_hub_and_a_style_are_named_where_there_are_any() {
    let hub = Url::parse("https://hub.example/?a=1&b=2").unwrap();
    let settings = Settings { hub: Some(hub.clone()), page: false, ..Settings::default() };
    let links = |links: Vec<(String, String)>| links.into_iter().find(|(rel, _)| rel == "hub").map(|(_, href)| href);
    let rss = written(&nasty(), Format::Rss, &settings);
    let channel = ::rss::Channel::read_from(rss.as_bytes()).unwrap();
    let found = channel.atom_ext.unwrap().links.into_iter().map(|link| (link.rel, link.href)).collect();
    assert_eq!(links(found).as_deref(), Some(hub.as_str()));
    let atom = written(&nasty(), Format::Atom, &settings);
    let found = atom.parse::<atom_syndication::Feed>().unwrap().links.into_iter().map(|link| (link.rel, link.href));
    assert_eq!(links(found.collect()).as_deref(), Some(hub.as_str()));
    let json: serde_json::Value = serde_json::from_str(&written(&nasty(), Format::Json, &settings)).unwrap();
    assert_eq!(json["hubs"], serde_json::json!([{"type": "WebSub", "url": hub.as_str()}]));
    assert!(!rss.contains("xml-stylesheet") && !atom.contains("xml-stylesheet"));

    let deep = Url::parse("https://example.org/blog/tag/a/rss.xml").unwrap();
    let rss = String::from_utf8(write(&nasty(), Format::Rss, &deep, &Settings::default()).unwrap()).unwrap();
    assert!(rss.contains("<?xml-stylesheet type=\"text/css\" href=\"../../feeds/feed.css\"?>"), "{rss}");
}

#[test]
fn a_document_says_where_in_the_history_of_its_feed_it_stands() {
    let site = Site { title: "Field Notes".to_owned(), ..site() };
    let settings = Settings::default();
    let scopes = |posts: &[Arc<Post>]| {
        let wanted = scope::Wanted { site: &site, settings: &settings, named: &[], written: &BTreeMap::default() };
        wanted.scopes(posts)
    };
    let scope = &scopes(&[Arc::new(post(1, "One"))])[0];
    let entry = Entry::new(tag(1), DateTime::UNIX_EPOCH, &post(1, "One"), &content("<p>One.</p>", "One."));
    let page = |number, closed| History::Page { number, closed };
    for (name, history, folder) in [
        ("complete", History::Complete, ""),
        ("subscription", History::Subscription { pages: 3 }, ""),
        ("page", page(2, true), "archive/2/"),
        ("last-page", page(3, false), "archive/3/"),
    ] {
        let feed = Feed::of(&site, scope, history, vec![entry.clone()]);
        for format in FORMATS {
            let file = format!("{folder}{}", format.file_name());
            let url = site.url.join(&file).unwrap();
            let bytes = write(&feed, format, &url, &settings).unwrap();
            reread(&bytes, format, &feed).unwrap();
            feed_rs::parser::parse(bytes.as_slice()).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            // The head alone; what follows is as anywhere.
            let end = ["<item>", "<entry>", "\"items\""].iter().find_map(|start| text.find(start)).unwrap();
            insta::assert_snapshot!(format!("history-{name}-{}", format.file_name()), text[..end].trim_end());
        }
    }
}

#[test]
fn feeds_are_found_in_what_posts_say() {
    let all: Settings =
        toml::from_str("for = ['section', 'tag', 'author', 'category', 'language', 'tag']\nlimit = 2").unwrap();
    let named: Vec<Named> = [
        "name = 'birds'\ntitle = 'Of birds'\ntags = ['BIRDS', 'Grey']\nexclude_tags = ['snow']\nlimit = 9",
        "name = 'by-grace'\nauthors = ['grace hopper']\ncontent = 'summary'",
        "name = 'travel'\npath = 'posts/travel/**'",
    ]
    .map(|table| toml::from_str(table).unwrap())
    .into();
    let tagged =
        |number, tags: &[&str]| Post { tags: tags.iter().collect(), authors: Arc::default(), ..post(number, "T") };
    let mut translated = Rare::in_language("de");
    translated.translates = Some("posts/1.md".to_owned());
    let posts = [
        tagged(1, &["Birds", "c++"]),
        Post { authors: [self::named("Grace Hopper")].into(), ..tagged(2, &["birds", "snow"]) },
        Post {
            path: "posts/travel/3.md".to_owned(),
            section: Some("travel".to_owned()),
            ..tagged(3, &["BIRDS", "c#"])
        },
        Post { in_feeds: false, ..tagged(4, &["secret"]) },
        Post { rare: translated, ..tagged(5, &["vögel"]) },
        Post { categories: ["grey"].into_iter().collect(), ..tagged(6, &[]) },
    ]
    .map(Arc::new);
    let site = Site { title: "Notes".to_owned(), ..site() };
    let written = BTreeMap::from([
        ("tag/snow".to_owned(), "SNOW".to_owned()),
        ("tag/gone".to_owned(), "Gone".to_owned()),
        ("archive/1".to_owned(), String::new()),
    ]);
    let wanted = scope::Wanted { site: &site, settings: &all, named: &named, written: &written };
    let found: Vec<String> = wanted
        .scopes(&posts)
        .iter()
        .map(|s| format!("{} | {} | {:?} | {} {:?} {:?}", s.folder, s.title, s.language, s.limit, s.content, s.posts))
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn an_entry_read_back_differs_where_anything_of_it_does() {
    let feed = nasty();
    let settings = Settings::default();
    for format in FORMATS {
        let before = entries_in(written(&feed, format, &settings).as_bytes(), format).unwrap();
        assert_eq!(before, entries_in(written(&feed, format, &settings).as_bytes(), format).unwrap());
        let edits: [fn(&mut Entry); 6] = [
            |entry| entry.title.push('!'),
            |entry| entry.url = Url::parse("https://example.org/elsewhere").unwrap(),
            |entry| entry.published += chrono::TimeDelta::seconds(1),
            |entry| entry.categories.clear(),
            |entry| entry.html = CleanHtml::for_tests("<p>New</p>"),
            |entry| entry.authors = vec![named("Someone")],
        ];
        for edit in edits {
            let mut edited = feed.clone();
            edit(&mut edited.entries[0]);
            let after = entries_in(written(&edited, format, &settings).as_bytes(), format).unwrap();
            assert_eq!(after[1..], before[1..]);
            assert_eq!(after[0].0, before[0].0);
            assert_ne!(after[0].1, before[0].1, "{format}");
        }
    }
}

#[test]
fn what_is_not_the_feed_that_was_meant_is_refused() {
    let feed = nasty();
    for format in FORMATS {
        let good = written(&feed, format, &Settings::default());
        let refused = |text: &str| reread(text.as_bytes(), format, &feed).unwrap_err().to_string();

        // Cut anywhere, it is never taken for whole.
        for end in (0..good.trim_end().len()).filter(|end| good.is_char_boundary(*end)).step_by(7) {
            refused(&good[..end]);
        }
        if let Some(end) = good.rfind("</") {
            refused(&good[..end]);
        }
        refused(&good[..good.trim_end().len() - 1]);
        refused("");
        assert!(reread(b"\xff", format, &feed).is_err());
        assert_eq!(
            refused(&good.replace("Plain.", "Pla\u{85}in.")).split_once(" near ").unwrap().0,
            format!("the {format} feed holds U+0085")
        );
        assert_eq!(
            refused(&good.replace("2026-11-20:2", "2026-11-20:7")),
            format!(
                "the {format} feed is read with the id \"tag:example.org,2026-11-20:7\" where \"tag:example.org,2026-11-20:2\" was meant"
            )
        );
        let fewer = Feed { entries: feed.entries[..2].to_vec(), ..feed.clone() };
        assert_eq!(
            reread(good.as_bytes(), format, &fewer).unwrap_err().to_string(),
            format!("the {format} feed is read with the number of entries \"3\" where \"2\" was meant")
        );
        for other in FORMATS.into_iter().filter(|other| *other != format) {
            assert!(entries_in(good.as_bytes(), other).is_err(), "{format} is no {other}");
        }
    }
}

#[test]
fn feeds_of_others_can_be_read() {
    let rss = "<rss version='2.0'><channel><title>A</title><link>https://a.example/</link><description/>\
        <item><link>https://a.example/1</link></item><item><title>Only</title></item></channel></rss>";
    let json = r#"{"version": "https://jsonfeed.org/version/1", "title": "A", "items": [{"id": 7}, {"url": "x"}]}"#;
    let ids = |bytes: &str, format| -> Vec<String> {
        entries_in(bytes.as_bytes(), format).unwrap().into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(ids(rss, Format::Rss), ["https://a.example/1", "Only"]);
    assert_eq!(ids(json, Format::Json), ["7", ""]);
}

#[test]
fn file_names_and_media_types_are_distinct() {
    assert_eq!(FORMATS.map(Format::file_name).into_iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(FORMATS.map(Format::media_type).into_iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn a_person_has_a_name_and_no_false_address() {
    let given = |name: &str, email: &str| Person { email: Some(email.to_owned()), ..named(name) };
    assert_eq!(person(&given("Ada", "ada at example.org")), Some(named("Ada")));
    assert_eq!(person(&given(" ", "ada@example.org")), Some(given("ada@example.org", "ada@example.org")));
    assert_eq!(person(&given("\u{1}", "")), None);
}

/// Any text at all, with what breaks XML more often than chance would have it.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[]\\[<>&!\"' CDATA-]{0,12}",
        Just("]]>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("&amp;&#x0;".to_owned()),
        Just("\r\n\u{85}\u{2028}\u{feff}".to_owned()),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_a_post_holds_its_feeds_are_read_as_meant(
        title in text(), summary in text(), html in text(), name in text(), tag in text(), site_title in text(), id in text(),
    ) {
        let post = Post { authors: [named(&name)].into(), tags: [tag].into_iter().collect(), ..post(1, &title) };
        let entry = Entry::new(PostId(format!("tag:{id}")), DateTime::UNIX_EPOCH, &post, &content(&html, &summary));
        let site = Site { title: site_title, description: Some(summary), ..site() };
        let markup = entry.markup();
        let feed = Feed::new(&site, vec![entry]);

        let rss = ::rss::Channel::read_from(written(&feed, Format::Rss, &Settings::default()).as_bytes()).unwrap();
        prop_assert_eq!(rss.items[0].content.as_deref().unwrap_or_default().trim(), markup.trim());
        let atom = written(&feed, Format::Atom, &Settings::default()).parse::<atom_syndication::Feed>().unwrap();
        let content = atom.entries[0].content.clone().unwrap();
        prop_assert_eq!(content.value.as_deref().unwrap_or_default().trim(), markup.trim());
        for format in FORMATS {
            for content in [ContentKind::Full, ContentKind::Summary] {
                let settings = Settings { content, ..Settings::default() };
                let bytes = write(&feed, format, &address(format), &settings).unwrap();
                prop_assert_eq!(reread(&bytes, format, &feed), Ok(()));
                prop_assert!(feed_rs::parser::parse(bytes.as_slice()).is_ok());
            }
        }
    }
}
