//! Values as Ruby shows and compares them.

use crate::post::liquid::{Shared, escape};
use liquid_core::model::{Object, Value, ValueView};
use std::cmp::Ordering;

/// Lists in lists, and maps in maps.
const MAX_DEPTH: usize = 32;

/// A value as text: `to_s`.
pub(super) fn text(value: &dyn ValueView) -> String {
    match float(value) {
        Some(number) => decimal(number),
        None => value.to_kstr().into_string(),
    }
}

/// A number with a point, if it is one; not text that looks like one.
pub(super) fn float(value: &dyn ValueView) -> Option<f64> {
    (value.type_name() == "fractional number").then(|| value.as_scalar().and_then(|number| number.to_float())).flatten()
}

/// A number, also one that stands in a text; `None` for other values.
pub(super) fn number(value: &dyn ValueView) -> Option<f64> {
    let scalar = value.as_scalar()?;
    scalar.to_integer().map(|number| number as f64).or_else(|| scalar.to_float())
}

/// Ruby's `Float#to_s`: always with a point.
pub(super) fn decimal(number: f64) -> String {
    let shown = number.to_string();
    if shown.contains(['.', 'e', 'i', 'N']) { shown } else { format!("{shown}.0") }
}

/// The keys and values of a map, in the order in which its source has them.
pub(super) fn entries<'v>(shared: &Shared, value: &'v dyn ValueView) -> Vec<(String, &'v dyn ValueView)> {
    let Some(map) = value.as_object() else { return Vec::new() };
    let mut entries: Vec<(String, &dyn ValueView)> =
        map.iter().map(|(key, value)| (key.into_string(), value)).collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let keys: Vec<String> = entries.iter().map(|(key, _)| key.clone()).collect();
    if let Some(order) = shared.orders.get(&keys) {
        entries.sort_by_key(|(key, _)| order.iter().position(|other| other == key));
    }
    entries
}

/// What an output shows: lists run together, maps as Ruby inspects them.
pub(in crate::post::liquid) fn shown(shared: &Shared, value: &dyn ValueView) -> String {
    show(shared, value, MAX_DEPTH)
}

fn show(shared: &Shared, value: &dyn ValueView, depth: usize) -> String {
    match (value.as_array(), value.as_object()) {
        _ if depth == 0 => String::new(),
        (Some(list), _) => list.values().map(|item| show(shared, item, depth - 1)).collect(),
        (_, Some(_)) => inspect(shared, value, depth),
        _ => text(value),
    }
}

/// Ruby's `inspect`.
pub(super) fn inspected(shared: &Shared, value: &dyn ValueView) -> String {
    inspect(shared, value, MAX_DEPTH)
}

fn inspect(shared: &Shared, value: &dyn ValueView, depth: usize) -> String {
    if depth == 0 {
        return String::new();
    }
    if let Some(list) = value.as_array() {
        let items: Vec<String> = list.values().map(|item| inspect(shared, item, depth - 1)).collect();
        return format!("[{}]", items.join(", "));
    }
    if value.as_object().is_some() {
        let entries = entries(shared, value);
        let entries = entries.iter().map(|(key, value)| format!("{key:?}=>{}", inspect(shared, *value, depth - 1)));
        return format!("{{{}}}", entries.collect::<Vec<_>>().join(", "));
    }
    match value.type_name() {
        "nil" => "nil".to_owned(),
        "string" => format!("{:?}", text(value)),
        _ => text(value),
    }
}

/// As JSON, on one line.
pub(super) fn json(shared: &Shared, value: &dyn ValueView) -> String {
    write_json(shared, value, MAX_DEPTH)
}

fn write_json(shared: &Shared, value: &dyn ValueView, depth: usize) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    if depth == 0 {
        return "null".to_owned();
    }
    if let Some(list) = value.as_array() {
        let items: Vec<String> = list.values().map(|item| write_json(shared, item, depth - 1)).collect();
        return format!("[{}]", items.join(","));
    }
    if value.as_object().is_some() {
        let entries = entries(shared, value);
        let entries =
            entries.iter().map(|(key, value)| format!("{}:{}", quoted(key), write_json(shared, *value, depth - 1)));
        return format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    }
    match value.type_name() {
        "nil" => "null".to_owned(),
        "whole number" | "fractional number" | "boolean" => text(value),
        _ => quoted(&text(value)),
    }
}

/// A property of an item, `a.b` into the depth.
pub(super) fn property(item: &Value, path: &str) -> Value {
    let mut place = item;
    for key in path.split('.') {
        let Some(next) = place.as_object().and(match place {
            Value::Object(map) => map.get(key),
            _ => None,
        }) else {
            return Value::Nil;
        };
        place = next;
    }
    place.clone()
}

/// As Jekyll compares what it sorts: text that looks like a number as one.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        _ => text(a).cmp(&text(b)),
    }
}

/// What going through a value costs, roughly: its items or its bytes.
pub(super) fn size(value: &dyn ValueView) -> usize {
    match (value.as_array(), value.as_object()) {
        (Some(list), _) => usize::try_from(list.size()).unwrap_or(0).saturating_mul(16),
        (_, Some(map)) => usize::try_from(map.size()).unwrap_or(0).saturating_mul(16),
        _ if value.type_name() == "string" => value.to_kstr().len(),
        _ => 8,
    }
}

/// How much a value holds, at most `limit`: its text, and something for each of its parts.
pub(super) fn weight(value: &Value, limit: usize) -> usize {
    let mut weight = 16;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        weight += 16;
        if weight >= limit {
            return limit;
        }
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(map) => waiting.extend(map.values()),
            other => weight += other.to_kstr().len(),
        }
    }
    weight
}

/// A map of a few entries.
pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    let map: Object = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Value::Object(map)
}

/// For XML, as Ruby's `encode(xml: :attr)` writes it.
pub(super) fn escaped(text: &str) -> String {
    escape(text)
}
