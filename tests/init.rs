//! `init`: each folder of `tests/corpus/init` is a site with the flags that its author gives; what is written for it stands in
//! `expected.toml`, what is said in `expected.txt`. With `UPDATE_CORPUS=1` they are written, to be read critically.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const NOW: &str = "2026-11-30T12:00:00Z";

fn postrider(site: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postrider"))
        .current_dir(site)
        .args(arguments)
        .args(["--now", NOW])
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/init")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(drop).unwrap() }
    }
}

/// A copy of a site of the corpus, and its author's flags.
fn site(name: &str) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    copy(&corpus().join(name).join("site"), folder.path());
    let flags = fs::read_to_string(corpus().join(name).join("flags")).unwrap();
    (folder, flags.lines().map(str::to_owned).collect())
}

#[test]
fn every_site_of_the_corpus_gets_the_configuration_that_suits_it_and_runs_with_it() {
    let mut seen = 0;
    for entry in fs::read_dir(corpus()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let (folder, flags) = site(&name);
        let flags: Vec<&str> = ["init"].into_iter().chain(flags.iter().map(String::as_str)).collect();
        let output = postrider(folder.path(), &flags);
        assert!(output.status.success(), "{name}: {}", said(&output));
        let written = fs::read_to_string(folder.path().join("postrider.toml")).unwrap();
        for (file, found) in [("expected.toml", written), ("expected.txt", said(&output))] {
            let expected = corpus().join(&name).join(file);
            if std::env::var_os("UPDATE_CORPUS").is_some() {
                fs::write(&expected, &found).unwrap();
            }
            assert_eq!(fs::read_to_string(&expected).unwrap_or_default(), found, "{}", expected.display());
        }
        // What it asks for next works, with the file as it is.
        let next = if flags.contains(&"--transport") { ["status"] } else { ["run"] };
        let output = postrider(folder.path(), &next);
        assert!(output.status.success(), "{name}: {}", said(&output));
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn what_is_there_is_never_written_over() {
    let (folder, _) = site("hugo");
    let init = |arguments: &[&str]| postrider(folder.path(), &[&["init"], arguments].concat());
    assert!(init(&[]).status.success());
    let before = fs::read(folder.path().join("postrider.toml")).unwrap();
    let output = init(&["--from", "news@example.org"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).starts_with("error: postrider.toml is there already\n  help: "), "{}", said(&output));
    assert_eq!(fs::read(folder.path().join("postrider.toml")).unwrap(), before);

    // `config.toml` may be ours, too.
    fs::rename(folder.path().join("postrider.toml"), folder.path().join("config.toml")).unwrap();
    assert!(said(&init(&[])).starts_with("error: config.toml is there already"));
}

#[test]
fn what_nobody_said_is_asked_for_by_its_flag_and_nothing_is_left_behind() {
    let (folder, _) = site("eleventy");
    let init = |arguments: &[&str]| {
        let output = postrider(folder.path(), &[&["init"], arguments].concat());
        assert_ne!(output.status.code(), Some(0));
        said(&output)
    };
    assert!(init(&[]).contains(
        "where the site is served, nor what it is called\n  help: postrider init --url https://example.org/ --title "
    ));
    assert!(init(&["--title", "Field Notes"]).contains("where the site is served\n  help: postrider init --url "));
    assert!(
        init(&["--url", "https://example.org/"]).contains("what the site is called\n  help: postrider init --title ")
    );
    let known = ["--url", "https://example.org/", "--title", "Field Notes"];
    let with = |more: &[&'static str]| [&known[..], more].concat();
    assert!(init(&with(&["--schedule", "daily"])).contains("add --from"));
    for (flag, wrong, sentence) in [
        ("--from", "nobody", "@"),
        ("--schedule", "0 9 31 2 *", "never"),
        ("--timezone", "Middle/Earth", "such as Europe/Berlin"),
        ("--transport", "ftp://example.org", "mail.transport must be"),
        ("--since", "yesterday", "write a day like"),
    ] {
        let heard = init(&with(&[flag, wrong]));
        assert!(heard.contains(sentence), "{flag} {wrong}: {heard}");
    }
    assert!(!folder.path().join("postrider.toml").exists() && !folder.path().join(".postrider").exists());
}

#[test]
fn what_a_new_site_is_called_before_its_author_has_a_name_for_it_is_not_taken() {
    for (file, text) in [
        ("_config.yml", "title: Your awesome title\nurl: \"\"\n"),
        ("config.toml", "baseURL = 'http://example.org/'\nlanguageCode = 'en-us'\ntitle = 'My New Hugo Site'\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file), text).unwrap();
        fs::create_dir(folder.path().join("content")).unwrap();
        let heard = said(&postrider(folder.path(), &["init"]));
        assert!(heard.contains("where the site is served, nor what it is called"), "{file}: {heard}");
        let told = ["init", "--url", "https://example.org/", "--title", "Field Notes"];
        let output = postrider(folder.path(), &told);
        assert!(output.status.success(), "{file}: {}", said(&output));
    }
}

#[test]
fn a_dry_run_prints_the_file_and_writes_nothing() {
    let (folder, _) = site("hugo");
    let output = postrider(folder.path(), &["init", "--dry-run", "--from", "news@example.org"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("[[digest]]\nname = \"weekly\""));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "config.toml and content");
}

#[test]
fn with_a_real_way_out_a_store_that_is_lost_stops_the_run() {
    let (folder, flags) = site("plain");
    let flags: Vec<&str> = ["init"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    assert!(postrider(folder.path(), &flags).status.success());
    fs::remove_file(folder.path().join(".postrider/postrider.db")).unwrap();
    let output = postrider(folder.path(), &["plan"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("there is no store at"), "{}", said(&output));
}

#[test]
fn for_machines_there_is_one_document_the_plan() {
    let (folder, flags) = site("zola");
    let flags: Vec<&str> = ["init", "--json"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let output = postrider(folder.path(), &flags);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(plan["posts"]["published"], 1);
    assert_eq!(plan["digests"][0]["name"], "posts");
}
