//! Tests of stores: what every store must do, run with the one in memory and the one on SQLite; and what only a file can do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[macro_use]
mod world;

mod cases;
mod client;
mod crash;
mod history;
mod open;
mod random;
mod support;
mod threads;
