//! A post has one identity for life (P4), whatever becomes of its file, title, address or domain. A blog is written, mailed once,
//! and then changed step by step; after each step the program runs as its users run it, and neither a reader of any feed nor a
//! subscriber may take a post for a new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// What is changed, and how.
type Step = (&'static str, fn(&Blog));

const JEKYLL: &[Step] = &[
    ("a file is renamed", |b| b.rename("_posts/2026-11-16-herons.md", "_posts/2026-11-16-birds.md")),
    ("it moves to another folder", |b| b.rename("_posts/2026-11-16-birds.md", "notes/_posts/2026-11-16-birds.md")),
    ("its ending changes", |b| {
        b.rename("notes/_posts/2026-11-16-birds.md", "notes/_posts/2026-11-16-birds.markdown");
    }),
    ("it gets a new title", |b| b.replace("notes/_posts/2026-11-16-birds.markdown", "title: Herons", "title: Birds")),
    ("it gets a slug", |b| b.replace("notes/_posts/2026-11-16-birds.markdown", "---\n\n", "slug: grey\n---\n\n")),
    ("its slug changes", |b| b.replace("notes/_posts/2026-11-16-birds.markdown", "slug: grey", "slug: white")),
    ("it gets an address of its own", |b| {
        b.replace("_posts/2026-11-18-snow.md", "---\n\n", "permalink: /snow\n---\n\n")
    }),
    ("the generator gets a new permalink scheme", |b| {
        b.replace("_config.yml", "/:categories/:title/", "/:year/:title")
    }),
    ("we get one", |b| b.replace("postrider.toml", "[posts]\n", "[posts]\npermalink = \"/p/:title/\"\n")),
    ("the blog gets a new domain", |b| b.replace("postrider.toml", "https://example.org/", "https://example.net/")),
    ("and moves below a folder of it", |b| b.replace("postrider.toml", "example.net/", "example.net/blog/")),
    ("the date in a file's name changes", |b| b.rename("_posts/2026-11-18-snow.md", "_posts/2026-11-17-snow.md")),
    ("a date in front matter goes before it", |b| {
        b.replace("_posts/2026-11-17-snow.md", "---\n\n", "date: 2026-11-15 08:00:00\n---\n\n");
    }),
    ("file and title change at once", |b| {
        b.rename("_posts/2026-11-17-snow.md", "_posts/2026-11-17-white.md");
        b.replace("_posts/2026-11-17-white.md", "title: First snow", "title: All is white");
    }),
    ("file and text change at once", |b| {
        b.rename("_posts/2026-11-17-white.md", "_posts/2026-11-17-winter.md");
        b.replace("_posts/2026-11-17-winter.md", "That day", "On the day before yesterday");
    }),
    ("date, folder and title change at once", |b| {
        b.rename("_posts/2026-11-17-winter.md", "seasons/_posts/2026-11-14-winter.md");
        b.replace("seasons/_posts/2026-11-14-winter.md", "title: All is white", "title: Winter");
    }),
    ("one of few words is renamed", |b| b.rename("_posts/2026-11-19-note.md", "_posts/2026-11-19-short.md")),
    ("it gets a new title too", |b| b.replace("_posts/2026-11-19-short.md", "title: A note", "title: Short")),
    ("it moves to another folder", |b| b.rename("_posts/2026-11-19-short.md", "notes/_posts/2026-11-19-short.md")),
    ("the date in its name changes", |b| {
        b.rename("notes/_posts/2026-11-19-short.md", "notes/_posts/2026-11-18-short.md");
    }),
    ("its date and name change at once", |b| {
        b.rename("notes/_posts/2026-11-18-short.md", "notes/_posts/2026-11-17-brief.md");
    }),
    ("two posts are renamed at once", |b| {
        b.rename("notes/_posts/2026-11-17-brief.md", "notes/_posts/2026-11-17-b.md");
        b.rename("notes/_posts/2026-11-16-birds.markdown", "notes/_posts/2026-11-16-a.md");
    }),
    ("a post is taken away", |b| b.take_away("notes/_posts/2026-11-16-a.md")),
    ("it is brought back", |b| b.bring_back("notes/_posts/2026-11-16-a.md")),
    ("another is taken away", |b| b.take_away("seasons/_posts/2026-11-14-winter.md")),
    ("it comes back elsewhere", |b| b.bring_back("_posts/2026-11-16-again.md")),
    ("a post becomes a draft", |b| b.rename("_posts/2026-11-16-again.md", "_drafts/again.md")),
    ("and a post again, on another day", |b| b.rename("_drafts/again.md", "_posts/2026-11-20-again.md")),
    ("folder, scheme and domain change at once", |b| {
        b.rename("notes/_posts/2026-11-17-b.md", "old/_posts/2026-11-17-b.md");
        b.rename("notes/_posts/2026-11-16-a.md", "old/_posts/2026-11-16-a.md");
        b.replace("postrider.toml", "permalink = \"/p/:title/\"", "permalink = \"/:year/:month/:title/\"");
        b.replace("postrider.toml", "https://example.net/blog/", "https://blog.example.com/");
    }),
    ("the blog moves to Hugo", |b| {
        b.take_away("_config.yml");
        b.write("hugo.toml", "[frontmatter]\ndate = [\"date\", \":filename\"]\n");
        b.replace("postrider.toml", "permalink = \"/:year/:month/:title/\"\n", "");
        b.rename("old/_posts/2026-11-17-b.md", "content/posts/2026-11-17-b.md");
        b.rename("old/_posts/2026-11-16-a.md", "content/posts/2026-11-16-a/index.md");
        b.rename("_posts/2026-11-20-again.md", "content/posts/2026-11-20-again.md");
    }),
];

const HUGO: &[Step] = &[
    ("a bundle is made of a file", |b| b.rename("content/posts/herons.md", "content/posts/herons/index.md")),
    ("YAML becomes TOML", |b| {
        b.write(
            "content/posts/herons/index.md",
            &format!("+++\ntitle = \"Herons\"\ndate = 2026-11-16\n+++\n\n{}", prose("herons")),
        );
    }),
    ("the bundle is renamed", |b| b.rename("content/posts/herons/index.md", "content/posts/birds/index.md")),
    ("a file is made of the bundle", |b| b.rename("content/posts/birds/index.md", "content/posts/birds.md")),
    ("another section", |b| b.rename("content/posts/birds.md", "content/blog/birds.md")),
    ("a language in the name", |b| b.rename("content/blog/birds.md", "content/blog/birds.en.md")),
    ("a slug", |b| b.replace("content/blog/birds.en.md", "+++\n\n", "slug = \"grey\"\n+++\n\n")),
    ("another slug", |b| b.replace("content/blog/birds.en.md", "\"grey\"", "\"white\"")),
    ("an address of its own", |b| b.replace("content/blog/birds.en.md", "slug = \"white\"", "url = \"/birds/\"")),
    ("another title", |b| b.replace("content/blog/birds.en.md", "\"Herons\"", "\"Birds\"")),
    ("permalinks", |b| b.append("hugo.toml", "[permalinks]\nposts = \"/:year/:slug/\"\nblog = \"/:slug/\"\n")),
    ("a new domain", |b| b.replace("hugo.toml", "https://example.org/", "https://example.net/")),
    ("ugly addresses", |b| b.replace("hugo.toml", "title = ", "uglyURLs = true\ntitle = ")),
    ("a new ending", |b| b.rename("content/posts/snow.md", "content/posts/snow.markdown")),
    ("a date in the name", |b| b.rename("content/posts/snow.markdown", "content/posts/2026-11-18-snow.md")),
    ("another date", |b| b.replace("content/posts/2026-11-18-snow.md", "date: 2026-11-18", "date: 2026-11-17")),
    ("bundle and TOML at once", |b| {
        b.take_away("content/posts/2026-11-18-snow.md");
        let text = format!("+++\ntitle = \"First snow\"\ndate = 2026-11-17\n+++\n\n{}", prose("snow"));
        b.write("content/posts/snow/index.md", &text);
    }),
    ("one of few words becomes a bundle, with TOML", |b| {
        b.take_away("content/posts/note.md");
        b.write(
            "content/posts/note/index.md",
            "+++\ntitle = \"A note\"\ndate = 2026-11-19\n+++\n\nThe note, no more.\n",
        );
    }),
    ("it gets another date and section", |b| {
        b.rename("content/posts/note/index.md", "content/blog/note.md");
        b.replace("content/blog/note.md", "2026-11-19", "2026-11-18");
    }),
    ("it is taken away", |b| b.take_away("content/blog/note.md")),
    ("it is brought back", |b| b.bring_back("content/notes/note/index.md")),
];

#[test]
fn a_jekyll_blog_can_change_in_every_way_and_no_post_is_new() {
    let blog = Blog::new("[site]\ntitle = \"Notes\"\nurl = \"https://example.org/\"\n");
    blog.write("_config.yml", "title: Notes\npermalink: /:categories/:title/\n");
    blog.write("_posts/2026-11-16-herons.md", &format!("---\ntitle: Herons\n---\n\n{}", prose("herons")));
    blog.write("_posts/2026-11-18-snow.md", &format!("---\ntitle: First snow\n---\n\n{}", prose("snow")));
    blog.write("_posts/2026-11-19-note.md", "---\ntitle: A note\n---\n\nThe note, no more.\n");
    blog.walk(JEKYLL);
    blog.is_mailed_anew("content/posts/2026-11-21-new.md");
}

#[test]
fn a_hugo_blog_can_change_in_every_way_and_no_post_is_new() {
    let blog = Blog::new("");
    blog.write("hugo.toml", "baseURL = \"https://example.org/\"\ntitle = \"Notes\"\n");
    blog.write("content/posts/herons.md", &format!("---\ntitle: Herons\ndate: 2026-11-16\n---\n\n{}", prose("herons")));
    blog.write("content/posts/snow.md", &format!("---\ntitle: First snow\ndate: 2026-11-18\n---\n\n{}", prose("snow")));
    blog.write("content/posts/note.md", "---\ntitle: A note\ndate: 2026-11-19\n---\n\nThe note, no more.\n");
    blog.walk(HUGO);
    blog.is_mailed_anew("content/posts/new.md");
}

/// A body of some length, about one thing and nothing else.
fn prose(thing: &str) -> String {
    let sentence =
        |n| format!("That day, the {n}th {thing} of the year was seen by the {thing} watchers of place {n}. ");
    (1..12).map(sentence).collect::<String>() + "\n"
}

/// By what tells the body of a post from all others, its id in a feed.
type Ids = BTreeMap<&'static str, String>;

/// A blog in a folder of its own, with a weekly digest and one subscriber.
struct Blog(TempDir);

impl Blog {
    fn new(site: &str) -> Self {
        let blog = Blog(tempfile::tempdir().expect("a folder"));
        blog.write(
            "postrider.toml",
            &format!(
                "{site}[posts]\ndir = \".\"\n[feeds]\ndir = \"public\"\n[mail]\nfrom = \"Notes <news@example.org>\"\n\
                 transport = \"outbox:outbox\"\npostal_address = \"1 Sample Street\"\n[[digest]]\nname = \"weekly\"\n\
                 schedule = \"0 9 * * MON\"\nsince = \"2026-11-01\"\nlate = \"2d\"\n[subscribers]\nfile = \"subscribers.csv\"\n\
                 [web]\npublic_url = \"https://news.example.org\"\n"
            ),
        );
        blog.write("subscribers.csv", "email\nada@reader.example\n");
        blog
    }

    /// After each step all that anybody sees is as it was at first.
    fn walk(&self, steps: &[Step]) {
        self.runs(0);
        let (first, mails) = (self.ids("at first"), self.mails());
        assert_eq!((first.len(), mails.len()), (3, 1), "at first: {first:?}, {mails:?}");
        let mut wrong = Vec::new();
        for (week, (what, step)) in steps.iter().enumerate() {
            step(self);
            self.runs(week + 1);
            let mut ids = self.ids(what);
            if what.ends_with("taken away") || what.ends_with("a draft") {
                assert_eq!(ids.len(), 2, "{what}: {ids:?}");
                ids.extend(first.clone().into_iter().filter(|(body, _)| !ids.contains_key(body)).collect::<Vec<_>>());
            }
            if ids != first || self.mails() != mails {
                wrong.push(format!("{what}: {ids:?}, {} mails", self.mails().len()));
                break;
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}\nat first: {first:?}");
    }

    /// What is really new is seen as new: the walk would have noticed it.
    fn is_mailed_anew(&self, path: &str) {
        let before = self.mails().len();
        self.write(path, "---\ntitle: News\ndate: 2026-11-21\n---\n\nSomething else.\n");
        self.runs(50);
        assert_eq!((self.ids("new").len(), self.mails().len()), (4, before + 1));
    }

    /// The feeds, then what is due on a Monday so many weeks later.
    fn runs(&self, week: usize) {
        for command in ["build", "run"] {
            let monday =
                chrono::NaiveDate::from_ymd_opt(2026, 11, 23).expect("a day") + chrono::Days::new(7 * week as u64);
            let now = format!("{monday}T12:00:00Z");
            let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_postrider"))
                .current_dir(self.0.path())
                .args([command, "--json", "--now", &now])
                .output()
                .expect("the program starts");
            let said = String::from_utf8_lossy(&stderr);
            assert!(status.success(), "week {week}: {command}: {said}");
            let run: serde_json::Value = serde_json::from_slice(&stdout).expect("JSON");
            assert_eq!(run["posts"]["problems"], serde_json::json!([]), "week {week}: {command}");
        }
    }

    /// The ids that readers see, the same in all three feeds, none twice.
    fn ids(&self, when: &str) -> Ids {
        let feed = |name: &str| fs::read_to_string(self.0.path().join("public").join(name)).expect("a feed");
        let rss =
            entries(&feed("rss.xml"), "<item>", |entry| between(entry, "<guid isPermaLink=\"false\">", "</guid>"));
        let atom = entries(&feed("atom.xml"), "<entry>", |entry| between(entry, "<id>", "</id>"));
        let json: serde_json::Value = serde_json::from_str(&feed("feed.json")).expect("JSON");
        let items = json["items"].as_array().expect("items");
        let json: Ids = items
            .iter()
            .map(|item| (thing(&item.to_string()), item["id"].as_str().expect("an id").to_owned()))
            .collect();
        assert_eq!(items.len(), json.len(), "{when}");
        assert_eq!((&rss, &atom), (&json, &json), "{when}");
        json
    }

    fn mails(&self) -> Vec<PathBuf> {
        let mut mails = Vec::new();
        let mut folders = vec![self.0.path().join("outbox")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { mails.push(path) }
            }
        }
        mails.sort();
        mails
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        make_room(&self.at(path));
        fs::write(self.at(path), text).expect("writable");
    }

    fn append(&self, path: &str, text: &str) {
        self.write(path, &(fs::read_to_string(self.at(path)).expect("text") + text));
    }

    fn replace(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.at(path)).expect("text");
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// A folder that is empty then goes with it, as in a repository.
    fn rename(&self, from: &str, to: &str) {
        make_room(&self.at(to));
        fs::rename(self.at(from), self.at(to)).expect("a file");
        let _ = fs::remove_dir(self.at(from).parent().expect("a folder"));
    }

    fn take_away(&self, path: &str) {
        self.rename(path, ".away/file");
    }

    fn bring_back(&self, path: &str) {
        self.rename(".away/file", path);
    }
}

fn make_room(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
}

fn entries(feed: &str, start: &str, id: impl Fn(&str) -> String) -> Ids {
    let entries: Vec<&str> = feed.split(start).skip(1).collect();
    let ids: Ids = entries.iter().map(|entry| (thing(entry), id(entry))).collect();
    assert_eq!(entries.len(), ids.len(), "{feed}");
    ids
}

/// Which post an entry is.
fn thing(entry: &str) -> &'static str {
    let bodies =
        [("herons watchers", "herons"), ("snow watchers", "snow"), ("The note", "note"), ("Something else", "new")];
    bodies.into_iter().find(|(words, _)| entry.contains(words)).expect("one of ours").1
}

fn between(text: &str, start: &str, end: &str) -> String {
    let (_, rest) = text.split_once(start).expect(start);
    rest.split_once(end).expect(end).0.to_owned()
}
