#!/usr/bin/env python3
"""hugo.py HUGO_SITE POSTRIDER: lets the real Hugo and Postrider read the same site, as it is and with other settings, and compares
what they publish: which posts, titles, dates to the second and zone, addresses, summaries.

Where Postrider means to differ, wanted.py says why; a difference outside these classes is an error, and so is a class that no post
meets any more. The last line counts the judgements. Needs hugo. Exit 1 if anything is wrong."""
import collections, html, os, pathlib, re, shutil, sys, tempfile
import xml.etree.ElementTree as xml
from common import Checks, quietly
from wanted import ADDRESS, DATE, SUMMARY, TITLE, TRANSLATION, UNDATED

HERE = [TRANSLATION, UNDATED, DATE, TITLE, ADDRESS, SUMMARY]
# What is changed in the site's own configuration: a line of it, and what stands for that. An empty one is its beginning.
VARIANTS = {
    "as it is": ("", ""),
    "ugly": ("", "uglyURLs = true\n"),
    "case": ("", "disablePathToLower = true\n"),
    "accents": ("", "removePathAccents = true\n"),
    "subfolders": ("", "defaultContentLanguageInSubdir = true\n"),
    "more": ("", "buildExpired = true\nsummaryLength = 20\nhasCJKLanguage = true\n"),
    "default dates": ('date = ["date", ":filename", ":default"]\n', ""),
}
# Files whose dates mean to differ: a zone by name, a number that is a day, and hours of a clock change.
ODD_DATES = ["content/spellings/%s.md" % name for name in ("gmt", "compact", "gap", "fold")]
LANGUAGES = ["en", "fr", "de"]
Item = collections.namedtuple("Item", "title link date summary file language translations")


def text(item, name):
    return item.findtext(name) or ""


def words(markup):
    """The visible text."""
    plain = re.sub(r"</?(?:em|strong|a|code|b|i|span)\b[^>]*>", "", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", plain)).split())


def by_hugo(site, out):
    quietly("hugo", "--source", site, "--destination", out, "--quiet")
    items = {}
    for path in sorted(out.rglob("index.xml")):
        for item in xml.parse(path).iter("item"):
            file = str(pathlib.Path(text(item, "file")).relative_to(site))
            others = [str(pathlib.Path(other).relative_to(site)) for other in text(item, "translations").split("|") if other]
            items[file] = Item(text(item, "title"), text(item, "link"), text(item, "pubDate"), text(item, "summary"), file,
                               text(item, "language"), tuple(sorted(others)))
    return items


def by_postrider(postrider, site, language):
    (site / "postrider.toml").write_text('[site]\nlanguage = "%s"\n[posts]\ndir = "."\n[feeds]\nlimit = 1000\n' % language)
    shutil.rmtree(site / "public", ignore_errors=True)
    for left in site.glob("postrider.db*"):
        left.unlink()
    quietly(os.path.abspath(postrider), "build", "--accept-new", cwd=site)
    return {text(item, "link"): item for item in xml.parse(site / "public/rss.xml").iter("item")}


def chosen(item, items, language):
    """Whether an item stands for its translations."""
    group = [items[file] for file in item.translations if file in items]
    own = [other.file for other in group if other.language == language]
    return not group or item.file == (own or sorted(other.file for other in group))[0]


def main():
    site, postrider = pathlib.Path(sys.argv[1]), sys.argv[2]
    checks, met = Checks(), collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for name, (before, after) in VARIANTS.items():
            place = pathlib.Path(scratch).resolve() / name.replace(" ", "-")
            shutil.copytree(site, place)
            config = place / "hugo.toml"
            config.write_text(config.read_text().replace(before, after, 1))
            items = by_hugo(place, place / "by-hugo")
            shutil.rmtree(place / "by-hugo")
            for language in LANGUAGES:
                compare(checks, met, name, language, items, by_postrider(postrider, place, language))
    for wanted in HERE:
        checks.expect(met[wanted], "no post shows the wanted difference `%s`" % wanted)
    checks.end("Hugo: %d judgements of %d settings" % (checks.count, len(VARIANTS)))


def compare(checks, met, name, language, items, feed):
    left = dict(feed)
    for item in items.values():
        where = "%s, %s: %s" % (name, language, item.file)
        if not chosen(item, items, language):
            met[TRANSLATION] += 1
            checks.expect(item.link not in feed or any(o.link == item.link for o in items.values() if o is not item),
                          "%s: a translation is shown, too: %s" % (where, item.link))
            continue
        undated = re.search(r" 000[01] ", item.date)
        if not item.link:
            met[ADDRESS] += 1
            continue
        link = item.link.replace("#", "%23")
        met[ADDRESS] += link != item.link
        ours = left.pop(link, None)
        if ours is None and " 1970 " in item.date:
            met[DATE] += 1
            continue
        if ours is None:
            if undated:
                met[UNDATED] += 1
            else:
                checks.expect(False, "%s: not there: %s" % (where, item.link))
            continue
        checks.count += 1
        if undated:
            met[UNDATED if re.search(r"/\d{4}-\d\d-\d\d", item.file) else DATE] += 1
        else:
            said = text(ours, "pubDate")
            if item.file in ODD_DATES:
                met[DATE] += said != item.date
            else:
                checks.expect(item.date == said, "%s: date %s, not %s" % (where, said, item.date))
        title = text(ours, "title")
        if not item.title:
            met[TITLE] += 1
            checks.expect(title, "%s: no title" % where)
        elif title != item.title:
            same = words(item.title).replace("`", "").replace("*", "") == title.replace("*", "")
            number = re.fullmatch(r"[0-9.]+", title)
            checks.expect(same or number, "%s: title %r, not %r" % (where, title, item.title))
            met[TITLE] += 1
        summary, wanted = text(ours, "description"), words(item.summary)
        summary = words(summary)
        if not wanted:
            continue
        if "↩" in wanted:
            met[SUMMARY] += 1
            wanted = wanted.replace("Text1 with", "Text with").split(" The note.")[0]
        if not item.title and wanted.endswith(summary) and wanted != summary:
            met[SUMMARY] += 1
            wanted = summary
        cut = summary.endswith("…") and not wanted.endswith("…")
        same = wanted.startswith(summary[:-1]) and len(wanted) > 200 if cut else summary == wanted
        checks.expect(same, "%s: summary\n  %r, not\n  %r" % (where, summary, wanted))
    for link, item in left.items():
        checks.expect(False, "%s, %s: Hugo has no %s (%s)" % (name, language, link, text(item, "title")))


main()
