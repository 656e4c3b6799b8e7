//! Clients and the real service, in one process.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod compression;
mod faults;
mod lifecycle;
mod recordings;
mod support;
mod syncing;
mod uploads;
