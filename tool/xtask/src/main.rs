//! The project's own commands: `cargo xtask <command>`.
#![forbid(unsafe_code)]

mod bench;
mod bindings;
mod ci;
mod converge;
mod dependencies;
mod dist;
mod faults;
mod fuzz;
mod memcheck;
mod miri;
mod python;
mod todo;
mod version;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use tool_support::{examples, node, process};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Options of another program, given on as they are.
#[derive(Args)]
#[command(disable_help_flag = true)]
struct Options {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

impl Options {
    fn iter(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(String::as_str)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Builds the extension and shows it at work: a sync, a local write, and how the two meet
    Demo(Options),
    /// Runs all tests; the options are those of `cargo test`
    Test(Options),
    /// Checks formatting, lints, documentation, the built libraries and the README, and runs all tests
    Ci {
        /// Only these steps, in this order
        #[arg(value_name = "STEP")]
        steps: Vec<String>,
    },
    /// Syncs with the release library in a small Python program (needs apsw)
    Python,
    /// Checks that the version is the same everywhere, or changes it
    Version {
        /// The new version, such as 0.5.101
        #[arg(long, value_name = "VERSION")]
        bump: Option<String>,
        /// Only checks, as without options
        #[arg(long, conflicts_with = "bump")]
        check: bool,
    },
    /// Runs the published JavaScript SDK on the library, against the sync service and a model of one
    Node,
    /// Runs sessions with the release library under valgrind's memcheck
    Memcheck,
    /// Runs the tests of lines and JSON under Miri (needs a nightly Rust with it)
    Miri,
    /// Runs the fuzz targets on random inputs
    Fuzz(fuzz::Options),
    /// Fails calls, interrupts statements and crashes at every moment of a session (takes about two hours)
    Faults {
        /// Tries only so many moments of each kind
        #[arg(long, value_name = "NUMBER")]
        samples: Option<u32>,
    },
    /// Runs the examples of the README
    Readme,
    /// Runs the todo programs of `docs/examples`, one for each language, against `rowtide dev` (needs apsw, libcurl's headers
    /// and Node.js)
    Examples {
        /// Only those of languages with this text in their names
        #[arg(long, value_name = "LANGUAGE")]
        only: Option<String>,
    },
    /// Compiles and tries the functions for Convex of `docs/examples/convex` (needs Node.js)
    Convex,
    /// Measures the release library, alone or against another one, or with the word `service` the sync service; `--help`
    /// lists the options
    Bench(Options),
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
    /// Looks for unused dependencies, licences that do not fit, and duplicates (needs cargo-machete and cargo-deny)
    Dependencies,
    /// Checks the spelling of code and documents (needs typos)
    Spelling,
    /// Generates the bindings to SQLite from its headers (needs libclang)
    Bindings {
        /// Only checks that they are current
        #[arg(long)]
        check: bool,
    },
    /// Builds libraries, or the program, and packages into `target/dist`: for this machine, with `--all` for all targets
    Package(Options),
    /// Checks the libraries and packages in `target/dist`, without running them
    Verify(Options),
    /// Runs the libraries in `target/dist` in C programs, by emulators, and as WebAssembly in Node.js and Chromium
    Hosts(Options),
    /// Installs the packages for this machine into empty environments and uses them
    Consumers(Options),
    /// Builds the program with the playground (needs Node.js and npm); `--check` builds and opens the example of `wasm/` instead
    Browser(Options),
    /// Builds the npm package for browsers into `target/web`; with `--check` the published web SDK uses it in a headless Chromium
    Web(Options),
    /// Writes pictures of the service's pages; `--check` tests them in a headless Chromium
    Pages(Options),
    /// Makes a draft release on GitHub from `target/dist` (needs GitHub's program `gh`)
    Release(Options),
    /// Checks that the release library is small enough
    Size(Options),
    /// Checks what the release library exports and needs
    Symbols(Options),
    /// Links the static library with SQLite into a C program and runs that
    Static(Options),
    /// Lists the places of the release library that could panic, and checks that each has a reason
    Panics(Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(Options { options }) => demo(&options),
        Command::Test(Options { options }) => process::run(process::cargo(&["test"]).args(options)),
        Command::Ci { steps } => ci::run(&steps),
        Command::Bench(Options { options }) => bench::run(&options),
        Command::Bindings { check } => bindings::run(check),
        Command::Dependencies => dependencies::check(),
        Command::Spelling => dependencies::spelling(),
        Command::Python => python::run(),
        Command::Version { bump: None, .. } => version::check(),
        Command::Version { bump: Some(new), .. } => version::bump(&new),
        Command::Node => node::run(),
        Command::Memcheck => memcheck::run(),
        Command::Miri => miri::run(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Faults { samples } => faults::run(samples),
        Command::Converge { minutes, seed } => converge::run(minutes, seed),
        Command::Soak { minutes, seed } => converge::soak(minutes, seed),
        Command::Readme => examples::run(),
        Command::Examples { only } => todo::run(only.as_deref()),
        Command::Convex => node::check_convex(),
        Command::Package(options) => dist::run("package", options.iter()),
        Command::Verify(options) => dist::run("verify", options.iter()),
        Command::Hosts(options) => dist::run("hosts", options.iter()),
        Command::Consumers(options) => dist::run("consumers", options.iter()),
        Command::Browser(options) => dist::run("browser", options.iter()),
        Command::Web(options) => dist::run("web", options.iter()),
        Command::Pages(options) => dist::run("pages", options.iter()),
        Command::Release(options) => dist::run("release", options.iter()),
        Command::Size(options) => dist::run("size", options.iter()),
        Command::Symbols(options) => dist::run("symbols", options.iter()),
        Command::Static(options) => dist::run("static", options.iter()),
        Command::Panics(options) => dist::run("panics", options.iter()),
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
    process::run(process::cargo(&["run", "--bin", "rowtide", "--", "demo"]).args(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_run_our_commands() {
        let mut count = 0;
        for file in ["ci.yml", "release.yml"] {
            let text = std::fs::read_to_string(process::repository().join(".github/workflows").join(file)).unwrap();
            for command in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("run: ")) {
                let words: Vec<&str> = command.split_whitespace().collect();
                assert_eq!(words[..2], ["cargo", "xtask"], "{file}: {command}");
                let parsed = Arguments::try_parse_from(&words[1..]);
                assert!(parsed.is_ok(), "{file}: {command}: {}", parsed.err().unwrap());
                count += 1;
            }
        }
        assert!(count > 5, "only {count} commands were found");
    }
}
