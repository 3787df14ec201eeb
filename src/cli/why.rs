//! `postrider why ADDRESS`: the whole story of one address.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::address::EmailAddress;
use crate::report;
use anyhow::{Result, anyhow};
use chrono::SecondsFormat;

/// `postrider why`
pub(super) fn run(global: &Global, address: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let address: EmailAddress = address.parse().map_err(|e| anyhow!("{e}"))?;
    let story = setup.existing_store()?.story(&address, &setup.random)?;
    let event = |e: crate::store::story::Event| report::Event {
        at: e.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        kind: e.kind,
        edition: e.edition,
        stage: e.stage,
        code: e.code,
        enhanced: e.enhanced,
        text: e.text,
    };
    let why = report::Why {
        address: address.as_str().to_owned(),
        status: story.status,
        events: story.events.into_iter().map(event).collect(),
    };
    if global.json {
        say::json(&why)?;
        return Ok(Exit::Done);
    }
    say::line(format!("{}: {}", why.address, why.status));
    for event in &why.events {
        let mut line = format!("{}  {}", event.at, event.kind);
        for part in [event.edition.as_deref(), event.stage.as_deref().filter(|s| *s != "dot")].into_iter().flatten() {
            line.push_str(&format!("  {part}"));
        }
        if let Some(code) = event.code {
            line.push_str(&format!("  {code}"));
        }
        if !event.text.is_empty() {
            line.push_str(&format!("  {}", event.text));
        }
        say::line(line);
    }
    Ok(Exit::Done)
}
