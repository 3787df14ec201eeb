//! What `init` asks on a terminal: only what the site does not say, each with what is taken where the answer is empty.

use super::super::arguments::schedule;
use super::Facts;
use crate::address::Mailbox;
use crate::delivery::route::Route;
use anyhow::Result;
use chrono_tz::Tz;
use std::io::{BufRead, Write};
use url::Url;

/// Asks, and puts the answers where flags would have put them.
pub(super) fn ask(facts: &mut Facts, answers: &mut impl BufRead, out: &mut impl Write) -> Result<()> {
    let Facts { options, generator, habits } = facts;
    writeln!(
        out,
        "Read as {}, for {}. An empty answer takes what stands in [ ]; Ctrl-C leaves all as it was.\n",
        generator.rules.dialect(),
        generator.why
    )?;
    let mut asker = Asker { answers, out };
    if options.title.is_none() && generator.title.is_none() {
        options.title = asker.until("The site's title", None, |text| Ok(text.to_owned()))?;
    }
    if options.url.is_none() && generator.url.is_none() {
        let parsed = |text: &str| text.parse::<Url>().map_err(|_| "write it with https://".to_owned());
        options.url = asker.until("Where is the site served", None, parsed)?;
    }
    if options.timezone.is_none() && generator.timezone.is_none() {
        let parsed = |text: &str| text.parse::<Tz>().map_err(|_| "write a zone such as Europe/Berlin".to_owned());
        options.timezone = asker.until("Time zone of dates and schedules", Some("UTC"), parsed)?;
    }
    if options.from.is_none() {
        let parsed = |text: &str| text.parse::<Mailbox>().map_err(|e| e.to_string());
        let question = "Mails come from, as in Field Notes <news@example.org>; empty: feeds alone, no mails";
        options.from = asker.until(question, Some(""), parsed)?;
    }
    if options.from.is_some() {
        if options.schedule.is_none() {
            let question = "When is the digest due: daily, weekly, monthly, each (a mail per post), or a crontab";
            options.schedule = asker.until(question, Some("weekly"), schedule)?;
        }
        if options.postal_address.is_none() {
            let question = "A postal address for the foot of the mails, which many countries ask for; empty: none yet";
            options.postal_address = asker.until(question, Some(""), |text| Ok(text.to_owned()))?;
        }
        if options.transport.is_none() {
            let question =
                "Your mail server, as in smtp://user@smtp.example.org:587; empty: mails become files, to look at";
            let parsed = |text: &str| text.parse::<Route>().map(|_| text.to_owned()).map_err(|e| e.to_string());
            options.transport = asker.until(question, Some(""), parsed)?;
        }
    }
    if options.adopt.is_empty() {
        let question = "The feed that the blog has had so far, a file or an address, so that its readers see no post again; empty: none";
        let found = habits.built_feed.clone().unwrap_or_default();
        options.adopt.extend(asker.until(question, Some(&found), |text| Ok(text.to_owned()))?);
    }
    Ok(())
}

struct Asker<'a, R, W> {
    answers: &'a mut R,
    out: &'a mut W,
}

impl<R: BufRead, W: Write> Asker<'_, R, W> {
    /// The answer, asked for until it can be read. None where it is empty and so is what is usual; a question without that
    /// wants an answer. At the end of the input nothing more is asked.
    fn until<T>(
        &mut self,
        question: &str,
        usual: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
        loop {
            match usual {
                Some(usual) if !usual.is_empty() => write!(self.out, "{question} [{usual}]: ")?,
                _ => write!(self.out, "{question}: ")?,
            }
            self.out.flush()?;
            let mut answer = String::new();
            let ended = self.answers.read_line(&mut answer)? == 0;
            let answer = match (answer.trim(), usual) {
                ("", Some("")) => return Ok(None),
                ("", Some(usual)) => usual,
                ("", None) if ended => return Ok(None),
                ("", None) => continue,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(read) => return Ok(Some(read)),
                Err(_) if ended => return Ok(None),
                Err(wrong) => writeln!(self.out, "  {wrong}")?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::arguments::InitOptions;
    use super::*;
    use crate::site::{Generator, Habits};

    fn facts(generator: Generator) -> Facts {
        let habits = Habits {
            posts: "posts".to_owned(),
            built: "public".to_owned(),
            feed: "feed.xml",
            built_feed: Some("public/feed.xml".to_owned()),
        };
        Facts { options: InitOptions::default(), generator, habits }
    }

    #[test]
    fn what_the_site_says_is_not_asked_and_a_wrong_answer_is_asked_for_again() {
        let mut known = facts(Generator {
            title: Some("Field Notes".to_owned()),
            timezone: Some(Tz::Europe__Berlin),
            ..Generator::default()
        });
        let answers = "example.org\nhttps://example.org/\nnobody\nnews@example.org\nfortnightly\nmonthly\n\n\n\n";
        let mut out = Vec::new();
        ask(&mut known, &mut answers.as_bytes(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("title") && !out.contains("Time zone"), "{out}");
        assert!(out.contains("write it with https://"), "{out}");
        let options = &known.options;
        assert_eq!(options.url.as_ref().map(Url::as_str), Some("https://example.org/"));
        assert_eq!(options.from.as_ref().map(|from| from.address.as_str()), Some("news@example.org"));
        assert_eq!(options.schedule.as_deref(), Some("0 9 1 * *"));
        assert_eq!((&options.postal_address, &options.transport), (&None, &None));
        assert_eq!(options.adopt, ["public/feed.xml"]);
    }

    #[test]
    fn an_input_that_ends_asks_no_further() {
        let mut nothing = facts(Generator::default());
        ask(&mut nothing, &mut "".as_bytes(), &mut Vec::new()).unwrap();
        assert!(nothing.options.url.is_none() && nothing.options.from.is_none());
    }
}
