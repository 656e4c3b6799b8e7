//! Programs in Rust with the extension linked into them: with rusqlite, and with the published SDK, under which the
//! extension takes the place of the published core.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::consumers::Outcome;
use crate::packages::distribution::Distribution;
use tool_support::process::{self, repository};

/// What the program with rusqlite prints: the queued write.
const QUEUED: &str = "{\"op\":\"PATCH\",\"id\":\"l1\",\"type\":\"lists\",\"data\":{\"name\":\"Shopping\"}}\n";

/// Where libclang may be; the SDK needs it when it is compiled.
const CLANG_DIRECTORIES: &[&str] = &["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu"];

/// Builds and runs the program with rusqlite.
///
/// # Errors
/// If it does not build, or fails.
pub(super) fn check(_: &Distribution, place: &Path) -> Result<Outcome> {
    // The versions of all crates that the workspace is tested with.
    let project = repository().join("tests/hosts/rust-static");
    std::fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock"))?;
    let mut run = process::cargo(&["run", "--quiet"]);
    let printed = process::output(run.current_dir(project).env("CARGO_TARGET_DIR", place.join("target")))?;
    ensure!(printed == QUEUED, "the program printed {printed:?}");
    Ok(Outcome::Works)
}

/// Builds and runs the program with the published SDK.
///
/// # Errors
/// If it does not build, or fails.
pub(super) fn check_sdk(_: &Distribution, place: &Path) -> Result<Outcome> {
    let Some(clang) = libclang() else {
        return Ok(Outcome::Skipped("libclang, which the SDK needs, is not installed (libclang-dev)".to_owned()));
    };
    let mut run = process::cargo(&["run", "--quiet"]);
    run.current_dir(repository().join("tests/hosts/rust-sdk")).env("CARGO_TARGET_DIR", place.join("target"));
    process::run(run.env("LIBCLANG_PATH", clang))?;
    Ok(Outcome::Works)
}

/// The directory with libclang: the one that the environment names, or a usual one.
fn libclang() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LIBCLANG_PATH") {
        return Some(PathBuf::from(named));
    }
    let versions = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("lib"));
    let mut directories: Vec<PathBuf> = versions.filter(|path| path.to_string_lossy().contains("llvm")).collect();
    directories.sort();
    directories.reverse();
    directories.extend(CLANG_DIRECTORIES.iter().map(PathBuf::from));
    let has_library = |directory: &PathBuf| {
        let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libclang.so"))
    };
    directories.into_iter().find(has_library)
}
