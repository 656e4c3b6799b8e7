//! `cargo xtask verify`: checks the artefacts in `target/dist`, without running them.
//!
//! Each library is read with a parser that is not the linker's. What holds for all of them is here; the modules know the
//! formats.

mod archive;
pub(crate) mod budget;
#[cfg(test)]
mod damage;
mod debug;
pub(crate) mod elf;
mod header;
mod mach_o;
mod pe;
mod program;
pub(crate) mod side;
mod signature;
mod slices;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};

use crate::package::target::{Format, Target};
use crate::package::{self, ENTRY_POINT, HEADER};
use crate::packages::{self, distribution::Distribution};
use tool_support::process::repository;

/// Checks what is there of the selected targets' artefacts; names what is not.
///
/// # Errors
/// All that is wrong; also if nothing is there, or if all is required and something is missing.
pub(crate) fn run(only: &[String], require_all: bool) -> Result<()> {
    let (mut problems, mut missing, mut checked) = (Vec::new(), Vec::new(), 0);
    let (libraries, programs) = package::select_both(only)?;
    let libraries = libraries
        .into_iter()
        .flat_map(|target| artefacts(target).into_iter().map(move |(path, check)| (target, path, check)));
    let programs = programs.into_iter().map(|target| {
        let check: Check = program::check;
        (target, package::distribution().join(target.program_name()), check)
    });
    for (target, path, check) in libraries.chain(programs) {
        let name = path.file_name().unwrap_or_default().display().to_string();
        if !path.is_file() {
            missing.push(name);
            continue;
        }
        checked += 1;
        match check(target, &path) {
            Ok(()) => println!("{:>8}  {name}", std::fs::metadata(&path)?.len()),
            Err(problem) => problems.push(format!("{name}: {problem:#}")),
        }
    }
    ensure!(checked > 0, "no artefacts: cargo xtask package builds them");
    let distribution = Distribution::complete();
    let (packages, slices) = (packages::check(&distribution), slices::check(&distribution));
    for check in [header::check(&package::distribution().join(HEADER)), checksums(), packages, slices] {
        problems.extend(check.err().map(|problem| format!("{problem:#}")));
    }
    if !missing.is_empty() {
        println!("not there: {}", missing.join(", "));
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    ensure!(!require_all || missing.is_empty(), "artefacts are missing");
    Ok(())
}

/// A check of one file.
type Check = fn(&Target, &Path) -> Result<()>;

/// The files that are made for a target, with their checks.
fn artefacts(target: &Target) -> Vec<(std::path::PathBuf, Check)> {
    let mut artefacts: Vec<(std::path::PathBuf, Check)> = Vec::new();
    if target.ships_loadable() {
        artefacts.push((package::distribution().join(target.loadable_name()), loadable));
    }
    if target.has_framework_binary() {
        artefacts.push((package::framework_binary(target), framework));
    }
    artefacts.push((package::distribution().join(target.static_name()), linkable));
    artefacts
        .extend(package::side::names(target).map(|name| (package::distribution().join(name), side_module as Check)));
    artefacts
}

fn linkable(target: &Target, path: &Path) -> Result<()> {
    budget::check(path)?;
    archive::check(target, path)
}

fn side_module(_: &Target, path: &Path) -> Result<()> {
    budget::check(path)?;
    side::check_file(path)
}

fn framework(target: &Target, path: &Path) -> Result<()> {
    let content = std::fs::read(path)?;
    budget::check(path)?;
    debug::check(path, &content, &package::framework_debug())?;
    library(target, &content, package::install_name(target.platform))
}

fn loadable(target: &Target, path: &Path) -> Result<()> {
    let content = std::fs::read(path)?;
    budget::check(path)?;
    debug::check(path, &content, &package::debug())?;
    library(target, &content, package::LIBRARY_INSTALL_NAME)
}

/// Checks a library that is loaded at run time. One for Apple's systems must have the install name.
fn library(target: &Target, content: &[u8], install_name: &str) -> Result<()> {
    common(content)?;
    match target.platform.format() {
        Format::Elf => elf::check(target, content),
        Format::MachO => mach_o::check(target, content, install_name),
        Format::Pe => pe::check(target, content),
        Format::Wasm => anyhow::bail!("WebAssembly has no loadable libraries"),
    }
}

/// What holds for all loadable libraries: they carry no debug information, and say nothing of where they were built.
fn common(content: &[u8]) -> Result<()> {
    let object = object::File::parse(content)?;
    let debug = object.sections().find(|section| section.name().is_ok_and(|name| name.contains("debug_")));
    ensure!(debug.is_none(), "debug information is in the library");
    says_nothing_of_places(content)
}

/// No path of this machine is in an artefact: the same sources give the same bytes elsewhere.
pub(crate) fn says_nothing_of_places(content: &[u8]) -> Result<()> {
    let home = std::env::home_dir().context("there is no home directory")?;
    for place in [repository(), &home] {
        let text = format!("{}{}", place.display(), std::path::MAIN_SEPARATOR);
        let found = content.windows(text.len()).any(|part| part == text.as_bytes());
        ensure!(!found || text.len() < 4, "it names {text}");
    }
    Ok(())
}

/// The sums agree with the files.
fn checksums() -> Result<()> {
    let directory = package::distribution();
    let written = std::fs::read_to_string(directory.join(package::checksums::FILE))?;
    ensure!(written == package::checksums::sums(&directory)?, "{} is not current", package::checksums::FILE);
    Ok(())
}

/// The names are the entry point, and nothing else.
fn exports_only_the_entry_point(exported: &[String]) -> Result<()> {
    ensure!(exported == [ENTRY_POINT], "exported: {exported:?}, expected only {ENTRY_POINT}");
    Ok(())
}
