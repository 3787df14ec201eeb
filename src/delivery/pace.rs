//! How fast: limits such as `14/s` or `50000/d`, all of which hold.

use serde::Deserialize;
use std::str::FromStr;

/// At most so many messages in any window of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub messages: i64,
    /// The window's length in milliseconds.
    pub window: i64,
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a rate; write messages per second, minute, hour or day: 14/s, 500/m, 2000/h or 50000/d"
            )
        };
        let (messages, unit) = text.split_once('/').ok_or_else(wrong)?;
        let messages = messages.trim().parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        let window = match unit.trim() {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        Ok(Rate { messages, window })
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The state of one window: what the ledger counts in it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The limit.
    pub rate: Rate,
    /// Attempts begun or promised within the window that ends now.
    pub used: i64,
    /// Milliseconds until the oldest of them leaves the window.
    pub frees_in: i64,
}

/// How many messages may go now, and where none may, how long until one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// That many.
    Now(i64),
    /// None for that many milliseconds.
    Wait(i64),
}

/// What all windows together allow.
pub fn allowance(windows: &[Window]) -> Allowance {
    let left = windows.iter().map(|w| w.rate.messages - w.used).min().unwrap_or(i64::MAX);
    if left > 0 {
        return Allowance::Now(left);
    }
    let full = windows.iter().filter(|w| w.used >= w.rate.messages);
    Allowance::Wait(full.map(|w| w.frees_in.max(1)).max().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_window_decides() {
        let window = |rate: &str, used, frees_in| Window { rate: rate.parse().unwrap(), used, frees_in };
        assert_eq!(allowance(&[]), Allowance::Now(i64::MAX));
        assert_eq!(allowance(&[window("14/s", 4, 0), window("100/d", 95, 0)]), Allowance::Now(5));
        assert_eq!(allowance(&[window("14/s", 14, 300), window("100/d", 100, 9_000)]), Allowance::Wait(9_000));
        assert!("14".parse::<Rate>().is_err() && "0/s".parse::<Rate>().is_err() && "5/y".parse::<Rate>().is_err());
    }
}
