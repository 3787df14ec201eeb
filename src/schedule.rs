//! schedule: to come.
