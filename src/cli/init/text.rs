//! The configuration that `init` writes: short, each line with its reason, and what comes later as a comment.

use super::{Facts, STATE};
use crate::address::Mailbox;
use crate::delivery::route::Route;
use crate::post::dialect::Dialect;
use serde_json::Value;

/// The text of the file.
pub(super) fn configuration(facts: &Facts) -> String {
    let Facts { options, generator, habits } = facts;
    let mut text = String::from(
        "# Postrider, for this site. Paths start from this file; any string may hold ${NAME}, from the environment.\n\
         # Every setting: config.toml in Postrider's own repository.\n",
    );
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };

    line("\n[site]");
    let configured = generator.title.is_some() || generator.url.is_some();
    if configured {
        line(
            "# Title, address, language, time zone and author come from the site's own configuration; what stands here goes before it.",
        );
    }
    if let Some(title) = &options.title {
        line(&format!("title = {}", quoted(title)));
    }
    if let Some(url) = &options.url {
        line(&format!("url = {}", quoted(url.as_str())));
    }
    match (options.timezone, generator.timezone) {
        (Some(zone), _) => line(&format!("timezone = {}", quoted(zone.name()))),
        (None, None) => {
            line("# timezone = \"Europe/Berlin\"    # for dates without a zone and for schedules; else UTC")
        }
        (None, Some(_)) => {}
    }

    line("\n[posts]");
    line(&format!("dir = {}", quoted(&habits.posts)));
    if generator.rules.dialect() == Dialect::Plain {
        line(
            "# permalink = \"/:year/:month/:day/:title/\"    # where a post stands on the site, if `postrider plan` shows another address",
        );
    }

    line("\n[feeds]");
    line(&format!("dir = {}    # {}", quoted(&habits.built), after(generator.rules.dialect())));

    match &options.from {
        None => {
            line("\n# For a digest by mail:");
            line("# [mail]");
            line("# from = \"Field Notes <news@example.org>\"");
            line(&format!("# transport = \"outbox:{STATE}/outbox\""));
            line("# [[digest]]\n# name = \"weekly\"\n# schedule = \"0 9 * * MON\"");
        }
        Some(from) => {
            line("\n[mail]");
            line(&format!("from = {}", quoted(&written(from))));
            match &options.postal_address {
                Some(address) => line(&format!("postal_address = {}", quoted(address))),
                None => line(
                    "# postal_address = \"1 Sample Street, Chicago IL\"    # in the foot of each mail; many countries ask for one",
                ),
            }
            transport(options.transport.as_deref(), &mut line);
            let schedule = options.schedule.as_deref().unwrap_or("0 9 * * MON");
            line("\n[[digest]]");
            line(&format!("name = {}    # kept for life: it stands in the mails' addresses", quoted(name(schedule))));
            line(&format!("schedule = {}    # {}", quoted(schedule), meaning(schedule)));
            match options.since {
                Some(day) => line(&format!(
                    "since = {}    # posts from then on are new to its first edition",
                    quoted(&day.to_string())
                )),
                None => line(
                    "# since = \"2026-11-01\"    # posts from then on are new to its first edition; else only those to come",
                ),
            }
        }
    }

    line("\n[store]");
    let store = options.store.clone().unwrap_or_else(|| format!("sqlite:{STATE}/postrider.db"));
    line(&format!("url = {}    # who gets what, who got what, who left: back it up", quoted(&store)));
    let must_exist = facts.is_real() || !store.starts_with("sqlite:");
    match must_exist {
        true => line("must_exist = true    # a run without it stops, rather than beginning anew"),
        false => line(
            "# must_exist = true    # once mails are sent: a run without it then stops, rather than beginning anew",
        ),
    }
    text
}

fn transport(transport: Option<&str>, line: &mut impl FnMut(&str)) {
    let route = transport.and_then(|transport| transport.parse::<Route>().ok());
    match (transport, &route) {
        (Some(transport), Some(route)) if !matches!(route, Route::Outbox(_)) => {
            line(&format!("transport = {}", quoted(transport)));
            if matches!(route, Route::Smtp(server) if server.user.is_some()) {
                line("password = \"${SMTP_PASSWORD}\"");
            }
        }
        (outbox, _) => {
            let outbox = outbox.map_or_else(|| format!("outbox:{STATE}/outbox"), str::to_owned);
            line(&format!(
                "transport = {}    # a folder of .eml files: nothing leaves this machine. To send:",
                quoted(&outbox)
            ));
            line("# transport = \"smtp://user@smtp.example.org:587\"");
            line("# password = \"${SMTP_PASSWORD}\"");
        }
    }
}

/// The digest's name, by when it is due.
fn name(schedule: &str) -> &'static str {
    match schedule {
        "each" => "posts",
        "0 9 * * *" => "daily",
        "0 9 1 * *" => "monthly",
        "0 9 * * MON" => "weekly",
        _ => "digest",
    }
}

fn meaning(schedule: &str) -> &'static str {
    match schedule {
        "each" => "a mail for each new post",
        "0 9 * * *" => "each day at nine, if there is something new",
        "0 9 1 * *" => "the first of each month at nine, if there is something new",
        "0 9 * * MON" => "Mondays at nine, if there is something new",
        _ => "minute hour day month weekday",
    }
}

/// When to run, seen from the generator.
fn after(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Jekyll => "where Jekyll builds into: run Postrider after it",
        Dialect::Hugo => "where Hugo builds into: run Postrider after it",
        Dialect::Zola => "where Zola builds into: run Postrider after it",
        Dialect::Eleventy => "where Eleventy builds into: run Postrider after it",
        Dialect::Hexo => "where Hexo builds into: run Postrider after it",
        Dialect::Pelican => "where Pelican builds into: run Postrider after it",
        Dialect::Plain => "rss.xml, atom.xml and feed.json, to be served with the site",
    }
}

/// A mailbox as the configuration has it.
fn written(Mailbox { name, address }: &Mailbox) -> String {
    match name {
        Some(name) => format!("{name} <{}>", address.as_str()),
        None => address.as_str().to_owned(),
    }
}

/// A string as TOML has it; JSON's escapes are among its own.
fn quoted(text: &str) -> String {
    let printable: String = text.chars().filter(|c| *c != '\u{7F}').collect();
    Value::String(printable).to_string()
}
