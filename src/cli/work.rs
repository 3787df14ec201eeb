//! `postrider work`: delivers what is queued until it is told to stop. `run` freezes the editions; any number of these deliver
//! them, on further machines with one PostgreSQL, too.

use super::arguments::Global;
use super::setup::{Setup, stop_flag};
use super::{Exit, inbox, notice};
use crate::daemon::delivery::Delivery;
use crate::daemon::pulse::Pulse;
use crate::dispatch::Relays;
use crate::message::Signer;
use crate::notify::{By, News};
use crate::store::Store;
use crate::store::bounces::Patience;
use crate::token::Keyring;
use anyhow::Result;
use std::sync::atomic::AtomicBool;

/// `postrider work`
pub(super) fn run(global: &Global) -> Result<Exit> {
    let stop = stop_flag()?;
    let setup = Setup::load(global)?;
    setup.stays()?;
    let relays = setup.relays()?;
    let signer = setup.signer()?;
    let store = setup.existing_store()?;
    let keyring = setup.keyring(&store)?;
    let names: Vec<&str> = relays.all().iter().map(|relay| relay.transport.name()).collect();
    tracing::info!("delivering to {}; `postrider status --watch` shows how it goes", names.join(", "));
    let told = |news: News<'_>| told(&setup, news);
    let probe = inbox::probe(&setup)?;
    let pulse = Pulse::new(setup.clock);
    let daemon = (&*stop, &pulse);
    delivery(&setup, store, &relays, (&keyring, &signer), probe.as_deref(), daemon, &told)?.run();
    Ok(Exit::Done)
}

/// What the daemon needs; `serve` delivers by the same. The store was opened to see that it is there.
pub(super) fn delivery<'a>(
    setup: &'a Setup,
    store: Store,
    relays: &'a Relays,
    (keyring, signer): (&'a Keyring, &'a Signer),
    probe: Option<&'a str>,
    (stop, pulse): (&'a AtomicBool, &'a Pulse),
    told: &'a (dyn Fn(News<'_>) + Sync),
) -> Result<Delivery<'a>> {
    Ok(Delivery {
        place: store.place().clone(),
        relays,
        settings: &setup.config.delivery,
        patience: Patience { settings: &setup.config.bounces, probe },
        mail: setup.mail()?,
        keyring,
        signer,
        clock: setup.clock,
        random: &setup.random,
        stop,
        told,
        pulse,
    })
}

/// The failure into the log; and it, or that it is over, to the author who asked for it.
pub(super) fn told(setup: &Setup, news: News<'_>) {
    if let Some(failure) = news.failure {
        tracing::error!("{failure}");
    }
    notice::after(By::Work, setup, news);
}
