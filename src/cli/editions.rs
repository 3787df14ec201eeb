//! `approve`, `cancel` and `retry`: what a person decides about an edition.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::store::Store;
use crate::store::editions::{Changed, Retry};
use anyhow::{Result, bail};

/// `postrider approve`
pub(super) fn approve(global: &Global, edition: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let default = |digest: &str| setup.config.default_digests().contains(&digest);
    tell(
        global,
        edition,
        &setup,
        |store| Ok(store.approve(edition, default, setup.clock.now())?),
        "waits for nothing",
        "released to",
        "`postrider run` sends it",
    )
}

/// `postrider cancel`
pub(super) fn cancel(global: &Global, edition: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    tell(
        global,
        edition,
        &setup,
        |store| Ok(store.cancel(edition)?),
        "is at its end already",
        "withdrawn from",
        "what was sent stays sent",
    )
}

/// `postrider retry`
pub(super) fn retry(global: &Global, edition: &str, failed_with: Option<&str>, outbox: bool) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let which = if outbox { Retry::Outbox } else { Retry::Refused(failed_with) };
    tell(
        global,
        edition,
        &setup,
        |store| Ok(store.retry(edition, which, setup.clock.now())?),
        "is waiting, held or cancelled",
        "queued again for",
        "`postrider run` sends it",
    )
}

fn tell(
    global: &Global,
    edition: &str,
    setup: &Setup,
    change: impl FnOnce(&Store) -> Result<Changed>,
    not_now: &str,
    done: &str,
    then: &str,
) -> Result<Exit> {
    let store = setup.existing_store()?;
    let count = match change(&store)? {
        Changed::Done(count) => count,
        Changed::Unknown => bail!("there is no edition {edition}\n  help: `postrider status` lists them"),
        Changed::NotNow => bail!("the edition {edition} {not_now}\n  help: `postrider status` shows where it stands"),
    };
    match global.json {
        true => say::json(&serde_json::json!({ "edition": edition, "deliveries": count }))?,
        false => say::line(format!("{edition}: {done} {}; {then}", say::count(count as i64, "reader"))),
    }
    Ok(Exit::Done)
}
