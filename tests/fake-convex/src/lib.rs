//! A double of a Convex deployment: what a sync service sees of one over HTTP, for tests.
//!
//! [`Convex`] keeps documents in memory, with the log of all that was committed, and serves them on a free port of the
//! loopback interface while it exists. A test writes through it ([`Convex::commit`]), changes tables as the dashboard does
//! ([`Convex::drop_table`], [`Convex::import_replace`]), and makes things go wrong ([`Fault`]). [`run_script`] does the same
//! from lines of JSON.
//!
//! What it claims about Convex is in `tests/contract`: each test says where the fact is from, so that a run against a real
//! deployment can correct it.
//!
//! It knows two functions of the app: `powersync_checkpoints:createCheckpoint` and `powersync:applyTransaction`. The second
//! is a Rust twin of `docs/examples/convex/convex/powersync.ts`: what runs here proves the callers of that function, not the
//! TypeScript. Both are held to the same cases, `docs/examples/convex/cases.json`.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is the test's"
)]

mod apply;
mod database;
mod faults;
mod functions;
mod pages;
mod routes;
mod script;
mod server;
mod sync;
mod value;

pub use database::Write;
pub use faults::{Fault, Route};
pub use script::run_script;
pub use server::{Convex, Options};
pub use value::{Document, Value};
