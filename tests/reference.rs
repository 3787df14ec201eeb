//! The pages in docs/reference are what the program says of itself: its command line, the types of its configuration and of its
//! templates with their comments, its documents, its metrics. With `UPDATE_CORPUS=1` they are written, to be read critically.

use crate::support::sink::{Settings, Sink};
use crate::support::site::{EDITION, NOON, Plan, Site, readers};
use crate::support::web::Served;
use clap::{Arg, Command, CommandFactory};
use postrider::cli::Arguments;
use postrider::config::Config;
use postrider::template::context::{
    ConfirmPage, Digest, DonePage, EditionsPage, ErrorPage, FeedsPage, FormPage, LeftPage, Letter, PreferencesPage,
    UnsubscribePage,
};
use postrider::template::{EMBEDDED, Error, LAYOUTS, LETTERS, Templates};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const CONFIG: &str = include_str!("../config.toml");
const CONTEXTS: [&str; 4] = [
    include_str!("../src/template/context.rs"),
    include_str!("../src/template/context/lists.rs"),
    include_str!("../src/template/context/people.rs"),
    include_str!("../src/template/theme.rs"),
];

/// Each table of the configuration: how it is begun, and the type that it is read into.
const TABLES: [(&str, &str, &str); 25] = [
    ("[site]", "SiteTable", include_str!("../src/config.rs")),
    ("[site.author]", "Person", include_str!("../src/post/mod.rs")),
    ("[posts]", "Settings", include_str!("../src/post/settings.rs")),
    ("[feeds]", "Settings", include_str!("../src/feed/settings.rs")),
    ("[feeds.podcast]", "Podcast", include_str!("../src/feed/podcast.rs")),
    ("[[feed]]", "Named", include_str!("../src/feed/settings.rs")),
    ("[mail]", "Settings", include_str!("../src/message/settings.rs")),
    ("[[mail.dkim]]", "Dkim", include_str!("../src/message/settings.rs")),
    ("[delivery]", "Settings", include_str!("../src/delivery/mod.rs")),
    ("[delivery.domains]", "", ""),
    ("[[relay]]", "Settings", include_str!("../src/delivery/relay.rs")),
    ("[relay.domains]", "", ""),
    ("[relay.warm_up]", "WarmUp", include_str!("../src/delivery/relay.rs")),
    ("[[digest]]", "Settings", include_str!("../src/edition/mod.rs")),
    ("[theme]", "Settings", include_str!("../src/template/theme.rs")),
    ("[theme.dark]", "Dark", include_str!("../src/template/theme.rs")),
    ("[subscribers]", "Settings", include_str!("../src/subscriber/mod.rs")),
    ("[subscribe]", "Settings", include_str!("../src/subscriber/asking.rs")),
    ("[inbox]", "Inbox", include_str!("../src/bounce/settings.rs")),
    ("[bounces]", "Settings", include_str!("../src/bounce/settings.rs")),
    ("[web]", "Web", include_str!("../src/config/web.rs")),
    ("[web.hooks]", "Hooks", include_str!("../src/config/web.rs")),
    ("[hooks]", "Hooks", include_str!("../src/config/hooks.rs")),
    ("[store]", "Store", include_str!("../src/config/store.rs")),
    ("", "Config", include_str!("../src/config.rs")),
];

/// Holds a page against what it should be, or writes it.
#[track_caller]
fn is_page(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        std::fs::write(&path, text).expect("the folder of the pages");
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == text,
        "docs/reference/{name} is behind the code; write it with UPDATE_CORPUS=1 cargo test --test main -- reference::\n{}",
        text.lines().zip(is.lines()).find(|(new, old)| new != old).map_or("", |(new, _)| new)
    );
}

/// Text as it may stand in a cell.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split('`').enumerate() {
        if at > 0 {
            out.push('`');
        }
        let piece = piece.replace('|', "\\|");
        out += &if at % 2 == 1 { piece } else { piece.replace('<', "&lt;") };
    }
    out
}

/// A field of a type, as its source has it.
#[derive(Clone, Debug, Default)]
struct Field {
    name: String,
    kind: String,
    says: String,
    is_flat: bool,
    is_required: bool,
}

/// A type with its comment and fields.
#[derive(Clone, Debug, Default)]
struct Type {
    name: String,
    says: String,
    fields: Vec<Field>,
}

/// The types with public fields in a source file, in order.
fn types(source: &str) -> Vec<Type> {
    let mut types: Vec<Type> = Vec::new();
    let (mut says, mut renamed, mut attributes) = (String::new(), None, String::new());
    let (mut is_open, mut is_optional) = (false, false);
    for line in source.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("///") {
            says = format!("{says} {}", said.trim()).trim().to_owned();
        } else if line.starts_with("#[serde(") {
            attributes += line;
            renamed = line.split_once("rename = \"").and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()));
        } else if !line.starts_with("#[") {
            if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
                types.push(Type { name: name.to_owned(), says: says.clone(), fields: Vec::new() });
                (is_open, is_optional) = (true, attributes.contains("default"));
            } else if line == "}" {
                is_open = false;
            } else if let Some((name, kind)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "))
                && let Some(last) = types.last_mut().filter(|_| is_open)
            {
                let (name, kind) = (renamed.take().unwrap_or(name.to_owned()), kind.trim_end_matches(',').to_owned());
                let is_required = !is_optional && !kind.starts_with("Option<") && !attributes.contains("default");
                let is_flat = attributes.contains("flatten");
                last.fields.push(Field { name, kind, says: unlinked(&says), is_flat, is_required });
            }
            (says, renamed, attributes) = (String::new(), None, String::new());
        }
    }
    types
}

/// A comment without the links of rustdoc.
fn unlinked(says: &str) -> String {
    says.replace("[`", "`").replace("`]", "`")
}

// ---- config.md

/// The keys that a table knows, from the error about one that it does not.
fn known(table: &str) -> Vec<String> {
    let wrong = "a-key-that-is-like-no-other = 1";
    let text = match table {
        "" => format!("{wrong}\n[posts]\n"),
        "[posts]" => format!("[posts]\n{wrong}\n"),
        "[relay.warm_up]" => format!("[posts]\n[[relay]]\n{table}\n{wrong}\n"),
        _ => format!("[posts]\n{table}\n{wrong}\n"),
    };
    let error = Config::parse(&text, Path::new("config.toml"), |_| None).expect_err("the key is not known").to_string();
    let (_, known) = error.split_once("help: known here are ").unwrap_or_else(|| panic!("{table}: {error}"));
    known.split(", ").map(str::to_owned).collect()
}

/// A key as config.toml shows it.
#[derive(Clone, Debug, Default)]
struct Shown {
    values: Vec<String>,
    says: String,
    is_commented: bool,
}

/// The tables of config.toml: what stands behind each one's name, and its keys. What is commented out counts.
fn shown() -> BTreeMap<String, (String, BTreeMap<String, Shown>)> {
    let mut tables: BTreeMap<String, (String, BTreeMap<String, Shown>)> = BTreeMap::new();
    let (mut table, mut last) = (String::new(), String::new());
    for line in CONFIG.lines() {
        let is_commented = line.starts_with("# ");
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let (code, comment) = parted(bare);
        if code.starts_with('[') && code.ends_with(']') {
            table = code.to_owned();
            tables.entry(table.clone()).or_default().0 = comment.to_owned();
        } else if let Some((key, value)) =
            code.split_once(" = ").filter(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        {
            let shown = tables.entry(table.clone()).or_default().1.entry(key.to_owned()).or_default();
            shown.is_commented = is_commented && (shown.values.is_empty() || shown.is_commented);
            shown.values.push(value.to_owned());
            shown.says = join(&shown.says, comment);
            key.clone_into(&mut last);
        } else if let Some(more) = line.strip_prefix('#').and_then(|rest| rest.trim_start().strip_prefix("# ")) {
            // A comment that goes on.
            let shown = tables.get_mut(&table).and_then(|(_, keys)| keys.get_mut(&last)).expect("a key before it");
            shown.says = join(&shown.says, more);
        }
    }
    tables
}

fn join(said: &str, more: &str) -> String {
    [said, more].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("; ")
}

/// A line of TOML, and the comment at its end.
fn parted(line: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '#') => return (line[..at].trim(), line[at + 1..].trim()),
            _ => {}
        }
    }
    (line.trim(), "")
}

#[test]
fn the_configuration() {
    let shown = shown();
    let mut text = "# Configuration\n\nEvery key that `postrider.toml` (or `config.toml`) may hold. Any other is an error that names the \
        nearest. The values are those of the example, [config.toml](../../config.toml), which runs as it is; *italic* ones stand there commented \
        out. Paths are relative to the file, durations are `90s`, `15m`, `24h`, `3d`. `site.title` and `site.url` are needed where the site's own configuration does not give them. Any string may hold `${NAME}`, looked up in the \
        environment where it is used.\n"
        .to_owned();
    for (table, kind, source) in TABLES.iter().filter(|(table, ..)| !table.is_empty()) {
        let _ = write!(text, "\n## {table}\n\n");
        let nothing = Default::default();
        let (about, keys) = shown.get(*table).unwrap_or(&nothing);
        if !about.is_empty() {
            let _ = write!(text, "{}.\n\n", linked(&capital(about)));
        }
        if table.ends_with(".domains]") {
            text += "Its keys are domains of readers, its values a rate (`\"20/s\"`) or a list of rates that all hold for what goes there.\n";
            continue;
        }
        let types = types(source);
        let fields = &types.iter().find(|known| known.name == *kind).expect(kind).fields;
        text += "| key | value | says |\n|---|---|---|\n";
        let known = known(table);
        for key in &known {
            let field = fields.iter().find(|field| field.name == *key);
            let field = field.unwrap_or_else(|| panic!("{table} {key} is no field of {kind} in its source"));
            let example = keys.get(key).cloned().unwrap_or_default();
            let mark = if example.is_commented { "*" } else { "" };
            let values = example.values.iter().map(|value| format!("{mark}`{}`{mark}", cell_code(value)));
            let values = values.collect::<Vec<_>>().join("<br>");
            let says = if example.says.is_empty() { &field.says } else { &example.says };
            assert!(!says.is_empty(), "{table} {key} is explained nowhere");
            let required = if field.is_required { "Required. " } else { "" };
            let _ = writeln!(text, "| `{key}` | {values} | {required}{} |", linked(&cell(&sentence(says))));
        }
        let unknown: Vec<_> = keys.keys().filter(|key| !known.contains(key)).collect();
        assert!(unknown.is_empty(), "config.toml shows {unknown:?} in {table}");
    }
    is_page("config.md", &text);
}

/// Guides that are named become links.
fn linked(text: &str) -> String {
    let word = |word: &str| match word.strip_prefix("docs/").and_then(|rest| rest.split_once(".md")) {
        Some((name, rest)) => format!("[{name}](../{name}.md){rest}"),
        None => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn cell_code(code: &str) -> String {
    code.replace('|', "\\|")
}

/// What a comment says, as a sentence begins; not where it begins with a value as it is typed: `auto | jekyll`, `true: …`, `rss.xml`.
fn sentence(comment: &str) -> String {
    let mut words = comment.split(' ');
    let first = words.next().unwrap_or_default();
    let is_typed = words.next().is_some_and(|next| next.starts_with(['|', '(']));
    match is_typed || !first.chars().all(char::is_alphabetic) {
        true => comment.to_owned(),
        false => capital(comment),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[test]
fn every_table_is_told() {
    let name = |table: &str| table.trim_matches(['[', ']']).split('.').next().unwrap_or_default().to_owned();
    let told: BTreeSet<String> = TABLES.iter().map(|(table, ..)| name(table)).filter(|name| !name.is_empty()).collect();
    assert_eq!(told, known("").into_iter().collect());
    let told: BTreeSet<&str> = TABLES.iter().map(|(table, ..)| *table).collect();
    let shown = shown();
    let missing: Vec<_> = shown.keys().filter(|table| !told.contains(table.as_str())).collect();
    assert!(missing.is_empty(), "config.toml has {missing:?}");
}

// ---- commands.md

#[test]
fn the_commands() {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut text = "# Commands\n\nWhat `--help` says, of all commands. `postrider help` is not one; every command has `--help`.\n\n\
        ## Everywhere\n\n"
        .to_owned();
    write_arguments(&mut text, command.get_arguments().filter(|argument| argument.is_global_set()));
    for below in command.get_subcommands() {
        write_command(&mut text, below, "postrider");
    }
    is_page("commands.md", &text);
}

fn write_command(text: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## {name}\n\n{}.\n", cell(about.trim_end_matches('.')));
    if command.has_subcommands() {
        for below in command.get_subcommands() {
            write_command(text, below, &name);
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let _ = write!(text, "\n```text\n{usage}\n```\n");
    let own: Vec<&Arg> = command.get_arguments().filter(|argument| !argument.is_global_set()).collect();
    if own.iter().any(|argument| argument.get_id() != "help") {
        text.push('\n');
        write_arguments(text, own.into_iter());
    }
}

fn write_arguments<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    text.push_str("| | |\n|---|---|\n");
    for argument in arguments.filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version")) {
        let takes = argument.get_action().takes_values();
        let value = argument.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let value = if takes { format!("<{value}>") } else { String::new() };
        let written = match (argument.get_short(), argument.get_long()) {
            (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
            (None, Some(long)) => format!("--{long} {value}"),
            _ => value,
        };
        let mut says = cell(&argument.get_help().map(ToString::to_string).unwrap_or_default());
        let possible: Vec<String> =
            argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if takes && !possible.is_empty() {
            let _ = write!(says, ": {}", possible.join(", "));
        }
        let default: Vec<_> = argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
        if takes && default.iter().any(|value| !value.is_empty()) {
            let _ = write!(says, " (default: `{}`)", default.join(" "));
        }
        let _ = writeln!(text, "| `{}` | {says} |", written.trim());
    }
}

// ---- templates.md

/// Renders an embedded template with the sample of its type, and names that. The frames and parts of others have none.
fn rendered(templates: &Templates, name: &str) -> Option<(&'static str, Result<String, Error>)> {
    let folder = name.split('/').next().unwrap_or_default();
    Some(match name {
        _ if LAYOUTS.contains(&folder) => ("Digest", templates.render(name, &Digest::sample())),
        _ if LETTERS.contains(&folder) => ("Letter", templates.render(name, &Letter::samples()[0])),
        "editions/entry.html.j2" => ("Digest", templates.render(name, &Digest::sample())),
        "editions/index.html.j2" => ("EditionsPage", templates.render(name, &EditionsPage::sample())),
        "feeds/index.html.j2" | "feeds/feed.css.j2" => ("FeedsPage", templates.render(name, &FeedsPage::sample())),
        "web/subscribe.html.j2" | "web/snippet.html.j2" | "web/links.html.j2" => {
            ("FormPage", templates.render(name, &FormPage::sample()))
        }
        "web/confirm.html.j2" => ("ConfirmPage", templates.render(name, &ConfirmPage::sample())),
        "web/preferences.html.j2" => ("PreferencesPage", templates.render(name, &PreferencesPage::sample())),
        "web/unsubscribe.html.j2" => ("UnsubscribePage", templates.render(name, &UnsubscribePage::sample())),
        "web/left.html.j2" => ("LeftPage", templates.render(name, &LeftPage::sample())),
        "web/done.html.j2" => ("DonePage", templates.render(name, &DonePage::sample())),
        "web/error.html.j2" => ("ErrorPage", templates.render(name, &ErrorPage::sample())),
        _ => return None,
    })
}

#[test]
fn the_templates() {
    let templates = Templates::embedded();
    let mut text =
        "# Templates\n\nWhat each template can use. How they are replaced, and what else they can call, stands in \
        [What the mails look like](../mails.md#templates). A name that is not there is an error.\n\n\
        | template | gets |\n|---|---|\n"
            .to_owned();
    let mut roots: Vec<&str> = Vec::new();
    for (name, _) in EMBEDDED {
        let gets = match rendered(&templates, name) {
            Some((kind, result)) => {
                assert!(result.is_ok(), "{name} with a {kind}: {result:?}");
                if !roots.contains(&kind) {
                    roots.push(kind);
                }
                format!("[{kind}](#{})", kind.to_lowercase())
            }
            None => "what the template gets that uses it".to_owned(),
        };
        let _ = writeln!(text, "| `{name}` | {gets} |");
    }
    let all: Vec<Type> = CONTEXTS.iter().flat_map(|source| types(source)).collect();
    let find = |name: &str| all.iter().find(|known| known.name == name);
    // Those that templates get, then those that stand in them.
    let mut told: Vec<&str> = roots;
    let mut at = 0;
    while at < told.len() {
        let kind = find(told[at]).unwrap_or_else(|| panic!("{} is no type of a template", told[at]));
        let says = unlinked(&kind.says);
        let _ = write!(text, "\n## {}\n\n{}\n\n| name | is | says |\n|---|---|---|\n", kind.name, cell(&says));
        let mut fields = kind.fields.clone();
        while let Some(flat) = fields.iter().position(|field| field.is_flat) {
            let inner = find(&fields[flat].kind).expect("a type beside it").fields.clone();
            fields.splice(flat..=flat, inner);
        }
        for field in fields {
            let (is, inner) = in_words(&field.kind, &|name| find(name).is_some());
            if let Some(inner) = inner.and_then(|name| find(&name)).filter(|inner| !told.contains(&inner.name.as_str()))
            {
                told.push(&inner.name);
            }
            let _ = writeln!(text, "| `{}` | {is} | {} |", field.name, cell(&field.says));
        }
        at += 1;
    }
    is_page("templates.md", &text);
}

/// A type in words, and the type of ours in it.
fn in_words(kind: &str, is_ours: &impl Fn(&str) -> bool) -> (String, Option<String>) {
    let inside = |outer: &str| kind.strip_prefix(outer).and_then(|rest| rest.strip_suffix('>'));
    if let Some(inner) = inside("Option<") {
        let (words, ours) = in_words(inner, is_ours);
        (format!("{words}, or nothing"), ours)
    } else if let Some(inner) = inside("Vec<") {
        let (words, ours) = in_words(inner, is_ours);
        (format!("list: {words}"), ours)
    } else if is_ours(kind) {
        (format!("[{kind}](#{})", kind.to_lowercase()), Some(kind.to_owned()))
    } else {
        let words = match kind {
            "String" => "text",
            "Colour" => "colour, `#rrggbb`",
            "usize" | "u16" | "u32" => "number",
            "bool" => "true or false",
            other => panic!("what is {other} to who writes a template?"),
        };
        (words.to_owned(), None)
    }
}

// ---- exit-codes.md

#[test]
fn the_exit_codes_and_documents() {
    let mut text = "# Exit codes and JSON\n\n## Exit codes\n\n| code | means |\n|---|---|\n".to_owned();
    let source = include_str!("../src/cli/mod.rs").lines().skip_while(|line| *line != "pub enum Exit {").skip(1);
    let mut says = String::new();
    for line in source.take_while(|line| *line != "}").map(str::trim) {
        match line.strip_prefix("///") {
            Some(said) => said.trim().clone_into(&mut says),
            None => {
                let code = line.trim_end_matches(',').rsplit(' ').next().unwrap_or_default();
                let _ = writeln!(text, "| {code} | {} |", cell(&says));
            }
        }
    }
    text += "\nMails that were deferred or refused are recorded; they are no failure of a run.\n\n## Documents\n\nWith `--json` a command prints one \
        document on standard output, and says everything else on standard error. Programs may rely on every name. Each of these is what the \
        program printed for a site of two posts and two readers, one of whom does not exist.\n";
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::here(Settings::in_folder(folder.path()));
    let mut people = readers(1);
    people.push("5.1.1@sink.test".to_owned());
    let site = Site::new(Plan::to(&sink), &people);
    site.write("posts/2026-11-21-draft.md", "---\ntitle: Not yet\ndraft: true\n---\nx\n");
    let bounce = include_str!("corpus/inbox/mails/dsn-hard.eml");
    site.write("bounce.eml", bounce);
    let told: [(&[&str], &[&str]); 7] = [
        (&["plan"], &["Posts", "Hidden", "ReadAs", "Newest", "Feed", "Digest", "Not"]),
        (&["run"], &["Run", "Edition"]),
        (&["status"], &["Status", "Named"]),
        (&["why", "5.1.1@sink.test"], &["Why", "Event"]),
        (&["subscribers", "list"], &[]),
        (&["inbox", "bounce.eml"], &["Inbox", "Arrived"]),
        (&["check", "posts"], &[]),
    ];
    let report = types(include_str!("../src/report/mod.rs"));
    for (command, kinds) in told {
        let mut document = site.json(NOON, command);
        settle(&mut document, sink.port());
        let printed = serde_json::to_string_pretty(&document).expect("JSON");
        let _ = write!(text, "\n### postrider {} --json\n\n```json\n{printed}\n```\n", command.join(" "));
        for kind in kinds {
            let Some(kind) = report.iter().find(|known| known.name == *kind) else { continue };
            let _ = write!(text, "\n{}\n\n| name | says |\n|---|---|\n", cell(&unlinked(&kind.says)));
            let mut fields = kind.fields.clone();
            while let Some(flat) = fields.iter().position(|field| field.is_flat) {
                let name = fields[flat].kind.trim_start_matches("Option<").trim_end_matches('>').to_owned();
                let inner = report.iter().find(|known| known.name == name).expect("a type beside it");
                fields.splice(flat..=flat, inner.fields.clone());
            }
            for field in fields.iter().filter(|field| field.name != "approval") {
                let _ = writeln!(text, "| `{}` | {} |", field.name, cell(&field.says));
            }
        }
    }
    assert!(text.contains(EDITION) && text.contains("\"enhanced\": \"5.1.1\""));
    is_page("exit-codes.md", &text);
}

/// Takes out what differs from run to run: moments, how long something took, at which rate, a port.
fn settle(value: &mut Value, port: u16) {
    match value {
        Value::Object(members) => {
            for fleeting in ["rate", "left"] {
                members.remove(fleeting);
            }
            for (name, value) in members {
                match name.as_str() {
                    "at" | "added" if value.is_string() => *value = "2026-11-23T12:00:00.984Z".into(),
                    "duration" => *value = 17.into(),
                    _ => settle(value, port),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| settle(value, port)),
        Value::String(text) => *text = text.replace(&format!("127.0.0.1:{port}"), "mail.example.org:587"),
        _ => {}
    }
}

// ---- metrics.md

#[test]
fn the_metrics() {
    let served = Served::new();
    served.get("/healthz");
    served.subscribe("new@example.org");
    let metrics = served.get("/metrics").body;
    let mut text = "# Metrics\n\n`postrider serve` answers `/metrics` in the text form that Prometheus reads, for those whom `web.metrics_from` names; \
        `/healthz` says `ok` with 200, or 503 where the store does not answer within a second. No address of a reader is in either.\n\n\
        | metric | kind | says |\n|---|---|---|\n"
        .to_owned();
    let mut families = 0;
    for line in metrics.lines() {
        let mut words = line.splitn(4, ' ');
        if let ("#", "HELP", name, help) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        ) {
            let kind = metrics.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")));
            let _ = writeln!(text, "| `{name}` | {} | {} |", kind.expect("a type"), cell(help));
            families += 1;
        }
    }
    assert!(families >= 6, "{metrics}");
    let _ = write!(text, "\nAfter one person has asked for mail:\n\n```text\n{metrics}```\n");
    is_page("metrics.md", &text);
}
