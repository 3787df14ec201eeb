//! The pages that mails link to, asked as a reader's mail program asks them, and what the answer's Date says of our clock.

use super::{Finding, Severity, World, at_key};
use crate::config::Config;
use crate::http::{self, Ask, Seen};
use chrono::{DateTime, TimeDelta, Utc};
use url::{Host, Url};

const ANCHOR: &str = "the-pages";
const KEY: &str = "web.public_url";
/// A token that no link holds: there is nobody to unsubscribe by it.
const NOBODY: &str = "unsubscribe/nobody";

/// What is wrong with the pages, where there are any, and with the clock.
pub(super) fn judge(world: &World<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut date, mut key) = (None, KEY);
    if world.config.web.public_url.is_some() {
        let problems = pages(world.config, &mut date);
        found.extend(
            problems
                .into_iter()
                .map(|(severity, message, help)| at_key(world.source, KEY, severity, message, help, ANCHOR)),
        );
    } else if let Ok(seen) = http::look(world.site.as_str(), Ask::Page) {
        // Whether the site is there is not asked here: it may be about to be published.
        (date, key) = (seen.date, "site.url");
    }
    found.extend(
        date.and_then(|date| ahead(date, world.clock.now()))
            .map(|(message, help)| at_key(world.source, key, Severity::Warning, message, help, "the-clock")),
    );
    found
}

type Problem = (Severity, String, &'static str);

fn pages(config: &Config, date: &mut Option<DateTime<Utc>>) -> Vec<Problem> {
    let address = config.web.address();
    let mut found: Vec<Problem> = config.web.public_url.as_ref().and_then(in_the_clear).into_iter().collect();
    let health = http::look(&format!("{address}healthz"), Ask::Page);
    *date = health.as_ref().ok().and_then(|seen| seen.date);
    match no_health(&address, health) {
        Some(problem) => found.push(problem),
        None => found.extend(no_way_out(http::look(&format!("{address}{NOBODY}"), Ask::OneClick))),
    }
    found
}

fn in_the_clear(url: &Url) -> Option<Problem> {
    let is_near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    (url.scheme() == "http" && !is_near).then(|| {
        (
            Severity::Warning,
            "Links in mails begin with http://, and mail programs offer one-click unsubscribing over https:// alone (RFC 8058)".to_owned(),
            "put a proxy with a certificate before `serve`, and write https:// here",
        )
    })
}

fn no_health(address: &str, health: Result<Seen, String>) -> Option<Problem> {
    let (message, help) = match health {
        Err(why) => (
            format!("Nobody answers at {address}, where the links in mails lead: {why}"),
            "start `postrider serve` and see that the world reaches it; from inside its own network it may not be seen",
        ),
        Ok(Seen { moved: Some(place), .. }) => (
            format!("{address} sends on to {place}, which mail programs do not follow"),
            "write the address where it ends",
        ),
        Ok(Seen { status: 200, text, .. }) if text == "ok\n" => return None,
        Ok(Seen { status: 503, text, .. }) if text.contains("store") => (
            format!("`serve` runs at {address}, but its store does not answer"),
            "see whether the store can be reached from there",
        ),
        Ok(Seen { status, .. }) => (
            format!("At {address} answers something else than `serve`: {status} for healthz"),
            "see that the proxy hands all below this address to `serve`",
        ),
    };
    Some((Severity::Warning, message, help))
}

/// RFC 8058 section 3.2: the POST of a mail program, which knows no cookie and follows nothing.
fn no_way_out(answer: Result<Seen, String>) -> Option<Problem> {
    let what = match answer {
        // Of a link that is no one's, ours says that there is nothing.
        Ok(Seen { status: 404 | 410, .. }) => return None,
        Ok(Seen { moved: Some(place), .. }) => format!("it is sent on to {place}"),
        Ok(Seen { status: 401 | 403, .. }) => "it is asked to log in".to_owned(),
        Ok(Seen { status: 405 | 501, .. }) => "no POST is let through".to_owned(),
        Ok(Seen { status, .. }) => format!("the answer is {status}"),
        Err(why) => why,
    };
    Some((
        Severity::Warning,
        format!("Readers cannot unsubscribe by one click, a POST to …/{NOBODY}: {what}"),
        "let POST below unsubscribe/ through to `serve` as it comes, without a login",
    ))
}

/// How the clock differs from another's, if by more than a minute.
fn ahead(theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Option<(String, &'static str)> {
    let off = ours - theirs;
    let minutes = (off.abs() + TimeDelta::seconds(30)).num_minutes();
    let how_far = match minutes {
        _ if off.abs() <= TimeDelta::seconds(60) => return None,
        ..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", (minutes + 30) / 60),
        _ => "more than two days".to_owned(),
    };
    let way = if off > TimeDelta::zero() { "ahead of" } else { "behind" };
    let message = format!(
        "This machine's clock is {how_far} {way} that of the web server: digests are due, and mails dated, by it"
    );
    Some((message, "set the clock, and keep it right with NTP (timedatectl set-ntp true)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16, text: &str, moved: Option<&str>) -> Result<Seen, String> {
        Ok(Seen { status, text: text.to_owned(), moved: moved.map(str::to_owned), date: None })
    }

    #[test]
    fn only_serve_itself_passes_for_serve() {
        for (health, wanted) in [
            (seen(200, "ok\n", None), ""),
            (seen(200, "<html>", None), "something else than `serve`: 200"),
            (seen(404, "", None), "something else than `serve`: 404"),
            (seen(503, "the store does not answer\n", None), "its store does not answer"),
            (seen(301, "", Some("https://b.test/")), "sends on to https://b.test/"),
            (Err("there is no such host".to_owned()), "Nobody answers at https://a.test/"),
        ] {
            let message = no_health("https://a.test/", health).map_or(String::new(), |(_, message, _)| message);
            assert!(message.contains(wanted) && message.is_empty() == wanted.is_empty(), "{message}");
        }
    }

    #[test]
    fn one_click_gets_through_or_it_is_said_what_stops_it() {
        for (answer, wanted) in [
            (seen(404, "", None), ""),
            (seen(302, "", Some("/login")), "sent on to /login"),
            (seen(401, "", None), "log in"),
            (seen(405, "", None), "no POST"),
            (seen(200, "", None), "the answer is 200"),
            (Err("no answer within 10 seconds".to_owned()), "no answer within"),
        ] {
            let message = no_way_out(answer).map_or(String::new(), |(_, message, _)| message);
            assert!(message.contains(wanted) && message.is_empty() == wanted.is_empty(), "{message}");
        }
    }

    #[test]
    fn links_in_the_clear_are_told_but_on_this_machine() {
        for (url, clear) in [
            ("http://news.a.test", true),
            ("https://news.a.test", false),
            ("http://127.0.0.1:8025", false),
            ("http://[::1]:8025", false),
            ("http://localhost", false),
        ] {
            assert_eq!(in_the_clear(&url.parse().expect("a URL")).is_some(), clear, "{url}");
        }
    }

    #[test]
    fn a_minute_is_nothing() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a moment");
        let noon = at("2026-11-23T12:00:00Z");
        for (theirs, wanted) in [
            ("2026-11-23T12:01:00Z", None),
            ("2026-11-23T11:59:00Z", None),
            ("2026-11-23T11:55:00Z", Some("is 5 minutes ahead of")),
            ("2026-11-23T15:00:00Z", Some("is 3 hours behind")),
            ("2027-11-23T15:00:00Z", Some("is more than two days behind")),
        ] {
            let said = ahead(at(theirs), noon).map(|(message, _)| message);
            assert!(
                said.as_deref().map_or(wanted.is_none(), |said| wanted.is_some_and(|w| said.contains(w))),
                "{said:?}"
            );
        }
    }
}
