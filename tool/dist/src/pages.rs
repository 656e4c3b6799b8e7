//! `cargo xtask pages`: shows the pages of the built program in a headless Chromium, to tests or to somebody who looks at pictures.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::hosts::table::find;
use crate::parts;
use tool_support::{library, process};

/// The tests, and what they share.
const TESTS: &str = "tests/hosts/pages";

/// Writes pictures of all pages, or of those whose names contain one of these, into `target/pages/screenshots`.
///
/// # Errors
/// If something that is needed is not there, or a page cannot be shown.
pub(crate) fn screenshots(only: &[String]) -> Result<()> {
    let mut command = node(&[])?;
    process::run(command.arg(tests().join("screenshots.mjs")).args(only))
}

/// Runs the tests of all pages; says what is left out because a tool is missing.
///
/// # Errors
/// If the program does not build, or a page does not work.
pub(crate) fn check() -> Result<()> {
    if let Some(missing) = ["node", "chromium"].iter().find(|name| find(name).is_none()) {
        println!("SKIPPED the pages: not installed: {missing}");
        return Ok(());
    }
    let mut tests = node(&["--test", "--test-reporter=spec", "--test-concurrency=2"])?;
    tests.args(test_files()?);
    let mut passed = 0;
    process::watch(&mut tests, |line| {
        passed += line.strip_prefix("ℹ pass ").and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    })?;
    ensure!(passed > 0, "no test was run");
    Ok(())
}

/// Node.js, for the program that is built here.
fn node(arguments: &[&str]) -> Result<Command> {
    let chromium = find("chromium").context("chromium is not installed")?;
    parts::collect().context("the program would have no playground")?;
    let program = library::built(&mut process::cargo(&["build", "--bin", "rowtide", library::JSON_MESSAGES]), "bin")?;
    let mut command = process::program("node", arguments);
    command.env("CHROMIUM", chromium).env("ROWTIDE", program);
    Ok(command)
}

fn tests() -> PathBuf {
    process::repository().join(TESTS)
}

fn test_files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(tests())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
