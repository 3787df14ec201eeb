//! One binary for all integration tests, so that they link once.

mod support;

mod accounts;
mod architecture;
mod contract;
mod dkim;
mod faults;
mod freezing;
mod keys;
mod kills;
mod ledger;
mod matrix;
mod posts;
mod races;
mod readme;
mod refusals_to_start;
mod smtp;
mod store;
mod web;
