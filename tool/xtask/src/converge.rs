//! `cargo xtask converge` and `cargo xtask soak`: random sessions of several clients, several processes on one file, and
//! one long session, all with the release library.

use anyhow::Result;

use tool_support::library;
use tool_support::process::{self, cargo};

/// Sessions in CI: about a minute on two processors.
const SESSIONS: &str = "1500";

/// Rounds of the long session in CI: about a minute. Counted rather than timed, so that it is the same everywhere.
const ROUNDS: &str = "400";

/// Runs random sessions for some minutes.
///
/// # Errors
/// If something does not build, or a session fails.
pub(crate) fn run(minutes: f64, seed: u64) -> Result<()> {
    program(&["sessions", "--minutes", &minutes.to_string(), "--seed", &seed.to_string()])
}

/// Runs one long session.
///
/// # Errors
/// If something does not build, the session fails, or memory or files grow.
pub(crate) fn soak(minutes: f64, seed: u64) -> Result<()> {
    program(&["soak", "--minutes", &minutes.to_string(), "--seed", &seed.to_string()])
}

/// A bounded run of everything.
///
/// # Errors
/// As above.
pub(crate) fn bounded() -> Result<()> {
    program(&["sessions", "--count", SESSIONS])?;
    program(&["processes", "--transactions", "400"])?;
    program(&["soak", "--rounds", ROUNDS])
}

/// Runs the program with the release library. It has the settings and features of tests, so that nothing is compiled twice.
fn program(arguments: &[&str]) -> Result<()> {
    let library = library::build()?;
    let mut command = cargo(&["run", "--quiet", "--profile", "test", "--bin", "rowtide-convergence", "--"]);
    process::run(command.args(arguments).env("POWERSYNC_LIBRARY", library))
}
