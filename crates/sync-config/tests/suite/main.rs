//! Tests of the compiler through its public interface.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod brute_force;
mod documented;
mod explain;
mod grammar;
mod hashes;
mod legacy;
mod plans;
mod positions;
mod queries;
mod random;
mod recorded;
mod requests;
mod rows;
mod support;
mod warnings;
mod yaml_rules;
