//! web: to come.
