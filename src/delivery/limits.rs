//! How much may go: for all recipients together, and for some domains by themselves.

use super::pace::{Domains, Rate};
use crate::address::EmailAddress;

/// All of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// For everything that leaves.
    pub rates: Vec<Rate>,
    /// For what goes to one domain.
    pub domains: Domains,
}

impl Limits {
    /// The part of the queue that a recipient's mail waits in: the domain, where it has limits of its own, else the common one,
    /// which is called `""`.
    pub fn lane<'a>(&self, address: &'a EmailAddress) -> &'a str {
        if self.domains.rates(address.domain()).is_empty() { "" } else { address.domain() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_limits_of_their_own_waits_in_a_lane_of_their_own() {
        let domains = toml::from_str("\"slow.example\" = \"1/s\"").unwrap();
        let limits = Limits { rates: Vec::new(), domains };
        for (address, lane) in [("a@slow.example", "slow.example"), ("a@sub.slow.example", ""), ("a@x.example", "")] {
            assert_eq!(limits.lane(&address.parse().unwrap()), lane, "{address}");
        }
    }
}
