//! Dates as the formats want them: RFC 822 in RSS, RFC 3339 in Atom and JSON Feed.

use super::{Lint, Severity};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const ZONES: [(&str, i32); 11] = [
    ("GMT", 0),
    ("UT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];
const LIKE_822: &str = "write it like Mon, 23 Nov 2026 09:00:00 +0000";
const LIKE_3339: &str = "write it like 2026-11-23T09:00:00+00:00";

/// A date of RSS (RFC 822, section 5, with the year in four digits), judged.
pub(super) fn rfc822(lint: &mut Lint<'_>, at: usize, what: &str, text: &str) -> Option<DateTime<FixedOffset>> {
    match read_822(text) {
        Ok((date, None)) => Some(date),
        Ok((date, Some(why))) => {
            lint.warning(at, format!("`{what}` is {text:?}: {why}"), LIKE_822);
            Some(date)
        }
        Err(why) => {
            lint.error(
                at,
                format!("`{what}` is {text:?}: {why}; readers take the time of their visit instead"),
                LIKE_822,
            );
            None
        }
    }
}

/// The date, and what is to be said against it.
fn read_822(text: &str) -> Result<(DateTime<FixedOffset>, Option<String>), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let (weekday, rest) = match text.split_once(',') {
        Some((weekday, rest)) => (Some(weekday.trim()), rest.trim()),
        None => (None, text),
    };
    if let Some(weekday) = weekday.filter(|weekday| !WEEKDAYS.contains(weekday)) {
        return Err(format!("`{weekday}` is no weekday; they are Mon, Tue, Wed, Thu, Fri, Sat, Sun, in English"));
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [day, month, year, time, zone @ ..] = &words[..] else {
        return Err("it is no date of RFC 822".to_owned());
    };
    let wrong = |what: &str, word: &str| format!("`{word}` is no {what}");
    let day: u32 = day.parse().map_err(|_| wrong("day", day))?;
    let month = MONTHS.iter().position(|name| name == month).ok_or_else(|| {
        format!(
            "`{month}` is no month; they are Jan, Feb, Mar, Apr, May, Jun, Jul, Aug, Sep, Oct, Nov, Dec, in English"
        )
    })?;
    let mut remark = (year.len() == 2).then(|| "a year has four digits".to_owned());
    let number: i32 = year.parse().map_err(|_| wrong("year", year))?;
    let number = match (year.len(), number) {
        (4, number) => number,
        (2, 0..50) => 2000 + number,
        (2, number) => 1900 + number,
        _ => return Err(wrong("year", year)),
    };
    let date = NaiveDate::from_ymd_opt(number, month as u32 + 1, day).ok_or("there is no such day")?;
    let clock = NaiveTime::parse_from_str(time, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"));
    let time = clock.map_err(|_| wrong("time of day", time))?;
    let offset = match zone {
        [] => return Err("it has no zone".to_owned()),
        ["UTC"] => {
            remark = Some("`UTC` is no zone of RFC 822; write +0000 or GMT".to_owned());
            0
        }
        [zone] => match ZONES.iter().find(|(name, _)| name == zone) {
            Some((_, hours)) => hours * 3600,
            None => offset(zone).ok_or_else(|| format!("`{zone}` is no zone of RFC 822; write +0000 or GMT"))?,
        },
        _ => return Err("there is more behind the zone".to_owned()),
    };
    let offset = FixedOffset::east_opt(offset).ok_or("there is no such zone")?;
    if let Some(weekday) = weekday
        && date.format("%a").to_string() != weekday
    {
        remark = Some(format!("that day is a {}", date.format("%a")));
    }
    let date = date.and_time(time).and_local_timezone(offset).single().ok_or("there is no such day")?;
    Ok((date, remark))
}

/// `+0130` in seconds.
fn offset(zone: &str) -> Option<i32> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone[1..].bytes().all(|b| b.is_ascii_digit()) && zone.len() == 5;
    let (hours, minutes): (i32, i32) = (zone.get(1..3)?.parse().ok()?, zone.get(3..5)?.parse().ok()?);
    (digits && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A date of Atom (RFC 4287, section 3.3) or JSON Feed, judged.
pub(super) fn rfc3339(lint: &mut Lint<'_>, at: usize, what: &str, text: &str) -> Option<DateTime<FixedOffset>> {
    match read_3339(text) {
        Ok(date) => Some(date),
        Err(why) => {
            let message = format!("`{what}` is {text:?}: {why}; readers take the time of their visit instead");
            lint.find(at, Severity::Error, message, LIKE_3339);
            None
        }
    }
}

fn read_3339(text: &str) -> Result<DateTime<FixedOffset>, String> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let why = match shape.as_str() {
        "" => "it is empty",
        "0000-00-00" => "it has no time of day",
        shape if !shape.starts_with("0000-00-00") => "it is no date of RFC 3339",
        shape if !shape[10..].starts_with('T') => "between day and time stands a T, a capital",
        shape if !shape[11..].starts_with("00:00:00") => "the time has hours, minutes and seconds",
        shape => {
            let zone = shape[19..].trim_start_matches(['.', '0']);
            match zone {
                "" => "it has no zone",
                "Z" | "+00:00" | "-00:00" => match DateTime::parse_from_rfc3339(text) {
                    Ok(date) => return Ok(date),
                    Err(_) => "there is no such moment",
                },
                "z" => "its Z is a capital",
                _ => "its zone is Z or like +01:00",
            }
        }
    };
    Err(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_rss() {
        for (text, read) in [
            ("Mon, 23 Nov 2026 09:00:00 GMT", Ok(None)),
            ("23 Nov 2026 09:00 +0100", Ok(None)),
            ("Mon, 3 Aug 2026 09:00:00 EDT", Ok(None)),
            ("Tue, 23 Nov 2026 09:00:00 GMT", Ok(Some("that day is a Mon"))),
            ("Mon, 23 Nov 26 09:00:00 GMT", Ok(Some("a year has four digits"))),
            ("Mon, 23 Nov 2026 09:00:00", Err("it has no zone")),
            ("Mon, 23 Nov 2026 09:00:00 UTC", Ok(Some("`UTC` is no zone of RFC 822; write +0000 or GMT"))),
            ("Mon, 23 Nov 2026 09:00:00 +01:00", Err("`+01:00` is no zone of RFC 822; write +0000 or GMT")),
            ("Mon, 31 Nov 2026 09:00:00 GMT", Err("there is no such day")),
            ("Mon, 23 Nov 2026 25:00:00 GMT", Err("`25:00:00` is no time of day")),
            ("2026-11-23T09:00:00Z", Err("it is no date of RFC 822")),
            ("", Err("it is empty")),
        ] {
            let found = read_822(text).map(|(_, remark)| remark);
            assert_eq!(
                found,
                read.map(|remark: Option<&str>| remark.map(str::to_owned)).map_err(str::to_owned),
                "{text}"
            );
        }
        assert!(read_822("Mo, 23 Nov 2026 09:00:00 GMT").unwrap_err().contains("no weekday"));
        assert!(read_822("Mon, 23 Oktober 2026 09:00:00 GMT").unwrap_err().contains("no month"));
    }

    #[test]
    fn dates_of_atom() {
        for (text, wrong) in [
            ("2026-11-23T09:00:00Z", None),
            ("2026-11-23T09:00:00.123456+01:00", None),
            ("2026-11-23T09:00:00-00:00", None),
            ("2026-11-23T09:00:00+10:00", None),
            ("2026-11-23", Some("it has no time of day")),
            ("2026-11-23 09:00:00Z", Some("between day and time stands a T, a capital")),
            ("2026-11-23T09:00Z", Some("the time has hours, minutes and seconds")),
            ("2026-11-23T09:00:00", Some("it has no zone")),
            ("2026-11-23T09:00:00z", Some("its Z is a capital")),
            ("2026-11-23T09:00:00+0100", Some("its zone is Z or like +01:00")),
            ("2026-02-30T09:00:00Z", Some("there is no such moment")),
            ("Mon, 23 Nov 2026 09:00:00 GMT", Some("it is no date of RFC 3339")),
        ] {
            assert_eq!(read_3339(text).err().as_deref(), wrong, "{text}");
        }
    }
}
