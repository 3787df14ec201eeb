//! Whether an edition gets out in time: readers against the rates that are allowed.

use super::{Finding, Severity, Source, at_key, explained};
use crate::check::mail::{self, place};
use crate::delivery::Rate;
use chrono::TimeDelta;

const ANCHOR: &str = "how-long-an-edition-takes";
/// Who sends so many mails a day to Gmail's users is a bulk sender for good, and to Yahoo's likewise.
const BULK: i64 = 5_000;

/// A digest with its readers.
#[derive(Clone, Copy, Debug)]
pub struct Digest<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many would get an edition now.
    pub readers: i64,
    /// From its next edition to the one after it; none where it has no schedule.
    pub gap: Option<TimeDelta>,
}

/// What is wrong with the rates for these digests.
pub fn times(source: &Source, rates: &[Rate], digests: &[Digest<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for digest in digests {
        let Digest { name, readers, gap } = *digest;
        if let Some((gap, needs)) = gap.zip(slowest(rates, readers)).filter(|(gap, needs)| needs >= gap) {
            found.push(at_key(
                source,
                "delivery.rates",
                Severity::Warning,
                format!(
                    "At these rates an edition of {name} takes {} to reach its {readers} readers, and the next is due after {}",
                    span(needs),
                    span(gap)
                ),
                "raise them as far as your mail provider allows, or mail that digest less often",
                ANCHOR,
            ));
        }
        if readers >= BULK {
            let place = place::in_config(source, name, "digest.name");
            let message = format!(
                "With {readers} readers you are a bulk sender for Gmail and Yahoo, which then want SPF, DKIM, DMARC and few complaints"
            );
            let help = "see that nothing else stands here about them, and look at Google's Postmaster Tools";
            found.push(Finding { url: Some(explained(ANCHOR)), ..mail::finding(place, Severity::Note, message, help) });
        }
    }
    found
}

/// How long it takes until the last of so many may go, by the rate that takes longest.
fn slowest(rates: &[Rate], mails: i64) -> Option<TimeDelta> {
    let of = |rate: &Rate| ((mails - 1).max(0) / rate.messages.max(1)).checked_mul(rate.window);
    rates.iter().filter_map(of).max().and_then(TimeDelta::try_milliseconds)
}

fn span(time: TimeDelta) -> String {
    match time.num_minutes() {
        minutes @ ..120 => format!("{minutes} minutes"),
        minutes @ 120..2880 => format!("{} hours", (minutes + 30) / 60),
        minutes => format!("{} days", (minutes + 720) / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_must_be_out_before_the_next() {
        let source = Source {
            path: "config.toml".to_owned(),
            text: "[delivery]\nrates = ['100/h', '1000/d']\n[[digest]]\nname = 'daily'\n".to_owned(),
        };
        let rates: Vec<Rate> = ["100/h", "1000/d"].map(|rate| rate.parse().expect("a rate")).into();
        let judge = |readers, gap| {
            let found = times(&source, &rates, &[Digest { name: "daily", readers, gap }]);
            found.into_iter().map(|f| (f.line.unwrap_or(0), f.message)).collect::<Vec<_>>()
        };
        let day = Some(TimeDelta::days(1));
        assert_eq!(judge(0, day), []);
        assert_eq!(judge(1000, day), []);
        let late = "At these rates an edition of daily takes 24 hours to reach its 1001 readers, and the next is due after 24 hours";
        assert_eq!(judge(1001, day), [(2, late.to_owned())]);
        assert_eq!(judge(1001, None), []);
        assert_eq!(judge(4999, Some(TimeDelta::days(7))), []);
        let bulk = judge(5000, Some(TimeDelta::days(7)));
        assert_eq!((bulk.len(), bulk[0].0), (1, 4));
    }
}
