//! When a digest is due: a five-field crontab, read as Unix reads it, in an IANA zone.
//! The `cron` crate finds the days; its calendar (seconds, Sunday = 1, both day fields at once, jobs that the clock's
//! jumps lose or repeat) is mended here. Promises moments that only go forward, one for each wall time.

use chrono::{DateTime, Datelike, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use std::fmt;
use std::str::FromStr;

/// Why a schedule was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not five fields.
    #[error(
        "the schedule `{text}` has {count} fields; a crontab has five: minute, hour, day of month, month, day of week, \
         as in `0 9 * * MON`{hint}"
    )]
    Count {
        /// The schedule as written.
        text: String,
        /// How many fields it has.
        count: usize,
        /// What may have been meant; empty, or a clause that starts with `;`.
        hint: &'static str,
    },
    /// One field cannot be read.
    #[error("the {field} `{part}` of the schedule `{text}` {wrong}; allowed are {allowed}")]
    Field {
        /// The schedule as written.
        text: String,
        /// The field's name.
        field: &'static str,
        /// The part of the field that is wrong.
        part: String,
        /// What is wrong with it.
        wrong: &'static str,
        /// What the field may hold.
        allowed: &'static str,
    },
    /// No day has this date.
    #[error(
        "the schedule `{text}` never fires: no month that it allows has such a day; change the day of month or the month"
    )]
    Never {
        /// The schedule as written.
        text: String,
    },
}

/// When a digest is due.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// `each`: a mail per post, when its time has come.
    Each,
    /// At the moments of a crontab.
    Crontab(Crontab),
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "each" => Ok(Schedule::Each),
            text => Crontab::parse(text).map(Schedule::Crontab),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Each => f.write_str("each"),
            Schedule::Crontab(crontab) => crontab.fmt(f),
        }
    }
}

/// A five-field crontab: minute, hour, day of month, month, day of week. Fires at least once in the years 1970 to 2100.
///
/// While the clock is set back, a wall time that comes twice fires the first time only, so a schedule finer than an
/// hour rests in the repeated hour. A wall time that is left out fires at the first valid minute after it.
#[derive(Clone, Debug)]
pub struct Crontab {
    text: String,
    /// It fires when any of these does: two where both day fields are restricted, for Unix then takes either.
    parts: Vec<cron::Schedule>,
}

impl fmt::Display for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// More than the longest rest of any schedule: 29 February on one weekday comes every 28 years, or 40 over 2100.
const LONGEST_REST: TimeDelta = TimeDelta::days(41 * 366);
/// The last year that the `cron` crate knows.
const LAST_YEAR: i32 = 2100;
/// A day was left out in Samoa, Kiribati and Kwajalein; no jump of a clock is longer.
const LONGEST_GAP_MINUTES: i64 = 26 * 60;

impl Crontab {
    /// Reads five fields separated by blanks. Each is a list of `*`, values, ranges, and steps of `*` or a range;
    /// months and days of the week also by their first three letters; Sunday is 0 or 7.
    ///
    /// As in Vixie cron a day field that starts with `*` does not restrict: only where neither does is either day enough.
    ///
    /// # Errors
    /// A sentence that names the field and what is allowed; also where no date ever matches, such as 31 February.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let hint = match fields.len() {
                6 => "; there is no field for seconds or the year",
                _ if text.starts_with('@') => "; shorthands such as `@weekly` are not known",
                _ => "",
            };
            return Err(Error::Count { text: text.to_owned(), count: fields.len(), hint });
        };
        let minutes = MINUTE.read(text, minute)?;
        let hours = HOUR.read(text, hour)?;
        let days = DAY.read(text, day)?;
        let months = MONTH.read(text, month)?;
        let weekdays = WEEKDAY.read(text, weekday)?;

        let both_restricted = !day.starts_with('*') && !weekday.starts_with('*');
        let day_pairs = if both_restricted {
            vec![(list(&days, 0), "*".to_owned()), ("*".to_owned(), list(&weekdays, 1))]
        } else {
            vec![(list(&days, 0), list(&weekdays, 1))]
        };
        let parts = day_pairs
            .into_iter()
            .map(|(days, weekdays)| {
                let expression =
                    format!("0 {} {} {days} {} {weekdays}", list(&minutes, 0), list(&hours, 0), list(&months, 0));
                cron::Schedule::from_str(&expression).expect("lists of values in range are what the crate reads")
            })
            .collect();
        let crontab = Crontab { text: text.to_owned(), parts };
        match crontab.next_after(DateTime::UNIX_EPOCH, Tz::UTC) {
            Some(_) => Ok(crontab),
            None => Err(Error::Never { text: text.to_owned() }),
        }
    }

    /// The first moment later than `t`; none after the year 2100.
    pub fn next_after(&self, t: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        if t.year() > LAST_YEAR {
            return None;
        }
        // The crate is given wall time as if it were UTC, which has neither gaps nor folds. Instants never go back as wall
        // time goes on, so the first one later than `t` is the right one; those up to `t` are the rest of a fold.
        let mut wall = t.max(DateTime::UNIX_EPOCH - TimeDelta::seconds(1)).with_timezone(&zone).naive_local();
        wall = wall.with_nanosecond(0).unwrap_or(wall);
        loop {
            wall = self.parts.iter().filter_map(|part| part.after(&wall.and_utc()).next()).min()?.naive_utc();
            match instant(wall, zone) {
                Some(instant) if instant > t => return Some(instant),
                _ => continue,
            }
        }
    }

    /// The last moment not later than `t`, not before 1970.
    pub fn latest_at_or_before(&self, t: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let start = t.checked_sub_signed(LONGEST_REST)?;
        let not_later = |from| self.next_after(from, zone).filter(|found| *found <= t);
        let mut found = not_later(start)?;
        // Halving: `found` fires, and nothing does after `end` up to `t`.
        let mut end = t;
        while end - found > TimeDelta::minutes(1) {
            let middle = found + (end - found) / 2;
            match not_later(middle) {
                Some(later) => found = later,
                None => end = middle,
            }
        }
        Some(not_later(found).unwrap_or(found))
    }
}

/// When the clocks of `zone` show `wall` for the first time, or the first whole minute that they show after it.
fn instant(wall: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
        match zone.from_local_datetime(&wall.checked_add_signed(TimeDelta::minutes(minutes))?) {
            LocalResult::Single(only) => Some(only.to_utc()),
            LocalResult::Ambiguous(one, other) => Some(one.min(other).to_utc()),
            LocalResult::None => None,
        }
    })
}

/// The values as the crate's list, each raised by `offset` (its Sunday is 1).
fn list(values: &[u32], offset: u32) -> String {
    values.iter().map(|value| (value + offset).to_string()).collect::<Vec<_>>().join(",")
}

/// One of the five fields.
struct Field {
    name: &'static str,
    allowed: &'static str,
    first: u32,
    last: u32,
    /// Names for `first` and what follows it.
    names: &'static [&'static str],
}

const MINUTE: Field = Field {
    name: "minute",
    allowed: "0-59, `*`, lists `0,30`, ranges `0-29` and steps `*/15`",
    first: 0,
    last: 59,
    names: &[],
};
const HOUR: Field = Field {
    name: "hour",
    allowed: "0-23, `*`, lists `9,17`, ranges `9-17` and steps `*/6`",
    first: 0,
    last: 23,
    names: &[],
};
const DAY: Field = Field {
    name: "day of month",
    allowed: "1-31, `*`, lists `1,15`, ranges `1-7` and steps `*/10`",
    first: 1,
    last: 31,
    names: &[],
};
const MONTH: Field = Field {
    name: "month",
    allowed: "1-12 or JAN-DEC, `*`, lists `1,7`, ranges `MAR-OCT` and steps `*/3`",
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field {
    name: "day of week",
    allowed: "0-7 (0 and 7 are Sunday) or SUN-SAT, `*`, lists `MON,THU`, ranges `MON-FRI` and steps `*/2`",
    first: 0,
    last: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Field {
    /// The values that the field allows, in order, without doubles; Sunday is 0.
    fn read(&self, text: &str, field: &str) -> Result<Vec<u32>, Error> {
        let mut values = Vec::new();
        for part in field.split(',') {
            let wrong = |wrong| Error::Field {
                text: text.to_owned(),
                field: self.name,
                part: part.to_owned(),
                wrong,
                allowed: self.allowed,
            };
            values.extend(self.read_part(part).map_err(wrong)?);
        }
        if self.last == 7 {
            for value in &mut values {
                *value %= 7;
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// One item of the list; the error says what is wrong with it.
    fn read_part(&self, part: &str) -> Result<impl Iterator<Item = u32> + use<>, &'static str> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|n| *n > 0).ok_or("has no step above 0")?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            // A week has seven days: with 7 as an eighth, `*/7` would hold Sunday twice.
            None if range == "*" => (self.first, if self.last == 7 { 6 } else { self.last }),
            // Some crons read `5/15` as `5-59/15`, others as `5`; nobody should have to know which.
            None if step.is_some() => return Err("has a step without a range"),
            None => {
                let value = self.value(range)?;
                (value, value)
            }
            Some((first, last)) => {
                let (first, mut end) = (self.value(first)?, self.value(last)?);
                // SAT-SUN: a week may end on Sunday.
                if self.last == 7 && end == 0 && last.eq_ignore_ascii_case("sun") && first > 0 {
                    end = 7;
                }
                (first, end)
            }
        };
        if first > last {
            return Err("runs backwards");
        }
        Ok((first..=last).step_by(step.unwrap_or(1) as usize))
    }

    fn value(&self, text: &str) -> Result<u32, &'static str> {
        if let Some(index) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(self.first + index as u32);
        }
        let value = number(text).ok_or("cannot be read")?;
        if (self.first..=self.last).contains(&value) { Ok(value) } else { Err("is out of range") }
    }
}

/// Digits only: `+5` and an empty string are no numbers here.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
    }

    fn crontab(text: &str) -> Crontab {
        Crontab::parse(text).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The next moments after a start, in the zone's own time.
    fn next(schedule: &str, zone: Tz, start: &str, count: usize) -> Vec<String> {
        let crontab = crontab(schedule);
        let mut t = at(start);
        (0..count)
            .map(|_| {
                t = crontab.next_after(t, zone).expect("fires");
                t.with_timezone(&zone).format("%a %Y-%m-%d %H:%M%z").to_string()
            })
            .collect()
    }

    #[test]
    fn fires_when_unix_cron_would() {
        use chrono_tz::America::Chicago;
        let start = "2026-11-24T00:03:00Z"; // Monday 18:03 in Chicago
        let cases: &[(&str, &[&str])] = &[
            ("0 9 * * MON", &["Mon 2026-11-30 09:00-0600", "Mon 2026-12-07 09:00-0600"]),
            ("0 9 * * 1-5", &["Tue 2026-11-24 09:00-0600", "Wed 2026-11-25 09:00-0600"]),
            ("0 9 * * 0", &["Sun 2026-11-29 09:00-0600"]),
            ("0 9 * * 7", &["Sun 2026-11-29 09:00-0600"]),
            ("0 9 * * 5-7", &["Fri 2026-11-27 09:00-0600", "Sat 2026-11-28 09:00-0600", "Sun 2026-11-29 09:00-0600"]),
            (
                "0 9 * * sat-Sun",
                &["Sat 2026-11-28 09:00-0600", "Sun 2026-11-29 09:00-0600", "Sat 2026-12-05 09:00-0600"],
            ),
            ("0 9 * * */2", &["Tue 2026-11-24 09:00-0600", "Thu 2026-11-26 09:00-0600", "Sat 2026-11-28 09:00-0600"]),
            // Either day, where both are restricted.
            (
                "0 9 1,15 * MON",
                &["Mon 2026-11-30 09:00-0600", "Tue 2026-12-01 09:00-0600", "Mon 2026-12-07 09:00-0600"],
            ),
            // Both days, where one starts with a star: Mondays with an odd date.
            ("0 9 */2 * MON", &["Mon 2026-12-07 09:00-0600", "Mon 2026-12-21 09:00-0600"]),
            ("*/20 18 * * *", &["Mon 2026-11-23 18:20-0600", "Mon 2026-11-23 18:40-0600", "Tue 2026-11-24 18:00-0600"]),
            ("5-59/25 0 1 JAN *", &["Fri 2027-01-01 00:05-0600", "Fri 2027-01-01 00:30-0600"]),
            ("30\t6  31 * *", &["Thu 2026-12-31 06:30-0600", "Sun 2027-01-31 06:30-0600"]),
            ("0 0 29 feb *", &["Tue 2028-02-29 00:00-0600", "Sun 2032-02-29 00:00-0600"]),
        ];
        for (schedule, expected) in cases {
            assert_eq!(next(schedule, Chicago, start, expected.len()), *expected, "{schedule}");
        }
    }

    #[test]
    fn a_gap_delays_and_a_fold_fires_once() {
        use chrono_tz::{America::New_York, America::Sao_Paulo, Australia::Lord_Howe, Europe::Berlin, Pacific::Apia};
        let cases: &[(&str, Tz, &str, &[&str])] = &[
            (
                "30 2 * * *",
                New_York,
                "2027-03-13T12:00:00Z",
                &["Sun 2027-03-14 03:00-0400", "Mon 2027-03-15 02:30-0400"],
            ),
            (
                "30 2 * * SUN",
                Berlin,
                "2027-03-27T12:00:00Z",
                &["Sun 2027-03-28 03:00+0200", "Sun 2027-04-04 02:30+0200"],
            ),
            (
                "*/20 2,3 * * *",
                Berlin,
                "2027-03-28T00:50:00Z",
                &["Sun 2027-03-28 03:00+0200", "Sun 2027-03-28 03:20+0200"],
            ),
            (
                "0 0 * * *",
                Sao_Paulo,
                "2018-11-03T12:00:00Z",
                &["Sun 2018-11-04 01:00-0200", "Mon 2018-11-05 00:00-0200"],
            ),
            (
                "15 2 * * *",
                Lord_Howe,
                "2026-10-03T00:00:00Z",
                &["Sun 2026-10-04 02:30+1100", "Mon 2026-10-05 02:15+1100"],
            ),
            ("0 12 * * *", Apia, "2011-12-29T23:00:00Z", &["Sat 2011-12-31 00:00+1400", "Sat 2011-12-31 12:00+1400"]),
            (
                "30 1 * * *",
                New_York,
                "2026-11-01T04:00:00Z",
                &["Sun 2026-11-01 01:30-0400", "Mon 2026-11-02 01:30-0500"],
            ),
            // From within the second 01:xx hour nothing goes back.
            ("*/30 * * * *", New_York, "2026-11-01T06:10:00Z", &["Sun 2026-11-01 02:00-0500"]),
            (
                "30 23 * * *",
                Sao_Paulo,
                "2018-02-17T12:00:00Z",
                &["Sat 2018-02-17 23:30-0200", "Sun 2018-02-18 23:30-0300"],
            ),
            (
                "45 1 * * *",
                Lord_Howe,
                "2027-04-03T10:00:00Z",
                &["Sun 2027-04-04 01:45+1100", "Mon 2027-04-05 01:45+1030"],
            ),
        ];
        for (schedule, zone, start, expected) in cases {
            assert_eq!(next(schedule, *zone, start, expected.len()), *expected, "{schedule} in {zone}");
        }
    }

    #[test]
    fn the_latest_is_found_however_long_ago() {
        use chrono_tz::America::Chicago;
        let cases = [
            ("0 9 * * MON", "2026-11-23T15:00:00Z", Some("2026-11-23T15:00:00Z")),
            ("0 9 * * MON", "2026-11-23T14:59:59.999Z", Some("2026-11-16T15:00:00Z")),
            ("* * * * *", "2026-11-23T14:59:59.999Z", Some("2026-11-23T14:59:00Z")),
            ("0 9 1 * *", "2026-11-23T15:00:00Z", Some("2026-11-01T15:00:00Z")),
            ("* * * 1 *", "2026-11-23T15:00:00Z", Some("2026-02-01T05:59:00Z")),
            ("0 0 29 2 *", "2026-11-23T15:00:00Z", Some("2024-02-29T06:00:00Z")),
            ("0 0 29 2 */7", "2026-11-23T15:00:00Z", Some("2004-02-29T06:00:00Z")),
            ("0 0 1 1 *", "1969-11-23T15:00:00Z", None),
        ];
        for (schedule, t, expected) in cases {
            assert_eq!(crontab(schedule).latest_at_or_before(at(t), Chicago), expected.map(at), "{schedule} at {t}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_sentence() {
        let cases = [
            (
                "0 0 9 * * MON",
                "the schedule `0 0 9 * * MON` has 6 fields; a crontab has five: minute, hour, day of month, month, day of \
                 week, as in `0 9 * * MON`; there is no field for seconds or the year",
            ),
            (
                "0 25 * * *",
                "the hour `25` of the schedule `0 25 * * *` is out of range; allowed are 0-23, `*`, lists `9,17`, ranges `9-17` and steps `*/6`",
            ),
            (
                "0 9 31 2 *",
                "the schedule `0 9 31 2 *` never fires: no month that it allows has such a day; change the day of month or the month",
            ),
        ];
        for (schedule, expected) in cases {
            assert_eq!(Crontab::parse(schedule).expect_err(schedule).to_string(), expected);
        }
        let refused = [
            "",
            "*",
            "weekly",
            "@weekly",
            "Each",
            "60 * * * *",
            "-1 * * * *",
            "+1 * * * *",
            "0 9 0 * *",
            "0 9 32 * *",
            "0 9 * 13 *",
            "0 9 * 0 *",
            "0 9 * * 8",
            "0 9 * * MONDAY",
            "0 9 * * FRI-MON",
            "0 22-2 * * *",
            "5/15 * * * *",
            "*/0 * * * *",
            "1, * * * *",
            "1-2-3 * * * *",
            "*/ * * * *",
            "1-/2 * * * *",
            "? 9 * * *",
            "0 9 L * *",
            "0 9 * * MON#1",
            "0 9 30 FEB *",
            "0 9 31 4,6,9,11 *",
            "0 9 * jan/2 *",
            "99999999999 * * * *",
            "ü * * * *",
        ];
        for schedule in refused {
            let sentence = schedule.parse::<Schedule>().expect_err(schedule).to_string();
            assert!(sentence.contains(schedule), "{sentence}");
        }
        assert!(matches!("each".parse(), Ok(Schedule::Each)));
        assert_eq!("0 9 31 2 MON".parse::<Schedule>().expect("Mondays").to_string(), "0 9 31 2 MON");
    }

    const SCHEDULES: &[&str] = &[
        "* * * * *",
        "*/7 1-3 * * *",
        "30 2 * * *",
        "0 0 * * *",
        "0 9 * * MON",
        "0 9 1,15 * 5",
        "59 23 31 12 *",
        "0 0 29 2 *",
        "0 2 */2 * SUN",
        "30 1 * 3,10,11 0",
    ];

    proptest! {
        #[test]
        fn moments_go_forward_and_both_ways_agree(
            schedule in proptest::sample::select(SCHEDULES),
            zone in proptest::sample::select(vec![
                Tz::America__New_York, Tz::Europe__Berlin, Tz::America__Sao_Paulo, Tz::Australia__Lord_Howe,
                Tz::America__Chicago, Tz::Pacific__Apia, Tz::UTC,
            ]),
            millis in 315_532_800_000_i64..2_500_000_000_000, // 1980 to 2049
            step in 1..200_000_000_i64,
        ) {
            let crontab = crontab(schedule);
            let t = DateTime::from_timestamp_millis(millis).expect("in range");
            let next = crontab.next_after(t, zone).expect("fires");
            prop_assert!(next > t);
            prop_assert_eq!(crontab.latest_at_or_before(next, zone), Some(next));
            let before = crontab.latest_at_or_before(next - TimeDelta::milliseconds(1), zone).expect("fired");
            prop_assert!(before <= t);
            prop_assert_eq!(crontab.latest_at_or_before(t, zone), Some(before));
            prop_assert_eq!(crontab.next_after(before, zone), Some(next));
            let later = crontab.next_after(t + TimeDelta::milliseconds(step), zone).expect("fires");
            prop_assert!(later >= next);
        }
    }
}
