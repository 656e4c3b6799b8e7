//! The commands that build, package and check what ships. They are a separate program (`tool/dist`), so that
//! nobody compiles packaging code to run the tests.

use anyhow::Result;
use tool_support::process::{self, cargo};

/// Runs a command of `rowtide-dist`.
///
/// # Errors
/// If it does not build, or the command fails.
pub(crate) fn run<'a>(command: &str, options: impl IntoIterator<Item = &'a str>) -> Result<()> {
    process::run(cargo(&["run", "--quiet", "--package", "rowtide-dist", "--", command]).args(options))
}
