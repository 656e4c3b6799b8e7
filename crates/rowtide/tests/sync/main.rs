//! `rowtide sync` as a user runs it, with `rowtide dev` as the service.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod going_on;
mod once;
mod support;
mod tokens;
