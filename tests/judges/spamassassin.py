#!/usr/bin/env python3
"""spamassassin.py FILE...: each mail's score by SpamAssassin, with the rules that Debian's package brings, without network and without what
it learnt before. A score above 0 is wrong. Needs: spamassassin. Exit 1 if anything is wrong."""
import re, subprocess, sys, tempfile

LIMIT = 0.0
# What every digest meets; without it, the rules were not there.
ALWAYS = "MAILING_LIST_MULTI"
COMMAND = ["spamassassin", "--test-mode", "--local", "--configpath=/usr/share/spamassassin", "--cf=use_bayes 0", "--cf=use_auto_welcomelist 0",
           "--nocreate-prefs"]


def main():
    files, wrong, scores = sys.argv[1:], 0, []
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        done = subprocess.run(COMMAND + files, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, env=environment)
    # It prints all mails, one after another, with this among their fields.
    said = done.stdout.decode("utf-8", "replace")
    found = re.findall(r"^X-Spam-Status: (?:Yes|No), score=(-?[\d.]+) .*?tests=([A-Z0-9_,\s]*)", said, re.M | re.S)
    if len(found) != len(files):
        print("%d scores of %d mails: %s" % (len(found), len(files), done.stderr.decode("utf-8", "replace")[-500:]))
        wrong += 1
    for path, (score, tests) in zip(files, found):
        scores.append(float(score))
        if scores[-1] > LIMIT or ALWAYS not in tests:
            print("%s: %s, %s" % (path, score, "".join(tests.split())))
            wrong += 1
    span = "from %.1f to %.1f" % (min(scores), max(scores)) if scores else "without a score"
    print("spamassassin: %d mails, %s, %d wrong" % (len(scores), span, wrong))
    sys.exit(1 if wrong or not files else 0)


if __name__ == "__main__":
    main()
