#!/usr/bin/env python3
"""dsn.py POSTRIDER PROJECT: a digest goes through a real Postfix to a host that knows one of its readers no more; the Postfix's own
bounce comes back to the tagged address, into a real Dovecot, and `postrider inbox imaps://…` reads it there. So are a forged bounce, an
unsubscribe mail, and a mail that is none of these. Then somebody subscribes, confirms and leaves by mail alone. Needs root, Debian's postfix, dovecot-imapd and dovecot-lmtpd, openssl. Exit 1 if
anything is wrong."""
import email, pathlib, re, smtplib, sys
import common, mta

READERS = ["reader%d@reader.example" % n for n in range(5)]
NEW = "new@reader.example"
NOBODY, BOUNCES = "nobody@reader.example", "bounces@news.example.org"
# The relay takes everything for the readers' host, and bounces for Dovecot.
RELAY = """virtual_mailbox_domains = news.example.org
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
recipient_delimiter = +
relay_domains = reader.example
relay_transport = smtp:[127.0.0.1]:{far}
relay_recipient_maps =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
"""


def rows(answer):
    return sorted(((row["kind"], row["address"], row["status"], row["verdict"], row["action"]) for row in answer["messages"]), key=str)


def main():
    checks = common.Checks()
    with common.folder() as root:
        common.make_keys(root / "keys")
        far = mta.Postfix(root / "far", READERS + [NEW], [[]], "")
        dovecot = mta.Dovecot(root / "dovecot")
        relay = mta.Postfix(root / "relay", [BOUNCES], [[]], RELAY.format(lmtp=dovecot.lmtp, far=far.ports[0]), mta.CLIENTS)
        readers = [(address, "Reader %d" % n) for n, address in enumerate(READERS + [NOBODY])]
        site = common.Site(root / "site", sys.argv[1], pathlib.Path(sys.argv[2]).resolve() / "posts", root / "keys", readers)
        source = "imaps://%s@localhost:%d/INBOX?ca=%s/cert.pem" % (BOUNCES.replace("@", "%40"), dovecot.imaps, dovecot.root)
        inbox = '[inbox]\nsource = "%s"\npassword = "%s"\n' % (source, mta.MAILBOX_PASSWORD)
        site.configure("smtp://127.0.0.1:%d" % relay.ports[0], delivery=inbox)

        def statuses():
            return {address: site.ask("why", address)["status"] for address in READERS + [NOBODY]}

        def send(sender, to, text):
            with smtplib.SMTP("127.0.0.1", relay.ports[0]) as server:
                server.sendmail(sender, [to], text)

        with far, dovecot, relay:
            first = site.run()
            checks.expect(first == {"recipients": 6, "accepted": 6}, "the relay takes all: %s" % first)
            common.wait_for(lambda: dovecot.mails("bounces"), "the bounce comes back", 60)
            report = email.message_from_bytes(dovecot.mails("bounces")[0])
            checks.expect(report.get_content_type() == "multipart/report", "no report: %s" % report.get_content_type())
            tagged = re.search(r"bounces\+[a-z0-9.]+-[a-z0-9]+@news\.example\.org", report["To"] or "")
            checks.expect(tagged, "no tag in To: %s" % report["To"])
            mails = {address: far.mailbox(address) for address in READERS}
            checks.expect(all(len(found) == 1 for found in mails.values()), "the others have their mail")

            # A bounce that somebody made up, of a reader who is well; and a mail from nobody in particular.
            forged = dovecot.mails("bounces")[0].replace(NOBODY.encode(), READERS[0].encode())
            forged = re.sub(rb"bounces\+[a-z0-9.]+-[a-z0-9]+@", b"bounces+reader0.1-aaaaaaaaaaaaaaaa@", forged)
            send("", BOUNCES, re.sub(rb"\r?\n", b"\r\n", forged))
            send("eve@elsewhere.example", BOUNCES, b"From: eve@elsewhere.example\r\nTo: bounces@news.example.org\r\nSubject: Hello\r\n\r\nA question.\r\n")
            # One who leaves as their mail program does it: to the address in List-Unsubscribe.
            links = email.message_from_bytes(mails[READERS[1]][0])["List-Unsubscribe"]
            leave = re.search(r"mailto:([^?>]+)", re.sub(r"\s+", "", links)).group(1).replace("%2B", "+")
            send(READERS[1], leave, ("From: %s\r\nTo: %s\r\nSubject: unsubscribe\r\n\r\n" % (READERS[1], leave)).encode())
            common.wait_for(lambda: len(dovecot.mails("bounces")) == 4, "four mails in the mailbox", 60)

            expected = sorted([
                ("bounce", NOBODY, "5.1.1", "hard", "suppressed"),
                ("bounce", READERS[0], "5.1.1", "hard", "none"),
                ("other", "eve@elsewhere.example", None, "none", "none"),
                ("unsubscribe", READERS[1], None, "none", "unsubscribed"),
            ], key=str)
            dry = rows(site.ask("inbox", "--dry-run"))
            checks.expect(dry == expected, "the rehearsal: %s" % dry)
            checks.expect(len(dovecot.mails("bounces")) == 4 and set(statuses().values()) == {"active"}, "a rehearsal changed something")
            done = rows(site.ask("inbox"))
            checks.expect(done == expected, "inbox: %s" % done)
            now = statuses()
            wanted = {address: "active" for address in READERS}
            wanted.update({NOBODY: "suppressed (bounce)", READERS[1]: "unsubscribed"})
            checks.expect(now == wanted, "statuses: %s" % now)
            checks.expect(not dovecot.mails("bounces"), "the mailbox is not empty")
            counts = len(dovecot.mails("bounces", ".Postrider.Done")), len(dovecot.mails("bounces", ".Postrider.Unread"))
            checks.expect(counts == (3, 1), "moved: %s" % (counts,))
            checks.expect(site.ask("inbox") == {"messages": []}, "a second time")
            checks.expect(site.ask("status").get("unread") == 1, "status counts what was not understood")
            events = [event for event in site.ask("why", NOBODY)["events"] if event["kind"] == "bounce"]
            checks.expect(len(events) == 1 and "unknown" in events[0]["text"].lower(), "why: %s" % events)

            # With the mailbox alone, and no server: somebody subscribes, confirms, and asks how to leave.
            config = site.place / "config.toml"
            config.write_text(re.sub(r"public_url = .*", "", config.read_text()))

            def writes(to, subject, more=""):
                before = len(dovecot.mails("bounces"))
                send(NEW, to, ("From: %s\r\nTo: %s\r\n%sSubject: %s\r\n\r\n" % (NEW, to, more, subject)).encode())
                common.wait_for(lambda: len(dovecot.mails("bounces")) == before + 1, "%s comes" % subject, 60)

            def answered(count):
                site.ask("run")
                common.wait_for(lambda: len(far.mailbox(NEW)) == count, "answer %d comes" % count, 60)
                mail = email.message_from_bytes(far.mailbox(NEW)[count - 1])
                text = mail.get_payload(0).get_payload(decode=True).decode()
                links = re.findall(r"mailto:(\S+?)\?subject=(\S+)", text)
                checks.expect(links and mail["DKIM-Signature"], "no link or signature in %s" % text)
                return links[0]

            writes(BOUNCES, "Subscribe")
            to, subject = answered(1)
            checks.expect(subject == "confirm" and site.ask("why", NEW)["status"] == "pending", "asked: %s" % subject)
            writes(to, "Out of office", "Auto-Submitted: auto-replied\r\n")
            site.ask("run")
            checks.expect(site.ask("why", NEW)["status"] == "pending", "a machine confirmed")
            writes(to, subject)
            site.ask("run")
            checks.expect(site.ask("why", NEW)["status"] == "active", "not confirmed")
            writes(BOUNCES, "unsubscribe")
            to, subject = answered(2)
            checks.expect(subject == "unsubscribe" and site.ask("why", NEW)["status"] == "active", "left by name alone")
            writes(to, subject)
            site.ask("run")
            checks.expect(site.ask("why", NEW)["status"] == "unsubscribed", "did not leave")
    checks.end("Postfix and Dovecot: 9 mails that came in")


if __name__ == "__main__":
    main()
