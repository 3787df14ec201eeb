//! What packages bring beside the program says what the program says.

#[path = "../examples/manual.rs"]
#[expect(dead_code, reason = "its main is cargo's to run")]
mod manual;

use clap::{Arg, Command, CommandFactory, Parser};
use postrider::cli::Arguments;
use postrider::config::Config;
use std::cell::RefCell;
use std::fs;
use std::path::Path;
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

#[test]
fn the_units_start_commands_that_can_be_typed() {
    let units = [
        ("postrider.service", include_str!("../packaging/systemd/postrider.service")),
        ("postrider-run.service", include_str!("../packaging/systemd/postrider-run.service")),
    ];
    for (name, unit) in units {
        // In comments, too: they are there to be copied.
        let lines = unit.lines().filter_map(|line| line.trim_start_matches(['#', ' ']).strip_prefix("ExecStart="));
        let typed: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        assert!(!typed.is_empty(), "{name} starts nothing");
        for line in typed {
            assert!(line.starts_with("/usr/bin/postrider "), "{name} starts {line}");
            if let Err(error) = Arguments::try_parse_from(line.split_whitespace()) {
                panic!("{name} starts `{line}`: {error}");
            }
        }
    }
}

#[test]
fn both_units_are_shut_in_alike() {
    let sandbox = |unit: &'static str| -> Vec<&str> {
        unit.lines()
            .filter(|line| !line.starts_with('#'))
            .skip_while(|line| !line.starts_with("WorkingDirectory="))
            .take_while(|line| !line.starts_with('['))
            .filter(|line| !line.is_empty())
            .collect()
    };
    let serve = sandbox(include_str!("../packaging/systemd/postrider.service"));
    assert!(serve.contains(&"ProtectSystem=strict"), "{serve:#?}");
    assert_eq!(serve, sandbox(include_str!("../packaging/systemd/postrider-run.service")));
}

#[test]
fn the_configuration_for_ci_keeps_its_secrets_in_the_environment() {
    let text = include_str!("../packaging/ci/postrider.toml");
    let asked = RefCell::new(Vec::new());
    let lookup = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        Some("secret".to_owned())
    };
    let config = Config::parse(text, Path::new("postrider.toml"), lookup).expect("it is read");
    assert!(config.store.must_exist());
    let asked = asked.into_inner();
    assert_eq!(asked, ["SMTP_PASSWORD", "POSTRIDER_STATE_KEY"]);
    for example in ["github", "gitlab", "forgejo"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("packaging/ci/{example}.yml"));
        let text = fs::read_to_string(&path).expect("an example");
        for name in &asked {
            assert!(text.contains(name), "{example}.yml does not name {name}");
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
