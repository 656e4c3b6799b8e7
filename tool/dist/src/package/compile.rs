//! Compiling the two libraries for a target: rustc makes static libraries only, from which all others are linked.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::package::target::{Core, Format, Target};
use crate::package::toolchain::Toolchain;
use tool_support::library;
use tool_support::process;
use tool_support::process::repository;

/// The package whose functions reach SQLite through the table that it gives to loaded extensions.
pub(super) const LOADABLE: &str = "rowtide-loadable";
/// The package that is linked with SQLite.
pub(super) const STATIC: &str = "rowtide-static";

/// Compiles a package to a static library with debug information, which depends on nothing but the sources and the
/// compiler's version, and gives its path.
///
/// # Errors
/// If it does not compile.
pub(super) fn compile(toolchain: &Toolchain, target: &Target, core: Core, package: &str) -> Result<PathBuf> {
    compile_with(toolchain, target, core, package, None)
}

/// The same, with code and data that can be at any address.
///
/// # Errors
/// If it does not compile.
pub(super) fn compile_movable(toolchain: &Toolchain, target: &Target, core: Core, package: &str) -> Result<PathBuf> {
    compile_with(toolchain, target, core, package, Some("-Crelocation-model=pic"))
}

fn compile_with(
    toolchain: &Toolchain,
    target: &Target,
    core: Core,
    package: &str,
    flag: Option<&'static str>,
) -> Result<PathBuf> {
    let mut command =
        process::cargo(&["rustc", "--quiet", "--release", "--locked", "--package", package, "--target", target.triple]);
    command.args(["--crate-type", "staticlib", "--message-format=json-render-diagnostics"]);
    if core == Core::Source {
        let memory = if target.platform.format() == Format::Pe { ",compiler-builtins-mem" } else { "" };
        command.arg("-Zbuild-std=core,alloc").arg(format!("-Zbuild-std-features=optimize_for_size{memory}"));
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    let debug = if target.can_be_stripped() { "line-tables-only" } else { "none" };
    command.env("CARGO_PROFILE_RELEASE_DEBUG", debug).env("CARGO_PROFILE_RELEASE_STRIP", "none");
    if let Some(apple) = target.platform.apple() {
        command.env(apple.variable, target.minimum);
    }
    let mut flags = without_places(toolchain, "/powersync")?;
    flags.extend(as_library(target, core).chain(flag).map(str::to_owned));
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    library::built(&mut command, "staticlib").with_context(|| format!("cannot compile {package} for {}", target.triple))
}

/// What keeps paths of this machine out of what is compiled; the repository is called by the name.
pub(super) fn without_places(toolchain: &Toolchain, name: &'static str) -> Result<Vec<String>> {
    let places = [
        // Debug information for Windows names object files, which are in the repository or elsewhere.
        (toolchain.target_directory.clone(), "/target"),
        (repository().to_owned(), name),
        (process::cargo_home()?, "/cargo"),
        (toolchain.sources(), "/rust"),
        (toolchain.sysroot.clone(), "/toolchain"),
    ];
    // The last one that fits counts.
    Ok(places.iter().rev().map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display())).collect())
}

/// What the libraries need beside the profile's settings.
fn as_library(target: &Target, core: Core) -> impl Iterator<Item = &'static str> {
    // Nothing unwinds through the library. Windows insists on its tables.
    let tables = (core == Core::Source && target.platform.format() != Format::Pe).then_some("-Cforce-unwind-tables=no");
    // Otherwise each atomic operation asks the C library what the processor can do.
    let atomics = (target.triple == "aarch64-unknown-linux-gnu").then_some("-Ctarget-feature=-outline-atomics");
    tables.into_iter().chain(atomics)
}
