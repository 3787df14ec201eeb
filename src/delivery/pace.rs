//! How fast: limits such as `14/s` or `50000/d`, all of which hold.

use crate::address::Domain;
use serde::Deserialize;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A day in milliseconds.
pub(super) const DAY: i64 = 86_400_000;

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
                "{text:?} is not a rate; write messages per second, minute, hour, day or month: 14/s, 500/m, 2000/h, 50000/d or 300000/month"
            )
        };
        let (messages, unit) = text.split_once('/').ok_or_else(wrong)?;
        let messages = messages.trim().parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        let window = match unit.trim() {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY,
            // The longest there is: whatever the month, no more go in it.
            "month" => 31 * DAY,
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

/// One limit or a list of them, all of which hold: `"20/s"` or `["20/s", "5000/h"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates(pub Vec<Rate>);

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Rates;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate such as \"20/s\", or a list of them")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Rates, E> {
                Ok(Rates(vec![text.parse().map_err(E::custom)?]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rates, A::Error> {
                let mut rates = Vec::new();
                while let Some(rate) = list.next_element()? {
                    rates.push(rate);
                }
                match rates.is_empty() {
                    true => Err(A::Error::custom(
                        "this list has no rate; write one such as \"20/s\", or leave the domain out",
                    )),
                    false => Ok(Rates(rates)),
                }
            }
        }
        from.deserialize_any(OneOrMany)
    }
}

/// The limits of `[delivery.domains]`: recipients' domains and what holds for each, beside the limits for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains(BTreeMap<Domain, Rates>);

impl Domains {
    /// The limits for recipients in this domain, given in A-labels and lower case; none where none are set. A subdomain has
    /// limits of its own.
    pub fn rates(&self, domain: &str) -> &[Rate] {
        // Comparing text spares an allocation for each message.
        let of = self.0.iter().find(|(known, _)| known.as_str() == domain);
        of.map_or(&[], |(_, rates)| &rates.0)
    }

    /// All of them, in the order of the domains' names.
    pub fn iter(&self) -> impl Iterator<Item = (&Domain, &[Rate])> {
        self.0.iter().map(|(domain, rates)| (domain, rates.0.as_slice()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Domains {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Domains;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of domains and their rates, such as \"gmail.com\" = \"20/s\"")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Domains, A::Error> {
                let mut domains = BTreeMap::new();
                while let Some(Name(domain)) = table.next_key()? {
                    if domains.contains_key(&domain) {
                        let name = domain.as_str();
                        return Err(A::Error::custom(format!("{name:?} has limits twice, in two spellings; keep one")));
                    }
                    domains.insert(domain, table.next_value()?);
                }
                Ok(Domains(domains))
            }
        }
        from.deserialize_map(Table)
    }
}

/// A key of the table. As a type of its own, so that an error is placed at the key.
struct Name(Domain);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parse_domain(&String::deserialize(from)?).map(Name).map_err(D::Error::custom)
    }
}

fn parse_domain(name: &str) -> Result<Domain, String> {
    let help = "write the part of the addresses after the @, in quotes: \"gmail.com\" = \"20/s\"";
    if name.contains('@') {
        return Err(format!("{name:?} is an address, not a domain; {help}"));
    }
    let domain = Domain::parse(name).map_err(|why| format!("{name:?}: {why}; {help}"))?;
    // TOML reads `gmail.com = ...` as a table `gmail` with a key `com`.
    match domain.as_str().contains('.') {
        true => Ok(domain),
        false => Err(format!("{name:?} is no whole domain; {help}")),
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

impl Allowance {
    /// What both allow.
    pub fn and(self, other: Allowance) -> Allowance {
        match (self, other) {
            (Allowance::Now(a), Allowance::Now(b)) => Allowance::Now(a.min(b)),
            (Allowance::Wait(a), Allowance::Wait(b)) => Allowance::Wait(a.max(b)),
            (wait @ Allowance::Wait(_), _) | (_, wait) => wait,
        }
    }
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
    }

    #[test]
    fn of_two_allowances_the_tighter_holds() {
        use Allowance::{Now, Wait};
        for (a, b, both) in [(Now(3), Now(5), Now(3)), (Now(3), Wait(9), Wait(9)), (Wait(7), Wait(9), Wait(9))] {
            assert_eq!([a.and(b), b.and(a)], [both, both]);
        }
    }

    #[test]
    fn a_full_window_is_waited_for_at_least_a_moment() {
        let full = |frees_in| Window { rate: "1/s".parse().unwrap(), used: 1, frees_in };
        assert_eq!(allowance(&[full(0)]), Allowance::Wait(1));
        assert_eq!(allowance(&[full(-5)]), Allowance::Wait(1));
        let over = Window { used: 9, ..full(40) };
        assert_eq!(allowance(&[over, Window { used: 0, ..full(700) }]), Allowance::Wait(40));
    }

    #[test]
    fn rates_are_read() {
        for (text, messages, window) in [
            ("14/s", 14, 1_000),
            ("500/m", 500, 60_000),
            (" 1 / h ", 1, 3_600_000),
            ("50000/d", 50_000, DAY),
            ("9000/month", 9_000, 31 * DAY),
        ] {
            assert_eq!(text.parse(), Ok(Rate { messages, window }));
        }
        for wrong in ["14", "0/s", "-1/s", "5/y", "5/mo", "1.5/s", "/s", "5/", "", "99999999999999999999/d"] {
            let sentence = wrong.parse::<Rate>().unwrap_err();
            assert!(sentence.starts_with(&format!("{wrong:?} is not a rate; write messages per second")), "{sentence}");
        }
    }

    #[test]
    fn domains_have_one_limit_or_several() {
        let table = "\"Gmail.com\" = \"20/s\"\n\"bücher.example\" = [\"2/s\", \"500/h\"]";
        let domains: Domains = toml::from_str(table).unwrap();
        assert_eq!(domains.rates("gmail.com"), ["20/s".parse().unwrap()]);
        assert_eq!(domains.rates("xn--bcher-kva.example"), ["2/s".parse().unwrap(), "500/h".parse().unwrap()]);
        assert_eq!(domains.rates("mail.gmail.com"), []);
        assert_eq!(domains.rates("com"), []);
        let names: Vec<_> = domains.iter().map(|(domain, rates)| (domain.as_str(), rates.len())).collect();
        assert_eq!(names, [("gmail.com", 1), ("xn--bcher-kva.example", 2)]);
        assert!(!domains.is_empty() && Domains::default().is_empty());
    }

    #[test]
    fn mistakes_in_the_table_of_domains_are_named() {
        let help = "write the part of the addresses after the @, in quotes: \"gmail.com\" = \"20/s\"";
        for (table, sentence) in [
            ("gmail.com = \"20/s\"", format!("\"gmail\" is no whole domain; {help}")),
            ("\"ada@gmail.com\" = \"20/s\"", format!("\"ada@gmail.com\" is an address, not a domain; {help}")),
            ("\"g mail.com\" = \"20/s\"", format!("\"g mail.com\": the domain is not a domain name; {help}")),
            (
                "\"a.example\" = \"1/s\"\n\"A.example\" = \"2/s\"",
                "\"a.example\" has limits twice, in two spellings; keep one".to_owned(),
            ),
            (
                "\"a.example\" = []",
                "this list has no rate; write one such as \"20/s\", or leave the domain out".to_owned(),
            ),
            ("\"a.example\" = [\"1/s\", \"x\"]", "\"x\" is not a rate; write messages per second".to_owned()),
            ("\"a.example\" = \"x\"", "\"x\" is not a rate; write messages per second".to_owned()),
            ("\"a.example\" = 20", "expected a rate such as \"20/s\", or a list of them".to_owned()),
        ] {
            let said = toml::from_str::<Domains>(table).unwrap_err().to_string();
            assert!(said.contains(&sentence), "{table}: {said}");
        }
        #[derive(Debug, Deserialize)]
        struct Whole {
            #[expect(dead_code, reason = "it is not read")]
            domains: Domains,
        }
        let said = toml::from_str::<Whole>("domains = 3").unwrap_err().to_string();
        assert!(said.contains("expected a table of domains and their rates"), "{said}");
    }
}
