//! `postrider why ADDRESS`: the whole story of one address, with the server's own words.

use super::arguments::Global;
use super::setup::Setup;
use super::{Exit, say};
use crate::address::EmailAddress;
use crate::report;
use crate::store::story::{Chosen, Event, Story};
use anyhow::{Result, anyhow};
use chrono::SecondsFormat;
use chrono_tz::Tz;

/// `postrider why`
pub(super) fn run(global: &Global, address: &str) -> Result<Exit> {
    let setup = Setup::load(global)?;
    let address: EmailAddress = address.parse().map_err(|e| anyhow!("{e}"))?;
    let story = setup.existing_store()?.story(&address, &setup.random)?;
    if global.json {
        say::json(&document(&address, story))?;
        return Ok(Exit::Done);
    }
    // A site that cannot be read keeps nobody from an answer.
    let zone = setup.site().map_or(Tz::UTC, |(site, _)| site.timezone);
    tell(&address, &story, zone).iter().for_each(say::line);
    Ok(Exit::Done)
}

pub(super) fn document(address: &EmailAddress, story: Story) -> report::Why {
    let event = |e: Event| report::Event {
        at: e.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        kind: e.kind,
        edition: e.edition,
        stage: e.stage,
        code: e.code,
        enhanced: e.enhanced,
        text: e.text,
        duration: e.duration,
        transport: e.transport,
        relay: e.relay,
    };
    let chosen = story.chosen.unwrap_or_default();
    report::Why {
        address: address.as_str().to_owned(),
        status: story.status,
        paused_until: chosen.paused_until.map(|until| until.to_rfc3339_opts(SecondsFormat::Millis, true)),
        digests: chosen.digests.iter().map(str::to_owned).collect(),
        topics: chosen.topics.iter().map(str::to_owned).collect(),
        language: chosen.language,
        events: story.events.into_iter().map(event).collect(),
    }
}

/// One line an event, in columns: when in the site's zone, what, in which edition, and what was said.
fn tell(address: &EmailAddress, story: &Story, zone: Tz) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", address.as_str(), story.status)];
    lines.extend(story.chosen.as_ref().map(|chosen| chose(chosen, zone)).filter(|chosen| !chosen.is_empty()));
    let width = |of: fn(&Event) -> usize| story.events.iter().map(of).max().unwrap_or(0);
    let (kinds, editions) = (width(|e| e.kind.len()), width(|e| e.edition.as_deref().map_or(0, str::len)));
    for event in &story.events {
        let at = event.at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z");
        let edition = event.edition.as_deref().unwrap_or_default();
        let line = format!("{at}  {:kinds$}  {edition:editions$}  {}", event.kind, said(event));
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// What they chose, without what they left as it comes.
fn chose(chosen: &Chosen, zone: Tz) -> String {
    let list = |what: &str, all: Vec<&str>| Some(format!("{what}: {}", all.join(", "))).filter(|_| !all.is_empty());
    let pause =
        chosen.paused_until.map(|until| format!("no mail until {}", until.with_timezone(&zone).format("%Y-%m-%d")));
    let language = chosen.language.as_ref().map(|language| format!("language: {language}"));
    let lists = [list("digests", chosen.digests.iter().collect()), list("topics", chosen.topics.iter().collect())];
    let all: Vec<String> = [pause].into_iter().chain(lists).chain([language]).flatten().collect();
    all.join("; ")
}

/// What was said and, behind it, at which step of the dialogue, how long it took, who took it, and over which relay it went.
fn said(event: &Event) -> String {
    let mut said = event.code.map_or(String::new(), |code| format!("{code} "));
    said.push_str(&event.text);
    let stage = event.stage.as_deref().filter(|_| event.kind != "accepted").map(step);
    let took = event.duration.map(|millis| match millis {
        60_000.. => say::span(millis / 1000),
        ..100 => format!("{millis} ms"),
        _ => format!("{:.1} s", millis as f64 / 1000.0),
    });
    let relay = event.relay.as_ref().map(|relay| format!("relay {relay}"));
    let beside: Vec<String> = [stage, took, event.transport.clone(), relay].into_iter().flatten().collect();
    match beside.is_empty() {
        true => said,
        false => format!("{} ({})", said.trim_end(), beside.join(", ")).trim_start().to_owned(),
    }
}

/// A stage of the dialogue in words.
fn step(stage: &str) -> String {
    match stage {
        "connect" => "on connecting".to_owned(),
        "greeting" => "at the greeting".to_owned(),
        "mail" => "at MAIL FROM".to_owned(),
        "rcpt" => "at RCPT TO".to_owned(),
        "body" => "in the body".to_owned(),
        "dot" => "after the final dot".to_owned(),
        other => format!("at {}", other.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};

    #[test]
    fn a_story_reads_in_columns() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let edition = Some("weekly/2026-11-23".to_owned());
        let event = |time: &str, kind: &str| Event { at: at(time), kind: kind.to_owned(), ..Event::default() };
        let story = Story {
            status: "suppressed (bounce)".to_owned(),
            chosen: None,
            events: vec![
                Event { text: "file".into(), ..event("2026-10-31T08:00:00Z", "subscribed") },
                Event { edition: edition.clone(), ..event("2026-11-23T15:00:01Z", "queued") },
                Event {
                    edition: edition.clone(),
                    stage: Some("rcpt".into()),
                    code: Some(451),
                    enhanced: Some("4.7.1".into()),
                    text: "4.7.1 greylisted, come back later".into(),
                    duration: Some(312),
                    ..event("2026-11-23T15:00:02Z", "deferred")
                },
                Event {
                    edition: edition.clone(),
                    stage: Some("dot".into()),
                    text: "no reply in 600 seconds".into(),
                    duration: Some(601_000),
                    ..event("2026-11-23T15:12:00Z", "unknown")
                },
                Event {
                    edition,
                    stage: Some("dot".into()),
                    code: Some(250),
                    text: "2.0.0 taken".into(),
                    duration: Some(80),
                    transport: Some("smtp://mail.example.org:587".into()),
                    relay: Some("second".into()),
                    ..event("2026-11-23T16:00:00Z", "accepted")
                },
                Event { text: "bounce".into(), ..event("2026-11-23T17:00:00Z", "suppressed") },
            ],
        };
        let address = "ada@example.net".parse().unwrap();
        insta::assert_snapshot!(tell(&address, &story, chrono_tz::America::Chicago).join("\n"));
    }
}
