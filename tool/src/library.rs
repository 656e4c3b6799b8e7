//! Building the libraries as they ship.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// Builds the loadable release library and gives its path.
///
/// # Errors
/// If it does not build.
pub fn build() -> Result<PathBuf> {
    build_kind("powersync-loadable", "cdylib")
}

/// Builds the static release library and gives its path.
///
/// # Errors
/// If it does not build.
pub fn build_static() -> Result<PathBuf> {
    build_kind("powersync-static", "staticlib")
}

/// Builds a package alone (see the workspace manifest).
fn build_kind(package: &str, kind: &str) -> Result<PathBuf> {
    let mut command = process::cargo(&["build", "--release", "--package", package]);
    let messages = process::output(command.arg("--message-format=json-render-diagnostics"))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/kind/0").and_then(Value::as_str) == Some(kind))
        .find_map(|message| message.pointer("/filenames/0").and_then(Value::as_str).map(PathBuf::from))
        .with_context(|| format!("cargo built no library of {package}"))
}
