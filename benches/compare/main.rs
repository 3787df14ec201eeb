//! Sending and reading, side by side: postrider's release binary as its users run it, beside what they would use instead, against a sink
//! that counts. `benches/README.md` says how to run and read it.
//!
//! The binary is also its own sink and its own delay: it starts itself again with `serve-sink` or `serve-delay`.

mod arguments;
mod contestant;
mod delay;
mod durability;
mod helper;
mod measure;
mod ours;
mod peers;
mod profile;
mod reading;
mod rows;
mod runs;
mod sink;
mod site;
mod table;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

/// What is said to people at the end of a failed step: what, where, what to do.
type Failure = String;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::ServeSink(settings)) => sink::serve(settings).map(|()| true),
        Some(Command::ServeDelay(settings)) => delay::serve(settings).map(|()| true),
        Some(Command::Feeds(settings)) => reading::make(settings),
        None => table::make(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            table::say(&failure);
            ExitCode::FAILURE
        }
    }
}
