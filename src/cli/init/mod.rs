//! `postrider init`: a short configuration for the site in this folder, by what lies there and what its author says; then the plan.

mod questions;
mod text;

use super::arguments::{Global, InitOptions};
use super::setup::find;
use super::{Exit, adopt, run as verbs, say};
use crate::config::{self, Config, SiteTable};
use crate::delivery::route::Route;
use crate::output;
use crate::post::dialect::Dialect;
use crate::post::settings::Settings;
use crate::site::{self, Generator, Habits};
use crate::store::{Mode, Place, Store};
use anyhow::{Context, Result, anyhow, bail};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Where the store and the outbox are unless somebody wants them elsewhere: no generator publishes a folder of that name, and what
/// lies in it says to git that it is not to be kept.
const STATE: &str = ".postrider";

/// All that the configuration is written from.
struct Facts {
    /// What the author says.
    options: InitOptions,
    generator: Generator,
    habits: Habits,
}

/// `postrider init`
pub(super) fn run(global: &Global, options: &InitOptions) -> Result<Exit> {
    let path = free(global.config.as_deref())?;
    let root = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let everything = Settings { dir: vec![".".into()], ..Settings::default() };
    let mut generator = site::generator(&everything, root)?;
    site::forget_placeholders(&mut generator);
    let habits = site::habits(&generator, root);
    let mut facts = Facts { options: options.clone(), generator, habits };
    if std::io::stdin().is_terminal() && !options.yes {
        questions::ask(&mut facts, &mut std::io::stdin().lock(), &mut std::io::stderr())?;
    }
    complete(&facts)?;
    let text = text::configuration(&facts);
    let config = Config::parse(&text, &path, |name| std::env::var(name).ok())?;
    if let Ok(url) = config::resolved(&config.store.url, "store.url") {
        Place::parse(url, &config.root)?;
    }
    if root.join(STATE).exists() && !root.join(STATE).is_dir() {
        bail!("{} is there, and is no folder\n  help: move it away", root.join(STATE).display());
    }
    if options.dry_run {
        say::line(text.trim_end());
        return Ok(Exit::Done);
    }
    output::replace(&path, text.as_bytes())?;
    let ignore = root.join(STATE).join(".gitignore");
    if !ignore.exists() {
        output::replace(
            &ignore,
            b"# The store holds your readers' addresses: keep it, and keep it to yourself.\n*\n!.gitignore\n",
        )?;
    }
    say::remark(
        global,
        format!(
            "{} is written: read as {}, for {}",
            path.display(),
            facts.generator.rules.dialect(),
            facts.generator.why
        ),
    );
    if config.store.must_exist() {
        found(&config)?;
    }
    let global = &Global { config: Some(path.clone()), ..global.clone() };
    if !facts.options.adopt.is_empty() {
        let quiet = &Global { json: false, quiet: global.quiet || global.json, ..global.clone() };
        adopt::run(quiet, &facts.options.adopt, false)
            .with_context(|| format!("{} is written, but the old feed was not taken over", path.display()))?;
    }
    let done = verbs::plan(global)?;
    if !global.json && !global.quiet {
        next_steps(&facts, &config, &path);
    }
    Ok(done)
}

/// Where the configuration is to stand: where none of ours is yet.
fn free(named: Option<&Path>) -> Result<PathBuf> {
    let path = named.map_or_else(|| PathBuf::from("postrider.toml"), Path::to_owned);
    let taken = |path: &Path| {
        anyhow!(
            "{} is there already\n  help: edit it, and look at what comes of it with `postrider plan`; or move it away",
            path.display()
        )
    };
    if path.exists() {
        return Err(taken(&path));
    }
    // `config.toml` may be ours, Hugo's or Zola's.
    if named.is_none()
        && let Ok(other) = find(None)
        && std::fs::read_to_string(&other).is_ok_and(|text| Config::parse(&text, &other, |_| None).is_ok())
    {
        return Err(taken(&other));
    }
    Ok(path)
}

/// What neither the site nor its author said.
fn complete(facts: &Facts) -> Result<()> {
    let Facts { options, generator, .. } = facts;
    let served = options.url.is_some() || generator.url.is_some();
    let called = options.title.is_some() || generator.title.as_deref().is_some_and(|title| !title.trim().is_empty());
    match (served, called) {
        (true, true) => {}
        (false, true) => {
            bail!("nothing here says where the site is served\n  help: postrider init --url https://example.org/")
        }
        (true, false) => {
            bail!("nothing here says what the site is called\n  help: postrider init --title \"Field Notes\"")
        }
        (false, false) => bail!(
            "nothing here says where the site is served, nor what it is called\n  help: postrider init --url https://example.org/ --title \"Field Notes\""
        ),
    }
    let mail = [
        ("--transport", options.transport.is_some()),
        ("--schedule", options.schedule.is_some()),
        ("--since", options.since.is_some()),
        ("--postal-address", options.postal_address.is_some()),
    ];
    match mail.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) if options.from.is_none() => {
            bail!(
                "{flag} is about mails, and nothing says who they come from\n  help: add --from \"Field Notes <news@example.org>\""
            )
        }
        _ => Ok(()),
    }
}

/// Makes the store that a run will insist on: a run never takes a missing one for a beginning.
fn found(config: &Config) -> Result<()> {
    let url = config::resolved(&config.store.url, "store.url").map_err(|e| anyhow!(e))?;
    Store::open(&Place::parse(url, &config.root)?, Mode::Create)
        .map(drop)
        .context("the configuration is written, but the store that it names could not be made")
}

/// What to type next.
fn next_steps(facts: &Facts, config: &Config, path: &Path) {
    let mut steps: Vec<(String, &str)> = Vec::new();
    let with = match path.to_str() {
        Some("postrider.toml") | None => String::new(),
        Some(path) => format!(" --config {path}"),
    };
    if facts.options.adopt.is_empty()
        && let Some(feed) = old_feed(facts, &config.site)
    {
        steps.push((format!("adopt {feed}"), "if readers have that feed: they see no post again"));
    }
    if let Some(digest) = config.digests.first() {
        steps.push(("preview".to_owned(), "the next mail and the feeds, in the browser"));
        steps.push(("subscribers add you@example.org".to_owned(), "a first reader"));
        steps.push((format!("send {} --to you@example.org", digest.name), "one test mail"));
    }
    if facts.generator.rules.dialect() == Dialect::Jekyll {
        say::line("\nJekyll copies what lies in its folder: add postrider.toml to `exclude:` in _config.yml.");
    }
    steps.push(("check".to_owned(), "what would go wrong"));
    steps.push(("run".to_owned(), "now, and then from cron, every hour: docs/delivery.md"));
    say::line("\nNext:");
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    for (command, what) in steps {
        say::line(format!("  postrider {command:<width$}{with}   {what}"));
    }
}

/// The feed that readers have so far: as it lies there, built, else where the generator would have it on the site.
fn old_feed(facts: &Facts, said: &SiteTable) -> Option<String> {
    let url = said.url.as_ref().or(facts.generator.url.as_ref())?;
    let on_the_site = || url.join(facts.habits.feed).ok().map(String::from);
    facts.habits.built_feed.clone().or_else(on_the_site)
}

impl Facts {
    /// Whether mails leave this machine.
    fn is_real(&self) -> bool {
        let route = self.options.transport.as_deref().and_then(|transport| transport.parse::<Route>().ok());
        route.is_some_and(|route| !matches!(route, Route::Outbox(_)))
    }
}
