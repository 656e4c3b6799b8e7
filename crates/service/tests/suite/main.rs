//! The service over HTTP, with a source in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod checkpoints;
mod dev;
mod encodings;
mod errors;
mod explain;
mod faulty;
mod gated;
mod inspector;
mod isolation;
mod keys;
mod logs;
mod slow;
mod status;
mod storage;
mod streams;
mod stress;
mod support;
mod writes;
