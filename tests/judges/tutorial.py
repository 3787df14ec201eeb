#!/usr/bin/env python3
"""tutorial.py POSTRIDER PROJECT [BLOG FOLDER]…: does what README ("Your own site") and docs/tutorial.md say, by their own code blocks, in
a clone of PROJECT and with an empty HOME: on a site as `jekyll new` makes it, on one of `hugo new site`, and on a copy of each
BLOG whose posts lie in FOLDER. The mails go through a real Postfix with TLS and AUTH into a real Dovecot, and are read there by IMAP.

Blocks of `sh` run as they stand and in order, in one shell. Blocks of `toml` say what to change in the file that their first line names.
A block of `text` after a command is what it prints, but for digits and ids, and for what stands at an `…`. Three things are not as they
are printed: `cargo install` (the program is in PATH already), the server's name, and which of two blocks it is where a line above it
says where posts lie. Needs root, Debian's postfix, dovecot-imapd, dovecot-lmtpd, sasl2-bin, libsasl2-modules, openssl, jekyll, hugo, git. Exit
1 if anything is wrong."""
import contextlib, email, email.policy, imaplib, os, pathlib, re, shutil, signal, ssl, subprocess, sys, threading, time
import common, mta

FILE, MINUTES = "postrider.toml", 5
FOLDER = re.compile(r"posts lie in `([^`]+)`")
SETTINGS = """virtual_mailbox_domains = example.org example.net
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
"""


class Block:
    """A fenced block: its language, its lines, and the folder of posts that it is for, where the line above names one."""

    def __init__(self, language, lines, above, place):
        named = FOLDER.search(above)
        self.language, self.lines, self.folder, self.place = language, lines, named and named.group(1), place


def blocks(path, heading=None):
    """The blocks of a Markdown file, or of what stands in it under a heading."""
    found, inside, above, fence = [], heading is None, "", None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if fence is not None:
            if text == "```":
                found.append(Block(*fence)) if inside else None
                fence, above = None, ""
            else:
                fence[1].append(line[indent:])
        elif text.startswith("```"):
            indent = len(line) - len(line.lstrip())
            fence = (text[3:], [], above, "%s:%d" % (path.name, number))
        elif line.startswith("## ") and heading:
            inside = text == "## " + heading
        elif text:
            above = text
    return found


class Shell:
    """One shell in a site's folder, with an empty HOME."""

    def __init__(self, root, site, program):
        (root / "home").mkdir()
        (root / "bin").mkdir()
        (root / "bin/postrider").symlink_to(program)
        self.script = root / "block"
        clean = {"HOME": str(root / "home"), "PATH": "%s:/usr/local/bin:/usr/bin:/bin" % (root / "bin"), "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile", "-e"], cwd=site, env=clean, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        # What hangs ends then, as a block that failed.
        self.patience = threading.Timer(MINUTES * 60, self.kill)
        self.patience.daemon = True
        self.patience.start()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.patience.cancel()
        self.kill()
        self.process.wait()

    def run(self, lines):
        """(what is printed, whether all of it succeeded)"""
        self.script.write_text("\n".join(lines) + "\n")
        self.process.stdin.write(". %s < /dev/null\necho '== done'\n" % self.script)
        self.process.stdin.flush()
        printed = []
        for line in self.process.stdout:
            if line == "== done\n":
                return printed, True
            printed.append(line.rstrip("\n"))
        return printed, False


def plain(line):
    """A line without what differs from day to day: digits, ids, the width of columns."""
    return " ".join(re.sub(r"\d+", "#", line).split())


def missing(wanted, printed):
    """The first line that was not printed, or not in this order."""
    printed = iter([plain(line) for line in printed])
    for line in wanted:
        pattern = ".*".join(re.escape(plain(part)) for part in line.split("…"))
        if plain(line) and not any(re.fullmatch(pattern, candidate) for candidate in printed):
            return line
    return None


def edit(path, lines):
    """Sets each key where its table has it, also as a comment, else at the table's end."""
    text, table = path.read_text().splitlines(), ""
    for line in lines:
        if line.startswith("["):
            table = line
        elif line.strip() and not line.startswith("#"):
            start = text.index(table)
            end = next((at for at in range(start + 1, len(text)) if text[at].startswith("[")), len(text))
            key = re.compile(r"(# )?%s = " % re.escape(line.partition(" = ")[0]))
            there = [at for at in range(start + 1, end) if key.match(text[at])]
            set_already = [at for at in there if not text[at].startswith("#")]
            at = (set_already or there or [end])[0]
            text[at : at + 1 if there else at] = [line]
    path.write_text("\n".join(text) + "\n")


class Mailbox:
    """A person's mailbox, by IMAP."""

    def __init__(self, dovecot, address):
        self.dovecot, self.address = dovecot, address

    def open(self):
        trust = ssl.create_default_context(cafile=self.dovecot.root / "cert.pem")
        server = imaplib.IMAP4_SSL("localhost", self.dovecot.imaps, ssl_context=trust)
        server.login(self.address, mta.MAILBOX_PASSWORD)
        server.select("INBOX")
        return server, server.search(None, "ALL")[1][0].split()

    def count(self):
        server, numbers = self.open()
        server.logout()
        return len(numbers)

    def take(self):
        """The mails that lie in it, which then do no more."""
        server, numbers = self.open()
        raw = [server.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers]
        for number in numbers:
            server.store(number, "+FLAGS", "\\Deleted")
        server.expunge()
        server.logout()
        return [email.message_from_bytes(one, policy=email.policy.default) for one in raw]


class Server:
    """What stands in for the server that the text names."""

    def __init__(self, printed, port, ca):
        self.printed, self.host = printed, "localhost:%d" % port
        self.transport = "%s?tls=required&ca=%s" % (self.host, ca)


class Reader:
    """Somebody who does what a text says."""

    def __init__(self, checks, name, folder):
        self.checks, self.name, self.folder, self.done = checks, name, folder, 0

    def follow(self, text, shell, site, server):
        printed = []
        for block in text:
            if block.folder not in (None, self.folder) or any(line.startswith("cargo install ") for line in block.lines):
                continue
            where = "%s, %s" % (self.name, block.place)
            if block.language == "sh":
                printed, good = shell.run(block.lines)
                self.checks.expect(good, "%s failed: %s" % (where, "\n".join(printed)))
                if not good:
                    return
            elif block.language == "toml":
                self.checks.expect(block.lines[0] == "# " + FILE, "%s changes another file than %s" % (where, FILE))
                edit(site / FILE, [line.replace(server.printed, server.transport) for line in block.lines])
            elif block.language == "text":
                line = missing([line.replace(server.printed, server.host) for line in block.lines], printed)
                self.checks.expect(line is None, "%s: not printed: %s\nbut: %s" % (where, line, "\n".join(printed)))
            else:
                continue
            self.done += 1


def said(text, pattern):
    """What the text's own blocks have for it."""
    found = re.search(pattern, "\n".join(line for block in text for line in block.lines if block.language in ("sh", "toml")))
    return found.group(1) if found else sys.exit("no block says %s" % pattern)


def judge(checks, message, to, title, address, subject):
    body = message.get_body(("plain",)).get_content()
    checks.expect(str(message["From"]) == "Field Notes <news@example.org>", "From: %s" % message["From"])
    checks.expect(to in str(message["To"]), "To: %s" % message["To"])
    checks.expect(str(message["Subject"]) == subject, "Subject: %s" % message["Subject"])
    checks.expect(str(message["List-Unsubscribe"] or "").startswith("<") or subject.startswith("[Test]"), "no List-Unsubscribe for %s" % to)
    for words in (title, address):
        checks.expect(words in body, "%s is not in the mail to %s" % (words, to))
    received = " ".join(str(value) for value in message.get_all("Received", []))
    checks.expect("ESMTPSA" in received, "not logged in over TLS: %s" % received)


def new_site(command):
    return lambda site: common.quietly(*command, site)


def copied(blog):
    return lambda site: shutil.copytree(blog, site)


def main():
    checks, counted, ran = common.Checks(), 0, 0
    program, project = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    sites = [
        ("jekyll new", "_posts", new_site(["jekyll", "new", "--skip-bundle"])),
        ("hugo new site", "content/posts", new_site(["hugo", "new", "site"])),
    ]
    sites += [(pathlib.Path(blog).name, folder, copied(blog)) for blog, folder in zip(sys.argv[3::2], sys.argv[4::2])]
    with common.folder() as root:
        common.quietly("git", "clone", "-q", project, root / "clone")
        readme, tutorial = blocks(root / "clone/README.md", "Your own site"), blocks(root / "clone/docs/tutorial.md")
        print("`cargo install` is not run again: %s is the `postrider` in PATH" % sys.argv[1])
        account, ada, you = said(tutorial, r"smtp://([^@]+)@").replace("%40", "@"), said(tutorial, r"add (\S+)"), said(tutorial, r"--to (\S+)")
        host, title = said(tutorial, r"smtp://[^@]+@([^\"]+)\""), said(tutorial, r"title: (.+)")
        post = said(tutorial, r'postal_address = "(.+)"')
        mta.make_certificates(root / "tls")
        dovecot = mta.Dovecot(root / "dovecot")
        options = ["smtpd_sasl_auth_enable=yes", "smtpd_tls_auth_only=yes", "smtpd_tls_security_level=encrypt"]
        sasl = root / "postfix/etc/sasl"
        settings = mta.ACCOUNTS.format(tls=root / "tls", sasl=sasl) + SETTINGS.format(lmtp=dovecot.lmtp)
        postfix = mta.Postfix(root / "postfix", [ada, you, account], [options], settings, mta.CLIENTS)
        mta.make_account(sasl, account, said(tutorial, r"SMTP_PASSWORD='(.+)'"))
        server = Server(host, postfix.ports[0], root / "tls/ca.pem")
        subjects = {ada: "Field Notes: " + title, you: "[Test] Field Notes: " + title}
        with dovecot, postfix:
            for number, (name, folder, make) in enumerate(sites):
                reader = Reader(checks, name, folder)
                # README is a shorter way to the same, so it gets a site of its own.
                for text, way in ((readme, "readme"), (tutorial, "tutorial")):
                    place = root / ("%d-%s" % (number, way))
                    site = place / "site"
                    place.mkdir()
                    make(site)
                    before, start = contents(site), time.monotonic()
                    with Shell(place, site, program) as shell:
                        reader.follow(text, shell, site, server)
                    took = time.monotonic() - start
                    after = contents(site)
                    checks.expect(took < MINUTES * 60, "%s: %s took %d s" % (name, way, took))
                    checks.expect(not list((place / "home").iterdir()), "%s: %s left something in HOME" % (name, way))
                    checks.expect({path: after.get(path) for path in before} == before, "%s: %s changed a file of the site" % (name, way))
                boxes = {address: Mailbox(dovecot, address) for address in subjects}
                # Where a command failed, it is clear why nothing comes.
                until = time.monotonic() + (0 if checks.wrong else 60)
                while not all(box.count() for box in boxes.values()) and time.monotonic() < until:
                    time.sleep(0.2)
                for address, box in boxes.items():
                    found = box.take()
                    checks.expect(len(found) == 1, "%s: %d mails for %s" % (name, len(found), address))
                    for message in found:
                        judge(checks, message, address, title, post, subjects[address])
                        counted += 1
                print("%s: %d blocks, the tutorial in %.1f s" % (name, reader.done, took))
                ran += reader.done
    checks.expect(counted == 2 * len(sites), "%d mails" % counted)
    for line in checks.wrong[:20]:
        print(line)
    print("%d mails read from Dovecot by the tutorial's own commands (%d blocks)" % (counted, ran))
    sys.exit(1 if checks.wrong else 0)


def contents(site):
    return {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}


if __name__ == "__main__":
    main()
