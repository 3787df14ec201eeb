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
