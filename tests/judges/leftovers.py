"""leftovers.py ATOM...: no template or kramdown syntax may be left in an entry outside code."""

import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

ATOM = "{http://www.w3.org/2005/Atom}"
SIGNS = re.compile(r"\{%|\{\{<|\{\{%|\{: ")


class Text(HTMLParser):
    """The text of an entry without its code."""

    def __init__(self):
        super().__init__()
        self.code, self.text = 0, []

    def handle_starttag(self, tag, attributes):
        self.code += tag in ("code", "pre", "samp", "kbd", "tt")

    def handle_endtag(self, tag):
        self.code -= tag in ("code", "pre", "samp", "kbd", "tt") and self.code > 0

    def handle_data(self, data):
        if not self.code:
            self.text.append(data)


def main():
    entries, bad = 0, 0
    for path in sys.argv[1:]:
        for entry in ElementTree.parse(path).iter(ATOM + "entry"):
            entries += 1
            for part in ("title", "summary", "content"):
                found = entry.find(ATOM + part)
                if found is None or not found.text:
                    continue
                text = Text()
                text.feed(found.text)
                said = "".join(text.text)
                for sign in SIGNS.finditer(said):
                    bad += 1
                    around = said[max(0, sign.start() - 40) : sign.end() + 40].replace("\n", " ")
                    print(f"{path}: {entry.find(ATOM + 'id').text}: {part}: …{around}…")
    print(f"leftovers: {entries} entries")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
