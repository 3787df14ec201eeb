//! output: to come.
