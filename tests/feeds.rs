//! More feeds than one: of tags in any script, by name, and the whole history in archives whose pages never shift. The program
//! runs on a blog that grows, is edited and loses posts; after each step exactly those files change that have to (P5).

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const FORMATS: [&str; 3] = ["rss.xml", "atom.xml", "feed.json"];

struct Blog {
    folder: TempDir,
    /// The hour of the next run.
    hour: std::cell::Cell<u32>,
}

/// The bytes of every file below `public`, and which file it is: one that is replaced is another.
type Files = BTreeMap<String, (Vec<u8>, u64)>;

impl Blog {
    fn new(feeds: &str) -> Self {
        let blog = Blog { folder: tempfile::tempdir().expect("a folder"), hour: std::cell::Cell::new(0) };
        blog.configure(feeds);
        blog
    }

    fn configure(&self, feeds: &str) {
        let site = "[site]\ntitle = \"Notes\"\nurl = \"https://example.org/\"\n[feeds]\npage = false\n";
        self.write("postrider.toml", &format!("{site}{feeds}"));
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().expect("a folder")).expect("writable");
        fs::write(self.at(path), text).expect("writable");
    }

    /// The posts of that range, one an hour.
    fn grow(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let (day, hour) = (number / 24, number % 24);
            let date = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day") + chrono::Days::new(day.into());
            self.post(number, &format!("title: Post {number}\ndate: {date}T{hour:02}:00:00Z"));
        }
    }

    fn post(&self, number: u32, front: &str) {
        self.write(&format!("posts/{number:03}.md"), &format!("---\n{front}\n---\nThe text of post {number}.\n"));
    }

    fn command(&self, arguments: &[&str]) -> Value {
        let hour = self.hour.replace(self.hour.get() + 1);
        let now = format!("2027-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
        let output = Command::new(env!("CARGO_BIN_EXE_postrider"))
            .current_dir(self.folder.path())
            .args(arguments)
            .args(["--json", "--now", &now])
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn build(&self) -> Value {
        self.command(&["build"])
    }

    /// What a build says in words.
    fn told(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_postrider"))
            .current_dir(self.folder.path())
            .args(["build", "--now", "2027-01-02T00:00:00Z"])
            .output()
            .expect("the program starts")
    }

    fn files(&self) -> Files {
        let mut files = Files::new();
        gather(&self.at("public"), "", &mut files);
        files
    }

    /// Plans, builds, and holds the two against each other and against what became of the files: their folders, each of
    /// which changed as RSS and as Atom.
    #[track_caller]
    fn changes(&self) -> Vec<String> {
        let before = self.files();
        let planned = told_as_changed(&self.command(&["plan"]));
        assert_eq!(self.files(), before, "plan changes nothing");
        let run = self.build();
        let after = self.files();
        let changed: BTreeSet<&str> =
            after.iter().filter(|(path, file)| before.get(*path) != Some(file)).map(|(path, _)| &**path).collect();
        assert!(before.keys().all(|path| after.contains_key(path)), "no feed is taken away");
        assert_eq!(told_as_changed(&run), changed.iter().map(|path| format!("public/{path}")).collect());
        assert_eq!(planned, told_as_changed(&run));
        let folders: BTreeSet<&str> = changed.iter().map(|path| path.rsplit_once('/').map_or("", |p| p.0)).collect();
        // JSON Feed has no word for a page that is closed.
        let xml = changed.iter().filter(|path| path.ends_with(".xml")).count();
        assert_eq!(folders.len() * 2, xml, "{changed:?}");
        // What changes nothing changes no file.
        assert!(told_as_changed(&self.build()).is_empty());
        assert_eq!(self.files(), after);
        folders.into_iter().map(str::to_owned).collect()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at("public").join(path)).expect(path)
    }

    fn json(&self, folder: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{folder}feed.json"))).expect("JSON")
    }

    /// The titles of a feed's entries, which are the same in all formats, as are their ids.
    fn titles(&self, folder: &str) -> Vec<String> {
        let json = self.json(folder);
        let all = |key: &str| -> Vec<String> {
            let items = json["items"].as_array().expect("items").iter();
            items.map(|item| item[key].as_str().expect(key).to_owned()).collect()
        };
        let rss: rss::Channel = self.text(&format!("{folder}rss.xml")).parse().expect("RSS");
        let atom: atom_syndication::Feed = self.text(&format!("{folder}atom.xml")).parse().expect("Atom");
        let guids: Vec<_> = rss.items.iter().map(|item| item.guid.clone().expect("a guid").value).collect();
        let ids: Vec<_> = atom.entries.iter().map(|entry| entry.id.clone()).collect();
        assert_eq!((&guids, &ids), (&all("id"), &all("id")), "{folder}");
        all("title")
    }

    /// All titles that the chain of a format leads to, by document: from the feed to its oldest page.
    fn chain(&self, format: &str) -> Vec<(String, usize)> {
        let mut chain = Vec::new();
        let mut next = Some(format!("https://example.org/{format}"));
        while let Some(url) = next {
            let path = url.strip_prefix("https://example.org/").expect("below the site").to_owned();
            let (entries, before) = match format {
                "feed.json" => {
                    let feed: Value = serde_json::from_str(&self.text(&path)).expect("JSON");
                    assert_eq!(feed["feed_url"], json!(url));
                    (feed["items"].as_array().expect("items").len(), feed["next_url"].as_str().map(str::to_owned))
                }
                "atom.xml" => {
                    let feed: atom_syndication::Feed = self.text(&path).parse().expect("Atom");
                    assert_eq!(feed.id, "https://example.org/atom.xml", "one feed in several documents");
                    let link = feed.links.iter().find(|link| link.rel == "prev-archive");
                    (feed.entries.len(), link.map(|link| link.href.clone()))
                }
                _ => {
                    let feed: rss::Channel = self.text(&path).parse().expect("RSS");
                    let links = feed.atom_ext.expect("links").links;
                    let link = links.into_iter().find(|link| link.rel == "prev-archive");
                    (feed.items.len(), link.map(|link| link.href))
                }
            };
            chain.push((path.rsplit_once('/').map_or("", |p| p.0).to_owned(), entries));
            next = before;
        }
        chain
    }
}

fn told_as_changed(run: &Value) -> BTreeSet<String> {
    let feeds = run["feeds"].as_array().expect("feeds").iter().filter(|feed| feed["changed"] == true);
    feeds.map(|feed| feed["path"].as_str().expect("a path").to_owned()).collect()
}

fn gather(folder: &Path, below: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.expect("an entry");
        let path = format!("{below}{}", entry.file_name().into_string().expect("UTF-8"));
        if entry.path().is_dir() {
            gather(&entry.path(), &format!("{path}/"), files);
        } else {
            let inode = entry.metadata().expect("facts").ino();
            files.insert(path, (fs::read(entry.path()).expect("a file"), inode));
        }
    }
}

#[test]
fn an_archive_is_filled_oldest_first_and_no_page_ever_shifts() {
    let blog = Blog::new("limit = 20\narchives = true\n[[feed]]\nname = \"odd\"\ntags = [\"odd\"]\n");
    blog.grow(0..15);
    assert_eq!(blog.changes(), ["", "odd"]);
    for file in ["atom.xml", "rss.xml", "odd/atom.xml"] {
        assert!(blog.text(file).contains("<fh:complete/>"), "{file}: all there is is in it");
    }
    assert_eq!(blog.json("").get("next_url"), None);

    blog.grow(15..100);
    assert_eq!(blog.changes(), ["", "archive/1"]);
    assert!(!blog.text("atom.xml").contains("fh:"));
    assert!(!blog.text("archive/1/atom.xml").contains("fh:"), "it is full, but nothing says that it stays so");
    blog.grow(100..101);
    assert_eq!(blog.changes(), ["", "archive/1", "archive/2"], "a page is closed by the one that follows");
    blog.grow(101..400);
    assert_eq!(blog.changes(), ["", "archive/2", "archive/3", "archive/4"]);
    blog.grow(400..450);
    assert_eq!(blog.changes(), ["", "archive/4", "archive/5"]);

    for format in FORMATS {
        let chain = blog.chain(format);
        let expected = [("", 20), ("archive/5", 50)].into_iter().chain([("archive/4", 100), ("archive/3", 100)]);
        let expected = expected.chain([("archive/2", 100), ("archive/1", 100)]);
        assert_eq!(chain, expected.map(|(path, count)| (path.to_owned(), count)).collect::<Vec<_>>(), "{format}");
    }
    let all: BTreeSet<String> = (1..=5).flat_map(|page| blog.titles(&format!("archive/{page}/"))).collect();
    assert_eq!(all.len(), 450);
    let (oldest, closed) = (blog.titles("archive/1/"), blog.text("archive/2/atom.xml"));
    assert_eq!((&*oldest[0], &*oldest[99]), ("Post 99", "Post 0"), "newest first, as in any feed");
    for link in ["\"current\"", "\"prev-archive\"", "\"next-archive\"", "<fh:archive/>"] {
        assert!(closed.contains(link), "{link}");
    }

    blog.post(900, "title: Long ago\ndate: 2019-05-05");
    assert_eq!(blog.changes(), ["archive/5"], "an early date shifts nothing");
    assert_eq!(blog.titles("archive/5/").last().map(String::as_str), Some("Long ago"));

    blog.post(150, "title: Post 150 again\ndate: 2026-01-07T06:00:00Z");
    assert_eq!(blog.changes(), ["archive/2"], "an edit is on its page");
    blog.post(440, "title: Post 440 again\ndate: 2026-01-19T08:00:00Z");
    assert_eq!(blog.changes(), ["", "archive/5"]);
    blog.post(160, "title: Post 160\ntags: [odd]\ndate: 2026-01-07T16:00:00Z");
    assert_eq!(blog.changes(), ["archive/2", "odd"]);

    fs::remove_file(blog.at("posts/007.md")).expect("a post");
    assert_eq!(blog.changes(), ["archive/1"], "what is withdrawn leaves a gap");
    assert_eq!(blog.titles("archive/1/").len(), 99);
    blog.post(8, "title: Post 8\nfeed: false\ndate: 2026-01-01T08:00:00Z");
    assert_eq!(blog.changes(), ["archive/1"]);
    blog.post(7, "title: Post 7\ndate: 2026-01-01T07:00:00Z");
    assert_eq!(blog.changes(), ["archive/1"], "and has its place when it comes back");
    assert_eq!(blog.titles("archive/1/").len(), 99);

    // A page that somebody deleted is made again.
    fs::remove_file(blog.at("public/archive/3/rss.xml")).expect("a page");
    assert_eq!(told_as_changed(&blog.build()), BTreeSet::from(["public/archive/3/rss.xml".to_owned()]));
    // The same store and the same posts make the same files.
    let before = blog.files();
    fs::remove_dir_all(blog.at("public")).expect("the feeds");
    blog.build();
    let bytes = |files: Files| files.into_iter().map(|(path, (bytes, _))| (path, bytes)).collect::<BTreeMap<_, _>>();
    assert_eq!(bytes(blog.files()), bytes(before));
}

#[test]
fn a_page_that_did_not_change_is_not_rendered() {
    let blog = Blog::new("limit = 1\narchives = true\n");
    blog.write("_config.yml", "title: Notes\n");
    blog.configure("limit = 1\narchives = true\n[posts]\ndir = \".\"\n");
    for number in 1..=3 {
        let path = format!("_posts/2026-01-0{number}-post.md");
        blog.write(&path, &format!("---\ntitle: Post {number}\n---\n{{% nonsense %}} of {number}\n"));
    }
    let complained_of = || {
        let run = blog.build();
        let problems = run["posts"]["problems"].as_array().expect("problems").clone();
        problems.into_iter().map(|problem| problem["path"].as_str().expect("a path").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(complained_of().len(), 1, "all three, gathered as one");
    assert_eq!(blog.titles("archive/1/").len(), 3);
    assert_eq!(complained_of(), ["_posts/2026-01-03-post.md"], "the feed's alone");
}

#[test]
fn every_tag_has_a_feed_of_its_own_that_keeps_its_place() {
    let blog = Blog::new("for = [\"tag\", \"category\", \"author\", \"language\", \"section\"]\n");
    blog.post(1, "title: One\ndate: 2026-11-01\ntags: [C++, C, 日本, \"C Sharp\"]\nauthor: Ada Okafor");
    blog.post(2, "title: Two\ndate: 2026-11-02\ntags: [c++, \"C#\", c]\ncategories: [Notes]\nlang: de");
    blog.write("posts/far/away/3.md", "---\ntitle: Three\ndate: 2026-11-03\n---\nThree.\n");
    let folders = blog.changes();
    let of = |kind: &str| -> Vec<&String> { folders.iter().filter(|folder| folder.starts_with(kind)).collect() };
    assert_eq!(of("tag/").len(), 5, "{folders:?}");
    let plus = folders.iter().find(|folder| folder.starts_with("tag/c-plus-plus~")).expect("of C++").clone();
    for (folder, title, titles) in [
        ("", "Notes", vec!["Three", "Two", "One"]),
        (&format!("{plus}/"), "Notes – C++", vec!["Two", "One"]),
        ("tag/c/", "Notes – C", vec!["Two", "One"]),
        ("tag/c_sharp/", "Notes – C Sharp", vec!["One"]),
        ("tag/日本/", "Notes – 日本", vec!["One"]),
        ("category/notes/", "Notes – Notes", vec!["Two"]),
        ("author/ada_okafor/", "Notes – Ada Okafor", vec!["One"]),
        ("language/de/", "Notes – de", vec!["Two"]),
        ("section/far/", "Notes – far", vec!["Three"]),
    ] {
        assert_eq!((blog.json(folder)["title"].as_str(), blog.titles(folder)), (Some(title), own(&titles)), "{folder}");
    }
    assert_eq!(blog.json("tag/日本/")["feed_url"], "https://example.org/tag/%E6%97%A5%E6%9C%AC/feed.json");
    assert_eq!(blog.json("tag/c/")["items"][0]["id"], blog.json("")["items"][1]["id"], "a post has one id");
    assert_eq!(blog.json("language/de/")["language"], "de");

    // In words, many feeds are one line.
    let output = blog.told();
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(said, "3 posts read, 3 published\n33 feeds, unchanged\n");

    // Names that look like those that are there take nobody's place.
    blog.post(4, "title: Four\ndate: 2026-11-04\ntags: [c-plus-plus, c-sharp, 日 本]\nlang: de");
    let folders = blog.changes();
    assert_eq!(folders, ["", "language/de", "tag/c-plus-plus", "tag/c-sharp", "tag/日_本"]);

    // Nobody uses the tag any more: its readers find a feed without posts.
    blog.post(1, "title: One\ndate: 2026-11-01\ntags: [C]\nauthor: Ada Okafor");
    blog.post(2, "title: Two\ndate: 2026-11-02\ntags: [c]\ncategories: [Notes]\nlang: de");
    let folders = blog.changes();
    let gone = folders.iter().filter(|folder| folder.starts_with("tag/c-plus-plus~")).count();
    assert_eq!(
        (gone, folders.contains(&"tag/日本".to_owned()), folders.contains(&"tag/c".to_owned())),
        (1, true, true)
    );
    assert_eq!((blog.titles(&format!("{plus}/")), blog.titles("tag/日本/")), (vec![], vec![]));
    assert_eq!(blog.json(&format!("{plus}/"))["title"], "Notes – C++");

    // A small mend changes every feed that holds the post, once, and tells readers nothing.
    let dates = |folder: &str| blog.json(folder)["items"][1]["date_modified"].clone();
    let before = dates("tag/c/");
    blog.write(
        "posts/001.md",
        "---\ntitle: One\ndate: 2026-11-01\ntags: [C]\nminor: true\nauthor: Ada Okafor\n---\nMended.\n",
    );
    assert_eq!(blog.changes(), ["", "author/ada_okafor", "language/en", "tag/c"]);
    assert_eq!(dates("tag/c/"), before);
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_feed_leads_to_the_page_that_lists_its_posts_where_hugo_makes_one() {
    let blog = Blog::new("");
    blog.write("hugo.toml", "baseURL = \"https://example.org/blog/\"\ntitle = \"Notes\"\n");
    let config = "[posts]\ndir = \"content\"\n[feeds]\nfor = [\"tag\", \"category\", \"author\", \"section\"]\n";
    blog.write("postrider.toml", config);
    blog.write(
        "content/Travel_Notes/a.md",
        "---\ntitle: A\ndate: 2026-11-01\ntags: [C#, Machine Learning, 日本, R&D, a / b, 🎉]\ncategories: [Notes]\nauthors: [Ada]\n---\nx\n",
    );
    let homes = || {
        let mut homes = BTreeMap::new();
        let run = blog.build();
        for path in run["feeds"].as_array().expect("feeds").iter().filter_map(|feed| feed["path"].as_str()) {
            let Some(folder) = path.strip_prefix("public/").and_then(|path| path.strip_suffix("feed.json")) else {
                continue;
            };
            let home = blog.json(folder)["home_page_url"].as_str().expect("a home").to_owned();
            let folder = folder.split('~').next().unwrap_or_default().trim_end_matches('/').to_owned();
            homes.insert(folder, home.strip_prefix("https://example.org/blog/").expect("below the site").to_owned());
        }
        homes
    };
    let expected = [
        ("", ""),
        ("author/ada", ""),
        ("category/notes", "categories/notes/"),
        ("section/travel-notes", "travel_notes/"),
        ("tag/a_b", ""),
        ("tag/c-sharp", "tags/c%23/"),
        ("tag/machine_learning", "tags/machine-learning/"),
        ("tag/r-andd", "tags/rd/"),
        ("tag/日本", "tags/%E6%97%A5%E6%9C%AC/"),
        ("tag/🎉", ""),
    ];
    assert_eq!(homes(), expected.map(|(folder, home)| (folder.to_owned(), home.to_owned())).into());
    // What the site does in its own way is not guessed.
    blog.write(
        "hugo.toml",
        "baseURL = \"https://example.org/blog/\"\ntitle = \"Notes\"\ndisableKinds = [\"section\"]\n[taxonomies]\nkey = \"tags\"\n[permalinks]\ntags = \"/t/:slug/\"\n",
    );
    assert!(homes().values().all(String::is_empty));
}

#[test]
fn plan_says_what_readers_of_each_feed_would_see() {
    let blog =
        Blog::new("limit = 2\narchives = true\nfor = [\"tag\"]\n[[feed]]\nname = \"birds\"\ntags = [\"herons\"]\n");
    let post = |number: u32, more: &str| {
        let front = format!("title: Post {number}\ndate: 2026-11-0{number}\nguid: urn:example:{number}\n{more}");
        blog.post(number, &front);
    };
    post(1, "tags: [herons]");
    post(2, "tags: [snow]");
    post(3, "tags: [herons]");
    blog.build();
    post(1, "tags: [snow]");
    post(3, "tags: [herons]\nsummary: In other words.");
    post(4, "");
    let plan = blog.command(&["plan"]);
    let seen: BTreeMap<&str, String> = plan["feeds"]
        .as_array()
        .expect("feeds")
        .iter()
        .filter_map(|feed| Some((feed["path"].as_str()?.strip_suffix("/atom.xml")?, feed)))
        .map(|(path, feed)| {
            let ids = |key: &str| feed[key].to_string().replace("urn:example:", "");
            (path, format!("+{} ~{} -{} {}", ids("new"), ids("updated"), ids("gone"), feed["changed"]))
        })
        .collect();
    let expected = [
        ("public", r#"+["4"] ~["3"] -["2"] true"#),
        ("public/archive/1", r#"+["4"] ~["1","3"] -[] true"#),
        ("public/birds", r#"+[] ~["3"] -["1"] true"#),
        ("public/tag/herons", r#"+[] ~["3"] -["1"] true"#),
        ("public/tag/snow", r#"+["1"] ~[] -[] true"#),
    ];
    assert_eq!(seen, expected.map(|(path, what)| (path, what.to_owned())).into());
    blog.build();
    // Of pages only those that change are told.
    let quiet = blog.command(&["plan"]);
    let told: Vec<&Value> = quiet["feeds"].as_array().expect("feeds").iter().collect();
    assert_eq!(told.len(), 4 * FORMATS.len());
    for feed in told {
        assert_eq!((&feed["changed"], &feed["new"], &feed["gone"]), (&json!(false), &json!([]), &json!([])), "{feed}");
    }
}

#[test]
fn too_many_old_posts_are_told_by_example() {
    let blog = Blog::new("");
    blog.grow(100..101);
    blog.build();
    blog.grow(1..15);
    let output = blog.told();
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        said.contains(
            "14 old posts would appear as new in every feed reader (posts/014.md, posts/013.md, posts/012.md and 11 more), more than feeds.flood_limit (10) allows: nothing was changed"
        ),
        "{said}"
    );
    // Who looks first sees them all, and that a run would stop.
    let planned = blog.command(&["plan"]);
    assert_eq!(planned["feeds"][0]["new"].as_array().map(Vec::len), Some(14));
    blog.command(&["build", "--accept-new"]);
    assert_eq!(blog.titles("").len(), 15);
}

#[test]
fn a_file_that_was_put_back_from_before_is_made_anew() {
    let blog = Blog::new("for = [\"tag\"]\n");
    blog.post(1, "title: Secret\ndate: 2026-01-01T00:00:00Z\ntags: [red]");
    blog.post(2, "title: Plain\ndate: 2026-01-02T00:00:00Z\ntags: [red]");
    blog.build();
    let before = fs::read(blog.at("public/tag/red/rss.xml")).expect("it is there");
    fs::remove_file(blog.at("posts/001.md")).expect("it was there");
    blog.build();
    let after = fs::read(blog.at("public/tag/red/rss.xml")).expect("it is there");
    // As a run leaves it that was killed before it wrote down what it did, or a cache of somebody's CI.
    fs::write(blog.at("public/tag/red/rss.xml"), before).expect("writable");
    fs::write(blog.at("public/tag/red/feed.json"), "").expect("writable");
    blog.build();
    assert_eq!(fs::read(blog.at("public/tag/red/rss.xml")).expect("it is there"), after);
    assert_eq!(blog.titles("tag/red/"), ["Plain"]);
    // A copy of the same is left alone.
    fs::write(blog.at("public/tag/red/rss.xml"), &after).expect("writable");
    assert!(told_as_changed(&blog.build()).is_empty());
}

#[test]
fn what_a_post_says_of_itself_gets_into_every_feed() {
    let blog = Blog::new("for = [\"tag\"]\n[posts]\ndialect = \"jekyll\"\n");
    for price in [10, 20] {
        let front = format!("title: Owls\ntags: [birds]\nprice: {price}");
        blog.write("posts/_posts/2026-01-01-owls.md", &format!("---\n{front}\n---\nThey cost {{{{ page.price }}}}.\n"));
        blog.build();
        for feed in ["rss.xml", "tag/birds/rss.xml"] {
            assert!(blog.text(feed).contains(&format!("They cost {price}.")), "{feed}");
        }
    }
}

/// An empty checkout, a disk that is not mounted: readers would see the whole blog go.
#[test]
fn no_feed_is_emptied_because_the_posts_are_not_there() {
    let blog = Blog::new("");
    blog.grow(1..4);
    blog.build();
    let feed = blog.text("rss.xml");
    let posts: Vec<_> =
        fs::read_dir(blog.at("posts")).expect("a folder").map(|post| post.expect("a post").path()).collect();
    posts.iter().for_each(|post| fs::remove_file(post).expect("it was there"));
    let output = blog.told();
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no post is there, and there were 3: nothing was changed, so no feed was emptied"), "{said}");
    assert_eq!(blog.text("rss.xml"), feed);
    let planned = blog.command(&["plan"]);
    assert_eq!(planned["feeds"][0]["gone"].as_array().map(Vec::len), Some(3));
    blog.command(&["build", "--accept-removals"]);
    assert!(blog.titles("").is_empty());
    blog.build();
}

#[test]
fn renamed_and_edited_posts_are_no_flood() {
    let blog = Blog::new("");
    let body = |number: u32, end: &str| {
        format!("{}{end}\n", format!("Post {number} has a text of its own, of {number} words. ").repeat(12))
    };
    let write = |name: String, number: u32, end: &str| {
        let front = format!("title: {name}\ndate: 2026-01-{number:02}T00:00:00Z");
        blog.write(&format!("posts/{name}.md"), &format!("---\n{front}\n---\n{}", body(number, end)));
    };
    (1..15).for_each(|number| write(format!("old-{number}"), number, ""));
    blog.build();
    let ids =
        || blog.json("")["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    let before = ids();
    for number in 2..15 {
        fs::remove_file(blog.at(&format!("posts/old-{number}.md"))).expect("it was there");
        write(format!("new-{number}"), number, "And more.");
    }
    blog.build();
    assert_eq!(ids(), before);
}
