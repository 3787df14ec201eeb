//! A made-up site whose one digest is as long as wanted, and the same digest as the peers need it: as a finished message, and
//! as the HTML and text to make messages from. The same octets each time.

use crate::Failure;
use crate::measure::Program;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const POSTS: usize = 11;
/// A Monday noon at which the digest of nine o'clock is due.
pub(crate) const NOON: &str = "2026-11-23T12:00:00Z";
/// In the peers' HTML and text, what differs from reader to reader.
const TOKEN: &str = "{{TOKEN}}";

/// The posts, and what comes of them.
pub(crate) struct Sample {
    /// `posts/`, `message.eml`, `digest.html`, `digest.txt`.
    pub(crate) folder: PathBuf,
    /// The message on the wire.
    pub(crate) octets: usize,
}

/// Where a site's mail goes and how.
#[derive(Clone, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) transport: &'a str,
    pub(crate) connections: usize,
    /// Tables of `[[mail.dkim]]`.
    pub(crate) dkim: &'a str,
    pub(crate) readers: usize,
}

impl Sample {
    /// Makes it in a folder, with posts of such a length that a message comes near the size.
    pub(crate) fn make(binary: &Path, folder: &Path, size: usize) -> Result<Self, Failure> {
        let mut words = size / 40;
        let mut message = Vec::new();
        for _ in 0..8 {
            write_posts(&folder.join("posts"), words)?;
            message = rehearse(binary, folder)?;
            if message.len().abs_diff(size) <= size / 50 {
                break;
            }
            // What is not posts stays as it is, so a few steps are needed.
            words = (words * size / message.len()).max(POSTS);
        }
        let text = String::from_utf8(message).map_err(|_| "the digest is not ASCII on the wire".to_owned())?;
        for (kind, name) in [("text/html", "digest.html"), ("text/plain", "digest.txt")] {
            write(&folder.join(name), &part(&text, kind)?)?;
        }
        // smtp-source writes the line ends itself.
        write(&folder.join("message.eml"), &text.replace('\r', ""))?;
        Ok(Sample { folder: folder.into(), octets: text.len() })
    }

    /// Makes a site of it in a folder that is not there yet.
    pub(crate) fn lay_out(&self, folder: &Path, delivery: &Delivery<'_>) -> Result<(), Failure> {
        make_folder(folder)?;
        make_folder(&folder.join("posts"))?;
        for n in 0..POSTS {
            let name = format!("posts/{}", post_name(n));
            fs::copy(self.folder.join(&name), folder.join(&name)).map_err(|why| format!("{name}: {why}"))?;
        }
        write_site(folder, delivery)
    }
}

/// The words of `postrider run` on such a site.
pub(crate) fn run_words() -> [&'static str; 4] {
    ["--now", NOON, "--quiet", "run"]
}

fn write_site(folder: &Path, delivery: &Delivery<'_>) -> Result<(), Failure> {
    let config = format!(
        r#"[site]
title = "Field Notes"
url = "https://example.org/"

[posts]
dir = "posts"

[feeds]
dir = "public"

[mail]
from = "Field Notes <news@example.org>"
bounces = "bounces@news.example.org"
postal_address = "1 Sample Street, Chicago IL 60622"
transport = "{}"
{}
[delivery]
connections = {}

[[digest]]
name = "weekly"
schedule = "0 9 * * MON"
content = "full"
late = "2d"
since = "2026-11-01"

[subscribers]
file = "subscribers.csv"
secret = "a secret that only benchmarks know"

[web]
public_url = "https://news.example.org"

[store]
url = "sqlite:postrider.db"
"#,
        delivery.transport, delivery.dkim, delivery.connections
    );
    write(&folder.join("config.toml"), &config)?;
    let path = folder.join("subscribers.csv");
    let list = fs::File::create(&path).map(std::io::BufWriter::new);
    let written = list.and_then(|mut list| {
        writeln!(list, "email,name")?;
        for n in 0..delivery.readers {
            writeln!(list, "reader-{n}@example.com,Reader {n}")?;
        }
        list.flush()
    });
    written.map_err(|why| format!("{} cannot be written: {why}", path.display()))
}

/// The digest as one reader would get it, with the line ends of the wire.
fn rehearse(binary: &Path, sample: &Path) -> Result<Vec<u8>, Failure> {
    let folder = sample.join("rehearsal");
    clear(&folder)?;
    make_folder(&folder)?;
    let posts = folder.join("posts");
    make_folder(&posts)?;
    for n in 0..POSTS {
        let name = post_name(n);
        fs::copy(sample.join("posts").join(&name), posts.join(&name)).map_err(|why| format!("{name}: {why}"))?;
    }
    write_site(&folder, &Delivery { transport: "outbox:outbox", connections: 1, dkim: "", readers: 1 })?;
    let program = Program::new(binary, run_words(), &folder);
    if !program.run()? {
        return Err(format!("postrider cannot make the sample:\n{}", program.last_words()));
    }
    let mut mails = Vec::new();
    find_mails(&folder.join("outbox"), &mut mails);
    match &mails[..] {
        [mail] => fs::read(mail).map_err(|why| format!("{} cannot be read: {why}", mail.display())),
        others => Err(format!("the sample is one mail, but the outbox has {}", others.len())),
    }
}

fn find_mails(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find_mails(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "eml") {
            found.push(path);
        }
    }
}

/// A part of the message, decoded, the reader's own token replaced by [`TOKEN`].
fn part(message: &str, kind: &str) -> Result<String, Failure> {
    let wrong = |what: &str| format!("the sample message has no {what}");
    let start = message.find(&format!("Content-Type: {kind}")).ok_or_else(|| wrong(kind))?;
    let rest = &message[start..];
    let rest = &rest[rest.find("\r\n\r\n").ok_or_else(|| wrong("body"))? + 4..];
    let body = &rest[..rest.find("\r\n--=_").ok_or_else(|| wrong("boundary"))?];
    let body = quoted_printable::decode(body, quoted_printable::ParseMode::Robust);
    let body = String::from_utf8(body.map_err(|why| why.to_string())?).map_err(|why| why.to_string())?;
    // The token begins with the delivery's id, as the Message-ID does.
    let id = message.split("Message-ID: <").nth(1).and_then(|rest| rest.split(['.', '@']).next());
    let id = id.ok_or_else(|| wrong("Message-ID"))?;
    let at = body.find(id).ok_or_else(|| wrong("link with the reader's token"))?;
    let end = body[at..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(body.len(), |length| at + length);
    Ok(body.replace(&body[at..end], TOKEN).replace("\r\n", "\n"))
}

// ---- posts

fn post_name(n: usize) -> String {
    format!("2026-11-{:02}-note-{n}.md", 10 + n)
}

/// Posts of so many words in all.
fn write_posts(folder: &Path, words: usize) -> Result<(), Failure> {
    make_folder(folder)?;
    let mut dice = Dice(7);
    for n in 0..POSTS {
        let mut post = format!("---\ntitle: Note number {n}, {}\n---\n", sentence(&mut dice, 4));
        let mut left = words / POSTS;
        let mut paragraph = 0;
        while left > 0 {
            let length = left.min(40);
            left -= length;
            paragraph += 1;
            let text = sentence(&mut dice, length);
            let _ = match paragraph % 4 {
                2 => writeln!(post, "{text} [Where it was](/map/{n}/) and *when*.\n"),
                3 => writeln!(post, "{text}\n\n![A view](/images/{n}-{paragraph}.jpg)\n"),
                _ => writeln!(post, "{text}\n"),
            };
        }
        let _ = writeln!(post, "```\nlet seen = \"{n} < 2\";\n```");
        write(&folder.join(post_name(n)), &post)?;
    }
    Ok(())
}

const WORDS: &[&str] = &[
    "the",
    "of",
    "heron",
    "and",
    "river",
    "winter",
    "a",
    "to",
    "in",
    "café",
    "is",
    "morning",
    "light",
    "with",
    "naïve",
    "over",
    "Zürich",
    "machine",
    "“quoted”",
    "it’s",
    "frost",
    "market",
    "lake",
    "was",
    "that",
    "owl",
    "for",
    "on",
    "lichen",
    "notes",
];

fn sentence(dice: &mut Dice, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| WORDS[dice.below(WORDS.len())]).collect();
    format!("{}.", words.join(" "))
}

/// Knuth's MMIX generator: the same posts everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

// ---- files

pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|why| format!("{} cannot be made: {why}", folder.display()))
}

/// Takes a folder away with all that is in it.
pub(crate) fn clear(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {why}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|why| format!("{} cannot be written: {why}", path.display()))
}
