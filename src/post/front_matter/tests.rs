//! Every format, every way to part a file, and what is said of what cannot be read.

use super::*;

fn yaml(front_matter: &str) -> Result<Yaml, Error> {
    let source = Source { front_matter: Some(front_matter), format: Format::Yaml, line: 2, body: "", body_line: 3 };
    parse(&source)
}

fn title(front_matter: &str) -> String {
    match yaml(front_matter) {
        Ok(yaml) => yaml.get("title").and_then(Yaml::text).unwrap_or("-").to_owned(),
        Err(error) => format!("{}: {} ({})", error.line, error.message, error.help),
    }
}

#[test]
fn scalars_keep_their_source() {
    for text in ["1.10", "2014-03-01", "yes", "0755", "12:30:45", "1e3", "1_000", "true", ".5", "0x1F", "“ a b”"] {
        assert_eq!(title(&format!("title: {text}\n")), text);
    }
    assert_eq!(title("title: ~\n"), "-");
    assert_eq!(title("title: >\n  two\n  lines\n"), "two lines");
    assert_eq!(title("title: 'it''s'\n"), "it's");
    assert_eq!(title("title: C# and F#\n"), "C# and F#");
    assert_eq!(title("title: 123456789012345678901234567890\n"), "123456789012345678901234567890");
}

#[test]
fn the_last_of_duplicates_wins_at_every_depth() {
    assert_eq!(title("title: a\ntitle: b\n"), "b");
    let yaml = yaml("a: {b: 1, b: [2], b: 3}\n").expect("valid");
    assert_eq!(yaml.get("a").and_then(|a| a.get("b")).and_then(Yaml::text), Some("3"));
}

#[test]
fn aliases_and_merges_are_resolved() {
    let yaml =
        yaml("base: &base {title: x, lang: de}\nimage: &i /a.png\ncover: *i\n<<: *base\nlang: en\n").expect("valid");
    assert_eq!(yaml.get("title").and_then(Yaml::text), Some("x"));
    assert_eq!(yaml.get("lang").and_then(Yaml::text), Some("en"));
    assert_eq!(yaml.get("cover").and_then(Yaml::text), Some("/a.png"));
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..10 {
        let alias = vec![format!("*a{}", i - 1); 10].join(",");
        bomb += &format!("a{i}: &a{i} [{alias}]\n");
    }
    let error = yaml(&bomb).expect_err("a bomb");
    assert!(error.message.contains("repetition limit"), "{error:?}");
    assert!(yaml(&format!("a: {}", "[".repeat(60_000))).is_err());
    assert!(yaml(&"a: b\n".repeat(20_000)).is_err());
}

#[test]
fn errors_say_where_and_what_to_do() {
    assert_eq!(
        title("layout: post\ntitle: Foo: bar\n"),
        "3: The front matter is not valid YAML: mapping values are not allowed in this context \
         (put the value in quotes: title: 'Foo: bar')"
    );
    assert_eq!(
        title("a: b\n\u{8}c: d\n"),
        "3: The front matter holds the control character U+0008 (delete it; an editor that shows invisible characters finds it)"
    );
    for (source, line) in [
        ("title: @x\n", "2:"),
        ("title: \"a\" b\n", "2:"),
        ("a:\n\tb: c\n", "3:"),
        ("- a\n", "2:"),
        ("title:x\n", "2:"),
    ] {
        assert!(title(source).starts_with(line), "{source:?}: {}", title(source));
    }
}

#[test]
fn files_are_parted_as_jekyll_does() {
    let parts = |file: &'static str| {
        let source = split(file, Fences::Jekyll);
        (source.front_matter, source.body, source.body_line)
    };
    assert_eq!(parts("---\na: b\n---\nbody\n"), (Some("a: b\n"), "body\n", 4));
    assert_eq!(parts("\u{feff}---  \r\na: b\r\n...\r\nbody"), (Some("a: b\r\n"), "body", 4));
    assert_eq!(parts("---\n---\n"), (Some(""), "", 3));
    assert_eq!(parts("---\na: b\n---"), (Some("a: b\n"), "", 4));
    assert_eq!(parts(""), (None, "", 1));
    for none in ["\n---\na: b\n---\n", "----\na: b\n----\n", "---\na: b\n", "+++\na = 1\n+++\n", "---"] {
        assert_eq!(parts(none), (None, none, 1));
    }
}

#[test]
fn every_format_is_read() {
    let read = |file: &str, fences| {
        let source = split(file, fences);
        let front = parse(&source).expect("sound");
        let title = front.get("title").and_then(Yaml::text).unwrap_or("-").to_owned();
        (title, source.line, source.body.to_owned(), source.body_line)
    };
    let found = |title: &str, line, body: &str, body_line| (title.to_owned(), line, body.to_owned(), body_line);
    assert_eq!(read("+++\ntitle = 'a'\n+++\nb", Fences::Any), found("a", 2, "b", 4));
    assert_eq!(read("\n\n---\ntitle: a\n---\nb", Fences::Any), found("a", 4, "b", 6));
    assert_eq!(read("{\n\"title\": \"a\"\n}\n\nb", Fences::Any), found("a", 1, "\nb", 4));
    assert_eq!(read("---json\n{\"title\": \"a\"}\n---\nb", Fences::Any), found("a", 2, "b", 4));
    assert_eq!(read("---toml\ntitle = 'a'\n---\nb", Fences::Any), found("a", 2, "b", 4));
    assert_eq!(read("title: a\n---\nb", Fences::Hexo), found("a", 1, "b", 3));
    assert_eq!(read("{\"title\": \"a\"}\n;;;\nb", Fences::Hexo), found("a", 1, "b", 3));
    assert_eq!(read("---\ntitle: a\n---\nb", Fences::Hexo), found("a", 2, "b", 4));
    assert_eq!(read("Title: a: b\nTags: x\n    y\n\nb: c", Fences::Header), found("a: b", 1, "\nb: c", 4));
    assert_eq!(read("https://a.example/\n\nb", Fences::Header), found("-", 1, "https://a.example/\n\nb", 1));
    assert_eq!(read("{{ x }}\nb", Fences::Any), found("-", 1, "{{ x }}\nb", 1));
}

#[test]
fn toml_keeps_order_and_says_where_it_fails() {
    let source =
        |text: &'static str| Source { front_matter: Some(text), format: Format::Toml, line: 2, body: "", body_line: 9 };
    let front =
        parse(&source("title = 'a'\ndate = 2020-01-02T03:04:05Z\n[extra]\nb = [1, 2.50]\na = true\n")).expect("sound");
    let keys: Vec<&str> = front.entries().iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["title", "date", "extra"]);
    assert_eq!(front.get("date").and_then(Yaml::text), Some("2020-01-02T03:04:05Z"));
    let extra: Vec<&str> = front.at(&["extra"]).expect("there").entries().iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(extra, ["b", "a"]);
    assert_eq!(front.at(&["extra", "b"]).expect("there").items()[1].text(), Some("2.50"));
    for (text, line, help) in [
        ("title = a b\n", 2, "put the value in quotes: title = \"a b\""),
        ("a = 1\ntitle: b\n", 3, "TOML wants `key = \"value\"`; `key: value` is YAML, between lines of `---`"),
        ("a = 1\na = '2'\n", 3, "check the quotes and brackets of this line; each key may stand once"),
    ] {
        let error = parse(&source(text)).expect_err(text);
        assert_eq!((error.line, &*error.help), (line, help), "{error:?}");
    }
}

#[test]
fn the_line_of_a_key() {
    let line = |file: &str, key: &str| line_of(&split(file, Fences::Any), key);
    assert_eq!(line("---\na: 1\nDate: 2\ndate: 3\ndates: 4\n---\n", "date"), Some(4));
    assert_eq!(line("+++\na = 1\n date = 2\n+++\n", "date"), Some(3));
    assert_eq!(line("{\n \"date\": 2\n}\n", "date"), Some(2));
    assert_eq!(line("no front matter", "date"), None);
}

/// What [`lines`] reads is what the crate reads.
fn agree(text: &str) -> bool {
    let Some(read) = lines::read(text) else { return false };
    assert_eq!(Ok(read), yaml::by_crate(text, 1), "{text}");
    true
}

#[test]
fn plain_lines_are_read_as_the_crate_reads_them() {
    for text in [
        "title: A day: no\n",
        "layout: post\r\ntitle: “Frost”\r\ndate: 2024-01-01 10:00:00 +0100\r\n",
        "title: \"A: #1\"\ntags: [a, \"b c\", 'd', 2024, true, Null]\nempty: []\n",
        "a:\n  - x\n\n  - 7\n# and\nb:\n- \"y\"\nc:\n",
        "a: /b/c/\nb: 10 things\nc: 007\nd: 12345678901234567890\ne: 1.10\nf: True\ng: nan\nh: ~\n",
        "null: x\ny: no\n",
        "a: b\n  c\n",
        "a: b\na: c\n",
        "a:\n  - x\n - y\n",
        "a:\n  b: c\n",
    ] {
        agree(text);
    }
    assert!(agree("layout: post\ntitle: On frost\ndate: 2024-01-01\ntags: [a, b]\nauthors:\n  - ada\n  - \"B C\"\n"));
}

#[test]
fn the_front_matter_of_the_corpus_is_read_as_the_crate_reads_it() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")];
    folders.extend(std::env::var_os("POSTRIDER_BLOGS").map(Into::into));
    let (mut simple, mut all) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if let Ok(text) = std::fs::read_to_string(entry.path())
                && let Source { front_matter: Some(text), format: Format::Yaml, .. } = split(&text, Fences::Any)
                && text.len() < MAX_BYTES
            {
                all += 1;
                simple += usize::from(agree(text));
            }
        }
    }
    assert!(simple * 2 > all, "{simple} of {all} are simple");
}

proptest::proptest! {
    #[test]
    fn lines_of_any_kind_are_read_as_the_crate_reads_them(
        pieces in proptest::collection::vec(proptest::sample::select(&[
            "a", "b", "title", "date", ":", ": ", " ", "  ", "- ", "-", "\n", "\n", "\n  - ", "\n- ", "[", "]", ", ", "\"", "'", "#", " #",
            "x", "Ünï", "日本", "“q”", "7", "0", "1.5", "1e3", "2024-01-01", "T10:00:00Z", "10:00", "true", "Null", "~", "/p/", "&", "*", "!", "|",
            ">", "%", "{", "}", "\\", "\t", "\r", "\u{85}", "\u{2028}", "---", "...", "<", "<<: ", "?", "@", "`", "+1", ".inf", "nan", "_",
        ]), 0..24),
    ) {
        agree(&pieces.concat());
    }
}
