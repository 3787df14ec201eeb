#!/usr/bin/env python3
"""postfix.py POSTRIDER PROJECT: delivers a digest of PROJECT/posts through a real Postfix into real mailboxes, and reads them.

The Postfix knows 26 readers, defers one of them at first, and knows nothing of another, who is refused. Needs root, Debian's postfix,
dkimpy, pynacl. Exit 1 if anything is wrong."""
import pathlib, sys
import common, mailboxes, mta

READERS = ["reader%d@reader.example" % n for n in range(25)]
GREY, NOBODY = "grey@reader.example", "nobody@reader.example"
SETTINGS = "smtpd_recipient_restrictions = check_recipient_access texthash:{root}/etc/access, reject_unauth_destination\n"


def main():
    checks = common.Checks()
    with common.folder() as root:
        records = common.make_keys(root / "keys")
        postfix = mta.Postfix(root / "postfix", READERS + [GREY], [[]], SETTINGS.format(root=root / "postfix"))
        access = root / "postfix/etc/access"
        access.write_text("%s 450 4.2.0 come back later\n" % GREY)
        readers = [(address, "Reader %d" % n) for n, address in enumerate(READERS + [GREY, NOBODY])]
        site = common.Site(root / "site", sys.argv[1], pathlib.Path(sys.argv[2]).resolve() / "posts", root / "keys", readers)
        with postfix:
            site.configure("smtp://127.0.0.1:%d" % postfix.ports[0])
            first = site.run()
            checks.expect(first == {"recipients": 27, "accepted": 25, "deferred": 1, "refused": 1}, "the first run: %s" % first)
            access.write_text("")
            postfix.command("reload")
            again = site.run(ahead=3)
            checks.expect(again == {"recipients": 27, "accepted": 26, "refused": 1}, "the second run: %s" % again)
            mailboxes.judge(checks, postfix, READERS + [GREY], records)

            why = site.ask("why", NOBODY)
            refusal = [event for event in why["events"] if event.get("code") == 550]
            checks.expect(len(refusal) == 1 and refusal[0]["enhanced"] == "5.1.1" and "unknown" in refusal[0]["text"].lower(), "why: %s" % why)
            checks.expect("suppress" in why["status"] or any("suppress" in event["kind"] for event in why["events"]), "not suppressed: %s" % why)
            status = site.ask("status")
            checks.expect(not status["uncertain"] and not status["held"], "in doubt: %s" % status)
    checks.end("postfix: 26 mailboxes, %d judgements of their mails" % mailboxes.judgements())


if __name__ == "__main__":
    main()
