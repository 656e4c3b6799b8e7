//! `cargo xtask node`: runs the published JavaScript SDK on the library, in the project `tests/hosts/node`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::library;
use crate::process::{self, repository};

/// Another library than the one built here; the word `published` is the one that the SDK brings along.
const LIBRARY_VARIABLE: &str = "POWERSYNC_LIBRARY";

/// The oldest version of Node.js that the SDK runs on.
const OLDEST_NODE: u32 = 20;

/// Written after installing: what was installed, and for which Node.js.
const STAMP: &str = "node_modules/.installed-for";

/// Builds the library unless another one is named, installs the project's packages unless they are there, and runs its
/// tests.
///
/// # Errors
/// If one of them fails, or a test is left out that should run on our library.
pub fn run() -> Result<()> {
    let library = match std::env::var_os(LIBRARY_VARIABLE).filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => library::build()?.into_os_string(),
    };
    let project = repository().join("tests/hosts/node");
    install(&project)?;
    process::run(npm(&project, &["test"]).env(LIBRARY_VARIABLE, library))
}

/// Runs `npm ci`, which compiles an SQLite and so takes a minute, if the lock file or Node.js is another than last time.
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

fn npm(project: &Path, arguments: &[&str]) -> Command {
    let name = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let mut command = process::program(name, arguments);
    command.current_dir(project);
    command
}
