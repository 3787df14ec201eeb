#!/usr/bin/env python3
"""licences.py: holds deny.toml's [licenses], [bans] and [sources] against `cargo metadata`, in the root of the project.
Prints what is not allowed; exit 1 if anything is. cargo-deny does this and more; it takes minutes to build, this takes a second."""
import collections, json, re, subprocess, sys, tomllib

deny = tomllib.load(open("deny.toml", "rb"))
allowed = set(deny["licenses"]["allow"])
banned = {entry["name"]: entry["reason"] for entry in deny["bans"]["deny"]}
registries = {"registry+" + url for url in deny["sources"]["allow-registry"]}


def permits(expression):
    """Whether an SPDX expression can be met with allowed licences. AND binds tighter than OR; WITH belongs to its licence."""
    words = re.findall(r"[()]|[^\s()]+", re.sub(r"\s*/\s*", " OR ", expression))
    at = 0

    def term():
        nonlocal at
        word = words[at]
        at += 1
        if word == "(":
            value = either()
            if at >= len(words) or words[at] != ")":
                raise ValueError(expression)
            at += 1
            return value
        if at + 1 < len(words) and words[at] == "WITH":
            word += " WITH " + words[at + 1]
            at += 2
        return word in allowed

    def both():
        nonlocal at
        value = term()
        while at < len(words) and words[at] == "AND":
            at += 1
            value = term() and value
        return value

    def either():
        nonlocal at
        value = both()
        while at < len(words) and words[at] == "OR":
            at += 1
            value = both() or value
        return value

    value = either()
    if at != len(words):
        raise ValueError(expression)
    return value


def main():
    for expression, expected in [
        ("MIT", True), ("GPL-3.0", False), ("GPL-3.0 OR MIT", True), ("MIT AND GPL-3.0", False), ("MIT/GPL-3.0", True),
        ("(GPL-3.0 OR MIT) AND ISC", True), ("MIT OR GPL-3.0 AND LGPL-3.0", True), ("MIT WITH strange-exception", False),
    ]:
        assert permits(expression) == expected, expression
    run = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
    metadata = json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)
    packages = metadata["packages"]
    tree = ["cargo", "tree", "--locked", "--edges", "normal,build", "--target", "all", "--prefix", "none", "--format", "{p}"]
    tree = subprocess.run(tree, check=True, stdout=subprocess.PIPE, text=True).stdout
    shipped = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    wrong = []
    for package in packages:
        name = "%s %s" % (package["name"], package["version"])
        if package["source"] is not None and package["source"] not in registries:
            wrong.append("%s comes from %s" % (name, package["source"]))
        if package["name"] in banned and (package["name"], "v" + package["version"]) in shipped:
            wrong.append("%s is banned: %s" % (name, banned[package["name"]]))
        if not package["license"]:
            wrong.append("%s names no licence" % name)
        elif not permits(package["license"]):
            wrong.append("%s is under %s" % (name, package["license"]))
        if package["source"] is None:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*":
                    wrong.append("%s is wanted in any version" % dependency["name"])
    for line in wrong:
        print(line)
    licences = collections.Counter(package["license"] for package in packages)
    print("licences: %d packages under %d licences, %d not allowed" % (len(packages), len(licences), len(wrong)))
    sys.exit(1 if wrong else 0)


main()
