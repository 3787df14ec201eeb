//! transport: to come.
