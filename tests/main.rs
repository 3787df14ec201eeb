//! One binary for all integration tests, so that they link once.

mod support;
mod posts;
mod smtp;
