//! Tests of the store in PostgreSQL: what every store must do, and what only several processes and a server can do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[macro_use]
mod world;

mod crash;
mod follow;
mod open;

#[path = "../store/cases.rs"]
mod cases;
#[path = "../store/client.rs"]
mod client;
#[path = "../store/history.rs"]
mod history;
#[path = "../store/random.rs"]
mod random;
#[path = "../store/support.rs"]
mod support;
#[path = "../store/threads.rs"]
mod threads;
