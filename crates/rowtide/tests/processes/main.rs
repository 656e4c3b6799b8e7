//! Several processes of the service on one storage in PostgreSQL, as an operator runs them, and what happens to their clients
//! when one of them or the server is killed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../service/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;

mod deployment;
mod failover;
mod roles;
