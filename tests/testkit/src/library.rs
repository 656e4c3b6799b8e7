//! Finds or builds the loadable library that the tests run against.
//!
//! Tests use the very file that ships: the release profile, built alone (see the workspace manifest). It is built once
//! per test process; Cargo makes that a matter of milliseconds when nothing has changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Names a prebuilt library to test instead of building one.
pub const LIBRARY_VARIABLE: &str = "POWERSYNC_LIBRARY";

/// The directory of the whole repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The loadable library under test, built on the first call.
///
/// # Panics
/// If it cannot be built; the compiler's messages are on standard error.
pub fn loadable() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| match std::env::var_os(LIBRARY_VARIABLE) {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "{LIBRARY_VARIABLE} names no file: {}", path.display());
            path
        }
        None => build(),
    })
}

fn build() -> PathBuf {
    let artifacts = cargo_build(&["--release", "--package", "rowtide-loadable"]);
    let name = rowtide_driver::library::file_name();
    artifacts
        .into_iter()
        .find(|path| path.file_name().is_some_and(|file| *file == *name))
        .unwrap_or_else(|| panic!("cargo built no {name}"))
}

/// Runs `cargo build` with these arguments and gives the libraries and programs that it made (or found up to date).
///
/// # Panics
/// If something does not build; the compiler's messages are on standard error.
pub fn cargo_build(arguments: &[&str]) -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .current_dir(repository())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "cargo build {arguments:?} failed ({})", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .collect()
}
