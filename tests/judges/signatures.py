#!/usr/bin/env python3
"""signatures.py DNS.json FILE...: verifies every DKIM signature of each mail with dkimpy. DNS.json holds the TXT records by name:
{"s1._domainkey.example.org": "v=DKIM1; k=rsa; p=…"}. Each mail needs a signature of each kind (rsa-sha256 with 2048 bits or more,
ed25519-sha256) that names a domain for which DMARC counts it, RSA first, and none of them may be void. Needs: dkimpy, pynacl. Exit 1
if anything is wrong."""
import email, email.utils, json, re, sys

import dkim

# What must be listed once more than it stands there, so that none can be added (RFC 6376 section 8.15, RFC 8058 section 4).
SEALED = ["from", "to", "cc", "subject", "date", "reply-to", "mime-version", "content-type", "content-transfer-encoding",
          "list-unsubscribe", "list-unsubscribe-post"]
UNSIGNED = {"dkim-signature", "x-auto-response-suppress", "received", "return-path", "delivered-to", "x-original-to",
            "x-greylist"}


def judge(raw, records):
    """(signatures, what is wrong)"""
    mail = email.message_from_bytes(raw)
    found, wrong, kinds = mail.get_all("DKIM-Signature", []), [], []
    lookup = lambda name, timeout=5: records.get(name.decode().rstrip(".").lower(), "").encode() or None
    author = email.utils.parseaddr(mail["From"])[1].rpartition("@")[2].lower()
    for at, value in enumerate(found):
        tags = {}
        for tag in filter(str.strip, value.split(";")):
            name, _, text = tag.partition("=")
            tags[name.strip()] = re.sub(r"\s", "", text)
        kind = tags.get("a", "?")
        say = lambda what: wrong.append("signature %d (%s): %s" % (at + 1, kind, what))
        try:
            if not dkim.DKIM(raw, minkey=2048 if kind.startswith("rsa") else 0).verify(at, dnsfunc=lookup):
                say("does not verify")
        except dkim.DKIMException as error:
            say("cannot be verified: %s" % error)
        kinds.append(kind)
        if tags.get("c") != "relaxed/relaxed" or "l" in tags or "x" in tags:
            say("is not relaxed/relaxed, or has l= or x=")
        domain = tags.get("d", "").lower()
        if author != domain and not author.endswith("." + domain):
            say("d=%s is not aligned with From" % domain)
        covered = tags.get("h", "").lower().split(":")
        here = [name.lower() for name in mail.keys()]
        for name in sorted(set(here) - UNSIGNED):
            if covered.count(name) < here.count(name):
                say("%s is not covered" % name)
        for name in SEALED:
            if covered.count(name) != here.count(name) + 1:
                say("another %s could be added" % name)
    if sorted(set(kinds)) != ["ed25519-sha256", "rsa-sha256"] or kinds[0] != "rsa-sha256":
        wrong.append("signed with %s; both kinds are needed, RSA on top" % (kinds or "nothing"))
    return len(found), wrong


def main():
    with open(sys.argv[1]) as file:
        records = {name.lower(): text for name, text in json.load(file).items()}
    signatures = bad = 0
    for path in sys.argv[2:]:
        with open(path, "rb") as file:
            count, wrong = judge(file.read(), records)
        signatures += count
        bad += len(wrong)
        for what in wrong:
            print("%s: %s" % (path, what))
    print("dkim (dkimpy): %d signatures, %d wrong" % (signatures, bad))
    sys.exit(1 if bad or not signatures else 0)


if __name__ == "__main__":
    main()
