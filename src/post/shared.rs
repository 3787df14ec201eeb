//! What many posts say alike is kept once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// The different values that were met.
#[derive(Debug)]
pub struct Shared<T: ?Sized>(HashSet<Arc<T>>);

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Shared(HashSet::new())
    }
}

impl<T: Hash + Eq + ?Sized> Shared<T> {
    /// The first value that was equal.
    pub fn first(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(first) = self.0.get(&*value) {
            return first.clone();
        }
        self.0.insert(value.clone());
        value
    }
}
