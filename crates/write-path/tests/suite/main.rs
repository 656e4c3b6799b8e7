//! The write path on an SQLite file, through uploads as clients send them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../cases/mod.rs"]
mod cases;
mod classification;
mod crash;
mod rule_files;
mod rules;
mod source;
mod support;
mod trouble;

cases::all_tests! {}
