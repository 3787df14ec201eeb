//! dispatch: to come.
