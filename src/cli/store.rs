//! `postrider store`: backups of it, going on with one, and moving to another database.

use super::arguments::{Global, StoreAction};
use super::setup::Setup;
use super::{Exit, progress, say};
use crate::config;
use crate::seal;
use crate::store::backup::{self, Restored};
use crate::store::copying::{self, Compared, Failed};
use crate::store::{Mode, Place};
use anyhow::{Result, anyhow};
use serde_json::json;
use std::path::Path;

/// `postrider store`
pub(super) fn run(global: &Global, action: &StoreAction) -> Result<Exit> {
    match action {
        // These need no configuration: it may name the one store or the other, and be waiting for the key.
        StoreAction::Copy { from, to } => return copy(global, &place(from, "FROM")?, &place(to, "TO")?),
        StoreAction::Key => say::line(seal::new_key()),
        StoreAction::Create => Setup::load(global)?.change(|setup| create(global, setup))?,
        StoreAction::Backup { file } => {
            let setup = Setup::load(global)?;
            let bytes = setup.existing_store()?.backup(file, setup.clock.now())?;
            match global.json {
                true => say::json(&json!({ "path": file.display().to_string(), "bytes": bytes }))?,
                false => say::line(format!("{}: {} KB", file.display(), bytes.div_ceil(1000))),
            }
        }
        StoreAction::Restore { file } => {
            Setup::load(global)?.change(|setup| restore(global, setup, file.as_deref()))?
        }
    }
    Ok(Exit::Done)
}

fn copy(global: &Global, from: &Place, to: &Place) -> Result<Exit> {
    let bar = progress::bar(global);
    let copied = copying::copy(from, to, &|done, all| bar(done, all));
    drop(bar);
    let (compared, exit) = match copied {
        Ok(compared) => (compared, Exit::Done),
        Err(Failed::Differs(compared)) => (compared, Exit::Failed),
        Err(Failed::Store(error)) => return Err(error.into()),
    };
    if global.json {
        let row = |table: &Compared| json!({ "table": table.table, "rows": table.rows, "equal": table.equal });
        let tables: Vec<_> = compared.iter().map(row).collect();
        say::json(&json!({ "equal": exit == Exit::Done, "tables": tables }))?;
    }
    let different: Vec<&str> = compared.iter().filter(|t| !t.equal).map(|t| t.table.as_str()).collect();
    if !different.is_empty() {
        return Err(anyhow!(
            "what {} gives back is not what was written into it, in {}; nothing was copied\n  help: look for what changes rows there: triggers, rules, a damaged disk",
            to.shown(),
            different.join(", ")
        ));
    }
    if !global.json {
        let rows: u64 = compared.iter().map(|table| table.rows).sum();
        say::line(format!(
            "{} in {}: the same in {} and {}.",
            say::count(rows as i64, "row"),
            say::count(compared.len() as i64, "table"),
            from.shown(),
            to.shown()
        ));
        say::line(format!("Set store.url to the new one: {} is closed from now on.", from.shown()));
    }
    Ok(exit)
}

/// A store that is named on the command line; files are relative to the working directory.
fn place(text: &str, what: &str) -> Result<Place> {
    let text = config::looked_up(text, what, |name| std::env::var(name).ok()).map_err(|e| anyhow!(e))?;
    // Its own words would be of the configuration.
    Place::parse(&text, Path::new("")).map_err(|_| {
        anyhow!("{what} is neither sqlite:FILE nor postgres://…\n  help: write it as in [store] url, such as sqlite:postrider.db")
    })
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
        (None, _) => setup.reclaimed_store()?.hold_since_backup(now)?,
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
