#!/usr/bin/env python3
"""jekyll.py [-v] [--wanted] POSTRIDER SITE...: holds the atom.xml that postrider makes of a Jekyll site against the feed that Jekyll makes of it.

Each site is copied, its theme and plugins are taken out of the copy's _config.yml, and both programs read the copy. Titles, dates,
addresses, summaries and contents are compared; of a content, the visible text in its blocks, its emphasis and code, its links and
its pictures. What postrider does otherwise on purpose (wanted.py) is levelled before and counted; with --wanted each of its classes
must have been met. With -v the first differences of every post are shown, with -vv all. Needs jekyll, jekyll-feed,
jekyll-include-cache. Exit 1 if anything differs."""
import collections, difflib, html.parser, pathlib, re, shutil, subprocess, sys, tempfile, urllib.parse, xml.etree.ElementTree as ET
from datetime import datetime
from wanted import ADDRESS, PAGE, SUMMARY, SYNTAX, TITLE

HERE = [TITLE, ADDRESS, SUMMARY, PAGE, SYNTAX]
met = collections.Counter()
ATOM = "{http://www.w3.org/2005/Atom}"
# What Jekyll stops at costs only itself here, so that the rest of a blog without its theme can be compared.
LENIENT = r"""
class Liquid::Document
  def unknown_tag(*); end
end
class Liquid::Block
  def unknown_tag(tag, *); end
end
require "jekyll-include-cache"
module Missing
  def render(context)
    super
  rescue IOError, ArgumentError, Jekyll::Errors::PostURLError
    ""
  end
end
[Jekyll::Tags::OptimizedIncludeTag, Jekyll::Tags::IncludeRelativeTag, JekyllIncludeCache::Tag, Jekyll::Tags::Link, Jekyll::Tags::PostUrl].each { |tag| tag.prepend(Missing) }
module Sorted
  def sort(input, *rest) = input.nil? ? [] : super
end
Jekyll::Filters.prepend(Sorted)
Liquid::Template.register_filter(Jekyll::Filters)
"""
BLOCK = set("""address article aside blockquote caption center dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3
h4 h5 h6 header hgroup hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul br body""".split())
SHOWN = set("blockquote dd dt h1 h2 h3 h4 h5 h6 li ol ul p pre td th tr table em strong code del br hr sup sub abbr".split())
DROPPED = set("script style template select textarea svg title".split())
VOID = set("area base br col embed hr img input link meta source track wbr".split())


def watch_page(address):
    """The page that a player's address stands for."""
    found = re.match(r"(?:https?:)?//(?:www\.)?youtube(?:-nocookie)?\.com/embed/([\w-]+)", address)
    if found:
        return "https://www.youtube.com/watch?v=" + found[1]
    found = re.match(r"(?:https?:)?//player\.vimeo\.com/video/(\d+)", address)
    return "https://vimeo.com/" + found[1] if found else address


class Reader(html.parser.HTMLParser):
    """A content as a list of words, block and emphasis marks, links and pictures."""

    def __init__(self, base):
        super().__init__(convert_charrefs=True)
        self.linked = [False]
        self.base, self.frames, self.parts, self.text, self.dropping, self.preformatted, self.table = base, [], [], "", [], 0, 0

    def flush(self):
        self.parts += [("word", word) for word in self.text.split()]
        self.text = ""

    def address(self, value):
        value = urllib.parse.urljoin(self.base, (value or "").strip())
        page, _, fragment = value.partition("#")
        if page == self.base and fragment:
            return "#"
        before = value
        value = re.sub(r"^(https?://[^/?#]*)$", r"\1/", value)
        value = re.sub(r"/\.$", "/", value).replace("\u200b", "")
        value = re.sub(r"^https?://[^/?#]*", lambda found: found[0].lower(), value)
        if value.startswith("/".join(self.base.split("/")[:3]) + "//"):
            value = re.sub(r"(?<!:)//+", "/", value)
        met[ADDRESS] += value != before
        return urllib.parse.quote(urllib.parse.unquote(value), safe=":/?#[]@!$&'()*+,;=%")

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in DROPPED:
            met[PAGE] += 1
            self.dropping.append(tag)
        if self.dropping:
            return
        if tag in ("iframe", "object", "embed"):
            self.flush()
            met[PAGE] += 1
            self.frames.append(self.address(watch_page(attributes.get("src") or attributes.get("data-src") or attributes.get("data") or "")))
            if tag != "embed":
                self.dropping.append(tag)
            return
        if tag == "input" and attributes.get("type") == "checkbox":
            self.text += " ☑ " if "checked" in attributes else " ☐ "
            return
        if "gutter" in (attributes.get("class") or "") or "lineno" in (attributes.get("class") or ""):
            self.dropping.append(tag)
            return
        if tag in BLOCK:
            self.flush()
        if tag == "a":
            self.linked.append(bool((attributes.get("href") or "").strip()))
        if tag == "a" and (attributes.get("href") or "").strip():
            if (attributes.get("class") or "") in ("reversefootnote", "footnote-backref"):
                self.dropping.append("a")
                return
            self.flush_word()
            self.parts.append(("link", self.address(attributes["href"])))
        if tag == "img":
            self.flush_word()
            self.parts.append(("image", self.address(attributes.get("src"))))
        if tag in SHOWN and not (tag == "code" and self.preformatted):
            self.flush_word()
            # Ours bear the sign of their post, for several stand on one page of a reader.
            own = re.sub(r"^(fn-)?p[0-9a-f]{8}-", "", attributes.get("id") or "")
            name = "#" + urllib.parse.unquote(own) if re.match(r"h\d", tag) and own else ""
            self.parts.append(("tag", tag + name))
        self.preformatted += tag == "pre"

    def flush_word(self):
        # A mark inside a word does not part it: both halves are told.
        if self.text and not self.text[-1].isspace():
            self.text += "\u2060"
        self.parts += [("word", word) for word in self.text.split()]
        self.text = ""

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if self.dropping:
            if tag == self.dropping[-1]:
                self.dropping.pop()
            return
        if tag in BLOCK:
            self.flush()
        self.preformatted -= tag == "pre" and self.preformatted > 0
        if tag == "a" and not (len(self.linked) > 1 and self.linked.pop()):
            return
        if tag in ("em", "strong", "code", "del", "sup", "sub", "a") and not (tag == "code" and self.preformatted):
            self.flush_word()
            self.parts.append(("tag", "/" + tag))

    def handle_data(self, data):
        if not self.dropping:
            self.text += data


def parts_of(markup, base):
    markup = re.sub(r"(?s)<(figure[^>]*)><pre><code([^>]*)><table.*?<td class=\"code\"><pre>(.*?)</pre></td></tr></tbody></table></code></pre>", r"<\1><pre><code\2>\3</code></pre>", markup)
    markup = re.sub(r'(?s)<([uo]l)[^>]* id="markdown-toc(-\d+)?"[^>]*>.*?</\1>(?=\s*\n\n|\s*\Z)', "", markup)
    markup = re.sub(r'(?s)<table class="rouge-table">.*?<td class="rouge-code"><pre>(.*?)</pre></td></tr></tbody></table>', r"\1", markup)
    reader = Reader(base)
    reader.feed(markup)
    reader.close()
    reader.flush()
    # Paragraph marks say little beside those of lists and quotes; sanitisers move them.
    parts = [part for part in reader.parts if part not in (("tag", "p"),)]
    out = []
    for kind, value in parts:
        if kind == "word":
            value = value.replace("↩", "").replace("\ufe0e", "").replace("\u200b", "")
            value = re.sub(r"\\[(\[]|\\[)\]]|\$\$", "", value)
            if not value.strip("\u2060"):
                continue
        out.append((kind, value))
    return out, reader.frames


def without_links_to(parts, page, frames):
    """Takes out links that stand for a tag that is missing (the post's address as address and text) and for a frame."""
    out, at = [], 0
    while at < len(parts):
        kind, value = parts[at]
        if kind == "link" and value.rstrip("/") == page.rstrip("/") and at + 1 < len(parts):
            if parts[at + 1][1].strip("\u2060").rstrip("/") == page.rstrip("/"):
                met[PAGE] += 1
                at += 3
                continue
        if kind == "link" and re.match(r"https://(www\.youtube\.com/watch|vimeo\.com/|gist\.github\.com/)", value) and at + 1 < len(parts):
            if parts[at + 1][1].strip("\u2060") == value:
                at += 3
                continue
        if kind == "link" and value in frames:
            frames.remove(value)
            while parts[at] != ("tag", "/a"):
                at += 1
            at += 1
            continue
        out.append(parts[at])
        at += 1
    return out


def without_attributes(parts):
    """Takes out lists of attributes, `{: .a}`, that kramdown shows as text."""
    out, within = [], False
    for kind, value in parts:
        within = within or kind == "word" and value.startswith("{:")
        if not within:
            out.append((kind, value))
        elif kind == "word" and value.rstrip("\u2060").endswith("}"):
            within = False
    return out


def entries(path):
    """A feed's entries by their addresses, in which no slash stands twice."""
    found = {}
    for entry in ET.parse(path).getroot().findall(ATOM + "entry"):
        text = lambda name: (entry.findtext(ATOM + name) or "").strip()
        link = next(link.get("href") for link in entry.findall(ATOM + "link") if link.get("rel") == "alternate")
        once = re.sub(r"(?<!:)//+", "/", link)
        met[ADDRESS] += once != link
        found[once] = {"title": text("title"), "published": text("published"), "summary": text("summary"), "content": text("content")}
    return found


def plain(markup):
    reader = html.parser.HTMLParser(convert_charrefs=True)
    out = []
    reader.handle_data = out.append
    reader.feed(markup)
    reader.close()
    return " ".join("".join(out).split())


def configuration(folder):
    """The copy's own, without theme and plugins, and with every post in the feed."""
    path = folder / "_config.yml"
    text = path.read_text() if path.exists() else ""
    drop = ("theme", "remote_theme", "plugins", "gems", "plugins_dir", "strict_front_matter", "feed", "whitelist", "source", "destination", "lsi",
            "collections_dir", "paginate", "paginate_path", "pagination", "archives", "jekyll-archives", "algolia", "include", "keep_files", "sass")
    lines, skipping = [], False
    for line in text.splitlines():
        if re.match(r"[A-Za-z_]", line):
            skipping = line.split(":")[0].strip() in drop
        if not skipping:
            lines.append(line)
    # What looks like a symbol is refused by some versions of the YAML reader.
    text = re.sub(r"(?m)(: )(:\S+)\s*$", r'\1"\2"', "\n".join(lines))
    if not re.search(r"(?m)^url:", text):
        text += "\nurl: https://example.org"
    if not re.search(r"(?m)^timezone:", text):
        text += "\ntimezone: UTC"
    if not re.search(r"(?m)^title:", text):
        text += "\ntitle: Site"
    text += "\nplugins: [jekyll-feed, jekyll-include-cache]\nfeed: {posts_limit: 100000, path: judged.xml}\n"
    path.write_text(text)
    plugins = folder / "_plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "lenient.rb").write_text(LENIENT)


def both(program, site, folder):
    copy = folder / "site"
    shutil.copytree(site, copy, ignore=shutil.ignore_patterns("*.expected"))
    if (copy / "src" / "_posts").is_dir():
        for part in (copy / "src").iterdir():
            shutil.move(part, copy / part.name)
    configuration(copy)
    subprocess.run(["jekyll", "build", "--quiet", "--disable-disk-cache", "-s", copy, "-d", folder / "jekyll"], check=True, cwd=copy)
    (copy / "postrider.toml").write_text("[posts]\ndir = \".\"\ndialect = \"jekyll\"\n[feeds]\ndir = \"%s\"\nlimit = 100000\nformats = [\"atom\"]\n" % (folder / "ours"))
    run = subprocess.run([program, "--config", copy / "postrider.toml", "--accept-new", "build"], cwd=copy, capture_output=True, text=True)
    if run.returncode not in (0, 3):
        raise SystemExit("postrider: %s%s" % (run.stdout, run.stderr))
    return entries(folder / "jekyll" / "judged.xml"), entries(folder / "ours" / "atom.xml"), run.stdout + run.stderr


def quotes(title):
    for typed, set_ in (("'", "‘’"), ('"', "“”"), ("--", "–—"), ("...", "…")):
        for mark in set_:
            title = title.replace(mark, typed)
    return title.replace("---", "--")


def same_summary(ours, theirs):
    ours, theirs = " ".join(ours.split()), plain(theirs)
    squeezed = lambda text: re.sub(r"[\W_]+", "", text)
    if ours.endswith("…") and not theirs.endswith("…") or len(theirs) > 300:
        return squeezed(theirs).startswith(squeezed(ours.rstrip("…")))
    return squeezed(ours) == squeezed(theirs)


def compare(program, site, verbose):
    with tempfile.TemporaryDirectory() as name:
        theirs, ours, said = both(program, site, pathlib.Path(name))
    wrong = collections.Counter()
    for link in sorted(set(theirs) ^ set(ours)):
        wrong["address"] += 1
        print("%s: %s: only %s has it" % (site.name, link, "jekyll" if link in theirs else "postrider"))
    count = differing = 0
    for link in sorted(set(theirs) & set(ours)):
        count += 1
        a, b = theirs[link], ours[link]
        told = []
        met[TITLE] += plain(a["title"]) != b["title"]
        if quotes(plain(a["title"])) != quotes(b["title"]):
            told.append(("title", plain(a["title"]), b["title"]))
        if datetime.fromisoformat(a["published"].replace("Z", "+00:00")) != datetime.fromisoformat(b["published"].replace("Z", "+00:00")):
            told.append(("published", a["published"], b["published"]))
        heading = re.match(r"\s*<h\d[^>]*>(.*?)</h\d>", a["content"], re.S)
        if heading and plain(heading[1]) == plain(a["summary"]):
            a["summary"] = ""
        met[SUMMARY] += plain(a["summary"]) != b["summary"]
        if "{:" not in b["summary"]:
            a["summary"] = re.sub(r" \{:[^}]*\}", "", a["summary"])
        if a["summary"] and not same_summary(b["summary"], a["summary"]):
            told.append(("summary", plain(a["summary"])[:300], b["summary"]))
        left, frames = parts_of(a["content"], link)
        right = without_links_to(parts_of(b["content"], link)[0], link, frames)
        joined = lambda parts: "".join(value for kind, value in parts if kind == "word").replace("\u2060", "")
        if left != right and without_attributes(left) == right:
            met[SYNTAX] += 1
            left = right
        if left != right:
            level = "text" if joined(left) != joined(right) else "structure"
            matcher = difflib.SequenceMatcher(None, left, right, autojunk=False) if len(left) + len(right) < 6000 else None
            if matcher:
                first = [op for op in matcher.get_opcodes() if op[0] != "equal"]
            else:
                at = next((n for n, (x, y) in enumerate(zip(left, right)) if x != y), min(len(left), len(right)))
                first = [("replace", at, at + 20, at, at + 20)]
            show = lambda parts: " ".join("<%s>" % v if k == "tag" else "[%s]" % v if k != "word" else v for k, v in parts)
            shown = []
            for _, i, j, k, l in first[: 3 if verbose < 2 else 50]:
                shown.append("      jekyll    %s⟪%s⟫%s\n      postrider %s⟪%s⟫" % (show(left[max(0, i - 4):i]), show(left[i:min(j, i + 25)]), show(left[j:j + 2]), show(right[max(0, k - 4):k]), show(right[k:min(l, k + 25)])))
            told.append((level, "%d places" % len(first), "\n" + "\n".join(shown)))
        differing += bool(told)
        for what, *rest in told:
            wrong[what] += 1
            if verbose:
                print("%s: %s: %s: %s" % (site.name, link, what, " | ".join(rest)))
    holds = lambda entry: entry and re.search(r"\{%|\{\{|\{: ", re.sub(r"(?s)<(code|pre).*?</\1>", "", entry["content"]))
    left = [link for link, entry in ours.items() if holds(entry) and not holds(theirs.get(link))]
    for link in left:
        print("%s: %s: holds `{%%` or `{: ` outside code" % (site.name, link))
    kinds = "".join(", %s %d" % item for item in sorted(wrong.items()))
    print("%s: %d posts, %d differ%s" % (site.name, count, differing, kinds))
    return sum(wrong.values()) + len(left)


def main():
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    verbose = options.count("-v") + 2 * options.count("-vv")
    program, *sites = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    wrong = sum(compare(pathlib.Path(program).resolve(), pathlib.Path(site).resolve(), verbose) for site in sites)
    for wanted in HERE if "--wanted" in options else []:
        if not met[wanted]:
            print("no post shows the wanted difference `%s`" % wanted)
            wrong += 1
    sys.exit(1 if wrong else 0)


main()
