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
