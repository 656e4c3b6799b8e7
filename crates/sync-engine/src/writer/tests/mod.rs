//! The writer with a scripted source, the store in memory, and clients that check all that they get.

mod basics;
mod client;
mod comparison;
mod configs;
mod deploys;
mod edge_cases;
mod edge_rows;
mod expected;
mod faults;
mod grouping;
mod harness;
mod simulation;
mod source_changes;
mod world;

use sync_config::{CompileOptions, Plan, compile};

/// The plan of a configuration that has no mistakes.
fn plan(yaml: &str) -> Plan {
    let options = CompileOptions { default_schema: "main".to_owned(), ..CompileOptions::default() };
    let compiled = compile(yaml, &options);
    compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

/// Random numbers that are the same everywhere.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// From 0 to one less than `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
