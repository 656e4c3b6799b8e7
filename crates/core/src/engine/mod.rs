//! The sync client's state machine: events in, storage requests and instructions out. No SQL and no parsing.
#![deny(clippy::arithmetic_side_effects)]

/// The sync client of one connection.
#[derive(Default)]
pub struct Engine {}

impl Engine {
    /// Whether an iteration is running.
    pub fn has_iteration(&self) -> bool {
        false
    }
}
