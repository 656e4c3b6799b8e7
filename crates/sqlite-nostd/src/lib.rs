//! Placeholder until the bindings land.
#![no_std]
