#![no_main]

#[path = "../../tests/support/posts.rs"]
mod posts;

libfuzzer_sys::fuzz_target!(|text: &str| posts::bounce(text));
