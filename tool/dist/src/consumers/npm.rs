//! Installs the npm packages from a registry that has nothing else, and uses them with better-sqlite3, with node:sqlite,
//! and from TypeScript.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::consumers::{Outcome, in_place, write_example};
use crate::packages::distribution::Distribution;
use crate::packages::npm::{Family, LIBRARY};
use crate::packages::platform;
use tool_support::examples;
use tool_support::node::{self, NPM};
use tool_support::process::{self, repository};

/// Checks the package's types.
const TYPESCRIPT: &[&str] =
    &["--yes", "--package=typescript@5", "tsc", "--noEmit", "--strict", "--module", "nodenext", "types.ts"];

/// How npm's command to run packages is started.
pub(super) const NPX: &str = if cfg!(windows) { "npx.cmd" } else { "npx" };

/// Installs and uses.
///
/// # Errors
/// If one of them fails.
pub(super) fn check(distribution: &Distribution, place: &Path) -> Result<Outcome> {
    let programs = repository().join("tests/hosts/npm");
    std::fs::remove_dir_all(place)?;
    std::fs::create_dir(place)?;
    for file in ["use.mjs", "types.ts"] {
        std::fs::copy(programs.join(file), place.join(file))?;
    }
    std::fs::write(place.join("package.json"), r#"{"private": true}"#)?;
    let mut install = process::program("node", &[]);
    install.arg(programs.join("registry.mjs")).arg(&distribution.directory).arg(NPM);
    install.args(["install", "--no-audit", "--no-fund", "--cache", "npm-cache", LIBRARY.name]).current_dir(place);
    process::run(&mut install)?;
    let (installed, expected) = installed_platforms(LIBRARY, place)?;
    ensure!(installed == expected, "npm installed {installed:?}, expected {expected:?}");
    let better = node::project()?;
    process::run(in_place("node", &["use.mjs", "better-sqlite3"], place).env("POWERSYNC_BETTER_SQLITE3", better))?;
    // The registry's package of that name is Node.js itself, in a version that has the module.
    let node = &["--yes", "node@24", "--no-warnings", "use.mjs", "node:sqlite"];
    process::run(&mut in_place(NPX, node, place))?;
    let code = write_example("tool/dist/packages/npm/README.md", &place.join("readme.mjs"))?;
    let printed = process::output(&mut in_place(NPX, &["--yes", "node@24", "--no-warnings", "readme.mjs"], place))?;
    examples::compare(&printed, &code).context("the example of the package's README")?;
    process::run(&mut in_place(NPX, TYPESCRIPT, place))?;
    Ok(Outcome::Works)
}

/// The packages for platforms that npm has installed, and those that it should have: one, without those of all others.
pub(super) fn installed_platforms(family: &Family, place: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let start = format!("{}-", family.name);
    let mut installed = Vec::new();
    for entry in std::fs::read_dir(place.join("node_modules"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&start) {
            installed.push(name);
        }
    }
    let expected = platform::host().map(|host| format!("{start}{}-{}", host.node.0, host.node.1));
    Ok((installed, expected.into_iter().collect()))
}
