//! What every command begins with: the configuration, the clock, the site, the store, the way out.

use super::arguments::Global;
use crate::clock::Clock;
use crate::config::{self, Config, SiteTable, WayOut};
use crate::delivery::route::Route;
use crate::edition;
use crate::keys;
use crate::message::{self, Signer};
use crate::post::Site;
use crate::random::Random;
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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A configuration, understood, and the time.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) random: Random,
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
        Ok(Setup { config, clock, random: Random::system() })
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
        let url = config::resolved(&self.config.store.url, "store.url").map_err(|e| anyhow!(e))?;
        Ok(Place::parse(url, &self.config.root)?)
    }

    /// The store.
    pub(super) fn store(&self, mode: Mode) -> Result<Store> {
        let place = self.place()?;
        let mode = if self.config.store.must_exist && mode == Mode::Create { Mode::MustExist } else { mode };
        if self.config.store.must_exist && mode == Mode::Rehearse {
            // What a run would say of it.
            place.must_exist()?;
        }
        Ok(Store::open(&place, mode)?)
    }

    /// A store that must be there already, for commands that only make sense on one.
    pub(super) fn existing_store(&self) -> Result<Store> {
        match self.store(Mode::MustExist) {
            Err(error)
                if matches!(error.downcast_ref(), Some(store::Error::Missing(_))) && !self.config.store.must_exist =>
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
    pub(super) fn relays(&self) -> Result<Vec<Relay>> {
        self.mail()?.check()?;
        let mut relays: Vec<Relay> = self.config.ways_out().iter().map(|way| self.open(way)).collect::<Result<_>>()?;
        relays.sort_by_key(|relay| relay.terms.priority);
        Ok(relays)
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
    pub(super) fn open(&self, way: &WayOut<'_>) -> Result<Relay> {
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
        let options = Options { root: &self.config.root, password, helo: None, timeouts: Timeouts::default() };
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
