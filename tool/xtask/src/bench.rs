//! `cargo xtask bench`: builds what is measured and the benchmark program, and runs it.

use std::process::Command;

use anyhow::{Context, Result};

use tool_support::library;
use tool_support::process::{self, cargo};

/// The profile of everything that is measured, apart from the library as it ships.
const MEASURED: [&str; 2] = ["--profile", "measured"];

/// Runs the benchmark of the library with these options of `rowtide-bench`, or, after the word `service`, that of the sync
/// service with those of `rowtide-service-bench`.
///
/// # Errors
/// If something does not build, or a measurement fails.
pub(crate) fn run(options: &[String]) -> Result<()> {
    if let Some((first, options)) = options.split_first()
        && first == "service"
    {
        return service("measured", &MEASURED, options);
    }
    let library = library::build()?;
    let mut command = cargo(&["run", "--quiet"]);
    command.args(MEASURED).args(["--package", "rowtide-bench", "--"]);
    process::run(command.args(options).arg("--library").arg(library))
}

/// The service is the program `rowtide`, built with the same profile as the benchmark.
fn service(folder: &str, profile: &[&str], options: &[String]) -> Result<()> {
    // Both at once, so that they share dependencies with the same features.
    process::run(cargo(&["build", "--bin", "rowtide", "--bin", "rowtide-service-bench"]).args(profile))?;
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).context("this program is not where Cargo puts programs")?;
    let built = |name: &str| target.join(folder).join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let mut command = Command::new(built("rowtide-service-bench"));
    process::run(command.current_dir(process::repository()).args(options).arg("--program").arg(built("rowtide")))
}

/// Runs every workload once at a small scale, and one study of growth, to see that they work; times say nothing here.
///
/// # Errors
/// If something does not build, or a workload fails.
pub(crate) fn smoke() -> Result<()> {
    let library = library::build()?;
    let run = |options: &[&str]| {
        let mut command = cargo(&["run", "--quiet", "--profile", "test", "--bin", "rowtide-bench", "--"]);
        process::run(command.args(options).arg("--library").arg(&library))
    };
    run(&["--runs", "1", "--scale", "0.005"])?;
    run(&["growth", "--size", "buckets", "--limit", "100"])
}

/// The same for the sync service: what is counted must be right. If there is a PostgreSQL server, also the comparison with
/// another service, which then is the same program.
///
/// # Errors
/// If something does not build, or a count is wrong.
pub(crate) fn service_smoke() -> Result<()> {
    service("debug", &[], &["--scale", "0.005"].map(str::to_owned))?;
    if std::env::var_os("ROWTIDE_POSTGRES_BIN").is_none() {
        return Ok(());
    }
    service("debug", &[], &["--scale", "0.005", "--against", "self"].map(str::to_owned))
}
