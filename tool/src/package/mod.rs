//! `cargo xtask package`: builds the libraries for all targets, and what package managers take of them (`bundles`).
//!
//! Into `target/dist` go the artefacts, by the names that SDKs expect, the header, `SHA256SUMS` and a list of what the
//! libraries are made of; into `target/dist/debug` what debuggers want. `target/package/slices` has the libraries that
//! become an XCFramework, one directory for each of its own.

mod archive;
pub mod checksums;
mod compile;
mod link;
mod sbom;
pub mod target;
mod toolchain;
mod universal;

pub use archive::{ENTRY_POINTS, FROM_C_LIBRARY};
pub use link::ENTRY_POINT;

use std::collections::BTreeMap;
use std::fs::create_dir_all;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::bundles::{self, distribution::Distribution};
use crate::process::repository;
use link::Link;
use target::{Core, Platform, TARGETS, Target};
use toolchain::Toolchain;

/// What C programs include.
pub const HEADER: &str = "powersync.h";

/// The framework's binary, and that of every slice.
pub const FRAMEWORK: &str = "powersync-sqlite-core";

/// The install name of macOS libraries outside of frameworks.
pub const LIBRARY_INSTALL_NAME: &str = "@rpath/libpowersync.dylib";

/// Where artefacts go.
pub fn distribution() -> PathBuf {
    repository().join("target/dist")
}

/// Where the parts of the XCFramework go.
pub fn slices() -> PathBuf {
    repository().join("target/package/slices")
}

/// The targets that `--only` selects by platform (`linux`, `android`, `apple`, `windows`, `wasm`), triple, or the first
/// part of it; all of them without.
///
/// # Errors
/// If a word selects none.
pub fn select(only: &[String]) -> Result<Vec<&'static Target>> {
    let fits = |target: &Target, word: &str| target.platform.group() == word || target.triple.starts_with(word);
    for word in only {
        ensure!(TARGETS.iter().any(|target| fits(target, word)), "--only {word:?} selects no target");
    }
    Ok(TARGETS.iter().filter(|target| only.is_empty() || only.iter().any(|word| fits(target, word))).collect())
}

/// Builds what is selected. A target that Rust cannot be had for is left out and named, or an error if all are required.
///
/// # Errors
/// If one does not build.
pub fn run(only: &[String], require_all: bool) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let mut skipped = Vec::new();
    for target in select(only)? {
        match toolchain.prepare(target) {
            Ok(core) => {
                build(&toolchain, target, core).with_context(|| format!("cannot build for {}", target.triple))?
            }
            Err(reason) => {
                println!("SKIPPED {}: {reason:#}", target.triple);
                skipped.push(target.triple);
            }
        }
    }
    join_slices()?;
    let directory = distribution();
    create_dir_all(&directory)?;
    std::fs::copy(repository().join("crates/static/include").join(HEADER), directory.join(HEADER))?;
    bundles::write(&Distribution::complete())?;
    sbom::write(&directory)?;
    checksums::write(&directory)?;
    ensure!(!require_all || skipped.is_empty(), "not built: {}", skipped.join(", "));
    Ok(())
}

fn build(toolchain: &Toolchain, target: &Target, core: Core) -> Result<()> {
    println!("{}", target.triple);
    let (distribution, scratch) = (distribution(), scratch(target));
    let debug = distribution.join("debug");
    create_dir_all(&debug)?;
    create_dir_all(&scratch)?;
    if target.is_loadable {
        let archive = compile::compile(toolchain, target, core, compile::LOADABLE)?;
        let link = |output: PathBuf, install_name: &str| {
            let link = Link { toolchain, target, archive: &archive, scratch: &scratch, output: &output, debug: &debug };
            link::loadable(&link, install_name)
        };
        if target.ships_loadable() {
            link(distribution.join(target.loadable_name()), LIBRARY_INSTALL_NAME)?;
        }
        if target.slice.is_some() {
            create_dir_all(scratch.join("framework"))?;
            link(framework_binary(target), install_name(target.platform))?;
        }
    }
    let archive = compile::compile(toolchain, target, core, compile::STATIC)?;
    archive::reduce(toolchain, target, &archive, &scratch, &distribution.join(target.static_name()))
}

/// Where programs find the framework's binary.
pub fn install_name(platform: Platform) -> &'static str {
    match platform {
        Platform::MacOs => "@rpath/powersync-sqlite-core.framework/Versions/A/powersync-sqlite-core",
        _ => "@rpath/powersync-sqlite-core.framework/powersync-sqlite-core",
    }
}

/// What a target contributes to the framework.
pub fn framework_binary(target: &Target) -> PathBuf {
    scratch(target).join("framework").join(target.loadable_name())
}

/// Where a target's files go that are needed on the way.
fn scratch(target: &Target) -> PathBuf {
    repository().join("target/package").join(target.triple)
}

/// Makes the parts of the XCFramework for which all architectures are there.
fn join_slices() -> Result<()> {
    let mut by_slice: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
    for target in TARGETS {
        if let Some(slice) = target.slice {
            by_slice.entry(slice).or_default().push(target);
        }
    }
    for (slice, targets) in by_slice {
        let part = |target: &&Target| match target.is_loadable {
            true => framework_binary(target),
            false => distribution().join(target.static_name()),
        };
        let parts: Vec<PathBuf> = targets.iter().map(part).collect();
        if !parts.iter().all(|part| part.is_file()) {
            continue;
        }
        let mut contents = Vec::new();
        for (target, part) in targets.iter().zip(&parts) {
            contents.push((universal::processor(target.linker_architecture)?, std::fs::read(part)?));
        }
        let is_loadable = targets.iter().all(|target| target.is_loadable);
        let name = if is_loadable { FRAMEWORK.to_owned() } else { format!("lib{FRAMEWORK}.a") };
        let content = match contents.as_slice() {
            [(_, only)] => only.clone(),
            several => universal::join(several)?,
        };
        let directory = slices().join(slice);
        create_dir_all(&directory)?;
        std::fs::write(directory.join(name), content)?;
    }
    Ok(())
}
