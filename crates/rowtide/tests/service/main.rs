//! The service as the program runs it: flags, signals, what it prints, and that a client can sync with it.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod config;
mod dead_letters;
mod deploys;
mod dev;
mod explain;
mod serve;
mod support;
mod usage;
