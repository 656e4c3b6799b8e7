//! `cargo xtask size`: the release library must stay smaller than the published one.

use anyhow::{Result, ensure};

use tool_support::library;

/// Size of the library that is published on npm, in bytes: ours stays below it.
const LIMIT: u64 = 485_000;
/// What we aim for.
const GOAL: u64 = 430_000;

/// Builds the release library and checks its size.
///
/// # Errors
/// If it is too large.
pub(crate) fn check() -> Result<()> {
    let library = library::build()?;
    let size = std::fs::metadata(&library)?.len();
    let goal = if size < GOAL { "reached" } else { "missed" };
    println!("{}: {size} bytes (limit {LIMIT}, goal {GOAL} {goal})", library.display());
    ensure!(size < LIMIT, "the library has {size} bytes, more than {LIMIT}");
    Ok(())
}
