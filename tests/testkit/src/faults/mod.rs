//! Faults on demand: an allocator that refuses requests, a disk that fails or loses what was not synced, interrupts,
//! and a connection that takes all of that as ordinary errors (docs/reliability.md#how-it-is-tested).
//!
//! They replace what SQLite gets from its surroundings through C interfaces, which is why there is unsafe code here.
#![allow(unsafe_code)]

pub mod allocator;
pub mod countdown;
pub mod database;
pub mod disk;
pub mod interrupts;

pub use database::{Database, Failure};
pub use disk::Disk;
