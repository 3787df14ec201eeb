//! What every command begins with: the configuration, the clock, the site, the store, the way out.

use super::arguments::Global;
use crate::clock::Clock;
use crate::config::{self, Config, SiteTable, WayOut};
use crate::delivery::route::Route;
use crate::dispatch::Relays;
use crate::edition;
use crate::keys;
use crate::message::{self, Signer};
use crate::post::Site;
use crate::random::Random;
use crate::remote::Remote;
use crate::seal::Keys;
use crate::site::{self, Generator};
use crate::store::{self, Mode, Place, Store};
use crate::template::Templates;
use crate::token::Keyring;
use crate::transport::{Options, Password, Relay, Timeouts, Transport};
use anyhow::{Context, Result, anyhow, bail};
use chrono::TimeDelta;
use signal_hook::{consts, flag};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A configuration, understood, and the time.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) random: Random,
    purpose: Purpose,
    /// The store of `store.remote`, once it was asked for.
    remote: OnceLock<Remote>,
}

/// What a command wants of a store that others share from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Look,
    /// To have it alone, and to leave it changed.
    Change,
}

impl Setup {
    /// Finds and reads the configuration, and sets the clock.
    pub(super) fn load(global: &Global) -> Result<Setup> {
        let clock = global.now.map_or_else(Clock::system, Clock::starting_at);
        Setup::read(&find(global.config.as_deref())?, clock)
    }

    /// Reads the configuration at a path.
    pub(super) fn read(path: &Path, clock: Clock) -> Result<Setup> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| anyhow!("{}: {e}\n  help: name the configuration with --config", path.display()))?;
        let config = Config::parse(&text, path, |name| std::env::var(name).ok())?;
        Ok(Setup { config, clock, random: Random::system(), purpose: Purpose::Look, remote: OnceLock::new() })
    }

    /// Does something that may change the store. What is recorded is kept where the store is, whether the work comes to its end or not.
    pub(super) fn change<T>(mut self, work: impl FnOnce(&Setup) -> Result<T>) -> Result<T> {
        self.purpose = Purpose::Change;
        let done = work(&self);
        let kept = self.remote.get().map_or(Ok(()), Remote::give_back);
        match (done, kept) {
            (Ok(_), Err(error)) => Err(error.into()),
            (done, kept) => {
                // What stopped the work is what is told.
                kept.unwrap_or_else(|error| tracing::error!("{error}"));
                done
            }
        }
    }

    /// The site and its generator's own configuration.
    pub(super) fn site(&self) -> Result<(Site, Generator)> {
        let generator = site::generator(&self.config.posts, &self.config.root)?;
        let facts = SiteTable {
            title: generator.title.clone(),
            url: generator.url.clone(),
            description: generator.description.clone(),
            language: generator.language.clone(),
            timezone: generator.timezone,
            author: generator.author.clone(),
        };
        Ok((self.config.site(facts)?, generator))
    }

    /// The templates: the embedded ones, and over them those of `templates/` beside the configuration.
    pub(super) fn templates(&self) -> Result<Templates> {
        Ok(Templates::with_overrides(self.overrides()?)?)
    }

    /// The folder of edited templates.
    pub(super) fn templates_folder(&self) -> PathBuf {
        self.config.path_of(Path::new("templates"))
    }

    /// Their sources, by name.
    pub(super) fn overrides(&self) -> Result<BTreeMap<String, String>> {
        site::overrides(&self.templates_folder()).context("the templates cannot be read")
    }

    /// Where the store is.
    pub(super) fn place(&self) -> Result<Place> {
        if let Some(remote) = self.remote()? {
            return Ok(remote.place().clone());
        }
        let url = config::resolved(&self.config.store.url, "store.url").map_err(|e| anyhow!(e))?;
        Ok(Place::parse(url, &self.config.root)?)
    }

    /// What keeps the store, if this machine does not; fetched when it is first asked for.
    pub(super) fn remote(&self) -> Result<Option<&Remote>> {
        let config::store::Store { remote: Some(config::store::Remote::Git), branch, key, .. } = &self.config.store
        else {
            return Ok(None);
        };
        if self.remote.get().is_none() {
            for key in key {
                config::resolved(key, "store.key").map_err(|e| anyhow!(e))?;
            }
            let keys = Keys::parse(key).map_err(|e| anyhow!("store.{e}"))?;
            let fetched = Remote::fetch(&self.config.root, branch, keys, &self.random, self.clock)?;
            let _ = self.remote.set(fetched);
        }
        Ok(self.remote.get())
    }

    /// The store.
    pub(super) fn store(&self, mode: Mode) -> Result<Store> {
        let (place, must_exist) = (self.place()?, self.config.store.must_exist());
        let mode = if must_exist && mode == Mode::Create { Mode::MustExist } else { mode };
        if must_exist || matches!(mode, Mode::MustExist | Mode::Reclaim) {
            // What a run would say of it.
            match self.remote()? {
                Some(remote) => remote.must_exist()?,
                None => place.must_exist()?,
            }
        }
        self.open(&place, mode)
    }

    /// The first store, made; an error where there is one.
    pub(super) fn first_store(&self) -> Result<Store> {
        let place = self.place()?;
        let is_there = match self.remote()? {
            Some(remote) => remote.must_exist().is_ok(),
            None => match Store::open(&place, Mode::MustExist) {
                Err(store::Error::Missing(_)) => false,
                opened => opened.map(|_| true)?,
            },
        };
        if is_there {
            bail!("there is a store already, and it stays as it is\n  help: `postrider status` shows what is in it");
        }
        self.open(&place, Mode::Create)
    }

    /// A store that was just put where there was none.
    pub(super) fn begun(&self) -> Result<Store> {
        self.open(&self.place()?, Mode::MustExist)
    }

    /// An error where the store is kept elsewhere between runs: who has it open all the time needs one of its own.
    pub(super) fn stays(&self) -> Result<()> {
        match self.config.store.remote {
            None => Ok(()),
            Some(_) => bail!(
                "store.remote is for runs that come and go, and this command keeps the store open\n  help: leave remote out and give it a store by url; `postrider store backup` and `restore` carry one over"
            ),
        }
    }

    fn open(&self, place: &Place, mode: Mode) -> Result<Store> {
        let store = Store::open(place, mode)?;
        match (self.remote()?, self.purpose) {
            (Some(remote), Purpose::Change) if mode != Mode::Rehearse => remote.take(&store)?,
            (Some(remote), _) => remote.look(&store)?,
            (None, _) => {}
        }
        Ok(store)
    }

    /// A store that must be there already, for commands that only make sense on one.
    pub(super) fn existing_store(&self) -> Result<Store> {
        self.there(Mode::MustExist)
    }

    /// Such a store, also one that was moved away: to go on with it.
    pub(super) fn reclaimed_store(&self) -> Result<Store> {
        self.there(Mode::Reclaim)
    }

    fn there(&self, mode: Mode) -> Result<Store> {
        match self.store(mode) {
            Err(error)
                if matches!(error.downcast_ref(), Some(store::Error::Missing(_)))
                    && !self.config.store.must_exist() =>
            {
                bail!("there is no store yet\n  help: `postrider run` makes one")
            }
            result => result,
        }
    }

    /// The keys for links.
    pub(super) fn keyring(&self, store: &Store) -> Result<Keyring> {
        let secrets = &self.config.subscribers.secret;
        for secret in secrets {
            config::resolved(secret, "subscribers.secret").map_err(|e| anyhow!(e))?;
            if secret.len() < 16 {
                tracing::warn!(
                    "subscribers.secret is shorter than 16 characters and can be guessed; make one with `openssl rand -hex 32`"
                );
            }
        }
        Ok(store.keyring(secrets, &self.random)?)
    }

    /// The digest of that name.
    pub(super) fn digest(&self, name: &str) -> Result<&edition::Settings> {
        let digests = &self.config.digests;
        digests.iter().find(|digest| digest.name.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = digests.iter().map(|digest| digest.name.as_str()).collect();
            anyhow!("there is no digest {name:?}\n  help: there are: {}", names.join(", "))
        })
    }

    /// The `[mail]` table.
    pub(super) fn mail(&self) -> Result<&message::Settings> {
        let missing = || {
            anyhow!(
                "{}: there is no [mail] table\n  help: add one with `from` and `transport`",
                self.config.path.display()
            )
        };
        self.config.mail.as_ref().ok_or_else(missing)
    }

    /// What signs every mail.
    pub(super) fn signer(&self) -> Result<Signer> {
        let dkim = &self.mail()?.dkim;
        for settings in dkim {
            config::resolved(&settings.key, "mail.dkim.key").map_err(|e| anyhow!(e))?;
        }
        Ok(keys::signer(dkim, &self.config.root)?)
    }

    /// The ways out, the first ones first. `--now` ahead of the machine's clock only where no mail can reach a reader.
    pub(super) fn relays(&self) -> Result<Relays> {
        self.mail()?.check()?;
        let relays = self.config.ways_out().iter().map(|way| self.relay(way)).collect::<Result<_>>()?;
        Ok(Relays::new(relays))
    }

    /// Where mails leave, as it is written.
    pub(super) fn route(&self, way: &WayOut<'_>) -> Result<Route> {
        let text = config::resolved(way.transport, way.key).map_err(|e| anyhow!(e))?;
        let route: Route = text.parse().map_err(|e| anyhow!("{}", way.terms.said(&format!("mail.transport: {e}"))))?;
        if matches!(route, Route::Outbox(_)) && way.terms.name.is_some() {
            let title = way.terms.title();
            bail!(
                "{title} is an outbox, from which nobody gets a mail\n  help: rehearse with mail.transport = \"outbox:outbox\" and no [[relay]]"
            );
        }
        Ok(route)
    }

    /// Opens a way out. Connects to nothing yet.
    pub(super) fn relay(&self, way: &WayOut<'_>) -> Result<Relay> {
        let route = self.route(way)?;
        if self.clock.ahead() > TimeDelta::minutes(1) && !route.is_rehearsal() {
            bail!(
                "--now is ahead of this machine's clock, and {} reaches real readers\n  help: rehearse with transport = \"outbox:outbox\", or leave --now out",
                way.key
            );
        }
        let password = match way.password {
            Some(password) if matches!(route, Route::Smtp(_)) => {
                Some(Password::new(config::resolved(password, way.password_key()).map_err(|e| anyhow!(e))?))
            }
            _ => None,
        };
        let timeouts = if self.config.relays.len() > 1 { Timeouts::among_several() } else { Timeouts::default() };
        let options = Options { root: &self.config.root, password, helo: None, timeouts };
        let transport = Transport::open(&route, options).map_err(|e| anyhow!("{}", way.terms.said(&e.to_string())))?;
        Ok(Relay { terms: way.terms.clone(), transport })
    }

    /// The folder where mails stay, where they do.
    pub(super) fn outbox(&self) -> Option<PathBuf> {
        let ways = self.config.ways_out();
        match ways.first().and_then(|way| self.route(way).ok()) {
            Some(Route::Outbox(folder)) => Some(folder),
            _ => None,
        }
    }
}

/// A flag that SIGTERM and SIGINT set. The second signal ends the process at once: recovery judges what it leaves.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    set_at_the_end(&stop)?;
    Ok(stop)
}

fn set_at_the_end(flag: &Arc<AtomicBool>) -> Result<()> {
    for signal in [consts::SIGTERM, consts::SIGINT] {
        flag::register_conditional_shutdown(signal, 1, Arc::clone(flag))?;
        flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// What a daemon is told from outside.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// Stop what is running: to end, or to begin again.
    pub halt: Arc<AtomicBool>,
    /// End.
    pub end: Arc<AtomicBool>,
}

impl Signals {
    /// SIGTERM and SIGINT end it, SIGHUP lets it begin again.
    pub(super) fn of_process() -> Result<Self> {
        let signals = Signals::default();
        set_at_the_end(&signals.end)?;
        for signal in [consts::SIGTERM, consts::SIGINT, consts::SIGHUP] {
            flag::register(signal, Arc::clone(&signals.halt))?;
        }
        Ok(signals)
    }

    /// Whether it was halted only to begin again.
    pub(super) fn reload(&self) -> bool {
        // In this order, so that an end that comes in between is heard by the next.
        self.halt.store(false, Ordering::SeqCst);
        !self.end.load(Ordering::SeqCst)
    }
}

/// The configuration's file: the one that is named, else the one in this folder.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let here = ["postrider.toml", "config.toml"].map(PathBuf::from).into_iter().find(|path| path.is_file());
    here.ok_or_else(|| anyhow!("there is neither postrider.toml nor config.toml in this folder\n  help: go to the folder of your site, or name the file with --config"))
}
