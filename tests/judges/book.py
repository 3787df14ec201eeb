#!/usr/bin/env python3
"""book.py [BUILT]: holds that every relative link in README.md and docs/ leads to a file, and every anchor to a heading of it; that docs/SUMMARY.md has
each page of docs/ once and no other. Anchors are those that GitHub and mdBook give. With BUILT, the folder of the built book, its pages are held
to the same. Exit 1 if a link leads nowhere."""
import os, re, sys, urllib.parse

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def prose(text):
    """The text without its blocks of code; lines stay where they are."""
    fence, lines = None, []
    for line in text.split("\n"):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        is_mark = mark and (fence is None or line.strip().startswith(fence))
        if is_mark:
            fence = mark[1] if fence is None else None
        lines.append("" if is_mark or fence else line)
    return "\n".join(lines)


def anchors(text):
    found, counts = set(), {}
    for line in prose(text).split("\n"):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            said = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            name = re.sub(r"[^\w\- ]", "", said).replace(" ", "-")
            count = counts.get(name, 0)
            counts[name] = count + 1
            found.add("%s-%d" % (name, count) if count else name)
    return found | set(re.findall(r"<a (?:name|id)=\"([^\"]+)\"", text))


def built(folder):
    """What is wrong with the links of the built pages, and how many there are. The page for printing has all others in it once more."""
    pages = {}
    for below, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".html") and name not in ("print.html", "toc.html", "404.html"):
                with open(os.path.join(below, name), encoding="utf-8") as file:
                    pages[os.path.join(below, name)] = file.read()
    wrong, links = [], 0
    for page, text in pages.items():
        for link in re.findall(r"<(?:a|img)\b[^>]*? (?:href|src)=\"([^\"]+)\"", text):
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            links += 1
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(path))) if path else page
            is_there = os.path.isfile(target) and (not anchor or target not in pages or 'id="%s"' % anchor in pages[target])
            if not is_there:
                wrong.append("%s: %s leads nowhere" % (os.path.relpath(page, folder), link))
    return wrong, links


def main():
    pages = ["README.md"]
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        pages += [os.path.relpath(os.path.join(folder, name), ROOT) for name in sorted(names) if name.endswith(".md")]
    texts = {}
    for page in pages:
        with open(os.path.join(ROOT, page), encoding="utf-8") as file:
            texts[page] = file.read()
    wrong, links, listed = [], 0, []
    for page, text in texts.items():
        said = prose(text)
        for found in LINK.finditer(said):
            link, number = found[1], said.count("\n", 0, found.start()) + 1
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            links += 1
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(path))) if path else page
            if page == "docs/SUMMARY.md":
                listed.append(target)
            if target.startswith("..") or not os.path.exists(os.path.join(ROOT, target)):
                wrong.append("%s:%d: %s leads to no file" % (page, number, link))
            elif anchor and target in texts and anchor not in anchors(texts[target]):
                wrong.append("%s:%d: %s leads to no heading" % (page, number, link))
    pages = [page for page in texts if page not in ("README.md", "docs/SUMMARY.md")]
    wrong += ["docs/SUMMARY.md has %s %d times" % (page, listed.count(page)) for page in pages if listed.count(page) != 1]
    if len(sys.argv) > 1:
        more, count = built(os.path.abspath(sys.argv[1]))
        wrong, links = wrong + more, links + count
    print("\n".join(wrong), end="\n" if wrong else "")
    print("%d links in %d pages" % (links, len(texts)))
    sys.exit(1 if wrong or links < 50 else 0)


main()
