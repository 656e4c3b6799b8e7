//! `cargo xtask miri`: runs the tests of the plain Rust under Miri, which finds undefined behaviour. Needs a nightly Rust
//! with the component `miri`, and is no part of CI for that reason.

use anyhow::{Context, Result};

use tool_support::process;

/// Tests whose inputs are too long for Miri, which is some hundred times slower than the machine. They say nothing about
/// memory that shorter ones do not.
const TOO_LONG: &[&str] = &[
    "no_order_takes_long",
    "no_nesting_is_too_deep",
    "nesting_is_bounded",
    "long_texts_are_exact",
    "is_the_nearest",
    "recordings::",
];

/// Random cases of each property: with this many all of it takes half an hour on a busy machine.
const CASES: &str = "1";

/// Runs the tests of lines and JSON.
///
/// # Errors
/// If a test fails or does what is undefined, or if there is no Miri.
pub(crate) fn run() -> Result<()> {
    let version = process::output(&mut process::program("cargo", &["+nightly", "miri", "--version"]));
    print!("{}", version.context("no Miri: `rustup toolchain install nightly --component miri,rust-src` installs it")?);
    let mut command = process::program("cargo", &["+nightly", "miri", "test"]);
    command.args(["--package", "rowtide-json", "--package", "rowtide-protocol", "--"]);
    for test in TOO_LONG {
        command.args(["--skip", test]);
    }
    command.env("PROPTEST_CASES", CASES).env("PROPTEST_FAILURE_PERSISTENCE", "none");
    // Reading the clock and the environment is what Miri allows only then. A helper of the tests leaks what it decodes into;
    // leaks of the library are valgrind's to find.
    process::run(command.env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks"))
}
