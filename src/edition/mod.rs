//! edition: to come.
