//! `preview`: a real process on loopback whose files change under it, and the same as files.

use crate::support::site::{NOON, Plan, Site, end, hears, readers, signal};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

/// The head of a PNG of 640 by 480 pixels: as much as is looked at.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0\0\0\0\0";

/// A preview that runs, until it is dropped.
struct Served {
    child: Child,
    /// `127.0.0.1:PORT`
    address: String,
}

/// An answer: its status, its head and its body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Served {
    fn new(site: &Site) -> Self {
        let mut child = site.start(NOON, &["preview", "--listen", "127.0.0.1:0"]);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("its address");
        let address = line.trim().strip_prefix("preview: http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.unwrap_or_else(|| panic!("no address: {line:?}")).to_owned();
        Served { child, address }
    }

    fn ask(&self, method: &str, path: &str, host: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        Answer {
            status: head[9..12].parse().expect("a status"),
            head: head.to_lowercase(),
            body: body.replace("&#x2f;", "/"),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &self.address)
    }

    fn version(&self) -> String {
        let page = self.get("/").body;
        let version = page.split("data-version=\"").nth(1).expect("a version");
        version.split('"').next().expect("its end").to_owned()
    }

    /// The page after `change`, as soon as it holds `words`. Waits as the page itself does: by asking what comes after.
    fn after(&self, change: impl FnOnce(), words: &str) -> String {
        let mut version = self.version();
        change();
        // A change may be seen in two steps.
        for _ in 0..4 {
            let page = self.get("/").body;
            if page.contains(words) {
                return page;
            }
            let told = self.get(&format!("/changes?after={version}"));
            let told: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
            version = told["version"].as_str().expect("a version").to_owned();
        }
        panic!("{words:?} never came: {}", self.get("/").body)
    }

    fn end(mut self, by: &str) -> Option<i32> {
        signal(&self.child, by);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn site() -> Site {
    Site::new(Plan::to_outbox(), &readers(3))
}

#[test]
fn the_page_follows_the_files_and_the_store_stays_as_it_is() {
    let site = site();
    assert_eq!(site.go(&["run"]).code, Some(0));
    let before = site.tree();
    let served = Served::new(&site);
    let page = served.get("/");
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{}", page.head);
    assert!(page.body.contains("Nothing is new, so no such mail would go out"), "{}", page.body);
    assert!(page.body.contains("its latest slot was decided"), "{}", page.body);
    assert_eq!(site.tree(), before);

    let post = "---\ntitle: A <new> heron\ndate: 2026-11-23T11:00:00Z\n---\nIt stood there.\n";
    let page = served.after(|| site.write("posts/2026-11-23-heron.md", post), "A &lt;new&gt; heron");
    let faulty = "---\ntitle: [\n---\n";
    served.after(|| site.write("posts/2026-11-23-faulty.md", faulty), "<h2>Problems</h2>");
    served.after(|| fs::remove_file(site.path("posts/2026-11-23-faulty.md")).unwrap(), "A &lt;new&gt; heron");
    assert!(
        page.contains("It holds what is new so far; its slot is Monday, 30 November 2026 at 09:00 (UTC)."),
        "{page}"
    );
    let mail = served.get("/mails/weekly/1/mail.html").body;
    assert!(mail.contains("A &lt;new&gt; heron") && !mail.contains("First snow"), "{mail}");

    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let page = served.after(|| site.write("config.toml", &config.replace("late = ", "lathe = ")), "config.toml:26: ");
    assert!(page.contains("did you mean `late`?") && page.contains("A &lt;new&gt; heron"), "{page}");
    served.after(|| site.write_config(), "data-part=\"trouble\" role=\"alert\" class=\"trouble-box\">\n</div>");

    fs::create_dir_all(site.path("templates/digest")).unwrap();
    let broken = "{% extends \"default/digest/body.html.j2\" %}\n{% block footer %}{{ site.titel }}{{ super() }}{% endblock %}\n";
    let page = served.after(|| site.write("templates/digest/body.html.j2", broken), "digest/body.html.j2, line 2");
    assert!(page.contains("<h2>weekly</h2>") && page.contains("site.titel"), "{page}");
    let mended = broken.replace("titel", "title");
    served.after(|| site.write("templates/digest/body.html.j2", &mended), "data-mail=\"mails/weekly/1/\"");

    // Who waits is not in the way of the end.
    assert_eq!(served.end("TERM"), Some(0));
    fs::remove_dir_all(site.path("templates")).unwrap();
    fs::remove_file(site.path("posts/2026-11-23-heron.md")).unwrap();
    assert_eq!(site.tree(), before);
}

#[test]
fn it_ends_with_nothing_wrong_when_it_is_told_to() {
    for by in ["INT", "TERM"] {
        let served = Served::new(&site());
        assert_eq!(served.end(by), Some(0), "{by}");
    }
}

#[test]
fn a_broken_configuration_is_shown_from_the_first_moment() {
    let site = site();
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replace("[[digest]]", "[[digest"));
    let served = Served::new(&site);
    assert!(served.get("/").body.contains("config.toml:"), "{}", served.get("/").body);
    assert_eq!(served.get("/preview.js").status, 200);
    served.after(|| site.write_config(), "Field Notes: First snow");
}

#[test]
fn nothing_of_a_post_or_a_template_can_act() {
    let site = site();
    let hostile = "---\ntitle: <script>alert(1)</script>\ndate: 2026-11-22\n---\n<script>alert(2)</script><a href=\"javascript:alert(3)\">x</a>\n\n<form action=\"https://example.net/\"><input></form><img src=x onerror=alert(4)>\n\n<iframe src=\"https://example.net/\"></iframe>\n";
    site.write("posts/2026-11-22-hostile.md", hostile);
    let served = Served::new(&site);
    let page = served.get("/").body;
    assert!(page.contains("Field Notes: alert(1)") && !page.contains("<script>"), "{page}");
    for path in ["/mails/weekly/1/light.html", "/mails/weekly/1/mail.html", "/feeds/1/reader.html", "/feeds/1/rss.html"]
    {
        let Answer { head, body, .. } = served.get(path);
        let active = ["<script", "onerror=", "<form", "<iframe", "href=\"javascript:"];
        assert!(active.iter().all(|what| !body.contains(what)), "{path}: {body}");
        let policy = head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).expect("a policy");
        assert!(
            policy.starts_with(
                "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'"
            )
        );
        assert!(!policy.contains("script") && policy.contains("form-action 'none'"), "{policy}");
    }
    assert!(served.get("/mails/weekly/1/light.html").body.contains("http-equiv=\"Content-Security-Policy\""));
    assert!(page.contains("sandbox=\"allow-same-origin allow-popups"), "{page}");
}

#[test]
fn pictures_of_the_site_come_from_its_folder_and_no_other_file_does() {
    let site = site();
    fs::create_dir_all(site.path("img")).unwrap();
    fs::write(site.path("img/a heron.png"), PNG).unwrap();
    fs::write(site.path("img/secret.png"), PNG).unwrap();
    let post = "---\ntitle: Seen\ndate: 2026-11-22\nimage: /img/a%20heron.png\n---\n![A heron](/img/a%20heron.png?v=2) ![Key](/config.toml) ![Elsewhere](https://example.net/x.png)\n";
    site.write("posts/2026-11-22-seen.md", post);
    site.write("posts/config.png", "not a picture");
    let served = Served::new(&site);
    let mail = served.get("/mails/weekly/1/light.html").body;
    assert!(mail.contains("src=\"../../../pictures/img/a%20heron.png\""), "{mail}");
    assert!(served.get("/mails/weekly/1/mail.html").body.contains("src=\"https://example.org/img/a%20heron.png\""));
    let Answer { status, head, .. } = served.get("/pictures/img/a%20heron.png");
    assert!(status == 200 && head.contains("content-type: image/png"), "{head}");
    for path in [
        "/pictures/config.toml",
        "/pictures/../config.toml",
        "/pictures/img/../../config.toml",
        "/pictures/%2e%2e/config.toml",
        "/pictures/img%2f..%2f..%2fconfig.toml",
        "/pictures//etc/passwd",
        "/pictures/img/secret.png",
        "/config.toml",
        "/postrider.db",
        "/subscribers.csv",
        "/mails/weekly/1/../../../config.toml",
        "/mails/weekly/9/mail.html",
        "/feeds/0/rss.xml",
        "/%ff",
    ] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
}

#[test]
fn only_this_machine_is_answered_and_only_readers() {
    let served = Served::new(&site());
    for host in ["evil.example", "evil.example:80", "", "localhost.evil.example"] {
        let Answer { status, body, .. } = served.ask("GET", "/", host);
        assert!(status == 403 && !body.contains("Field Notes"), "{host}: {body}");
        assert_eq!(served.ask("GET", "/mails/weekly/1/mail.eml", host).status, 403, "{host}");
    }
    assert_eq!(served.ask("GET", "/", "localhost").status, 200);
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(served.ask(method, "/", &served.address).status, 405, "{method}");
    }
    assert_eq!(served.ask("HEAD", "/", &served.address).status, 200);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let site = site();
    let served = Served::new(&site);
    let ran = site.go(&["preview", "--listen", &served.address]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(&served.address) && ran.err.contains("--listen 127.0.0.1:0"), "{}", ran.err);
}

#[test]
fn the_same_as_files_whole_and_the_same_again() {
    let site = site();
    site.write_readers(&["ok-1@sink.test".to_owned()]);
    site.write(
        "subscribers.csv",
        "email,tags,language\nok-1@sink.test,,\nok-2@sink.test,snow,\nok-3@sink.test,bees,\nok-4@sink.test,,de\n",
    );
    site.write("posts/2026-11-20-note.md", "---\ntitle: First snow\ntags: [snow]\n---\nIt was *seen* that day.\n");
    let mut written = site.json(NOON, &["preview", "--out", "out"]);
    // What they say is the business of `check`, and how large they are that of the templates.
    for mail in written["mails"].as_array_mut().unwrap() {
        let mail = mail.as_object_mut().unwrap();
        assert!(mail.remove("findings").unwrap().is_array());
        assert!(mail.remove("html").unwrap().as_u64() < mail.remove("message").unwrap().as_u64());
    }
    assert!(written.as_object_mut().unwrap().remove("findings").unwrap().is_array());
    insta::assert_json_snapshot!("preview_out", written);
    let first = site.tree();
    assert!(!site.path("postrider.db").exists() && !site.path("public").exists() && !site.path("outbox").exists());
    let listed = written["files"].as_array().unwrap();
    assert!(listed.iter().all(|file| site.path("out").join(file.as_str().unwrap()).is_file()));

    // Again, and nothing differs; after a change nothing of before is left.
    assert_eq!(site.go(&["preview", "--out", "out"]).code, Some(0));
    assert_eq!(site.tree(), first);
    site.write_readers(&readers(1));
    let ran = site.go(&["preview", "--out", "out"]);
    assert_eq!(ran.out.lines().count(), 2, "{ran:?}");
    assert!(!site.path("out/mails/weekly/2").exists());

    // Where something is broken, or something else lies, all stays.
    let before = site.tree();
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    site.write("config.toml", &config.replace("subject = \"{{ site", "subject = \"{{ sight"));
    let ran = site.go(&["preview", "--out", "out"]);
    assert!(ran.code == Some(1) && ran.err.contains("the digest \"weekly\" cannot be shown"), "{ran:?}");
    let ran = site.go(&["preview", "--out", "posts"]);
    assert_eq!(ran.code, Some(1));
    site.write_config();
    let ran = site.go(&["preview", "--out", "posts"]);
    assert!(ran.code == Some(1) && ran.err.contains("holds files that were not made by Postrider"), "{ran:?}");
    assert_eq!(site.tree(), before);
}

#[test]
fn it_shows_what_there_is_without_readers_digests_or_mail() {
    let site = site();
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    let without = |from: &str, to: &str| {
        let (head, rest) = config.split_once(from).unwrap();
        format!("{head}{}", &rest[rest.find(to).unwrap()..])
    };
    // A list that is not there yet stops a run; a preview says so beside the mail.
    fs::remove_file(site.path("subscribers.csv")).unwrap();
    let written = site.json(NOON, &["preview", "--out", "out"]);
    assert_eq!(written["mails"][0]["readers"], 0);
    assert!(written["trouble"].as_str().unwrap().contains("subscribers.csv"), "{written}");
    site.write("config.toml", &config.replace("must_exist = false", "must_exist = true"));
    let written = site.json(NOON, &["preview", "--out", "out"]);
    assert!(written["trouble"].as_str().unwrap().contains("there is no store"), "{written}");
    assert_eq!(written["mails"][0]["subject"], "Field Notes: First snow");

    site.write("config.toml", &without("[[digest]]", "[subscribers]").replace("file = \"subscribers.csv\"\n", ""));
    let written = site.json(NOON, &["preview", "--out", "out"]);
    assert!(written["mails"].as_array().unwrap().is_empty() && written["feeds"][0]["entries"] == 2, "{written}");

    let bare = without("[mail]", "[[digest]]").split("[[digest]]").next().unwrap().to_owned();
    site.write("config.toml", &bare);
    let written = site.json(NOON, &["preview", "--out", "out"]);
    assert!(written["mails"].as_array().unwrap().is_empty() && written["feeds"][0]["entries"] == 2, "{written}");
    let page = fs::read_to_string(site.path("out/index.html")).unwrap();
    assert!(page.contains("There is no <code>[[digest]]</code>"), "{page}");
}

#[test]
fn what_goes_wrong_later_is_said_where_it_was_started() {
    let site = site();
    let mut served = Served::new(&site);
    let config = fs::read_to_string(site.path("config.toml")).unwrap();
    served.after(|| site.write("config.toml", &config.replace("late = ", "lathe = ")), "did you mean");
    assert!(hears(&mut served.child, "error: ").contains("config.toml:26: "));
}

#[test]
fn an_answer_in_json_names_the_address() {
    let site = site();
    let mut child = site.start(NOON, &["preview", "--listen", "127.0.0.1:0", "--json"]);
    hears(&mut child, "Ctrl-C");
    signal(&child, "INT");
    let ran = end(child);
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("one document");
    assert!(document["address"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{ran:?}");
    assert_eq!(ran.code, Some(0));
}
