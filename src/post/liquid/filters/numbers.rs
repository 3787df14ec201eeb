//! Arithmetic as Ruby's Liquid does it: decimals are exact, whole numbers stay whole.

use super::values::{float, number};
use super::{Function, Use};
use liquid_core::model::{Value, ValueView};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("plus", |this| arithmetic(this, i64::checked_add, |a, b| a + b)),
    ("minus", |this| arithmetic(this, i64::checked_sub, |a, b| a - b)),
    ("times", |this| arithmetic(this, i64::checked_mul, |a, b| a * b)),
    ("divided_by", |this| arithmetic(this, floor_divided, |a, b| a / b)),
    ("modulo", |this| {
        arithmetic(
            this,
            |a, b| (b != 0).then(|| a.wrapping_rem(b).wrapping_add(b).wrapping_rem(b)),
            |a, b| a.rem_euclid(b),
        )
    }),
    ("at_least", |this| bounded(this, |input, limit| input < limit)),
    ("at_most", |this| bounded(this, |input, limit| input > limit)),
    ("abs", |this| {
        whole(this.input)
            .map_or_else(|| exact(decimal(this.input).abs()), |number| Value::scalar(number.saturating_abs()))
    }),
    ("ceil", |this| Value::scalar(decimal(this.input).ceil() as i64)),
    ("floor", |this| Value::scalar(decimal(this.input).floor() as i64)),
    ("round", |this| {
        let places = this.whole(0).unwrap_or(0).clamp(0, 15);
        if places == 0 {
            return Value::scalar(decimal(this.input).round() as i64);
        }
        let scale = 10_f64.powi(places as i32);
        exact((decimal(this.input) * scale).round() / scale)
    }),
    ("to_integer", |this| match this.input.type_name() {
        "boolean" => Value::scalar(i64::from(this.text() == "true")),
        _ => Value::scalar(leading(&this.text()) as i64),
    }),
];

fn arithmetic(this: &Use<'_>, exactly: fn(i64, i64) -> Option<i64>, roughly: fn(f64, f64) -> f64) -> Value {
    let nil = Value::Nil;
    let other: &dyn ValueView = this.arguments.first().unwrap_or(&nil);
    if let (Some(a), Some(b)) = (whole(this.input), whole(other))
        && let Some(result) = exactly(a, b)
    {
        return Value::scalar(result);
    }
    exact(roughly(decimal(this.input), decimal(other)))
}

fn bounded(this: &Use<'_>, beyond: fn(f64, f64) -> bool) -> Value {
    let limit = this.arguments.first().cloned().unwrap_or_default();
    let value = if beyond(decimal(this.input), decimal(&limit)) { limit } else { this.input.to_value() };
    whole(&value).map_or_else(|| exact(decimal(&value)), Value::scalar)
}

/// Towards minus infinity; `None` for what nothing divides.
fn floor_divided(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

/// A whole number, also as text; what is no number counts as 0.
fn whole(value: &dyn ValueView) -> Option<i64> {
    if float(value).is_some() {
        return None;
    }
    let number = value.as_scalar().and_then(|scalar| scalar.to_integer());
    number.or_else(|| number_like(value).is_none().then(|| leading(&value.to_kstr()) as i64))
}

fn number_like(value: &dyn ValueView) -> Option<f64> {
    number(value).filter(|_| value.to_kstr().contains('.'))
}

fn decimal(value: &dyn ValueView) -> f64 {
    number(value).unwrap_or_else(|| leading(&value.to_kstr()))
}

/// The number at the head of a text, as Ruby's `to_i` and `to_f` find it.
fn leading(text: &str) -> f64 {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(|b| b.is_ascii_digit()).count();
    text[..sign + digits].parse().unwrap_or(0.0)
}

/// Without what binary fractions add: 0.1 + 0.2 is 0.3.
fn exact(number: f64) -> Value {
    let rounded = if number.is_finite() { format!("{number:.15e}").parse().unwrap_or(number) } else { 0.0 };
    Value::scalar(if (rounded - number).abs() < f64::EPSILON * number.abs() * 4.0 { rounded } else { number })
}
