//! Installs the packages with the program, and uses them as tests of an app do: `dev()`, and the command.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::consumers::npm::{NPX, installed_platforms};
use crate::consumers::wheel::{pip, python_of};
use crate::consumers::{Outcome, in_place};
use crate::packages::distribution::{Distribution, read};
use crate::packages::npm::PROGRAM;
use crate::packages::platform;
use tool_support::examples;
use tool_support::node::NPM;
use tool_support::process::{self, repository};

/// Checks the package's types.
const TYPESCRIPT: &[&str] = &["--yes", "--package=typescript@5", "tsc", "--noEmit", "--strict", "--target", "es2022"];

/// Why there is nothing to try; None if there is a program for this machine.
fn obstacle() -> Option<Outcome> {
    let has_program = platform::host().is_some_and(|host| host.program.is_some());
    (!has_program).then(|| Outcome::Skipped("the program is not built for this platform".to_owned()))
}

/// With Node.js.
///
/// # Errors
/// If the packages cannot be installed or used.
pub(super) fn check_npm(distribution: &Distribution, place: &Path) -> Result<Outcome> {
    if let Some(skipped) = obstacle() {
        return Ok(skipped);
    }
    let programs = repository().join("tests/hosts/npm");
    std::fs::remove_dir_all(place)?;
    std::fs::create_dir(place)?;
    for file in ["program.test.mjs", "program.types.ts"] {
        std::fs::copy(programs.join(file), place.join(file))?;
    }
    std::fs::write(place.join("package.json"), r#"{"private": true}"#)?;
    let mut install = in_place("node", &[], place);
    install.arg(programs.join("registry.mjs")).arg(&distribution.directory).arg(NPM);
    process::run(install.args(["install", "--no-audit", "--no-fund", "--cache", "npm-cache", PROGRAM.name]))?;
    let (installed, expected) = installed_platforms(PROGRAM, place)?;
    ensure!(installed == expected, "npm installed {installed:?}, expected {expected:?}");
    let example = example("tool/dist/packages/program/npm/README.md", "node-test")?;
    std::fs::write(place.join("readme.test.mjs"), example)?;
    quietly(&mut in_place("node", &["--test", "program.test.mjs", "readme.test.mjs"], place))?;
    let mut types = in_place(NPX, TYPESCRIPT, place);
    process::run(types.args(["--module", "nodenext", "program.types.ts"]))?;
    Ok(Outcome::Works)
}

/// With Python.
///
/// # Errors
/// If the wheel cannot be installed or used.
pub(super) fn check_wheel(distribution: &Distribution, place: &Path) -> Result<Outcome> {
    if let Some(skipped) = obstacle() {
        return Ok(skipped);
    }
    let environment = place.join("environment");
    let new = &["-m", "venv", "--clear", "--without-pip"];
    process::run(process::program("python3", new).arg(&environment))?;
    let python = python_of(&environment)?;
    let ours = ["--no-index", "rowtide", "--find-links"];
    process::run(pip(&python).args(ours).arg(&distribution.directory))?;
    process::run(process::program(&python, &[]).arg(repository().join("tests/hosts/python/program.py")))?;
    process::run(pip(&python).arg("pytest"))?;
    let example = example("tool/dist/packages/program/python/README.md", "pytest")?;
    std::fs::write(place.join("test_readme.py"), example)?;
    quietly(&mut in_place(&python, &["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "test_readme.py"], place))?;
    Ok(Outcome::Works)
}

/// The example of a README that is to be run in this way.
fn example(readme: &str, kind: &str) -> Result<String> {
    let found = examples::examples(&read(readme)?).into_iter().find(|example| example.kind == kind);
    Ok(found.with_context(|| format!("{readme} has no example for {kind}"))?.code)
}

/// Runs a program whose output matters only if it fails: what runs tests prints sums that are not those of our own tests.
fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "{command:?} failed: {}\n{printed}", output.status);
    Ok(())
}
