//! `postrider subscribers`: the list of readers.

use super::arguments::{Global, SubscribersAction};
use super::setup::Setup;
use super::{Exit, import, say, why};
use crate::address::EmailAddress;
use crate::store::erasure::ERASED;
use crate::store::subscribers::{Added, Subscriber};
use crate::store::{Mode, Store};
use crate::subscriber::export::{Form, Listed};
use crate::subscriber::file::Row;
use crate::subscriber::{Choices, Status, Suppression, clean_name};
use anyhow::{Result, anyhow, bail};

/// `postrider subscribers …`
pub(super) fn run(global: &Global, action: &SubscribersAction) -> Result<Exit> {
    let setup = Setup::load(global)?;
    match action {
        SubscribersAction::Add { address, name, language, digests, tags, again } => {
            let row = Row {
                address: parse(address)?,
                name: name.as_deref().and_then(clean_name),
                language: language.clone(),
                digests: known_digests(&setup, digests)?,
                topics: Choices::parse(tags),
                status: Status::Active,
            };
            setup.change(|setup| add(global, setup, &row, *again))
        }
        SubscribersAction::Remove { address, suppress } => {
            let address = parse(address)?;
            setup.change(|setup| remove(global, setup, &address, *suppress))
        }
        SubscribersAction::List => list(global, &setup),
        SubscribersAction::Import { file, dry_run } => setup.change(|setup| import::run(global, setup, file, *dry_run)),
        SubscribersAction::Export { address: None, form } => export(global, &setup, *form),
        SubscribersAction::Export { address: Some(address), .. } => all_of(&setup, &parse(address)?),
        SubscribersAction::Forget { address } => {
            let address = parse(address)?;
            setup.change(|setup| forget(global, setup, &address))
        }
    }
}

fn parse(address: &str) -> Result<EmailAddress> {
    address.parse().map_err(|e| anyhow!("{address:?} is not an address: {e}"))
}

fn known_digests(setup: &Setup, digests: &str) -> Result<Choices> {
    let choices = Choices::parse(digests);
    for chosen in choices.iter() {
        if !setup.config.digests.iter().any(|d| d.name.as_str() == chosen) {
            let known: Vec<&str> = setup.config.digests.iter().map(|d| d.name.as_str()).collect();
            bail!("there is no digest {chosen:?}\n  help: there are {}", known.join(", "));
        }
    }
    Ok(choices)
}

fn add(global: &Global, setup: &Setup, row: &Row, again: bool) -> Result<Exit> {
    let store = setup.store(Mode::Create)?;
    if again {
        store.allow_again(&row.address, &setup.random, setup.clock.now())?;
    }
    if let Some(reason) = store.suppression(&row.address, &setup.random)? {
        let address = row.address.as_str();
        let way_out = match reason.as_str() {
            "bounce" | "manual" => format!("; if it works after all, `postrider subscribers add {address} --again`"),
            _ => String::new(),
        };
        bail!(
            "{address} is suppressed ({reason}) and cannot be added\n  help: `postrider why {address}` tells the story{way_out}"
        );
    }
    let done = match store.add_subscriber(row, "cli", &setup.random, setup.clock.now())? {
        Added::New => "added",
        Added::Changed => "changed",
        Added::Same => "was there already",
        Added::Refused | Added::Suppressed => bail!(
            "{} unsubscribed, or is governed by the subscribers' file, and stays as it is\n  help: `postrider why {0}` tells the story",
            row.address.as_str()
        ),
    };
    told(
        global,
        &serde_json::json!({ "address": row.address.as_str(), "done": done }),
        &format!("{}: {done}", row.address.as_str()),
    )
}

fn remove(global: &Global, setup: &Setup, address: &EmailAddress, suppress: bool) -> Result<Exit> {
    let store = setup.existing_store()?;
    let now = setup.clock.now();
    let found = store.find_subscriber(address, &setup.random)?;
    if suppress {
        store.suppress(address, Suppression::Manual, &setup.random, now)?;
    }
    let done = match found {
        Some(subscriber) => match store.unsubscribe(&subscriber.id, "cli", &setup.random, now)? {
            true => "unsubscribed",
            false => "had left before",
        },
        None if suppress => "suppressed",
        None => bail!(
            "{} is not on the list\n  help: `postrider subscribers list` shows who is; --suppress keeps the address off it",
            address.as_str()
        ),
    };
    told(
        global,
        &serde_json::json!({ "address": address.as_str(), "done": done }),
        &format!("{}: {done}", address.as_str()),
    )
}

fn list(global: &Global, setup: &Setup) -> Result<Exit> {
    let store = setup.existing_store()?;
    if global.json {
        let mut all = Vec::new();
        each(&store, |s| all.push(shown(&s)))?;
        say::json(&serde_json::json!({ "subscribers": all }))?;
        return Ok(Exit::Done);
    }
    let mut count = 0;
    each(&store, |s| {
        count += 1;
        let state = s.suppressed.map_or_else(|| s.row.status.to_string(), |reason| format!("suppressed ({reason})"));
        say::line(
            format!("{:<36} {:<14} {}", s.row.address.as_str(), state, s.row.name.unwrap_or_default()).trim_end(),
        );
    })?;
    say::remark(global, say::count(count, "subscriber"));
    Ok(Exit::Done)
}

/// Everybody, as CSV.
fn export(global: &Global, setup: &Setup, form: Form) -> Result<Exit> {
    let store = setup.existing_store()?;
    if global.json {
        bail!("export prints CSV\n  help: `postrider subscribers list --json` prints JSON");
    }
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    out.write_record(form.header())?;
    let (mut broken, mut left_out) = (None, 0);
    each(&store, |s| {
        let suppressed = s.suppressed.as_deref();
        match form.line(&Listed {
            row: &s.row,
            labels: &s.labels,
            paused_until: s.paused_until,
            since: s.added,
            suppressed,
        }) {
            Some(line) => broken = broken.take().or_else(|| out.write_record(line).err()),
            None => left_out += 1,
        }
    })?;
    out.flush()?;
    if left_out > 0 {
        say::remark(global, format!("{left_out} who left, pause or must not be mailed have no place in it"));
    }
    broken.map_or(Ok(Exit::Done), |error| Err(error.into()))
}

/// All that is stored of a person (GDPR, article 15), as one JSON document.
fn all_of(setup: &Setup, address: &EmailAddress) -> Result<Exit> {
    let store = setup.existing_store()?;
    let story = store.story(address, &setup.random)?;
    let stored = store.find_subscriber(address, &setup.random)?.filter(|s| !is_erased(s));
    if stored.is_none() && story.events.is_empty() {
        bail!("nothing is stored of {}", address.as_str());
    }
    let subscriber = stored.as_ref().map(shown);
    say::json(&serde_json::json!({ "subscriber": subscriber, "story": why::document(address, story) }))?;
    Ok(Exit::Done)
}

fn forget(global: &Global, setup: &Setup, address: &EmailAddress) -> Result<Exit> {
    let store = setup.existing_store()?;
    let known = store.forget(address, &setup.random, setup.clock.now())?;
    if let Some(file) = setup.config.subscribers.file.as_ref().filter(|_| known) {
        say::remark(global, format!("a row of theirs in {} has no effect any more; delete it there", file.display()));
    }
    let done = if known { "forgotten; a salted hash remains" } else { "nothing was known of it" };
    told(
        global,
        &serde_json::json!({ "address": address.as_str(), "done": done }),
        &format!("{}: {done}", address.as_str()),
    )
}

/// Everybody who was not erased.
fn each(store: &Store, mut take: impl FnMut(Subscriber)) -> Result<()> {
    store.each_subscriber(|s| {
        if !is_erased(&s) {
            take(s);
        }
        Ok(())
    })?;
    Ok(())
}

fn is_erased(subscriber: &Subscriber) -> bool {
    subscriber.row.address.as_str() == ERASED
}

fn shown(s: &Subscriber) -> serde_json::Value {
    serde_json::json!({
        "address": s.row.address.as_str(), "name": s.row.name, "language": s.row.language,
        "digests": s.row.digests.iter().collect::<Vec<_>>(), "tags": s.row.topics.iter().collect::<Vec<_>>(),
        "labels": s.labels.iter().collect::<Vec<_>>(), "status": s.row.status.as_str(), "suppressed": s.suppressed,
        "source": s.source, "added": s.added.to_rfc3339(),
    })
}

pub(super) fn told(global: &Global, document: &serde_json::Value, words: &str) -> Result<Exit> {
    match global.json {
        true => say::json(document)?,
        false => say::line(words),
    }
    Ok(Exit::Done)
}
