//! The target `bson_line` of `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rowtide_fuzz::run("bson_line", input));
