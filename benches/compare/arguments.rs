//! What can be typed after `cargo bench --bench compare --`.

use crate::delay;
use crate::reading;
use crate::rows::Group;
use crate::sink;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Measures sending beside smtp-source, nodemailer and lettre's pool.
#[derive(Debug, Parser)]
#[command(name = "compare", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Which parts of the table; all where none is named
    #[arg(value_enum)]
    pub(crate) groups: Vec<Group>,
    /// How often each row is run, in turn with the others of its part
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long a run is to last, roughly: each sender gets as many messages as it can be expected to send in that time
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    pub(crate) seconds: usize,
    /// So many messages for every sender instead
    #[arg(long, value_name = "N")]
    pub(crate) messages: Option<usize>,
    /// How long a message is on the wire, in octets
    #[arg(long, default_value_t = 40_000, value_name = "OCTETS")]
    pub(crate) size: usize,
    /// Readers in the rows of `scale`
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000", value_name = "N,N")]
    pub(crate) readers: Vec<usize>,
    /// The round trip of `distance`, in milliseconds
    #[arg(long, default_value_t = 20, value_name = "MS")]
    pub(crate) round_trip: u64,
    /// Measure postrider alone
    #[arg(long)]
    pub(crate) alone: bool,
    /// Record where postrider's time goes, in one more run of each of its rows
    #[arg(long)]
    pub(crate) profile: bool,
    /// Another postrider than the one cargo just built
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// Leave the sites and stores where they are
    #[arg(long)]
    pub(crate) keep: bool,
    /// cargo bench says so
    #[arg(long, hide = true, global = true)]
    pub(crate) bench: bool,
    /// Another part of the machinery, in a process of its own
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Processes that stand beside a measured sender.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// An SMTP server that counts
    ServeSink(sink::Settings),
    /// A way to a server that takes its time
    ServeDelay(delay::Settings),
    /// Measures reading beside Hugo
    Feeds(reading::Settings),
}
