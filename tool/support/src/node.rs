//! `cargo xtask node`: runs the published JavaScript SDK on the library and against the sync service, in the project
//! `tests/hosts/node`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{self, repository};
use crate::{files, library};

/// Names another library than the one built here.
const LIBRARY_VARIABLE: &str = "POWERSYNC_LIBRARY";

/// Names another program than the one built here.
const PROGRAM_VARIABLE: &str = "ROWTIDE";

/// Names the double of a Convex deployment.
const CONVEX_VARIABLE: &str = "FAKE_CONVEX";

/// Stands for the library that the SDK brings along.
const PUBLISHED: &str = "published";

/// The oldest version of Node.js that the SDK runs on.
const OLDEST_NODE: u32 = 20;

/// How npm is started.
pub const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Written after installing: what was installed, and for which Node.js.
const STAMP: &str = "node_modules/.installed-for";

/// Builds the library and the program unless others are named, installs the project's packages unless they are there, and
/// runs its tests.
///
/// # Errors
/// If one of them fails.
pub fn run() -> Result<()> {
    let library = match named(LIBRARY_VARIABLE) {
        Some(name) if name == PUBLISHED => PathBuf::from(name),
        Some(name) => std::path::absolute(name)?,
        None => library::build()?,
    };
    let program = match named(PROGRAM_VARIABLE) {
        Some(name) => std::path::absolute(name)?,
        None => library::built(&mut process::cargo(&["build", "--bin", "rowtide", library::JSON_MESSAGES]), "bin")?,
    };
    let convex =
        library::built(&mut process::cargo(&["build", "--bin", "fake-convex", library::JSON_MESSAGES]), "bin")?;
    let mut tests = npm(&project()?, &["test"]);
    tests.env(LIBRARY_VARIABLE, library).env(PROGRAM_VARIABLE, program).env(CONVEX_VARIABLE, convex);
    process::run(&mut tests)
}

/// What a variable names, unless it is empty.
fn named(variable: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(variable).filter(|name| !name.is_empty())
}

/// The project, with its packages installed, among them `better-sqlite3`.
///
/// # Errors
/// If they cannot be installed.
pub fn project() -> Result<PathBuf> {
    let project = repository().join("tests/hosts/node");
    install(&project)?;
    Ok(project)
}

/// What is asked of npm where nothing is to be compiled.
pub const QUIETLY: [&str; 4] = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent"];

/// Installs the packages of a project in another folder, as the lock file says, unless that is done.
///
/// # Errors
/// If they cannot be installed.
pub fn install_copy(project: &Path, copy: &Path) -> Result<()> {
    let lock = std::fs::read_to_string(project.join("package-lock.json"))?;
    let mark = copy.join("node_modules/.installed");
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == lock) {
        return Ok(());
    }
    std::fs::create_dir_all(copy)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(project.join(file), copy.join(file))?;
    }
    process::run(npm(copy, &["ci"]).args(QUIETLY))?;
    Ok(std::fs::write(mark, lock)?)
}

/// Compiles the functions for Convex in `docs/examples/convex`, and holds them to their cases, in a copy of the folder.
///
/// # Errors
/// If something is missing, does not compile or does not do what a case says.
pub fn check_convex() -> Result<()> {
    let (example, copy) = (repository().join("docs/examples/convex"), repository().join("target/convex"));
    let _ = std::fs::remove_dir_all(copy.join("convex"));
    for folder in ["", "convex"] {
        files::copy(&example.join(folder), &copy.join(folder))?;
    }
    install_copy(&example, &copy)?;
    process::run(&mut npm(&copy, &["run", "--silent", "check"]))
}

/// Runs `npm ci`, which compiles SQLite, if the lock file or Node.js is another than last time.
fn install(project: &Path) -> Result<()> {
    let (version, program) = node()?;
    let lock = project.join("package-lock.json");
    let lock = std::fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let wanted = format!("{version}\n{lock}");
    let stamp = project.join(STAMP);
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut command = npm(project, &["ci", "--no-audit", "--no-fund"]);
    // Optimising takes longer than the tests gain from it.
    command.envs([("CFLAGS", "-O0"), ("CXXFLAGS", "-O0")]);
    if let Some(prefix) = headers(&program) {
        // Else node-gyp downloads headers, from a place that is not a package registry.
        command.env("npm_config_nodedir", prefix);
    }
    process::run(&mut command)?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Version and path of Node.js.
fn node() -> Result<(String, PathBuf)> {
    let printed = process::output(&mut process::program("node", &["-p", "process.version + ' ' + process.execPath"]))
        .context("Node.js is needed")?;
    let (version, path) = printed.trim().split_once(' ').context("node printed no version")?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    ensure!(major >= Some(OLDEST_NODE), "Node.js {OLDEST_NODE} or newer is needed, this is {version}");
    Ok((version.to_owned(), PathBuf::from(path)))
}

/// Where the headers of this Node.js are installed, as `include/node`.
fn headers(program: &Path) -> Option<&Path> {
    program.parent()?.parent().filter(|prefix| prefix.join("include/node/node.h").exists())
}

/// The command `npm` in a project.
pub fn npm(project: &Path, arguments: &[&str]) -> Command {
    let mut command = process::program(NPM, arguments);
    command.current_dir(project);
    command
}
