#!/usr/bin/env python3
"""relays.py POSTRIDER PROJECT: delivers a digest of PROJECT/posts by two real Postfixes as `[[relay]]`. The first is killed in
mid-edition; the second goes on until it has reached its rate; the first comes back and takes the rest. Every reader must have the
edition, once but for what was in doubt, and each delivery must be accounted for, with its relay. Needs root, Debian's postfix, dkimpy,
pynacl. Exit 1 if anything is wrong."""
import email, email.policy, pathlib, subprocess, sys, time
import common, mailboxes, mta

READERS = ["reader%d@reader.example" % n for n in range(200)]
CONNECTIONS, SECOND = 4, 60
TABLES = """[delivery]
connections = %d
[[relay]]
name = "first"
transport = "smtp://127.0.0.1:%d"
rates = ["40/s"]
[[relay]]
name = "second"
transport = "smtp://127.0.0.1:%d"
priority = 10
rates = ["%d/d"]
"""


class Both:
    """The mailboxes of both."""

    def __init__(self, *postfixes):
        self.postfixes, self.until = postfixes, None

    def mailbox(self, address, expected=1):
        self.until = self.until or time.monotonic() + 60
        while True:
            mails = [mail for postfix in self.postfixes for mail in postfix.mailbox(address, 0)]
            if len(mails) >= expected or time.monotonic() > self.until:
                return mails
            time.sleep(0.05)


def taken(postfix):
    return sum(1 for _ in (postfix.root / "mail").glob("*/new/*"))


def main():
    checks = common.Checks()
    with common.folder() as root:
        records = common.make_keys(root / "keys")
        first, second = (mta.Postfix(root / name, READERS, [[]], "") for name in ("first", "second"))
        posts = pathlib.Path(sys.argv[2]).resolve() / "posts"
        site = common.Site(root / "site", sys.argv[1], posts, root / "keys", [(address, "") for address in READERS])
        site.configure("nowhere", delivery=TABLES % (CONNECTIONS, first.ports[0], second.ports[0], SECOND))
        config = site.place / "config.toml"
        config.write_text(config.read_text().replace('transport = "nowhere"\n', ""))
        with first, second:
            command = [site.program, "run", "--json"]
            run = subprocess.Popen(command, cwd=site.place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                common.wait_for(lambda: run.poll() is not None or taken(first) >= 20, "the first takes mail", 60)
                first.command("abort")
                out, said = run.communicate(timeout=120)
            finally:
                run.kill()
            checks.expect(run.returncode == 0 and "the relay first" in said, "the first run: exit %s: %s" % (run.returncode, said))
            after = site.edition()
            checks.expect(20 <= after.get("accepted", 0) < len(READERS), "it did not die in mid-edition: %s" % after)
            doubtful = {row["address"] for row in site.ask("status")["uncertain"]}
            checks.expect(len(doubtful) <= CONNECTIONS, "in doubt: %s" % doubtful)
            checks.expect(taken(second) <= SECOND, "the second took more than it may")

            first.command("start")
            common.wait_for(lambda: common.listens(first.ports[0]), "the first is back")
            site.run(ahead=5)
            site.run(ahead=30)
            last = site.edition()
            checks.expect(last == {"recipients": len(READERS), "accepted": len(READERS)}, "at the end: %s" % last)
            certain = [address for address in READERS if address not in doubtful]
            both = Both(first, second)
            mailboxes.judge(checks, both, certain, records)
            for address in doubtful:
                mails = both.mailbox(address)
                ids = {str(email.message_from_bytes(mail, policy=email.policy.SMTP)["Message-ID"]) for mail in mails}
                checks.expect(1 <= len(mails) <= 2 and len(ids) == 1, "%s was in doubt and has %d mails, %s" % (address, len(mails), ids))
            counts = {"first": 0, "second": 0}
            for address in READERS:
                relays = [event["relay"] for event in site.ask("why", address)["events"] if event["kind"] == "accepted"]
                checks.expect(len(relays) == 1, "%s was accepted by %s" % (address, relays))
                for relay in relays:
                    counts[relay] += 1
            checks.expect(counts["second"] == SECOND, "they took %s" % counts)
    checks.end("relays: %d mailboxes, %d judgements of their mails" % (len(READERS), mailboxes.judgements()))


if __name__ == "__main__":
    main()
