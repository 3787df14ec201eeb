#!/usr/bin/env python3
"""greylisting.py POSTRIDER PROJECT: delivers a digest of PROJECT/posts through a real Postfix that greylists with Debian's postgrey: who
was never seen together with this sender and client is deferred, and taken when the same comes again a while later. The mailboxes
are read. Needs root, Debian's postfix and postgrey, dkimpy, pynacl. Exit 1 if anything is wrong."""
import os, pathlib, pwd, re, socket, subprocess, sys
import common, mailboxes, mta

READERS = ["reader%d@reader.example" % n for n in range(20)]
DELAY = 2
SETTINGS = "smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:{socket}\n"


class Postgrey:
    """A postgrey that has seen nobody. It waits on a socket for Postfix's policy questions."""

    def __init__(self, root):
        self.root, self.socket = root, root / "socket"
        root.mkdir()
        os.chown(root, pwd.getpwnam("postgrey").pw_uid, -1)
        (root / "nobody").write_text("")

    def __enter__(self):
        command = ["postgrey", "--unix=%s" % self.socket, "--dbdir=%s" % self.root, "--delay=%d" % DELAY, "--auto-whitelist-clients=0",
                   "--whitelist-clients=%s" % (self.root / "nobody"), "--whitelist-recipients=%s" % (self.root / "nobody"),
                   "--hostname=mx.reader.example", "--greylist-text=Greylisted, see you in a while"]
        with open(str(self.root) + ".said", "wb") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            common.wait_for(lambda: self.process.poll() is not None or self.socket.exists(), "postgrey listens")
        except BaseException:
            self.__exit__()
            raise
        if self.process.poll() is not None:
            sys.exit("postgrey does not start: %s" % pathlib.Path(str(self.root) + ".said").read_text())
        return self

    def __exit__(self, *_):
        # It does not hear SIGTERM while it waits for a question.
        self.process.kill()
        self.process.wait()

    def passes(self, sender, recipient):
        """Whether a mail would pass now; asked as Postfix asks (SMTPD_POLICY_README)."""
        question = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP", "client_address": "127.0.0.1",
                    "client_name": "unknown", "sender": sender, "recipient": recipient, "instance": os.urandom(8).hex()}
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.socket))
            line.sendall(("".join("%s=%s\n" % pair for pair in question.items()) + "\n").encode())
            answer = line.makefile().readline()
        return "Greylisted" not in answer


def main():
    checks = common.Checks()
    with common.folder() as root:
        records = common.make_keys(root / "keys")
        readers = [(address, "") for address in READERS]
        site = common.Site(root / "site", sys.argv[1], pathlib.Path(sys.argv[2]).resolve() / "posts", root / "keys", readers)
        with Postgrey(root / "postgrey") as postgrey:
            with mta.Postfix(root / "postfix", READERS, [[]], SETTINGS.format(socket=postgrey.socket)) as postfix:
                site.configure("smtp://127.0.0.1:%d" % postfix.ports[0])
                first = site.run()
                checks.expect(first == {"recipients": 20, "deferred": 20}, "the first run: %s" % first)
                checks.expect(site.run() == first, "what is deferred is not left alone until its time")
                for address in READERS:
                    events = [event for event in site.ask("why", address)["events"] if event.get("code")]
                    said = [(event["code"], event["enhanced"], "Greylisted, see you in a while" in event["text"]) for event in events]
                    checks.expect(said == [(450, "4.2.0", True)], "why %s: %s" % (address, events))

                # One who comes after all of them; when this one passes, so do they.
                last = ("last@example.org", "last@reader.example")
                checks.expect(not postgrey.passes(*last), "postgrey lets a stranger pass")
                common.wait_for(lambda: postgrey.passes(*last), "postgrey's delay")
                again = site.run(ahead=3)
                checks.expect(again == {"recipients": 20, "accepted": 20}, "the second run: %s" % again)
                for message in mailboxes.judge(checks, postfix, READERS, records):
                    delayed = re.match(r"delayed \d+ seconds by postgrey", str(message["X-Greylist"]))
                    checks.expect(delayed, "not greylisted: %s" % message["X-Greylist"])
    checks.end("greylisting: 20 mailboxes, %d judgements of their mails" % mailboxes.judgements())


if __name__ == "__main__":
    main()
