"""What must be true of the mails in a real MTA's mailboxes: each reader's own, once, whole, and signed as they left."""
import email, email.policy
import mail as judge_of_mails
import signatures
from common import ADDRESS


def judge(checks, postfix, addresses, records, expected=1):
    """Looks at every mailbox; `expected` mails must lie in each. Gives back the mails, parsed."""
    found, raws = [], 0
    for address in addresses:
        mails = postfix.mailbox(address, expected)
        checks.expect(len(mails) == expected, "%s holds %d mails" % (address, len(mails)))
        for raw in mails:
            raws += 1
            wrong = judge_of_mails.judge(raw, delivered=True, address=ADDRESS)
            checks.expect(not wrong, "%s: %s" % (address, wrong[:3]))
            # The server took the CRs; all else stands as it was signed.
            count, wrong = signatures.judge(raw.replace(b"\n", b"\r\n"), records)
            checks.expect(count == 2 and not wrong, "%s: %d signatures, %s" % (address, count, wrong[:3]))
            message = email.message_from_bytes(raw, policy=email.policy.SMTP)
            checks.expect(message["To"].addresses[0].addr_spec == address, "%s holds the mail to %s" % (address, message["To"]))
            envelope = str(message["Return-Path"]).strip("<> ")
            checks.expect(envelope.startswith("bounces+") and envelope.endswith("@news.example.org"), "its envelope is from %s" % envelope)
            found.append(message)
    own = lambda name: len({str(message[name]) for message in found})
    checks.expect(own("Message-ID") == own("Return-Path") == own("List-Unsubscribe") == raws == expected * len(addresses),
                  "Message-IDs, envelopes and links are not each one's own")
    return found


def judgements():
    """How many single judgements of mails were made so far."""
    return sum(judge_of_mails.counts.values())
