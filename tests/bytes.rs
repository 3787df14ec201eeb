//! Files that no author writes, but disks, editors and strangers do. Whatever lies in the posts' folder, the run goes on in bounded
//! time and memory, the other posts are published, and what cannot be read is told by its name (P8).

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tempfile::TempDir;

/// More than any case needs, in kB; less than what a hundred megabytes would cost, read and made HTML.
const MEMORY: u32 = 2_500_000;
/// In seconds; a debug build on a busy machine.
const PATIENCE: &str = "120";

/// What must come of a file.
enum Told {
    /// It is published, and nothing is wrong.
    Nothing,
    /// It is published, and something of it is told.
    Flaw(&'static str),
    /// It is not published, and told.
    Lost(&'static str),
}
use Told::{Flaw, Lost, Nothing};

const FRONT: &str = "---\ntitle: Bad\n---\n";

#[test]
fn whatever_a_file_holds_the_others_are_published() {
    let deep = |piece: &str, count: usize| format!("{FRONT}{}x\n", piece.repeat(count)).into_bytes();
    let nested = |count| {
        let items: String = (0..count).map(|depth| format!("{}- a\n", "  ".repeat(depth))).collect();
        format!("{FRONT}{items}").into_bytes()
    };
    let liquid = |text: &str| format!("{FRONT}{text}\n").into_bytes();
    let bomb: String =
        (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))).collect();
    let cases: Vec<(&str, Vec<u8>, Told)> = vec![
        ("nothing at all", vec![], Nothing),
        ("invalid UTF-8", [FRONT.as_bytes(), b"caf\xe9\n"].concat(), Lost("not UTF-8")),
        ("a picture", [&b"\x89PNG\r\n\x1a\n"[..], &[0; 900]].concat(), Lost("not UTF-8")),
        ("NUL bytes in a body", [FRONT.as_bytes(), b"a\0b\n"].concat(), Nothing),
        ("nothing but NUL bytes", vec![0; 5000], Nothing),
        ("NUL bytes in front matter", b"---\ntitle: a\0b\n---\nx\n".to_vec(), Lost("control character")),
        (
            "a million lines of front matter",
            format!("---\n{}---\nx\n", "a: b\n".repeat(1_000_000)).into_bytes(),
            Lost("front matter"),
        ),
        (
            "front matter without an end",
            format!("---\n{}", "a: b\n".repeat(1_000_000)).into_bytes(),
            Lost("front matter"),
        ),
        ("an alias bomb", format!("---\na0: &a0 x\n{bomb}title: *a29\n---\nx\n").into_bytes(), Lost("front matter")),
        ("front matter 5,000 deep", format!("---\na: {}\n---\nx\n", "[".repeat(5000)).into_bytes(), Lost("brackets")),
        ("a list 2,000 deep", nested(2000), Nothing),
        ("a list 5,000 deep in a line", deep("- ", 5000), Nothing),
        ("quotes 5,000 deep", deep("> ", 5000), Nothing),
        ("brackets", deep("[", 500_000), Nothing),
        ("pictures' brackets", deep("![", 250_000), Nothing),
        ("links in links", deep("[a](", 100_000), Nothing),
        ("emphasis", deep("*a **b ", 100_000), Nothing),
        ("elements 100,000 deep", deep("<div>", 100_000), Nothing),
        ("entities", deep("&amp", 100_000), Nothing),
        ("one line of 5 MB", deep("word ", 1_000_000), Nothing),
        (
            "Liquid 10,000 deep",
            liquid(&format!("{}x{}", "{% if true %}".repeat(10_000), "{% endif %}".repeat(10_000))),
            Flaw("too deep"),
        ),
        ("a billion rounds", liquid("{% for i in (1..1000000000) %}x{% endfor %}"), Flaw("")),
        (
            "rounds in rounds",
            liquid(
                "{% for i in (1..99999) %}{% for j in (1..99999) %}{% for k in (1..99999) %}x{% endfor %}{% endfor %}{% endfor %}",
            ),
            Flaw(""),
        ),
        (
            "a text that doubles",
            liquid(&format!(
                "{{% assign a = 'aaaaaaaaaa' %}}{}{{{{ a }}}}",
                "{% assign a = a | append: a %}".repeat(60)
            )),
            Flaw(""),
        ),
        ("an include that includes itself", liquid("{% include self.html %}"), Flaw("self.html")),
    ];
    let mut wrong = Vec::new();
    for (what, bytes, told) in cases {
        let blog = Blog::new();
        fs::create_dir(blog.at("_includes")).expect("a folder");
        fs::write(blog.at("_includes/self.html"), "a {% include self.html %} {% include self.html %}")
            .expect("writable");
        fs::write(blog.at("_posts/2026-11-10-bad.md"), bytes).expect("writable");
        let found = blog.build();
        let published = found.published == 2;
        let words = match told {
            Nothing if published && found.problems.is_empty() => continue,
            Flaw(words) if published => words,
            Lost(words) if !published => words,
            _ => {
                wrong.push(format!("{what}: {found:?}"));
                continue;
            }
        };
        if !found.tells("_posts/2026-11-10-bad.md", words) {
            wrong.push(format!("{what}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_file_that_no_post_is_as_long_as_is_not_read() {
    let blog = Blog::new();
    let file = fs::File::create(blog.at("_posts/2026-11-10-sparse.md")).expect("writable");
    file.set_len(100 << 20).expect("a sparse file");
    let mut file = fs::File::create(blog.at("_posts/2026-11-11-long.md")).expect("writable");
    file.write_all(&b"What was seen that day.\n\n".repeat(1 << 20)).expect("writable");
    file.set_len(1 << 40).expect("a sparse file");
    let found = blog.build();
    assert_eq!(found.published, 1, "{found:?}");
    assert!(found.tells("_posts/2026-11-10-sparse.md", "longer than"), "{found:?}");
    assert!(found.tells("_posts/2026-11-11-long.md", "longer than"), "{found:?}");
}

#[test]
fn what_only_looks_like_a_post_is_told_and_not_waited_for() {
    let blog = Blog::new();
    let posts = blog.at("_posts");
    let made = Command::new("mkfifo").arg(posts.join("2026-11-01-pipe.md")).status();
    assert!(made.expect("mkfifo(1)").success());
    let _socket = std::os::unix::net::UnixListener::bind(posts.join("2026-11-02-socket.md")).expect("a socket");
    symlink("/dev/zero", posts.join("2026-11-03-device.md")).expect("a link");
    symlink("nowhere.md", posts.join("2026-11-04-dangling.md")).expect("a link");
    symlink("2026-11-05-itself.md", posts.join("2026-11-05-itself.md")).expect("a link");
    symlink("nowhere", blog.at("_drafts")).expect("a link");
    fs::create_dir(posts.join("2026-11-06-folder.md")).expect("a folder");
    fs::write(posts.join("2026-11-06-folder.md/2026-11-07-within.md"), "x").expect("writable");
    symlink(blog.0.path(), posts.join("up")).expect("a link");
    symlink("2026-11-20-good.md", posts.join("2026-11-08-another-name.md")).expect("a link");
    let found = blog.build();
    for (path, words) in [
        ("_posts/2026-11-01-pipe.md", "is no file"),
        ("_posts/2026-11-02-socket.md", "is no file"),
        ("_posts/2026-11-03-device.md", "is no file"),
        ("_posts/2026-11-04-dangling.md", "cannot be followed"),
        ("_posts/2026-11-05-itself.md", "cannot be followed"),
        ("_drafts", "cannot be followed"),
    ] {
        assert!(found.tells(path, words), "{path}: {found:?}");
    }
    // A file under two names is one post.
    assert_eq!((found.problems.len(), found.published), (6, 2), "{found:?}");
}

#[test]
fn a_name_that_cannot_be_written_down_is_told() {
    let blog = Blog::new();
    let posts = blog.at("_posts");
    fs::write(posts.join(OsStr::from_bytes(b"2026-11-01-caf\xe9.md")), "x").expect("writable");
    let folder = blog.at(".").join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir_all(folder.join("_posts")).expect("a folder");
    fs::write(folder.join("_posts/2026-11-02-x.md"), "x").expect("writable");
    fs::write(posts.join("2026-11-03-a\nb.md"), "x").expect("writable");
    fs::write(posts.join("2026-11-04-a\u{1b}[31mb\u{7}.md"), "---\ntitle: [\n---\nx").expect("writable");
    fs::write(posts.join("2026-11-05-a<b>&\"'#?%.md"), "x").expect("writable");
    fs::write(posts.join("2026-11-21-z\u{1b}[31m\nerror: forged.md"), "x").expect("writable");
    let found = blog.build();
    assert!(found.tells("_posts/2026-11-01-caf\u{fffd}.md", "not UTF-8"), "{found:?}");
    assert!(found.tells("caf\u{fffd}", "not UTF-8"), "{found:?}");
    assert!(found.tells("_posts/2026-11-04-a\u{1b}[31mb\u{7}.md", "front matter"), "{found:?}");
    assert_eq!((found.problems.len(), found.published), (3, 4), "{found:?}");
    // A terminal shows the name, and does not obey it; nor does it look like a line of ours.
    for (command, shown) in
        [("build", "2026-11-04-a\\u{1b}[31mb\\u{7}.md"), ("check", "04-a\\u{1b}"), ("plan", "21-z\\u{1b}[31m\\nerror")]
    {
        let said = blog.command(command).output().expect("the program starts");
        let said = String::from_utf8([said.stdout, said.stderr].concat()).expect("UTF-8");
        assert!(said.contains(shown) && !said.contains(['\u{1b}', '\u{7}']), "{command}: {said}");
        assert!(!said.lines().any(|line| line.starts_with("error: forged")), "{command}: {said}");
    }
}

/// As root nothing is unreadable, so that the program then runs as nobody.
#[test]
fn what_may_not_be_read_is_told() {
    let blog = Blog::new();
    fs::create_dir_all(blog.at("notes/_posts")).expect("a folder");
    fs::write(blog.at("notes/_posts/2026-11-01-x.md"), "x").expect("writable");
    fs::write(blog.at("_posts/2026-11-02-x.md"), "x").expect("writable");
    let mode = |path: &str, mode| fs::set_permissions(blog.at(path), PermissionsExt::from_mode(mode)).expect("ours");
    mode("_posts/2026-11-02-x.md", 0);
    mode("notes", 0);
    for path in ["", "_posts"] {
        mode(path, 0o777);
    }
    let program = blog.at("program");
    fs::copy(env!("CARGO_BIN_EXE_postrider"), &program).expect("the program");
    let mut command = blog.limited(&program, "build");
    if fs::read(blog.at("_posts/2026-11-02-x.md")).is_ok() {
        command.uid(65534).gid(65534);
    }
    let found = Found::of(&mut command);
    mode("notes", 0o700);
    assert!(found.tells("_posts/2026-11-02-x.md", "cannot be read: Permission denied"), "{found:?}");
    assert!(found.tells("notes", "cannot be read: Permission denied"), "{found:?}");
    assert_eq!((found.problems.len(), found.published), (2, 1), "{found:?}");
}

#[test]
fn a_file_may_change_while_it_is_read() {
    let blog = Blog::new();
    let restless = blog.at("_posts/2026-11-10-restless.md");
    let (long, over) = (FRONT.to_owned() + &"word ".repeat(200_000), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::write(&restless, &long).expect("writable");
                let file = fs::OpenOptions::new().write(true).open(&restless).expect("writable");
                file.set_len(1000).expect("writable");
                file.set_len(20 << 20).expect("writable");
                fs::remove_file(&restless).expect("ours");
            }
        });
        for _ in 0..25 {
            let found = blog.build();
            // There whole or in part, or gone: whichever it was, what is told is told of it.
            assert!((1..=2).contains(&found.published), "{found:?}");
            assert!(found.problems.iter().all(|(path, _)| path.ends_with("restless.md")), "{found:?}");
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// A Jekyll blog with one good post.
struct Blog(TempDir);

/// What the program found.
#[derive(Debug)]
struct Found {
    published: u64,
    problems: Vec<(String, String)>,
}

impl Blog {
    fn new() -> Self {
        let blog = Blog(tempfile::tempdir().expect("a folder"));
        fs::create_dir(blog.at("_posts")).expect("a folder");
        fs::write(blog.at("_config.yml"), "title: Notes\nurl: https://example.org\n").expect("writable");
        fs::write(blog.at("postrider.toml"), "[posts]\ndir = \".\"\n").expect("writable");
        fs::write(blog.at("_posts/2026-11-20-good.md"), "---\ntitle: Good\n---\nGood *news*.\n").expect("writable");
        blog
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn command(&self, command: &str) -> Command {
        self.limited(Path::new(env!("CARGO_BIN_EXE_postrider")), command)
    }

    /// With so much memory and time; the good post must be in the feed of a month later.
    fn limited(&self, program: &Path, command: &str) -> Command {
        let mut limited = Command::new("sh");
        let script = format!("ulimit -v {MEMORY} && exec timeout {PATIENCE} \"$0\" \"$@\"");
        limited.current_dir(self.0.path()).env("MALLOC_ARENA_MAX", "2").stdin(Stdio::null());
        limited.args(["-c", &script]).arg(program).args([command, "--strict", "--now", "2026-12-20T12:00:00Z"]);
        limited
    }

    fn build(&self) -> Found {
        let found = Found::of(&mut self.command("build"));
        let feed = fs::read_to_string(self.at("public/atom.xml")).expect("a feed");
        assert!(feed.contains("Good &lt;em&gt;news"), "{feed}");
        found
    }
}

impl Found {
    /// With `--strict` a run that had Problems exits with 3.
    fn of(command: &mut Command) -> Self {
        let output = command.arg("--json").output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let run: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{:?}: {said}", output.status));
        let text = |problem: &Value, key: &str| problem[key].as_str().expect("words").to_owned();
        let problems = run["posts"]["problems"].as_array().expect("a list");
        let problems: Vec<_> = problems.iter().map(|p| (text(p, "path"), text(p, "message"))).collect();
        assert_eq!(output.status.code(), Some(if problems.is_empty() { 0 } else { 3 }), "{said}");
        Found { published: run["posts"]["published"].as_u64().expect("a number"), problems }
    }

    fn tells(&self, path: &str, words: &str) -> bool {
        self.problems.iter().any(|(of, message)| of == path && message.to_lowercase().contains(&words.to_lowercase()))
    }
}
