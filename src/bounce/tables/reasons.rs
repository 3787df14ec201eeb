//! Words of every other reason for which mails come back: lower case, on one line, without addresses.

use crate::reply::Stage;

/// The mailbox is there, and full, or the mail too big for it.
pub(in crate::bounce) const FULL: &[&str] = &[
    "mailbox full",
    "mailbox is full",
    "mailbox too full",
    "mailbox has exceeded",
    "mailbox exceeds",
    "mailbox size limit",
    "mailbox quota",
    "inbox is full",
    "mail box full",
    "user is over",
    "over quota",
    "overquota",
    "over the quota",
    "over its quota",
    "over disk quota",
    "quota exceeded",
    "exceeded quota",
    "exceeded its quota",
    "exceeded their quota",
    "exceeded storage",
    "exceeds quota",
    "exceed quota",
    "quota full",
    "quota violation",
    "disk quota",
    "disc quota",
    "storage quota",
    "out of storage",
    "insufficient disk space",
    "not enough storage space",
    "not enough space",
    "account is full",
    "account is currently full",
    "too many messages in this mailbox",
    "message size exceeds",
    "message length exceeds",
    "message too large",
    "message is too large",
    "message too big",
    "postfach voll",
    "postfach ist voll",
    "speicherplatz",
    "boîte pleine",
    "boîte aux lettres pleine",
    "quota dépassé",
    "buzón lleno",
    "cuota excedida",
    "caixa postal cheia",
    "caixa cheia",
    "casella piena",
    "postvak vol",
    "skrzynka pełna",
    "przekroczono limit",
    "ящик переполнен",
    "容量オーバー",
    "容量を超え",
    "メールボックスがいっぱい",
    "邮箱已满",
    "郵箱已滿",
    "邮箱空间不足",
];

/// Says that the address may not exist, or something else.
pub(in crate::bounce) const UNSURE: &[&str] = &[
    "groups.google.com", // Google Groups: may not exist, or takes no mail from you; in forty languages
];

/// The mail was given up because it could not be handed over in time, or a server had trouble of its own.
pub(in crate::bounce) const LATER: &[&str] = &[
    "try again",
    "try later",
    "timed out",
    "time out",
    "timeout exceeded", // Exim: retry timeout exceeded
    "timeout",
    "too long",
    "given up after",
    "not delivered within",
    "could not be delivered within",
    "for more than",
    "retry time not reached",
    "was not reached",
    "connection refused",
    "connection reset",
    "connection lost",
    "lost connection",
    "lost input channel",
    "connection failed",
    "connection was dropped",
    "unable to connect",
    "could not connect",
    "did not accept our requests to connect",      // Gmail
    "wasn't able to establish an smtp connection", // qmail
    "connection died",                             // qmail
    "network error",                               // OpenSMTPD
    "network is unreachable",
    "no route to host",
    "host is unreachable",
    "host unreachable",
    "not responding",
    "did not respond",
    "attempts:", // IMail: Delivery failed 20 attempts
    "server is down",
    "servfail",
    "temporary failure",
    "temporarily",
    "temporary",
    "deferred",
    "too many hops",
    "mail loop",
    "loops back to",
    "looping",
];

/// Words of a block list or a filter, whatever else is said.
pub(in crate::bounce) const BLOCKED: &[&str] = &[
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "blocked",
    "spam",
    "spamhaus",
    "dnsbl",
    "rbl",
    "reputation",
    "your ip",
    "ip address",
    "banned",
    "content",
    "virus",
    "unsolicited",
    "authenticat",
    "greylist",
];

/// The sender's own fault, beside what [`crate::reply`] knows.
pub(in crate::bounce) const OURS: &[&str] = &[
    "domain of sender",
    "sender does not exist",
    "sender unknown",
    "unknown sender",
    "invalid sender",
    "no such sender",
    "sender not",
    "sender verif",
    "sender verify",
    "envelope from",
    "return path",
    "reverse path",
    "from domain",
    "sender address",
    "sender rejected",
    "sender domain",
    "must be authenticated",
    "purported responsible address",
    "duplicate header",
    "headers too large",
    "bad dns ptr",
    "loops back to myself",
    "no relaying",
    "relay access",
    "relaying",
];

/// Words that tell that a reply fell before the recipient was named.
pub(in crate::bounce) const CONNECTION: &[(&str, Stage)] = &[
    ("after mail from", Stage::Mail),             // Exim
    ("in reply to mail from", Stage::Mail),       // Postfix
    ("mail from command", Stage::Mail),           // 1&1
    ("did not like our mail from", Stage::Mail),  // DragonFly
    ("does not like sender", Stage::Mail),        // netqmail
    ("refused to talk to me", Stage::Connect),    // Postfix
    ("after initial connection", Stage::Connect), // Exim
    ("after ehlo", Stage::Ehlo),                  // Exim
    ("after helo", Stage::Ehlo),
    ("after starttls", Stage::StartTls),
    ("in reply to ehlo", Stage::Ehlo), // Postfix
    ("in reply to helo", Stage::Ehlo),
    ("did not like our ehlo", Stage::Ehlo), // DragonFly
    ("did not like our helo", Stage::Ehlo),
    ("connected to but greeting failed", Stage::Greeting),  // qmail
    ("connected to but my name was rejected", Stage::Ehlo), // qmail
];
