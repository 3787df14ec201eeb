#!/usr/bin/env python3
"""mail.py [--delivered] [--mailto-only] [--address TEXT] FILE...: judges digests as RFC 5322 messages, one a file, as a mail program
and a mailbox provider would look at them. --delivered: out of a mailbox, where the server has added headers and taken the CRs.
--mailto-only: there is no web.public_url. --address: the postal address that must stand in both parts. Exit 1 if anything is wrong.
Also for other judges: judge(bytes, …) yields what is wrong, and counts what it looked at in `counts`."""
import argparse, collections, email, email.policy, email.utils, html.parser, re, sys

LIMIT = 102 * 1024  # beyond it Gmail cuts the mail off
ONCE = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "List-Id", "List-Unsubscribe"]
AT_MOST_ONCE = ONCE + ["Reply-To", "Sender", "List-Unsubscribe-Post", "Auto-Submitted", "Precedence", "Feedback-ID"]
counts = collections.Counter()


class Page(html.parser.HTMLParser):
    """What stands in the HTML part: tags with their attributes, and the text that is seen."""

    def __init__(self, markup):
        super().__init__()
        self.tags, self.words, self.muted = [], [], 0
        self.feed(markup)
        self.seen = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        self.muted += tag in ("style", "title")

    def handle_endtag(self, tag):
        self.muted -= tag in ("style", "title")

    def handle_data(self, data):
        if not self.muted:
            self.words.append(data)


def header_lines(raw):
    """The header's fields as (name, raw value), still folded."""
    fields = []
    for line in raw.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1] += b"\r\n" + line
        else:
            name, _, value = line.partition(b":")
            fields.append([name.decode("ascii", "replace"), value])
    return fields


def judge(raw, delivered=False, mailto_only=False, address=None):
    wrong = []

    def expect(judgement, good, why=""):
        counts[judgement.split(":")[0]] += 1
        if not good:
            wrong.append("%s: %s" % (judgement, why))

    if delivered:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    bare = raw.replace(b"\r\n", b"")
    expect("line ends", b"\r" not in bare and b"\n" not in bare and b"\0" not in raw and raw.endswith(b"\r\n"), "RFC 5321 2.3.8")
    longest = max(len(line) for line in raw.split(b"\r\n"))
    expect("line length", longest <= 998, "%d octets (RFC 5322 2.1.1)" % longest)
    fields = header_lines(raw)
    expect("header names", all(re.fullmatch(r"[!-9;-~]+", name) for name, _ in fields))
    expect("header is ASCII", all(byte < 128 for name, value in fields for byte in value))
    expect("encoded words", all(len(word) <= 75 for _, value in fields for word in re.findall(rb"=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=", value)))
    names = collections.Counter(name.lower() for name, _ in fields)
    for name in ONCE:
        expect("once: " + name, names[name.lower()] == 1, "%d times" % names[name.lower()])
    expect("never twice", all(names[name.lower()] <= 1 for name in AT_MOST_ONCE))
    expect("no Bcc", not names["bcc"] and (delivered or not names["return-path"]))

    mail = email.message_from_bytes(raw, policy=email.policy.SMTP)
    defects = [defect for part in mail.walk() for defect in part.defects]
    defects += [defect for value in mail.values() for defect in getattr(value, "defects", ())]
    expect("no defects", not defects, defects[:3])
    expect("From", len(mail["From"].addresses) == 1 and "." in mail["From"].addresses[0].domain, mail["From"])
    expect("To", len(mail["To"].addresses) == 1, "%d addresses" % len(mail["To"].addresses))
    subject = str(mail["Subject"])
    expect("Subject", 0 < len(subject) <= 250 and "\n" not in subject and "\ufffd" not in subject, subject)
    try:
        expect("Date", email.utils.parsedate_to_datetime(str(mail["Date"])).tzinfo is not None, mail["Date"])
    except ValueError as error:
        expect("Date", False, error)
    expect("Message-ID", re.fullmatch(r"<[^<>@\s]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+>", str(mail["Message-ID"]).strip()), mail["Message-ID"])

    # RFC 2369, 2919, 8058
    expect("List-Id", re.search(r"<[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+>\s*$", str(mail["List-Id"])), mail["List-Id"])
    leave = re.findall(r"<\s*([^>]+?)\s*>", str(mail["List-Unsubscribe"]))
    https = [uri for uri in leave if uri.startswith("https://")]
    expect("List-Unsubscribe mailto", any(uri.startswith("mailto:") for uri in leave), leave)
    expect("List-Unsubscribe https", len(https) == (0 if mailto_only else 1) and len(leave) == len(https) + 1, leave)
    one_click = str(mail.get("List-Unsubscribe-Post", "")).strip()
    expect("one click", one_click == ("" if mailto_only else "List-Unsubscribe=One-Click"), one_click)
    reader = mail["To"].addresses[0].addr_spec
    expect("links hold no address", not any(reader in uri or reader.replace("@", "%40") in uri for uri in leave))
    expect("no out-of-office", mail["Auto-Submitted"] == "auto-generated" and mail["Precedence"] in ("bulk", "list"))

    # RFC 2046: text first, HTML last
    parts = list(mail.iter_parts()) if mail.is_multipart() else []
    kinds = [part.get_content_type() for part in parts]
    expect("alternative", mail.get_content_type() == "multipart/alternative" and kinds == ["text/plain", "text/html"], kinds)
    if kinds != ["text/plain", "text/html"]:
        return wrong
    bodies = []
    for part in parts:
        expect("charset", (part.get_content_charset() or "").lower() == "utf-8", part.get_content_charset())
        payload = part.get_payload(decode=True)
        try:
            bodies.append(payload.decode("utf-8"))
        except UnicodeDecodeError as error:
            expect("decodable", False, error)
            return wrong
    text, markup = bodies
    expect("decodable", "\ufffd" not in text + markup)
    expect("below Gmail's limit", len(markup.encode()) < LIMIT, "%d octets" % len(markup.encode()))

    page = Page(markup)
    tags = [tag for tag, _ in page.tags]
    attributes = [(name, value) for _, values in page.tags for name, value in values.items()]
    root = next((values for tag, values in page.tags if tag == "html"), {})
    expect("doctype", markup.lstrip().lower().startswith("<!doctype html"))
    expect("lang", bool(root.get("lang")) and bool(root.get("dir")), root)
    expect("title", "title" in tags)
    evil = {"script", "form", "input", "iframe", "object", "embed", "video", "audio", "link", "svg", "base"} & set(tags)
    expect("nothing runs", not evil and not any(name.startswith("on") for name, _ in attributes), evil)
    addresses = [value.strip() for name, value in attributes if name in ("href", "src", "background")]
    foreign = [a for a in addresses if not a.startswith(("https://", "http://", "mailto:", "cid:"))]
    expect("addresses are absolute", not foreign, foreign[:3])
    images = [values for tag, values in page.tags if tag == "img"]
    expect("images have a text", all("alt" in values for values in images))
    dot = [v for v in images if v.get("width") in ("0", "1") or v.get("height") in ("0", "1")]
    expect("no tracking", not dot, dot[:1])
    tables = [values for tag, values in page.tags if tag == "table"]
    heads = [tag for tag in tags if re.fullmatch("h[1-6]", tag)]
    expect("headings", heads[:1] == ["h1"] and heads.count("h1") == 1, heads[:5])
    expect("layout tables", not tables or tables[0].get("role") == "presentation")
    hidden = next((v for tag, v in page.tags[tags.index("body") + 1:] if tag in ("div", "span", "p")), {}) if "body" in tags else {}
    expect("preheader", "display:none" in hidden.get("style", "").replace(" ", ""), hidden)

    expect("text says as much", len(text.strip()) >= 0.4 * min(len(page.seen), 4000), "%d of %d" % (len(text), len(page.seen)))
    expect("text is text", not re.search(r"</?(p|a|td|div|br|table|span)\b[^>]*>|&(amp|nbsp|#\d+);", text))
    way = https[0] if https else leave[0] if leave else "-"
    expect("unsubscribe in the HTML", way in addresses, way)
    mail_way = way.removeprefix("mailto:").split("?")[0]
    expect("unsubscribe in the text", "nsubscribe" in text and (way in text or mail_way in text), way)
    if address:
        expect("postal address", address in page.seen and address in " ".join(text.split()), address)
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--delivered", action="store_true")
    parser.add_argument("--mailto-only", action="store_true")
    parser.add_argument("--address")
    parser.add_argument("files", nargs="+")
    given = parser.parse_args()
    bad = 0
    for name in given.files:
        with open(name, "rb") as file:
            found = judge(file.read(), given.delivered, given.mailto_only, given.address)
        for line in found[:20]:
            print("%s: %s" % (name, line))
        bad += bool(found)
    print("mail: %d mails, %d judgements, %d bad mails" % (len(given.files), sum(counts.values()), bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
