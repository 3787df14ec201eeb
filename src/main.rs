//! Parse, run, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(postrider::cli::run(std::env::args_os()) as u8)
}
