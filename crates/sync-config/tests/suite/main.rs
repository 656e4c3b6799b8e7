//! Tests of the compiler through its public interface.

mod brute_force;
mod plans;
mod queries;
mod random;
mod support;
