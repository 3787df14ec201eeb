//! `postrider inbox`: reads the mailbox; `run` does the same first.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::bounce::{Handled, Inbox};
use crate::config;
use crate::mailbox::{Mailbox, Source};
use crate::receive::{Afterwards, Receiver};
use crate::report;
use crate::store::bounces::Patience;
use crate::store::{Mode, Store};
use crate::subscribe::by_mail;
use crate::token::Keyring;
use anyhow::{Context, Result, anyhow, bail};

/// `postrider inbox`
pub(super) fn run(global: &Global, source: Option<&str>, dry_run: bool) -> Result<Exit> {
    Setup::load(global)?.change(|setup| empty(global, setup, source, dry_run))
}

fn empty(global: &Global, setup: &Setup, source: Option<&str>, dry_run: bool) -> Result<Exit> {
    let (source, afterwards) = match source {
        Some(named) => (parsed(named)?, of_settings(setup, named)),
        None => {
            let inbox = setup.config.inbox.as_ref();
            let Some(inbox) = inbox else {
                bail!("there is no [inbox]\n  help: name a mailbox, or add [inbox] with `source` to the configuration");
            };
            (configured(inbox)?, Afterwards::Move(inbox.handled))
        }
    };
    let (mode, afterwards) = if dry_run { (Mode::Rehearse, Afterwards::Stay) } else { (Mode::Create, afterwards) };
    let store = setup.store(mode)?;
    let keyring = setup.keyring(&store)?;
    let messages = read(setup, &store, &keyring, &source, afterwards)?;
    if !dry_run {
        refusals(global, setup, &store)?;
    }
    match global.json {
        true => say::json(&report::Inbox { messages })?,
        false => tell(&messages, dry_run),
    }
    Ok(Exit::Done)
}

/// What `run` does first: what came, in words. A mailbox that cannot be read keeps nobody's mail back: the run goes on, and fails at
/// its end.
pub(super) fn before_run(setup: &Setup, store: &Store, keyring: &Keyring) -> Result<Option<String>> {
    let Some(inbox) = &setup.config.inbox else { return Ok(None) };
    let source = configured(inbox)?;
    let messages = read(setup, store, keyring, &source, Afterwards::Move(inbox.handled))
        .context("the inbox could not be read to its end; all else was done")?;
    Ok((!messages.is_empty()).then(|| summary(&messages)))
}

/// Counts the refusals of a run against their addresses.
pub(super) fn refusals(global: &Global, setup: &Setup, store: &Store) -> Result<()> {
    if !store.has_refusals()? {
        return Ok(());
    }
    let probe = probe(setup)?;
    let patience = Patience { settings: &setup.config.bounces, probe: probe.as_deref() };
    let suppressed = store.judge_refusals(patience, &setup.random, setup.clock.now())?;
    for address in suppressed {
        say::remark(global, format!("{} has refused too many mails in a row and is suppressed", address.masked()));
    }
    Ok(())
}

fn read(
    setup: &Setup,
    store: &Store,
    keyring: &Keyring,
    source: &Source,
    afterwards: Afterwards,
) -> Result<Vec<report::Arrived>> {
    let password = match (&setup.config.inbox, source) {
        (Some(Inbox { password: Some(password), .. }), Source::Imap(_)) => {
            Some(config::resolved(password, "inbox.password").map_err(|e| anyhow!(e))?)
        }
        _ => None,
    };
    let (site, templates, probe) = (setup.site()?.0, setup.templates()?, probe(setup)?);
    let config = &setup.config;
    let answers = match config.mail {
        Some(_) => Some(by_mail::answers(config, &site, &templates, store)?),
        None => None,
    };
    let receiver = Receiver {
        store,
        remote: setup.remote()?.filter(|_| afterwards != Afterwards::Stay),
        keyring,
        patience: Patience { settings: &config.bounces, probe: probe.as_deref() },
        answers: answers.as_ref(),
        random: &setup.random,
        now: setup.clock.now(),
    };
    let mut mailbox = Mailbox::open(source, &setup.config.root, password)?;
    let mut messages = Vec::new();
    receiver.empty(&mut mailbox, afterwards, |rows| messages.extend(rows))?;
    mailbox.close();
    Ok(messages)
}

/// The letter that tries an address whose mails come back; none where there is no `[mail]` to send it by.
pub(super) fn probe(setup: &Setup) -> Result<Option<String>> {
    if setup.config.mail.is_none() {
        return Ok(None);
    }
    let (site, templates) = (setup.site()?.0, setup.templates()?);
    Ok(Some(by_mail::probe(&setup.config, &site, &templates)?))
}

fn parsed(text: &str) -> Result<Source> {
    text.parse().map_err(|e| anyhow!("{e}"))
}

fn configured(inbox: &Inbox) -> Result<Source> {
    let text = config::resolved(&inbox.source, "inbox.source").map_err(|e| anyhow!(e))?;
    text.parse().map_err(|e| anyhow!("inbox.source: {e}"))
}

/// The configured mailbox, named on the command line, is treated as configured; in any other, mails are moved to its folders.
fn of_settings(setup: &Setup, named: &str) -> Afterwards {
    let inbox = setup.config.inbox.as_ref().filter(|inbox| inbox.source == named);
    Afterwards::Move(inbox.map_or(Handled::Move, |inbox| inbox.handled))
}

fn tell(messages: &[report::Arrived], dry_run: bool) {
    for row in messages {
        let address = row.address.as_deref().unwrap_or("(nobody named)");
        let status = row.status.as_deref().unwrap_or("");
        let what = [row.kind, address, status, row.verdict, row.action].join("  ");
        say::line(format!("{}  {what}", row.file));
    }
    let would = if dry_run { "; nothing was changed" } else { "" };
    say::line(format!("{}{would}", summary(messages)));
}

/// `3 rows: 2 suppressed, 1 none`
fn summary(messages: &[report::Arrived]) -> String {
    let count = |action: &str| messages.iter().filter(|row| row.action == action).count();
    let actions = ["suppressed", "unsubscribed", "counted", "subscribed", "answered"];
    let done: Vec<String> = actions
        .iter()
        .map(|action| (count(action), action))
        .filter(|(n, _)| *n > 0)
        .map(|(n, action)| format!("{n} {action}"))
        .collect();
    let done = if done.is_empty() { "nothing to do for anybody".to_owned() } else { done.join(", ") };
    format!("{} new: {done}", say::count(messages.len(), "row"))
}
