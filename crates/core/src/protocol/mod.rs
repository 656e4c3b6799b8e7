//! The wire format of the sync protocol: lines from JSON and BSON, checksums, priorities. No SQLite and no state.
#![deny(clippy::arithmetic_side_effects)]
