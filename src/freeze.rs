//! freeze: to come.
