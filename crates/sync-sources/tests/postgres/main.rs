//! The PostgreSQL source against a real server: snapshots and the stream together give the content of the tables, whatever
//! is written meanwhile, and whatever happens to the server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../sources/follower.rs"]
mod follower;

mod app;
mod basics;
mod connections;
mod history;
mod keys;
mod large;
mod random;
mod server;
mod setup;
mod snapshots;
mod tables;
mod toast;
mod types;
