//! site: to come.
