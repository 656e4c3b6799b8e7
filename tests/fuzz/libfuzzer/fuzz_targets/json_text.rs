//! The target `json_text` of `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rowtide_fuzz::run("json_text", input));
