//! `run`, `build` and `plan`: the same steps, as far as each goes.

use super::arguments::Global;
use super::cycle::{Cycle, Planned, edition_report};
use super::setup::{Setup, stop_flag};
use super::tell::{self, Told};
use super::{Exit, inbox, notice, progress, say};
use crate::clock::Span;
use crate::dispatch::{Dispatch, End, Progress, Used};
use crate::live;
use crate::notify::{By, News};
use crate::post::{Site, problem};
use crate::publish;
use crate::report;
use crate::store::Mode;
use crate::store::awaited::Waiting;
use anyhow::Result;
use chrono::TimeDelta;
use std::sync::atomic::{AtomicBool, Ordering};

/// `postrider build`
pub(super) fn build(global: &Global) -> Result<Exit> {
    Setup::load(global)?.change(|setup| feeds(global, setup))
}

fn feeds(global: &Global, setup: &Setup) -> Result<Exit> {
    let cycle = Cycle::open(global, setup, Mode::Create)?;
    let published = cycle.publish(publish::Mode::Publish)?;
    cycle.announce(published.listed)?;
    let run = cycle.report(published.feeds, published.problems);
    finish(global, &cycle.site, run, None)
}

/// `postrider plan`: a run on a store that keeps nothing, without a mail, and without a word to any server but to ask the site for
/// posts that must answer.
pub(super) fn plan(global: &Global) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let cycle = Cycle::open(global, &setup, Mode::Rehearse)?;
    let problems = cycle.sync()?;
    let published = cycle.publish(publish::Mode::Rehearse)?;
    let Planned { mut run, waiting, released } = cycle.plan(&published, problems)?;
    let Cycle { site, store, .. } = cycle;
    // Closed, it holds up no run while we wait for the site.
    drop(store);
    run.editions = run.editions.map(|editions| as_answered(editions, &released, &waiting, &setup));
    finish(global, &site, run, None)
}

/// The editions as the site's answers make them: as they are, or those of `released` whose posts are there.
fn as_answered(
    editions: Vec<report::Edition>,
    released: &[report::Edition],
    waiting: &[Waiting],
    setup: &Setup,
) -> Vec<report::Edition> {
    let answers = live::ask(waiting, &setup.clock);
    let right = |mut edition: report::Edition| {
        let Some(Waiting { urls, .. }) = waiting.iter().find(|waiting| waiting.edition == edition.id) else {
            return edition;
        };
        if live::all_answer(urls, &answers) {
            return released.iter().find(|released| released.id == edition.id).cloned().unwrap_or(edition);
        }
        let lacks = urls.iter().filter_map(|url| {
            let said = answers.get(url).filter(|said| !said.is_empty())?.clone();
            Some(report::Awaited { url: url.clone(), said: Some(said) })
        });
        edition.awaits = lacks.collect();
        edition
    };
    editions.into_iter().map(right).collect()
}

/// `postrider run`
pub(super) fn run(global: &Global, wait: Option<Span>) -> Result<Exit> {
    let stop = stop_flag()?;
    Setup::load(global)?.change(|setup| {
        if setup.config.digests.is_empty() {
            say::remark(global, "there is no [[digest]]: only the feeds are written");
            return feeds(global, setup);
        }
        let done = deliver(global, setup, &stop, wait);
        // Whoever stopped it knows.
        if !stop.load(Ordering::Relaxed) {
            let failure = done.as_ref().err().map(say::sentence);
            let out = done.as_ref().map_or(&[][..], |(_, out)| out);
            notice::after(By::Run, setup, News { failure: failure.as_deref(), out });
        }
        done.map(|(exit, _)| exit)
    })
}

/// All that a run does, from the posts to the last reply. With why each of the relays went out of service that did.
fn deliver(global: &Global, setup: &Setup, stop: &AtomicBool, wait: Option<Span>) -> Result<(Exit, Vec<String>)> {
    // What is wrong with the way out or the secret shows before anything is frozen.
    let relays = setup.relays()?;
    let signer = setup.signer()?;
    let cycle = Cycle::open(global, setup, Mode::Create)?;
    let keyring = setup.keyring(&cycle.store)?;
    cycle.announcer().listen()?;
    let came_in = inbox::before_run(setup, &cycle.store, &keyring);
    if let Ok(Some(summary)) = &came_in {
        say::remark(global, format!("inbox: {summary}"));
    }
    let mut problems = cycle.sync()?;
    let published = cycle.publish(publish::Mode::Publish)?;
    problems.extend(published.problems);
    let mut run = cycle.report(published.feeds, problems);

    let before = cycle.store.unfinished()?;
    let desk = cycle.desk(&published.identities)?;
    let decisions = cycle.decide(&desk, published.listed, &mut run.posts.problems)?;

    let progress = Progress::default();
    let waiting = cycle.store.waiting()?;
    let dispatch = Dispatch {
        store: &cycle.store,
        relays: &relays,
        remote: setup.remote()?,
        settings: &setup.config.delivery,
        mail: setup.mail()?,
        keyring: &keyring,
        signer: &signer,
        clock: setup.clock,
        random: &setup.random,
        stop,
        progress: &progress,
        wait: wait.map_or(TimeDelta::zero(), |span| span.0),
    };
    let dispatched = progress::during(global, &progress, waiting, || dispatch.run())?;
    inbox::refusals(global, setup, &cycle.store)?;
    cycle.compact()?;
    cycle.announcer().tell()?.into_iter().for_each(|remark| say::remark(global, remark));
    run.editions = Some(cycle.touched(&decisions, &before)?.iter().map(edition_report).collect());
    run.relays = dispatched.relays.iter().filter_map(relay_report).collect();
    let told = Told { decisions: &decisions, dispatched: &dispatched, outbox: setup.outbox(), store: &cycle.store };
    let done = finish(global, &cycle.site, run, Some(told))?;
    came_in.map(|_| (done, dispatched.out()))
}

/// What became of a relay, where there are several.
fn relay_report(used: &Used) -> Option<report::Relay> {
    let Used { name, accepted, failed } = used.clone();
    Some(report::Relay { name: name?, accepted, failed })
}

fn finish(global: &Global, site: &Site, mut run: report::Run, told: Option<Told<'_>>) -> Result<Exit> {
    run.posts.problems = problem::gathered(run.posts.problems);
    let run = &run;
    // A theme's own tag in every post is one line of news, not four hundred.
    let shown = if global.verbose > 0 { usize::MAX } else { 20 };
    for problem in run.posts.problems.iter().take(shown) {
        say::remark(global, format!("problem: {problem}"));
    }
    if run.posts.problems.len() > shown {
        say::remark(global, format!("and {} more problems; -v shows them all", run.posts.problems.len() - shown));
    }
    match global.json {
        true => say::json(run)?,
        false if global.quiet => {}
        false => tell::tell(site, run, told.as_ref())?,
    }
    if let Some(told) = told {
        for edition in &told.dispatched.held_editions {
            say::remark(
                global,
                format!(
                    "{edition} had no attempt for longer than delivery.give_up_after and is held\n  help: `postrider approve {edition}` sends it, `postrider cancel {edition}` withdraws it"
                ),
            );
        }
        let left = told.store.waiting()?;
        match &told.dispatched.end {
            End::Halted(why) => anyhow::bail!("{why}"),
            End::Stopped if left > 0 => anyhow::bail!(
                "stopped by a signal, {} left\n  help: run again to go on",
                if left == 1 { "1 delivery".to_owned() } else { format!("{left} deliveries") }
            ),
            End::RateLimited(millis) => say::remark(
                global,
                format!(
                    "no more may go for {} ({}, or the server asks for a slower pace); run again then",
                    say::count(millis / 60_000 + 1, "minute"),
                    if run.relays.is_empty() { "delivery.rates" } else { "delivery.rates, relay.rates" },
                ),
            ),
            End::Drained | End::Stopped => {}
        }
    }
    match global.strict && !run.posts.problems.is_empty() {
        true => Ok(Exit::Problems),
        false => Ok(Exit::Done),
    }
}
