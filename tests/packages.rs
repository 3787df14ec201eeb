//! What packages bring beside the program says what the program says.

#[path = "../examples/manual.rs"]
#[expect(dead_code, reason = "its main is cargo's to run")]
mod manual;

use clap::{Arg, Command, CommandFactory};
use postrider::cli::Arguments;
use std::fs;
use tempfile::TempDir;

/// Every command as it is typed, and what belongs to it.
fn commands() -> Vec<(String, Command)> {
    fn collect(command: &Command, above: &str, all: &mut Vec<(String, Command)>) {
        let name =
            if above.is_empty() { command.get_name().to_owned() } else { format!("{above} {}", command.get_name()) };
        for below in command.get_subcommands() {
            collect(below, &name, all);
        }
        all.push((name, command.clone()));
    }
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    let mut all = Vec::new();
    collect(&root, "", &mut all);
    all
}

#[test]
fn each_command_has_a_page_that_names_all_its_options() {
    let dir = TempDir::new().expect("a folder");
    manual::write(dir.path()).expect("written");
    let commands = commands();
    for (name, command) in &commands {
        let file = format!("{}.1", name.replace(' ', "-"));
        let page = fs::read_to_string(dir.path().join("man1").join(&file)).expect("a page");
        // roff writes a hyphen that can be copied as \-.
        let plain = page.replace("\\-", "-");
        assert!(plain.contains(&format!("\\fB{name}\\fR")), "{file} does not show how {name} is typed");
        for option in command.get_arguments() {
            let option = spelled(option);
            assert!(plain.contains(&option), "{file} does not name {option}");
        }
        for below in command.get_subcommands() {
            let below = format!("{}-{}(1)", name.replace(' ', "-"), below.get_name());
            assert!(plain.contains(&below), "{file} does not lead to {below}");
        }
    }
    assert_eq!(fs::read_dir(dir.path().join("man1")).expect("pages").count(), commands.len());
    assert!(commands.len() > 20, "only {} commands", commands.len());
}

#[test]
fn each_shell_completes_all_commands_and_options() {
    let dir = TempDir::new().expect("a folder");
    manual::write(dir.path()).expect("written");
    for file in ["bash/postrider.bash", "zsh/_postrider", "fish/postrider.fish"] {
        let text = fs::read_to_string(dir.path().join(file)).expect("a script");
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
        for (name, command) in commands() {
            let word = name.rsplit(' ').next().unwrap_or(&name);
            assert!(words.contains(&word), "{file} does not know {name}");
            for long in command.get_arguments().filter_map(Arg::get_long) {
                // fish writes `-l long`.
                assert!(
                    words.contains(&long) || words.contains(&&*format!("--{long}")),
                    "{file} does not know --{long}"
                );
            }
        }
    }
}

fn spelled(option: &Arg) -> String {
    match (option.get_long(), option.get_value_names()) {
        (Some(long), _) => format!("\\fB--{long}\\fR"),
        (None, Some(names)) => format!("\\fI{}\\fR", names[0]),
        (None, None) => format!("\\fI{}\\fR", option.get_id()),
    }
}
