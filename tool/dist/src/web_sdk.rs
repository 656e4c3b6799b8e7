//! `cargo xtask web`: builds the side modules and the npm package with them, and has the published web SDK use them in a
//! headless Chromium, in apps that are bundled as the package's README says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::hosts::table::find;
use crate::package::side;
use crate::packages::distribution::Distribution;
use crate::packages::web;
use tool_support::node::npm;
use tool_support::{library, process};

/// The tests, and the packages that the app has beside ours.
const TESTS: &str = "tests/hosts/web";

/// What is asked of npm, whatever it installs.
const QUIETLY: [&str; 4] = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent"];

/// Builds the package, and says where it is.
///
/// # Errors
/// If something that is needed is not there, or the package cannot be made.
pub(crate) fn build() -> Result<()> {
    let package = package()?;
    println!("{}", package.display());
    Ok(())
}

/// Builds it, and runs the tests; says what is left out because a tool is missing.
///
/// # Errors
/// If it does not build, or does not work.
pub(crate) fn check() -> Result<()> {
    if let Some(missing) = ["node", "chromium"].iter().find(|name| find(name).is_none()) {
        println!("SKIPPED the web SDK: not installed: {missing}");
        return Ok(());
    }
    let (chromium, package) = (find("chromium").context("there is no chromium")?, package()?);
    let project = install(&package)?;
    let program = library::built(&mut process::cargo(&["build", "--bin", "rowtide", library::JSON_MESSAGES]), "bin")?;
    let mut tests = process::program("node", &["--test", "--test-reporter=spec"]);
    tests.arg(process::repository().join(TESTS).join("web.test.mjs")).current_dir(project);
    let mut passed = 0;
    process::watch(tests.env("CHROMIUM", chromium).env("ROWTIDE", program), |line| {
        passed += line.strip_prefix("ℹ pass ").and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    })?;
    ensure!(passed > 0, "no test was run");
    Ok(())
}

/// Where all of it is.
fn place() -> PathBuf {
    process::repository().join("target/web")
}

/// Makes the package.
fn package() -> Result<PathBuf> {
    let directory = place().join("package");
    std::fs::create_dir_all(&directory)?;
    if let Some(missing) = side::build_in(&directory)? {
        anyhow::bail!("the side modules cannot be built: {missing}");
    }
    let distribution = Distribution::in_directory(&directory);
    web::write(&distribution)?;
    Ok(directory.join(web::file_name(distribution.version)))
}

/// Installs what the app is made of, unless that is there, and gives its directory. npm refuses our package if it does not fit
/// the others.
fn install(package: &Path) -> Result<PathBuf> {
    let (tests, project) = (process::repository().join(TESTS), place().join("app"));
    std::fs::create_dir_all(&project)?;
    let lock = std::fs::read_to_string(tests.join("package-lock.json"))?;
    // What is in this directory goes when npm installs everything again.
    let mark = |name: &str| project.join("node_modules").join(format!(".installed-{name}"));
    let is_there = |name: &str, text: &str| std::fs::read_to_string(mark(name)).is_ok_and(|found| found == text);
    if !is_there("all", &lock) {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(tests.join(file), project.join(file))?;
        }
        process::run(npm(&project, &["ci"]).args(QUIETLY)).context("npm cannot install the packages of the app")?;
        std::fs::write(mark("all"), lock)?;
    }
    let sum = format!("{:x}", Sha256::digest(std::fs::read(package)?));
    if !is_there("ours", &sum) {
        process::run(npm(&project, &["install", "--no-save"]).args(QUIETLY).arg(package))
            .context("npm cannot install the package that was built")?;
        std::fs::write(mark("ours"), sum)?;
    }
    Ok(project)
}
