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
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "powersync-loadable", "--message-format=json-render-diagnostics"])
        .current_dir(repository())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "the loadable library does not build ({})", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["kind"][0] == "cdylib")
        .filter_map(|message| message["filenames"][0].as_str().map(PathBuf::from))
        .find(|path| path.file_name().is_some_and(|name| *name == *powersync_client::library::file_name()))
        .unwrap_or_else(|| panic!("cargo built no {}", powersync_client::library::file_name()))
}
