//! Tests of the compiler through its public interface.

mod brute_force;
mod grammar;
mod hashes;
mod legacy;
mod plans;
mod positions;
mod queries;
mod random;
mod requests;
mod rows;
mod support;
mod yaml_rules;
