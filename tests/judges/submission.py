#!/usr/bin/env python3
"""submission.py POSTRIDER PROJECT: delivers digests of PROJECT/posts over the submission ports of a real Postfix, as to a mail account:
STARTTLS and implicit TLS with a certificate of a CA of our own, and a login checked by Cyrus SASL, by PLAIN and by LOGIN. What is
wrong with the account (password, user, certificate, port) must stop a run with a sentence, and cost no reader the edition. The
mailboxes are read. Needs root, Debian's postfix, sasl2-bin, libsasl2-modules, openssl, dkimpy, pynacl. Exit 1 if anything is wrong."""
import pathlib, re, sys
import common, mailboxes, mta

READERS = ["reader%d@reader.example" % n for n in range(12)]
USER, PASSWORD = "news@example.org", "s3cret %40:/ \u00fc"
WAYS = [("smtp", "plain"), ("smtp", "login"), ("smtps", "plain"), ("smtps", "login")]


def main():
    checks = common.Checks()
    with common.folder() as root:
        records = common.make_keys(root / "keys")
        mta.make_certificates(root / "tls")
        posts = pathlib.Path(sys.argv[2]).resolve() / "posts"
        site = lambda name: common.Site(root / name, sys.argv[1], posts, root / "keys", [(address, "") for address in READERS])
        account = ["smtpd_sasl_auth_enable=yes", "smtpd_tls_auth_only=yes"]
        tls = {"smtp": "smtpd_tls_security_level=encrypt", "smtps": "smtpd_tls_wrappermode=yes"}
        ports = [[*account, tls[scheme], "smtpd_sasl_mechanism_filter=" + mechanism] for scheme, mechanism in WAYS]
        postfix = mta.Postfix(root / "postfix", READERS, [*ports, []], mta.ACCOUNTS.format(tls=root / "tls", sasl=root / "postfix/etc/sasl"))
        # Debian's Postfix looks for it there, wherever else it is told to.
        mta.make_account(root / "postfix/etc/sasl", USER, PASSWORD)
        with postfix:
            user, ca, clear = USER.replace("@", "%40"), "ca=%s/tls/ca.pem" % root, postfix.ports[-1]
            for (scheme, mechanism), port in zip(WAYS, postfix.ports):
                here = site("%s-%s" % (scheme, mechanism))
                right = "%s://%s@localhost:%d?%s" % (scheme, user, port, ca) + ("&tls=required" if scheme == "smtp" else "")
                bare = "?tls=required" if scheme == "smtp" else ""
                troubles = [
                    ("wrong password", right, "not that one", "refused the login"),
                    ("another user", right.replace("news", "mews"), PASSWORD, "refused the login"),
                    ("unknown CA", right.partition("?")[0] + bare, PASSWORD, "not signed by a CA we trust"),
                    ("another name", right.replace("localhost", "127.0.0.1"), PASSWORD, "for another name"),
                ]
                if scheme == "smtp":
                    troubles.append(("no STARTTLS", right.replace(str(port), str(clear)), PASSWORD, "does not offer STARTTLS"))
                    troubles.append(("TLS at the wrong port", right.replace("smtp:", "smtps:").replace("&tls=required", ""), PASSWORD, "does not speak TLS"))
                troubles.append(("no user", right.replace(user + "@", ""), None, "by its policy"))
                for name, transport, password, sentence in troubles:
                    here.configure(transport, password)
                    code, _, said = here.call("run", patience=60)
                    checks.expect(code == 1 and sentence in said, "%s %s, %s: exit %s: %s" % (scheme, mechanism, name, code, said))
                    checks.expect(PASSWORD not in said and "mews" not in said, "%s: a secret is said: %s" % (name, said))
                    left = here.edition()
                    # Who has no account is refused at each reader; that trips the breaker, and those that were tried are deferred.
                    waiting = left.get("queued", 0) + (left.get("deferred", 0) if name == "no user" else 0)
                    checks.expect(left["recipients"] == waiting == 12, "%s %s, %s: %s" % (scheme, mechanism, name, left))
                here.configure(right, PASSWORD)
                sent = here.run(ahead=5)
                checks.expect(sent == {"recipients": 12, "accepted": 12}, "%s %s: %s" % (scheme, mechanism, sent))
            for message in mailboxes.judge(checks, postfix, READERS, records, expected=len(WAYS)):
                received = str(message["Received"])
                checks.expect("with ESMTPSA" in received and "TLSv1.3" in received and USER in received, "not logged in over TLS: %s" % received)
            for mechanism in ("PLAIN", "LOGIN"):
                logged = len(re.findall("sasl_method=%s, sasl_username=%s" % (mechanism, re.escape(USER)), postfix.log()))
                checks.expect(logged == 2 * len(READERS), "%d mails were sent after AUTH %s" % (logged, mechanism))
    checks.end("submission: %d mails, %d judgements of them" % (len(WAYS) * len(READERS), mailboxes.judgements()))


if __name__ == "__main__":
    main()
