//! Building the loadable library as it ships.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// Builds the release library, alone (see the workspace manifest), and gives its path.
///
/// # Errors
/// If it does not build.
pub fn build() -> Result<PathBuf> {
    let mut command = process::cargo(&["build", "--release", "--package", "powersync-loadable"]);
    let messages = process::output(command.arg("--message-format=json-render-diagnostics"))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/kind/0").and_then(Value::as_str) == Some("cdylib"))
        .find_map(|message| message.pointer("/filenames/0").and_then(Value::as_str).map(PathBuf::from))
        .context("cargo built no loadable library")
}
