#!/usr/bin/env python3
"""newsboat_steps.py POSTRIDER: a site that is worked on, as newsboat's user sees it. After each step the site is built and polled.

What is new must come once and unread; nothing may come twice, get lost, or be unread once more. Exit 1 if anything is wrong."""
import functools, http.server, pathlib, re, sqlite3, subprocess, sys, tempfile, threading

postrider = pathlib.Path(sys.argv[1]).resolve()


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".xml": "application/xml"}

    def send_header(self, name, value):
        # Steps follow faster than the whole seconds of HTTP's dates.
        if name != "Last-Modified":
            super().send_header(name, value)

    def log_message(self, *_):
        pass


class Site:
    def __init__(self, folder):
        self.folder, self.posts = folder, folder / "_posts"
        self.posts.mkdir(parents=True)
        (folder / "_config.yml").write_text("title: Field Notes\n")
        self.config(url="https://example.org/", limit=20, permalink="/:year/:title/")
        for number in range(1, 6):
            self.write("2026-10-%02d-post-%d.md" % (number, number), "Post %d" % number, "Something long enough to know it by. " * 9 + str(number))

    def config(self, **changed):
        self.settings = {**getattr(self, "settings", {}), **changed}
        text = '[site]\nurl = "{url}"\n[posts]\ndir = ["_posts"]\npermalink = "{permalink}"\n[feeds]\nlimit = {limit}\n'
        (self.folder / "config.toml").write_text(text.format(**self.settings))

    def write(self, name, title, body, more=""):
        (self.posts / name).parent.mkdir(exist_ok=True)
        (self.posts / name).write_text("---\ntitle: %s\n%s---\n\n%s\n" % (title, more, body))

    def change(self, name, old, new):
        path = self.posts / name
        text = path.read_text()
        assert re.search(old, text), (name, old)
        path.write_text(re.sub(old, new, text, count=1))

    def move(self, old, new):
        (self.posts / new).parent.mkdir(exist_ok=True)
        (self.posts / old).rename(self.posts / new)

    def build(self):
        run = [postrider, "--now", "2026-11-23T12:00:00Z", "build", "--quiet"]
        subprocess.run(run, check=True, cwd=self.folder)


def both(*steps):
    return lambda site: [step(site) for step in steps]


kept = {}


def take_away(site):
    kept["text"] = (site.posts / "2026-10-04-post-4.md").read_text()
    (site.posts / "2026-10-04-post-4.md").unlink()


def bring_back(site):
    (site.posts / "2026-10-04-post-4.md").write_text(kept["text"])


# What is done, and how many entries are news by it.
STEPS = [
    ("nothing", lambda site: None, 0),
    ("an edit", lambda site: site.change("2026-10-01-post-1.md", "Something", "Anything"), 0),
    ("another title", lambda site: site.change("2026-10-02-post-2.md", "title: Post 2", "title: The second"), 0),
    ("another file name", lambda site: site.move("2026-10-03-post-3.md", "2026-10-03-third.md"), 0),
    ("another folder", lambda site: site.move("2026-10-03-third.md", "notes/2026-10-03-third.md"), 0),
    ("another ending", lambda site: site.move("notes/2026-10-03-third.md", "notes/2026-10-03-third.markdown"), 0),
    ("a new post", lambda site: site.write("2026-11-01-new.md", "New", "All of this is new. " * 20), 1),
    ("a typo that is not worth a word", lambda site: site.change("2026-11-01-new.md", "---\n\nAll", "minor: true\n---\n\nEvery bit"), 0),
    ("another domain", lambda site: site.config(url="https://new.example.net/"), 0),
    ("another permalink", lambda site: site.config(permalink="/blog/:title/"), 0),
    ("a post is taken away", take_away, 0),
    ("nothing again", lambda site: None, 0),
    ("it comes back", bring_back, 0),
    ("a post of last year", lambda site: site.write("2025-03-01-old.md", "Old", "Found in a drawer. " * 20), 1),
    ("a slug", lambda site: site.change("2026-10-01-post-1.md", "title: Post 1", "title: Post 1\nslug: first"), 0),
    ("another day", lambda site: site.move("2026-10-05-post-5.md", "2026-10-06-post-5.md"), 0),
    ("a draft", lambda site: site.write("2026-11-02-draft.md", "Draft", "Not yet. " * 20, "published: false\n"), 0),
    ("it is published", lambda site: site.change("2026-11-02-draft.md", "published: false\n", ""), 1),
    ("fewer entries", lambda site: site.config(limit=2), 0),
    ("all of them again", lambda site: site.config(limit=20), 0),
    ("title, body and name at once", both(
        lambda site: site.change("2026-10-02-post-2.md", "title: The second", "title: Number two"),
        lambda site: site.change("2026-10-02-post-2.md", "Something", "Whatever"),
        lambda site: site.move("2026-10-02-post-2.md", "2026-10-02-number-two.md"),
    ), 0),
    ("tags and authors", lambda site: site.change("2026-10-06-post-5.md", "title: Post 5", "title: Post 5\ntags: [a, b]\nauthor: Ada"), 0),
]


def poll(state, url):
    state.mkdir(exist_ok=True)
    (state / "urls").write_text(url + "\n")
    (state / "config").write_text("cleanup-on-quit no\nkeep-articles-days 0\nreload-threads 1\nreset-unread-on-update \"%s\"\n" % url)
    run = ["newsboat", "-u", state / "urls", "-c", state / "cache.db", "-C", state / "config", "-x", "reload"]
    subprocess.run(run, check=True, timeout=120, stdout=subprocess.DEVNULL)
    cache = sqlite3.connect(state / "cache.db")
    rows = cache.execute("SELECT guid, title, unread FROM rss_item").fetchall()
    # The user reads all there is.
    cache.execute("UPDATE rss_item SET unread = 0")
    cache.commit()
    cache.close()
    return rows


def main():
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        site = Site(folder / "site")
        site.build()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder / "site" / "public"))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = {name: "http://127.0.0.1:%d/%s.xml" % (server.server_port, name) for name in ("rss", "atom")}
        held = {name: {row[0] for row in poll(folder / name, url)} for name, url in urls.items()}
        for what, step, news in STEPS:
            step(site)
            site.build()
            for name, url in urls.items():
                rows = poll(folder / name, url)
                guids = [guid for guid, _, _ in rows]
                fresh = set(guids) - held[name]
                if len(guids) != len(set(guids)) or len(fresh) != news or not held[name] <= set(guids):
                    wrong.append("%s: %s: %d new, not %d" % (what, name, len(fresh), news))
                # This user asked to see every text that changed; what did not change is not unread again.
                again = [title for guid, title, unread in rows if unread and guid not in fresh]
                edits = ("an edit", "another title", "title, body and name at once", "a typo that is not worth a word")
                if again and what not in edits:
                    wrong.append("%s: %s: unread once more: %s" % (what, name, again))
                held[name] |= set(guids)
    for line in wrong:
        print(line)
    print("newsboat: %d steps of a site in 2 feeds, %d wrong" % (len(STEPS), len(wrong)))
    sys.exit(1 if wrong else 0)


main()
