//! What people do on the web: ask, confirm, choose, pause, change their address. Promises: nothing here tells whether an address
//! is known, every link is good for its purpose alone, and every mail leaves by the ledger (P7).

use super::letter::{self, Error as LetterError};
use crate::address::EmailAddress;
use crate::config::Config;
use crate::message::letter::{Kind, preferences};
use crate::post::Site;
use crate::random::Random;
use crate::store::consents::{Confirmed, Consent, Reaction, Request, Wishes};
use crate::store::subscribers::Subscriber;
use crate::store::{self, Store};
use crate::subscriber::{Choices, Status};
use crate::template::Templates;
use crate::token::{Keyring, Purpose, numbered};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long the link on a page to one's preferences works.
const PAGE_LAST: TimeDelta = TimeDelta::hours(1);

/// What people do needs this.
pub struct Desk {
    /// The configuration.
    pub config: Config,
    /// Whose mail it is.
    pub site: Site,
    /// Where people are.
    pub store: Store,
    /// Signs and verifies links.
    pub keyring: Keyring,
    /// Of letters and pages.
    pub templates: Templates,
    /// For ids.
    pub random: Random,
    /// Letters that were written before, by kind and language.
    letters: Mutex<HashMap<(Kind, String), Arc<str>>>,
}

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A letter.
    #[error(transparent)]
    Letter(#[from] LetterError),
}

/// What somebody asks for on a form.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where letters go.
    pub address: EmailAddress,
    /// The digests chosen.
    pub digests: Vec<String>,
    /// The topics chosen.
    pub topics: Vec<String>,
    /// The language of the form: one that there are words of.
    pub language: String,
    /// From where, where that is kept.
    pub network: Option<String>,
}

/// Where a request stands to which a link belongs.
#[derive(Clone, Debug)]
pub enum Standing {
    /// We did not sign the link.
    NotOurs,
    /// It can be confirmed.
    Open {
        /// The address, masked.
        masked: String,
        /// BCP 47: as it was asked for.
        language: Option<String>,
    },
    /// It was confirmed.
    Done {
        /// The language of the person.
        language: Option<String>,
        /// A token for their preferences, where they are subscribed and this request was confirmed just now.
        preferences: Option<String>,
    },
    /// It is too late, or was, and is forgotten.
    Expired,
}

/// A person who came by the link to their preferences.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Who they are.
    pub subscriber: Subscriber,
    /// Until when they get no mail.
    pub paused_until: Option<DateTime<Utc>>,
    /// The token by which they leave.
    pub unsubscribe: String,
}

impl Desk {
    /// One over these.
    pub fn new(
        config: Config,
        site: Site,
        store: Store,
        keyring: Keyring,
        templates: Templates,
        random: Random,
    ) -> Self {
        Desk { config, site, store, keyring, templates, random, letters: Mutex::default() }
    }

    /// What speaks for the first of these languages that there are words of (`de` for `de-AT`: an edition is rendered once for
    /// each language that readers have); else for the site's.
    pub fn spoken<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> String {
        let words = self.templates.words();
        wanted.into_iter().find_map(|language| words.file(language)).unwrap_or_else(|| self.own_language()).to_owned()
    }

    fn own_language(&self) -> &str {
        letter::own_language(&self.site, &self.templates)
    }

    /// Somebody asks to subscribe. Both letters that may come of it are written whatever comes of it, and as long takes it.
    pub fn request(&self, asked: &Asked, now: DateTime<Utc>) -> Result<Reaction, Error> {
        let confirm = self.letter(Kind::Confirm, &asked.language)?;
        let links = self.letter(Kind::Links, &asked.language)?;
        Ok(self.store.request(&self.as_request(asked), (&confirm, &links), &self.random, now)?)
    }

    /// Somebody asks for the link to their preferences.
    pub fn request_links(&self, address: &EmailAddress, language: &str, now: DateTime<Utc>) -> Result<Reaction, Error> {
        let links = self.letter(Kind::Links, language)?;
        Ok(self.store.request_links(address, &links, &self.random, now)?)
    }

    /// A reader asks for mail to another address.
    pub fn request_change(&self, reader: &Reader, asked: &Asked, now: DateTime<Utc>) -> Result<Reaction, Error> {
        let change = self.letter(Kind::Change, &asked.language)?;
        let request = self.as_request(asked);
        Ok(self.store.request_change(&reader.subscriber.id, &request, &change, &self.random, now)?)
    }

    fn as_request(&self, asked: &Asked) -> Request {
        Request {
            address: asked.address.clone(),
            digests: self.digests(&asked.digests),
            topics: self.topics(&asked.topics, None),
            // Who reads the site's own has chosen nothing.
            language: Some(asked.language.clone()).filter(|language| language != self.own_language()),
            source: "form".to_owned(),
            wording: self.wording(&asked.language),
            network: asked.network.clone(),
        }
    }

    /// Those of the digests that there are.
    pub fn digests(&self, chosen: &[String]) -> Choices {
        let there = |name: &&str| self.config.digests.iter().any(|digest| digest.name.as_str() == *name);
        Choices::from_list(chosen.iter().map(String::as_str).filter(there))
    }

    /// Those of the topics that are offered, or that were chosen before.
    pub fn topics(&self, chosen: &[String], before: Option<&Choices>) -> Choices {
        let offered = Choices::from_list(self.config.subscribe.topics.iter().map(String::as_str));
        let chosen = Choices::from_list(chosen.iter().map(String::as_str));
        let may =
            |topic: &&str| offered.iter().any(|o| o == *topic) || before.is_some_and(|b| b.iter().any(|o| o == *topic));
        Choices::from_list(chosen.iter().filter(may))
    }

    /// A short hash of the words by which people are asked: of the form, of what follows it, and of the page to confirm.
    pub fn wording(&self, language: &str) -> String {
        let keys = [
            "subscribe",
            "subscribe_text",
            "asked_text",
            "confirm_ask",
            "confirm_title",
            "confirm_page",
            "confirm_button",
        ];
        letter::wording(&self.templates, language, &keys)
    }

    /// Where the request stands to which a link of that kind belongs. Changes nothing (P9).
    pub fn standing(&self, kind: Kind, token: &str, now: DateTime<Utc>) -> Result<Standing, Error> {
        let Some((id, _, consent)) = self.consent(kind, token)? else { return self.forgotten(kind, token) };
        let language = self.store.subscriber(&id)?.and_then(|subscriber| subscriber.row.language);
        Ok(match () {
            () if Store::is_open(&consent, now) => Standing::Open { masked: consent.address.masked(), language },
            () if consent.confirmed.is_some() => Standing::Done { language, preferences: None },
            () => Standing::Expired,
        })
    }

    /// The button on that page.
    pub fn confirm(&self, kind: Kind, token: &str, now: DateTime<Utc>) -> Result<Standing, Error> {
        let Some((id, number, _)) = self.consent(kind, token)? else { return self.forgotten(kind, token) };
        let language = self.store.subscriber(&id)?.and_then(|subscriber| subscriber.row.language);
        let confirmed = match kind {
            Kind::Change => self.store.confirm_change(&id, number, &self.random, now)?,
            _ => {
                let welcome = match self.config.subscribe.welcome {
                    true => Some(self.welcome(&self.spoken(language.as_deref()))?),
                    false => None,
                };
                self.store.confirm(&id, number, welcome.as_deref(), &self.random, now)?
            }
        };
        Ok(match confirmed {
            Confirmed::Expired => Standing::Expired,
            Confirmed::Before => Standing::Done { language, preferences: None },
            Confirmed::Now => {
                let hash = self.store.hash_of_subscriber(&id)?;
                let preferences = hash.map(|hash| preferences(&self.keyring, &id, &hash, now + PAGE_LAST));
                Standing::Done { language, preferences }
            }
        })
    }

    /// Of who never confirmed nothing is kept, and so nothing by which to verify a link. One that is whole and names a request that
    /// there is not came too late.
    fn forgotten(&self, kind: Kind, token: &str) -> Result<Standing, Error> {
        let mut standing = Standing::NotOurs;
        self.keyring.verify_bound(Purpose::Confirm, token, |subject| {
            if let Some((id, number)) = numbered(subject)
                && self.store.consent(id, kind, number)?.is_none()
            {
                standing = Standing::Expired;
            }
            Ok::<_, Error>(None)
        })?;
        Ok(standing)
    }

    fn consent(&self, kind: Kind, token: &str) -> Result<Option<(String, i64, Consent)>, Error> {
        Ok(self.store.consent_of(&self.keyring, kind, token)?)
    }

    /// Who came by a link to their preferences, if it is still good and they are subscribed.
    pub fn reader(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Reader>, Error> {
        let signed = self.keyring.verify_bound(Purpose::Preferences, token, |subject| match numbered(subject) {
            Some((id, until)) if until > now.timestamp() => self.store.hash_of_subscriber(id),
            _ => Ok(None),
        })?;
        let Some((id, _)) = signed.as_deref().and_then(numbered) else { return Ok(None) };
        let subscriber = self.store.subscriber(id)?;
        let Some(subscriber) = subscriber.filter(|s| matches!(s.row.status, Status::Active | Status::Paused)) else {
            return Ok(None);
        };
        let paused_until = self.store.paused_until(id)?;
        let unsubscribe = self.keyring.sign(Purpose::Unsubscribe, id);
        Ok(Some(Reader { subscriber, paused_until, unsubscribe }))
    }

    /// What a reader wants from now on. False: they have left meanwhile.
    pub fn set_wishes(&self, reader: &Reader, wishes: &Wishes, now: DateTime<Utc>) -> Result<bool, Error> {
        Ok(self.store.set_wishes(&reader.subscriber.id, wishes, &self.random, now)?)
    }

    fn letter(&self, kind: Kind, language: &str) -> Result<Arc<str>, Error> {
        let language = self.spoken([language]);
        let key = (kind, language);
        let known = self.letters.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let written: Arc<str> = letter::write(&self.config, &self.site, &self.templates, (kind, &key.1), None)?.into();
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&written));
        Ok(written)
    }

    fn welcome(&self, language: &str) -> Result<String, Error> {
        let latest = letter::latest(&self.config, &self.site, &self.store)?;
        Ok(letter::write(&self.config, &self.site, &self.templates, (Kind::Welcome, language), latest)?)
    }
}
