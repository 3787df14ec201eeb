#!/usr/bin/env python3
"""clients.py MODULES: holds src/check/mail/clients.tsv against caniemail.com's data, as the npm package `caniemail` has it: each row's programs are
those whose newest version lacks the feature. MODULES is the node_modules folder that has it. Exit 1 if a row says something else."""
import json, os, re, sys

# As the table calls them: caniemail's families and platforms, and the name of each platform where there are several.
PROGRAMS = [("Gmail", [("gmail", "desktop-webmail", "web"), ("gmail", "ios", "iOS"), ("gmail", "android", "Android")]),
            ("Outlook on Windows", [("outlook", "windows", "")]), ("Outlook.com", [("outlook", "outlook-com", "")]),
            ("Outlook", [("outlook", "macos", "macOS"), ("outlook", "ios", "iOS"), ("outlook", "android", "Android")]),
            ("Apple Mail", [("apple-mail", "macos", "macOS"), ("apple-mail", "ios", "iOS")]),
            ("Yahoo Mail", [("yahoo", "desktop-webmail", "web"), ("yahoo", "ios", "iOS"), ("yahoo", "android", "Android")]),
            ("Thunderbird", [("thunderbird", "macos", "")])]
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/check/mail/clients.tsv")


def lacking(feature):
    found = []
    for program, platforms in PROGRAMS:
        without = []
        for family, platform, name in platforms:
            versions = list(feature["stats"].get(family, {}).get(platform, {}).values())
            if versions and versions[-1].split()[0] == "n":
                without.append(name)
        if len(without) == len(platforms):
            found.append("Outlook on other systems" if program == "Outlook" else program)
        elif without:
            found.append("%s (%s)" % (program, " and ".join(without)))
    return ", ".join(found)


def main():
    with open(os.path.join(sys.argv[1], "caniemail/data/caniemail.json"), encoding="utf-8") as file:
        data = json.load(file)
    features = {feature["slug"]: feature for feature in data["data"]}
    with open(TABLE, encoding="utf-8") as file:
        lines = file.read().splitlines()
    date = re.search(r"data of (\d{4}-\d\d-\d\d)", lines[0])[1]
    newer = data["last_update_date"][:10] > date
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    wrong = 0
    for kind, what, _, name, programs, _, _ in rows:
        now = lacking(features[name]) if name in features else "no feature of that name"
        if now != programs:
            wrong += 1
            print("%s %s: the table says %s, the data of %s: %s" % (kind, what, programs, data["last_update_date"][:10], now or "nobody"))
    # What was measured since is news and no fault.
    print("clients: %d rows of %s against %s, %d differ" % (len(rows), date, data["last_update_date"][:10], wrong))
    sys.exit(1 if not rows or (wrong and not newer) else 0)


if __name__ == "__main__":
    main()
