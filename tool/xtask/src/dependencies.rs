//! `cargo xtask dependencies` and `cargo xtask spelling`: what other well-known programs check of a repository. The
//! programs are installed once: `cargo install cargo-machete cargo-deny` and `pip install typos`.

use anyhow::{Context, Result};
use tool_support::process::{self, program};

/// No unused dependency; licences, sources and duplicates of all others as `deny.toml` allows.
///
/// # Errors
/// What was found, or how to install what is missing.
pub(crate) fn check() -> Result<()> {
    process::run(&mut program("cargo-machete", &[])).context("needs `cargo install cargo-machete`")?;
    process::run(&mut program("cargo-deny", &["--workspace", "check", "licenses", "bans", "sources"]))
        .context("needs `cargo install cargo-deny`")
}

/// Spelling of code and documents, with the exceptions in `_typos.toml`.
///
/// # Errors
/// Misspelt words, or how to install what is missing.
pub(crate) fn spelling() -> Result<()> {
    process::run(&mut program("typos", &[])).context("needs `pip install typos`")
}
