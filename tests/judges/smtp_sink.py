#!/usr/bin/env python3
"""smtp_sink.py POSTRIDER PROJECT: delivers a digest of PROJECT/posts to Postfix's smtp-sink in its contrary modes, at each step of the
dialogue: it hangs up, says 421, refuses for now or for good, abstains from extensions, or is slow. In each mode every reader must be
in exactly one count, the exit code as documented, and the run at its end in a minute. Then the sink becomes well-behaved, and a later
run must bring the edition to everyone who was not refused, to nobody twice but who was in doubt. What the sinks themselves counted
and dumped must say the same. Needs root, Debian's postfix. Exit 1 if anything is wrong."""
import collections, concurrent.futures, pathlib, sys
import common, mta

READERS = ["reader%d@reader.example" % n for n in range(12)]
ALL = len(READERS)
# What the first run comes to: exit code, the count that all readers are in, and how often the sink sees a whole message.
ACCEPTED, DEFERRED, REFUSED = (0, "accepted", ALL), (0, "deferred", 0), (0, "refused", 0)
STOPPED = (1, "queued", 0)
# Ten refusals of a kind that is our fault: nobody is burnt, all are tried again. Who was not begun by then, waits in the queue.
ENOUGH = 10
TRIPPED, TRIPPED_BY_MESSAGES = (1, "tripped", 0), (1, "tripped", ALL)
MODES = [
    # disconnects without a word
    (["-q", "connect"], STOPPED), (["-q", "ehlo"], STOPPED), (["-q", "mail"], DEFERRED), (["-q", "rcpt"], DEFERRED),
    (["-q", "data"], DEFERRED), (["-q", "."], (0, "uncertain", ALL)), (["-q", "rset"], ACCEPTED), (["-q", "quit"], ACCEPTED),
    (["-q", "helo"], ACCEPTED), (["-q", "mail,rset"], DEFERRED),
    # 421, and disconnects
    (["-Q", "connect"], STOPPED), (["-Q", "ehlo"], STOPPED), (["-Q", "mail"], DEFERRED), (["-Q", "rcpt"], DEFERRED),
    (["-Q", "data"], DEFERRED), (["-Q", "."], (0, "deferred", ALL)), (["-Q", "rset"], ACCEPTED), (["-Q", "quit"], ACCEPTED),
    # 4xx
    (["-r", "connect"], STOPPED), (["-r", "ehlo"], STOPPED), (["-r", "mail"], DEFERRED), (["-r", "rcpt"], DEFERRED),
    (["-r", "data"], DEFERRED), (["-r", "."], (0, "deferred", ALL)), (["-r", "rset"], ACCEPTED), (["-r", "quit"], ACCEPTED),
    (["-r", "rcpt,rset"], DEFERRED), (["-r", ".,rset"], (0, "deferred", ALL)), (["-r", ".", "-b", "452 4.3.1 disk full"], (0, "deferred", ALL)),
    # 5xx
    (["-f", "connect"], STOPPED), (["-f", "ehlo"], STOPPED), (["-f", "mail"], STOPPED), (["-f", "rcpt"], REFUSED),
    (["-f", "data"], REFUSED), (["-f", "."], (0, "refused", ALL)), (["-f", "rset"], ACCEPTED), (["-f", "quit"], ACCEPTED),
    (["-f", "rcpt,rset"], REFUSED), (["-f", ".,rset"], (0, "refused", ALL)), (["-f", "quit,rset,noop"], ACCEPTED), (["-A", "1"], REFUSED),
    (["-f", "rcpt", "-B", "550 5.1.1 no such user"], TRIPPED), (["-f", "rcpt", "-B", "550 5.7.1 not from you"], TRIPPED),
    (["-f", ".", "-B", "554 5.7.1 spam"], TRIPPED_BY_MESSAGES),
    # without this and that; without ESMTP there is nothing to talk about
    (["-p"], ACCEPTED), (["-8"], ACCEPTED), (["-E"], ACCEPTED), (["-a"], ACCEPTED), (["-p", "-8", "-E", "-a", "-N"], ACCEPTED),
    (["-e"], STOPPED), (["-P"], STOPPED),
    # slow
    (["-w", "1"], ACCEPTED), (["-p", "-W", "mail:1"], ACCEPTED), (["-W", ".:1"], ACCEPTED), (["-H", "1"], ACCEPTED),
]


def split(deferred):
    """The counts where so many were tried, and whoever is left waits."""
    counts = {"recipients": ALL, "deferred": deferred, "queued": ALL - deferred}
    return {name: count for name, count in counts.items() if count}


def try_mode(root, number, program, posts, flags, expected):
    """What is wrong, and how many were brought the edition."""
    place, port, checks = root / str(number), common.free_port(), common.Checks()
    place.mkdir()
    site = common.Site(place / "site", program, posts, root / "keys", [(address, "") for address in READERS])
    site.configure("smtp://127.0.0.1:%d" % port)
    exit_code, state, messages = expected
    expect = lambda good, what: checks.expect(good, "smtp-sink %s: %s" % (" ".join(flags), what))
    with mta.Sink(place / "contrary", port, flags) as sink:
        code, report, said = site.call("run", patience=60)
        expect(code == exit_code and (code == 0) == (not said), "exit %s: %s" % (code, said))
        counts = site.edition()
        if state == "tripped":
            hit = counts.get("deferred", 0)
            expect(hit >= ENOUGH and counts == split(hit), counts)
            messages = min(messages, hit)
        else:
            expect(counts == {"recipients": ALL, state: ALL}, counts)
        expect(not report or common.edition(report) == counts, "the run says %s, status %s" % (report, counts))
        first = collections.Counter(address for address, _ in sink.mails() if messages)
        expect(sink.counted() == messages == sum(first.values()), "it counted %d messages, dumped %d" % (sink.counted(), sum(first.values())))
        expect(set(first.values()) <= {1} and set(first) <= set(READERS), "it was told %s" % first)
    with mta.Sink(place / "good", port) as sink:
        again = site.run(ahead=5)
        final = "refused" if state == "refused" else "accepted"
        left = site.edition()
        expect(left == {"recipients": ALL, final: ALL}, "later %s" % left)
        expect(not again["recipients"] or again == left, "the later run says %s, status %s" % (again, left))
        second = collections.Counter(address for address, _ in sink.mails())
        wanted = collections.Counter(READERS if state not in ("accepted", "refused") else [])
        expect(sink.counted() == sum(wanted.values()) and second == wanted, "the second sink was told %s" % second)
        # In doubt is who may have got it before; status names each of them.
        resent = sorted(entry["address"] for entry in site.ask("status")["resent"])
        expect(resent == (sorted(READERS) if state == "uncertain" else []), "sent again in doubt: %s" % resent)
        if state == "refused":
            # It was the server, after all.
            site.ask("retry", site.ask("status")["editions"][0]["id"])
            expect(site.run(ahead=10) == {"recipients": ALL, "accepted": ALL}, "retried, but not accepted")
            expect(sink.counted() == ALL, "retried, but %d messages came" % sink.counted())
    return checks


def twice_in_doubt(root, program, posts, checks):
    """Who is in doubt a second time waits for a person; nothing more is sent."""
    place, port = root / "doubt", common.free_port()
    place.mkdir()
    site = common.Site(place / "site", program, posts, root / "keys", [(address, "") for address in READERS])
    site.configure("smtp://127.0.0.1:%d" % port)
    with mta.Sink(place / "contrary", port, ["-q", "."]) as sink:
        for ahead, state, messages in ((0, "uncertain", ALL), (5, "held", 2 * ALL), (60, "held", 2 * ALL)):
            code, _, said = site.call("run", *common.now(ahead), patience=60)
            checks.expect(code == 0, "in doubt, %s: exit %s: %s" % (state, code, said))
            counts = site.edition()
            checks.expect(counts == {"recipients": ALL, state: ALL}, "in doubt: %s" % counts)
            checks.expect(sink.counted() == messages, "in doubt, %s: %d messages" % (state, sink.counted()))
        by_reader = collections.defaultdict(set)
        for address, mail in sink.mails():
            by_reader[address].add(mail)
        checks.expect(len(by_reader) == ALL and all(len(mails) == 1 for mails in by_reader.values()), "what was sent again has other bytes")


def main():
    checks = common.Checks()
    program, posts = sys.argv[1], pathlib.Path(sys.argv[2]).resolve() / "posts"
    with common.folder() as root:
        common.make_keys(root / "keys")
        # Most of it is waiting.
        pool = concurrent.futures.ThreadPoolExecutor(4)
        try:
            tried = [pool.submit(try_mode, root, n, program, posts, *mode) for n, mode in enumerate(MODES)]
            for (flags, _), one in zip(MODES, tried):
                try:
                    done = one.result()
                except SystemExit as why:
                    checks.expect(False, "smtp-sink %s: %s" % (" ".join(flags), why))
                    continue
                checks.count += done.count
                checks.wrong += done.wrong
        finally:
            # Those that run now come to their end before the folder goes.
            pool.shutdown(cancel_futures=True)
        twice_in_doubt(root, program, posts, checks)
    checks.end("smtp-sink: %d modes" % (len(MODES) + 1))


if __name__ == "__main__":
    main()
