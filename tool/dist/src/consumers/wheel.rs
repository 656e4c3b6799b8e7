//! Installs the wheel into a new virtual environment and uses it with apsw and with Python's own module sqlite3.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::consumers::{Outcome, write_example};
use crate::packages::distribution::Distribution;
use tool_support::examples;
use tool_support::process::{self, repository};

/// Exits with 0 if the module sqlite3 of the Python that runs it was built with loading of extensions.
const CAN_LOAD: &str = "import sqlite3, sys; sys.exit(not hasattr(sqlite3.Connection, 'enable_load_extension'))";

/// The system's Python; its sqlite3 can load extensions where that of another one, such as pyenv's, cannot.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Installs and uses.
///
/// # Errors
/// If one of them fails.
pub(super) fn check(distribution: &Distribution, place: &Path) -> Result<Outcome> {
    let can_load = |python: &&&str| process::run(&mut process::program(python, &["-c", CAN_LOAD])).is_ok();
    let capable = ["python3", SYSTEM_PYTHON].iter().find(can_load).copied();
    let environment = place.join("environment");
    let new = &["-m", "venv", "--clear", "--without-pip"];
    process::run(process::program(capable.unwrap_or("python3"), new).arg(&environment))?;
    let python = &python_of(&environment)?;
    process::run(pip(python).arg("apsw"))?;
    let ours = ["--no-index", "powersync-sqlite-core", "--find-links"];
    process::run(pip(python).args(ours).arg(&distribution.directory))?;

    let program = repository().join("tests/hosts/python/installed.py");
    process::run(process::program(python, &[]).arg(&program).arg("apsw"))?;
    let _ = std::fs::remove_file(place.join("app.db"));
    let code = write_example("tool/dist/packages/python/README.md", &place.join("readme.py"))?;
    let printed = process::output(process::program(python, &["readme.py"]).current_dir(place))?;
    examples::compare(&printed, &code).context("the example of the wheel's README")?;
    if capable.is_some() {
        process::run(process::program(python, &[]).arg(&program).arg("sqlite3"))?;
    } else {
        println!("SKIPPED: the module sqlite3 of this machine's Pythons cannot load extensions");
    }
    Ok(Outcome::Works)
}

/// The Python of a virtual environment.
pub(super) fn python_of(environment: &Path) -> Result<String> {
    let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    Ok(python.to_str().context("the path is not UTF-8")?.to_owned())
}

/// What installs packages for a Python.
pub(super) fn pip(python: &str) -> Command {
    process::program("python3", &["-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"])
}
