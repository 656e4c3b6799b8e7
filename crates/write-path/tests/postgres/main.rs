//! The write path on a PostgreSQL server, through uploads as clients send them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../cases/mod.rs"]
mod cases;
mod model;
mod rules;
mod security;
mod support;
mod trouble;
mod types;

cases::all_tests! { [cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")] }
