"""Mail servers that are not ours, for the judges that deliver: Debian's Postfix with real mailboxes, its smtp-sink, and Dovecot. All of it
lies in a temporary folder and listens on 127.0.0.1 alone; every domain that a judge does not name is an error to Postfix, so
nothing leaves the machine. All need root."""
import os, pwd, re, signal, subprocess, sys, time
from common import free_port, listens, quietly, wait_for

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
SERVICES = """pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
# The services by which a Postfix hands mails on.
CLIENTS = "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\nlmtp unix - - n - - lmtp\n"
# Settings of a Postfix where people log in over TLS; their passwords are Cyrus SASL's own.
ACCOUNTS = """smtpd_tls_cert_file = {tls}/server.pem
smtpd_tls_key_file = {tls}/server.key
smtpd_tls_received_header = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {sasl}
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""
DOVECOT = """protocols = imap lmtp
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
listen = 127.0.0.1
ssl = required
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
mail_location = maildir:{root}/mail/%n
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
recipient_delimiter = +
postmaster_address = postmaster@news.example.org
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={root}/mail/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
"""
MAILBOX_PASSWORD = "pass-of-tests"


class Postfix:
    """A Postfix with a mailbox for each of `readers`. `ports` are the smtpd services: for each the options of its own, as in
    master.cf. What `settings` says holds before MAIN; `services` is added to master.cf."""

    def __init__(self, root, readers, ports, settings, services=""):
        self.root, self.ports = root, [free_port() for _ in ports]
        user = pwd.getpwnam("nobody")
        root.mkdir()
        for name in ("etc", "spool", "data", "mail"):
            (root / name).mkdir()
        os.chown(root / "data", pwd.getpwnam("postfix").pw_uid, -1)
        os.chown(root / "mail", user.pw_uid, user.pw_gid)
        # Each setting once: of one that is there twice every process warns in the log, the log's own writer too, until it waits for itself.
        lines = (MAIN.format(root=root, uid=user.pw_uid, gid=user.pw_gid) + settings).splitlines()
        once = {line.partition("=")[0].strip(): line for line in lines}
        (root / "etc/main.cf").write_text("\n".join(once.values()) + "\n")
        inward = "".join(
            "127.0.0.1:%d inet n - n - - smtpd %s\n" % (port, " ".join("-o " + option for option in options))
            for port, options in zip(self.ports, ports))
        (root / "etc/master.cf").write_text(inward + SERVICES + services)
        (root / "etc/readers").write_text("".join("%s %s/\n" % (a, a.split("@")[0]) for a in readers))

    def command(self, word):
        with open(self.root / "said", "ab") as said:
            process = subprocess.Popen(["postfix", "-c", self.root / "etc", word], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                       start_new_session=True)
            try:
                return process.wait()
            finally:
                # A signal must not leave it half done: what starts after its end would stay.
                process.wait()

    def __enter__(self):
        try:
            if self.command("start") != 0:
                sys.exit("postfix does not start: %s" % (self.root / "said").read_text())
            for port in self.ports:
                wait_for(lambda: listens(port), "postfix listens on %d" % port)
        except BaseException:
            self.command("stop")
            raise
        self.until = None
        return self

    def __exit__(self, *_):
        self.command("stop")

    def log(self):
        return (self.root / "log").read_text()

    def mailbox(self, address, expected=1):
        """The mails in a mailbox, once they are there: between taking a mail and delivering it Postfix has its queue."""
        new = self.root / "mail" / address.split("@")[0] / "new"
        # One patience for all: where nothing comes, it is not waited for at every mailbox.
        self.until = self.until or time.monotonic() + 30
        while time.monotonic() < self.until and (not new.is_dir() or len(list(new.iterdir())) < expected):
            time.sleep(0.05)
        # By time to the nanosecond: in names the inode stands before it, and a lower one may be used again within the second.
        return [path.read_bytes() for path in sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns)] if new.is_dir() else []


class Dovecot:
    """A Dovecot with a mailbox for everybody, over LMTP in and IMAPS out."""

    def __init__(self, root):
        self.root, self.imaps, self.lmtp = root, free_port(), free_port()
        root.mkdir()
        (root / "mail").mkdir()
        user = pwd.getpwnam("nobody")
        os.chown(root / "mail", user.pw_uid, user.pw_gid)
        quietly("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", root / "key.pem", "-out", root / "cert.pem",
                "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        (root / "conf").write_text(DOVECOT.format(root=root, imaps=self.imaps, lmtp=self.lmtp, password=MAILBOX_PASSWORD))

    def __enter__(self):
        self.said = open(self.root / "said", "ab+")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.root / "conf"], stdin=subprocess.DEVNULL, stdout=self.said,
                                        stderr=self.said)
        try:
            for port in (self.imaps, self.lmtp):
                wait_for(lambda: self.process.poll() is not None or listens(port), "dovecot listens on %d" % port)
        except BaseException:
            self.__exit__()
            raise
        if self.process.poll() is not None:
            sys.exit("dovecot does not start: %s" % (self.root / "said").read_text())
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.said.close()

    def mails(self, name, folder=""):
        """The mails in a mailbox or a folder of it."""
        place = self.root / "mail" / name / folder
        return [path.read_bytes() for part in ("new", "cur") if (place / part).is_dir() for path in sorted((place / part).iterdir())]


class Sink:
    """smtp-sink, which takes every mail, or is contrary as `flags` say. It dumps what it took into `place`."""

    def __init__(self, place, port, flags=()):
        self.place, self.port, self.flags = place, port, flags

    def __enter__(self):
        if not self.place.is_dir():
            self.place.mkdir()
            os.chown(self.place, pwd.getpwnam("nobody").pw_uid, -1)
        self.said = open(str(self.place) + ".said", "ab+")
        command = ["smtp-sink", "-c", "-u", "nobody", "-d", str(self.place / "mail."), *self.flags, "127.0.0.1:%d" % self.port, "1000"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said)
        try:
            # It is asked of the kernel: a connection would already be counted.
            wait_for(lambda: self.process.poll() is not None or is_open(self.port), "smtp-sink listens")
        except BaseException:
            self.__exit__()
            raise
        if self.process.poll() is not None:
            sys.exit("smtp-sink does not start: %s" % self.words())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.said.close()

    def words(self):
        self.said.flush()
        self.said.seek(0)
        return self.said.read().decode("utf-8", "replace")

    def counted(self):
        """How many messages it says that it has taken, up to the final dot."""
        found = re.findall(r"mesg=(\d+)", self.words())
        return int(found[-1]) if found else 0

    def mails(self):
        """(recipient, the mail as it left) of each mail that was taken whole or in part."""
        return [undump(path.read_bytes()) for path in sorted(self.place.iterdir())]


def make_certificates(place):
    """A CA, and a certificate of it for localhost alone."""
    place.mkdir()
    openssl = lambda *arguments: quietly("openssl", *arguments, cwd=place)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Sample CA")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (place / "for").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "for",
            "-out", "server.pem")


def make_account(place, user, secret):
    """Cyrus SASL's own database with the one user in it."""
    place.mkdir()
    (place / "smtpd.conf").write_text("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s/db\nmech_list: PLAIN LOGIN\n" % place)
    name, domain = user.split("@")
    done = subprocess.run(["saslpasswd2", "-p", "-c", "-f", place / "db", "-u", domain, name], input=secret.encode(), capture_output=True)
    if done.returncode != 0:
        sys.exit("saslpasswd2: %s" % done.stderr.decode())
    os.chown(place / "db", pwd.getpwnam("postfix").pw_uid, -1)


def is_open(port):
    wanted = "0100007F:%04X" % port
    with open("/proc/net/tcp") as table:
        return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in list(table)[1:])


def undump(dump):
    """The dump begins with the envelope and a Received field; its lines end without CR, its dots are undone, and after the mail
    stands one line more."""
    head, _, rest = dump.partition(b"\nReceived: ")
    lines = rest.split(b"\n")
    first = next(at for at, line in enumerate(lines[1:], 1) if line[:1] not in (b"\t", b" "))
    recipient = re.search(rb"^X-Rcpt-Args: <([^>]*)>", head, re.M)
    mail = b"\r\n".join(lines[first:])
    return recipient.group(1).decode() if recipient else "", mail.removesuffix(b"\r\n")
