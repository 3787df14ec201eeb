//! What makes a mail one of a list's: its identity (RFC 2919) and the ways to leave it (RFC 2369, RFC 8058).

use super::Settings;
use super::header::{label, phrase};
use crate::address::EmailAddress;
use crate::random::base32;
use crate::template::text::one_line;
use aws_lc_rs::digest::{SHA256, digest};
use url::Url;

/// Where the reader's token goes in a [`List`]'s links.
pub(super) const TOKEN: char = '\u{1}';

/// A token of up to so many octets fits behind the plus of an address with a short local part (RFC 5321 section 4.5.3.1.1).
pub const LONGEST_TOKEN: usize = 52;

/// One digest as a mailing list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The List-Id field with its CRLF. Filters key on what stands in its angle brackets, which never changes.
    pub(super) id: String,
    /// The digest, as a label.
    pub(super) label: String,
    /// Where one POST unsubscribes, with [`TOKEN`].
    pub(super) https: Option<String>,
    /// A `mailto:` that unsubscribes, with [`TOKEN`].
    pub(super) mailto: String,
}

impl List {
    /// The list of the digest `name`. `inbox` is `inbox.address`, `public_url` is `web.public_url`: of these and the
    /// settings of `[mail]`, those that exist decide how a reader can leave.
    pub fn new(
        site_title: &str,
        name: &str,
        mail: &Settings,
        inbox: Option<&EmailAddress>,
        public_url: Option<&Url>,
    ) -> Self {
        let mut label = label(name, 40);
        if !name.is_ascii() {
            // Letters that a label cannot hold were dropped; two digests must not become one list.
            label = format!("{label}-{}", base32(&digest(&SHA256, name.as_bytes()).as_ref()[..5]));
        }
        let mut id = "List-Id: ".to_owned();
        phrase(&mut id, &one_line(&format!("{site_title}: {name}"), 80));
        id.push_str(&format!("\r\n <{label}.{}>\r\n", mail.from.address.domain()));
        // Only https can be one click (RFC 8058 section 3.1); anything else is a link that mail providers distrust.
        let https = public_url
            .filter(|url| url.scheme() == "https")
            .map(|url| format!("{}/unsubscribe/{TOKEN}", url.as_str().trim_end_matches('/')));
        let (before, after) = mail_link(mail, inbox, "unsubscribe");
        let mailto = format!("{before}{TOKEN}{after}");
        List { id, label, https, mailto }
    }

    /// The link for people, with [`TOKEN`]: the web page, else the mail.
    pub(super) fn link(&self) -> &str {
        self.https.as_deref().unwrap_or(&self.mailto)
    }
}

/// A link to a mail that asks for `word`: what stands before the reader's token, and behind it. The token is behind the plus of the
/// address where a program reads it and there is room, else in the subject. `inbox` is `inbox.address`.
pub fn mail_link(mail: &Settings, inbox: Option<&EmailAddress>, word: &str) -> (String, String) {
    let read = inbox.or(mail.bounces.as_ref()).filter(|read| read.local().len() + 1 + LONGEST_TOKEN <= 64);
    match read {
        Some(read) => (format!("mailto:{}+", escape(read.local())), format!("@{}?subject={word}", read.domain())),
        None => (format!("{}%20", word_link(mail, inbox, word)), String::new()),
    }
}

/// The same without a token.
pub fn word_link(mail: &Settings, inbox: Option<&EmailAddress>, word: &str) -> String {
    let people = &mail.reply_to.as_ref().unwrap_or(&mail.from).address;
    let to = inbox.or(mail.bounces.as_ref()).unwrap_or(people);
    format!("mailto:{}@{}?subject={word}", escape(to.local()), to.domain())
}

/// The local part of an address inside a `mailto:` (RFC 6068 section 2): everything that is not plainly itself as `%XX`.
fn escape(local: &str) -> String {
    local
        .bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' | b'+' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(mail: &str, inbox: Option<&str>) -> List {
        let settings: Settings = toml::from_str(mail).unwrap();
        List::new("Field Notes", "weekly", &settings, inbox.map(|i| i.parse().unwrap()).as_ref(), None)
    }

    #[test]
    fn the_id_depends_on_the_name_and_the_domain_alone() {
        let of = |site: &str, name: &str| {
            let settings: Settings = toml::from_str("from = 'a@example.org'").unwrap();
            let id = List::new(site, name, &settings, None, None).id;
            id[id.find('<').unwrap()..].trim_end().to_owned()
        };
        assert_eq!(of("Field Notes", "weekly"), "<weekly.example.org>");
        assert_eq!(of("Renamed", "weekly"), "<weekly.example.org>");
        assert_ne!(of("", "الأسبوع"), of("", "الشهر"));
    }

    #[test]
    fn leaving_by_mail_goes_to_whoever_reads_mail() {
        for (mail, inbox, expected) in [
            ("from = 'a@x.org'", None, "mailto:a@x.org?subject=unsubscribe%20T"),
            ("from = 'a@x.org'\nreply_to = 'r@x.org'", None, "mailto:r@x.org?subject=unsubscribe%20T"),
            (
                "from = 'a@x.org'\nreply_to = 'r@x.org'\nbounces = 'b@x.org'",
                None,
                "mailto:b+T@x.org?subject=unsubscribe",
            ),
            (
                "from = 'a@x.org'\nbounces = 'b@x.org'",
                Some("i%&n@x.org"),
                "mailto:i%25%26n+T@x.org?subject=unsubscribe",
            ),
            (
                "from = 'a@x.org'",
                Some("an-inbox-with-a-name@x.org"),
                "mailto:an-inbox-with-a-name@x.org?subject=unsubscribe%20T",
            ),
        ] {
            assert_eq!(list(mail, inbox).mailto.replace(TOKEN, "T"), expected, "{mail}");
        }
    }
}
