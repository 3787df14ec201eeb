//! `postrider templates`: what can be edited, what it is now, and a copy to begin with.

use super::arguments::{Global, TemplatesAction};
use super::setup::Setup;
use super::{Exit, say};
use crate::output;
use crate::template::{EMBEDDED, words};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// `postrider templates …`
pub(super) fn run(global: &Global, action: &TemplatesAction) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let own = setup.overrides()?;
    match action {
        TemplatesAction::List => list(global, &own)?,
        TemplatesAction::Show { name } => {
            let source = own.get(name).map(String::as_str).or_else(|| built_in(name.trim_start_matches("default/")));
            let Some(source) = source else { return unknown(name) };
            match global.json {
                true => say::json(&serde_json::json!({ "name": name, "source": source }))?,
                false => say::line(source.trim_end_matches('\n')),
            }
        }
        TemplatesAction::Copy { name } => copy(global, name, &setup.templates_folder())?,
    }
    Ok(Exit::Done)
}

fn built_in(name: &str) -> Option<&'static str> {
    let mut all = EMBEDDED.iter().chain(words::EMBEDDED.iter());
    all.find(|(known, _)| *known == name).map(|(_, source)| *source)
}

fn list(global: &Global, own: &BTreeMap<String, String>) -> Result<()> {
    let mut names: Vec<&str> = EMBEDDED.iter().chain(words::EMBEDDED.iter()).map(|(name, _)| *name).collect();
    names.extend(own.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    if global.json {
        let rows = names.iter().map(|name| {
            serde_json::json!({ "name": name, "built_in": built_in(name).is_some(), "own": own.contains_key(*name) })
        });
        return say::json(&serde_json::json!({ "templates": rows.collect::<Vec<_>>() }));
    }
    for name in names {
        say::line(match (own.contains_key(name), built_in(name).is_some()) {
            (true, true) => format!("{name:<26} yours, in place of the built-in one"),
            (true, false) => format!("{name:<26} yours"),
            (false, _) => name.to_owned(),
        });
    }
    Ok(())
}

fn copy(global: &Global, name: &str, folder: &Path) -> Result<()> {
    let Some(source) = built_in(name) else { return unknown(name).map(drop) };
    let path = folder.join(name);
    if path.exists() {
        bail!("{} is there already\n  help: edit it, or move it away", path.display());
    }
    output::replace(&path, source.as_bytes())?;
    match global.json {
        true => say::json(&serde_json::json!({ "name": name, "path": path.display().to_string() }))?,
        false if source.contains("{% block") => say::line(format!(
            "{} is yours now; to replace one block alone, begin it with {{% extends \"default/{name}\" %}}",
            path.display()
        )),
        false => say::line(format!("{} is yours now", path.display())),
    }
    Ok(())
}

fn unknown(name: &str) -> Result<Exit> {
    bail!("there is no template {name}\n  help: `postrider templates list` names them")
}
