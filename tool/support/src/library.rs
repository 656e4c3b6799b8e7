//! Building the libraries as they ship.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;

/// Has Cargo say what it built; errors are still shown as text.
pub const JSON_MESSAGES: &str = "--message-format=json-render-diagnostics";

/// Builds the loadable release library and gives its path.
///
/// # Errors
/// If it does not build.
pub fn build() -> Result<PathBuf> {
    build_kind("rowtide-loadable", "cdylib")
}

/// Builds the static release library and gives its path.
///
/// # Errors
/// If it does not build.
pub fn build_static() -> Result<PathBuf> {
    build_kind("rowtide-static", "staticlib")
}

/// Builds the loadable release library for another Linux target, with the compiler that links for it, and gives its path.
///
/// # Errors
/// If it does not build.
pub fn build_for(target: &str, compiler: &str) -> Result<PathBuf> {
    let arguments = ["build", "--release", "--package", "rowtide-loadable", "--target", target];
    let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    built(process::cargo(&arguments).arg(JSON_MESSAGES).env(linker, compiler), "cdylib")
}

/// Builds the loadable library with checked arithmetic and assertions, and with further arguments for Cargo and
/// environment variables.
///
/// # Errors
/// If it does not build.
pub fn build_checked(arguments: &[&str], variables: &[(&str, &str)]) -> Result<PathBuf> {
    let mut command =
        process::cargo(&["build", "--profile", "checked", "--package", "rowtide-loadable", JSON_MESSAGES]);
    built(command.args(arguments).envs(variables.iter().copied()), "cdylib")
}

/// Builds the release library with the names of its functions.
///
/// # Errors
/// If it does not build.
pub fn build_with_symbols() -> Result<PathBuf> {
    let arguments = ["build", "--profile", "with-symbols", "--package", "rowtide-loadable", JSON_MESSAGES];
    built(&mut process::cargo(&arguments), "cdylib")
}

/// Builds a package alone (see the workspace manifest).
fn build_kind(package: &str, kind: &str) -> Result<PathBuf> {
    let mut command = process::cargo(&["build", "--release", "--package", package]);
    built(command.arg(JSON_MESSAGES), kind).with_context(|| format!("cargo built no library of {package}"))
}

/// Runs a cargo that reports in JSON, and gives the library of a kind that it built.
///
/// # Errors
/// If it fails, or builds no such library.
pub fn built(command: &mut Command, kind: &str) -> Result<PathBuf> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/kind/0").and_then(Value::as_str) == Some(kind))
        .find_map(|message| message.pointer("/filenames/0").and_then(Value::as_str).map(PathBuf::from))
        .with_context(|| format!("cargo built no {kind}"))
}
