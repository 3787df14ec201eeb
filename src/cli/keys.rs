//! `postrider keys`: makes the keys that sign, where there are none yet, and says what belongs into the DNS.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::keys;
use crate::message::dkim::{Algorithm, strings};
use crate::message::settings::Dkim;
use anyhow::{Context, Result, bail};

/// `postrider keys`
pub(super) fn run(global: &Global) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let config = &setup.config;
    let Some(mail) = &config.mail else {
        bail!("there is no [mail], so nobody knows for which domain to sign\n  help: add it with `from`");
    };
    let domain = mail.from.address.domain();
    let proposed = format!(
        "[[mail.dkim]]\ndomain = \"{domain}\"\nselector = \"s1\"\nkey = \"keys/s1.pem\"\n\n\
         [[mail.dkim]]\ndomain = \"{domain}\"\nselector = \"s2\"\nkey = \"keys/s2.pem\"\n"
    );
    let tables: Vec<Dkim> = match mail.dkim.is_empty() {
        true => {
            let dkim: toml::Table = toml::from_str(&proposed)?;
            dkim["mail"]["dkim"].clone().try_into().context("the domain of mail.from cannot sign")?
        }
        false => mail.dkim.clone(),
    };
    let (mut made, mut records) = (Vec::new(), Vec::new());
    let there = tables.iter().map(|table| (table, config.root.join(&table.key))).filter(|(_, path)| path.exists());
    // Every receiver reads RSA, and some Ed25519 besides.
    let mut signs_by_rsa = false;
    for (table, path) in there {
        signs_by_rsa |= keys::key(table, &path)?.algorithm() == Algorithm::Rsa;
    }
    for table in &tables {
        let path = config.root.join(&table.key);
        let algorithm = if signs_by_rsa { Algorithm::Ed25519 } else { Algorithm::Rsa };
        if keys::make(&path, algorithm)? {
            signs_by_rsa = true;
            made.push(table.key.clone());
        }
        let key = keys::key(table, &path)?;
        records.push((key.name(), key.record()));
    }
    if global.json {
        let record = |(name, value): &(String, String)| serde_json::json!({ "name": name, "type": "TXT", "value": value, "strings": strings(value) });
        let records: Vec<_> = records.iter().map(record).collect();
        say::json(&serde_json::json!({ "made": made, "records": records }))?;
        return Ok(Exit::Done);
    }
    for path in &made {
        say::line(format!("made {path}; keep it, and let nobody else read it"));
    }
    say::line("These belong into the DNS:\n");
    for (name, value) in &records {
        let quoted: Vec<String> = strings(value).iter().map(|string| format!("\"{string}\"")).collect();
        say::line(format!("{name}. IN TXT ( {} )\n", quoted.join("\n    ")));
    }
    say::line("In a provider's form: the name, and the text in one piece without the quotes.");
    if mail.dkim.is_empty() {
        say::line(format!("\nAnd this, once they can be found there, into {}:\n\n{proposed}", config.path.display()));
    }
    Ok(Exit::Done)
}
