//! Dates in Ruby's `strftime`, in the site's zone.

use super::{Function, Use};
use crate::post::date::{self, Naive};
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike, FixedOffset, Offset, TimeZone};
use liquid_core::model::Value;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("date", |this| match (read(this), this.argument(0).filter(|format| !format.is_empty())) {
        (Some(date), Some(format)) => Value::scalar(formatted(this, date, &format)),
        _ => this.input.to_value(),
    }),
    ("date_to_xmlschema", |this| {
        read(this).map_or_else(|| this.input.to_value(), |date| Value::scalar(date.to_rfc3339()))
    }),
    ("date_to_rfc822", |this| with(this, "%a, %d %b %Y %H:%M:%S %z")),
    ("date_to_string", |this| worded(this, "%b")),
    ("date_to_long_string", |this| worded(this, "%B")),
];

fn read(this: &Use<'_>) -> Option<DateTime<FixedOffset>> {
    let zone = this.shared.facts.zone;
    match this.text().trim() {
        // A build must not change because time passes.
        "now" | "today" => Some(this.shared.facts.time),
        said if said.len() > 5 && said.bytes().all(|b| b.is_ascii_digit()) => {
            let moment = DateTime::from_timestamp(said.parse().ok()?, 0)?;
            Some(moment.with_timezone(&zone).fixed_offset())
        }
        said => date::parse(said, zone, Naive::Site),
    }
}

fn with(this: &Use<'_>, format: &str) -> Value {
    read(this).map_or_else(|| this.input.to_value(), |date| Value::scalar(formatted(this, date, format)))
}

/// `5 Jan 2024`; with `"ordinal"` `5th Jan 2024`, with `"US"` `Jan 5th, 2024`.
fn worded(this: &Use<'_>, month: &str) -> Value {
    let Some(date) = read(this) else { return this.input.to_value() };
    if this.argument(0).as_deref() != Some("ordinal") {
        return Value::scalar(formatted(this, date, &format!("%d {month} %Y")));
    }
    let day = date.day();
    let ending = match (day % 100, day % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    let format = match this.argument(1).as_deref() {
        Some("US") => format!("{month} {day}{ending}, %Y"),
        _ => format!("{day}{ending} {month} %Y"),
    };
    Value::scalar(formatted(this, date, &format))
}

/// Ruby's `strftime`; a directive that does not exist stays as it is.
fn formatted(this: &Use<'_>, date: DateTime<FixedOffset>, format: &str) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let directive = &rest[at + 1..];
        let flags = directive.find(|c: char| !matches!(c, '^' | '#' | '-' | '0' | '_' | ':' | '1'..='9')).unwrap_or(0);
        let (flags, after) = directive.split_at(flags);
        let Some(letter) = after.chars().next() else {
            out.push_str(&rest[at..]);
            return out;
        };
        let kept: String = flags.chars().filter(|c| matches!(c, '-' | '_' | ':')).collect();
        let shown = match letter {
            'Z' => zone_name(this, date),
            'L' => Some(format!("{:03}", date.timestamp_subsec_millis())),
            'N' => Some(format!("{:09}", date.timestamp_subsec_nanos())),
            letter => one(date, &format!("%{kept}{letter}")),
        };
        match shown {
            Some(shown) if flags.contains('^') || flags.contains('#') => out.push_str(&shown.to_uppercase()),
            Some(shown) => out.push_str(&shown),
            None => out.push_str(&rest[at..at + 1 + flags.len() + letter.len_utf8()]),
        }
        rest = &after[letter.len_utf8()..];
    }
    out.push_str(rest);
    out
}

fn one(date: DateTime<FixedOffset>, directive: &str) -> Option<String> {
    let items: Vec<Item<'_>> = StrftimeItems::new(directive).collect();
    (!items.contains(&Item::Error)).then(|| date.format_with_items(items.into_iter()).to_string())
}

/// `CET`, where the date is in the site's zone.
fn zone_name(this: &Use<'_>, date: DateTime<FixedOffset>) -> Option<String> {
    let local = this.shared.facts.zone.from_utc_datetime(&date.naive_utc());
    let is_local = local.offset().fix() == *date.offset();
    if is_local { Some(local.format("%Z").to_string()) } else { one(date, "%z") }
}
