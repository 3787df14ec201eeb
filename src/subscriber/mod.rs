//! subscriber: to come.
