//! `postrider serve`: people subscribe, confirm, choose and leave on the web, and what is queued is delivered, until it is told to
//! stop.

use super::arguments::Global;
use super::setup::{Setup, stop_flag};
use super::{Exit, inbox, say, work};
use crate::daemon;
use crate::http;
use crate::random::Random;
use crate::store::Mode;
use crate::subscribe::desk::Desk;
use crate::token::Keyring;
use crate::web::webhooks::Hooks;
use crate::web::{self, Web};
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;

/// `postrider serve`
pub(super) fn run(global: &Global) -> Result<Exit> {
    let stop = stop_flag()?;
    let setup = Setup::load(global)?;
    let (site, _) = setup.site()?;
    let store = setup.store(Mode::Create)?;
    let keyring = setup.keyring(&store)?;
    let templates = setup.templates()?;
    // Without a sender there is nothing to deliver, and nobody is asked anything.
    let way_out = match setup.config.mail {
        None => None,
        Some(_) => Some((setup.transport()?.1, setup.signer()?)),
    };
    store.tidy_requests(setup.clock.now())?;
    let listen = setup.config.web.listen;
    let listener = web::bind(listen).with_context(|| format!("cannot listen on {listen} (web.listen)"))?;
    let address = listener.local_addr()?;
    say::remark(global, format!("listening on http://{address}/"));
    if let Some((what, help)) = setup.config.unreachable() {
        say::remark(global, format!("{what}\n  help: {help}"));
    }
    let probe = inbox::probe(&setup)?;
    let told = |failure: Option<&str>| work::told(&setup, failure);
    let second = setup.store(Mode::MustExist)?;
    let delivery = match &way_out {
        Some((transport, signer)) => {
            let keys = (&keyring, signer);
            Some(work::delivery(&setup, second, transport, keys, probe.as_deref(), &stop, &told)?)
        }
        None => None,
    };
    let hooks = hooks(&setup, &keyring, probe.clone())?;
    let desk = Desk::new(setup.config.clone(), site, store, keyring.clone(), templates, Random::system());
    let mut web = Web::new(desk, setup.clock);
    web.hooks = hooks;
    daemon::serve(web, listener, delivery.as_ref(), &stop)?;
    Ok(Exit::Done)
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
