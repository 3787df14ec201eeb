//! Tells the author (`mail.report_to`) how a run or a round of `work` ended, where they asked for it.

use super::say;
use super::setup::Setup;
use crate::notify::{By, News, Notifier};
use crate::store::Mode;
use anyhow::Result;

/// Writes to the author where there is news. Whatever keeps it from going is a warning: the exit code stays the run's.
pub(super) fn after(by: By, setup: &Setup, news: News<'_>) {
    if let Err(error) = tell(by, setup, news) {
        tracing::warn!("mail.report_to could not be told: {}", say::sentence(&error));
    }
}

fn tell(by: By, setup: &Setup, news: News<'_>) -> Result<()> {
    let Some(mail) = &setup.config.mail else { return Ok(()) };
    let Some(to) = &mail.report_to else { return Ok(()) };
    let relays = setup.relays()?;
    // A connection of its own: the run's may be what broke. Without a store there is no memory, and still a mail.
    let store = setup.store(Mode::MustExist).ok();
    let (store, signer, random) = (store.as_ref(), &setup.signer()?, &setup.random);
    let notifier = Notifier { by, store, relays: relays.all(), mail, signer, random };
    notifier.tell(to, news, setup.clock.now())?;
    Ok(())
}
