#!/usr/bin/env python3
"""postfix.py POSTRIDER PROJECT: delivers a digest of PROJECT/posts through a real Postfix into real mailboxes, and reads them.

The Postfix is this script's own: its configuration, queue and mailboxes lie in a temporary folder, it listens on 127.0.0.1 alone, and
every domain but reader.example is an error to it, so nothing leaves the machine. It knows 25 readers, defers one at first, and
knows nothing of another. Needs root and Debian's postfix. Exit 1 if anything is wrong."""
import datetime, email, email.policy, json, os, pathlib, pwd, signal, socket, subprocess, sys, tempfile, time
import mail as judge_of_mails

POSTRIDER, PROJECT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
READERS = ["reader%d@reader.example" % n for n in range(25)]
GREY, NOBODY = "grey@reader.example", "nobody@reader.example"
wrong, checks = [], 0


def expect(good, what):
    global checks
    checks += 1
    if not good:
        wrong.append(what)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


MAIN = """compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = mx.reader.example
mydestination =
relayhost =
default_transport = error:5.7.1 nothing leaves this machine
relay_transport = error:5.7.1 nothing leaves this machine
local_transport = error:5.7.1 no local mail
virtual_mailbox_domains = reader.example
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/etc/readers
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_transport = virtual
smtpd_reject_unlisted_recipient = yes
smtpd_recipient_restrictions = check_recipient_access texthash:{root}/etc/access, reject_unauth_destination
smtpd_client_connection_rate_limit = 0
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
biff = no
notify_classes =
maillog_file = {root}/log
maillog_file_prefixes = {root}
alias_maps =
alias_database =
"""
MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
CONFIG = """[site]
title = "Field Notes"
url = "https://example.org/"
[posts]
dir = "{posts}"
[mail]
from = "Field Notes <news@example.org>"
postal_address = "1 Sample Street, Chicago IL 60622"
bounces = "bounces@news.example.org"
transport = "smtp://127.0.0.1:{port}"
[[digest]]
name = "weekly"
schedule = "0 9 * * MON"
since = "2000-01-01"
late = "8d"
[subscribers]
file = "subscribers.csv"
[web]
public_url = "https://news.example.org"
"""


class Postfix:
    def __init__(self, root):
        self.root, self.port = root, free_port()
        user = pwd.getpwnam("nobody")
        for folder in ("etc", "spool", "data", "mail"):
            (root / folder).mkdir()
        os.chmod(root, 0o755)
        os.chown(root / "data", pwd.getpwnam("postfix").pw_uid, -1)
        os.chown(root / "mail", user.pw_uid, user.pw_gid)
        (root / "etc/main.cf").write_text(MAIN.format(root=root, uid=user.pw_uid, gid=user.pw_gid))
        (root / "etc/master.cf").write_text(MASTER.format(port=self.port))
        known = READERS + [GREY]
        (root / "etc/readers").write_text("".join("%s %s/\n" % (a, a.split("@")[0]) for a in known))
        self.defer(GREY)

    def defer(self, address):
        (self.root / "etc/access").write_text("%s 450 4.2.0 come back later\n" % address if address else "")

    def command(self, word):
        with open(self.root / "said", "ab") as said:
            return subprocess.run(["postfix", "-c", self.root / "etc", word], stdin=subprocess.DEVNULL, stdout=said, stderr=said).returncode

    def __enter__(self):
        if self.command("start") != 0:
            sys.exit("postfix does not start: %s" % (self.root / "said").read_text())
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.1)
        self.command("stop")
        sys.exit("postfix does not listen: %s" % (self.root / "log").read_text())

    def __exit__(self, *_):
        self.command("stop")

    def mailbox(self, address, expected=1):
        """The mails in a mailbox, once they are there: between taking a mail and delivering it Postfix has its queue."""
        new = self.root / "mail" / address.split("@")[0] / "new"
        # One patience for all: where nothing comes, it is not waited for 26 times.
        self.until = getattr(self, "until", time.monotonic() + 30)
        while time.monotonic() < self.until and (not new.is_dir() or len(list(new.iterdir())) < expected):
            time.sleep(0.05)
        return sorted(new.iterdir()) if new.is_dir() else []


def postrider(site, *arguments):
    done = subprocess.run([POSTRIDER, *arguments, "--json"], cwd=site, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (arguments, done.returncode, done.stderr))
    return json.loads(done.stdout or "{}")


def edition(report):
    found = report.get("editions") or [{}]
    return {key: found[0].get(key) for key in ("recipients", "accepted", "deferred", "refused", "uncertain", "queued", "state")}


def main():
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        os.chmod(root, 0o755)
        site = root / "site"
        site.mkdir()
        (root / "postfix").mkdir()
        postfix = Postfix(root / "postfix")
        (site / "config.toml").write_text(CONFIG.format(posts=PROJECT / "posts", port=postfix.port))
        (site / "subscribers.csv").write_text("email\n" + "".join(a + "\n" for a in READERS + [GREY, NOBODY]))
        with postfix:
            first = edition(postrider(site, "run"))
            expect((first["recipients"], first["accepted"], first["deferred"], first["refused"]) == (27, 25, 1, 1), "the first run: %s" % first)
            postfix.defer(None)
            postfix.command("reload")
            later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=3)
            again = edition(postrider(site, "run", "--now", later.strftime("%Y-%m-%dT%H:%M:%SZ")))
            expect((again["accepted"], again["deferred"], again["refused"]) == (26, 0, 1), "the second run: %s" % again)
            seen = set()
            for address in READERS + [GREY]:
                mails = postfix.mailbox(address)
                expect(len(mails) == 1, "%s holds %d mails" % (address, len(mails)))
                for path in mails:
                    raw = path.read_bytes()
                    found = judge_of_mails.judge(raw, delivered=True, address="1 Sample Street")
                    expect(not found, "%s: %s" % (address, found[:3]))
                    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
                    expect(message["To"].addresses[0].addr_spec == address, "%s holds the mail to %s" % (address, message["To"]))
                    envelope = str(message["Return-Path"]).strip("<> ")
                    expect(envelope.startswith("bounces+") and envelope.endswith("@news.example.org"), "its envelope is from %s" % envelope)
                    seen.add((str(message["Message-ID"]), envelope, str(message["List-Unsubscribe"])))
            ids, envelopes, links = (set(column) for column in zip(*seen)) if seen else (set(), set(), set())
            expect(len(ids) == len(envelopes) == len(links) == 26, "Message-IDs, envelopes and links are not each one's own")

            why = postrider(site, "why", NOBODY)
            refusal = [event for event in why["events"] if event.get("code") == 550]
            expect(len(refusal) == 1 and refusal[0]["enhanced"] == "5.1.1" and "unknown" in refusal[0]["text"].lower(), "why: %s" % why)
            expect("suppress" in why["status"] or any("suppress" in event["kind"] for event in why["events"]), "not suppressed: %s" % why)
            status = postrider(site, "status")
            expect(not status["uncertain"] and not status["held"], "in doubt: %s" % status)
    for line in wrong[:20]:
        print(line)
    judgements = sum(judge_of_mails.counts.values())
    print("postfix: 26 mailboxes, %d checks, %d judgements of their mails, %d wrong" % (checks, judgements, len(wrong)))
    sys.exit(1 if wrong else 0)


# An exit that unwinds: no Postfix is left behind.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
main()
