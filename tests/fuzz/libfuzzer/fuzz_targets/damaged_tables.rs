//! The target `damaged_tables` of `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rowtide_fuzz::run("damaged_tables", input));
