//! token: to come.
