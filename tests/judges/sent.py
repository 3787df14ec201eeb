#!/usr/bin/env python3
"""sent.py POSTRIDER PROJECT DIR: sends digests of PROJECT's posts to Postfix's smtp-sink and lays what arrived there into DIR, one file a
mail, for judges that look at mails after the whole way over SMTP; dns.json beside them is what DNS would say of their signatures.
Needs root, Debian's postfix, openssl. Exit 1 if not every mail arrived as it should."""
import collections, pathlib, sys
import common, mta

READERS = [("mira@reader.example", "Mira Lindqvist"), ("teo@reader.example", "Téo Marchetti"), ("lei@reader.example", "李雷"),
           ("pat@reader.example", '"O\'Neil, Pat (editor)"'), ("sam@reader.example", ""), ("s.a+m_1@sub.reader.example", ""),
           ("long@reader.example", "Ottoline-Wilhelmina Featherstonehaugh-Cholmondeley of Grand Falls-Windsor and Saint-Louis-du-Ha!-Ha!")]


def main():
    checks = common.Checks()
    project, target = pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    target.mkdir()
    dotted = count = 0
    with common.folder() as root:
        common.make_keys(root / "keys")
        (target / "dns.json").write_bytes((root / "keys/dns.json").read_bytes())
        posts = root / "posts"
        posts.mkdir()
        for path in [*(project / "posts").glob("*.md"), *(project / "tests/corpus/sent").glob("*.md")]:
            (posts / path.name).write_bytes(path.read_bytes())
        # Each layout; the cards with summaries and with whole posts.
        for name, content, layout in (("summary", "summary", "digest"), ("cards", "full", "digest"), ("letter", "full", "letter"),
                                      ("headlines", "summary", "headlines"), ("full", "full", "full")):
            site = common.Site(root / name, sys.argv[1], posts, root / "keys", READERS)
            with mta.Sink(root / ("sink-" + name), common.free_port()) as sink:
                site.configure("smtp://127.0.0.1:%d" % sink.port, content=content, layout=layout)
                sent = site.run()
                checks.expect(sent == {"recipients": len(READERS), "accepted": len(READERS)}, "%s: %s" % (name, sent))
                checks.expect(sink.counted() == len(READERS), "%s: the sink counted %d mails" % (name, sink.counted()))
                mails = sink.mails()
            arrived = collections.Counter(address for address, _ in mails)
            checks.expect(arrived == collections.Counter(address for address, _ in READERS), "%s: arrived %s" % (name, arrived))
            for number, (_, mail) in enumerate(mails):
                (target / ("%s-%d.eml" % (name, number))).write_bytes(mail)
                dotted += b"\r\n." in mail
                count += 1
    checks.expect(dotted, "no mail has a line that begins with a dot")
    checks.end("sent: %d mails, %d with lines that begin with a dot" % (count, dotted))


if __name__ == "__main__":
    main()
