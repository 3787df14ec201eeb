//! How much may go: for all recipients together, and for some domains by themselves.

use super::pace::Rate;
use crate::address::EmailAddress;
use std::collections::BTreeMap;

/// All of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// For everything that leaves.
    pub rates: Vec<Rate>,
    /// By recipient domain in A-labels, lower case, for what goes there.
    pub domains: BTreeMap<String, Vec<Rate>>,
}

impl Limits {
    /// The part of the queue that a recipient's mail waits in: the domain, where it has limits of its own, else the common one,
    /// which is called `""`.
    pub fn lane(&self, address: &EmailAddress) -> &str {
        self.domains.get_key_value(address.domain()).map_or("", |(domain, _)| domain)
    }
}
