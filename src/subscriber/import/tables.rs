//! What programs call their columns, and what their words for a person's state mean here.

use super::{Field, Origin, Standing};

/// Columns by their names: lower case, with blanks for `_`, `-` and `.`. The first that a file has is taken.
pub(super) const COLUMNS: [(Field, &[&str]); 18] = [
    (
        Field::Email,
        &[
            "email",
            "email address",
            "e mail",
            "e mail address",
            "emailaddress",
            "mail",
            "e mail adresse",
            "adresse e mail",
            "correo electrónico",
            "subscriber email",
        ],
    ),
    (Field::Name, &["name", "full name", "fullname", "display name"]),
    (Field::First, &["first name", "firstname", "fname", "given name", "vorname", "prénom", "nombre"]),
    (Field::Last, &["last name", "lastname", "lname", "surname", "family name", "nachname", "nom", "apellido"]),
    (Field::Language, &["language", "lang", "locale", "preferred language"]),
    (Field::Digests, &["digests"]),
    (Field::Tags, &["tags", "labels", "groups", "topics", "interests", "segments"]),
    (Field::Labels, &["labels"]),
    (Field::Status, &["status", "state", "subscriber type", "type", "subscription status"]),
    (
        Field::Since,
        &[
            "confirm time",
            "optin time",
            "created at",
            "creation date",
            "subscribed at",
            "subscription date",
            "signup date",
            "date added",
            "joined",
            "since",
            "start date",
            "subscribed on",
            "joined at",
            "added",
            "added at",
            "created",
            "registered at",
            "angemeldet am", // German
            "anmeldedatum",
            "date d'inscription", // French
            "fecha de alta",      // Spanish
        ],
    ),
    (Field::Attributes, &["attributes", "attribs", "metadata"]),
    (
        Field::Left,
        &[
            "unsub time",
            "unsubscription date",
            "unsubscribed at",
            "unsubscribe date",
            "deleted at",
            "email disabled",
            "unsubscribed",
            "opted out",
            "opt out",
            "optout",
            "has opted out",
            "do not email",
            "do not mail",
            "no mail",
            "unsubscribe",
            "cancelled",
            "canceled",
            "cancelled at",
            "cancelled on",
            "left",
            "left on",
            "left at",
            "emails disabled",
            "abgemeldet", // German
            "abgemeldet am",
            "abbestellt",
            "abbestellt am",
            "ausgetragen",
            "gekündigt",
            "désabonné", // French
            "désabonné le",
            "désinscrit",
            "baja", // Spanish
            "fecha de baja",
            "cancelado",
            "descadastrado", // Portuguese
            "disiscritto",   // Italian
            "uitgeschreven", // Dutch
            "afgemeld",
        ],
    ),
    (
        Field::Bounced,
        &[
            "clean time",
            "bounced at",
            "bounce date",
            "bounced",
            "is bounced",
            "hard bounced",
            "undeliverability date",
            "undeliverable",
        ],
    ),
    (
        Field::Wants,
        &[
            "subscribed to emails",
            "subscribed",
            "is subscribed",
            "opted in",
            "opt in",
            "accepts marketing",
            "active",
            "is active",
            "enabled",
            "is enabled",
            "newsletter",
            "consent",
            "aktiv", // German
            "abo",
            "abonniert",
            "einwilligung",
            "actif", // French
            "abonné",
            "inscrit",
            "activo", // Spanish
            "suscrito",
            "ativo",  // Portuguese
            "attivo", // Italian
            "iscritto",
            "actief", // Dutch
        ],
    ),
    (Field::Confirmed, &["confirmed", "is confirmed", "verified"]),
    (Field::OptIn, &["optin time"]),
    (Field::Lists, &["lists"]),
    (Field::Until, &["paused until"]),
];

/// Columns that no other program's export has, one set after the other.
pub(super) const SIGNS: [(Origin, &[&str]); 8] = [
    (Origin::Mailchimp, &["email address", "leid"]),
    (Origin::Mailchimp, &["email address", "member rating"]),
    (Origin::Substack, &["email", "email disabled"]),
    (Origin::Substack, &["email", "active subscription"]),
    (Origin::Ghost, &["email", "subscribed to emails"]),
    (Origin::Listmonk, &["uuid", "email", "attributes"]),
    (Origin::Listmonk, &["uuid", "email", "attribs"]),
    (Origin::Buttondown, &["email address", "creation date"]),
];

/// Words for where a person stands. One that is not here takes nobody in: better a row too few than a mail to who left.
pub(super) const STANDINGS: [(Standing, &[&str]); 7] = [
    (
        Standing::Active,
        &[
            "",
            "active",
            "subscribed",
            "enabled",
            "confirmed",
            "regular",
            "premium",
            "gifted",
            "trialed",
            "churning",
            "past due",
            "monthly",
            "yearly",
            "founding",
            "free",
            "paid",
            "comped",
            "comp",
            "member",
            "true",
            "yes",
            "1",
            "aktiv", // German
            "abonniert",
            "bestätigt",
            "actif", // French
            "abonné",
            "inscrit",
            "confirmé",
            "activo", // Spanish
            "suscrito",
            "ativo", // Portuguese
            "inscrito",
            "iscritto", // Italian
            "attivo",
            "actief", // Dutch
        ],
    ),
    (Standing::Paused, &["paused", "snoozed"]),
    (
        Standing::Left,
        &[
            "unsubscribed",
            "disabled",
            "removed",
            "inactive",
            "opted out",
            "optout",
            "left",
            "cancelled",
            "churned",
            "false",
            "no",
            "0",
            "abgemeldet", // German
            "abbestellt",
            "ausgetragen",
            "inaktiv",
            "désabonné", // French
            "désinscrit",
            "inactif",
            "dado de baja", // Spanish
            "baja",
            "cancelado",
            "inactivo",
            "inativo", // Portuguese
            "descadastrado",
            "disiscritto", // Italian
            "inattivo",
            "uitgeschreven", // Dutch
            "inactief",
        ],
    ),
    (Standing::Bounced, &["bounced", "cleaned", "undeliverable", "hard bounced", "hard bounce", "invalid"]),
    (Standing::Complained, &["complained", "complaint", "marked as spam", "junk"]),
    (Standing::Barred, &["blocklisted", "blacklisted", "blocked", "banned", "spammy", "malicious", "suppressed"]),
    (
        Standing::Unconfirmed,
        &["unconfirmed", "pending", "unactivated", "nonsubscribed", "transactional", "awaiting confirmation", "absent"],
    ),
];

/// A column with one of these in its name may say who must not be mailed: one that is not understood stops the import.
pub(super) const BARRING: &[&str] = &[
    "unsub",
    "opt out",
    "optout",
    "opted out",
    "bounc",
    "suppress",
    "blocked",
    "blocklist",
    "blacklist",
    "banned",
    "complain",
    "spam",
    "cancel",
    "left",
    "leave",
    "leaving",
    "disabled",
    "inactive",
    "removed",
    "undeliver",
    "do not",
    "dont",
    "don\'t",
    "no mail",
    "nomail",
    "abgemeld", // German
    "abbestell",
    "ausgetrag",
    "kündig",
    "gesperrt",
    "inaktiv",
    "désabonn", // French
    "desabonn",
    "désinscr",
    "desinscr",
    "baja",       // Spanish
    "descadastr", // Portuguese
    "disiscri",   // Italian
    "uitgeschre", // Dutch
    "afgemeld",
];

/// Beside one of those: it says why or when besides, not who.
pub(super) const BESIDE: &[&str] = &["reason", "campaign", "title", "other", "count", "score", "last", "rate"];

/// A yes and a no of a cell, in the languages of spreadsheets.
pub(super) const YES: &[&str] = &[
    "true",
    "yes",
    "y",
    "1",
    "x",
    "on",
    "✓",
    "✔",
    "ja",
    "j",
    "wahr",
    "oui",
    "o",
    "vrai",
    "si",
    "sí",
    "s",
    "verdadero",
    "sim",
    "vero",
];
pub(super) const NO: &[&str] = &[
    "", "false", "no", "n", "0", "off", "-", "null", "none", "nein", "falsch", "non", "faux", "falso", "não", "nao",
    "nee", "onwaar",
];
