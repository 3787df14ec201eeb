//! template: to come.
