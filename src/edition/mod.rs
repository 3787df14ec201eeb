//! edition: to come.

pub mod compose;
