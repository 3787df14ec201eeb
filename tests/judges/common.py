"""What the judges that deliver mails have in common: counted checks, a blog to deliver, its DKIM keys, and the program itself."""
import base64, contextlib, datetime, json, os, pathlib, signal, socket, subprocess, sys, tempfile, time

DOMAIN, ADDRESS = "example.org", "1 Sample Street"
CONFIG = """[site]
title = "Field Notes"
url = "https://example.org/"
timezone = "America/Chicago"
[posts]
dir = "{posts}"
[mail]
from = "Field Notes <news@example.org>"
reply_to = "ada@example.org"
postal_address = "1 Sample Street, Chicago IL 60622"
bounces = "bounces@news.example.org"
transport = "{transport}"
{password}
[[mail.dkim]]
domain = "example.org"
selector = "s1"
key = "keys/s1.pem"
[[mail.dkim]]
domain = "example.org"
selector = "s2"
key = "keys/s2.pem"
{delivery}
[[digest]]
name = "weekly"
schedule = "0 9 * * MON"
content = "{content}"
layout = "{layout}"
since = "2000-01-01"
late = "8d"
[subscribers]
file = "subscribers.csv"
[web]
public_url = "https://news.example.org"
"""


class Checks:
    """Counts what was looked at and keeps what was wrong."""

    def __init__(self):
        self.count, self.wrong = 0, []

    def expect(self, good, what):
        self.count += 1
        if not good:
            self.wrong.append(what)

    def end(self, summary):
        """Prints what was wrong and one line that counts; ends the script."""
        for line in self.wrong[:20]:
            print(line)
        print("%s, %d checks, %d wrong" % (summary, self.count, len(self.wrong)))
        sys.exit(1 if self.wrong or not self.count else 0)


def end(number, _):
    """Not SystemExit, by which a helper says what it could not do."""
    raise KeyboardInterrupt("ended by signal %d" % number)


@contextlib.contextmanager
def folder():
    """A temporary folder that other users' daemons may look into, and an exit that unwinds when a signal comes: nothing is left
    running."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(ready, what, patience=20):
    """Looks until `ready()` is true; where it does not become so, the script ends."""
    until = time.monotonic() + patience
    while not ready():
        if time.monotonic() > until:
            sys.exit("%s: not within %d s" % (what, patience))
        time.sleep(0.05)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def quietly(*command, **more):
    """Runs a command that must succeed; its output is shown where it does not."""
    done = subprocess.run(command, stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True, **more)
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (command, done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")))
    return done.stdout


def make_keys(place):
    """Two keys as openssl makes them, and what DNS would say, by name; also in place/dns.json."""
    place.mkdir(mode=0o700)
    rsa, ed25519 = place / "s1.pem", place / "s2.pem"
    quietly("openssl", "genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa)
    quietly("openssl", "genpkey", "-algorithm", "ed25519", "-out", ed25519)
    public = lambda key: quietly("openssl", "pkey", "-in", key, "-pubout", "-outform", "DER")
    records = {"_dmarc." + DOMAIN: "v=DMARC1; p=reject"}
    for selector, kind, raw in (("s1", "rsa", public(rsa)), ("s2", "ed25519", public(ed25519)[-32:])):
        os.chmod(place / (selector + ".pem"), 0o600)
        records["%s._domainkey.%s" % (selector, DOMAIN)] = "v=DKIM1; k=%s; p=%s" % (kind, base64.b64encode(raw).decode())
    (place / "dns.json").write_text(json.dumps(records))
    return records


class Site:
    """A blog with its own store and readers, and `postrider` called in it."""

    def __init__(self, place, postrider, posts, keys, readers):
        self.place, self.program, self.posts = place, os.path.abspath(postrider), posts
        place.mkdir()
        (place / "keys").symlink_to(keys)
        (place / "subscribers.csv").write_text("email,name\n" + "".join("%s,%s\n" % (a, n) for a, n in readers))

    def configure(self, transport, password=None, delivery="", content="summary", layout="digest"):
        password = "password = %s" % json.dumps(password) if password is not None else ""
        text = CONFIG.format(posts=self.posts, transport=transport, password=password, delivery=delivery, content=content,
                             layout=layout)
        (self.place / "config.toml").write_text(text)

    def call(self, *arguments, patience=120):
        """(exit code, the JSON, what was said); no exit code where it did not end in time."""
        command = [self.program, *arguments, "--json"]
        try:
            done = subprocess.run(command, cwd=self.place, capture_output=True, text=True, timeout=patience)
        except subprocess.TimeoutExpired:
            return None, {}, "%s did not end within %d s" % (arguments, patience)
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def ask(self, *arguments, **more):
        """The JSON of a call that must succeed."""
        exit_code, answer, said = self.call(*arguments, **more)
        if exit_code != 0:
            sys.exit("%s: exit %s: %s" % (arguments, exit_code, said))
        return answer

    def run(self, ahead=0):
        """The edition after a run `ahead` minutes from now."""
        return edition(self.ask("run", *now(ahead)))

    def edition(self):
        """The edition as `status` counts it."""
        return edition(self.ask("status"))


def now(ahead):
    """The arguments for a run so many minutes from now."""
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=ahead)
    return ["--now", later.strftime("%Y-%m-%dT%H:%M:%SZ")] if ahead else []


COUNTS = ("accepted", "deferred", "refused", "uncertain", "held", "queued", "cancelled")


def edition(report):
    """The counts of the one edition; those that are nought are left out, recipients stay."""
    found = report.get("editions") or [{}]
    if len(found) != 1:
        sys.exit("one edition was expected: %s" % found)
    return {key: found[0].get(key, 0) for key in ("recipients", *COUNTS) if found[0].get(key) or key == "recipients"}
