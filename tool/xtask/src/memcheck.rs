//! `cargo xtask memcheck`: runs the project's scenarios under valgrind's memcheck, with the release library. Any wrong
//! access, use of undefined memory, or block that is left behind is an error.

use anyhow::{Context, Result};

use tool_support::library::JSON_MESSAGES;
use tool_support::{library, process};

const OPTIONS: &[&str] = &[
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect,possible",
    "--suppressions=tool/xtask/memcheck.supp",
    // SQLite unloads the library when its last connection is closed.
    "--keep-debuginfo=yes",
];

/// Runs the sessions under valgrind.
///
/// # Errors
/// If memcheck finds anything, or a session does not go as it should; if valgrind is not installed.
pub(crate) fn run() -> Result<()> {
    let version = process::output(&mut process::program("valgrind", &["--version"]));
    version.context("valgrind is not installed; Debian has a package of that name")?;
    let library = library::build_with_symbols()?;
    let example = ["build", "--package", "rowtide-tests", "--example", "sessions", JSON_MESSAGES];
    let sessions = library::built(&mut process::cargo(&example), "example")?;
    process::run(process::program("valgrind", OPTIONS).arg(sessions).env("POWERSYNC_LIBRARY", library))
}
