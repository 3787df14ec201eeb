//! `postrider serve`: everything in one process, until it is told to stop. People subscribe, confirm, choose and leave on the web; at
//! each slot and between them posts, mailbox and list are looked at; what is queued is delivered. SIGHUP: the configuration is read again.

mod round;

use super::arguments::Global;
use super::setup::{Setup, Signals, find};
use super::{Exit, inbox, notice, say, work};
use crate::clock::Clock;
use crate::daemon::pulse::Pulse;
use crate::daemon::rounds::Rounds;
use crate::daemon::{self, manager};
use crate::dispatch::Relays;
use crate::http;
use crate::message::Signer;
use crate::notify::{By, News};
use crate::random::Random;
use crate::store::{Mode, Store};
use crate::subscribe::desk::Desk;
use crate::token::Keyring;
use crate::web::webhooks::Hooks;
use crate::web::{self, Web};
use anyhow::{Context, Result, anyhow};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

/// `postrider serve`
pub(super) fn run(global: &Global) -> Result<Exit> {
    let signals = Signals::of_process()?;
    let clock = global.now.map_or_else(Clock::system, Clock::starting_at);
    by(global, &find(global.config.as_deref())?, clock, &signals)?;
    Ok(Exit::Done)
}

/// The same by a clock and signals of somebody's own.
pub(super) fn by(global: &Global, path: &Path, clock: Clock, signals: &Signals) -> Result<()> {
    let mut setup = Setup::read(path, clock)?;
    let mut listener = bind(&setup)?;
    let mut begun = false;
    loop {
        let Some(crew) = crew(&setup, begun, signals)? else {
            manager::stopping();
            return Ok(());
        };
        begun = true;
        tracing::info!("listening on http://{}/", listener.local_addr()?);
        manager::ready();
        crew.serve(global, listener.try_clone()?, signals)?;
        if !signals.reload() {
            manager::stopping();
            return Ok(());
        }
        manager::reloading();
        match anew(path, &setup) {
            Ok((new, moved)) => {
                tracing::info!("the configuration was read again");
                setup = new;
                listener = moved.unwrap_or(listener);
            }
            Err(error) => tracing::error!("the old configuration stays in force: {}", say::sentence(&error)),
        }
    }
}

/// What serves. Once it has begun, whatever is away (a folder, a database) may come back: it is waited for. None where somebody said
/// stop meanwhile.
fn crew<'a>(setup: &'a Setup, begun: bool, signals: &Signals) -> Result<Option<Crew<'a>>> {
    loop {
        match Crew::new(setup) {
            Ok(crew) => return Ok(Some(crew)),
            Err(error) if !begun => return Err(error),
            Err(error) => tracing::error!("{}; it is tried again", say::sentence(&error)),
        }
        if !daemon::pause(setup.clock, &signals.end) {
            return Ok(None);
        }
    }
}

/// The configuration as it is now, if all can be done with it; and where it listens elsewhere, there.
fn anew(path: &Path, old: &Setup) -> Result<(Setup, Option<TcpListener>)> {
    let new = Setup::read(path, old.clock)?;
    Crew::new(&new)?;
    let moved = (new.config.web.listen != old.config.web.listen).then(|| bind(&new)).transpose()?;
    Ok((new, moved))
}

fn bind(setup: &Setup) -> Result<TcpListener> {
    let listen = setup.config.web.listen;
    web::bind(listen).with_context(|| format!("cannot listen on {listen} (web.listen)"))
}

/// What serves, made ready: whatever is wrong shows before anything is begun.
struct Crew<'a> {
    setup: &'a Setup,
    store: Store,
    keyring: Keyring,
    /// Without a sender there is nothing to deliver, and nobody is asked anything.
    way_out: Option<(Relays, Signer)>,
    web: Web,
    probe: Option<String>,
}

impl<'a> Crew<'a> {
    fn new(setup: &'a Setup) -> Result<Self> {
        setup.stays()?;
        let (site, _) = setup.site()?;
        let store = setup.store(Mode::Create)?;
        let keyring = setup.keyring(&store)?;
        let way_out = match setup.config.mail {
            None => None,
            Some(_) => Some((setup.relays()?, setup.signer()?)),
        };
        let probe = inbox::probe(setup)?;
        let templates = setup.templates()?;
        let hooks = hooks(setup, &keyring, probe.clone())?;
        let for_the_web = setup.store(Mode::MustExist)?;
        let desk = Desk::new(setup.config.clone(), site, for_the_web, keyring.clone(), templates, Random::system());
        let mut web = Web::new(desk, setup.clock);
        web.hooks = hooks;
        Ok(Crew { setup, store, keyring, way_out, web, probe })
    }

    fn serve(self, global: &Global, listener: TcpListener, signals: &Signals) -> Result<()> {
        let Crew { setup, store, keyring, way_out, web, probe } = self;
        if let Some((what, help)) = setup.config.unreachable() {
            tracing::warn!("{what}; {help}");
        }
        let (for_rounds, for_delivery) = (Pulse::new(setup.clock), Pulse::new(setup.clock));
        let delivery_told = |news: News<'_>| work::told(setup, news);
        let delivery = match &way_out {
            Some((relays, signer)) => {
                let keys = (&keyring, signer);
                let daemon = (&*signals.halt, &for_delivery);
                Some(work::delivery(setup, store, relays, keys, probe.as_deref(), daemon, &delivery_told)?)
            }
            None => None,
        };
        let watch = round::Watch::new(global, setup, &keyring);
        let rounds = Rounds {
            round: &|| watch.round().map_err(|error| say::sentence(&error)),
            told: &|failure: Option<&str>| {
                if let Some(failure) = failure {
                    tracing::error!("{failure}");
                }
                notice::after(By::Run, setup, News { failure, ..News::default() });
            },
            clock: setup.clock,
            stop: &signals.halt,
            pulse: &for_rounds,
        };
        Ok(daemon::serve(web, listener, &rounds, delivery.as_ref(), &signals.halt)?)
    }
}

/// The providers that are configured, with a connection of their own to the store.
fn hooks(setup: &Setup, keyring: &Keyring, probe: Option<String>) -> Result<Option<Arc<Hooks>>> {
    let settings = &setup.config.web.hooks;
    if settings.is_empty() {
        return Ok(None);
    }
    settings.resolved().map_err(|e| anyhow!(e))?;
    Ok(Some(Arc::new(Hooks {
        store: setup.store(Mode::MustExist)?,
        keyring: keyring.clone(),
        settings: settings.clone(),
        bounces: setup.config.bounces.clone(),
        probe,
        clock: setup.clock,
        random: Random::system(),
        fetch: Box::new(|url| http::get(url).map(|document| document.bytes).map_err(|e| e.to_string())),
    })))
}
