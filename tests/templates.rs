//! `postrider templates`: what can be edited is shown and copied, and never overwritten.

use std::path::Path;
use std::process::Command;

fn templates(site: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_postrider"))
        .current_dir(site)
        .arg("templates")
        .args(arguments)
        .output()
        .expect("it runs");
    let said = |bytes| String::from_utf8(bytes).expect("UTF-8");
    if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
}

#[test]
fn a_built_in_template_is_shown_copied_once_and_then_ones_own() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::write(site.path().join("postrider.toml"), "[posts]\n").expect("writable");
    let run = |arguments: &[&str]| templates(site.path(), arguments);
    let name = "letter/body.html.j2";
    let shown = run(&["show", name]).expect("shown");
    assert!(run(&["list"]).expect("listed").lines().any(|line| line == name));
    assert!(run(&["copy", name]).expect("copied").contains("{% extends \"default/letter/body.html.j2\" %}"));
    let own = site.path().join("templates").join(name);
    assert_eq!(std::fs::read_to_string(&own).expect("it is there").trim_end(), shown.trim_end());
    std::fs::write(&own, "Mine").expect("writable");
    assert!(run(&["copy", name]).unwrap_err().contains("is there already"));
    assert_eq!(run(&["show", name]).as_deref(), Ok("Mine\n"));
    assert_eq!(run(&["show", "default/letter/body.html.j2"]), Ok(shown));
    let listed = run(&["list", "--json"]).expect("listed");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let rows = listed["templates"].as_array().expect("rows");
    assert_eq!(rows.iter().filter(|row| row["own"] == true).count(), 1);
    assert!(run(&["show", "strings/ar.toml"]).expect("shown").contains("few ="));
    assert!(run(&["copy", "../config.toml"]).unwrap_err().contains("`postrider templates list`"));
}

#[test]
fn everything_that_is_listed_can_be_ones_own() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::write(site.path().join("postrider.toml"), "[posts]\n").expect("writable");
    let run = |arguments: &[&str]| templates(site.path(), arguments).expect("it can");
    for name in run(&["list"]).lines() {
        run(&["copy", name]);
    }
    let listed = run(&["list"]);
    let all = listed.lines().all(|line| line.ends_with("yours, in place of the built-in one"));
    assert!(all && listed.contains("feeds/feed.css.j2"), "{listed}");
}
