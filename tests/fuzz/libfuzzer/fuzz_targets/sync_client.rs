//! The target `sync_client` of `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rowtide_fuzz::run("sync_client", input));
