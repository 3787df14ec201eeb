//! `postrider store`: backups of it, and going on with one.

use super::arguments::{Global, StoreAction};
use super::setup::Setup;
use super::{Exit, say};
use crate::seal;
use crate::store::Mode;
use crate::store::backup::{self, Restored};
use anyhow::Result;
use serde_json::json;
use std::path::Path;

/// `postrider store`
pub(super) fn run(global: &Global, action: &StoreAction) -> Result<Exit> {
    if let StoreAction::Key = action {
        // Before there is a configuration that could name it.
        say::line(seal::new_key());
        return Ok(Exit::Done);
    }
    let setup = Setup::load(global)?;
    match action {
        StoreAction::Key => {}
        StoreAction::Create => setup.change(|setup| create(global, setup))?,
        StoreAction::Backup { file } => {
            let bytes = setup.existing_store()?.backup(file, setup.clock.now())?;
            match global.json {
                true => say::json(&json!({ "path": file.display().to_string(), "bytes": bytes }))?,
                false => say::line(format!("{}: {} KB", file.display(), bytes.div_ceil(1000))),
            }
        }
        StoreAction::Restore { file } => setup.change(|setup| restore(global, setup, file.as_deref()))?,
    }
    Ok(Exit::Done)
}

fn create(global: &Global, setup: &Setup) -> Result<()> {
    setup.first_store()?;
    match global.json {
        true => say::json(&json!({ "created": true })),
        false => {
            say::line("There is a store now, and nobody in it.");
            Ok(())
        }
    }
}

fn restore(global: &Global, setup: &Setup, file: Option<&Path>) -> Result<()> {
    let now = setup.clock.now();
    let restored = match (file, setup.remote()?) {
        (Some(file), None) => backup::restore(&setup.place()?, file, now)?,
        (Some(file), Some(remote)) => {
            // From here on nobody else changes it; and where there is none yet, it begins with the backup.
            let taken = remote.must_exist().is_ok();
            if taken {
                setup.store(Mode::MustExist)?;
            }
            let mut restored = backup::restore(remote.place(), file, now)?;
            if !taken {
                setup.begun()?;
            }
            // What was kept aside goes with this process.
            restored.aside = None;
            restored
        }
        (None, _) => setup.existing_store()?.hold_since_backup(now)?,
    };
    if global.json {
        let time = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        return say::json(&json!({
            "taken": restored.taken.map(time),
            "held": restored.held,
            "withdrawn": restored.withdrawn,
            "carried_over": restored.carried_over,
            "unreadable": restored.unreadable,
            "aside": restored.aside.as_ref().map(|path| path.display().to_string()),
        }));
    }
    tell(&restored).iter().for_each(say::line);
    Ok(())
}

fn tell(restored: &Restored) -> Vec<String> {
    let when = match restored.taken {
        Some(taken) => format!("as it was at {}", taken.format("%Y-%m-%d %H:%M UTC")),
        None => "as it was when that was taken".to_owned(),
    };
    let mut said = vec![format!("The store is {when}.")];
    for edition in &restored.held {
        said.push(format!("{edition} was on its way then, and is held: some of it may have been sent since"));
        said.push(format!("  postrider approve {edition}    sends it to all who had not got it then"));
        said.push(format!("  postrider cancel {edition}     withdraws it"));
    }
    if restored.withdrawn > 0 {
        let letters = say::count(restored.withdrawn, "letter");
        said.push(format!("{letters} that waited then may have been sent, and will not be: who misses one asks again"));
    }
    said.push("Editions whose time has come since may have been sent, too: the next run freezes them, and they wait for `approve`.".to_owned());
    let look = "look at your mailbox and your provider before you approve anything";
    match &restored.aside {
        Some(aside) => {
            said.push(format!("The store that was there is kept as {}.", aside.display()));
            if restored.unreadable {
                said.push(format!("It could not be read, so who left since then is not known: {look}."));
            }
            if restored.carried_over > 0 {
                let people = restored.carried_over;
                said.push(format!("{people} of whom it knew that they left, or must not be mailed, stay so."));
            }
        }
        None => said.push(format!("Who left since then is not known to it: {look}.")),
    }
    said
}
