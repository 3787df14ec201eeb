//! How much may go: for all recipients together, and for some domains by themselves; over all relays, and over each.

use super::pace::{Domains, Rate};
use super::relay::Terms;
use crate::address::EmailAddress;
use std::collections::BTreeSet;

/// All of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// For everything that leaves.
    pub rates: Vec<Rate>,
    /// For what goes to one domain.
    pub domains: Domains,
    /// The relays, with what holds for each alone.
    pub relays: Vec<Terms>,
}

impl Limits {
    /// The part of the queue that a recipient's mail waits in: the domain, where it has limits of its own, be it with one relay,
    /// else the common one, which is called `""`.
    pub fn lane<'a>(&self, address: &'a EmailAddress) -> &'a str {
        if self.has_lane(address.domain()) { address.domain() } else { "" }
    }

    /// Whether a domain, in A-labels and lower case, has limits of its own.
    pub fn has_lane(&self, domain: &str) -> bool {
        self.tables().any(|domains| !domains.rates(domain).is_empty())
    }

    /// The domains with limits of their own, in the order of their names.
    pub fn lanes(&self) -> BTreeSet<&str> {
        self.tables().flat_map(Domains::iter).map(|(domain, _)| domain.as_str()).collect()
    }

    /// What holds for a relay.
    pub fn relay(&self, name: &str) -> Option<&Terms> {
        self.relays.iter().find(|relay| relay.name.as_deref() == Some(name))
    }

    fn tables(&self) -> impl Iterator<Item = &Domains> {
        [&self.domains].into_iter().chain(self.relays.iter().map(|relay| &relay.domains))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_limits_of_their_own_waits_in_a_lane_of_their_own() {
        let domains = |table| toml::from_str(table).unwrap();
        let relay =
            Terms { name: Some("ses".to_owned()), domains: domains("\"b.example\" = \"1/s\""), ..Terms::sole(1) };
        let limits =
            Limits { rates: Vec::new(), domains: domains("\"slow.example\" = \"1/s\""), relays: vec![relay.clone()] };
        for (address, lane) in [
            ("a@slow.example", "slow.example"),
            ("a@sub.slow.example", ""),
            ("a@x.example", ""),
            ("a@b.example", "b.example"),
        ] {
            assert_eq!(limits.lane(&address.parse().unwrap()), lane, "{address}");
        }
        assert_eq!(limits.lanes().into_iter().collect::<Vec<_>>(), ["b.example", "slow.example"]);
        assert_eq!((limits.relay("ses"), limits.relay("other")), (Some(&relay), None));
    }
}
