//! Writes what letters say: rendered once for all who get the same, with holes for their own parts.

use crate::config::Config;
use crate::edition::compose::{self, Composition, UNSUBSCRIBE_LINK};
use crate::edition::page;
use crate::message::letter::{Kind, name_of};
use crate::message::skeleton::{ACTION_LINK, ActionLink, letter};
use crate::message::{self, List, list};
use crate::post::Site;
use crate::store::{self, Store};
use crate::template::context::{Latest, Letter, LetterLinks};
use crate::template::text::{direction, one_line};
use crate::template::{self, Templates};

/// Longer subjects are cut by every mail program.
const SUBJECT_LIMIT: usize = 150;

/// Why a letter cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template of the author's own.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// It lacks a link.
    #[error(transparent)]
    Message(#[from] message::Error),
    /// Nobody is named as its sender.
    #[error("there is no [mail] table, so nobody can be asked\n  help: add one with `from` and `transport`")]
    NoMail,
}

/// Where a letter's own link leads: to a page, or, where the world reaches none but writes to us, to a mail.
fn action(config: &Config, mail: &message::Settings, kind: Kind) -> ActionLink {
    let page = |path: &str| format!("{}{path}", config.web.address());
    let signed = |path: &str| ActionLink::Signed(page(path), String::new());
    let inbox = config.inbox.as_ref().filter(|_| config.web.public_url.is_none());
    match (kind, inbox) {
        (Kind::Probe, _) | (Kind::Welcome | Kind::Links, Some(_)) => ActionLink::None,
        (Kind::Confirm, Some(inbox)) => {
            let (before, after) = list::mail_link(mail, inbox.address.as_ref(), "confirm");
            ActionLink::Signed(before, after)
        }
        (Kind::Help, Some(inbox)) => ActionLink::Plain(list::word_link(mail, inbox.address.as_ref(), "subscribe")),
        (Kind::Help, None) => ActionLink::Plain(page("subscribe")),
        (Kind::Confirm, None) => signed("confirm/"),
        (Kind::Change, _) => signed("change/"),
        (Kind::Welcome | Kind::Links, None) => signed("preferences/"),
    }
}

/// The finished letter, as the store keeps it. `language` is one that there are words of.
pub fn write(
    config: &Config,
    site: &Site,
    templates: &Templates,
    (kind, language): (Kind, &str),
    latest: Option<Latest>,
) -> Result<String, Error> {
    let mail = config.mail.as_ref().ok_or(Error::NoMail)?;
    let link = action(config, mail, kind);
    let theme = config.theme.theme(&site.url);
    let mut context = Letter {
        language: language.to_owned(),
        dir: direction(language).to_owned(),
        site: compose::site(site),
        subject: String::new(),
        links: LetterLinks {
            action: (link != ActionLink::None).then(|| ACTION_LINK.to_owned()),
            by_mail: link.is_mail(),
            unsubscribe: kind.can_be_left().then(|| UNSUBSCRIBE_LINK.to_owned()),
        },
        latest,
        postal_address: mail.postal_address.as_deref().map(compose::postal_address).filter(|a| !a.is_empty()),
        theme,
    };
    context.subject = one_line(&templates.render(&format!("{kind}/subject.txt.j2"), &context)?, SUBJECT_LIMIT);
    let name = format!("{kind}/body.html.j2");
    let html = compose::inline(&name, templates.render(&name, &context)?)?;
    let text = compose::tidy(&templates.render(&format!("{kind}/body.txt.j2"), &context)?);
    let composition = Composition { subject: context.subject, preheader: String::new(), html, text };
    let digest = config.default_digests().first().copied().unwrap_or("letters");
    let inbox = config.inbox.as_ref().and_then(|inbox| inbox.address.as_ref());
    let list = List::new(&site.title, digest, mail, inbox, config.web.public_url.as_ref());
    Ok(letter(mail, &list, &composition, kind, &link)?.to_stored().to_owned())
}

/// The latest edition that there is a page of, to greet new readers with.
pub fn latest(config: &Config, site: &Site, store: &Store) -> Result<Option<Latest>, store::Error> {
    let wanted = |name: &str| config.digests.iter().any(|d| d.archive && d.name.as_str() == name);
    let latest = store.pages()?.into_iter().find(|listed| !listed.withdrawn && wanted(&listed.digest));
    Ok(latest.map(|listed| Latest {
        url: page::url(&site.url, &listed.edition).into(),
        title: listed.subject,
        dir: direction(&listed.language).to_owned(),
        language: listed.language,
    }))
}

/// A short hash of the words by which somebody is asked, to be kept with their consent.
pub fn wording(templates: &Templates, language: &str, keys: &[&str]) -> String {
    let words = templates.words();
    let said: Vec<String> = keys.iter().filter_map(|key| words.phrase(language, key, &[])).collect();
    name_of(&said.join("\0"))[..8].to_owned()
}

/// The language of letters to who has chosen none.
pub fn own_language<'a>(site: &'a Site, templates: &'a Templates) -> &'a str {
    let words = templates.words();
    words.file(&site.language).unwrap_or_else(|| words.spoken(&site.language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Mailbox;
    use crate::message::{Personal, Skeleton};
    use std::path::Path;

    const CONFIG: &str = "[site]\ntitle = 'Field <Notes>'\nurl = 'https://example.org/'\n[mail]\nfrom = 'Field Notes <news@example.org>'\n\
         postal_address = '1 Sample Street, Chicago IL'\n";
    const WEB: &str = "[web]\npublic_url = 'https://news.example.org/'\n";
    const MAILBOX: &str = "[inbox]\nsource = 'maildir:Mail'\naddress = 'news@example.org'\n";

    fn written(reached: &str, kind: Kind, language: &str) -> String {
        let config = Config::parse(&format!("{CONFIG}{reached}"), Path::new("config.toml"), |_| None).unwrap();
        let site = config.site(config.site.clone()).unwrap();
        let latest = (kind == Kind::Welcome).then(|| Latest {
            title: "Field Notes: The eels are back".to_owned(),
            url: "https://example.org/editions/weekly/2026-11-23/".to_owned(),
            language: "en".to_owned(),
            dir: "ltr".to_owned(),
        });
        write(&config, &site, &Templates::embedded(), (kind, language), latest).unwrap()
    }

    #[test]
    fn whole_letters() {
        let without_pages = [Kind::Confirm, Kind::Welcome, Kind::Links, Kind::Help];
        let by_mail = without_pages.into_iter().map(|kind| (MAILBOX, "-by-mail", kind));
        for (reached, suffix, kind) in Kind::ALL.into_iter().map(|kind| (WEB, "", kind)).chain(by_mail) {
            for language in ["en", "de", "ar"] {
                let stored = written(reached, kind, language);
                assert_eq!(stored, written(reached, kind, language), "the same input, the same bytes");
                let to = Mailbox { name: None, address: "zoe@example.net".parse().unwrap() };
                let bytes = Skeleton::letter_from_stored(&stored).unwrap().splice(&Personal {
                    delivery: "mfrggzdfmztwq2lk.c1",
                    to: &to,
                    date: chrono::DateTime::from_timestamp(1_795_446_000, 0).unwrap(),
                    token: "mfrggzdfmztwq2lknbswy3dpeb3w64tm",
                    action: "mfrggzdfmztwq2lk.1orsxg5bao53c4z3o",
                });
                let text = String::from_utf8(bytes).unwrap();
                assert_eq!(text.contains("List-Unsubscribe:"), kind.can_be_left(), "{kind}");
                insta::with_settings!({ snapshot_path => "../../tests/corpus/letters", prepend_module_to_snapshot => false, omit_expression => true }, {
                    insta::assert_snapshot!(format!("{kind}{suffix}-{language}"), text.replace("\r\n", "\n"));
                });
            }
        }
    }

    #[test]
    fn without_a_sender_there_is_no_letter() {
        let config =
            Config::parse("[site]\ntitle = 'a'\nurl = 'https://a.org'\n[posts]", Path::new("c"), |_| None).unwrap();
        let site = config.site(config.site.clone()).unwrap();
        let error = write(&config, &site, &Templates::embedded(), (Kind::Confirm, "en"), None).unwrap_err();
        assert!(matches!(error, Error::NoMail));
    }
}
