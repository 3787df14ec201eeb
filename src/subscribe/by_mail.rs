//! What is said to those who write to us: with a mailbox and no server people subscribe, confirm, and are told how to leave.

use super::desk::Error;
use super::letter;
use crate::config::Config;
use crate::message::letter::Kind;
use crate::post::Site;
use crate::store::Store;
use crate::store::answers::Answers;
use crate::template::Templates;

/// The letters that answer mails.
pub fn answers(config: &Config, site: &Site, templates: &Templates, store: &Store) -> Result<Answers, Error> {
    let language = letter::own_language(site, templates);
    let letter = |kind: Kind| letter::write(config, site, templates, (kind, language), None);
    let welcome = match config.subscribe.welcome {
        true => {
            let latest = letter::latest(config, site, store)?;
            Some(letter::write(config, site, templates, (Kind::Welcome, language), latest)?)
        }
        false => None,
    };
    let own = config.mail.iter().flat_map(|mail| [Some(&mail.from.address), mail.bounces.as_ref()]).flatten();
    let read = config.inbox.iter().filter_map(|inbox| inbox.address.as_ref());
    Ok(Answers {
        confirm: letter(Kind::Confirm)?,
        wording: letter::wording(templates, language, &["confirm_ask", "by_mail"]),
        links: letter(Kind::Links)?,
        help: letter(Kind::Help)?,
        welcome,
        own: own.chain(read).cloned().collect(),
    })
}

/// The letter that tries an address whose mails come back.
pub fn probe(config: &Config, site: &Site, templates: &Templates) -> Result<String, letter::Error> {
    let language = letter::own_language(site, templates);
    letter::write(config, site, templates, (Kind::Probe, language), None)
}
