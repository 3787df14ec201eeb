//! The command line: arguments in, one verb called, its result in words or JSON, an exit code out.

mod adopt;
mod arguments;
mod check;
mod cycle;
mod draft;
mod editions;
mod import;
mod inbox;
mod init;
mod keys;
mod notice;
mod preview;
mod progress;
mod run;
mod say;
mod send;
mod serve;
mod setup;
mod status;
mod store;
mod subscribers;
mod tell;
mod templates;
mod why;
mod work;

pub use arguments::Arguments;
pub use setup::Signals;

use crate::clock::Clock;
use crate::store::editions::Retry;
use arguments::{Command, Global, Log};
use clap::Parser;
use std::ffi::OsString;
use std::path::Path;

/// What the process says to whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Could not do it.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// Done, but the input has Problems and `--strict` was given.
    Problems = 3,
}

/// Runs one command. Can be called any number of times in one process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit;
        }
    };
    say::log(&arguments.global, matches!(arguments.command, Command::Serve | Command::Work));
    let global = &arguments.global;
    let done = match &arguments.command {
        Command::Run { wait } => run::run(global, *wait),
        Command::Build => run::build(global),
        Command::Plan => run::plan(global),
        Command::Preview { listen, out } => preview::run(global, *listen, out.as_deref()),
        Command::Send { digest, to } => send::run(global, digest, to),
        Command::Draft { digest } => draft::run(global, digest),
        Command::Status { watch } => status::run(global, *watch),
        Command::Why { address } => why::run(global, address),
        Command::Approve { edition, anyway } => editions::approve(global, edition, *anyway),
        Command::Cancel { edition } => editions::cancel(global, edition),
        Command::Retry { edition, failed_with, outbox, held } => {
            let which = match (outbox, held) {
                (true, _) => Retry::Outbox,
                (_, true) => Retry::Held,
                _ => Retry::Refused(failed_with.as_deref()),
            };
            editions::retry(global, edition, which)
        }
        Command::Subscribers { action } => subscribers::run(global, action),
        Command::Store { action } => store::run(global, action),
        Command::Templates { action } => templates::run(global, action),
        Command::Check { files } => check::run(global, files),
        Command::Adopt { feeds, dry_run } => adopt::run(global, feeds, *dry_run),
        Command::Inbox { source, dry_run } => inbox::run(global, source.as_deref(), *dry_run),
        Command::Init(options) => init::run(global, options),
        Command::Keys => keys::run(global),
        Command::Serve => serve::run(global),
        Command::Work => work::run(global),
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            match arguments.global.log {
                Log::Text => say::error(&error),
                Log::Json => tracing::error!("{}", say::sentence(&error)),
            }
            Exit::Failed
        }
    }
}

/// `postrider serve` with the configuration at `path`, by a clock and signals of somebody's own, until it is told to end: for
/// rehearsals of months.
///
/// # Errors
/// The sentence that the command would end with.
pub fn serve(path: &Path, clock: Clock, signals: &Signals) -> Result<(), String> {
    serve::by(&Global::default(), path, clock, signals).map_err(|error| say::sentence(&error))
}
