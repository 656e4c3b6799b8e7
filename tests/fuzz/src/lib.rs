//! Fuzz targets: functions that take any bytes, do something with them that must not fail, and compare the outcome with
//! an independent one where there is any. They panic if it differs.
//!
//! The driver of this crate (`cargo xtask fuzz`) runs them on stable Rust, on committed inputs and on random changes of
//! these; `fuzz/` at the top of the repository runs the same functions with libFuzzer.
#![forbid(unsafe_code)]
#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod bson_line;
mod damaged_tables;
mod expected_line;
mod invariants;
mod json_line;
mod json_text;
mod schema;
mod script;
mod sync_client;
mod upload_queue;

pub mod corpus;
pub mod mutation;
pub mod random;

use std::sync::Once;

use rowtide_testkit::Host;

/// What can be fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its directory of inputs.
    pub name: &'static str,
    /// Does something with an input. Panics if the outcome is wrong.
    pub run: fn(&[u8]),
    /// How inputs are written.
    pub format: Format,
}

/// How the inputs of a target are written, which decides how they are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON texts in lines that may hold other things too.
    Json,
    /// One BSON document.
    Bson,
    /// One step a line, see `script`.
    Script,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "json_line", run: json_line::run, format: Format::Json },
    Target { name: "bson_line", run: bson_line::run, format: Format::Bson },
    Target { name: "json_text", run: json_text::run, format: Format::Json },
    Target { name: "schema", run: schema::run, format: Format::Json },
    Target { name: "sync_client", run: sync_client::run, format: Format::Script },
    Target { name: "damaged_tables", run: damaged_tables::run, format: Format::Script },
    Target { name: "upload_queue", run: upload_queue::run, format: Format::Json },
];

/// A new database in memory with the library loaded.
///
/// SQLite unloads the library with the last connection that uses it. It is kept, because loading it takes longer than
/// most inputs do, and because libFuzzer looks at what it counted in the library afterwards.
fn open() -> Host {
    static KEPT: Once = Once::new();
    KEPT.call_once(|| std::mem::forget(Host::open_in_memory()));
    Host::open_in_memory()
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs the target of this name on an input.
///
/// # Panics
/// If the outcome is wrong, or there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = target(name).unwrap_or_else(|| panic!("there is no target {name}"));
    (target.run)(input);
}
