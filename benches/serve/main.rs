//! `postrider serve` under load, for its static part beside nginx with the same files: the release binary as its users run it, the load from a
//! second process. `benches/README.md` says how to run and read it.
//!
//! The binary is also its own load: it starts itself again with `load`.

mod load;
mod servers;
mod table;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is said to people at the end of a failed step: what, where, what to do.
type Failure = String;

/// Measures `postrider serve` under load.
#[derive(Debug, Parser)]
#[command(name = "serve", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// How often each row is run, in turn with the others of its part
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a run lasts
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    seconds: u64,
    /// Connections that are idle or slow
    #[arg(long, default_value_t = 15_000, value_name = "N")]
    idle: usize,
    /// Malformed requests
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    nonsense: usize,
    /// Another postrider than the one cargo just built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// cargo bench says so
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks, in a process of its own
    Load(load::Settings),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::Load(settings)) => load::run(settings).map(|()| true),
        None => table::make(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say(&failure);
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
