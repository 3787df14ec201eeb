//! Mail to the author (`mail.report_to`): a run failed, a relay is out of service, something is held, all is well again.
//!
//! It does not leave by the ledger, since it goes to no reader (P7). The same news is told once, then once a day until it is
//! over: what was told stands in the store's notes. Where the store itself cannot be used nobody remembers, and each failing run
//! says so. No reader's address is in it.

use crate::address::{Mailbox, mask_all};
use crate::message::{self, Envelope, Message, Signer, header, quoted};
use crate::random::{Random, base32};
use crate::store::numbers::Edition;
use crate::store::{self, Store};
use crate::template::text::shorten;
use crate::transport::{Job, Relay, relay};
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};

/// The folder of an outbox, and what the transport calls the occasion.
const OCCASION: &str = "report";
/// The same news is told again after this.
const AGAIN: TimeDelta = TimeDelta::days(1);
/// So many pieces of news are remembered.
const KEPT: usize = 50;
/// A subject that mail programs show in full.
const SUBJECT: usize = 90;

/// Who has news. Each remembers for itself: that the one is well does not end the trouble of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// `run`: what stopped it, and what is held.
    Run,
    /// `work` and `serve`: what stopped their deliveries.
    Work,
}

impl By {
    /// The store's note of what was told.
    fn note(self) -> &'static str {
        match self {
            By::Run => "reported",
            By::Work => "reported_by_work",
        }
    }

    fn failed(self) -> &'static str {
        match self {
            By::Run => "the run failed",
            By::Work => "delivery failed",
        }
    }
}

/// How a run or a round ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct News<'a> {
    /// What stopped it.
    pub failure: Option<&'a str>,
    /// Why each of the relays went out of service that did, while others went on.
    pub out: &'a [String],
}

/// Writes to the author.
pub struct Notifier<'a> {
    /// Who does.
    pub by: By,
    /// Remembers what was told; None where it cannot be used.
    pub store: Option<&'a Store>,
    /// The way out: the readers' own.
    pub relays: &'a [Relay],
    /// Who writes.
    pub mail: &'a message::Settings,
    /// Signs it, so that it does not end up in the author's spam.
    pub signer: &'a Signer,
    /// For the Message-ID.
    pub random: &'a Random,
}

/// Why the author could not be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// What is known could not be asked for, or not be noted.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The mail did not go out: the server's words or ours.
    #[error("{0}")]
    NotSent(String),
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tell {
    Nothing,
    Trouble,
    Well,
}

/// How things stand.
#[derive(Debug, Default)]
struct Standing {
    /// What stopped the run.
    failure: Option<String>,
    /// Relays that went out of service.
    out: Vec<String>,
    /// Editions that rested too long.
    held: Vec<Edition>,
    /// Editions with deliveries in doubt that wait for a person, and how many.
    in_doubt: Vec<(String, i64)>,
    /// Editions that are on their way.
    open: Vec<Edition>,
}

/// What was told, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    /// The keys of news that is not over.
    news: Vec<(String, i64)>,
    /// Those of relays: nobody waits for their end, since one that rests is not tried.
    out: Vec<(String, i64)>,
    /// How many deliveries in doubt were told of: they stay so, and are no trouble that will be over.
    in_doubt: i64,
    in_doubt_at: i64,
}

impl Notifier<'_> {
    /// Tells the author what is new: what failed, and what is held. Says whether a mail went out.
    ///
    /// # Errors
    /// [`Error`]; what could not be told is told by the next run.
    pub fn tell(&self, to: &Mailbox, news: News<'_>, now: DateTime<Utc>) -> Result<bool, Error> {
        let (failure, out) = (news.failure.map(mask_all), news.out.iter().map(|why| mask_all(why)).collect());
        let mut standing = Standing { failure, out, ..Standing::default() };
        let mut told = Told::default();
        if let Some(store) = self.store {
            if self.by == By::Run {
                standing.held = store.editions_named(store.held_editions()?.iter().map(String::as_str))?;
                standing.in_doubt = store.editions_with_held()?;
            }
            let open = store.editions_named(store.unfinished()?.iter().map(String::as_str))?;
            standing.open = open.into_iter().filter(|edition| edition.state == "open").collect();
            told = Told::read(&store.note(self.by.note())?.unwrap_or_default());
        }
        let (tell, then) = decide(&standing, &told, now.timestamp_millis());
        let sent = match tell {
            Tell::Nothing => false,
            tell => {
                let (subject, text) = compose(self.by, tell, &standing, self.store.is_some());
                self.send(to, &subject, &text, now)?;
                true
            }
        };
        if let Some(store) = self.store.filter(|_| then != told) {
            store.set_note(self.by.note(), &then.written())?;
        }
        Ok(sent)
    }

    fn send(&self, to: &Mailbox, subject: &str, text: &str, now: DateTime<Utc>) -> Result<(), Error> {
        let id = self.random.id();
        let from = &self.mail.from;
        let mut bytes = header::mailbox("From", from);
        bytes.push_str(&header::mailbox("To", to));
        bytes.push_str(&header::unstructured("Subject", subject));
        bytes.push_str(&format!("Date: {}\r\n", header::date(&now)));
        bytes.push_str(&format!("Message-ID: <{id}@{}>\r\n", from.address.domain()));
        bytes.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
        bytes.push_str("Content-Transfer-Encoding: quoted-printable\r\n");
        // RFC 3834 section 5: nobody's absence is answered to a program.
        bytes.push_str("Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n\r\n");
        bytes.push_str(&quoted::encode(text));
        let envelope = Envelope { from: from.address.clone(), to: to.address.clone() };
        let bytes = self.signer.sign(bytes.into_bytes(), now).map_err(|e| Error::NotSent(e.to_string()))?;
        let message = Message { envelope, bytes };
        let job = Job { edition: OCCASION, delivery: &id, message: &message };
        relay::send(self.relays, &job).map_err(Error::NotSent)
    }
}

/// What to tell, and what is then remembered.
fn decide(standing: &Standing, told: &Told, now: i64) -> (Tell, Told) {
    // A clock that was set back, too, ends the silence.
    let long_ago = |at: i64| (now - at).abs() >= AGAIN.num_milliseconds();
    let (keys, out) = (standing.keys(), standing.keys_of_relays());
    let in_doubt = standing.in_doubt.iter().map(|(_, count)| count).sum::<i64>();
    let fresh = |known: &[(String, i64)], keys: &[String]| {
        keys.iter().any(|key| known.iter().find(|(known, _)| known == key).is_none_or(|(_, at)| long_ago(*at)))
    };
    let more_in_doubt = in_doubt > told.in_doubt && (told.in_doubt == 0 || long_ago(told.in_doubt_at));
    let mut then = told.clone();
    // Fewer than were told of: somebody has cleared up, and what comes is new.
    then.in_doubt = then.in_doubt.min(in_doubt);
    if in_doubt == 0 {
        then.in_doubt_at = 0;
    }
    if more_in_doubt || fresh(&told.news, &keys) || fresh(&told.out, &out) {
        remember(&mut then.news, keys, now);
        remember(&mut then.out, out, now);
        (then.in_doubt, then.in_doubt_at) = (in_doubt, if in_doubt > 0 { now } else { 0 });
        return (Tell::Trouble, then);
    }
    if keys.is_empty() && out.is_empty() && !told.news.is_empty() {
        then.news.clear();
        return (Tell::Well, then);
    }
    (Tell::Nothing, then)
}

/// These were told now, and of older news not too much is kept.
fn remember(told: &mut Vec<(String, i64)>, keys: Vec<String>, now: i64) {
    told.retain(|(known, _)| !keys.contains(known));
    told.extend(keys.into_iter().map(|key| (key, now)));
    let excess = told.len().saturating_sub(KEPT);
    told.drain(..excess);
}

impl Standing {
    /// What makes news the same news.
    fn keys(&self) -> Vec<String> {
        let failure = self.failure.iter().map(|failure| key(&words(failure)));
        failure.chain(self.held.iter().map(|edition| key(&format!("held {}", edition.id)))).collect()
    }

    fn keys_of_relays(&self) -> Vec<String> {
        self.out.iter().map(|why| key(&words(why))).collect()
    }
}

fn key(text: &str) -> String {
    base32(&digest(&SHA256, text.as_bytes()).as_ref()[..10])
}

/// Of a failure only the words without a digit in them: counts and a server's queue ids differ from run to run.
fn words(failure: &str) -> String {
    let words = failure.split_whitespace().filter(|word| !word.bytes().any(|octet| octet.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

impl Told {
    /// What [`Told::written`] wrote; what cannot be read was never told.
    fn read(note: &str) -> Told {
        let mut told = Told::default();
        for line in note.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["news", key, at] => told.news.extend(at.parse().ok().map(|at| (key.to_owned(), at))),
                ["relay", key, at] => told.out.extend(at.parse().ok().map(|at| (key.to_owned(), at))),
                ["in-doubt", count, at] => {
                    (told.in_doubt, told.in_doubt_at) = (count.parse().unwrap_or(0), at.parse().unwrap_or(0));
                }
                _ => {}
            }
        }
        told
    }

    fn written(&self) -> String {
        let mut note: String = self.news.iter().map(|(key, at)| format!("news {key} {at}\n")).collect();
        note.extend(self.out.iter().map(|(key, at)| format!("relay {key} {at}\n")));
        if self.in_doubt > 0 {
            note.push_str(&format!("in-doubt {} {}\n", self.in_doubt, self.in_doubt_at));
        }
        note
    }
}

/// Subject and text: what happened, where things stand, what to type.
fn compose(by: By, tell: Tell, standing: &Standing, remembers: bool) -> (String, String) {
    let mut text = String::new();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let doubts: i64 = standing.in_doubt.iter().map(|(_, count)| count).sum();
    let subject = match (&standing.failure, &standing.held[..]) {
        _ if tell == Tell::Well => "postrider: all is well again".to_owned(),
        (Some(failure), _) => format!("postrider: {}: {}", by.failed(), failure.lines().next().unwrap_or_default()),
        (None, [edition]) => format!("postrider: {} is held", edition.id),
        (None, [_, _, ..]) => format!("postrider: {} editions are held", standing.held.len()),
        (None, []) => match standing.out.first().and_then(|why| why.lines().next()) {
            Some(why) => format!("postrider: {why}"),
            None => format!("postrider: {} held", count(doubts)),
        },
    };
    if tell == Tell::Well {
        add(match by {
            By::Run => "What was reported is over: the last run came to its end, and no edition is held.",
            By::Work => "What was reported is over: deliveries go out again.",
        });
    }
    if let Some(failure) = &standing.failure {
        add(match by {
            By::Run => "The run failed:\n",
            By::Work => "Delivery failed:\n",
        });
        failure.lines().for_each(|line| add(&format!("  {}", line.trim())));
        add(match by {
            By::Run => "\nWhat was not sent stays queued, and the next run goes on with it.",
            By::Work => "\nWhat was not sent stays queued, and is tried again within the hour.",
        });
    }
    if !standing.out.is_empty() {
        add("\nOut of service, while other relays go on:\n");
        standing.out.iter().flat_map(|why| why.lines()).for_each(|line| add(&format!("  {}", line.trim())));
    }
    for edition in &standing.held {
        add(&format!("\n{} had no attempt for longer than delivery.give_up_after and is held:\n", edition.id));
        state(edition).iter().for_each(|line| add(line));
        add(&format!("\n  postrider approve {}    sends it", edition.id));
        add(&format!("  postrider cancel {}     withdraws it", edition.id));
    }
    if tell == Tell::Trouble && doubts > 0 {
        add("\nHeld, since they may or may not have come, and not sent again:\n");
        for (edition, held) in &standing.in_doubt {
            add(&format!("  {edition}: {}", count(*held)));
        }
        add("\n  postrider status                  lists them by address");
        add("  postrider retry EDITION --held    sends it once more, so that some may have it twice");
    }
    if !standing.open.is_empty() {
        add("\nOn their way:\n");
        standing.open.iter().flat_map(state).for_each(|line| add(&line));
    }
    match (tell, remembers) {
        (Tell::Well, _) => {}
        (_, true) => add("\nThe same news comes once a day at most, and there is one more mail when it is over."),
        (_, false) => add("\nThe store cannot be used, so nobody remembers this mail: each run that fails writes one."),
    }
    (shorten(&subject, SUBJECT), text.trim_start().to_owned())
}

fn state(edition: &Edition) -> Vec<String> {
    let counts = edition.counts.in_words().into_iter().filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
    vec![format!("  {}  {:?}", edition.id, edition.subject), format!("    {}", counts.join(", "))]
}

fn count(deliveries: i64) -> String {
    if deliveries == 1 { "1 delivery".to_owned() } else { format!("{deliveries} deliveries") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Counts;
    use crate::transport::Transport;

    const HOUR: i64 = 3_600_000;

    fn failed(why: &str) -> Standing {
        Standing { failure: Some(why.to_owned()), ..Standing::default() }
    }

    /// What is told in each hour of a sequence.
    fn hours(standings: &[Standing]) -> Vec<Tell> {
        let mut told = Told::default();
        let step = |(hour, standing)| {
            let (tell, then) = decide(standing, &told, hour as i64 * HOUR);
            told = Told::read(&then.written());
            assert_eq!(told, then, "what is noted is what is read");
            tell
        };
        standings.iter().enumerate().map(step).collect()
    }

    #[test]
    fn the_same_failure_each_hour_is_told_once_then_daily_and_once_when_it_is_over() {
        let mut standings: Vec<Standing> =
            (0..50).map(|n| failed(&format!("the server did not answer ({n} left, id 4XyZ{n})"))).collect();
        standings.extend([Standing::default(), Standing::default()]);
        let told = hours(&standings);
        let at = |tell| (0..told.len()).filter(|n| told[*n] == tell).collect::<Vec<_>>();
        assert_eq!((at(Tell::Trouble), at(Tell::Well)), (vec![0, 24, 48], vec![50]));
    }

    #[test]
    fn other_news_is_told_at_once_and_two_that_take_turns_do_not_nag() {
        let held = |id: &str| Edition { id: id.to_owned(), ..Edition::default() };
        let with = |failure: Option<&str>, ids: &[&str]| Standing {
            failure: failure.map(str::to_owned),
            held: ids.iter().map(|id| held(id)).collect(),
            ..Standing::default()
        };
        let standings = [
            with(Some("a"), &[]),
            with(Some("b"), &[]),
            with(Some("a"), &[]),
            with(None, &["weekly/2026-11-16"]),
            with(None, &["weekly/2026-11-16", "weekly/2026-11-23"]),
            with(None, &["weekly/2026-11-23"]),
            with(None, &[]),
        ];
        use Tell::{Nothing, Trouble, Well};
        assert_eq!(hours(&standings), [Trouble, Trouble, Nothing, Trouble, Trouble, Nothing, Well]);
    }

    #[test]
    fn deliveries_in_doubt_are_told_once_and_nobody_waits_for_their_end() {
        let doubts = |count| Standing { in_doubt: vec![("weekly/1".to_owned(), count)], ..Standing::default() };
        let mut standings: Vec<Standing> = [0, 2, 2, 3].into_iter().map(doubts).collect();
        standings.extend((4..30).map(|_| doubts(3)));
        standings.push(Standing::default());
        let told = hours(&standings);
        let trouble: Vec<usize> = (0..told.len()).filter(|n| told[*n] == Tell::Trouble).collect();
        assert_eq!(trouble, [1, 25], "the third, a day after the two");
        assert!(!told.contains(&Tell::Well));
    }

    #[test]
    fn a_relay_that_is_out_is_told_once_a_day_and_nobody_waits_for_its_end() {
        let out =
            |why: &[&str]| Standing { out: why.iter().map(|why| (*why).to_owned()).collect(), ..Standing::default() };
        let first = "the relay first: cannot reach 127.0.0.1:9";
        let mut standings = vec![out(&[first]), out(&[]), out(&[first]), out(&[first, "the relay second is busy"])];
        standings.extend((4..30).map(|_| out(&[first])));
        standings.push(out(&[]));
        let told = hours(&standings);
        let trouble: Vec<usize> = (0..told.len()).filter(|n| told[*n] == Tell::Trouble).collect();
        assert_eq!(trouble, [0, 3, 27]);
        assert!(!told.contains(&Tell::Well));
        let (subject, _) = compose(By::Run, Tell::Trouble, &standings[0], true);
        assert_eq!(subject, "postrider: the relay first: cannot reach 127.0.0.1:9");
    }

    #[test]
    fn a_mail_says_what_happened_and_what_to_type() {
        let counts = Counts { accepted: 10, queued: 990, ..Counts::default() };
        let edition = |id: &str| Edition {
            id: id.into(),
            subject: "Field Notes: First snow".into(),
            counts,
            ..Edition::default()
        };
        let standing = Standing {
            failure: Some("the server refuses one message after another by its policy\n  help: look at SPF".into()),
            out: vec!["the relay first: cannot reach 127.0.0.1:9\n  help: look at the server".into()],
            held: vec![edition("weekly/2026-11-16")],
            in_doubt: vec![("weekly/2026-11-09".into(), 2)],
            open: vec![edition("weekly/2026-11-23")],
        };
        let (subject, text) = compose(By::Run, Tell::Trouble, &standing, true);
        insta::assert_snapshot!("trouble", format!("{subject}\n\n{text}"));
        let (subject, text) = compose(By::Run, Tell::Well, &Standing::default(), true);
        insta::assert_snapshot!("well", format!("{subject}\n\n{text}"));
        let (_, text) = compose(By::Run, Tell::Trouble, &failed("the store is damaged"), false);
        assert!(text.ends_with("each run that fails writes one.\n"), "{text}");
    }

    #[test]
    fn it_goes_out_as_mail_without_an_address_of_a_reader() {
        let mail: message::Settings = toml::from_str("from = 'Field Notes <news@example.org>'").unwrap();
        let (transport, memory) = Transport::memory();
        let random = Random::seeded(1);
        let notifier = Notifier {
            by: By::Run,
            store: None,
            relays: &[Relay::sole(transport, 1)],
            mail: &mail,
            signer: &Signer::none(),
            random: &random,
        };
        let to = "Ada <ada@example.org>".parse().unwrap();
        let why = "it said: 550 <zoe@example.net> is nobody\nBcc: x@example.net";
        assert!(
            notifier
                .tell(&to, News { failure: Some(why), out: &[] }, DateTime::from_timestamp(1_795_446_000, 0).unwrap())
                .unwrap()
        );
        let taken = memory.taken();
        assert_eq!((taken.len(), taken[0].message.envelope.to.as_str()), (1, "ada@example.org"));
        let text = String::from_utf8(taken[0].message.bytes.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> =
            head.split("\r\n").filter(|l| !l.starts_with(' ')).map(|l| l.split(':').next().unwrap()).collect();
        let expected = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
        ];
        assert_eq!(names, expected);
        let body = quoted::decode(body).unwrap();
        assert!(body.contains("550 <z…@e….net> is nobody") && !text.contains("@example.net"), "{body}");
    }
}
