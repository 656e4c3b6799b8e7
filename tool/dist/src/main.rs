//! What ships: built, packaged, checked, run and released. Started by `cargo xtask`.
#![forbid(unsafe_code)]

mod browser;
mod consumers;
mod hosts;
mod package;
mod packages;
mod pages;
mod panics;
mod parts;
mod release;
mod size;
mod static_library;
mod symbols;
mod verify;
mod web_sdk;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, packages, checks and releases what ships")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds libraries, or the program, and packages into `target/dist`: for this machine, with `--all` for all targets
    Package {
        /// What is built
        #[arg(value_enum, default_value_t = package::What::Libraries)]
        what: package::What,
        /// Only these platforms (linux, android, apple, windows, wasm) or targets of rustc, separated by commas
        #[arg(long, value_delimiter = ',', conflicts_with = "all")]
        only: Vec<String>,
        /// All targets rather than this machine's
        #[arg(long)]
        all: bool,
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
    /// Runs the libraries in `target/dist` in C programs, by emulators, and as WebAssembly in Node.js and Chromium
    Hosts {
        /// Only hosts whose names contain one of these, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Fails if a host cannot be run
        #[arg(long)]
        require_all: bool,
    },
    /// Installs the packages for this machine into empty environments and uses them
    Consumers {
        /// Only these, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// The packages in `target/dist`, rather than new ones with a program that is built quickly
        #[arg(long)]
        shipped: bool,
    },
    /// Builds the program `rowtide` with the playground (needs Node.js and npm)
    Browser {
        /// Builds the example of `wasm/` instead, in all ways that its README describes, and uses it in a headless Chromium
        #[arg(long)]
        check: bool,
    },
    /// Builds the npm package for browsers into `target/web` (needs Node.js and npm)
    Web {
        /// Then has the published web SDK use it in a headless Chromium, in apps that are bundled as its README says
        #[arg(long)]
        check: bool,
    },
    /// Writes pictures of the service's pages into `target/pages/screenshots` (needs Node.js and Chromium)
    Pages {
        /// Runs the tests of the pages in a headless Chromium instead
        #[arg(long, conflicts_with = "only")]
        check: bool,
        /// Only pictures whose names contain one of these, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Makes a draft release on GitHub from `target/dist` (needs GitHub's program `gh`)
    Release {
        /// The tag, which must be that of the version
        #[arg(long)]
        tag: String,
    },
    /// Checks that the release library is small enough
    Size,
    /// Checks what the release library exports and needs
    Symbols,
    /// Links the static library with SQLite into a C program and runs that
    Static,
    /// Lists the places of the release library that could panic, and checks that each has a reason
    Panics,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Package { what, only, all, require_all, check_reproducible } => {
            let targets = package::chosen(only, all);
            package::run(what, &targets, require_all).and_then(|()| match check_reproducible {
                true => package::reproducible::check(what, &targets),
                false => Ok(()),
            })
        }
        Command::Verify { only, require_all } => verify::run(&only, require_all),
        Command::Hosts { only, require_all } => hosts::run(&only, require_all),
        Command::Consumers { only, shipped } => consumers::run(&only, shipped),
        Command::Browser { check: true } => browser::check(),
        Command::Browser { check: false } => browser::build_playground(),
        Command::Web { check: false } => web_sdk::build(),
        Command::Web { check: true } => web_sdk::check(),
        Command::Pages { check: true, .. } => pages::check(),
        Command::Pages { only, .. } => pages::screenshots(&only),
        Command::Release { tag } => release::run(&tag),
        Command::Size => size::check(),
        Command::Symbols => symbols::check(),
        Command::Static => static_library::check(),
        Command::Panics => panics::check(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
