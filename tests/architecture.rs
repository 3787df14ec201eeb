//! Holds the source to the layers that `src/lib.rs` lists, to a budget of lines a file, and to the places where
//! certain crates and macros may stand. The checks are functions of text, so each is proven on a violation.

use std::fs;
use std::path::Path;

/// Lines of a file, without `#[cfg(test)] mod tests` at its end.
const BUDGET: usize = 500;
/// Modules of these layers do not use each other either.
const APART: &[&str] = &["work"];

/// Crates, and the only places that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("tokio", &["src/web/", "src/transport/smtp/", "src/mailbox/imap.rs", "src/dns.rs"]),
    ("tokio_rustls", &["src/web/", "src/transport/smtp/", "src/mailbox/imap.rs"]),
    ("serde_yaml", &["src/post/front_matter/yaml.rs"]),
    ("rusqlite", &["src/store/sql.rs", "src/store/sql/"]),
    ("postgres", &["src/store/sql.rs", "src/store/sql/"]),
    ("quick_xml", &["src/feed/tree.rs", "src/feed/xml.rs"]),
    ("html5ever", &["src/check/feed/content.rs", "src/check/mail/page.rs"]),
    ("mail_parser", &["src/check/mail/letter.rs", "src/bounce/parts.rs"]),
    ("webpki", &["src/web/webhooks/sns.rs"]),
    ("async_imap", &["src/mailbox/imap.rs"]),
    ("futures_util", &["src/mailbox/imap.rs"]),
    ("anyhow", &["src/cli/", "src/daemon.rs"]),
    ("hickory_resolver", &["src/dns.rs"]),
    ("ureq", &["src/http.rs", "src/hub.rs"]),
];
/// Macros, and the only places that may call them.
const MACROS: &[(&str, &[&str])] = &[
    ("println", &["src/cli/", "src/main.rs"]),
    ("eprintln", &["src/cli/", "src/main.rs"]),
    ("print", &["src/cli/", "src/main.rs"]),
    ("eprint", &["src/cli/", "src/main.rs"]),
    ("todo", &[]),
    ("unimplemented", &[]),
    ("dbg", &[]),
];

#[test]
fn the_source_keeps_to_its_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read(root, &root.join("src"), &mut files);
    let found = violations(&files);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn read(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).expect("text")));
        }
    }
}

/// What is wrong with the files, each a path from the root and a source; `src/lib.rs` is among them.
fn violations(files: &[(String, String)]) -> Vec<String> {
    let lib = files.iter().find(|(path, _)| path == "src/lib.rs").map_or("", |(_, source)| source);
    let layers = Layers::read(lib);
    let mut found = layers.against_declarations(lib);
    for (path, source) in files {
        if !source.starts_with("//!") {
            found.push(format!("{path}:1: does not open with `//!`: what it is for and what it promises"));
        }
        let code = code(source);
        let production = if path.ends_with("/tests.rs") { String::new() } else { without_tests(&code) };
        let lines = production.lines().filter(|line| *line != TEST_LINE).count();
        if lines > BUDGET {
            found.push(format!("{path}: has {lines} lines of its own; the budget is {BUDGET}: give it one subject"));
        }
        found.extend(misplaced(path, &tokens(&production)));
        if path != "src/lib.rs" && path != "src/main.rs" {
            found.extend(layers.against_paths(path, &tokens(&code)));
        }
    }
    found
}

// ---- the layers

struct Layers {
    /// In their order: the module and its layer.
    modules: Vec<(String, String)>,
}

impl Layers {
    /// Reads the block that opens with three backticks and `layers`: a layer's name and its modules a line.
    fn read(lib: &str) -> Self {
        let block = lib
            .lines()
            .filter_map(|line| line.strip_prefix("//!"))
            .skip_while(|line| line.trim() != "```layers")
            .skip(1)
            .take_while(|line| line.trim() != "```");
        let mut modules = Vec::new();
        for line in block {
            let mut words = line.split_whitespace().map(str::to_owned);
            let Some(layer) = words.next() else { continue };
            modules.extend(words.map(|module| (module, layer.clone())));
        }
        Layers { modules }
    }

    fn place(&self, module: &str) -> Option<usize> {
        self.modules.iter().position(|(name, _)| name == module)
    }

    /// The list and the `mod` items of lib.rs name the same modules.
    fn against_declarations(&self, lib: &str) -> Vec<String> {
        let tokens = tokens(&code(lib));
        let declared: Vec<&str> =
            tokens.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text.as_str()).collect();
        let unlisted = declared
            .iter()
            .filter(|module| self.place(module).is_none())
            .map(|module| format!("src/lib.rs: `{module}` stands in no layer of the list"));
        let missing = self
            .modules
            .iter()
            .filter(|(module, _)| !declared.contains(&module.as_str()))
            .map(|(module, _)| format!("src/lib.rs: the list names `{module}`, which is no module"));
        unlisted.chain(missing).collect()
    }

    fn against_paths(&self, path: &str, tokens: &[Token]) -> Vec<String> {
        let own = module_of(path);
        let Some(place) = own.first().and_then(|own| self.place(own)) else {
            return vec![format!("{path}: belongs to no module of the list in src/lib.rs")];
        };
        let (own_name, own_layer) = &self.modules[place];
        let mut found = Vec::new();
        for (line, used) in paths(&own, tokens) {
            let used = used.first().map_or("", String::as_str);
            let wrong = match self.place(used) {
                Some(other) if other == place => continue,
                None => format!("uses `crate::{used}`, which is no module of the list in src/lib.rs"),
                Some(other) if other > place => format!("`{own_name}` uses `{used}`, which stands below it"),
                Some(other) if self.modules[other].1 == *own_layer && APART.contains(&own_layer.as_str()) => {
                    format!("`{own_name}` uses `{used}`: modules of {own_layer} meet only in the ledger")
                }
                Some(_) => continue,
            };
            found.push(format!("{path}:{line}: {wrong}"));
        }
        found.dedup(); // a group names a module more than once
        found
    }
}

/// `src/post/date.rs` → `post`, `date`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inner.split('/').map(str::to_owned).collect()
}

/// Every path that starts with `crate`, `super` or `self`, from the crate's root, with its line; groups taken apart.
fn paths(own: &[String], tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    // The modules around a token: the file's own, then those written out in it.
    let mut module = own.to_vec();
    let mut braces: Vec<bool> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map_or("", |i| tokens[i].text.as_str());
        match token.text.as_str() {
            "{" => {
                let opens_module = before(2) == "mod";
                if opens_module {
                    module.push(before(1).to_owned());
                }
                braces.push(opens_module);
            }
            "}" if braces.pop() == Some(true) => {
                module.pop();
            }
            "crate" | "super" | "self" if before(1) != "::" => {
                let next = tokens.get(i + 1).map_or("", |token| token.text.as_str());
                let visibility = before(1) == "(" && before(2) == "pub" && next == ")";
                // A lone `self` is a value, and inside braces the group's own prefix.
                if !visibility && (token.text == "crate" || next == "::" || (token.text == "super" && next == "as")) {
                    let mut written = Vec::new();
                    take_path(tokens, i, Vec::new(), &mut written);
                    found.extend(written.iter().map(|path| (token.line, resolve(&module, path))));
                }
            }
            _ => {}
        }
    }
    found
}

/// Collects the path at `i`, one for each leaf of its groups, and returns where it ends.
fn take_path(tokens: &[Token], mut i: usize, mut prefix: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    while let Some(token) = tokens.get(i) {
        if token.text == "{" {
            i += 1;
            while tokens.get(i).is_some_and(|token| token.text != "}") {
                let end = take_path(tokens, i, prefix.clone(), found);
                // What is no path, such as `as name` or a comma, is passed over.
                i = end.max(i + 1);
                while tokens.get(i).is_some_and(|token| token.text != "," && token.text != "}") {
                    i += 1;
                }
                if tokens.get(i).is_some_and(|token| token.text == ",") {
                    i += 1;
                }
            }
            return i + 1;
        }
        if !token.text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*') {
            break;
        }
        prefix.push(token.text.clone());
        i += 1;
        if tokens.get(i).is_none_or(|token| token.text != "::") {
            break;
        }
        i += 1;
    }
    found.push(prefix);
    i
}

fn resolve(module: &[String], written: &[String]) -> Vec<String> {
    let mut path = if written.first().is_some_and(|first| first == "crate") { Vec::new() } else { module.to_vec() };
    for segment in written {
        match segment.as_str() {
            "crate" | "self" => {}
            "super" => {
                path.pop();
            }
            name => path.push(name.to_owned()),
        }
    }
    path
}

// ---- what may stand where

/// Words that may stand before a path from the root of all crates.
const KEYWORDS: &[&str] = &["use", "as", "dyn", "impl", "in", "return", "mut", "const", "for", "where"];

fn misplaced(path: &str, tokens: &[Token]) -> Vec<String> {
    let allowed =
        |places: &[&str]| places.iter().any(|place| path == *place || place.ends_with('/') && path.starts_with(place));
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map_or("", |i| tokens[i].text.as_str());
        // `::postgres` is the crate, `html::postgres` is not.
        let inner = before(1) == "::" && before(2).starts_with(char::is_alphanumeric) && !KEYWORDS.contains(&before(2));
        let next = tokens.get(i + 1).map_or("", |token| token.text.as_str());
        for (name, places) in CRATES {
            let named = next == "::" || before(1) == "use" || before(1) == "crate" || before(1) == "::";
            if token.text == *name && named && !inner && !allowed(places) {
                found.push(format!("{path}:{}: names `{name}`, which belongs to {}", token.line, places.join(" and ")));
            }
        }
        for (name, places) in MACROS {
            if token.text == *name && next == "!" && !allowed(places) {
                let place =
                    if places.is_empty() { "nowhere".to_owned() } else { format!("in {}", places.join(" and ")) };
                found.push(format!("{path}:{}: calls `{name}!`, which belongs {place}", token.line));
            }
        }
    }
    found
}

// ---- reading Rust

struct Token {
    text: String,
    line: usize,
}

/// Words, `::`, and any other character by itself.
fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if rest.starts_with("::") {
                2
            } else if word(first) {
                rest.find(|c| !word(c)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            tokens.push(Token { text: rest[..length].to_owned(), line: number + 1 });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// The source with comments and literals blanked out, in the same lines.
fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        let in_word = start > 0 && (at(start - 1).is_alphanumeric() || at(start - 1) == '_');
        let end = match at(i) {
            '/' if at(i + 1) == '/' => (i..chars.len()).find(|&j| at(j) == '\n').unwrap_or(chars.len()),
            '/' if at(i + 1) == '*' => end_of_block(&chars, i),
            '"' => end_of_string(&chars, i),
            'r' | 'b' | 'c' if !in_word => {
                let mut quote = i + 1 + usize::from(matches!(at(i), 'b' | 'c') && at(i + 1) == 'r');
                let raw = at(quote - 1) == 'r';
                let hashes = if raw { (quote..).take_while(|&j| at(j) == '#').count() } else { 0 };
                quote += hashes;
                match (at(quote), raw) {
                    ('"', true) => end_of_raw(&chars, quote, hashes),
                    ('"', false) => end_of_string(&chars, quote),
                    _ => i,
                }
            }
            '\'' if at(i + 1) == '\\' => (i + 3..chars.len()).find(|&j| at(j) == '\'').map_or(chars.len(), |j| j + 1),
            '\'' if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == start {
            code.push(at(i));
            i += 1;
        } else {
            code.extend(chars[start..end.min(chars.len())].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    code
}

/// Block comments nest.
fn end_of_block(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], quote: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn end_of_raw(chars: &[char], quote: usize, hashes: usize) -> usize {
    (quote + 1..chars.len())
        .find(|&i| chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes)
        .map_or(chars.len(), |i| i + 1 + hashes)
}

/// Stands for a line of the tests, so that later lines keep their numbers.
const TEST_LINE: &str = "//test";

/// The code without its `#[cfg(test)] mod tests { … }`.
fn without_tests(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let Some(open) = lines.iter().position(|line| line.starts_with("mod tests {")) else { return code.to_owned() };
    let attributes = lines[..open].iter().rev().take_while(|line| line.starts_with("#[")).count();
    if !lines[open - attributes..open].contains(&"#[cfg(test)]") {
        return code.to_owned();
    }
    let close = (open..lines.len()).find(|&i| lines[i] == "}").unwrap_or(lines.len() - 1);
    let tests = open - attributes..=close;
    let keep = |(i, line)| if tests.contains(&i) { TEST_LINE } else { line };
    lines.iter().copied().enumerate().map(keep).collect::<Vec<_>>().join("\n")
}

// ---- proven on violations

const LIB: &str = "//! Made up.
//! ```layers
//! base   clock
//! nouns  html post
//! world  store
//! work   publish freeze
//! faces  web daemon cli
//! ```
pub mod clock; pub mod html; pub mod post; pub mod store; pub mod publish; pub mod freeze; pub mod web; pub mod daemon;
pub mod cli;
";

/// What is found in one more file beside the made-up lib.rs.
fn found(path: &str, source: &str) -> Vec<String> {
    violations(&[("src/lib.rs".to_owned(), LIB.to_owned()), (path.to_owned(), format!("//! Made.\n{source}"))])
}

#[test]
fn a_path_to_what_stands_below_is_found() {
    let cases = [
        (
            "src/post/date.rs",
            "use crate::store::Store;",
            "src/post/date.rs:2: `post` uses `store`, which stands below it",
        ),
        (
            "src/clock.rs",
            "\nfn f() -> crate::html::Text { todo() }",
            "src/clock.rs:3: `clock` uses `html`, which stands below it",
        ),
        (
            "src/html/mod.rs",
            "use crate::{clock::Clock, post::{self, Post}};",
            "src/html/mod.rs:2: `html` uses `post`, which stands below it",
        ),
        (
            "src/html/mod.rs",
            "use crate::{self as all};",
            "src/html/mod.rs:2: uses `crate::`, which is no module of the list in src/lib.rs",
        ),
        (
            "src/html/mod.rs",
            "use crate as all;",
            "src/html/mod.rs:2: uses `crate::`, which is no module of the list in src/lib.rs",
        ),
        (
            "src/html/mod.rs",
            "use crate::*;",
            "src/html/mod.rs:2: uses `crate::*`, which is no module of the list in src/lib.rs",
        ),
        ("src/html/mod.rs", "use super::store;", "src/html/mod.rs:2: `html` uses `store`, which stands below it"),
        (
            "src/html/mail.rs",
            "type T = super::super::post::Post;",
            "src/html/mail.rs:2: `html` uses `post`, which stands below it",
        ),
        (
            "src/html/mail.rs",
            "mod inner { use super::super::super::post; }",
            "src/html/mail.rs:2: `html` uses `post`, which stands below it",
        ),
        ("src/html.rs", "use self::super::post;", "src/html.rs:2: `html` uses `post`, which stands below it"),
        ("src/html.rs", "pub(in crate::post) fn f() {}", "src/html.rs:2: `html` uses `post`, which stands below it"),
        (
            "src/html.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::post::Post;\n}",
            "src/html.rs:4: `html` uses `post`, which stands below it",
        ),
        (
            "src/html.rs",
            "fn f() { g!(x, &crate :: post :: Post) }",
            "src/html.rs:2: `html` uses `post`, which stands below it",
        ),
        ("src/publish.rs", "use crate::freeze::f;", "src/publish.rs:2: `publish` uses `freeze`, which stands below it"),
        (
            "src/freeze.rs",
            "use crate::publish::f;",
            "src/freeze.rs:2: `freeze` uses `publish`: modules of work meet only in the ledger",
        ),
        ("src/web/mod.rs", "use crate::cli::Args;", "src/web/mod.rs:2: `web` uses `cli`, which stands below it"),
        (
            "src/post/mod.rs",
            "use crate::utils;",
            "src/post/mod.rs:2: uses `crate::utils`, which is no module of the list in src/lib.rs",
        ),
        ("src/utils.rs", "", "src/utils.rs: belongs to no module of the list in src/lib.rs"),
    ];
    for (path, source, expected) in cases {
        assert_eq!(found(path, source), [expected], "{source}");
    }
}

#[test]
fn what_stands_above_may_be_used_and_words_are_not_paths() {
    let cases = [
        (
            "src/post/date.rs",
            "use crate::{clock::Clock, html::{CleanHtml, mail}};\nuse super::Post;\nuse crate::post::{self};",
        ),
        ("src/post/date.rs", "pub(crate) fn a(self) {}\npub(super) fn b(&self) { self.x::<u8>() }"),
        ("src/html/mail.rs", "mod tests {\n    use super::*;\n    use super::super::CleanHtml;\n}"),
        ("src/cli/mod.rs", "use crate::{daemon, web, freeze};\nfn f() -> anyhow::Result<()> { println!(); Ok(()) }"),
        (
            "src/html.rs",
            "//! See crate::post and `tokio::spawn`.\n/// [`crate::post::Post`]\n// dbg!(crate::post)\n/* a /* todo!() */ crate::post */",
        ),
        (
            "src/html.rs",
            r###"const A: &str = "crate::post \" crate::store";
            const B: &str = r#"println!("crate::post")"#; const C: &[u8] = br"\"; const D: char = '"'; const E: char = '\'';
            fn f<'a>(x: &'a str) -> &'a str { x } const F: &str = "tokio::spawn";"###,
        ),
        ("src/html.rs", "fn todo() { post::f(); let postgres = 1; html::tokio::f(); todo(); }"),
        ("src/post/tests.rs", "fn f() { println!() }"),
    ];
    for (path, source) in cases {
        assert_eq!(found(path, source), [""; 0], "{source}");
    }
}

#[test]
fn crates_and_macros_out_of_place_are_found() {
    let cases = [
        (
            "src/store/mod.rs",
            "use tokio::net;",
            "names `tokio`, which belongs to src/web/ and src/transport/smtp/ and src/mailbox/imap.rs and src/dns.rs",
        ),
        (
            "src/post/mod.rs",
            "fn f() { serde_yaml::from_str(x) }",
            "names `serde_yaml`, which belongs to src/post/front_matter/yaml.rs",
        ),
        (
            "src/store/mod.rs",
            "use rusqlite as r;",
            "names `rusqlite`, which belongs to src/store/sql.rs and src/store/sql/",
        ),
        (
            "src/store/mod.rs",
            "type C = ::postgres::Client;",
            "names `postgres`, which belongs to src/store/sql.rs and src/store/sql/",
        ),
        (
            "src/store/mod.rs",
            "use ::postgres;",
            "names `postgres`, which belongs to src/store/sql.rs and src/store/sql/",
        ),
        (
            "src/store/mod.rs",
            "use {postgres::Client};",
            "names `postgres`, which belongs to src/store/sql.rs and src/store/sql/",
        ),
        ("src/freeze.rs", "use anyhow::Context;", "names `anyhow`, which belongs to src/cli/ and src/daemon.rs"),
        ("src/web/mod.rs", "fn f() { println!(\"x\") }", "calls `println!`, which belongs in src/cli/ and src/main.rs"),
        ("src/cli/mod.rs", "fn f() { todo!() }", "calls `todo!`, which belongs nowhere"),
        ("src/cli/mod.rs", "fn f() { core::unimplemented!() }", "calls `unimplemented!`, which belongs nowhere"),
        ("src/cli/mod.rs", "fn f() { dbg!(1) }", "calls `dbg!`, which belongs nowhere"),
    ];
    for (path, source, expected) in cases {
        assert_eq!(found(path, source), [format!("{path}:2: {expected}")], "{source}");
    }
}

#[test]
fn a_long_file_one_without_a_heading_and_a_wrong_list_are_found() {
    let long = "fn f() {}\n".repeat(BUDGET);
    assert_eq!(
        found("src/post/a.rs", &long),
        ["src/post/a.rs: has 501 lines of its own; the budget is 500: give it one subject"]
    );
    let tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn f() {}\n".repeat(BUDGET));
    assert_eq!(found("src/post/a.rs", &tests), [""; 0]);
    assert_eq!(found("src/post/a.rs", &format!("{tests}{long}")).len(), 1, "what follows the tests counts");
    assert_eq!(
        found("src/post/a.rs", &tests.replace("#[cfg(test)]\n", "")).len(),
        1,
        "a module by that name alone counts"
    );

    let bare = [("src/lib.rs".to_owned(), LIB.to_owned()), ("src/post/a.rs".to_owned(), "// Why.\n".to_owned())];
    assert_eq!(violations(&bare), ["src/post/a.rs:1: does not open with `//!`: what it is for and what it promises"]);

    let lib = LIB.replace("html post", "html post feed").replace("pub mod clock;", "pub mod clock; mod spare;");
    assert_eq!(
        violations(&[("src/lib.rs".to_owned(), lib)]),
        ["src/lib.rs: `spare` stands in no layer of the list", "src/lib.rs: the list names `feed`, which is no module"]
    );
}
