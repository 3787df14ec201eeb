//! Lists, and those of posts above all.

use super::values::{compare, entries, map, property, text, weight};
use super::{Function, Use};
use crate::post::liquid::rewrite::conditions;
use crate::post::liquid::{Lenient, MAX_OUTPUT, compiled, spend};
use liquid_core::model::{Object, Value, ValueView};
use liquid_core::runtime::StackFrame;
use std::cmp::Ordering;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("where", |this| chosen(this, is_like)),
    ("where_exp", |this| chosen_by(this, false)),
    ("find", |this| first(chosen(this, is_like))),
    ("find_exp", |this| first(chosen_by(this, false))),
    ("group_by", |this| match this.items() {
        Some(items) => {
            let name = this.argument(0).unwrap_or_default();
            grouped(items.into_iter().map(|item| (text(&property(&item, &name)), item)).collect())
        }
        None => this.input.to_value(),
    }),
    ("group_by_exp", |this| chosen_by(this, true)),
    ("sort", sorted),
    ("map", |this| {
        let name = this.argument(0).unwrap_or_default();
        let items = this.items().unwrap_or_else(|| vec![this.input.to_value()]);
        Value::Array(items.iter().map(|item| property(item, &name)).collect())
    }),
    ("concat", |this| {
        let Some(mut items) = this.items() else { return this.input.to_value() };
        if let Some(Value::Array(more)) = this.arguments.first() {
            let size = items.iter().chain(more).map(|item| weight(item, MAX_OUTPUT)).sum();
            if !this.fits(size) {
                return Value::Nil;
            }
            items.extend(more.iter().cloned());
        }
        Value::Array(items)
    }),
    ("push", |this| changed(this, |items, this| items.extend(this.arguments.first().cloned()))),
    ("unshift", |this| changed(this, |items, this| items.splice(..0, this.arguments.first().cloned()).for_each(drop))),
    ("pop", |this| changed(this, |items, this| items.truncate(items.len().saturating_sub(count(this))))),
    ("shift", |this| changed(this, |items, this| drop(items.drain(..count(this).min(items.len()))))),
    // The first, not any: a build must not change by itself.
    ("sample", |this| match (this.items(), this.whole(0)) {
        (Some(items), None | Some(1)) => items.into_iter().next().unwrap_or_default(),
        (Some(mut items), Some(count)) => {
            items.truncate(usize::try_from(count).unwrap_or(0));
            Value::Array(items)
        }
        (None, _) => this.input.to_value(),
    }),
    ("slice", |this| {
        let (from, length) = (this.whole(0).unwrap_or(0), this.whole(1).unwrap_or(1));
        let of = |size: usize| {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            let from = if from < 0 { from + size } else { from };
            let range = (0..=size).contains(&from) && length >= 0;
            range.then(|| (from as usize, from.saturating_add(length).min(size) as usize))
        };
        match this.items() {
            Some(items) => Value::Array(of(items.len()).map_or_else(Vec::new, |(from, to)| items[from..to].to_vec())),
            None => {
                let characters: Vec<char> = this.text().chars().collect();
                let part = of(characters.len()).map(|(from, to)| characters[from..to].iter().collect::<String>());
                Value::scalar(part.unwrap_or_default())
            }
        }
    }),
    ("array_to_sentence_string", |this| {
        let last = this.argument(0).unwrap_or_else(|| "and".to_owned());
        let items: Vec<String> = this.items().unwrap_or_default().iter().map(|item| text(item)).collect();
        Value::scalar(match items.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, two] => format!("{one} {last} {two}"),
            [first @ .., end] => format!("{}, {last} {end}", first.join(", ")),
        })
    }),
];

/// What a loop goes through: a list's items, a map's pairs in order, a text as one; cut and turned as the arguments say.
pub(super) fn each(this: &Use<'_>, list: &dyn ValueView) -> Value {
    let offset = usize::try_from(this.whole(0).unwrap_or(0)).unwrap_or(0);
    let limit = this.whole(1).map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(0));
    let mut items: Vec<Value> = if let Some(list) = list.as_array() {
        list.values().skip(offset).take(limit).map(ValueView::to_value).collect()
    } else if list.as_object().is_some() {
        let pair = |(key, value): (String, &dyn ValueView)| Value::Array(vec![Value::scalar(key), value.to_value()]);
        entries(this.shared, list).into_iter().skip(offset).take(limit).map(pair).collect()
    } else if list.is_nil() || list.is_state() || text(list).is_empty() {
        Vec::new()
    } else {
        Some(list.to_value()).into_iter().skip(offset).take(limit).collect()
    };
    if this.argument(2).as_deref() == Some("true") {
        items.reverse();
    }
    Value::Array(items)
}

fn count(this: &Use<'_>) -> usize {
    usize::try_from(this.whole(0).unwrap_or(1)).unwrap_or(0)
}

fn changed(this: &Use<'_>, change: fn(&mut Vec<Value>, &Use<'_>)) -> Value {
    match this.items() {
        Some(mut items) => {
            let size = items.iter().chain(&this.arguments).map(|item| weight(item, MAX_OUTPUT)).sum();
            if !this.fits(size) {
                return Value::Nil;
            }
            change(&mut items, this);
            Value::Array(items)
        }
        None => this.input.to_value(),
    }
}

fn first(found: Value) -> Value {
    match found {
        Value::Array(items) => items.into_iter().next().unwrap_or_default(),
        other => other,
    }
}

/// The items of a list, or the values of a map.
fn candidates(this: &Use<'_>) -> Option<Vec<Value>> {
    this.items().or_else(|| {
        this.input.as_object()?;
        Some(entries(this.shared, this.input).into_iter().map(|(_, value)| value.to_value()).collect())
    })
}

fn chosen(this: &Use<'_>, matches: fn(&Value, Option<&Value>) -> bool) -> Value {
    let (Some(items), Some(name)) = (candidates(this), this.argument(0)) else { return this.input.to_value() };
    let wanted = this.arguments.get(1);
    Value::Array(items.into_iter().filter(|item| matches(&property(item, &name), wanted)).collect())
}

/// Whether a property is a value, or a list that holds it.
fn is_like(found: &Value, wanted: Option<&Value>) -> bool {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_nil()) else { return found.is_nil() };
    if wanted.is_state() {
        return match found {
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            other => text(other).is_empty(),
        };
    }
    let wanted = text(wanted);
    match found {
        Value::Array(items) => items.iter().any(|item| text(item) == wanted),
        Value::Nil => false,
        other => text(other) == wanted,
    }
}

/// Chooses, or groups, by an expression in which the first argument names the item.
fn chosen_by(this: &Use<'_>, groups: bool) -> Value {
    let (Some(items), Some(name), Some(expression)) = (candidates(this), this.argument(0), this.argument(1)) else {
        return this.input.to_value();
    };
    // From right to left, as Ruby's Liquid reads conditions.
    let parts = if groups { vec![("", expression.as_str())] } else { conditions(&expression) };
    let sources = parts.iter().map(|(join, part)| {
        let source = if groups { format!("{{{{ {part} }}}}") } else { format!("{{% if {part} %}}1{{% endif %}}") };
        (*join, compiled(&source, this.shared))
    });
    let sources: Vec<_> = sources.collect();
    if spend(this.runtime, items.len().saturating_mul(64 + expression.len())).is_err() {
        this.overgrown.set(true);
        return Value::Nil;
    }
    let evaluate = |item: &Value| {
        let mut frame = Object::new();
        frame.insert(name.clone().into(), item.clone());
        let scope = Lenient(StackFrame::new(this.runtime, frame));
        let mut result = String::new();
        for (join, template) in sources.iter().rev() {
            let shown = template.as_ref().map(|template| template.render(&scope)).unwrap_or_default();
            result = match *join {
                "and" if result.is_empty() => result,
                "or" if !result.is_empty() => result,
                _ => shown,
            };
        }
        result
    };
    if groups {
        return grouped(items.into_iter().map(|item| (evaluate(&item), item)).collect());
    }
    Value::Array(items.into_iter().filter(|item| !evaluate(item).is_empty()).collect())
}

fn grouped(named: Vec<(String, Value)>) -> Value {
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (name, item) in named {
        let at = *places.entry(name.clone()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(item);
    }
    let group = |(name, items): (String, Vec<Value>)| {
        let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
        map([("name", Value::scalar(name)), ("size", Value::scalar(size)), ("items", Value::Array(items))])
    };
    Value::Array(groups.into_iter().map(group).collect())
}

fn sorted(this: &Use<'_>) -> Value {
    let Some(mut items) = this.items() else { return this.input.to_value() };
    match this.argument(0) {
        None => items.sort_by(compare),
        Some(name) => {
            let nils_last = this.argument(1).as_deref() == Some("last");
            let mut keyed: Vec<(Value, Value)> = items.into_iter().map(|item| (property(&item, &name), item)).collect();
            keyed.sort_by(|(a, _), (b, _)| match (a.is_nil(), b.is_nil()) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if nils_last {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (false, true) => {
                    if nils_last {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, false) => compare(a, b),
            });
            items = keyed.into_iter().map(|(_, item)| item).collect();
        }
    }
    Value::Array(items)
}
