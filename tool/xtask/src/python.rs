//! `cargo xtask python`: runs the smallest Python program that syncs, on the release library.

use anyhow::Result;

use tool_support::library;
use tool_support::process;

/// Builds the library and runs the program, which checks what it sees.
///
/// # Errors
/// If one of them fails.
pub(crate) fn run() -> Result<()> {
    let library = library::build()?.display().to_string();
    process::run(&mut process::program("python3", &["tests/hosts/python/sync.py", &library]))
}
