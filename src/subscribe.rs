//! subscribe: to come.
