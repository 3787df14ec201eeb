#!/usr/bin/env python3
"""newsboat.py DIR [COMMAND...]: subscribes newsboat, a reader that people use, to DIR/rss.xml and DIR/atom.xml on this machine.

It must hold every post of DIR/feed.json once, unread, with its title, link and date. Then COMMAND is run (a build in which nothing
changed), newsboat polls again, and must find nothing new. Exit 1 if anything is wrong."""
import datetime, functools, http.server, json, pathlib, sqlite3, subprocess, sys, tempfile, threading

folder, command = pathlib.Path(sys.argv[1]), sys.argv[2:]


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".xml": "application/xml", ".json": "application/feed+json"}

    def log_message(self, *_):
        pass


def poll(state, url):
    """What the reader holds of one feed after a poll. Each feed has a cache of its own: newsboat keeps one item for a guid."""
    state.mkdir(exist_ok=True)
    (state / "urls").write_text(url + "\n")
    (state / "config").write_text("cleanup-on-quit no\nkeep-articles-days 0\nreload-threads 1\n")
    run = ["newsboat", "-u", state / "urls", "-c", state / "cache.db", "-C", state / "config", "-d", state / "log", "-l", "3", "-x", "reload"]
    subprocess.run(run, check=True, timeout=120, stdout=subprocess.DEVNULL)
    cache = sqlite3.connect(state / "cache.db")
    rows = cache.execute("SELECT feedurl, guid, title, url, pubDate, unread, length(content), id FROM rss_item ORDER BY id").fetchall()
    cache.close()
    return rows


def judge(rows, url, items):
    found = {row[1]: row for row in rows}
    if len(found) != len(rows) or set(found) != {item["id"] for item in items}:
        yield "%s: newsboat holds %d items, feed.json %d" % (url, len(rows), len(items))
        return
    for item in items:
        _, _, title, link, date, unread, length, _ = found[item["id"]]
        expected = int(datetime.datetime.fromisoformat(item["date_published"].replace("Z", "+00:00")).timestamp())
        if title.split() != item["title"].split():
            yield "%s: %s: its title is %r" % (url, item["id"], title)
        if link != item["url"]:
            yield "%s: %s: its link is %r" % (url, item["id"], link)
        if date != expected:
            yield "%s: %s: its date is %s, not %s" % (url, item["id"], date, expected)
        if not unread or not length:
            yield "%s: %s: is read or empty" % (url, item["id"])


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    urls = {name: "http://127.0.0.1:%d/%s.xml" % (server.server_port, name) for name in ("rss", "atom")}
    items = json.loads((folder / "feed.json").read_text(encoding="utf-8"))["items"]
    with tempfile.TemporaryDirectory() as states:
        states = pathlib.Path(states)
        first = {name: poll(states / name, url) for name, url in urls.items()}
        wrong = [line for name, url in urls.items() for line in judge(first[name], url, items)]
        if command:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if {name: poll(states / name, url) for name, url in urls.items()} != first:
            wrong.append("a second poll after an unchanged build changes what the reader holds")
    held = sum(map(len, first.values()))
    for line in wrong[:20]:
        print(line)
    print("newsboat: %d items of 2 feeds, polled twice, %d wrong" % (held, len(wrong)))
    sys.exit(1 if wrong or not held else 0)


main()
