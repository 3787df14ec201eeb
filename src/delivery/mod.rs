//! The rules of delivery, pure: when next, how fast, when to stop.

pub mod route;
