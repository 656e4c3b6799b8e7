//! The project's own commands: `cargo xtask <command>`.
#![forbid(unsafe_code)]

mod bench;
mod bindings;
mod browser;
mod bundles;
mod ci;
mod consumers;
mod converge;
#[cfg(test)]
mod documents;
mod faults;
mod fuzz;
mod hosts;
#[cfg(test)]
mod layers;
mod library;
mod memcheck;
mod miri;
mod node;
mod package;
mod panics;
mod process;
mod python;
mod readme;
mod release;
mod size;
mod static_library;
mod symbols;
mod verify;
mod version;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the extension and shows it at work: a sync, a local write, and how the two meet
    Demo {
        /// Options for `powersync demo`, such as `--db FILE`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Runs all tests
    Test {
        /// Options for `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Checks formatting, lints, documentation, the built libraries and the README, and runs all tests
    Ci,
    /// Checks that the release library is small enough
    Size,
    /// Syncs with the release library in a small Python program (needs apsw)
    Python,
    /// Links the static library with SQLite into a C program and runs that
    Static,
    /// Checks what the release library exports and needs
    Symbols,
    /// Checks that the version is the same everywhere, or changes it
    Version {
        /// The new version, such as 0.5.101
        #[arg(long, value_name = "VERSION")]
        bump: Option<String>,
        /// Only checks, as without options
        #[arg(long, conflicts_with = "bump")]
        check: bool,
    },
    /// Runs the published JavaScript SDK on the library, against a small sync service
    Node,
    /// Installs the packages for this machine into empty environments and uses them
    Consumers {
        /// Only these, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Runs sessions with the release library under valgrind's memcheck
    Memcheck,
    /// Runs the tests of lines and JSON under Miri (needs a nightly Rust with it)
    Miri,
    /// Lists the places of the release library that could panic, and checks that each has a reason
    Panics,
    /// Runs the fuzz targets on random inputs
    Fuzz(fuzz::Options),
    /// Builds the libraries for all targets, and the packages with them, into `target/dist`
    Package {
        /// Only these platforms (linux, android, apple, windows, wasm) or targets of rustc, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Fails if a target has to be left out
        #[arg(long)]
        require_all: bool,
        /// Then builds everything a second time elsewhere, and compares
        #[arg(long)]
        check_reproducible: bool,
    },
    /// Checks the libraries and packages in `target/dist`, without running them
    Verify {
        /// Only these platforms (linux, android, apple, windows, wasm) or targets of rustc, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Fails if something is not there
        #[arg(long)]
        require_all: bool,
    },
    /// Fails calls, interrupts statements and crashes at every moment of a session (takes about two hours)
    Faults {
        /// Tries only so many moments of each kind
        #[arg(long, value_name = "NUMBER")]
        samples: Option<u32>,
    },
    /// Makes a draft release on GitHub from `target/dist` (needs GitHub's program `gh`)
    Release {
        /// The tag, which must be that of the version
        #[arg(long)]
        tag: String,
    },
    /// Runs the libraries in `target/dist` in C programs: here, by emulators, and as WebAssembly in Node.js and Chromium
    Hosts {
        /// Only hosts whose names contain one of these, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Fails if a host cannot be run
        #[arg(long)]
        require_all: bool,
    },
    /// Runs the examples of the README
    Readme,
    /// Builds the example of `wasm/` and serves it to browsers on this machine (needs clang, wasi-libc and Node.js)
    Browser {
        /// The port at which it is served
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Uses it in a headless Chromium instead, built in all ways that `wasm/README.md` tells
        #[arg(long)]
        check: bool,
    },
    /// Measures the release library, alone or against another one
    Bench {
        /// Options for `powersync-bench`, such as `--against LIBRARY --workload local_1tx,views`; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Runs random sessions of several clients, which are killed now and then: all must converge
    Converge {
        /// How long to go on
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// Seed of the first session
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Runs one long session, in which memory and files must not grow
    Soak {
        /// How long to go on
        #[arg(long, default_value_t = 60.0)]
        minutes: f64,
        /// Seed of the session
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Generates the bindings to SQLite from its headers (needs libclang)
    Bindings {
        /// Only checks that they are current
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { options } => demo(&options),
        Command::Test { options } => process::run(process::cargo(&["test"]).args(options)),
        Command::Ci => ci::run(),
        Command::Bench { options } => bench::run(&options),
        Command::Browser { check: true, .. } => browser::check(),
        Command::Browser { port, .. } => browser::serve(port),
        Command::Bindings { check } => bindings::run(check),
        Command::Consumers { only } => consumers::run(&only),
        Command::Size => size::check(),
        Command::Python => python::run(),
        Command::Static => static_library::check(),
        Command::Symbols => symbols::check(),
        Command::Version { bump: None, .. } => version::check(),
        Command::Version { bump: Some(new), .. } => version::bump(&new),
        Command::Node => node::run(|_| {}),
        Command::Memcheck => memcheck::run(),
        Command::Miri => miri::run(),
        Command::Panics => panics::check(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Package { only, require_all, check_reproducible } => {
            package::run(&only, require_all).and_then(|()| match check_reproducible {
                true => package::reproducible::check(&only),
                false => Ok(()),
            })
        }
        Command::Verify { only, require_all } => verify::run(&only, require_all),
        Command::Faults { samples } => faults::run(samples),
        Command::Converge { minutes, seed } => converge::run(minutes, seed),
        Command::Soak { minutes, seed } => converge::soak(minutes, seed),
        Command::Release { tag } => release::run(&tag),
        Command::Hosts { only, require_all } => hosts::run(&only, require_all),
        Command::Readme => readme::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &[String]) -> Result<()> {
    let library = library::build()?;
    let mut command = process::cargo(&["run", "--quiet", "--package", "powersync-shell", "--"]);
    process::run(command.arg("--extension").arg(library).arg("demo").args(options))
}
