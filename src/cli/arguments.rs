//! What can be typed.

use crate::address::Mailbox;
use crate::clock::Span;
use crate::delivery::route::Route;
use crate::schedule::Schedule;
use crate::subscriber::export::Form;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// Turns Markdown posts into feeds and an e-mail digest, and delivers the digest over SMTP, once.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, about, max_term_width = 100, subcommand_required = true)]
pub struct Arguments {
    /// Valid everywhere.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Valid with every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// The configuration; otherwise postrider.toml, otherwise config.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON document on standard output, everything else on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Say less
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice: much more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How the log on standard error is written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub log: Log,
    /// Act as if it were then; time goes on from there
    #[arg(long, global = true, value_name = "RFC3339", value_parser = moment)]
    pub now: Option<DateTime<Utc>>,
    /// Let more old posts appear as new than feeds.flood_limit
    #[arg(long, global = true)]
    pub accept_new: bool,
    /// Let the subscribers' file take away many people at once, or all posts be gone
    #[arg(long, global = true)]
    pub accept_removals: bool,
    /// Exit with 3 where the input has problems
    #[arg(long, global = true)]
    pub strict: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// A line for people
    #[default]
    Text,
    /// A JSON object a line, with its time
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do what is due now: feeds, editions, deliveries; then exit (for cron and CI)
    Run {
        /// Stay so long for what becomes due: 15m, 2h
        #[arg(long, value_name = "DURATION")]
        wait: Option<Span>,
    },
    /// Write the feeds alone
    Build,
    /// Say what run would do now and why; change nothing
    Plan,
    /// Look at the next mails, the feeds and the plan in the browser while the files change; send and change nothing
    Preview {
        /// Where to serve the page
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8026", conflicts_with = "out")]
        listen: SocketAddr,
        /// Write the same as files into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Send a digest of the newest posts to one address, as a test, outside the ledger
    Send {
        /// The digest's name
        digest: String,
        /// Where to
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
    /// Begin the introduction of a digest's next edition: a file that shows which posts are new so far
    Draft {
        /// The digest's name
        digest: String,
    },
    /// Editions and their deliveries, what is due next, what is in doubt
    Status {
        /// Show it again and again until nothing is open
        #[arg(long)]
        watch: bool,
    },
    /// The whole story of one address
    Why {
        /// Whose
        address: String,
    },
    /// Release an edition that waits or is held
    Approve {
        /// Its id, such as weekly/2026-11-23
        edition: String,
        /// Also where posts that it waits for (require_live) do not answer
        #[arg(long)]
        anyway: bool,
    },
    /// Withdraw what is not sent of an edition
    Cancel {
        /// Its id
        edition: String,
    },
    /// Queue refused and given-up deliveries of an edition again, or those in doubt
    Retry {
        /// Its id
        edition: String,
        /// Only those refused with this code: 550, 5.7.1, or all of 5.7
        #[arg(long, value_name = "CODE", conflicts_with_all = ["outbox", "held"], value_parser = code)]
        failed_with: Option<String>,
        /// Those that only went to an outbox
        #[arg(long, conflicts_with = "held")]
        outbox: bool,
        /// Those in doubt that are held: who has got it already gets it twice
        #[arg(long)]
        held: bool,
    },
    /// The list of readers
    Subscribers {
        /// What to do with it
        #[command(subcommand)]
        action: SubscribersAction,
    },
    /// The store: who gets what, who got what, who left
    Store {
        /// What to do with it
        #[command(subcommand)]
        action: StoreAction,
    },
    /// The templates of mails and pages, and the words of each language
    Templates {
        /// What to do with them
        #[command(subcommand)]
        action: TemplatesAction,
    },
    /// Write a short configuration for the site in this folder, and show what a run would do
    Init(InitOptions),
    /// Make the keys that sign mails (DKIM), where there are none, and print their records for the DNS
    Keys,
    /// Look for what would go wrong: posts, templates, the mails to come, the DNS and the server; or in a feed or a mail
    Check {
        /// Only these files or folders of posts; or feeds, anybody's: .xml, .rss, .atom, .json or an address; or mails: .eml
        files: Vec<PathBuf>,
    },
    /// Take over the ids of the blog's old feed, so that no reader sees a post again; before the first run
    Adopt {
        /// Files or addresses: RSS, Atom or JSON Feed; older pages are followed
        #[arg(required = true, value_name = "FEED")]
        feeds: Vec<String>,
        /// Only say what would become of them
        #[arg(long)]
        dry_run: bool,
    },
    /// Read bounces, complaints and unsubscribe mails: from the configured mailbox, or from a folder, a file, imaps://…, or - for one mail
    Inbox {
        /// maildir:DIR, mbox:FILE, imaps://user@host/INBOX, a file, a folder, or -; default: inbox.source
        #[arg(value_name = "SRC")]
        source: Option<String>,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// All in one process, until told to stop: people subscribe, choose and leave on the web, posts and schedules are watched, mails delivered
    Serve,
    /// Deliver what is queued, until told to stop: beside `run`, or on further machines with one PostgreSQL
    Work,
}

/// What `init` cannot know. On a terminal it asks for what is not given here.
#[derive(Clone, Debug, Default, Args)]
pub struct InitOptions {
    /// Where the site is served, if its own configuration does not say so
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// The site's title, likewise
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// For dates without a zone and for schedules, likewise: Europe/Berlin
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub timezone: Option<Tz>,
    /// Who the mails come from: "Field Notes <news@example.org>"; without it the site gets feeds alone
    #[arg(long, value_name = "ADDRESS", value_parser = mailbox)]
    pub from: Option<Mailbox>,
    /// A postal address for the foot of the mails, which many countries ask for
    #[arg(long, value_name = "TEXT")]
    pub postal_address: Option<String>,
    /// The way out: smtp://user@host:587, smtps://user@host:465, sendmail:PROGRAM; default: a folder of .eml files
    #[arg(long, value_name = "TRANSPORT", value_parser = transport)]
    pub transport: Option<String>,
    /// When a digest is due: daily, weekly, monthly, each (a mail per post), or a crontab such as "0 9 * * MON"
    #[arg(long, value_name = "WHEN", value_parser = schedule)]
    pub schedule: Option<String>,
    /// Posts from this day on are new to the first digest; default: only those that are yet to come
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub since: Option<NaiveDate>,
    /// Where the store is: postgres://…, ${DATABASE_URL}; default: a file in .postrider/
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Take over the ids of the blog's old feed: a file or an address
    #[arg(long, value_name = "FEED")]
    pub adopt: Vec<String>,
    /// Ask nothing
    #[arg(short, long)]
    pub yes: bool,
    /// Print the configuration and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What to do with the list.
#[derive(Debug, Subcommand)]
pub enum SubscribersAction {
    /// Add one person
    Add {
        /// Their address
        address: String,
        /// The name to show beside it
        #[arg(long)]
        name: Option<String>,
        /// BCP 47
        #[arg(long)]
        language: Option<String>,
        /// Digests, separated by ;
        #[arg(long, default_value = "")]
        digests: String,
        /// Topics, separated by ;
        #[arg(long, default_value = "")]
        tags: String,
        /// Also where the address is suppressed, since mails to it came back or by `remove --suppress`; not after a complaint
        #[arg(long)]
        again: bool,
    },
    /// A person leaves
    Remove {
        /// Their address
        address: String,
        /// Also never mail the address again, whoever adds it
        #[arg(long)]
        suppress: bool,
    },
    /// Show everybody
    List,
    /// Add the people of another program's list, once: Mailchimp, Substack, Buttondown, Ghost, listmonk, or any CSV or JSON
    Import {
        /// The file: CSV (also between tabs or semicolons) or JSON
        file: PathBuf,
        /// Only say what would become of them
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the list as CSV; or all that is stored of one person, as JSON
    Export {
        /// The person
        address: Option<String>,
        /// For whom
        #[arg(long = "as", value_enum, default_value_t, conflicts_with = "address")]
        form: Form,
    },
    /// Erase all that is stored of a person; a salted hash remains, so that nobody mails them again
    Forget {
        /// Their address
        address: String,
    },
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// Move all of it to another database, SQLite or PostgreSQL, and compare the two; the one that was left refuses to work from then on
    Copy {
        /// The store, as in store.url: sqlite:FILE or postgres://…
        from: String,
        /// A new one, written alike; ${NAME} is looked up in the environment
        to: String,
    },
    /// Make the first, empty store where there is none: of store.remote the branch
    Create,
    /// Print a new key for store.key
    Key,
    /// Write all of it into a file, while it is in use
    Backup {
        /// The file; one of that name is replaced
        file: PathBuf,
    },
    /// Go on with a backup: whatever may have been sent since then is held for you to decide
    Restore {
        /// The backup; without it the store as it is was brought back by other means (pg_restore, a snapshot)
        file: Option<PathBuf>,
    },
}

/// What to do with templates.
#[derive(Debug, Subcommand)]
pub enum TemplatesAction {
    /// Name them all, and say which are your own
    List,
    /// Print one: your own, else the built-in one (default/NAME: always the built-in one)
    Show {
        /// Such as digest/body.html.j2
        name: String,
    },
    /// Copy a built-in one into the folder templates/, to be edited
    Copy {
        /// Such as strings/en.toml
        name: String,
    },
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "write a zone of the IANA's list, such as Europe/Berlin or America/Chicago".to_owned())
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|e| format!("{e}"))
}

fn transport(text: &str) -> Result<String, String> {
    text.parse::<Route>().map(|_| text.to_owned()).map_err(|e| format!("{e}"))
}

/// A digest's schedule, with words for the commonest: as a crontab, or `each`.
pub(super) fn schedule(text: &str) -> Result<String, String> {
    let crontab = match text.trim() {
        "daily" => "0 9 * * *",
        "weekly" => "0 9 * * MON",
        "monthly" => "0 9 1 * *",
        other => other,
    };
    crontab.parse::<Schedule>().map(|_| crontab.to_owned()).map_err(|e| format!("{e}"))
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "write a day like 2026-11-01".to_owned())
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|t| t.to_utc());
    parsed.map_err(|_| "write a moment like 2026-11-23T09:00:00Z".to_owned())
}

/// A reply code (RFC 5321 section 4.2), an enhanced status (RFC 3463), or the first numbers of one.
fn code(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "{text:?} is no code of a refusal; write one as `why` shows it: 550, 5.7.1, or 5.7 for all that begin so"
        )
    };
    let digits = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = text.trim().split('.').collect();
    let right = parts.iter().all(digits)
        && match parts[..] {
            [code] => code.len() == 3 && code.starts_with(['4', '5']),
            [class, ..] => parts.len() <= 3 && matches!(class, "4" | "5"),
            [] => false,
        };
    // As the store has them: without leading zeros.
    let numbers = parts.iter().map(|part| part.parse::<u16>().map(|n| n.to_string()));
    let numbers: Vec<String> = numbers.collect::<Result<_, _>>().map_err(|_| wrong())?;
    if right { Ok(numbers.join(".")) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn codes_are_as_servers_write_them() {
        for (text, read) in [("550", "550"), ("421", "421"), ("5.7.1", "5.7.1"), (" 5.07 ", "5.7"), ("4.2.2", "4.2.2")]
        {
            assert_eq!(code(text).as_deref(), Ok(read));
        }
        for wrong in ["", "5", "250", "55", "5.", ".5", "2.0.0", "5.7.1.1", "5.x", "5.7.1234", "hard", "-50"] {
            assert!(code(wrong).unwrap_err().ends_with("5.7 for all that begin so"), "{wrong}");
        }
    }
}
