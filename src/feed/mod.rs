//! feed: to come.
