//! `cargo xtask fuzz`: runs the fuzz targets of `tests/fuzz` on random inputs, with a library that checks its
//! arithmetic.
//!
//! On stable Rust, without anything else. With `--guided` libFuzzer chooses the inputs by what they reach in the code,
//! also in the library: that needs a C++ compiler, but no nightly Rust.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use tool_support::{library, process};

/// Names the library that the targets load.
const LIBRARY_VARIABLE: &str = "POWERSYNC_LIBRARY";

/// What makes compiled code count what it runs through, as cargo-fuzz sets it.
const INSTRUMENTATION: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// How long each target runs in CI, in addition to the stored inputs.
const SECONDS_IN_CI: u64 = 10;

/// What to fuzz, and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target; all of them otherwise, one after the other
    #[arg(long)]
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Other numbers give other inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Has libFuzzer choose the inputs; needs a target, and a C++ compiler
    #[arg(long, requires = "target")]
    guided: bool,
}

/// Fuzzes as the options say.
///
/// # Errors
/// If an input makes a target fail; the message names the file with the input.
pub(crate) fn run(options: &Options) -> Result<()> {
    let seconds = (options.minutes * 60.0) as u64;
    match &options.target {
        Some(target) if options.guided => guided(target, seconds, options.seed),
        target => drive(target.as_deref(), seconds, options.seed),
    }
}

/// Runs each target for a short time.
///
/// # Errors
/// If an input makes a target fail.
pub(crate) fn check() -> Result<()> {
    drive(None, SECONDS_IN_CI, 1)
}

fn drive(target: Option<&str>, seconds: u64, seed: u64) -> Result<()> {
    let library = library::build_checked(&[], &[])?;
    let (seconds, seed) = (seconds.to_string(), seed.to_string());
    let mut command = driver(&["run", "--seconds", &seconds, "--seed", &seed]);
    command.env(LIBRARY_VARIABLE, library);
    if let Some(target) = target {
        command.args(["--target", target]);
    }
    process::run(&mut command)
}

/// The stable driver, with the settings and features that it has in tests, so that nothing is compiled twice.
fn driver(arguments: &[&str]) -> Command {
    let mut command = process::cargo(&["run", "--quiet", "--profile", "test", "--bin", "rowtide-fuzz", "--"]);
    command.args(arguments);
    command
}

/// libFuzzer, with what it finds in `target/fuzz`.
fn guided(target: &str, seconds: u64, seed: u64) -> Result<()> {
    let directory = process::repository().join("target/fuzz");
    let platform = platform()?;
    // A separate compilation for this platform keeps build scripts from being instrumented.
    let build_directory = directory.display().to_string();
    let arguments = ["--target", platform.as_str(), "--target-dir", build_directory.as_str()];
    let library = library::build_checked(&arguments, &[("RUSTFLAGS", INSTRUMENTATION)])?;
    let program = build_fuzzer(target, &arguments)?;

    let found = directory.join("corpus").join(target);
    let made = directory.join("made").join(target);
    let kept = directory.join("artifacts").join(target);
    for needed in [&found, &kept] {
        std::fs::create_dir_all(needed).with_context(|| format!("cannot create {}", needed.display()))?;
    }
    process::run(driver(&["export", target]).arg(&made))?;
    let committed = process::repository().join("tests/fuzz/corpus").join(target);
    let mut command = Command::new(program);
    command
        .args([&found, &committed, &made])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-seed={seed}"))
        .args(["-max_len=16384", "-timeout=60", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", kept.display()))
        .env(LIBRARY_VARIABLE, library);
    process::run(&mut command)
}

/// Builds the program of one target, whose symbols the instrumented library finds.
fn build_fuzzer(target: &str, arguments: &[&str]) -> Result<PathBuf> {
    let mut command =
        process::cargo(&["build", "--release", "--manifest-path", "tests/fuzz/libfuzzer/Cargo.toml", "--bin", target]);
    command
        .args(arguments)
        .arg(library::JSON_MESSAGES)
        .env("RUSTFLAGS", format!("{INSTRUMENTATION} -Clink-args=-rdynamic"));
    library::built(&mut command, "bin").context("libFuzzer was not built")
}

/// The platform that this compiler compiles for.
fn platform() -> Result<String> {
    let description = process::output(&mut process::program("rustc", &["-vV"]))?;
    let host = description.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it compiles for")
}
