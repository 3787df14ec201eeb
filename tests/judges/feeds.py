#!/usr/bin/env python3
"""feeds.py DIR...: judges the rss.xml, atom.xml and feed.json of each folder, by readers that are not ours.

xmllint holds atom.xml against RFC 4287's grammar (atom.rng), jsonschema feed.json against JSON Feed 1.1, and feedparser reads the
two XML feeds without a complaint; then all three must tell of the same posts. The last line counts the judgements. Needs xmllint,
feedparser, jsonschema. Exit 1 if anything is wrong."""
import calendar, collections, datetime, html.parser, json, pathlib, subprocess, sys, time
import feedparser, jsonschema

HERE = pathlib.Path(__file__).parent
SCHEMA = jsonschema.Draft202012Validator(json.loads((HERE / "jsonfeed.schema.json").read_text()))
counts = collections.Counter()
wrong = []


def judge(judgement, good, path, why=""):
    counts[judgement] += 1
    if not good:
        wrong.append("%s: %s: %s" % (path, judgement, why))


def seconds(moment):
    return int(datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp())


class Links(html.parser.HTMLParser):
    """The addresses in a post, and what must not stand in one."""

    def __init__(self):
        super().__init__()
        self.addresses, self.evil = [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "style", "form", "iframe", "object", "embed", "base", "meta"):
            self.evil.append(tag)
        for name, value in attributes:
            if name.startswith("on"):
                self.evil.append(name)
            if name in ("href", "src", "poster", "cite") and value is not None:
                self.addresses.append(value)
            if name == "srcset":
                self.addresses += [part.split()[0] for part in (value or "").split(", ") if part.split()]


def judge_content(path, markup):
    links = Links()
    links.feed(markup)
    absolute = ("http://", "https://", "mailto:", "tel:", "data:image/", "#")
    relative = [a for a in links.addresses if not a.lower().startswith(absolute) and ":" not in a.split("/")[0]]
    judge("addresses are absolute", not relative, path, relative[:3])
    unsafe = links.evil + [a for a in links.addresses if a.strip().lower().startswith(("javascript:", "vbscript:", "data:text"))]
    judge("nothing runs", not unsafe, path, unsafe[:3])


def judge_xml(path, items):
    feed = feedparser.parse(str(path), sanitize_html=False, resolve_relative_uris=False)
    judge("feedparser", not feed.bozo, path, feed.get("bozo_exception"))
    judge("as many posts", len(feed.entries) == len(items), path, "%d, not %d" % (len(feed.entries), len(items)))
    judge("title", bool(feed.feed.get("title")), path, "none")
    itself = [link.href for link in feed.feed.get("links", []) if link.rel == "self"]
    judge("self link", len(itself) == 1 and itself[0].endswith("/" + path.name), path, itself)
    for entry, item in zip(feed.entries, items):
        where = "%s (%s)" % (path, item["id"])
        judge("id", entry.get("id") == item["id"], where, entry.get("id"))
        judge("title", entry.get("title", "").split() == item["title"].split(), where, entry.get("title"))
        judge("link", entry.get("link") == item["url"], where, entry.get("link"))
        published = entry.get("published_parsed")
        same = published is not None and calendar.timegm(published) == seconds(item["date_published"])
        judge("date", same, where, entry.get("published"))
        content = entry.content[0].value if entry.get("content") else entry.get("summary", "")
        judge("content", content.strip() == item["content_html"].strip(), where, content[:60])


def judge_folder(folder):
    atom, document = folder / "atom.xml", json.loads((folder / "feed.json").read_text(encoding="utf-8"))
    grammar = subprocess.run(["xmllint", "--nonet", "--noout", "--relaxng", HERE / "atom.rng", atom], capture_output=True, text=True)
    judge("RFC 4287", grammar.returncode == 0, atom, grammar.stderr[:300])
    errors = ["/%s: %s" % ("/".join(map(str, e.path)), e.message[:100]) for e in SCHEMA.iter_errors(document)]
    judge("JSON Feed 1.1", not errors, folder / "feed.json", errors[:3])
    items = document["items"]
    ids = [item["id"] for item in items]
    judge("ids differ", len(set(ids)) == len(ids), folder / "feed.json")
    dates = [seconds(item["date_published"]) for item in items]
    judge("newest first", dates == sorted(dates, reverse=True), folder / "feed.json")
    judge("nothing from the future", all(date <= time.time() + 60 for date in dates), folder / "feed.json")
    judge("authors", "authors" in document or all("authors" in item for item in items), folder / "feed.json")
    for item in items:
        judge_content("%s (%s)" % (folder / "feed.json", item["id"]), item["content_html"])
    for name in ("rss.xml", "atom.xml"):
        judge_xml(folder / name, items)


for folder in sys.argv[1:]:
    judge_folder(pathlib.Path(folder))
for line in wrong[:40]:
    print(line)
print("feeds: %d folders, %s, %d wrong" % (len(sys.argv) - 1, ", ".join("%s %d" % c for c in sorted(counts.items())), len(wrong)))
sys.exit(1 if wrong or not counts else 0)
