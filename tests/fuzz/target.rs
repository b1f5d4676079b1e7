//! Every target is this file: its name says which parser of `parsers.rs` it feeds.
#![no_main]

mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parsers::named(env!("CARGO_BIN_NAME"))(data));
