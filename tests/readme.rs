//! What README and the guides tell people to type is there, and the example configuration is one.

use clap::{CommandFactory, Parser};
use postrider::cli::Arguments;
use postrider::config::Config;
use std::path::Path;

const TEXTS: [(&str, &str); 33] = [
    ("README.md", include_str!("../README.md")),
    ("docs/backup.md", include_str!("../docs/backup.md")),
    ("docs/bounces.md", include_str!("../docs/bounces.md")),
    ("docs/by-mail.md", include_str!("../docs/by-mail.md")),
    ("docs/checking.md", include_str!("../docs/checking.md")),
    ("docs/comparison.md", include_str!("../docs/comparison.md")),
    ("docs/delivery.md", include_str!("../docs/delivery.md")),
    ("docs/dkim.md", include_str!("../docs/dkim.md")),
    ("docs/explanation/deliverability.md", include_str!("../docs/explanation/deliverability.md")),
    ("docs/explanation/once.md", include_str!("../docs/explanation/once.md")),
    ("docs/explanation/privacy.md", include_str!("../docs/explanation/privacy.md")),
    ("docs/feeds.md", include_str!("../docs/feeds.md")),
    ("docs/how-to/ci.md", include_str!("../docs/how-to/ci.md")),
    ("docs/how-to/generators.md", include_str!("../docs/how-to/generators.md")),
    ("docs/how-to/migration.md", include_str!("../docs/how-to/migration.md")),
    ("docs/how-to/providers.md", include_str!("../docs/how-to/providers.md")),
    ("docs/how-to/scheduling.md", include_str!("../docs/how-to/scheduling.md")),
    ("docs/introduction.md", include_str!("../docs/introduction.md")),
    ("docs/judges.md", include_str!("../docs/judges.md")),
    ("docs/mails.md", include_str!("../docs/mails.md")),
    ("docs/moving.md", include_str!("../docs/moving.md")),
    ("docs/packages.md", include_str!("../docs/packages.md")),
    ("docs/posts.md", include_str!("../docs/posts.md")),
    ("docs/reference/commands.md", include_str!("../docs/reference/commands.md")),
    ("docs/reference/config.md", include_str!("../docs/reference/config.md")),
    ("docs/reference/exit-codes.md", include_str!("../docs/reference/exit-codes.md")),
    ("docs/reference/metrics.md", include_str!("../docs/reference/metrics.md")),
    ("docs/reference/templates.md", include_str!("../docs/reference/templates.md")),
    ("docs/serving.md", include_str!("../docs/serving.md")),
    ("docs/subscribe.md", include_str!("../docs/subscribe.md")),
    ("docs/torture.md", include_str!("../docs/torture.md")),
    ("docs/tutorial.md", include_str!("../docs/tutorial.md")),
    ("config.toml", include_str!("../config.toml")),
];

#[test]
fn every_command_that_is_named_can_be_typed() {
    let mut tried = 0;
    for (name, text) in TEXTS {
        // Every other piece between backticks is code.
        for line in text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("postrider ")) {
            // Help comes as an error that is none.
            if let Err(error) = Arguments::try_parse_from(line.split_whitespace())
                && error.use_stderr()
            {
                panic!("{name} says `{line}`: {error}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 12, "only {tried} commands were found");
}

#[test]
fn every_command_is_named_in_the_readme() {
    for command in Arguments::command().get_subcommands() {
        let name = command.get_name();
        let named = [format!("`postrider {name}"), format!("`{name} ")];
        assert!(named.iter().any(|code| TEXTS[0].1.contains(code)), "README does not name {name}");
    }
}

#[test]
fn the_example_configuration_is_one() {
    let config =
        Config::parse(TEXTS[TEXTS.len() - 1].1, Path::new("config.toml"), |_| None).expect("config.toml is read");
    assert!(
        config.digests.iter().all(|digest| digest.max_age.is_none() && digest.since.is_some()),
        "it runs on any day"
    );
}

#[test]
fn every_piece_of_configuration_is_understood() {
    let mut tried = 0;
    for (name, text) in TEXTS {
        // What begins with a table is ours; other pieces are of a generator's own configuration.
        let pieces = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        for piece in pieces.filter(|piece| piece.starts_with('[')) {
            let mail = if piece.contains("[mail]\n") { "" } else { "[mail]\nfrom = \"news@example.org\"\n" };
            // Where only the bounces' mailbox matters, From is left out.
            let piece = match piece.contains("from = ") {
                true => piece.to_owned(),
                false => piece.replace("[mail]\n", "[mail]\nfrom = \"news@example.org\"\n"),
            };
            if let Err(error) = Config::parse(&format!("{mail}{piece}\n"), Path::new(name), |_| None) {
                panic!("{error}\n{piece}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 12, "only {tried} were found");
}

#[test]
fn what_differs_on_purpose_is_told_as_the_judges_know_it() {
    let wanted =
        include_str!("judges/wanted.py").lines().filter_map(|line| line.split_once(" = \"")?.1.strip_suffix('"'));
    let wanted: Vec<&str> = wanted.collect();
    let table = include_str!("../docs/posts.md").lines().skip_while(|line| !line.starts_with("| class |")).skip(2);
    let told: Vec<&str> =
        table.take_while(|line| line.starts_with('|')).filter_map(|row| Some(row.split('|').nth(1)?.trim())).collect();
    assert_eq!(told, wanted);
    assert!((1..=8).contains(&wanted.len()), "{wanted:?}");
}
