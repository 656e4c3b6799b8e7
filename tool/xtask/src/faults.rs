//! `cargo xtask faults`: a session in which calls fail, statements are interrupted, and the process or the power ends, at
//! every moment or at many of them (`tests/faults`).

use anyhow::Result;

use tool_support::process::{self, cargo};

/// Tries so many moments of each kind, or all of them.
///
/// # Errors
/// If a test fails.
pub(crate) fn run(samples: Option<u32>) -> Result<()> {
    let samples = samples.map_or_else(|| "all".to_owned(), |samples| samples.to_string());
    let mut tests = cargo(&["test", "--package", "rowtide-tests", "--test", "faults"]);
    process::run(tests.args(["--", "--nocapture", "--test-threads=1"]).env("POWERSYNC_FAULTS", samples))
}
