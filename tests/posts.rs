//! Small blogs in `tests/corpus/posts`, each file beside what must come of it. A new case is a new file; with
//! `UPDATE_CORPUS=1` the expectations are written, to be read critically.

use chrono::{DateTime, Utc};
use postrider::post::dialect::Dialect;
use postrider::post::identity::{Ids, Known, Rules, assign};
use postrider::post::settings::Settings;
use postrider::post::{Content, Post, Problem, Site};
use postrider::site::{self, Blog};
use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

#[test]
fn every_post_of_the_corpus_is_read_as_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts");
    let mut wrong = Vec::new();
    for blog in folders(&corpus) {
        let read = read(&blog);
        let mut cases = Vec::new();
        files(&blog, &mut cases);
        for case in cases {
            let path = case.strip_prefix(&blog).expect("below it").to_str().expect("UTF-8");
            let found = report(&read, path);
            let expected = PathBuf::from(format!("{}.expected", case.display()));
            if std::env::var_os("UPDATE_CORPUS").is_some() {
                std::fs::write(&expected, &found).expect("writable");
            } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
                wrong.push(format!("{}\n{found}", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases are read otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn reading_twice_gives_the_same() {
    let blog = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts/jekyll");
    let (first, second) = (read(&blog), read(&blog));
    let prints = |blog: &Blog| blog.posts.iter().map(|post| (post.path.clone(), post.fingerprint)).collect::<Vec<_>>();
    assert_eq!(prints(&first), prints(&second));
    assert_eq!(first.problems, second.problems);
    assert!(first.posts.is_sorted_by(|a, b| a.published >= b.published));
}

#[test]
fn a_file_that_did_not_change_is_as_it_was_read() {
    // Later than any time of the files.
    let now = "2100-01-01T00:00:00Z".parse().expect("a date");
    let mut stamped = 0;
    for blog in folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts")) {
        let read = |known: &[Arc<Known>]| read_at(&settings_of("."), &blog, known, now);
        let first = read(&[]);
        let known = remembered(&first);
        stamped += known.iter().filter(|row| row.post.stamp.is_some()).count();
        let second = read(&known);
        assert_eq!(second.posts, first.posts, "{}", blog.display());
        assert_eq!((second.hidden, second.problems), (first.hidden, first.problems));

        // What is remembered is believed, else nothing was gained; but of another day or by other rules it is not.
        let mark = |row: Arc<Known>| {
            let post = Arc::new(Post { title: "Remembered".into(), ..(*row.post).clone() });
            Arc::new(Known { post, ..(*row).clone() })
        };
        let marked: Vec<Arc<Known>> = known.into_iter().map(mark).collect();
        let believed = |blog: &Blog| blog.posts.iter().filter(|post| post.title == "Remembered").count();
        assert_eq!(believed(&read(&marked)), marked.iter().filter(|row| row.post.stamp.is_some()).count());
        for other in [
            Settings { permalink: Some("/x/:title/".into()), ..settings_of(".") },
            Settings { dialect: Some(Dialect::Plain), ..settings_of(".") },
        ] {
            assert_eq!(believed(&read_at(&other, &blog, &marked, now)), 0);
        }
        let past = "2001-01-01T00:00:00Z".parse().expect("a date");
        assert_eq!(believed(&read_at(&settings_of("."), &blog, &marked, past)), 0);
    }
    assert!(stamped > 100, "{stamped}");
}

#[test]
fn a_file_that_changed_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("2024-01-01-x.md");
    let now = "2100-01-01T00:00:00Z".parse().expect("a date");
    let title = |known: &[Arc<Known>]| {
        let blog = read_at(&settings_of("."), folder.path(), known, now);
        (blog.posts[0].title.clone(), remembered(&blog))
    };
    std::fs::write(&file, "---\ntitle: One\n---\n").expect("writable");
    let modified = std::fs::metadata(&file).and_then(|facts| facts.modified()).expect("it has a time");
    let (first, known) = title(&[]);
    assert_eq!(first, "One");
    // As long as before, and set back to the same time.
    std::fs::remove_file(&file).expect("it was there");
    std::fs::write(&file, "---\ntitle: Two\n---\n").expect("writable");
    std::fs::File::options().append(true).open(&file).and_then(|f| f.set_modified(modified)).expect("it can be set");
    assert_eq!(title(&known).0, "Two");
}

#[test]
fn what_will_expire_and_what_was_just_written_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writable");
    std::fs::create_dir(folder.path().join("content")).expect("writable");
    write("hugo.toml", "baseURL = 'https://example.org/'\n");
    write("content/a.md", "---\ntitle: A\ndate: 2024-01-01\nexpiryDate: 2200-01-01\n---\n");
    write("content/b.md", "---\ntitle: B\ndate: 2024-01-01\n---\n");
    let stamped = |now: &str| {
        let blog = read_at(&settings_of("content"), folder.path(), &[], now.parse().expect("a date"));
        blog.posts.iter().filter(|post| post.stamp.is_some()).map(|post| post.title.clone()).collect::<Vec<_>>()
    };
    assert_eq!(stamped("2100-01-01T00:00:00Z"), ["B"]);
    assert_eq!(stamped("2024-06-01T00:00:00Z"), Vec::<String>::new());
}

#[test]
fn it_does_not_matter_where_the_folder_begins() {
    let blog = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts/jekyll");
    let whole = read(&blog);
    for (dir, prefix) in [
        ("_posts", "_posts/"),
        ("./notes", "notes/"),
        ("notes/_posts", "notes/_posts/"),
        ("../jekyll/_posts", "../jekyll/_posts/"),
    ] {
        let part = read_dir(&blog, dir);
        assert!(!part.posts.is_empty(), "{dir}");
        for post in part.posts.iter() {
            assert!(post.path.starts_with(prefix), "{}", post.path);
            let same = whole.posts.iter().find(|other| post.path.ends_with(&other.path)).expect("in the whole");
            assert_eq!((&post.link, &post.categories), (&same.link, &same.categories));
        }
    }
}

/// Hugo, Zola and Pelican read `content` alone. What is no such site, but only has posts of one, is read all the same.
#[test]
fn posts_that_look_like_a_generator_s_are_read_where_no_site_of_it_is() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts");
    let of_other = tempfile::tempdir().expect("a folder");
    let posts = corpus.join("hugo-posts/posts");
    for (root, dir) in
        [(&*corpus.join("hugo-posts"), "posts"), (&*posts, "."), (of_other.path(), posts.to_str().unwrap())]
    {
        assert_eq!(read_dir(root, dir).posts.len(), 3, "{dir}");
    }
    for dialect in [Dialect::Hugo, Dialect::Zola] {
        let settings = Settings { dialect: Some(dialect), ..settings_of("posts") };
        assert_eq!(read_with(&settings, &corpus.join("hugo-posts")).posts.len(), 3, "{dialect:?}");
    }
}

#[test]
fn the_path_of_a_site_is_added_once_in_whatever_letters_it_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("_posts")).expect("writable");
    std::fs::write(folder.path().join("_posts/2024-01-02-frost.md"), "---\ntitle: Frost\n---\nWhite.")
        .expect("writable");
    for (baseurl, below) in
        [("/blög", "bl%C3%B6g/"), ("/my blog/", "my%20blog/"), ("notes", "notes/"), ("", ""), ("/..", "")]
    {
        let config = format!("url: https://example.org\nbaseurl: \"{baseurl}\"\n");
        std::fs::write(folder.path().join("_config.yml"), config).expect("writable");
        let post = &read(folder.path()).posts[0];
        assert_eq!(post.link.as_str(), format!("https://example.org/{below}2024/01/02/frost.html"), "{baseurl}");
    }
}

#[test]
fn a_new_jekyll_site_is_jekyll_s_before_it_has_a_post() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).expect("writable");
    write("_config.yml", "title: Notes\n");
    write("about.markdown", "---\ntitle: About\n---\n");
    let dialect = || site::generator(&settings_of("."), folder.path()).expect("a sound configuration").rules.dialect();
    assert_eq!(dialect(), Dialect::Jekyll);
    // Where its posts are elsewhere, it is another's.
    std::fs::create_dir(folder.path().join("notes")).expect("writable");
    write("notes/frost.md", "White.");
    assert_eq!(dialect(), Dialect::Plain);
}

#[test]
fn our_permalink_goes_before_the_generators_but_not_before_the_posts_own() {
    let blog = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts/jekyll");
    let settings = Settings { dir: vec![".".into()], permalink: Some("pretty".into()), ..Settings::default() };
    let blog = read_with(&settings, &blog);
    let url = |name: &str| {
        let post = blog.posts.iter().find(|post| post.path.ends_with(name)).expect("there");
        post.url().path().to_owned()
    };
    assert_eq!(url("24-2-5-Short-Name.markdown"), "/blog/2024/02/05/Short-Name/");
    assert_eq!(url("2024-05-01-Above.md"), "/blog/notes/own/second/third%20one/2024/05/01/Above/");
    assert_eq!(url("2024-05-04-permalink.md"), "/blog/2024/a/b/x-24");
}

#[test]
fn pictures_are_looked_at_when_their_post_is_rendered() {
    let folder = tempfile::tempdir().expect("a folder");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/posts/jekyll/assets");
    std::fs::write(folder.path().join("2024-01-01-x.md"), "---\nimage: /b.gif\n---\n![](/a.png)").expect("writable");
    let blog = read_dir(folder.path(), ".");
    for (from, to) in [("small.png", "a.png"), ("small.gif", "b.gif")] {
        std::fs::copy(corpus.join(from), folder.path().join(to)).expect("writable");
    }
    let (content, problems) = blog.render(&blog.posts[0]).expect("it is there");
    assert_eq!(problems, []);
    assert!(content.html.as_str().contains("width=\"5\" height=\"3\""), "{}", content.html.as_str());
    let measured = content.image.and_then(|image| image.measured).expect("a picture");
    assert_eq!((measured.length, &*measured.media_type, measured.size), (14, "image/gif", Some((7, 2))));
}

#[cfg(unix)]
#[test]
fn links_that_lead_in_circles_are_survived() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("a")).expect("a folder");
    std::fs::write(folder.path().join("a/2024-01-01-x.md"), "x").expect("writable");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).expect("a link");
    std::os::unix::fs::symlink("nowhere", folder.path().join("a/2024-01-02-dangling.md")).expect("a link");
    let blog = read_dir(folder.path(), ".");
    assert_eq!(blog.posts.iter().map(|post| &*post.path).collect::<Vec<_>>(), ["a/2024-01-01-x.md"]);
}

#[test]
fn a_missing_folder_says_what_to_set() {
    let settings = Settings { dir: vec!["nowhere".into()], ..Settings::default() };
    let error = site::generator(&settings, Path::new(env!("CARGO_MANIFEST_DIR"))).expect_err("it is not there");
    assert!(
        error.to_string().ends_with("nowhere does not exist; set `dir` in [posts] to the folder that holds them"),
        "{error}"
    );
}

#[test]
fn a_megabyte_of_anything_is_read_soon() {
    let folder = tempfile::tempdir().expect("a folder");
    let pieces = [
        "> ",
        "* ",
        "[",
        "[a](",
        "![",
        "**a ",
        "`",
        "<div>",
        "<b>",
        "<p><b>",
        "|a",
        "{% if x %}",
        "{{ x",
        "{%",
        "\\",
        "&",
        "a\n\n",
        "<!--",
        "{: .a}",
        "[^1]: ",
        "# ",
        "$$",
        "\"",
        "{% raw %}",
        "1. a\n   ",
        "<iframe src=x>",
        "<a href=x>",
        "~~~\n",
        ": a\n",
        "`a``b",
        "**a.**b",
        "[a](x y ",
        "<div markdown=\"1\">",
        "<div>\n\n",
        "<p markdown=1>*a*</p>",
        "|a|b|\n",
        "a | b\n",
        "> > ",
        "{::comment}\n",
        "{::nomarkdown}a{:/}",
        "*[a]: b\n",
        "a *[a]: b\n\n",
        "$$a$$",
        "a\n: b\n",
        "* a\n1. b\n",
        "* {:.a}b\n",
        "](",
        "<<a",
        "`` ` ",
        "<code>*",
        "\\\"",
        "--'",
        "***a*** ",
        "[^1] [^1]: a\n\n",
        "# a {#b}\n",
        "{:a: b}\n",
        "{: b}\n\n",
        "~~~\n\n{% highlight x %}",
        "{% for i in site.posts %}",
        "{% for i in (1..9999) %}{% for j in (1..9999) %}{% for k in (1..9999) %}{% endfor %}{% endfor %}{% endfor %}\n",
        "{% assign a = a | default: 'xxxxxxxx' | append: a | append: a %}{% assign b = b | push: b %}",
        "{% assign a = 'x,y' | split: ',' | concat: a | concat: a %}{{ a | join: 'xxxxxxxxxxxxxxxxxxxxxxx' | size }}",
        "{% assign a = 'aaaaaaaaaaaaaaaa' %}{% assign a = a | replace: 'a', a | replace: 'a', a | replace: 'a', a | replace: 'a', a | replace: 'a', a %}",
        "{% assign p = site.posts | where_exp: 'p', 'p.title == p.url() and p.title or p.url()' %}",
        "{% include {{ x }} %}{% include a b=c %}",
        "{{ 'a' | date: '%Q%^' | truncate: -5 | slice: -9, 99 | times: 1e9 }}",
        "{{ 9223372036854775807 | plus: 1 | times: 9223372036854775807 | divided_by: -1 | modulo: 0 }}",
    ];
    for (number, piece) in pieces.iter().enumerate() {
        let text = format!("---\ntitle: x\n---\n{}", piece.repeat(100_000 / piece.len()));
        std::fs::write(folder.path().join(format!("2024-01-01-{number}.md")), text).expect("writable");
    }
    let blog = read_dir(folder.path(), ".");
    assert_eq!(blog.posts.len(), pieces.len(), "{:?}", blog.problems);
    for post in blog.posts.iter() {
        let (content, _) = blog.render(post).expect("it is there");
        content.html.to_text(78);
        postrider::html::mail::narrow(&content.html);
    }
}

/// What bodies are made of, rightly or wrongly.
const SCRAPS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{%-",
    "-}}",
    " if x ",
    " endif ",
    " for a in site.posts ",
    " endfor ",
    "a.b",
    " | ",
    "upcase",
    "date: '%Y'",
    " ",
    "\n",
    "\n\n",
    "'",
    "\"",
    "{: .a}",
    "{:",
    "}",
    "`",
    "``",
    "*",
    "**",
    "***",
    "_",
    "<div>",
    "</div>",
    "<div markdown=\"1\">",
    "<p markdown=1>",
    "</p>",
    "<b>",
    "</b>",
    "<code>",
    "</code>",
    "<",
    ">",
    "$$",
    "[",
    "](",
    ")",
    "[a]: /b\n",
    "* ",
    "- ",
    "1. ",
    "1) ",
    "> ",
    "\t",
    "    ",
    "  ",
    "~~~\n",
    "```\n",
    "|",
    "|-\n",
    "---\n",
    "^\n",
    "*[a]: b\n",
    "{::comment}",
    "{::nomarkdown}",
    "{:/}",
    "{:a: .b}",
    "{:toc}",
    "é",
    "日本",
    "「",
    "\u{a0}",
    "\\",
    "[^1]",
    "[^1]: a\n",
    ": ",
    "# ",
    "{#a}",
    "&amp;",
    "&",
    "--",
    "...",
    "<<",
    ">>",
    "a",
    "b c",
    ".",
    "!",
    "{% raw",
    "{% comment %}",
    "{% include x %}",
    "{% highlight a %}",
    "{% endhighlight %}",
    "{% assign a = a | append: 'b' %}",
    "{% case a %}",
    "{% when 1 %}",
    "{% youtube x %}",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..proptest::prelude::ProptestConfig::with_cases(400) })]

    #[test]
    fn whatever_stands_in_a_body_is_rendered(scraps in proptest::collection::vec(proptest::sample::select(SCRAPS), 0..60)) {
        use postrider::post::kramdown::Flavour;
        use postrider::post::{excerpt, markdown};
        let text = scraps.concat();
        for flavour in [Flavour::Kramdown, Flavour::CommonMark] {
            let html = markdown::to_html_as(flavour, &text, "p");
            proptest::prop_assert!(!html.contains(['\u{1}', '\u{2}', '\u{3}', '\u{4}']), "{}", html);
        }
        excerpt::of(&text, true, &[], "p");
        excerpt::of(&text, false, &[Some("a")], "p");
        excerpt::marked(&text, true, &[], "p");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("2024-01-01-x.md"), format!("---\ntitle: x\n---\n{text}")).expect("writable");
        let blog = read_dir(folder.path(), ".");
        let (content, _) = blog.render(&blog.posts[0]).expect("it is there");
        if !text.contains("raw") {
            let html = content.html.as_str();
            proptest::prop_assert!(!html.contains("{%") && !html.contains("{{"), "{}", html);
        }
    }
}

fn read(blog: &Path) -> Blog {
    read_dir(blog, ".")
}

fn read_dir(root: &Path, dir: &str) -> Blog {
    read_with(&settings_of(dir), root)
}

fn settings_of(dir: &str) -> Settings {
    Settings { dir: vec![dir.into()], ..Settings::default() }
}

fn read_with(settings: &Settings, root: &Path) -> Blog {
    read_at(settings, root, &[], "2026-11-23T12:00:00Z".parse().expect("a date"))
}

/// What a store would remember of a blog.
fn remembered(blog: &Blog) -> Vec<Arc<Known>> {
    let site = site_of(None);
    let present = HashSet::new();
    let now = "2026-11-23T12:00:00Z".parse().expect("a date");
    let rules = Rules { ids: Ids::Tag, authority: "example.org", site: &site, now, present: &present };
    assign(&[], &blog.posts, &rules).into_iter().map(|assigned| assigned.known).collect()
}

fn read_at(settings: &Settings, root: &Path, known: &[Arc<Known>], now: DateTime<Utc>) -> Blog {
    let generator = site::generator(settings, root).expect("a sound configuration");
    let mut site = site_of(generator.url.clone());
    site.timezone = generator.timezone.unwrap_or_default();
    let files = site::find(settings, &generator, root).expect("a readable folder");
    site::read(files, settings, &site, &generator, root, known, now)
}

fn site_of(url: Option<Url>) -> Site {
    Site {
        title: "Field Notes".into(),
        url: url.unwrap_or_else(|| "https://example.org/".parse().expect("a URL")),
        description: None,
        language: "en".into(),
        timezone: chrono_tz::UTC,
        author: None,
    }
}

/// All that was made of a file, for a person to compare.
fn report(blog: &Blog, path: &str) -> String {
    let mut report = String::new();
    for hidden in blog.hidden.iter().filter(|hidden| hidden.path == path) {
        let _ = writeln!(report, "hidden: {}", hidden.reason);
    }
    let mut problems: Vec<Problem> = blog.problems.iter().filter(|problem| problem.path == path).cloned().collect();
    let post = blog.posts.iter().find(|post| post.path == path);
    let rendered = post.map(|post| blog.render(post).expect("it is there"));
    if let (Some(post), Some((content, _))) = (post, &rendered) {
        facts(post, content, &mut report);
    }
    if let Some((_, more)) = &rendered {
        problems.extend(more.iter().cloned());
    }
    for problem in problems {
        let line = problem.line.map_or("-".to_owned(), |line| line.to_string());
        let _ = writeln!(report, "problem: line {line}: {}\n  help: {}", problem.message, problem.help);
    }
    if let Some((content, _)) = rendered {
        if let Some(measured) = content.image.and_then(|image| image.measured) {
            let _ = writeln!(report, "measured: {measured:?}");
        }
        let _ = writeln!(report, "summary: {}", content.summary);
        let _ = writeln!(report, "--- html\n{}", content.html.as_str().trim_end());
        if content.excerpt != content.html {
            let _ = writeln!(report, "--- excerpt\n{}", content.excerpt.as_str().trim_end());
        }
    }
    if report.is_empty() { "not a post\n".into() } else { report }
}

fn facts(post: &Post, content: &Content, report: &mut String) {
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(report, "{name}: {value}");
        }
    };
    fact("title", post.title.clone());
    fact("published", post.published.to_rfc3339());
    fact("updated", post.rare.updated.map(|date| date.to_rfc3339()).unwrap_or_default());
    fact("url", post.link.to_string());
    fact("slug", post.slug.clone());
    fact("categories", post.categories.to_vec().join(" | "));
    fact("tags", post.tags.to_vec().join(" | "));
    let person = |person: &postrider::post::Person| {
        let more = [person.email.clone(), person.url.as_ref().map(ToString::to_string)];
        let more: String = more.into_iter().flatten().map(|more| format!(" <{more}>")).collect();
        person.name.clone() + &more
    };
    fact("authors", post.authors.iter().map(person).collect::<Vec<_>>().join(" | "));
    fact("language", post.rare.language.clone().unwrap_or_default());
    fact("translates", post.rare.translates.clone().unwrap_or_default());
    fact("guid", post.rare.guid.clone().unwrap_or_default());
    fact("image", content.image.as_ref().map(|image| format!("{} ({})", image.url, image.alt)).unwrap_or_default());
    let flags = [(!post.in_feeds, "not in feeds"), (!post.in_digests, "not in digests"), (post.minor, "minor")];
    fact("flags", flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect::<Vec<_>>().join(", "));
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("readable").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Files that could be posts, also those that must not be taken for one.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() && !entry.ends_with("_includes") && !entry.ends_with("_data") {
            files(&entry, found);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "md" || extension == "html" || extension == "markdown")
        {
            found.push(entry);
        }
    }
    found.sort();
}
