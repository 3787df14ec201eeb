//! What servers say, as data: statuses, codes, words, and the sentences that mean something else than their numbers. The source
//! stands beside each entry: an RFC and its section, or the provider whose published list or whose servers say it.

use super::{Fault, Outcome, Refusal};

/// A sentence that means something else than its numbers.
pub(super) struct Quirk {
    /// The code it comes with.
    pub code: u16,
    /// Words of it, in lower case, as in [`WORDS`].
    pub words: &'static str,
    pub means: Outcome,
}

const fn quirk(code: u16, words: &'static str, means: Outcome) -> Quirk {
    Quirk { code, words, means }
}

const THROTTLED: Outcome = Outcome::Deferred(Fault::Throttled);
const GREYLISTED: Outcome = Outcome::Deferred(Fault::Greylisted);
const CONNECTION: Outcome = Outcome::Deferred(Fault::Connection);

/// Asked first.
pub(super) const QUIRKS: &[Quirk] = &[
    // 5.2.1 for a mailbox that is alive and busy: Gmail, "SMTP errors and codes"
    quirk(550, "at a rate that", Outcome::Refused(Refusal::Mailbox)),
    // 5.1.1 for the sender's own pace: GoDaddy, IB607
    quirk(550, "has sent to too many recipients", Outcome::Refused(Refusal::Policy)),
    // 5.1.3 for a listed address of the sending machine: GoDaddy
    quirk(553, "spamhaus.org/query", Outcome::Refused(Refusal::Policy)),
    // The account's own limit; tomorrow it goes on: Gmail 5.4.5, "Daily user sending limit exceeded"
    quirk(550, "sending limit exceeded", THROTTLED),
    // The same for its relay: Gmail 4.2.1 (peak) and 5.7.1 (daily)
    quirk(450, "relay limit exceeded", THROTTLED),
    quirk(550, "relay limit exceeded", THROTTLED),
    // The account's own limit: Exchange Online 5.2.0, SubmissionQuotaExceededException
    quirk(554, "submissionquotaexceeded*", THROTTLED),
    quirk(550, "submissionquotaexceeded*", THROTTLED),
    // 5.4.6 is a routing loop elsewhere: Zoho, an account held for review
    quirk(550, "unusual sending activity", Outcome::Refused(Refusal::Policy)),
    // Words for nothing at all, for a machine it does not know or likes no more: T-Online
    quirk(554, "a problem occurred", Outcome::Refused(Refusal::Policy)),
    // 4.7.0 for a connection with too many refused commands: Postfix, smtpd_hard_error_limit
    quirk(421, "too many errors", CONNECTION),
    // So many messages over one connection: the next one over another. Exim, smtp_accept_max_per_connection, Yahoo, Mail.ru
    quirk(421, "messages in this connection", CONNECTION),
    quirk(421, "messages in this session", CONNECTION),
    quirk(421, "messages per connection", CONNECTION),
    quirk(421, "messages per session", CONNECTION),
    quirk(421, "too many messages for this session", CONNECTION),
    // Its greylisting, under a name that does not say so: Mimecast
    quirk(451, "doc-1369#451", GREYLISTED),
    // Its greylisting, where nobody changed the words: rspamd
    quirk(451, "4.7.1 try again later", GREYLISTED),
];

/// Permanent statuses by subject and detail. 5.6.x and 5.7.x that are not here are content and policy.
pub(super) const STATUSES: &[((u16, u16), Refusal)] = &[
    ((1, 1), Refusal::Hard),     // bad destination mailbox address (RFC 3463 section 3.2)
    ((1, 2), Refusal::Hard),     // bad destination system address (RFC 3463 section 3.2)
    ((1, 3), Refusal::Hard),     // bad destination mailbox address syntax (RFC 3463 section 3.2)
    ((1, 10), Refusal::Hard), // recipient address has null MX (RFC 7505 section 4.2); Exchange Online: no such recipient
    ((2, 1), Refusal::Hard),  // mailbox disabled, not accepting messages (RFC 3463 section 3.3)
    ((2, 2), Refusal::Mailbox), // mailbox full (RFC 3463 section 3.3)
    ((2, 3), Refusal::Mailbox), // message length exceeds administrative limit (RFC 3463 section 3.3)
    ((3, 4), Refusal::Mailbox), // message too big for system (RFC 3463 section 3.4)
    ((1, 7), Refusal::Sender), // bad sender's mailbox address syntax (RFC 3463 section 3.2)
    ((1, 8), Refusal::Sender), // bad sender's system address (RFC 3463 section 3.2); Exchange Online: bad outbound sender
    ((2, 252), Refusal::Sender), // SendAsDenied (Exchange Online)
    ((4, 1), Refusal::Other), // no answer from host (RFC 3463 section 3.5); Exchange Online: no such recipient, or access denied
    ((6, 7), Refusal::Other), // non-ASCII addresses not permitted (RFC 6531 section 3.2): the address's, not the message's
    ((7, 8), Refusal::Sender), // authentication credentials invalid (RFC 4954 section 6)
    ((7, 20), Refusal::Sender), // no passing DKIM signature found (RFC 7372 section 3.1)
    ((7, 21), Refusal::Sender), // no acceptable DKIM signature found (RFC 7372 section 3.1)
    ((7, 22), Refusal::Sender), // no valid author-matched DKIM signature found (RFC 7372 section 3.1)
    ((7, 23), Refusal::Sender), // SPF validation failed (RFC 7372 section 3.2)
    ((7, 24), Refusal::Sender), // SPF validation error (RFC 7372 section 3.2)
    ((7, 25), Refusal::Sender), // reverse DNS validation failed (RFC 7372 section 3.3)
    ((7, 26), Refusal::Sender), // multiple authentication checks failed (RFC 7372 section 3.4); Gmail: unauthenticated
    ((7, 27), Refusal::Sender), // sender address has null MX (RFC 7505 section 4.2); Gmail: SPF did not pass
    ((7, 29), Refusal::Sender), // ARC validation failure (RFC 8617 section 8.1); Gmail: sent without TLS
    ((7, 30), Refusal::Sender), // REQUIRETLS support required (RFC 8689 section 5); Gmail: DKIM did not pass
    ((7, 32), Refusal::Sender), // From is not aligned with SPF or DKIM (Gmail)
    ((7, 40), Refusal::Sender), // no DMARC record (Gmail)
    ((7, 57), Refusal::Sender), // client was not authenticated to send (Exchange)
    ((7, 60), Refusal::Sender), // no permission to send as this sender (Exchange Online)
    ((7, 64), Refusal::Sender), // TenantAttribution, relay access denied (Exchange Online)
    ((7, 501), Refusal::Policy), // spam abuse detected: the account's name, not this message (Exchange Online)
    ((7, 502), Refusal::Policy), // the same (Exchange Online)
    ((7, 503), Refusal::Policy), // the same (Exchange Online)
    ((7, 506), Refusal::Sender), // bad HELO (Exchange Online)
    ((7, 509), Refusal::Sender), // DMARC did not pass, and its policy is reject (Exchange Online)
    ((7, 512), Refusal::Sender), // From is not as RFC 5322 wants it (Exchange Online)
    ((7, 515), Refusal::Sender), // the domain does not meet the required authentication level (Outlook.com)
    ((7, 750), Refusal::Sender), // the domain is not registered with the account (Exchange Online)
];

/// Permanent codes that say something where the status does not.
pub(super) const CODES: &[(u16, Refusal)] = &[
    (552, Refusal::Mailbox), // exceeded storage allocation (RFC 5321 section 4.2.3)
    (556, Refusal::Hard),    // domain does not accept mail (RFC 7504 section 4)
    (530, Refusal::Sender),  // authentication required (RFC 4954 section 6)
    (534, Refusal::Sender),  // authentication mechanism is too weak (RFC 4954 section 6)
    (535, Refusal::Sender),  // authentication credentials invalid (RFC 4954 section 6)
    (538, Refusal::Sender),  // encryption required for this mechanism (RFC 4954 section 6)
];

/// Words of greylisting (RFC 6647 section 5), as postgrey, milter-greylist, Exim, OpenBSD's spamd and rspamd have them.
pub(super) const GREYLISTING: &[&str] =
    &["greylist*", "graylist*", "grey list*", "gray list*", "grey-list*", "gray-list*"];

/// Words of a temporary refusal that is about the pace.
pub(super) const PACE: &[&str] = &[
    "throttl*",          // Amazon SES, "Throttling failure: Maximum sending rate exceeded"
    "rate limit*",       // Gmail, Outlook.com, Postfix's policy services
    "ratelimit*",        // Exim
    "sending rate",      // SparkPost, Amazon SES
    "rate exceed*",      // Comcast, Sendmail ("connection rate limit exceeded")
    "too many",          // Mailgun, GMX, cPanel: connections, messages, recipients
    "too fast",          // Mailu, Yahoo Japan
    "try again slower",  // Mail.ru
    "slow down",         // Orange
    "unusual rate",      // Gmail 4.7.28
    "excessive volume",  // iCloud
    "unexpected volume", // Yahoo TSS04
    "connection limit",  // Outlook.com RP-003
    "concurrent",        // Barracuda, Mailgun: concurrent connections
];

/// Words that make of a 4.7.x something else than a matter of pace.
pub(super) const NOT_PACE: &[&str] = &[
    "temporary server error",           // Exchange Online 4.7.0
    "temporary system problem",         // Gmail 4.7.0
    "temporary authentication failure", // RFC 4954 section 6: 454 4.7.0
    "not available due to temporary",   // RFC 3207 section 4: 454, TLS
    "cannot authenticate",              // Gmail 4.7.0: a temporary system problem
    "reverse hostname",                 // Postfix, reject_unknown_reverse_client_hostname
    "your hostname",                    // Postfix, reject_unknown_client_hostname
    "name lookup failed",               // Sendmail
    "ptr",                              // Gmail 4.7.23
    "helo",                             // Postfix
    "tls required",                     // Gmail 4.7.0
    "certificate",                      // Exchange Online 4.7.320 to 4.7.325
    "spf",                              // RFC 7208 section 8.6: temperror
    "dkim",                             // RFC 6376 section 6.1: TEMPFAIL
    "dmarc",                            // RFC 7489 section 6.6.2
];

/// Words of permanent refusals, in lower case. The first list that holds one of them decides, so the sender's faults stand first:
/// their sentences name the recipient, too ("sender not allowed to write to unknown user"), and never the other way round.
///
/// They stand for whole words; what ends in `*` may go on.
pub(super) const WORDS: &[(Refusal, &[&str])] = &[
    (
        Refusal::Sender,
        &[
            "spf",
            "dkim",
            "dmarc",
            "unauthenticated",
            "authenticat*",
            "auth required",
            "relay access denied", // Postfix
            "relay not permitted", // Exim
            "relay denied",
            "relaying denied", // Sendmail
            "relaying not allowed",
            "relaying prohibited",
            "relaying disallowed", // Zoho
            "to relay",            // Exchange ("unable to relay"), Barracuda ("not configured to relay")
            "not relay*",
            "no relay*",
            "rcpthosts",      // qmail
            "sender address", // Postfix, Sendmail, Exchange Online
            "sender verify",  // Exim
            "sender domain",
            "envelope sender",
            "mail from domain", // Gmail, SparkPost
            "sendasdenied*",    // Exchange Online
            "send as",
            "not allowed to send",
            "not authorized to send",
            "not authorised to send",
            "not owned by user",             // Postfix, reject_sender_login_mismatch
            "sender signature*",             // Postmark
            "not verified",                  // Amazon SES
            "verified sender*",              // SendGrid
            "sender identity",               // SendGrid
            "from address",                  // SendGrid, Mailjet
            "'from' address",                // Postmark
            "from header",                   // Gmail, Fastmail
            "purported responsible address", // Courier
            "dns ptr",                       // GMX
            "ptr",
            "reverse dns",
            "rdns",
            "reverse hostname", // Postfix
            "helo",
            "ehlo",
        ],
    ),
    (
        Refusal::Content,
        &[
            "virus*",
            "malware",
            "phish*",
            "infected",
            "eicar",
            "attachment*",
            "uribl",
            "surbl",
            "suspicious link*",
            "suspicious url*",
            "content rejected", // Barracuda
            "message content",
            "content filter*",
            "spam content",
            "its content", // Gmail, 5.7.0
            "of the content",
            "security issue",     // Gmail, 5.7.0
            "likely unsolicited", // Gmail, 5.7.1
            "likely spam",
            "likely suspicious", // Gmail, 5.7.1
            "spam message",      // Rspamd
            "spam score*",
            "spam detected",
            "spam mail",
            "scored as spam",
            "classified as spam",
            "detected as spam",
            "flagged as spam",
            "identified as spam",
            "marked as spam",
            "recognized as spam",
            "rejected as spam",
            "considered spam",
            "looks like spam",
            "mail score",       // PMX
            "mcspamsignature*", // Mimecast
            "ube",
        ],
    ),
    (
        Refusal::Policy,
        &[
            "block list*",
            "blocklist*",
            "blacklist*",
            "black list*",
            "blackhole*",
            "denylist*",
            "dnsbl",
            "rbl",
            "spamhaus*",
            "spamcop*",
            "client host",
            "reputation",
            "your ip",
            "ip address",
            "sending ip",
            "your network",
            "spammer*",
            "spamming",
            "relay quota",
        ],
    ),
    // The word alone, where nothing says that the sending machine is meant.
    (Refusal::Content, &["spam"]),
    (
        Refusal::Policy,
        &[
            "blocked",
            "policy",
            "policies",
            "not authorized",
            "denied",
            "unsolicited",
            "abuse",
            "content",
            "sender",
            "rate limit*",
            "too many",
            "prohibit*",
            "banned",
            "refused",
            "not allowed to",
            "not permitted",
        ],
    ),
    (
        Refusal::Mailbox,
        &[
            "quota",
            "mailbox full",
            "mailbox is full",
            "inbox is full",
            "out of storage",
            "too large",
            "too big",
            "message size",
            "size limit",
            "temporarily disabled",
            "temporarily suspended",
            "currently suspended",
        ],
    ),
    (
        Refusal::Hard,
        &[
            "host unknown",                // Sendmail
            "domain does not accept mail", // Postfix (RFC 7505)
            "host does not accept mail",
            "user unknown",
            "unknown user",
            "user not found",
            "user does not exist",
            "user doesn't exist",
            "user not exist",
            "no such user",
            "no user here",
            "unknown recipient",
            "recipient unknown",
            "recipient not found",
            "invalid recipient",
            "no such recipient",
            "no such mailbox",
            "mailbox not found",
            "mailbox does not exist",
            "unknown mailbox",
            "no mailbox here by that name", // qmail
            "no such address",
            "address unknown",
            "unknown address",
            "address does not exist",
            "account does not exist",
            "account that you tried to reach does not exist", // Gmail
            "no such person",
            "not a known user",
            "not a valid mailbox",
            "this user doesn't have a", // Yahoo
            "user has no mailbox here",
            "account is disabled",
            "account has been disabled",
            "account is inactive",
            "mailbox is disabled",
            "mailbox disabled",
        ],
    ),
];
