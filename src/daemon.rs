//! daemon: to come.
