//! A year of runs in the zones of the IANA's list, as many of them as `POSTRIDER_ZONES` says, at hours of all kinds: each slot is
//! decided once, none before its time, none is missing, whether runs come hourly or once a day. The slots themselves are counted
//! here in another way than the program's.

use crate::support::record::{count, number, seed};
use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc, Weekday,
};
use chrono_tz::{TZ_VARIANTS, Tz};
use postrider::clock::Span;
use postrider::edition;
use postrider::edition::slot::{self, Standing};
use postrider::schedule::{Crontab, Schedule};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Zones whose clocks do what others do not: half an hour, a day left out, midnight, twice a year for Ramadan, two hours.
const ODD: [&str; 12] = [
    "UTC",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Antarctica/Troll",
    "Atlantic/Azores",
    "America/Nuuk",
    "Pacific/Chatham",
    "Africa/Cairo",
    "Europe/Dublin",
];

/// When a schedule fires, said twice.
struct Plan {
    crontab: &'static str,
    day: fn(NaiveDate) -> bool,
    hour: u32,
    minute: u32,
}

const PLANS: [Plan; 7] = [
    Plan { crontab: "0 9 * * *", day: |_| true, hour: 9, minute: 0 },
    Plan { crontab: "30 2 * * *", day: |_| true, hour: 2, minute: 30 },
    Plan { crontab: "0 0 * * *", day: |_| true, hour: 0, minute: 0 },
    Plan { crontab: "0 9 * * MON", day: |day| day.weekday() == Weekday::Mon, hour: 9, minute: 0 },
    Plan { crontab: "30 1 * * 0", day: |day| day.weekday() == Weekday::Sun, hour: 1, minute: 30 },
    Plan { crontab: "0 9 1 * *", day: |day| day.day() == 1, hour: 9, minute: 0 },
    Plan { crontab: "45 23 31 * *", day: |day| day.day() == 31, hour: 23, minute: 45 },
];

impl Plan {
    /// All its slots from `start` to `end`: a wall time that the clock leaves out is the first minute after it, one that comes twice
    /// is the first.
    fn slots(&self, zone: Tz, start: DateTime<Utc>, end: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let first = start.with_timezone(&zone).date_naive() - Days::new(3);
        let days = first.iter_days().take_while(|day| *day <= end.date_naive() + Days::new(3));
        let time = NaiveTime::from_hms_opt(self.hour, self.minute, 0).expect("a time of day");
        let mut slots: Vec<DateTime<Utc>> =
            days.filter(|day| (self.day)(*day)).map(|day| moment(zone, day.and_time(time))).collect();
        slots.sort();
        slots.dedup();
        slots.retain(|slot| *slot > start && *slot <= end);
        slots
    }

    /// The slots that these runs decide.
    fn decided(&self, zone: Tz, runs: &[DateTime<Utc>]) -> Vec<DateTime<Utc>> {
        let crontab = Crontab::parse(self.crontab).expect("a crontab");
        let settings: edition::Settings =
            toml::from_str(&format!("name = 'digest'\nschedule = '{}'", self.crontab)).expect("a digest");
        assert!(matches!(settings.schedule, Schedule::Crontab(_)));
        let mut memory = slot::introduce(&crontab, &settings, zone, runs[0]);
        let mut decided = Vec::new();
        for run in runs {
            match slot::standing(&crontab, memory, Span::hours(24), zone, *run) {
                Standing::Decided => {}
                Standing::Due(slot) | Standing::TooLate(slot) => {
                    assert!(slot > memory.newest && slot <= *run, "{zone}: {slot} was decided at {run}");
                    memory.newest = slot;
                    decided.push(slot);
                }
            }
        }
        decided
    }
}

fn moment(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    let minutes = (0..60 * 48).map(|minute| wall + TimeDelta::minutes(minute));
    let mut there = minutes.filter_map(|wall| zone.from_local_datetime(&wall).earliest());
    there.next().expect("no clock leaves out two days").to_utc()
}

fn every(step: TimeDelta, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    std::iter::successors(Some(from), |run| Some(*run + step)).take_while(|run| *run <= until).collect()
}

/// One zone, one year: how many slots were decided.
fn judge(zone: Tz, year: i32) -> usize {
    let from = Utc.with_ymd_and_hms(year, 1, 1, 0, 17, 3).unwrap();
    let until = from + TimeDelta::days(370);
    let mut slots = 0;
    for plan in &PLANS {
        let hourly = every(TimeDelta::hours(1), from, until);
        let expected = plan.slots(zone, from, *hourly.last().unwrap());
        assert_eq!(plan.decided(zone, &hourly), expected, "{zone} {year}, {} hourly", plan.crontab);
        slots += expected.len();
        for odd in [TimeDelta::zero(), TimeDelta::minutes(434), TimeDelta::minutes(1061)] {
            let daily = every(TimeDelta::days(1), from + odd, until);
            let due = plan.slots(zone, daily[0], *daily.last().unwrap());
            let decided = plan.decided(zone, &daily);
            // Where a clock is set, two slots of a daily digest may lie between two runs: the later has the posts of both.
            let last_before = |run: &DateTime<Utc>| due.iter().rev().find(|slot| *slot <= run).copied();
            let mut expected: Vec<DateTime<Utc>> = daily.iter().filter_map(last_before).collect();
            expected.dedup();
            assert_eq!(decided, expected, "{zone} {year}, {} once a day", plan.crontab);
            let apart = due.windows(2).all(|pair| pair[1] - pair[0] >= TimeDelta::days(1));
            assert!(!apart || decided == due, "{zone} {year}, {}: runs once a day decide otherwise", plan.crontab);
            assert!(due.len() - decided.len() <= 6, "{zone} {year}, {}: {due:?}", plan.crontab);
        }
    }
    slots
}

/// What a zone's clocks show in a year: zones that agree in it are one case.
fn clocks(zone: Tz, year: i32) -> Vec<(i64, i32)> {
    let from = Utc.with_ymd_and_hms(year - 1, 12, 20, 0, 0, 0).unwrap();
    let half_hours = every(TimeDelta::minutes(30), from, from + TimeDelta::days(390));
    let offset = |time: &DateTime<Utc>| time.with_timezone(&zone).offset().fix().local_minus_utc();
    let mut clocks: Vec<(i64, i32)> = half_hours.iter().map(|time| (time.timestamp(), offset(time))).collect();
    clocks.dedup_by_key(|(_, offset)| *offset);
    clocks
}

#[test]
fn a_year_in_every_zone_decides_each_slot_once_however_often_it_runs() {
    let most = number("POSTRIDER_ZONES").map(|most| most as usize);
    let random = seed("years");
    let shuffled = |zones: Vec<Tz>| {
        let mut zones: Vec<(f64, Tz)> = zones.into_iter().map(|zone| (random.fraction(), zone)).collect();
        zones.sort_by(|a, b| a.0.total_cmp(&b.0));
        zones.into_iter().map(|(_, zone)| zone)
    };
    let odd = ODD.iter().map(|name| name.parse().expect("it is in the list")).collect();
    // A sample, unless more is asked for.
    let odd = shuffled(odd).take(if most.is_some() { ODD.len() } else { 3 });
    let zones = odd.chain(shuffled(TZ_VARIANTS.to_vec()).take(most.unwrap_or(1)));
    let zones: BTreeSet<&str> = zones.map(|zone| zone.name()).collect();
    let known: Vec<Tz> = zones.iter().map(|name| name.parse().expect("a zone")).collect();
    let cases: HashMap<Vec<(i64, i32)>, Tz> = known.par_iter().map(|zone| (clocks(*zone, 2026), *zone)).collect();
    // In 2011 Samoa left out a day.
    let apia = "Pacific/Apia".parse().expect("a zone");
    let cases: Vec<(Tz, i32)> = cases.into_values().map(|zone| (zone, 2026)).chain([(apia, 2011)]).collect();
    let slots: usize = cases.par_iter().map(|(zone, year)| judge(*zone, *year)).sum();
    eprintln!("{} zones, {} of which differ in a year: {slots} slots", zones.len(), cases.len());
    count("zones-of-a-year", zones.len());
    assert!(slots > cases.len() * 1000, "{slots}");
}
