//! One binary for all integration tests, so that they link once.

mod support;

mod architecture;
mod posts;
mod smtp;
mod web;
