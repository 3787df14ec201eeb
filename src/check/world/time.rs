//! Whether an edition gets out in time: readers against the rates that are allowed.

use super::{Finding, Severity, Source, explained, in_table};
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

/// How much may go.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// By all ways out together.
    pub together: Vec<Rate>,
    /// By each of several relays, with its name.
    pub relays: Vec<(String, Vec<Rate>)>,
}

/// What is wrong with the rates for these digests.
pub fn times(source: &Source, rates: &Rates, digests: &[Digest<'_>]) -> Vec<Finding> {
    let relay = rates.relays.iter().find(|(_, rates)| !rates.is_empty());
    let (table, key) = relay.map_or(("", "delivery.rates"), |(name, _)| (name, "relay.rates"));
    let mut found = Vec::new();
    for digest in digests {
        let Digest { name, readers, gap } = *digest;
        if let Some((gap, needs)) = gap.map(|gap| (gap, rates.needed(readers))).filter(|(gap, needs)| needs >= gap) {
            found.push(in_table(
                source,
                table,
                key,
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

/// Nobody waits longer: a hundred years, in milliseconds.
const FOREVER: i64 = 100 * 365 * 86_400_000;

impl Rates {
    /// How long it takes until the last of so many may go.
    fn needed(&self, mails: i64) -> TimeDelta {
        let (mut short, mut long) = (0, FOREVER);
        while short < long {
            let middle = short + (long - short) / 2;
            if self.gone_by(middle) >= mails { long = middle } else { short = middle + 1 }
        }
        TimeDelta::milliseconds(long)
    }

    /// How many may have gone so many milliseconds after the first.
    fn gone_by(&self, millis: i64) -> i64 {
        let by = |rates: &[Rate]| {
            let of = |rate: &Rate| rate.messages.saturating_mul(millis / rate.window.max(1) + 1);
            rates.iter().map(of).min().unwrap_or(i64::MAX)
        };
        let relays = self.relays.iter().map(|(_, rates)| by(rates)).reduce(i64::saturating_add);
        by(&self.together).min(relays.unwrap_or(i64::MAX))
    }
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

    fn rates(rates: &[&str]) -> Vec<Rate> {
        rates.iter().map(|rate| rate.parse().expect("a rate")).collect()
    }

    #[test]
    fn several_relays_take_more_together() {
        let relay = |name: &str, texts: &[&str]| (name.to_owned(), rates(texts));
        let relays = vec![relay("a", &["100/h", "300/d"]), relay("b", &["200/d"])];
        let both = Rates { together: Vec::new(), relays: relays.clone() };
        for (mails, hours) in [(0, 0), (300, 0), (301, 1), (400, 1), (500, 2), (501, 24), (1000, 24), (1001, 48)] {
            assert_eq!(both.needed(mails), TimeDelta::hours(hours), "{mails}");
        }
        let limited = Rates { together: rates(&["400/d"]), relays: relays.clone() };
        assert_eq!(limited.needed(401), TimeDelta::days(1));
        let one_without = Rates { together: Vec::new(), relays: [relays, vec![relay("c", &[])]].concat() };
        assert_eq!(one_without.needed(1_000_000), TimeDelta::zero());
        let source = Source {
            path: "config.toml".to_owned(),
            text: "[[relay]]\nname = 'a'\nrates = ['200/d']\n[[digest]]\nname = 'daily'\n".to_owned(),
        };
        let digest = Digest { name: "daily", readers: 501, gap: Some(TimeDelta::days(1)) };
        let found = times(&source, &both, &[digest]);
        assert_eq!(found.into_iter().map(|f| f.line).collect::<Vec<_>>(), [Some(3)]);
    }

    #[test]
    fn an_edition_must_be_out_before_the_next() {
        let source = Source {
            path: "config.toml".to_owned(),
            text: "[delivery]\nrates = ['100/h', '1000/d']\n[[digest]]\nname = 'daily'\n".to_owned(),
        };
        let rates = Rates { together: rates(&["100/h", "1000/d"]), relays: Vec::new() };
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
