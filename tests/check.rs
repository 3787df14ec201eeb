//! `check`: for each folder of `tests/corpus/check`, a blog with its configuration, what it says stands in `expected.txt`, and as a
//! document in `expected.json`. With `UPDATE_CORPUS=1` they are written, to be read critically.

use std::path::Path;
use std::process::{Command, Output};

fn check(blog: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postrider"))
        .current_dir(blog)
        .args(["check", "--now", "2026-11-23T12:00:00Z"])
        .args(arguments)
        .output()
        .expect("it runs")
}

#[test]
fn every_blog_of_the_corpus_is_judged_as_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/check");
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus") {
        let blog = entry.expect("readable").path();
        for (arguments, expected) in [(&[][..], "expected.txt"), (&["--json"][..], "expected.json")] {
            let output = check(&blog, arguments);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let found = String::from_utf8(output.stdout).expect("UTF-8");
            let expected = blog.join(expected);
            if std::env::var_os("UPDATE_CORPUS").is_some() {
                std::fs::write(&expected, &found).expect("writable");
            }
            assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), found, "{}", expected.display());
        }
        assert!(!blog.join("public").exists() && !blog.join("postrider.db").exists(), "it changed something");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn named_files_alone_and_strictly() {
    let blog = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/check/jekyll");
    let output = check(&blog, &["_posts/2026-01-06-g.md", "--strict"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "6 posts published; nothing to complain of\n");
    let output = check(&blog, &["_posts", "--strict"]);
    assert_eq!(output.status.code(), Some(3));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("_posts/2026-01-02-b.md:2:9: error: ") && !shown.contains("_drafts"), "{shown}");
}

/// The feeds of `tests/corpus/check-feeds`, each with what is said of it in `<name>.expected`.
#[test]
fn every_feed_of_the_corpus_is_judged_as_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/check-feeds");
    let mut seen = 0;
    for entry in std::fs::read_dir(&corpus).expect("the corpus") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        if name.ends_with(".expected") || name.starts_with('.') {
            continue;
        }
        let output = check(&corpus, &[&name]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let found = String::from_utf8(output.stdout).expect("UTF-8");
        let expected = corpus.join(format!("{name}.expected"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::write(&expected, &found).expect("writable");
        }
        assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), found, "{name}");
        assert_eq!(name.starts_with("good"), found.ends_with("nothing to complain of\n"), "{found}");
        seen += 1;
    }
    assert!(seen >= 30, "only {seen}");
}

#[test]
fn our_own_feeds_have_no_findings() {
    for name in ["jekyll-feed", "hugo", "zola", "eleventy", "pelican", "wordpress", "ghost"] {
        let blog = tempfile::tempdir().expect("a folder to write to");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/adopt").join(name);
        assert!(Command::new("cp").arg("-R").arg(from.join(".")).arg(blog.path()).status().expect("cp(1)").success());
        let build = Command::new(env!("CARGO_BIN_EXE_postrider")).current_dir(blog.path()).arg("build").output();
        assert!(build.expect("it runs").status.success());
        let output = check(blog.path(), &["--strict", "public/rss.xml", "public/atom.xml", "public/feed.json"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!((output.status.code(), said.matches("nothing to complain of").count()), (Some(0), 3), "{said}");
    }
}

#[test]
fn feeds_and_posts_may_stand_together_and_a_feed_needs_no_blog() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let output = check(&corpus.join("check/jekyll"), &["_posts/2026-01-06-g.md", "../../check-feeds/good.rss.xml"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        said,
        "../../check-feeds/good.rss.xml: RSS 2.0, 1 entry; nothing to complain of\n6 posts published; nothing to complain of\n"
    );
    let output = check(&corpus.join("check-feeds"), &["--json", "--strict", "cut-off.xml"]);
    assert_eq!(output.status.code(), Some(3));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = found["findings"].as_array().expect("a list");
    let error = findings.iter().find(|finding| finding["severity"] == "error").expect("it is cut off");
    assert_eq!((&error["path"], &error["line"]), (&"cut-off.xml".into(), &11.into()), "{found:#}");
    assert!(error["help"].is_string());
    let output = check(&corpus, &["missing.xml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.xml cannot be read"));
}

/// The mails of `tests/corpus/check-mail`, each with what is said of it in `<name>.expected`.
#[test]
fn every_mail_of_the_corpus_is_judged_as_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/check-mail");
    let mut seen = 0;
    for entry in std::fs::read_dir(&corpus).expect("the corpus") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        if !name.ends_with(".eml") {
            continue;
        }
        let output = check(&corpus, &[&name]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let found = String::from_utf8(output.stdout).expect("UTF-8");
        let expected = corpus.join(format!("{name}.expected"));
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::write(&expected, &found).expect("writable");
        }
        assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), found, "{name}");
        let good = !found.contains(": warning: ") && !found.contains(": error: ") && !found.contains(" note: ");
        assert!(!name.starts_with("good.") || good, "{found}");
        seen += 1;
    }
    assert!(seen >= 40, "only {seen}");
}

/// The example site with each layout, and the mail that `send` makes of it.
#[test]
fn the_built_in_layouts_have_no_warning() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    for layout in ["digest", "letter", "headlines", "full"] {
        let site = tempfile::tempdir().expect("a folder to write to");
        let posts = Command::new("cp").arg("-R").arg(project.join("posts")).arg(site.path()).status();
        assert!(posts.expect("cp(1)").success());
        let config = std::fs::read_to_string(project.join("config.toml")).expect("the example");
        let config = config
            .replace("layout = \"digest\"", &format!("layout = \"{layout}\""))
            .replace("# public_url", "public_url");
        assert!(config.contains(&format!("layout = \"{layout}\"")) && config.contains("\npublic_url"));
        std::fs::write(site.path().join("config.toml"), config).expect("writable");
        std::fs::write(site.path().join("subscribers.csv"), "email\n").expect("writable");
        let output = check(site.path(), &["--strict"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{layout}: {said}");
        assert!(said.contains("\n1 mail to come; "), "{layout}: {said}");
        let send = ["send", "weekly", "--to", "you@example.org", "--now", "2026-11-23T12:00:00Z"];
        let sent = Command::new(env!("CARGO_BIN_EXE_postrider")).current_dir(site.path()).args(send).output();
        assert!(sent.expect("it runs").status.success());
        let folder = site.path().join("outbox/test/weekly");
        let mail = std::fs::read_dir(folder).expect("an outbox").next().expect("a mail").expect("readable").path();
        let output = check(site.path(), &["--strict", mail.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{layout}: {said}");
    }
}

#[test]
fn heavy_pictures_and_large_mails_are_told() {
    let site = tempfile::tempdir().expect("a folder to write to");
    let write = |name: &str, bytes: &[u8]| std::fs::write(site.path().join(name), bytes).expect("writable");
    let config = "[site]\ntitle = 'Blog'\nurl = 'https://example.org/'\n[posts]\ndir = '.'\n[mail]\nfrom = 'a@example.org'\n\
                  postal_address = 'Chicago'\n[web]\npublic_url = 'https://news.example.org'\n\
                  [[digest]]\nname = 'weekly'\nschedule = '0 9 * * MON'\ncontent = 'full'\n[store]\nmust_exist = true\n";
    write("postrider.toml", config.as_bytes());
    for n in 1..=3 {
        // As far as anybody looks, this is a PNG of 100 by 100.
        let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x64\0\0\0\x64".to_vec();
        picture.resize(2_100_000, 0);
        write(&format!("{n}.png"), &picture);
        let words = "Ferns on the window pane, drawn in one night. ".repeat(9);
        write(
            &format!("2026-11-0{n}-frost.md"),
            format!("---\ntitle: Frost {n}\n---\n{words}\n\n![Ferns](/{n}.png)\n").as_bytes(),
        );
    }
    let said = String::from_utf8(check(site.path(), &[]).stdout).expect("UTF-8");
    assert!(said.contains("2026-11-01-frost.md:6:10: warning: The picture has 2.1 MB: "), "{said}");
    assert!(said.contains("postrider.toml:12: warning: The pictures have 6.3 MB together: "), "{said}");
    // Where the store is not at hand, which would stop a run, the mails are judged all the same.
    assert!(
        said.contains("postrider.toml:16: note: there is no store at ./postrider.db, and store.must_exist is true"),
        "{said}"
    );
    assert!(said.ends_with("1 mail to come; 4 warnings\nthe way out and the store; 1 note\n"), "{said}");
    assert!(!site.path().join("postrider.db").exists());
    // Over the limit of Gmail, of the message as a whole, and of a style.
    let good = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/check-mail/good.eml"));
    let good = good.expect("the corpus");
    let large = |find: &str, line: &str, times: usize| good.replace(find, &format!("{}{find}", line.repeat(times)));
    let paragraph = format!("<p>{}</p>\n", "frost ".repeat(100));
    for (mail, expected) in [
        (large("</body>", &paragraph, 140), "warning: The HTML has 83 KB, and Gmail cuts it off at 102"),
        (large("</body>", &paragraph, 180), "error: The HTML has 107 KB: Gmail cuts it off at 102"),
        (large("</html>", "<!-- frost -->\n", 70_000), "warning: The message has 1051 KB, "),
        (
            large("</head>", "<style>p { color: #111; margin: 0; }</style>\n", 1)
                .replace("margin: 0;", &"margin: 0;\n".repeat(1_600)),
            "warning: A <style> has 17 KB: ",
        ),
    ] {
        write("large.eml", mail.as_bytes());
        let said = String::from_utf8(check(site.path(), &["large.eml"]).stdout).expect("UTF-8");
        assert!(said.contains(&format!("large.eml: {expected}")), "{expected}: {said}");
    }
}

#[test]
fn a_feed_of_one_line_costs_no_more_than_its_length() {
    let entry = |n: usize| {
        format!(
            "<entry><id>urn:{n}</id><title>T</title><link href='https://example.org/{n}'/><updated>2026-01-01T00:00:00Z</updated>\
             <content type='html'>&lt;a href=\"/x\"&gt;x&lt;/a&gt;</content></entry>"
        )
    };
    let entries: String = (0..11_000).map(entry).collect();
    let head = "<title>t</title><id>urn:x</id><updated>2026-01-01T00:00:00Z</updated>";
    let feed = format!("<feed xmlns='http://www.w3.org/2005/Atom'>{head}{entries}</feed>");
    let judged = postrider::check::feed::judge("one.xml", feed.as_bytes(), None, chrono::DateTime::UNIX_EPOCH);
    let shown: Vec<_> = judged.findings.iter().filter_map(|found| found.shown.as_ref()).collect();
    assert!(shown.iter().all(|shown| shown.text.len() <= 120 && shown.before < 120));
    assert!(shown.iter().filter(|shown| shown.text.contains("&lt;a href=\"/x\"")).count() > 5, "around the place");
    assert!(judged.findings.iter().any(|found| found.message.contains("(and 10990 more places like this)")));
}
