//! `cargo xtask bench`: builds the release library and the benchmark program, and runs it.

use anyhow::Result;

use tool_support::library;
use tool_support::process::{self, cargo};

/// Runs the benchmark with these options of `rowtide-bench`.
///
/// # Errors
/// If something does not build, or a measurement fails.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let library = library::build()?;
    let mut command = cargo(&["run", "--quiet", "--profile", "measured", "--package", "rowtide-bench", "--"]);
    process::run(command.args(options).arg("--library").arg(library))
}

/// Runs every workload once at a small scale, and one study of growth, to see that they work; times say nothing here.
///
/// # Errors
/// If something does not build, or a workload fails.
pub(crate) fn smoke() -> Result<()> {
    let library = library::build()?;
    let run = |options: &[&str]| {
        let mut command = cargo(&["run", "--quiet", "--package", "rowtide-bench", "--"]);
        process::run(command.args(options).arg("--library").arg(&library))
    };
    run(&["--runs", "1", "--scale", "0.005"])?;
    run(&["growth", "--size", "buckets", "--limit", "100"])
}
