//! The sync stream over a WebSocket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod errors;
mod streams;
#[path = "../suite/support.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod support;
mod times;
