//! `cargo xtask package`: builds the libraries for all targets, and what package managers take of them (`packages`).
//!
//! Into `target/dist` go the artefacts, by the names that SDKs expect, the header, `SHA256SUMS` and a list of what the
//! libraries are made of; into `target/dist/debug` what debuggers want. `target/package/slices` has the libraries that
//! become an XCFramework, each in its own directory.

mod archive;
mod binaryen;
pub(crate) mod checksums;
mod compile;
pub(crate) mod difference;
mod frameworks;
pub(crate) mod licences;
pub(crate) mod link;
pub(crate) mod program;
pub(crate) mod reproducible;
pub(crate) mod sbom;
pub(crate) mod side;
pub(crate) mod slices;
pub(crate) mod target;
pub(crate) mod toolchain;
pub(crate) mod universal;
mod zig;

pub(crate) use archive::{ENTRY_POINTS, FROM_C_LIBRARY};
pub(crate) use link::ENTRY_POINT;

use std::fs::create_dir_all;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::packages::{self, distribution::Distribution};
use link::Link;
use target::{Core, PROGRAMS, Platform, TARGETS, Target};
use tool_support::process::repository;
use toolchain::Toolchain;

/// What C programs include.
pub(crate) const HEADER: &str = "powersync.h";

/// The install name of macOS libraries outside of frameworks.
pub(crate) const LIBRARY_INSTALL_NAME: &str = "@rpath/libpowersync.dylib";

/// Where artefacts go.
pub(crate) fn distribution() -> PathBuf {
    repository().join("target/dist")
}

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// The extension
    Libraries,
    /// The program `rowtide`, with a C compiler of PyPI
    Program,
}

/// The words that select targets: those given with `--only`, none for all of them, else this machine's target.
pub(crate) fn chosen(only: Vec<String>, all: bool) -> Vec<String> {
    if all || !only.is_empty() {
        return only;
    }
    let system = match std::env::consts::OS {
        "linux" => "unknown-linux",
        "macos" => "apple-darwin",
        "windows" => "pc-windows",
        other => other,
    };
    let target = format!("{}-{system}", std::env::consts::ARCH);
    println!("building for this machine ({target}); --all builds for all targets");
    vec![target]
}

/// The targets that `--only` selects by platform (`linux`, `android`, `apple`, `windows`, `wasm`), triple, or the first
/// part of it; all of them without.
///
/// # Errors
/// If a word selects none.
pub(crate) fn select(only: &[String]) -> Result<Vec<&'static Target>> {
    select_of(TARGETS, only)
}

/// The same of the targets that the program is built for.
///
/// # Errors
/// If a word selects none.
pub(crate) fn select_programs(only: &[String]) -> Result<Vec<&'static Target>> {
    select_of(PROGRAMS, only)
}

/// The targets of libraries, and those of the program.
///
/// # Errors
/// If a word selects none of either.
pub(crate) fn select_both(only: &[String]) -> Result<(Vec<&'static Target>, Vec<&'static Target>)> {
    let all: Vec<&'static Target> = TARGETS.iter().chain(PROGRAMS).collect();
    check_words(&all, only)?;
    let selected = |targets: &'static [Target]| targets.iter().filter(|target| is_selected(target, only)).collect();
    Ok((selected(TARGETS), selected(PROGRAMS)))
}

fn select_of(targets: &'static [Target], only: &[String]) -> Result<Vec<&'static Target>> {
    check_words(&targets.iter().collect::<Vec<_>>(), only)?;
    Ok(targets.iter().filter(|target| is_selected(target, only)).collect())
}

fn check_words(targets: &[&Target], only: &[String]) -> Result<()> {
    for word in only {
        let is_known = targets.iter().any(|target| is_selected(target, std::slice::from_ref(word)));
        ensure!(is_known, "--only {word:?} selects no target");
    }
    Ok(())
}

/// Whether one of the words fits a target, or there are none.
pub(crate) fn is_selected(target: &Target, only: &[String]) -> bool {
    let fits = |word: &String| target.platform.group() == word || target.triple.starts_with(word.as_str());
    only.is_empty() || only.iter().any(fits)
}

/// Builds what is selected, and the packages that are complete with it. What does not build is named at the end; a
/// target that Rust is not available for is left out and named, or an error if all are required.
///
/// # Errors
/// Lists what could not be built.
pub(crate) fn run(what: What, only: &[String], require_all: bool) -> Result<()> {
    match what {
        What::Libraries => libraries_and_packages(only, require_all),
        What::Program => program::run(only, require_all),
    }
}

fn libraries_and_packages(only: &[String], require_all: bool) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let directory = distribution();
    if only.is_empty() && directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    create_dir_all(&directory)?;
    let targets = select(only)?;
    let mut outcome = outcome(&targets, |target| {
        remove_earlier(target)?;
        match toolchain.prepare(target) {
            // What was made before a failure is of no use without the rest.
            Ok(core) => build(&toolchain, target, core).or_else(|problem| remove_earlier(target).and(Err(problem)))?,
            Err(reason) => return Ok(Built::Not(format!("{reason:#}"))),
        }
        Ok(Built::Libraries)
    });
    for target in targets.iter().filter(|target| target.platform == Platform::Wasm) {
        println!("{}", side::NAME);
        outcome.record(side::NAME, side::build(&toolchain, target, &directory));
    }
    slices::join()?;
    complete(&mut outcome, &directory)?;
    outcome.into_result(require_all)
}

/// Makes what is there once: packages, lists and sums.
fn complete(outcome: &mut Outcome, directory: &Path) -> Result<()> {
    std::fs::copy(repository().join("crates/static/include").join(HEADER), directory.join(HEADER))?;
    outcome.failed.extend(packages::write(&Distribution::complete()).err().map(|problem| format!("{problem:#}")));
    sbom::write(directory)?;
    checksums::write(directory)
}

/// What became of a target.
enum Built {
    Libraries,
    /// Nothing, because of what the text says is missing.
    Not(String),
}

/// What is not there at the end.
#[derive(Debug, Default)]
struct Outcome {
    failed: Vec<String>,
    skipped: Vec<&'static str>,
}

impl Outcome {
    /// Notes and says what became of a part.
    fn record(&mut self, name: &'static str, built: Result<Built>) {
        match built {
            Ok(Built::Libraries) => {}
            Ok(Built::Not(reason)) => {
                println!("SKIPPED {name}: {reason}");
                self.skipped.push(name);
            }
            Err(problem) => {
                println!("FAILED {name}: {problem:#}");
                self.failed.push(format!("{name}: {problem:#}"));
            }
        }
    }

    fn into_result(self, require_all: bool) -> Result<()> {
        ensure!(self.failed.is_empty(), "not built:\n{}", self.failed.join("\n"));
        ensure!(!require_all || self.skipped.is_empty(), "left out: {}", self.skipped.join(", "));
        Ok(())
    }
}

/// Builds for all targets, whatever becomes of single ones.
fn outcome(targets: &[&'static Target], mut build: impl FnMut(&Target) -> Result<Built>) -> Outcome {
    let mut outcome = Outcome::default();
    for target in targets {
        println!("{}", target.triple);
        outcome.record(target.triple, build(target));
    }
    outcome
}

/// Removes the libraries of an earlier build, so that none is taken for one that cannot be built now.
fn remove_earlier(target: &Target) -> Result<()> {
    for path in libraries(target).into_iter().filter(|path| path.exists()) {
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// The libraries that are made for a target.
fn libraries(target: &Target) -> Vec<PathBuf> {
    let mut paths = vec![distribution().join(target.static_name())];
    paths.extend(target.ships_loadable().then(|| distribution().join(target.loadable_name())));
    paths.extend(target.has_framework_binary().then(|| framework_binary(target)));
    paths.extend(side::names(target).map(|name| distribution().join(name)));
    paths
}

fn build(toolchain: &Toolchain, target: &Target, core: Core) -> Result<()> {
    let (distribution, scratch) = (distribution(), scratch(target));
    create_dir_all(&scratch)?;
    if target.is_loadable {
        let archive = compile::compile(toolchain, target, core, compile::LOADABLE)?;
        let link = |output: PathBuf, debug: PathBuf, install_name: &str| {
            create_dir_all(&debug)?;
            let link = Link { toolchain, target, archive: &archive, scratch: &scratch, output: &output, debug: &debug };
            link::loadable(&link, install_name)
        };
        if target.ships_loadable() {
            link(distribution.join(target.loadable_name()), debug(), LIBRARY_INSTALL_NAME)?;
        }
        if target.has_framework_binary() {
            create_dir_all(scratch.join("framework"))?;
            link(framework_binary(target), framework_debug(), install_name(target.platform))?;
        }
    }
    let archive = compile::compile(toolchain, target, core, compile::STATIC)?;
    archive::reduce(toolchain, target, &archive, &scratch, &distribution.join(target.static_name()))
}

/// Where debug information goes, in files that are called like their libraries with something added.
pub(crate) fn debug() -> PathBuf {
    distribution().join("debug")
}

/// The same for the binaries of frameworks, which have the names of libraries and other addresses.
pub(crate) fn framework_debug() -> PathBuf {
    debug().join("framework")
}

/// Where programs find the framework's binary.
pub(crate) fn install_name(platform: Platform) -> &'static str {
    match platform {
        Platform::MacOs => "@rpath/powersync-sqlite-core.framework/Versions/A/powersync-sqlite-core",
        _ => "@rpath/powersync-sqlite-core.framework/powersync-sqlite-core",
    }
}

/// What a target contributes to the framework.
pub(crate) fn framework_binary(target: &Target) -> PathBuf {
    scratch(target).join("framework").join(target.loadable_name())
}

/// Where a target's files go that are needed on the way.
fn scratch(target: &Target) -> PathBuf {
    repository().join("target/package").join(target.triple)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_target_that_fails_does_not_keep_others_from_being_built() {
        let mut built = Vec::new();
        let targets = select(&["android".to_owned()]).unwrap();
        let outcome = outcome(&targets, |target| {
            built.push(target.triple.to_owned());
            match target.architecture {
                "aarch64" => bail!("broken"),
                "armv7" => Ok(Built::Not("no Rust".to_owned())),
                _ => Ok(Built::Libraries),
            }
        });
        assert_eq!(built.len(), 4);
        assert_eq!(outcome.failed, ["aarch64-linux-android: broken"]);
        assert_eq!(outcome.skipped, ["armv7-linux-androideabi"]);
        assert!(outcome.into_result(false).is_err());
    }

    #[test]
    fn what_is_left_out_is_an_error_if_all_is_required() {
        let outcome = || Outcome { skipped: vec!["a"], ..Outcome::default() };
        assert!(outcome().into_result(false).is_ok());
        assert!(outcome().into_result(true).is_err());
        assert!(Outcome::default().into_result(true).is_ok());
    }

    #[test]
    fn targets_are_selected_by_platform_or_name() {
        let names = |word: &str| select(&[word.to_owned()]).map(|targets| targets.len());
        assert_eq!((names("linux").unwrap(), names("x86_64-apple").unwrap()), (5, 4));
        assert!(names("amiga").is_err());
        let both =
            |word: &str| select_both(&[word.to_owned()]).map(|(libraries, programs)| (libraries.len(), programs.len()));
        assert_eq!((both("linux").unwrap(), both("x86_64-unknown-linux-musl").unwrap()), ((5, 4), (0, 1)));
        assert!(both("amiga").is_err());
        assert_eq!(select_programs(&["windows".to_owned()]).unwrap().len(), 1);
        assert!(select_programs(&["wasm".to_owned()]).is_err());
        assert_eq!(select(&[]).unwrap().len(), TARGETS.len());
    }
}
