//! The write path on an SQLite file, through uploads as clients send them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod classification;
mod conflicts;
mod crash;
mod dead_letters;
mod exactly_once;
mod random;
mod results;
mod rule_files;
mod rules;
mod source;
mod support;
mod trouble;
