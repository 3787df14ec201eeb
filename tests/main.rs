//! One binary for all integration tests, so that they link once.

mod support;

mod accounts;
mod adopt;
mod architecture;
mod bytes;
mod check;
mod clock;
mod contract;
mod disk;
mod dispatch;
mod dkim;
mod faults;
mod feeds;
mod freezing;
mod identity;
mod keys;
mod kills;
mod ledger;
mod matrix;
mod media;
mod mutations;
mod order;
mod limits;
mod model;
mod posts;
mod power;
mod races;
mod readme;
mod refusals_to_start;
mod smtp;
mod stopped;
mod store;
mod templates;
mod web;
mod websub;
