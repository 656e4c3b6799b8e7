//! Tests of the state machine as a whole, on a storage in memory. Lines are given as the service sends them.

mod diagnostics;
mod errors;
mod findings;
mod gate;
mod host;
mod life;
mod memory_storage;
mod others;
mod others_random;
mod priorities;
mod progress;
mod random;
mod requests;
mod rollback;
mod streams;
