//! Writes the manual and the shell completions into a folder, one page a command, as packages install them:
//! `cargo run --example manual -- DIR`. What they say comes from the command line itself, so they cannot fall behind.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use postrider::cli::Arguments;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What its exit says to whoever started it.
const EXITS: [(&str, &str); 4] = [
    ("0", "Done, or nothing to do. Mails that were deferred or refused are recorded; they are no error."),
    ("1", "Could not do it; standard error says what and where."),
    ("2", "The command line was wrong."),
    ("3", "Done, but the input has problems and --strict was given."),
];

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        let _ = writeln!(io::stderr(), "usage: cargo run --example manual -- DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}: {error}", Path::new(&dir).display());
            ExitCode::FAILURE
        }
    }
}

/// Writes `man1/*.1`, and `bash`, `zsh` and `fish` with what each completes, below `dir`. Folders are made.
pub(crate) fn write(dir: &Path) -> io::Result<()> {
    let pages = dir.join("man1");
    fs::create_dir_all(&pages)?;
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    write_pages(&command, None, &pages)?;
    for (shell, folder) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder)?;
        generate_to(shell, &mut Arguments::command(), "postrider", &folder)?;
    }
    Ok(())
}

/// The page of a command and those of all below it.
fn write_pages(command: &Command, above: Option<&str>, dir: &Path) -> io::Result<()> {
    let name = page(command);
    let version = concat!("postrider ", env!("CARGO_PKG_VERSION"));
    // No date: a page says which version it is of. The blank keeps the place of one.
    let man = Man::new(command.clone()).title(name.to_uppercase()).date(" ").source(version).manual("Postrider");
    let mut file = File::create(dir.join(format!("{name}.1")))?;
    man.render_title(&mut file)?;
    man.render_name_section(&mut file)?;
    man.render_synopsis_section(&mut file)?;
    man.render_description_section(&mut file)?;
    man.render_options_section(&mut file)?;
    let below: Vec<&Command> = command.get_subcommands().collect();
    if !below.is_empty() {
        man.render_subcommands_section(&mut file)?;
    }
    let mut rest = Roff::new();
    rest.control("SH", ["EXIT STATUS"]);
    for (exit, meaning) in EXITS {
        rest.control("TP", []).text([bold(exit)]).text([roman(meaning)]);
    }
    let others: Vec<String> =
        above.map(str::to_owned).into_iter().chain(below.iter().map(|command| page(command))).collect();
    rest.control("SH", ["SEE ALSO"]);
    for (n, other) in others.iter().enumerate() {
        let end = if n + 1 < others.len() { "(1)," } else { "(1)" };
        rest.text([bold(other), roman(end)]);
    }
    rest.to_writer(&mut file)?;
    file.flush()?;
    below.into_iter().try_for_each(|command| write_pages(command, Some(&name), dir))
}

/// Such as `postrider-subscribers-add`.
fn page(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}
