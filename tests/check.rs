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
