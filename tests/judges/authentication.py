#!/usr/bin/env python3
"""authentication.py DNS.json FILE...: what a mailbox provider would write into Authentication-Results, by the library authheaders. It looks at
the first signature only, so each of a mail's signatures is judged as if it were the only one: each must be enough for dkim=pass and for
dmarc=pass of the author's domain. DNS.json holds the TXT records by name. Needs: authheaders, pynacl. Exit 1 if anything is wrong."""
import json, re, sys

import authheaders


def each_alone(raw):
    """The mail with one of its signatures, each in turn."""
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    is_signature = lambda field: field.lower().startswith(b"dkim-signature:")
    for kept in filter(is_signature, fields):
        left = [field for field in fields if field is kept or not is_signature(field)]
        yield b"\r\n".join(left) + b"\r\n\r\n" + body


def main():
    with open(sys.argv[1]) as file:
        records = {name.lower(): text for name, text in json.load(file).items()}

    def look_up(name, timeout=5):
        name = (name.decode() if isinstance(name, bytes) else name).rstrip(".").lower()
        text = records.get(name)
        if text is None:
            return None
        # DKIM's half of the library wants bytes, DMARC's half a str.
        return text if name.startswith("_dmarc.") else text.encode()

    judged = wrong = 0
    for path in sys.argv[2:]:
        with open(path, "rb") as file:
            raw = file.read()
        judgements = 0
        for mail in each_alone(raw):
            results = authheaders.authenticate_message(mail, "mx.reader.example", spf=False, dkim=True, arc=False, dmarc=True, dnsfunc=look_up)
            found = re.findall(r"; *(dkim|dmarc)=(\w+)", results)
            judgements += 1
            if found != [("dkim", "pass"), ("dmarc", "pass")]:
                print("%s: %s" % (path, results))
                wrong += 1
        if judgements != 2:
            print("%s: %d signatures" % (path, judgements))
            wrong += 1
        judged += judgements
    print("authentication (authheaders): %d judgements, %d wrong" % (judged, wrong))
    sys.exit(1 if wrong or not judged else 0)


if __name__ == "__main__":
    main()
