//! Runs the shared scenarios with the Dart package: in the Dart that is installed or, where there is none, in the Dart VM
//! that an npm package brings along, for 32-bit x86, with an SQLite and a library for that.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::consumers::{Outcome, is_installed};
use crate::packages::distribution::Distribution;
use crate::packages::platform;
use crate::static_library;
use tool_support::library;
use tool_support::node::NPM;
use tool_support::process::{self, program};

/// The npm package with the Dart VM. Newer ones hold no VM but programs compiled ahead of time.
const VM_PACKAGE: &str = "sass-embedded-linux-ia32@1.89.0";

/// The VM inside of the package's directory.
const VM: &str = "package/dart-sass/src/dart";

/// Directory with the C library for 32-bit x86, and the loader in it that starts the VM on other machines.
const C_LIBRARY: &str = "/usr/i686-linux-gnu/lib";
const LOADER: &str = "ld-linux.so.2";

const C_COMPILER: &str = "i686-linux-gnu-gcc";
const TARGET: &str = "i686-unknown-linux-gnu";

/// What runs Dart programs, and the libraries of its architecture.
struct Machine {
    dart: Command,
    sqlite: PathBuf,
    extension: PathBuf,
}

/// Builds what is needed, and runs the scenarios.
///
/// # Errors
/// If something does not build, or a scenario fails.
pub(super) fn check(distribution: &Distribution, place: &Path) -> Result<Outcome> {
    let mut machine = if is_installed("dart") {
        installed(distribution, place)?
    } else if let Some(missing) = missing() {
        return Ok(Outcome::Skipped(format!("neither Dart nor {missing} is installed")));
    } else {
        from_npm(place)?
    };
    machine.dart.args(["dart/test/scenarios.dart"]).arg(machine.sqlite).arg(machine.extension).arg("tests/scenarios");
    process::run(&mut machine.dart)?;
    Ok(Outcome::Works)
}

/// What is not there of what Dart from npm needs.
fn missing() -> Option<&'static str> {
    if !Path::new(C_LIBRARY).join(LOADER).exists() || !is_installed(C_COMPILER) {
        return Some("gcc-i686-linux-gnu");
    }
    let sysroot = process::output(&mut program("rustc", &["--print", "sysroot"])).unwrap_or_default();
    let target = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if target.exists() { None } else { Some("the target i686-unknown-linux-gnu of Rust") }
}

fn installed(distribution: &Distribution, place: &Path) -> Result<Machine> {
    let host = platform::host().context("no packages are made for this platform")?;
    Ok(Machine {
        dart: program("dart", &[]),
        sqlite: sqlite("cc", place)?,
        extension: distribution.directory.join(host.library),
    })
}

fn from_npm(place: &Path) -> Result<Machine> {
    let vm = place.join(VM);
    if !vm.exists() {
        let mut pack = program(NPM, &["pack", "--silent", VM_PACKAGE]);
        let archive = process::output(pack.current_dir(place)).context("cannot get the Dart VM from npm")?;
        process::run(program("tar", &["xzf", archive.trim()]).current_dir(place))?;
    }
    let mut dart = program(&format!("{C_LIBRARY}/{LOADER}"), &["--library-path", C_LIBRARY]);
    dart.arg(vm);
    Ok(Machine { dart, sqlite: sqlite(C_COMPILER, place)?, extension: library::build_for(TARGET, C_COMPILER)? })
}

/// Builds SQLite as a library that is loaded at run time.
fn sqlite(compiler: &str, place: &Path) -> Result<PathBuf> {
    let (source, library) = (static_library::sqlite_source()?.join("sqlite3.c"), place.join("libsqlite3.so"));
    let flags = ["-O0", "-shared", "-fPIC", "-o"];
    process::run(program(compiler, &flags).arg(&library).arg(source).args(["-lpthread", "-lm"]))?;
    Ok(library)
}
