//! `approve`, `cancel` and `retry`: what a person decides about an edition.

use super::arguments::Global;
use super::cycle::edition_report;
use super::setup::Setup;
use super::{Exit, say};
use crate::archive::Archive;
use crate::live::{self, Live};
use crate::report::Awaited;
use crate::store::Store;
use crate::store::editions::{Beyond, Changed, Retry};
use anyhow::{Result, bail};

/// `postrider approve`
pub(super) fn approve(global: &Global, edition: &str, anyway: bool) -> Result<Exit> {
    Setup::load(global)?.change(|setup| released(global, setup, edition, anyway))
}

fn released(global: &Global, setup: &Setup, edition: &str, anyway: bool) -> Result<Exit> {
    let default = |digest: &str| setup.config.default_digests().contains(&digest);
    let store = setup.existing_store()?;
    let now = setup.clock.now();
    let approved = match anyway {
        true => store.approve_anyway(edition, default, now)?,
        false => store.approve(edition, default, now)?,
    };
    let count = match approved {
        Changed::Done(count) => count,
        Changed::Unknown => return unknown(edition),
        Changed::NotNow => {
            bail!("the edition {edition} waits for nothing\n  help: `postrider status` shows where it stands")
        }
        Changed::Awaits => match release_if_live(setup, &store, edition)? {
            Released::To(count) => count,
            Released::NotYet(lacks) => return not_yet(global, edition, &lacks),
        },
    };
    write_pages(global, setup, &store);
    done(global, edition, count, "released to", "`postrider run` sends it")
}

/// What became of an edition whose posts were asked.
enum Released {
    To(u64),
    NotYet(Vec<Awaited>),
}

fn release_if_live(setup: &Setup, store: &Store, edition: &str) -> Result<Released> {
    let (site, _) = setup.site()?;
    let live = Live { config: &setup.config, site: &site, store, now: setup.clock.now() };
    let mut waiting = live.waiting()?;
    waiting.retain(|waiting| waiting.edition == edition);
    live.settle(&waiting, &live::ask(&waiting, &setup.clock))?;
    let found = store.editions_named([edition].into_iter())?.pop().unwrap_or_default();
    Ok(match found.state.as_str() {
        "waiting" => Released::NotYet(edition_report(&found).awaits),
        _ => Released::To(u64::try_from(found.counts.recipients()).unwrap_or_default()),
    })
}

fn not_yet(global: &Global, edition: &str, lacks: &[Awaited]) -> Result<Exit> {
    if global.json {
        say::json(&serde_json::json!({ "edition": edition, "deliveries": 0, "awaits": lacks }))?;
        return Ok(Exit::Done);
    }
    say::line(format!("{edition}: approved; `postrider run` sends it when its posts are there"));
    for Awaited { url, said } in lacks {
        say::line(format!("  waits for {url} ({})", said.as_deref().unwrap_or("not asked yet")));
    }
    say::line(format!("`postrider approve {edition} --anyway` releases it as it is"));
    Ok(Exit::Done)
}

/// `postrider cancel`. What a connection has in hand goes its way; a run under way goes on with the other editions.
pub(super) fn cancel(global: &Global, edition: &str) -> Result<Exit> {
    Setup::load(global)?.change(|setup| withdrawn(global, setup, edition))
}

fn withdrawn(global: &Global, setup: &Setup, edition: &str) -> Result<Exit> {
    let store = setup.existing_store()?;
    let count = match store.cancel(edition)? {
        Changed::Done(count) => count,
        Changed::Unknown => return unknown(edition),
        Changed::NotNow | Changed::Awaits => {
            bail!("the edition {edition} is at its end already\n  help: `postrider status` shows where it stands")
        }
    };
    write_pages(global, setup, &store);
    done(
        global,
        edition,
        count,
        "withdrawn from",
        "what was sent stays sent, and its posts go with no other edition of the digest",
    )
}

/// The pages on the site follow at once, for a worker may deliver in the next second. What was decided stands without them.
fn write_pages(global: &Global, setup: &Setup, store: &Store) {
    let write = || -> Result<()> {
        let (site, _) = setup.site()?;
        Archive { config: &setup.config, site: &site, templates: &setup.templates()?, store }.write()?;
        Ok(())
    };
    if let Err(error) = write() {
        let why = say::sentence(&error);
        say::remark(global, format!("the editions' pages were not written: {why}\n  the next run tries again"));
    }
}

/// `postrider retry`
pub(super) fn retry(global: &Global, edition: &str, which: Retry<'_>) -> Result<Exit> {
    Setup::load(global)?.change(|setup| queued_again(global, setup, edition, which))
}

fn queued_again(global: &Global, setup: &Setup, edition: &str, which: Retry<'_>) -> Result<Exit> {
    let store = setup.existing_store()?;
    let beyond = store.beyond_retry(edition, which)?;
    let count = match store.retry(edition, which, setup.clock.now())? {
        Changed::Done(count) => count,
        Changed::Unknown => return unknown(edition),
        Changed::NotNow | Changed::Awaits => bail!("{}", not_now(&store, edition)?),
    };
    if global.json {
        say::json(&serde_json::json!({
            "edition": edition, "deliveries": count, "suppressed": beyond.suppressed, "unsubscribed": beyond.left
        }))?;
        return Ok(Exit::Done);
    }
    let whom = match which {
        Retry::Held => ", and comes twice to whom it has reached",
        Retry::Refused(_) | Retry::Outbox => "",
    };
    say::line(match (count, which) {
        (1.., _) => {
            let readers = say::count(count as i64, "reader");
            format!("{edition}: queued again for {readers}{whom}; `postrider run` sends it")
        }
        (0, Retry::Outbox) => format!("{edition}: nothing that went only to an outbox can be sent"),
        (0, Retry::Held) => format!("{edition}: nothing that is held can be sent"),
        (0, Retry::Refused(Some(code))) => format!("{edition}: nothing that was refused with {code} can be sent"),
        (0, Retry::Refused(None)) => format!("{edition}: nothing that was refused can be sent"),
    });
    left_alone(beyond).iter().for_each(say::line);
    Ok(Exit::Done)
}

/// Whom nobody should believe to be mailed again.
fn left_alone(beyond: Beyond) -> Vec<String> {
    let mut lines = Vec::new();
    if beyond.suppressed > 0 {
        let (are, they) = if beyond.suppressed == 1 { ("is", "gets") } else { ("are", "get") };
        lines.push(format!(
            "  {} {are} suppressed and {they} nothing; `postrider subscribers list` names all but erased ones",
            beyond.suppressed
        ));
    }
    if beyond.left > 0 {
        let (have, they) = if beyond.left == 1 { ("has", "gets") } else { ("have", "get") };
        lines.push(format!("  {} {have} left since and {they} nothing", beyond.left));
    }
    lines
}

fn not_now(store: &Store, edition: &str) -> Result<String> {
    let state = store.editions_named([edition].into_iter())?.pop().map(|edition| edition.state).unwrap_or_default();
    Ok(match state.as_str() {
        "cancelled" => format!(
            "the edition {edition} was cancelled, and what was withdrawn is not sent again, refused ones included\n  help: their next edition reaches those readers; `postrider why ADDRESS` shows what became of one"
        ),
        "done" => format!(
            "the edition {edition} is older than store.keep, and of its deliveries nothing is left but counts\n  help: their next edition reaches those readers; `postrider why ADDRESS` says what one got since"
        ),
        "held" => format!(
            "the edition {edition} is held, so nothing of it is sent\n  help: `postrider approve {edition}` releases it; then retry"
        ),
        _ => format!(
            "the edition {edition} waits, and nothing of it was sent yet\n  help: `postrider status` says for what; `postrider approve {edition}` approves it"
        ),
    })
}

fn unknown(edition: &str) -> Result<Exit> {
    bail!("there is no edition {edition}\n  help: `postrider status` lists them")
}

fn done(global: &Global, edition: &str, count: u64, what: &str, then: &str) -> Result<Exit> {
    match global.json {
        true => say::json(&serde_json::json!({ "edition": edition, "deliveries": count }))?,
        false => say::line(format!("{edition}: {what} {}; {then}", say::count(count as i64, "reader"))),
    }
    Ok(Exit::Done)
}
