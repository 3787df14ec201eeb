#!/usr/bin/env python3
"""layouts.py [--authors] MODULES FILE...: judges whole mails, .eml or as tests keep them (tests/corpus/digest/*.snap): their form by mail.py, their HTML by
html-validate, and in Chromium by axe-core: 320 to 1200 pixels, light and dark, with and without <style>. MODULES is the node_modules folder
that has html-validate, axe-core and puppeteer-core. With --authors the posts are other people's: what they alone answer for (the order of
headings, links close together, code in the text part) is let pass. Exit 1 if anything is wrong."""
import email, email.policy, os, subprocess, sys, tempfile
import mail


def main():
    arguments = sys.argv[1:]
    authors = arguments[:1] == ["--authors"]
    modules, *names = arguments[authors:]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        pages = []
        for name in names:
            with open(name, "rb") as file:
                raw = file.read()
            if name.endswith(".snap"):
                raw = raw.split(b"\n---\n", 1)[1].strip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"
            found = mail.judge(raw, mailto_only=b"List-Unsubscribe-Post" not in raw)
            found = [line for line in found if not (authors and line.startswith("text is text"))]
            for line in found:
                print("%s: %s" % (name, line))
            bad += bool(found)
            page = email.message_from_bytes(raw, policy=email.policy.SMTP).get_body(("html",)).get_content()
            pages.append(os.path.join(folder, os.path.splitext(os.path.basename(name))[0] + ".html"))
            with open(pages[-1], "w", encoding="utf-8") as file:
                file.write(page)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layouts.mjs")
        bad += bool(subprocess.run(["node", script, modules, "authors" if authors else "ours", *pages]).returncode)
    print("layouts: %d mails, %d bad" % (len(names), bad))
    sys.exit(1 if bad else 0)


main()
