//! Runs this program once more: each measurement has its own process.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Runs it with these arguments and gives what it prints; its standard error is shown as it comes.
///
/// # Errors
/// If it cannot be started or fails; `what` it was to measure is part of the message.
pub(crate) fn run(what: &str, arguments: &[&OsStr]) -> Result<String> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    let output = command.args(arguments).stderr(Stdio::inherit()).output().context("cannot start this program")?;
    ensure!(output.status.success(), "{what} failed ({})", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
