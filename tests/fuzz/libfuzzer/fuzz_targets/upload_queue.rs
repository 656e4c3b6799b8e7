//! The target `upload_queue` of `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rowtide_fuzz::run("upload_queue", input));
