//! Dates as authors write them, read as Jekyll reads them: leniently, in the site's zone where none is said.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// What a full timestamp without a zone (`2015-12-03 10:01:01`) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naive {
    /// UTC: how Ruby's YAML, and so Jekyll, reads it.
    Utc,
    /// Local time.
    Site,
}

/// Reads a date of front matter, and gives it in the site's zone. Spellings without a zone are local time, `2015-12-03` and
/// `2015-12-03 10:01` among them; only of a full timestamp does `naive` decide.
pub fn parse(text: &str, zone: Tz, naive: Naive) -> Option<DateTime<FixedOffset>> {
    Some(parse_keeping(text, zone, naive)?.with_timezone(&zone).fixed_offset())
}

/// As [`parse`], but a date that says its offset keeps it.
pub fn parse_keeping(text: &str, zone: Tz, naive: Naive) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    let (date, rest) = day(text).or_else(|| worded_day(text))?;
    if !(1000..=9999).contains(&date.year()) {
        return None;
    }
    let clock = clock(rest);
    let moment = date.and_time(clock.time);
    Some(match clock.offset {
        Offset::Said(offset) => offset.from_local_datetime(&moment).single()?,
        Offset::Unsaid if naive == Naive::Utc => Utc.from_utc_datetime(&moment).with_timezone(&zone).fixed_offset(),
        Offset::Unsaid | Offset::Site => local(moment, zone),
    })
}

/// The date at the head of a file name (`2024-02-05-slug`): two-digit years and one-digit months are allowed, and a day that
/// the month does not have rolls over, as in Ruby.
pub fn of_file_name(name: &str, zone: Tz) -> Option<DateTime<FixedOffset>> {
    let mut parts = name.splitn(4, '-');
    let year: i32 = parts.next()?.parse().ok()?;
    let month: u32 = parts.next()?.parse().ok()?;
    let day: i64 = parts.next()?.parse().ok()?;
    let year = match year {
        0..=68 if name.find('-') == Some(2) => year + 2000,
        69..=99 if name.find('-') == Some(2) => year + 1900,
        _ => year,
    };
    if !(1000..=9999).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year, month, 1)? + TimeDelta::days(day - 1);
    Some(local(date.and_time(NaiveTime::MIN), zone))
}

/// The day that a name begins with, `2024-02-05`, and what follows it.
pub fn at_head(name: &str) -> Option<(&str, &str)> {
    let (day, rest) = name.split_at_checked(10)?;
    let sound = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    sound.then_some((day, rest))
}

/// Local time as a moment: in a gap of the clock the first minute after it, in a fold the first of the two.
pub fn local(moment: NaiveDateTime, zone: Tz) -> DateTime<FixedOffset> {
    let mut candidate = moment;
    // No zone has ever left out more than a day and an hour.
    for _ in 0..=(25 * 60) {
        if let Some(found) = zone.from_local_datetime(&candidate).earliest() {
            return found.fixed_offset();
        }
        candidate += TimeDelta::minutes(1);
    }
    Utc.from_utc_datetime(&moment).fixed_offset()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Offset {
    Said(FixedOffset),
    /// A full timestamp says none.
    Unsaid,
    Site,
}

struct Clock {
    time: NaiveTime,
    offset: Offset,
}

/// `2024-1-2`, `2024/01/02`, `11-9-2017` (day first), and what follows.
fn day(text: &str) -> Option<(NaiveDate, &str)> {
    let (first, separator, rest) = number(text)?;
    if !matches!(separator, '-' | '/' | '.') {
        return None;
    }
    let (second, again, rest) = number(rest)?;
    if again != separator {
        return None;
    }
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let third: u32 = rest.get(..length)?.parse().ok()?;
    let rest = &rest[length..];
    let date = if first > 31 {
        NaiveDate::from_ymd_opt(first.try_into().ok()?, second, third)?
    } else if third > 31 {
        NaiveDate::from_ymd_opt(third.try_into().ok()?, second, first)?
    } else {
        return None;
    };
    Some((date, rest))
}

/// A number of at most four digits and the character behind it.
fn number(text: &str) -> Option<(u32, char, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=4).contains(&length) {
        return None;
    }
    let mut rest = text[length..].chars();
    let separator = rest.next()?;
    Some((text[..length].parse().ok()?, separator, rest.as_str()))
}

/// `August 5, 2021`, `18 Dec 2014 10:00`, `Fri Sep  3 11:21:31 CEST 2021`, `20240102`.
fn worded_day(text: &str) -> Option<(NaiveDate, &str)> {
    if text.len() == 8
        && let Ok(date) = NaiveDate::parse_from_str(text, "%Y%m%d")
    {
        return Some((date, ""));
    }
    let mut month = None;
    let mut day = None;
    let mut year = None;
    let mut rest = "";
    for word in text.split([' ', ',', '\t', '-']).filter(|word| !word.is_empty()) {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let ordinal = matches!(&word[digits..], "" | "st" | "nd" | "rd" | "th" | ".");
        if word.contains(':') {
            if rest.is_empty() {
                // The zone stands behind the time.
                rest = text.find(word).map_or("", |at| &text[at..]);
            }
        } else if digits > 2 && digits == word.len() {
            year = year.or(word.parse::<i32>().ok());
        } else if digits > 0 && ordinal {
            day = day.or(word[..digits].parse::<u32>().ok());
        } else if month.is_none() && digits == 0 {
            month = month_name(word);
        }
    }
    Some((NaiveDate::from_ymd_opt(year?, month?, day?)?, rest))
}

fn month_name(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    let known =
        |month: &&str| word.len() >= 3 && (month.starts_with(&word) || word == "sept" && **month == *"september");
    MONTHS.iter().position(known).and_then(|at| u32::try_from(at + 1).ok())
}

/// Time and zone behind a day. What makes no sense is midnight, as in Ruby.
fn clock(text: &str) -> Clock {
    let text = text.trim().trim_start_matches(['T', 't', ',']).trim_start();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (time, zone) = text.split_at(end);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let fields: Option<Vec<u32>> = whole.split(':').map(|field| field.parse().ok()).collect();
    let nanos = format!("{:0<9.9}", fraction).parse().unwrap_or(0);
    let parsed = match fields.as_deref() {
        Some([hour, minute]) => Some((NaiveTime::from_hms_opt(*hour, *minute, 0), false)),
        Some([hour, minute, second]) => {
            // A leap second is the second before it.
            Some((NaiveTime::from_hms_nano_opt(*hour, *minute, (*second).min(59), nanos), true))
        }
        _ => None,
    };
    let Some((Some(time), full)) = parsed else { return Clock { time: NaiveTime::MIN, offset: Offset::Site } };
    let offset = match offset(zone) {
        Some(offset) => Offset::Said(offset),
        None if full && zone.trim().is_empty() => Offset::Unsaid,
        None => Offset::Site,
    };
    Clock { time: afternoon(time, zone), offset }
}

fn afternoon(time: NaiveTime, zone: &str) -> NaiveTime {
    use chrono::Timelike;
    let zone = zone.trim().to_ascii_lowercase();
    let hour = match time.hour() {
        12 if zone.starts_with("am") => 0,
        hour if hour < 12 && zone.starts_with("pm") => hour + 12,
        hour => hour,
    };
    time.with_hour(hour).unwrap_or(time)
}

/// `Z`, `UTC`, `+0100`, `+01:00`, `-4`.
fn offset(text: &str) -> Option<FixedOffset> {
    let text = text.trim();
    // A year may stand between time and zone.
    let text = match text.split_once(' ') {
        Some((year, zone)) if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) => zone.trim(),
        _ => text,
    };
    if matches!(text.to_ascii_uppercase().as_str(), "Z" | "UTC" | "GMT") {
        return FixedOffset::east_opt(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.parse::<i32>().ok()?, 0),
        4 => (digits[..2].parse::<i32>().ok()?, digits[2..].parse::<i32>().ok()?),
        _ => return None,
    };
    if minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_was_seen() {
        let zone: Tz = "America/New_York".parse().expect("a zone");
        for (text, expected) in [
            ("2024-01-24 01:02:03", "2024-01-23T20:02:03-05:00"),
            ("2024-01-24", "2024-01-24T00:00:00-05:00"),
            ("2019-01-11 22:13", "2019-01-11T22:13:00-05:00"),
            ("2013-11-22 5:00:00 +0000", "2013-11-22T00:00:00-05:00"),
            ("2022-04-19T00:00:01-07:00", "2022-04-19T03:00:01-04:00"),
            ("2013-06-11 22:20:00 +01:00", "2013-06-11T17:20:00-04:00"),
            ("2015-03-17 14:00:00 -4", "2015-03-17T14:00:00-04:00"),
            ("2016-02-29 8:00:00", "2016-02-29T03:00:00-05:00"),
            ("2023-01-10T08:00:00.000Z", "2023-01-10T03:00:00-05:00"),
            ("2016-3-21 12:00:00", "2016-03-21T08:00:00-04:00"),
            ("2026-06-03 17:45", "2026-06-03T17:45:00-04:00"),
            ("2020-05-29 02:01:14-03:00", "2020-05-29T01:01:14-04:00"),
            ("2018-12-05 9:38:00.000000000 +09:00", "2018-12-04T19:38:00-05:00"),
            ("2025-04-01 20:00.000000000 +08:00", "2025-04-01T08:00:00-04:00"),
            ("2024-10-23T16:00", "2024-10-23T16:00:00-04:00"),
            ("2020-1-2", "2020-01-02T00:00:00-05:00"),
            ("2017-03-20 15:00 -04:00", "2017-03-20T15:00:00-04:00"),
            ("August 5, 2021", "2021-08-05T00:00:00-04:00"),
            ("18 Dec 2014", "2014-12-18T00:00:00-05:00"),
            ("Fri Sep  3 11:21:31 CEST 2021", "2021-09-03T11:21:31-04:00"),
            ("Sept 3rd 2021", "2021-09-03T00:00:00-04:00"),
            ("11-9-2017", "2017-09-11T00:00:00-04:00"),
            ("02/03/2024", "2024-03-02T00:00:00-05:00"),
            ("2019-07-09 18::48::00", "2019-07-09T00:00:00-04:00"),
            ("2021-02-08 16:30-:00+16:30", "2021-02-08T16:30:00-05:00"),
            ("2023-01-29 18:30:22 2023 -0800", "2023-01-29T21:30:22-05:00"),
            ("2024-03-10 02:30", "2024-03-10T03:00:00-04:00"),
            ("2024-11-03 01:30", "2024-11-03T01:30:00-04:00"),
            ("20240102", "2024-01-02T00:00:00-05:00"),
            ("2024-01-02 1:05 pm", "2024-01-02T13:05:00-05:00"),
        ] {
            assert_eq!(parse(text, zone, Naive::Utc).map(|d| d.to_rfc3339()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "tomorrow", "2024-13-01", "0001-01-01", "2024", "05/06/07", "–", "9999999999-1-1"] {
            assert_eq!(parse(text, zone, Naive::Utc), None, "{text}");
        }
    }

    #[test]
    fn file_names() {
        let name = |name| of_file_name(name, Tz::UTC).map(|d| d.date_naive().to_string());
        assert_eq!(name("2024-11-2-x").as_deref(), Some("2024-11-02"));
        assert_eq!(name("24-02-05-x").as_deref(), Some("2024-02-05"));
        assert_eq!(name("2024-02-30-x").as_deref(), Some("2024-03-01"));
        assert_eq!(name("0001-01-01-x"), None);
        assert_eq!(name("2024-13-01-x"), None);
        assert_eq!(name("notes"), None);
    }

    #[test]
    fn a_midnight_that_the_clock_leaves_out() {
        let zone: Tz = "America/Sao_Paulo".parse().expect("a zone");
        let date = of_file_name("2018-11-04-x", zone).expect("a date");
        assert_eq!(date.to_rfc3339(), "2018-11-04T01:00:00-02:00");
    }
}
